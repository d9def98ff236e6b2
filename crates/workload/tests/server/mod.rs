//! A throwaway PostgreSQL server on a unix socket, and what the tests look at in it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use cutover_clients::pg::{PgAddress, PgHost, connect_admin};
use cutover_clients::secret::Secret;
use cutover_workload::SCHEMA_SQL;

/// The user that servers run as when the tests are started as root (`nobody`).
const UNPRIVILEGED: u32 = 65534;

/// A running server; stopped and removed when dropped.
pub struct Server {
    /// Superuser, database `postgres`.
    pub address: PgAddress,
    bin: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server with the load's tables, using the programs in `CUTOVER_TEST_PG_BIN`; `None`,
    /// with a message, without it.
    pub async fn start() -> Option<Server> {
        let Some(bin) = std::env::var_os("CUTOVER_TEST_PG_BIN").map(PathBuf::from) else {
            eprintln!("SKIPPED: CUTOVER_TEST_PG_BIN names no directory with PostgreSQL's programs");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        if is_root() {
            chown(folder.path(), Some(UNPRIVILEGED), Some(UNPRIVILEGED)).unwrap();
        }
        let server = Server {
            address: PgAddress {
                host: PgHost::Unix(folder.path().to_owned()),
                port: 5432,
                user: "postgres".into(),
                password: Secret::default(),
                database: "postgres".into(),
                tls: Default::default(),
            },
            bin,
            folder,
        };
        server.init("data");
        server.launch();
        server.create_tables().await;
        Some(server)
    }

    /// Stops it (`fast`, `immediate`).
    pub fn stop(&self, mode: &str) {
        self.run(
            "pg_ctl",
            &["stop", "-w", "-m", mode, "-D", &self.path("data")],
        );
    }

    /// Starts it again on the same data.
    pub fn launch(&self) {
        let options = format!("-c listen_addresses='' -k {}", self.folder.path().display());
        let (data, log) = (self.path("data"), self.path("server.log"));
        self.run(
            "pg_ctl",
            &["start", "-w", "-l", &log, "-o", &options, "-D", &data],
        );
    }

    /// Puts another server with empty tables in the place of the stopped one: same address, another
    /// incarnation.
    pub async fn replace(&self) {
        fs::rename(self.path("data"), self.path("old")).unwrap();
        self.init("data");
        self.launch();
        self.create_tables().await;
    }

    async fn create_tables(&self) {
        let client = connect_admin(&self.address).await.unwrap();
        client.batch_execute(SCHEMA_SQL).await.unwrap();
    }

    fn init(&self, folder: &str) {
        let data = self.path(folder);
        let arguments = [
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "-D",
            &data,
        ];
        self.run("initdb", &arguments);
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let program = self.bin.join(program);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .arg(format!("--reuid={UNPRIVILEGED}"))
                .arg(format!("--regid={UNPRIVILEGED}"))
                .arg("--clear-groups")
                .arg(&program);
            command
        } else {
            Command::new(&program)
        };
        // Inherited pipes would stay open in the server and never end.
        let status = command
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(
            status.success(),
            "{} {arguments:?}: {status}",
            program.display()
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if fs::exists(self.path("data/postmaster.pid")).unwrap_or(false) {
            self.stop("immediate");
        }
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
