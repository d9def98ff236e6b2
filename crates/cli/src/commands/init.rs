//! `cutover init`: writes `cutover.toml` by asking Kafka Connect what its connector works with.
//!
//! The rules it protects: no secret is copied out of a connector, a file that is there stays as it is, and what nobody
//! said is a line to fill in, not a guess.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use cutover_clients::pg::PgHost;
use cutover_model::{ExitCode, Failure};
use cutover_upgrade::start::Starting;
use serde_json::{Map, Value};

use super::Settings;
use crate::args::InitArgs;
use crate::config::{self, Systems};
use crate::output::Outcome;

/// Asks, writes, and says what to do next.
pub async fn run(arguments: &InitArgs, settings: Settings) -> Outcome {
    let file = &arguments.file;
    if file.exists() {
        return Outcome::Failed(in_the_way(file));
    }
    let one = &arguments.one;
    let systems = match config::load(&one.systems.said(one.name.as_deref())) {
        Ok(systems) => systems,
        Err(failure) => return Outcome::Failed(failure),
    };
    let connect = match systems.need_connect() {
        Ok(connect) => connect.clone(),
        Err(failure) => return Outcome::Failed(failure),
    };
    let starting = match Starting::find(connect, systems.connector.as_deref()).await {
        Ok(starting) => starting,
        Err(error) => return error.into(),
    };
    let described = described(&starting, &systems);
    let (text, open) = (described.text, described.open);
    if let Err(error) = written(file, &text) {
        return match error.kind() {
            std::io::ErrorKind::AlreadyExists => Outcome::Failed(in_the_way(file)),
            _ => Outcome::Failed(unwritten(file, &error)),
        };
    }
    if settings.json {
        return super::written_json(file, 1, &open);
    }
    let shown = file.display();
    let mut said = format!("{shown} describes connector '{}'.\n", starting.connector);
    for line in open {
        let _ = writeln!(said, "  to fill in: {line}");
    }
    let _ = writeln!(
        said,
        "Give PostgreSQL's password by PGPASSWORD, ~/.pgpass or password_file, then: cutover doctor --config {shown}"
    );
    Outcome::text(said)
}

fn written(file: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    // Whoever adds a password shall not have to think of it.
    options.write(true).create_new(true).mode(0o600);
    options.open(file)?.write_all(text.as_bytes())
}

fn in_the_way(file: &Path) -> Failure {
    Failure::new(
        ExitCode::Usage,
        "CLI-INIT-001",
        format!("{} is there already, and stays as it is", file.display()),
        "name another file with --file, or move this one away",
    )
}

fn unwritten(file: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        ExitCode::of_io(error),
        "CONFIG-FILE-001",
        format!("write {}", file.display()),
        "name a file in a folder that can be written to, with --file",
    )
    .because(error)
}

/// The file, and what it leaves open.
struct Described {
    text: String,
    open: Vec<String>,
}

impl Described {
    fn section(&mut self, name: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.text, "{gap}[{name}]");
    }

    fn value(&mut self, key: &str, value: &str) {
        // What JSON calls a string is what TOML calls a basic string.
        let quoted = Value::from(value).to_string();
        let _ = writeln!(self.text, "{key} = {quoted}");
    }

    /// A line that the user has to write.
    fn open(&mut self, key: &str, example: &str, why: &str) {
        let _ = writeln!(self.text, "# {key} = \"{example}\"   # {}", one_line(why));
        self.open.push(format!("{key}: {why}"));
    }

    fn note(&mut self, text: &str) {
        let _ = writeln!(self.text, "# {}", one_line(text));
    }
}

/// What a connector says must not end a comment.
fn one_line(text: &str) -> String {
    let plain = |character: char| {
        if character.is_control() {
            ' '
        } else {
            character
        }
    };
    text.chars().map(plain).collect()
}

fn described(starting: &Starting, systems: &Systems) -> Described {
    let mut described = Described {
        text: String::new(),
        open: Vec::new(),
    };
    postgres(&mut described, &starting.config, systems);
    kafka(&mut described, &starting.config, systems);
    described.section("connect");
    described.value("address", &starting.connect.shown());
    described.value("connector", &starting.connector);
    registry(&mut described, &starting.config);
    described
}

/// An option whose value is the value itself: no reference that only the worker can resolve, and not masked.
fn plain<'a>(config: &'a Map<String, Value>, option: &str) -> Result<&'a str, String> {
    let value = config.get(option).and_then(Value::as_str);
    match value.map(str::trim).filter(|value| !value.is_empty()) {
        None => Err(format!("the connector has no {option}")),
        Some(value) if value.contains("${") => Err(format!(
            "the connector has {option}={value}, which its worker resolves"
        )),
        Some(value) if value.contains("***") => Err(format!("{option} is masked by the worker")),
        Some(value) => Ok(value),
    }
}

fn postgres(described: &mut Described, config: &Map<String, Value>, systems: &Systems) {
    described.section("postgres");
    if let Some(address) = &systems.postgres {
        let host = match &address.host {
            PgHost::Tcp(host) => host.clone(),
            PgHost::Unix(folder) => folder.display().to_string(),
        };
        described.value("host", &host);
        let _ = writeln!(described.text, "port = {}", address.port);
        described.value("user", &address.user);
        described.value("database", &address.database);
        return;
    }
    for (key, option, example) in [
        ("host", "database.hostname", "db.example"),
        ("port", "database.port", "5432"),
        ("user", "database.user", "cutover"),
        ("database", "database.dbname", "shop"),
    ] {
        match plain(config, option) {
            Ok(value) => described.value(key, value),
            // Debezium's default too.
            Err(_) if key == "port" && !config.contains_key(option) => {
                described.value(key, example);
            }
            Err(why) => described.open(key, example, &why),
        }
    }
    if let Ok(mode) = plain(config, "database.sslmode") {
        described.value("sslmode", mode);
    }
    if let Ok(file) = plain(config, "database.sslrootcert") {
        described.note(&format!(
            "sslrootcert: the connector's is {file}, on its worker"
        ));
    }
}

/// Options in which a connector may name the brokers; its worker tells nobody.
const BROKERS: [&str; 3] = [
    "signal.kafka.bootstrap.servers",
    "schema.history.internal.kafka.bootstrap.servers",
    "database.history.kafka.bootstrap.servers",
];

fn kafka(described: &mut Described, config: &Map<String, Value>, systems: &Systems) {
    described.section("kafka");
    let named = BROKERS.iter().find_map(|option| plain(config, option).ok());
    let given = systems.kafka.as_ref().map(|kafka| kafka.bootstrap());
    match given.or(named) {
        Some(bootstrap) => described.value("bootstrap", bootstrap),
        None => described.open(
            "bootstrap",
            "kafka.example:9092",
            "Connect does not tell its brokers; or properties = \"client.properties\"",
        ),
    }
    match &systems.offsets_topic {
        Some(topic) => described.value("offsets_topic", topic),
        None => described.note(
            "offsets_topic = \"connect-offsets\"   # offset.storage.topic of the workers, for Kafka before 3.6",
        ),
    }
}

fn registry(described: &mut Described, config: &Map<String, Value>) {
    let option = "value.converter.schema.registry.url";
    if !config.contains_key(option) {
        return;
    }
    described.section("registry");
    match plain(config, option) {
        // A login in an address is a secret.
        Ok(address) if !address.contains('@') => described.value("address", address),
        Ok(_) => described.open(
            "address",
            "http://registry.example:8081",
            "the connector's has a login in it; give user and password beside it",
        ),
        Err(why) => described.open("address", "http://registry.example:8081", &why),
    }
}

#[cfg(test)]
mod tests {
    use cutover_clients::connect::Connect;
    use serde_json::json;

    use super::*;

    fn of(config: Value) -> Described {
        let starting = Starting {
            connect: Connect::new("http://connect.example:8083"),
            connector: "pg".into(),
            config: config.as_object().unwrap().clone(),
        };
        let systems = config::load(&config::Said::default()).unwrap();
        described(&starting, &systems)
    }

    #[test]
    fn what_the_connector_says_is_written_and_what_it_does_not_is_left_to_fill_in() {
        let described = of(json!({
            "database.hostname": "db\"quoted\".example",
            "database.user": "${file:/secrets:user}\nport = 1",
            "database.password": "hunter2",
            "database.dbname": "shop",
            "value.converter.schema.registry.url": "http://me:hunter2@registry:8081",
        }));
        let text = &described.text;
        let read: toml::Table = text.parse().unwrap();
        let postgres = read["postgres"].as_table().unwrap();
        assert_eq!(postgres["host"].as_str(), Some("db\"quoted\".example"));
        assert_eq!(postgres["port"].as_str(), Some("5432"));
        assert!(!postgres.contains_key("user"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
        let open: Vec<_> = described
            .open
            .iter()
            .map(|line| line.split(':').next())
            .collect();
        assert_eq!(open, [Some("user"), Some("bootstrap"), Some("address")]);
        assert_eq!(read["connect"]["connector"].as_str(), Some("pg"));
    }

    #[test]
    fn brokers_are_taken_from_where_a_connector_names_them() {
        let described = of(json!({
            "database.hostname": "db", "database.port": "6432", "database.user": "u",
            "database.dbname": "d", "database.sslmode": "require",
            "signal.kafka.bootstrap.servers": "k1:9092,k2:9092",
        }));
        assert_eq!(described.open, [""; 0]);
        let read: toml::Table = described.text.parse().unwrap();
        assert_eq!(read["kafka"]["bootstrap"].as_str(), Some("k1:9092,k2:9092"));
        assert_eq!(read["postgres"]["sslmode"].as_str(), Some("require"));
        assert!(!read.contains_key("registry"));
    }
}
