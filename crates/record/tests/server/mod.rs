//! A throwaway PostgreSQL server for tests, on a unix socket and a free port of the loopback.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutover_clients::pg::{PgAddress, PgHost};
use cutover_clients::secret::Secret;

/// A running server; stopped and removed when dropped.
pub struct Server {
    /// Superuser, database `postgres`.
    pub address: PgAddress,
    bin: PathBuf,
    next_bin: PathBuf,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts a server with the programs in `CUTOVER_TEST_PG_BIN`; `None`, with a message, without it.
    pub fn start() -> Option<Server> {
        let Some(bin) = std::env::var_os("CUTOVER_TEST_PG_BIN").map(PathBuf::from) else {
            eprintln!("SKIPPED: CUTOVER_TEST_PG_BIN names no directory with PostgreSQL's programs");
            return None;
        };
        let next = std::env::var_os("CUTOVER_TEST_PG_BIN_NEXT").map(PathBuf::from);
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        // As root the server runs as another user, who needs a way in.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let server = Server {
            address: PgAddress {
                host: PgHost::Unix(folder.path().to_owned()),
                port,
                user: "postgres".into(),
                password: Secret::default(),
                database: "postgres".into(),
                tls: Default::default(),
            },
            next_bin: next.unwrap_or_else(|| bin.clone()),
            bin,
            folder,
        };
        server.init();
        server.launch(&server.bin);
        Some(server)
    }

    /// Stops it (`fast`, `immediate`).
    pub fn stop(&self, mode: &str) {
        self.run(
            &self.bin.join("pg_ctl"),
            &["stop", "-w", "-m", mode, "-D", &self.data()],
        );
    }

    /// Starts it again on the same data and socket, with the other programs if there are any.
    pub fn start_again(&self) {
        self.launch(&self.next_bin);
    }

    /// Puts another, empty server in the place of the stopped one: same address, another life.
    pub fn replace(&self) {
        fs::rename(self.data(), self.folder.path().join("old")).unwrap();
        self.init();
        self.launch(&self.bin);
    }

    fn init(&self) {
        let data = self.data();
        let arguments = [
            "-U",
            "postgres",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--no-locale",
        ];
        let whole: Vec<&str> = arguments.into_iter().chain(["-D", &data]).collect();
        self.run(&self.bin.join("initdb"), &whole);
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n\
             wal_level = logical\nfsync = off\n",
            self.address.port,
            self.folder.path().display()
        );
        let path = self.folder.path().join("data/postgresql.conf");
        let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
        file.write_all(settings.as_bytes()).unwrap();
    }

    /// Makes `user` log in by this method from now on.
    pub fn require(&self, user: &str, method: &str) {
        let path = self.folder.path().join("data/pg_hba.conf");
        let old = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("local all {user} {method}\n{old}")).unwrap();
    }

    fn launch(&self, bin: &Path) {
        let log = self
            .folder
            .path()
            .join("data/server.log")
            .display()
            .to_string();
        self.run(
            &bin.join("pg_ctl"),
            &["start", "-w", "-l", &log, "-D", &self.data()],
        );
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn run(&self, program: &Path, arguments: &[&str]) {
        // A server that inherits a pipe would keep it open for as long as it runs.
        let output = fs::File::create(self.folder.path().join("output")).unwrap();
        let mut command = as_ordinary_user(program);
        command
            .args(arguments)
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let status = command.status().unwrap();
        let said = || fs::read_to_string(self.folder.path().join("output")).unwrap_or_default();
        assert!(status.success(), "{}: {}", program.display(), said());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = as_ordinary_user(&self.bin.join("pg_ctl"));
        stop.args(["stop", "-m", "immediate", "-D", &self.data()]);
        let _ = stop.stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// PostgreSQL refuses to run as root.
fn as_ordinary_user(program: &Path) -> Command {
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() != 0) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
        .arg(program);
    command
}
