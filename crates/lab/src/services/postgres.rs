//! One PostgreSQL cluster: made, started, stopped, crashed, and given other binaries.
//!
//! ```text
//! <life>/postgres-<name>/ data/{postgresql.conf,lab.conf,…} socket/.s.PGSQL.<port> pgpass work/
//! ```
//! The server process itself is our child, not a daemon behind `pg_ctl`, so its end is seen at
//! once. It listens on loopback for the connector and on a Unix socket for us, both with passwords.
//! When we die it gets SIGQUIT, its "immediate shutdown", which frees its shared memory.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cutover_clients::pg::{self, PgAddress, PgHost};
use cutover_clients::wait::Poll;
use nix::sys::signal::Signal;

pub use super::logins::{Credentials, Login};
use super::{LOOPBACK, ServiceInfo, Setup};
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::ports::{self, PortLease};
use crate::privilege;
use crate::spawn::{self, Child, Launch, Stopped};

/// Longest path of a Unix socket's folder: the kernel takes 107 bytes for folder and file name
/// together.
const SOCKET_FOLDER_BYTES_MAX: usize = 85;
/// How long making an empty cluster may take.
const INITDB_DEADLINE: Duration = Duration::from_secs(120);
/// What a cluster gets after an orderly stop has failed, before it is killed.
const IMMEDIATE_DEADLINE: Duration = Duration::from_secs(10);

/// What cluster to make.
#[derive(Debug, Clone)]
pub struct PostgresSpec {
    /// Short name: `old`, `new`, …. Folder and log are called `postgres-<name>`.
    pub name: String,
    /// The database to make.
    pub database: String,
    /// Passwords.
    pub credentials: Credentials,
    /// Server settings on top of the lab's own.
    pub settings: Vec<(String, String)>,
}

impl PostgresSpec {
    /// A cluster with new passwords and no settings of its own.
    pub fn new(name: &str, database: &str) -> PostgresSpec {
        PostgresSpec {
            name: name.to_owned(),
            database: database.to_owned(),
            credentials: Credentials::random(),
            settings: Vec::new(),
        }
    }
}

/// How to stop a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopMode {
    /// Ends sessions, writes a checkpoint, sends everything to replication clients.
    Fast,
    /// Ends at once; the next start recovers from the log.
    Immediate,
    /// SIGKILL to the server: a crash. Its children see that and end.
    Crash,
}

/// A cluster, running or not. Its port stays its own while it is stopped.
#[derive(Debug)]
pub struct Postgres {
    child: Option<Child>,
    pub(super) service: String,
    spec: PostgresSpec,
    binaries: PartDir,
    pub(super) folder: PathBuf,
    socket: Socket,
    pub(super) setup: Setup,
    port: PortLease,
}

/// Folder of the Unix socket: inside the cluster's folder, or a short-lived one where that path is
/// too long.
#[derive(Debug)]
enum Socket {
    Inside(PathBuf),
    Elsewhere(tempfile::TempDir),
}

impl Socket {
    fn folder(&self) -> &Path {
        match self {
            Socket::Inside(path) => path,
            Socket::Elsewhere(folder) => folder.path(),
        }
    }
}

impl Postgres {
    /// Makes a cluster with its roles and its database, and leaves it running.
    pub async fn create(
        setup: &Setup,
        spec: PostgresSpec,
        binaries: PartDir,
    ) -> Result<Postgres, LabError> {
        let mut postgres = Postgres::place(setup, spec, binaries)?;
        postgres.initdb(&[]).await?;
        postgres.start().await?;
        postgres.make_roles().await?;
        Ok(postgres)
    }

    /// Folders and a port for a cluster; no data directory yet.
    pub(super) fn place(
        setup: &Setup,
        spec: PostgresSpec,
        binaries: PartDir,
    ) -> Result<Postgres, LabError> {
        let service = format!("postgres-{}", spec.name);
        let folder = setup.service_folder(&service)?;
        let account = setup.account();
        privilege::private_folder(&folder.join("work"), account)?;
        let inside = folder.join("socket");
        let socket = if inside.as_os_str().len() <= SOCKET_FOLDER_BYTES_MAX {
            Socket::Inside(inside)
        } else {
            let short = tempfile::Builder::new().prefix("cutover-").tempdir();
            Socket::Elsewhere(short.map_err(LabError::io("create", std::env::temp_dir()))?)
        };
        privilege::private_folder(socket.folder(), account)?;
        let port = ports::lease(&setup.home)?;
        let setup = setup.clone();
        let postgres = Postgres {
            child: None,
            service,
            spec,
            binaries,
            folder,
            socket,
            setup,
            port,
        };
        super::write(&postgres.passfile(), &postgres.passwords(), account)?;
        Ok(postgres)
    }

    /// Makes an empty data directory; `args` on top of the lab's own.
    pub(super) async fn initdb(&self, args: &[&str]) -> Result<(), LabError> {
        let account = self.setup.account();
        let password = self.folder.join("initdb-password");
        let secret = self.spec.credentials.of(Login::Admin).reveal();
        privilege::private_file(&password, &format!("{secret}\n"), account)?;
        let launch = self
            .launch("initdb", &self.binaries)
            .args(["-U", Login::Admin.role(), "-E", "UTF8", "--locale=C.UTF-8"])
            .args([
                "-A",
                "scram-sha-256",
                "--no-sync",
                "--no-instructions",
                "--pwfile",
            ])
            .arg_path(&password)
            .args(args)
            .arg_path(&self.data());
        let end = spawn::run(launch, INITDB_DEADLINE).await;
        std::fs::remove_file(&password).map_err(LabError::io("remove", &password))?;
        let end = end?;
        if !end.status.success() {
            return Err(LabError::died(
                "initdb",
                end.ended(),
                end.last_lines(6),
                self.data(),
            ));
        }
        let main = self.data().join("postgresql.conf");
        let mut text = std::fs::read_to_string(&main).map_err(LabError::io("read", &main))?;
        text.push_str("\ninclude 'lab.conf'\n");
        super::write(&main, &text, account)?;
        self.write_settings()
    }

    /// The lab's settings for this cluster, in its data directory, whoever made that.
    pub(super) fn write_settings(&self) -> Result<(), LabError> {
        let file = self.data().join("lab.conf");
        super::write(&file, &self.settings(), self.setup.account())
    }

    /// Port of the server.
    pub(super) fn port(&self) -> u16 {
        self.port.port()
    }

    /// Folder of the server's Unix socket.
    pub(super) fn socket_folder(&self) -> &Path {
        self.socket.folder()
    }

    /// A program of PostgreSQL, working in the cluster's folder.
    pub(super) fn launch(&self, program: &str, binaries: &PartDir) -> Launch {
        Launch::new(
            &format!("{} {program}", self.service),
            &binaries.bin().join(program),
            &self.folder,
            &self.setup.log(&self.service),
        )
        .env("HOME", &self.folder)
        .account(self.setup.account())
    }

    fn settings(&self) -> String {
        let port = self.port.port().to_string();
        let socket = self.socket.folder().display().to_string();
        let lab: [(&str, &str); 21] = [
            ("listen_addresses", LOOPBACK),
            ("port", &port),
            ("unix_socket_directories", &socket),
            ("unix_socket_permissions", "0700"),
            ("wal_level", "logical"),
            ("max_wal_senders", "10"),
            ("max_replication_slots", "10"),
            ("max_connections", "100"),
            // The default of 60 s is how long a paused connector holds up a fast shutdown; a rehearsal shows the
            // same in less time.
            ("wal_sender_timeout", "15s"),
            ("wal_retrieve_retry_interval", "100ms"),
            ("password_encryption", "scram-sha-256"),
            // Crashes of processes are rehearsed, crashes of the machine are not; nothing outlives
            // the machine.
            ("fsync", "off"),
            ("autovacuum", "on"),
            ("max_wal_size", "2GB"),
            ("jit", "off"),
            // Segments as files in the data folder: nothing is left in /dev/shm after a crash.
            ("dynamic_shared_memory_type", "mmap"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("lc_messages", "C"),
            ("log_line_prefix", "%m [%p] %a "),
            ("logging_collector", "off"),
        ];
        let own = self
            .spec
            .settings
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        lab.into_iter()
            .chain(own)
            .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")))
            .collect()
    }

    fn passwords(&self) -> String {
        [Login::Admin, Login::App, Login::Debezium]
            .into_iter()
            .map(|login| {
                let secret = self.spec.credentials.of(login).reveal();
                format!("*:*:*:{}:{secret}\n", login.role())
            })
            .collect()
    }

    /// Starts the server and waits until it answers a query. Returns how long that took.
    pub async fn start(&mut self) -> Result<f64, LabError> {
        super::require_stopped(&self.service, &mut self.child)?;
        let started = Instant::now();
        let launch = self
            .launch("postgres", &self.binaries)
            .args(["-D"])
            .arg_path(&self.data())
            .death(Signal::SIGQUIT);
        self.child = Some(spawn::spawn(&launch)?);
        let address = self.address(Login::Admin, "postgres");
        let child = super::running(&self.service, &mut self.child)?;
        super::until_ready(&self.service, child, async || {
            match pg::connect_admin(&address).await {
                Ok(session) => match session.simple_query("SELECT 1").await {
                    Ok(_) => Poll::Ready(()),
                    Err(error) => Poll::NotYet(error.to_string()),
                },
                Err(error) => Poll::NotYet(error.to_string()),
            }
        })
        .await?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Stops the server; `None` if it was not running. Says how long it took and whether it had to
    /// be forced.
    pub async fn stop(
        &mut self,
        mode: StopMode,
        deadline: Duration,
    ) -> Result<Option<Stopped>, LabError> {
        let Some(child) = self.child.as_mut() else {
            return Ok(None);
        };
        let started = Instant::now();
        let mut forced = false;
        match mode {
            StopMode::Fast => {
                child.signal(Signal::SIGINT);
                if child.wait_end(deadline).await.is_err() {
                    forced = true;
                    child.stop(Signal::SIGQUIT, IMMEDIATE_DEADLINE).await?;
                }
            }
            StopMode::Immediate => forced = child.stop(Signal::SIGQUIT, deadline).await?.killed,
            StopMode::Crash => {
                child.stop(Signal::SIGKILL, deadline).await?;
            }
        }
        self.child = None;
        Ok(Some(Stopped {
            seconds: started.elapsed().as_secs_f64(),
            killed: forced,
        }))
    }

    /// Uses other binaries of the same major version from the next start on. The server must be
    /// stopped.
    pub fn swap_binaries(&mut self, binaries: PartDir) -> Result<(), LabError> {
        super::require_stopped(&self.service, &mut self.child)?;
        let file = self.data().join("PG_VERSION");
        let text = std::fs::read_to_string(&file).map_err(LabError::io("read", &file))?;
        let data = text.trim().parse().unwrap_or(0);
        if data != binaries.major() {
            return Err(LabError::OtherMajor {
                cluster: self.spec.name.clone(),
                data,
                binaries: binaries.major(),
            });
        }
        self.binaries = binaries;
        Ok(())
    }

    /// Address for ourselves: the Unix socket.
    pub fn address(&self, login: Login, database: &str) -> PgAddress {
        self.address_at(
            PgHost::Unix(self.socket.folder().to_owned()),
            login,
            database,
        )
    }

    /// Address for the connector: loopback.
    pub fn tcp_address(&self, login: Login, database: &str) -> PgAddress {
        self.address_at(PgHost::Tcp(LOOPBACK.to_owned()), login, database)
    }

    fn address_at(&self, host: PgHost, login: Login, database: &str) -> PgAddress {
        PgAddress {
            host,
            port: self.port.port(),
            user: login.role().to_owned(),
            password: self.spec.credentials.of(login).clone(),
            database: database.to_owned(),
            tls: Default::default(),
        }
    }

    /// Its short name.
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// The database that it was made with.
    pub fn database(&self) -> &str {
        &self.spec.database
    }

    /// Its passwords, for a second cluster that shall have the same.
    pub fn credentials(&self) -> &Credentials {
        &self.spec.credentials
    }

    /// The binaries that it uses from its next start on.
    pub fn binaries(&self) -> &PartDir {
        &self.binaries
    }

    /// Its data directory.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A folder that the server's user can write: dumps go here.
    pub fn work_folder(&self) -> PathBuf {
        self.folder.join("work")
    }

    pub(super) fn passfile(&self) -> PathBuf {
        self.folder.join("pgpass")
    }

    pub(super) fn log_of(&self, program: &str) -> PathBuf {
        self.setup.log(&format!("{}-{program}", self.service))
    }

    /// Whether the server process runs.
    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| child.try_wait().is_none())
    }

    /// Fails if it has ended by itself.
    pub fn check_alive(&mut self) -> Result<(), LabError> {
        super::running(&self.service, &mut self.child)?.check_alive()
    }

    /// Frees what a crash left in the kernel. A later start does the same; this is for when there
    /// is none.
    pub fn free_shared_memory(&mut self) {
        if !self.is_running() {
            free_shared_memory(&self.data());
        }
    }

    /// For status.
    pub fn info(&self) -> ServiceInfo {
        ServiceInfo {
            name: self.service.clone(),
            part: format!("postgres {}", self.binaries.version),
            pid: self.child.as_ref().map(Child::pid),
            ports: vec![self.port.port()],
            log: self.setup.log(&self.service),
            folder: self.folder.clone(),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.child.take());
        self.free_shared_memory();
    }
}

/// The server writes the id of its shared memory into `postmaster.pid`, which only an orderly end
/// removes.
pub(crate) fn free_shared_memory(data: &Path) {
    let Ok(text) = std::fs::read_to_string(data.join("postmaster.pid")) else {
        return;
    };
    let id = text
        .lines()
        .nth(6)
        .and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    if let Some(id) = id {
        spawn::free_shared_memory(id);
    }
}
