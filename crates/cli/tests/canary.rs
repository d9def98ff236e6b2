//! Secrets that people have in their files and variables are in nothing that the program prints or writes. With servers
//! the same is looked at where each of those tests ends (`support/running_lab.rs`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/site.rs"]
mod site;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use site::{Site, text};

/// What every planted secret begins with.
const CANARY: &str = "canary-4711";

/// Nobody listens there: a port of the system that no test uses.
const CONFIG: &str = r#"
[postgres]
address = "postgresql://u@127.0.0.1:1/d"
password = "canary-4711-postgres"
[kafka]
properties = "client.properties"
offsets_topic = "offsets"
[connect]
address = "http://127.0.0.1:1"
connector = "c"
user = "u"
password = "${env:PLANTED}"
[registry]
address = "http://127.0.0.1:1"
user = "u"
password = "${file:registry-password}"
"#;

const PROPERTIES: &str = r#"bootstrap.servers=127.0.0.1:1
security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=MODULE required username="u" password="canary-4711-kafka";
"#;

const CONNECTOR: &str = r#"{ "name": "c", "config": {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "topic.prefix": "p", "plugin.name": "pgoutput", "snapshot.mode": "never",
    "database.hostname": "127.0.0.1", "database.user": "u", "database.dbname": "d",
    "database.password": "canary-4711-connector", "database.sslpassword": "canary-4711-ssl",
    "signal.consumer.sasl.jaas.config": "x required password=\"canary-4711-jaas\";",
    "value.converter.basic.auth.user.info": "u:canary-4711-info" } }"#;

const FACTS: &str = r#"{ "debezium": "3.6.3",
    "options": { "snapshot.mode": "no_data", "database.password": "canary-4711-facts" },
    "offset": null, "slot": null,
    "server": { "version": "17.11", "system_id": "2", "timeline": 1, "current_lsn": "0/1929A00",
                "in_recovery": false } }"#;

fn plant(site: &Site) -> BTreeMap<String, String> {
    let files = [
        ("cutover.toml", CONFIG),
        ("client.properties", PROPERTIES),
        ("registry-password", "canary-4711-registry\n"),
        ("pgpass", "127.0.0.1:1:d2:u2:canary-4711-pgpass\n"),
        ("left", "canary-4711-left\n"),
        ("connector.json", CONNECTOR),
        ("facts.json", FACTS),
    ];
    for (name, content) in files {
        let path = site.path(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    }
    let module = "org.apache.kafka.common.security.plain.PlainLoginModule";
    let properties = PROPERTIES.replace("MODULE", module);
    std::fs::write(site.path("client.properties"), &properties).unwrap();
    let owned = |(name, content): (&str, &str)| (name.to_owned(), content.to_owned());
    let mut planted: BTreeMap<String, String> = files.into_iter().map(owned).collect();
    planted.insert("client.properties".to_owned(), properties);
    planted
}

/// Every file below a folder.
fn files(folder: &Path, into: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            into.insert(path.display().to_string(), text);
        }
    }
}

/// Commands that read what was planted; the code that each ends with where nobody answers.
const COMMANDS: [(&str, i32); 20] = [
    ("config show", 0),
    ("config keys", 0),
    ("connector list", 6),
    ("connector status", 6),
    ("connector config", 6),
    ("connector deploy connector.json", 6),
    ("connector offsets show", 6),
    ("connector offsets set --to-slot --apply", 6),
    ("connector offsets reset --apply", 6),
    ("doctor", 6),
    ("watch --once", 6),
    ("setup --slot s --publication p --table a.b", 6),
    ("record", 6),
    ("verify --naive", 6),
    ("generate --duration 1 --ledger attempted", 6),
    ("init -o written.toml", 6),
    (
        "compare --left-password-file left postgresql://u2@127.0.0.1:1/d2",
        6,
    ),
    (
        "lint --config connector.json --debezium 3.6.3 --to 3.7.0",
        0,
    ),
    ("predict --facts facts.json", 3),
    ("predict --facts facts.json --print-facts", 0),
];

/// Runs a command in this form of output.
fn is_silent(site: &Site, (line, form): (&str, &str), code: i32) {
    let arguments: Vec<&str> = line.split(' ').collect();
    let mut command = site.command(&[&arguments[..], &["--output", form]].concat());
    command
        .current_dir(site.folder.path())
        .env("PLANTED", "canary-4711-variable")
        .env("PGPASSFILE", site.path("pgpass"));
    let output = command.output().unwrap();
    let said = text(&output);
    assert!(!said.contains(CANARY), "{line}: {said}");
    assert_eq!(output.status.code(), Some(code), "{line}: {said}");
}

#[test]
fn what_is_planted_is_neither_printed_nor_written() {
    let site = Site::new();
    let planted = plant(&site);
    // Most of them wait for somebody who does not answer.
    std::thread::scope(|scope| {
        for (line, code) in COMMANDS {
            for form in ["text", "json"] {
                let site = &site;
                scope.spawn(move || is_silent(site, (line, form), code));
            }
        }
    });
    let mut written = BTreeMap::new();
    files(site.folder.path(), &mut written);
    for (path, content) in &written {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        match planted.get(name) {
            Some(as_planted) => assert_eq!(content, as_planted, "{path} was changed"),
            None => assert!(!content.contains(CANARY), "{path}: {content}"),
        }
    }
    assert!(written.len() >= planted.len());
}

/// The test would see a secret: what is asked for in plain text is in the output.
#[test]
fn a_canary_that_is_no_secret_is_seen() {
    let site = Site::new();
    plant(&site);
    let shown = CONFIG.replace("user = \"u\"", "user = \"canary-4711-name\"");
    std::fs::write(site.path("cutover.toml"), shown).unwrap();
    let mut command = site.command(&["config", "show"]);
    command
        .current_dir(site.folder.path())
        .env("PLANTED", "canary-4711-variable");
    let said = text(&command.output().unwrap());
    assert!(said.contains("canary-4711-name"), "{said}");
    assert!(!said.contains("canary-4711-variable"), "{said}");
    // What cannot be followed is named, and nothing beside it.
    let file = site.path("cutover.toml");
    let refused = text(&site.run(&["config", "show", "--config", file.to_str().unwrap()]));
    assert!(refused.contains("PLANTED is not set"), "{refused}");
    assert!(!refused.contains(CANARY), "{refused}");
}
