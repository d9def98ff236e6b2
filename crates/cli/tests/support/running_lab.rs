//! A lab of the real binary that runs, and the configuration that an operator would write for it.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use cutover_clients::pg::{Client, PgAddress, PgHost, connect_admin, passfile};
use serde_json::Value;

use crate::published;
use crate::site::{Site, text};
use crate::standing_lab::{files_with, password};

/// Name of the lab's connector.
pub const CONNECTOR: &str = "cutover-lab";

pub struct RunningLab {
    pub site: Site,
    /// The connector's password: must be found nowhere.
    pub secret: String,
    /// The server, as its administrator.
    pub admin: PgAddress,
    /// Files into which a test has written secrets itself.
    planted: Mutex<Vec<PathBuf>>,
    status: Value,
    runtime: tokio::runtime::Runtime,
}

impl RunningLab {
    /// With these versions.
    pub fn up(kafka: &str, debezium: &str) -> RunningLab {
        RunningLab::up_with("16.14", kafka, debezium)
    }

    /// With this PostgreSQL.
    pub fn up_with(postgres: &str, kafka: &str, debezium: &str) -> RunningLab {
        let site = Site::new();
        let up = site.run(&[
            "lab",
            "up",
            "--postgres",
            postgres,
            "--kafka",
            kafka,
            "--debezium",
            debezium,
        ]);
        assert_eq!(up.status.code(), Some(0), "{}", text(&up));
        let output = site.run(&["lab", "status", "--output", "json"]);
        let status: Value = serde_json::from_slice(&output.stdout).unwrap();
        let port = |name: &str| service(&status, name)["ports"][0].as_u64().unwrap();
        let secret = password(port("connect"), CONNECTOR);
        let folder = folder(&site);
        let mut admin = PgAddress {
            host: PgHost::Unix(folder.join("socket")),
            port: u16::try_from(port("postgres-main")).unwrap(),
            user: "postgres".into(),
            password: cutover_clients::secret::Secret::default(),
            database: "testdb".into(),
            tls: Default::default(),
        };
        admin.password = passfile::password(&folder.join("pgpass"), &admin).unwrap();
        let lab = RunningLab {
            secret,
            admin,
            planted: Mutex::new(vec![site.path("cutover.toml")]),
            status,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            site,
        };
        lab.configure("debezium");
        lab
    }

    pub fn port(&self, name: &str) -> u64 {
        service(&self.status, name)["ports"][0].as_u64().unwrap()
    }

    /// `cutover.toml` with everything; PostgreSQL is reached as this role.
    pub fn configure(&self, role: &str) {
        let folder = folder(&self.site).display().to_string();
        let whole = format!(
            "[postgres]\naddress = \"postgresql://{role}@127.0.0.1:{}/testdb\"\npassfile = \"{folder}/pgpass\"\n\
             [kafka]\nbootstrap = \"127.0.0.1:{}\"\noffsets_topic = \"connect-offsets\"\n\
             [connect]\naddress = \"http://127.0.0.1:{}\"\nconnector = \"{CONNECTOR}\"\n",
            self.port("postgres-main"),
            self.port("kafka"),
            self.port("connect"),
        );
        std::fs::write(self.site.path("cutover.toml"), whole).unwrap();
    }

    /// The password into `cutover.toml`, where it stands for the role of the connector.
    pub fn plant_the_password(&self) {
        let file = self.site.path("cutover.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let with = |line: &str| match line.starts_with("passfile") {
            true => format!("password = \"{}\"\n", self.secret),
            false => format!("{line}\n"),
        };
        let planted: String = text.lines().map(with).collect();
        assert!(planted.contains(&self.secret), "{text}");
        self.private("cutover.toml", &planted);
    }

    /// No file that a command has written holds a password: run folders, undo files, logs, state.
    fn assert_no_secret_is_kept(&self) {
        let admin = self.admin.password.reveal();
        for secret in [self.secret.as_str(), admin] {
            let mut found = Vec::new();
            files_with(self.site.folder.path(), secret, &mut found);
            let planted = self.planted.lock().unwrap();
            found.retain(|file| !planted.iter().any(|one| Path::new(file) == one));
            assert_eq!(found, Vec::<String>::new());
        }
    }

    /// Writes a file that only its owner can read; gives its path.
    pub fn private(&self, name: &str, content: &str) -> String {
        let path = self.site.path(name);
        self.planted.lock().unwrap().push(path.clone());
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command in the folder of the configuration; the secret must not be in what it says.
    pub fn says(&self, args: &[&str], code: i32) -> String {
        let output = self
            .site
            .command(args)
            .current_dir(self.site.folder.path())
            .output()
            .unwrap();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(
            !said.contains(&self.secret) && !said.contains("panicked"),
            "{args:?}: {said}"
        );
        said
    }

    /// The same as JSON, which must be what is published of its format.
    pub fn json(&self, args: &[&str], code: i32) -> Value {
        let args = [args, &["--output", "json", "--quiet"]].concat();
        let said = self.says(&args, code);
        let value: Value =
            serde_json::from_str(&said).unwrap_or_else(|error| panic!("{args:?}: {error}: {said}"));
        // Facts that are printed to be changed name no format.
        if value.get("format").is_some() {
            published::fits(&value);
        }
        value
    }

    /// Does something in the database, as its administrator.
    pub fn sql<T>(&self, run: impl AsyncFnOnce(Client) -> T) -> T {
        self.runtime.block_on(async {
            let client = connect_admin(&self.admin).await.unwrap();
            run(client).await
        })
    }

    pub fn execute(&self, statements: &str) {
        self.sql(async |client| client.batch_execute(statements).await.unwrap());
    }

    /// The first value of a query, as text.
    pub fn ask(&self, query: &str) -> String {
        self.sql(async |client| {
            client
                .query_one(query, &[])
                .await
                .unwrap()
                .get::<_, String>(0)
        })
    }

    /// Takes the lab down; nothing may be left, and no secret anywhere.
    pub fn down(self) {
        self.assert_no_secret_is_kept();
        let down = self.site.run(&["lab", "down", "--purge"]);
        assert_eq!(down.status.code(), Some(0), "{}", text(&down));
        self.site.assert_nothing_left();
    }
}

/// A test that fails leaves no servers behind.
impl Drop for RunningLab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.site.run(&["lab", "down", "--purge"]);
        }
    }
}

/// Folder of the lab's server, with its password file.
fn folder(site: &Site) -> PathBuf {
    site.path("state/folders/lab/postgres-main")
}

fn service<'a>(status: &'a Value, name: &str) -> &'a Value {
    let services = status["services"].as_array().unwrap();
    services
        .iter()
        .find(|service| service["name"] == name)
        .unwrap()
}
