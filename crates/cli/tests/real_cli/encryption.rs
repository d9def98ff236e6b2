//! Encryption and logins to the real servers, with certificates made for the test: what is right gets in, and a wrong
//! authority, host name, password or mechanism each end with their own exit code, one line of cause, and no secret.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use crate::certificates::Certificates;
use crate::existing::a_window_is_whole;
use crate::running_lab::RunningLab;

const TABLE: [&str; 7] = [
    "setup",
    "--slot",
    "dbz",
    "--publication",
    "dbz",
    "--table",
    "public.orders",
];

/// `cutover.toml` with these lines for PostgreSQL; gives its path.
fn with_postgres(lab: &RunningLab, name: &str, lines: &str) -> String {
    lab.private(name, &format!("[postgres]\n{lines}\n"))
}

/// The server encrypts from now on, and one role gets in by certificate only, another one not in the clear.
fn encrypt(lab: &RunningLab, certificates: &Certificates) {
    let data = lab.ask("SELECT current_setting('data_directory')");
    let hba = lab.ask("SELECT current_setting('hba_file')");
    let owner = std::fs::metadata(&data).unwrap();
    for name in [
        "server.pem",
        "server.key",
        "elsewhere.pem",
        "elsewhere.key",
        "ca.pem",
    ] {
        let to = Path::new(&data).join(name);
        std::fs::copy(certificates.path(name), &to).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let rules = std::fs::read_to_string(&hba).unwrap();
    let first = "hostssl all certified 127.0.0.1/32 cert\n\
                 hostssl all walled 127.0.0.1/32 scram-sha-256\n\
                 host all walled 127.0.0.1/32 reject\n";
    std::fs::write(&hba, format!("{first}{rules}")).unwrap();
    lab.execute(
        "CREATE ROLE walled LOGIN PASSWORD 'walled-pw' IN ROLE pg_read_all_data;
         CREATE ROLE certified LOGIN IN ROLE pg_read_all_data;",
    );
    serve(lab, "server");
}

/// Uses this certificate from the next connection on.
fn serve(lab: &RunningLab, name: &str) {
    for (setting, value) in [
        ("ssl_cert_file", format!("{name}.pem")),
        ("ssl_key_file", format!("{name}.key")),
        ("ssl_ca_file", "ca.pem".to_owned()),
        ("ssl", "on".to_owned()),
    ] {
        lab.execute(&format!("ALTER SYSTEM SET {setting} = '{value}'"));
    }
    lab.execute("SELECT pg_reload_conf()");
    lab.site.wait("the server's new certificate", || {
        let shown = lab.ask("SELECT current_setting('ssl') || current_setting('ssl_cert_file')");
        (shown == format!("on{name}.pem")).then_some(())
    });
}

#[test]
fn postgresql_is_spoken_to_as_sslmode_says() {
    let lab = RunningLab::up_with("17", "4.3.1", "3.7.0");
    let certificates = Certificates::make(&lab.site.path("certificates"));
    encrypt(&lab, &certificates);
    let port = lab.port("postgres-main");
    let password = lab.private("walled", "walled-pw\n");
    let place = format!(
        "host = \"127.0.0.1\"\nport = {port}\ndatabase = \"testdb\"\nuser = \"walled\"\n\
         password_file = \"{password}\"\n"
    );
    let (ca, other) = (
        certificates.path("ca.pem"),
        certificates.path("other-ca.pem"),
    );
    let setup = |name: &str, lines: &str, code: i32| {
        let file = with_postgres(&lab, name, &format!("{place}{lines}"));
        let said = lab.says(&[&TABLE[..], &["--config", &file]].concat(), code);
        assert!(!said.contains("walled-pw"), "{said}");
        said
    };
    for mode in ["prefer", "require"] {
        setup("ok.toml", &format!("sslmode = \"{mode}\""), 0);
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        setup(
            "ok.toml",
            &format!("sslmode = \"{mode}\"\nsslrootcert = \"{ca}\""),
            0,
        );
        let said = setup(
            "other.toml",
            &format!("sslmode = \"{mode}\"\nsslrootcert = \"{other}\""),
            6,
        );
        assert!(
            said.contains("UnknownIssuer") && said.contains("PG-CONNECT-001"),
            "{said}"
        );
    }
    // In the clear the server does not let the role in.
    let said = setup("clear.toml", "sslmode = \"disable\"", 7);
    assert!(said.contains("pg_hba.conf"), "{said}");
    let said = setup(
        "absent.toml",
        "sslmode = \"verify-ca\"\nsslrootcert = \"/absent.pem\"",
        2,
    );
    assert!(
        said.contains("PG-TLS-001") && said.contains("/absent.pem"),
        "{said}"
    );
    let said = setup(
        "no.toml",
        &format!("sslmode = \"verify-ca\"\nsslrootcert = \"{password}\""),
        2,
    );
    assert!(said.contains("PG-TLS-001"), "{said}");
    let wrong = lab.private("wrong", "not-it\n");
    let of_wrong = place.replace(&password, &wrong);
    let file = with_postgres(
        &lab,
        "wrong.toml",
        &format!("{of_wrong}sslmode = \"require\""),
    );
    let said = lab.says(&[&TABLE[..], &["--config", &file]].concat(), 7);
    assert!(!said.contains("not-it"), "{said}");
    the_recorders_are_encrypted_too(&lab, &ca, &password);
    a_certificate_is_a_login(&lab, &certificates);
    the_name_of_the_host_counts(&lab, &setup, &ca);
    lab.down();
}

fn the_recorders_are_encrypted_too(lab: &RunningLab, ca: &str, password: &str) {
    lab.execute(
        "INSERT INTO public.orders SELECT i, i, 'new', 1, 1, NULL, now(), NULL, NULL, i FROM generate_series(1, 50) i",
    );
    let port = lab.port("postgres-main");
    let whole = std::fs::read_to_string(lab.site.path("cutover.toml")).unwrap();
    let others = whole.split("[kafka]").nth(1).unwrap();
    let file = lab.private(
        "whole.toml",
        &format!(
            "[postgres]\nhost = \"127.0.0.1\"\nport = {port}\ndatabase = \"testdb\"\nuser = \"walled\"\n\
             password_file = \"{password}\"\nsslmode = \"verify-full\"\nsslrootcert = \"{ca}\"\n[kafka]{others}"
        ),
    );
    lab.site.wait("the records", || {
        let output = lab
            .site
            .command(&["verify", "--config", &file, "--output", "json", "--quiet"])
            .output()
            .unwrap();
        (output.status.code() == Some(0)).then_some(())
    });
    // The server lets this role in by nothing else, so what comes through its slot is encrypted, too.
    lab.execute("ALTER ROLE walled REPLICATION");
    a_window_is_whole(lab, &["verify", "--witness=4", "--config", &file]);
}

fn a_certificate_is_a_login(lab: &RunningLab, certificates: &Certificates) {
    let port = lab.port("postgres-main");
    let (ca, own) = (
        certificates.path("ca.pem"),
        certificates.path("certified.pem"),
    );
    let key = certificates.path("certified.key");
    let lines = |key: &str| {
        format!(
            "address = \"postgresql://certified@localhost:{port}/testdb?sslmode=verify-full\"\nsslrootcert = \"{ca}\"\n\
             sslcert = \"{own}\"\nsslkey = \"{key}\""
        )
    };
    let file = with_postgres(lab, "certified.toml", &lines(&key));
    lab.says(&[&TABLE[..], &["--config", &file]].concat(), 0);
    let open = lab.site.path("open.key").display().to_string();
    std::fs::copy(&key, &open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let file = with_postgres(lab, "open.toml", &lines(&open));
    let said = lab.says(&[&TABLE[..], &["--config", &file]].concat(), 2);
    assert!(said.contains("chmod 600"), "{said}");
    let without =
        format!("address = \"postgresql://certified@localhost:{port}/testdb?sslmode=require\"");
    let file = with_postgres(lab, "without.toml", &without);
    let said = lab.says(&[&TABLE[..], &["--config", &file]].concat(), 7);
    assert!(said.contains("certificate"), "{said}");
}

fn the_name_of_the_host_counts(
    lab: &RunningLab,
    setup: &dyn Fn(&str, &str, i32) -> String,
    ca: &str,
) {
    serve(lab, "elsewhere");
    let with = |mode: &str| format!("sslmode = \"{mode}\"\nsslrootcert = \"{ca}\"");
    setup("ca.toml", &with("verify-ca"), 0);
    let said = setup("full.toml", &with("verify-full"), 6);
    assert!(
        said.contains("PG-CONNECT-001") && said.contains("elsewhere.example"),
        "{said}"
    );
}
