//! Layers, origins, references, and what must not be readable by others.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use cutover_model::configuration::OriginKind;

use super::*;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

fn loaded(
    file: &Path,
    values: &[(&'static str, &'static str, &str)],
    variables: &[(&str, &str)],
) -> Result<Systems, Failure> {
    let said = Said {
        file: Some(file.to_owned()),
        values: values
            .iter()
            .map(|(key, flag, value)| (*key, *flag, (*value).to_owned()))
            .collect(),
    };
    let variable = |name: &str| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    };
    systems::build(&layers::gather(&said, &variable)?, &variable)
}

fn origin(systems: &Systems, key: &str) -> OriginKind {
    let found = systems.report.settings.iter().find(|row| row.key == key);
    found
        .unwrap_or_else(|| panic!("{key}: {:?}", systems.report))
        .origin
        .kind
}

const WHOLE: &str = "[postgres]\nhost = \"db\"\nport = 6432\nuser = \"app\"\ndatabase = \"shop\"\n\
    password = \"${env:PW}\"\n\
    [kafka]\nbootstrap = \"k:9092\"\n[connect]\naddress = \"http://c:8083\"\nuser = \"me\"\npassword = \"${file:pw}\"\n\
    connector = \"orders\"\n[registry]\naddress = \"http://r:8081\"\n";

#[test]
fn every_place_is_read_and_each_value_names_the_one_that_said_it() {
    let place = Place::new();
    place.write("pw", "canary-two\n", 0o600);
    let file = place.write("cutover.toml", WHOLE, 0o644);
    let flags = [("kafka.bootstrap", "--kafka", "other:9092")];
    let variables = [
        ("PW", "canary-one"),
        ("CUTOVER_CONNECT", "http://v:8083"),
        ("PGUSER", "unused"),
    ];
    let systems = loaded(&file, &flags, &variables).unwrap();
    let address = systems.postgres.as_ref().unwrap();
    assert_eq!(address.to_string(), "app@db:6432/shop");
    assert_eq!(address.password.reveal(), "canary-one");
    assert_eq!(systems.kafka.as_ref().unwrap().bootstrap(), "other:9092");
    assert_eq!(systems.connect.as_ref().unwrap().shown(), "http://v:8083");
    assert_eq!(systems.connector.as_deref(), Some("orders"));
    assert_eq!(origin(&systems, "kafka.bootstrap"), OriginKind::Flag);
    assert_eq!(origin(&systems, "connect.address"), OriginKind::Environment);
    assert_eq!(origin(&systems, "postgres.port"), OriginKind::File);
    assert!(!format!("{systems:?}").contains("canary"), "{systems:?}");
}

#[test]
fn a_server_that_is_named_anew_gets_no_password_of_the_old_one() {
    let place = Place::new();
    place.write("pw", "x", 0o600);
    let file = place.write("cutover.toml", WHOLE, 0o644);
    let flags = [(
        "postgres.address",
        "--postgres",
        "postgresql://u@elsewhere/d",
    )];
    let systems = loaded(&file, &flags, &[("PW", "canary-one")]).unwrap();
    let address = systems.postgres.unwrap();
    assert_eq!(address.to_string(), "u@elsewhere:5432/d");
    assert!(address.password.is_empty());
}

#[test]
fn a_wrong_key_is_answered_with_the_right_one_and_its_line_and_no_value() {
    let place = Place::new();
    for (text, words) in [
        (
            "[postgres]\npasswort = \"canary\"",
            &["line 2", "`passwort`", "'password'"][..],
        ),
        ("[kafak]\nbootstrap = \"canary\"", &["line 1", "'kafka'"]),
        ("[kafka]\nbootstrap = canary", &["line 2", "no TOML"]),
        ("kafka = \"canary\"", &["line 1"]),
        ("[kafka]\nbootstrap = [\"canary\"]", &["kafka.bootstrap"]),
        ("[kafka]\nbootstrap = \"\"", &["empty"]),
        ("version = 2", &["version 2"]),
        (
            "[connect]\nuser = \"${env:ABSENT}\"",
            &["ABSENT is not set"],
        ),
        ("[connect]\nuser = \"${env:EMPTY}\"", &["EMPTY is empty"]),
        ("[connect]\nuser = \"${vault:canary}\"", &["'vault'"]),
        ("[connect]\nuser = \"${env:PW\"", &["not closed"]),
        ("[connect]\npassword = \"${file:absent}\"", &["absent"]),
        (
            "[connect]\npassword = \"canary\"",
            &["open to others", "chmod 600"],
        ),
        (
            "[postgres]\naddress = \"postgresql://u:canary@h/d\"",
            &["open to others"],
        ),
        ("[postgres]\naddress = \"canary\"", &["neither"]),
        ("[postgres]\nhost = \"h\"", &["names no user"]),
        ("[kafka]\nproperties = \"absent\"", &["absent"]),
    ] {
        let file = place.write("cutover.toml", text, 0o644);
        let failure = loaded(&file, &[], &[("EMPTY", "")]).unwrap_err();
        assert_eq!(failure.exit, ExitCode::Usage, "{text}");
        for word in words {
            assert!(
                failure.message.contains(word),
                "{text}: {}",
                failure.message
            );
        }
        assert!(
            !failure.message.contains("canary"),
            "{text}: {}",
            failure.message
        );
    }
}

#[test]
fn a_password_is_refused_as_an_argument_and_taken_from_a_private_file() {
    let place = Place::new();
    let file = place.write("cutover.toml", "", 0o644);
    let flags = [(
        "postgres.address",
        "--postgres",
        "postgresql://u:canary@h/d",
    )];
    let failure = loaded(&file, &flags, &[]).unwrap_err();
    assert!(failure.message.contains("arguments") && !failure.message.contains("canary"));
    let pw = place
        .write("pw", "from-file\n", 0o600)
        .display()
        .to_string();
    let flags = [
        ("postgres.address", "--postgres", "postgresql://u@h/d"),
        ("postgres.password_file", "--password-file", &pw),
    ];
    let systems = loaded(&file, &flags, &[]).unwrap();
    assert_eq!(systems.postgres.unwrap().password.reveal(), "from-file");
    place.write("pw", "from-file\n", 0o640);
    assert!(
        loaded(&file, &flags, &[])
            .unwrap_err()
            .message
            .contains("open to others")
    );
}

#[test]
fn a_connectors_file_and_a_java_clients_file_are_taken_as_they_are() {
    let place = Place::new();
    let json = r#"{"name": "orders", "config": {"database.hostname": "db", "database.port": "5433",
        "database.user": "dbz", "database.password": "canary", "database.dbname": "shop"}}"#;
    place.write("orders.json", json, 0o600);
    place.write(
        "client.properties",
        "bootstrap.servers=k1:9092\ngroup.id=x\n",
        0o644,
    );
    let text = "[connect]\nconnector_file = \"orders.json\"\n[kafka]\nproperties = \"client.properties\"\n";
    let file = place.write("cutover.toml", text, 0o644);
    let systems = loaded(&file, &[], &[("CUTOVER_POSTGRES_HOST", "other")]).unwrap();
    assert_eq!(
        systems.postgres.as_ref().unwrap().to_string(),
        "dbz@other:5433/shop"
    );
    assert_eq!(systems.connector.as_deref(), Some("orders"));
    assert_eq!(systems.kafka.as_ref().unwrap().bootstrap(), "k1:9092");
    assert_eq!(origin(&systems, "postgres.port"), OriginKind::ConnectorFile);
    assert_eq!(origin(&systems, "postgres.host"), OriginKind::Environment);
    assert_eq!(origin(&systems, "kafka.bootstrap"), OriginKind::Properties);
    assert_eq!(systems.report.left_out[0].key, "group.id");
    place.write("orders.json", json, 0o644);
    let systems = loaded(&file, &[], &[]).unwrap();
    assert!(systems.postgres.unwrap().password.is_empty());
    assert!(systems.report.notes[0].contains("open to others"));
}

#[test]
fn a_secret_of_a_java_clients_file_that_others_can_read_is_refused() {
    let place = Place::new();
    let text = "bootstrap.servers=k:9092\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n\
        sasl.jaas.config=a.PlainLoginModule required username=\"u\" password=\"canary\";\n";
    place.write("client.properties", text, 0o644);
    let file = place.write(
        "cutover.toml",
        "[kafka]\nproperties = \"client.properties\"\n",
        0o644,
    );
    let failure = loaded(&file, &[], &[]).unwrap_err();
    assert!(failure.message.contains("open to others") && !failure.message.contains("canary"));
    place.write("client.properties", text, 0o600);
    assert!(loaded(&file, &[], &[]).is_ok());
}

#[test]
fn keys_of_the_file_and_of_the_list_are_the_same() {
    let mut text = String::new();
    let mut section = "";
    for key in keys::ALL {
        let (of, name) = key.name.split_once('.').unwrap();
        if of != section {
            text.push_str(&format!("[{of}]\n"));
            section = of;
        }
        text.push_str(&format!("{name} = \"x\"\n"));
    }
    let form: file::File = toml::from_str(&text).unwrap();
    let names: Vec<&str> = form.values().into_iter().map(|(name, _)| name).collect();
    let known: Vec<&str> = keys::ALL.iter().map(|key| key.name).collect();
    assert_eq!(names, known);
}

#[test]
fn a_login_does_not_follow_to_another_address() {
    let place = Place::new();
    place.write("pw", "canary-two\n", 0o600);
    let file = place.write("cutover.toml", WHOLE, 0o644);
    let has = |systems: &Systems, key: &str| {
        let mut rows = systems.report.settings.iter();
        rows.any(|row| row.key == key)
    };
    let pw = ("PW", "canary-one");
    let same = [("connect.address", "--connect", "http://c:8083")];
    let systems = loaded(&file, &same, &[pw]).unwrap();
    assert!(has(&systems, "connect.password") && has(&systems, "connect.user"));
    let other = [("connect.address", "--connect", "http://elsewhere:8083")];
    let systems = loaded(&file, &other, &[pw]).unwrap();
    assert!(!has(&systems, "connect.password") && !has(&systems, "connect.user"));
    // PostgreSQL too, where a stronger place names the host alone.
    let systems = loaded(&file, &[], &[pw, ("CUTOVER_POSTGRES_HOST", "elsewhere")]).unwrap();
    let address = systems.postgres.unwrap();
    assert_eq!(address.to_string(), "app@elsewhere:6432/shop");
    assert_eq!(address.password.reveal(), "");
}

#[test]
fn a_secret_beside_a_reference_is_a_secret_of_the_file() {
    for (value, private) in [
        ("postgresql://${env:U}:literal@db/shop", true),
        ("postgresql://${env:U}:${env:PW}@db/shop", false),
        ("host=db dbname=shop user=u password=${env:PW}", false),
        ("host=db dbname=shop user=u password=x${env:PW}", true),
        ("postgresql://app@db/shop", false),
        ("host=db dbname=shop user=u password = hunter2", true),
        ("host=db dbname=shop user=u password= hunter2", true),
        ("postgresql://u@server:pw@db/shop", true),
    ] {
        let place = Place::new();
        let text = format!("[postgres]\naddress = \"{value}\"\n");
        let file = place.write("cutover.toml", &text, 0o644);
        let read = loaded(&file, &[], &[("PW", "canary-one"), ("U", "app")]);
        assert_eq!(read.is_err(), private, "{value}: {read:?}");
    }
}
