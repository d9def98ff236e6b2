//! Addresses in every form that libpq takes, and where each part came from.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn nothing(_: &str) -> Option<String> {
    None
}

fn resolved(text: &str, variables: &[(&str, &str)]) -> Result<Connection, ConnectionError> {
    resolve(&parse(text)?, &|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("cutover-libpq-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn both_forms_are_read_with_their_escapes() {
    for (text, expected) in [
        ("postgresql://u@db.example:5433/d", "u@db.example:5433/d"),
        (
            "postgres://u%40x@[::1]:5433/d%20e?application_name=a",
            "u@x@::1:5433/d e",
        ),
        ("postgresql:///d?host=/run/pg&user=u", "u@/run/pg:5432/d"),
        ("postgresql://u@%2Frun%2Fpg/d", "u@/run/pg:5432/d"),
        ("host=/run/pg user = 'it''s' dbname=d", ""),
        (r"host=h user='it\'s' dbname=d\ e port=1", "it's@h:1/d e"),
    ] {
        match resolve(&parse(text).unwrap_or_default(), &nothing) {
            Ok(connection) => assert_eq!(connection.address.to_string(), expected),
            Err(_) => assert_eq!(expected, "", "{text}"),
        }
    }
}

#[test]
fn what_is_no_address_is_refused_without_being_quoted() {
    for text in [
        "hunter2",
        "hunter2=",
        "Hunter2=x host=h",
        "postgresql://u:hunter2@h:x/d",
        "postgresql://u:hunter2@h/d?sslmode=hunter2",
        "postgresql://u:hunter2%2@h/d",
        "postgresql://u:hunter2@a,b/d",
        "host=h user=u password='hunter2",
        "host=h user=u password=hunter2",
        "",
    ] {
        let error = resolved(text, &[]).unwrap_err().to_string();
        assert!(
            !error.to_lowercase().contains("hunter2") || text == "hunter2=",
            "{text}: {error}"
        );
    }
    let error = resolved("hosts=h user=u dbname=d", &[])
        .unwrap_err()
        .to_string();
    assert!(error.contains("'hosts'"), "{error}");
}

#[test]
fn encryption_is_what_libpq_would_make_of_it() {
    let tls = |text: &str, variables: &[(&str, &str)]| {
        let found = resolved(&format!("host=h user=u dbname=d {text}"), variables).unwrap();
        found.address.tls
    };
    assert_eq!(tls("", &[]).mode, SslMode::Prefer);
    let full = tls(
        "sslmode=verify-full sslrootcert=/ca.pem",
        &[("PGSSLCERT", "/me.pem"), ("PGSSLKEY", "/me.key")],
    );
    assert_eq!(
        (full.mode, full.root, full.certificate, full.key),
        (
            SslMode::VerifyFull,
            Some("/ca.pem".into()),
            Some("/me.pem".into()),
            Some("/me.key".into())
        )
    );
    let named = tls("hostaddr=127.0.0.1 sslmode=verify-full", &[]);
    assert_eq!(named.server_name.as_deref(), Some("h"));
    let folder = folder("tls");
    std::fs::create_dir_all(folder.join(".postgresql")).unwrap();
    write(&folder.join(".postgresql/root.crt"), "x", 0o644);
    let home = folder.display().to_string();
    let usual = |mode: &str| tls(&format!("sslmode={mode}"), &[("HOME", &home)]).root;
    assert!(
        usual("verify-ca").is_some() && usual("require").is_some() && usual("prefer").is_none()
    );
    std::fs::remove_dir_all(folder).unwrap();
    assert_eq!(tls("sslrootcert=system", &[]).mode, SslMode::VerifyFull);
    for wrong in [
        "sslmode=hunter2",
        "sslcrl=/x",
        "sslpassword=hunter2",
        "sslmode=verify-ca",
        "sslrootcert=system sslmode=require",
    ] {
        let text = format!("host=h user=u dbname=d {wrong}");
        let error = resolved(&text, &[]).unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_service_fills_what_was_not_given_and_variables_what_it_leaves_open() {
    let folder = folder("service");
    let file = folder.join("services");
    write(
        &file,
        "# x\n[other]\nhost=no\n[prod]\nhost=db\nuser = app\nconnect_timeout=3\n",
        0o644,
    );
    let path = file.display().to_string();
    let variables = [
        ("PGSERVICEFILE", path.as_str()),
        ("PGUSER", "late"),
        ("PGDATABASE", "shop"),
    ];
    let found = resolved("service=prod", &variables).unwrap();
    assert_eq!(found.address.to_string(), "app@db:5432/shop");
    let origin = |key: &str| {
        found
            .origins
            .iter()
            .find(|(name, _)| *name == key)
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(origin("user"), Origin::Service(file));
    assert_eq!(origin("dbname"), Origin::Variable("PGDATABASE"));
    assert_eq!(origin("port"), Origin::Default);
    let error = resolved("service=absent", &variables)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("'absent'") && error.contains(&path),
        "{error}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_password_comes_from_the_nearest_place_and_not_from_a_file_that_is_open_to_others() {
    let folder = folder("password");
    let file = folder.join("pass");
    write(&file, "db:5432:d:u:from-file\n", 0o600);
    let path = file.display().to_string();
    let text = "host=db user=u dbname=d";
    let of = |variables: &[(&str, &str)], text: &str| resolved(text, variables).unwrap();
    let found = of(&[("PGPASSFILE", &path)], text);
    assert_eq!(found.address.password.reveal(), "from-file");
    let found = of(
        &[("PGPASSFILE", &path), ("PGPASSWORD", "from-variable")],
        text,
    );
    assert_eq!(found.address.password.reveal(), "from-variable");
    let given = format!("{text} password=given");
    let found = of(&[("PGPASSWORD", "from-variable")], &given);
    assert_eq!(found.address.password.reveal(), "given");
    write(&file, "db:5432:d:u:from-file\n", 0o644);
    let found = of(&[("PGPASSFILE", &path)], text);
    assert!(found.address.password.is_empty());
    assert!(found.notes[0].contains("chmod 600"), "{:?}", found.notes);
    std::fs::remove_dir_all(folder).unwrap();
}
