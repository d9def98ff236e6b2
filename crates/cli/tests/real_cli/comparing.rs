//! `cutover compare` with the real binary and a real server: the result as text and as JSON, exit codes, and a password
//! that appears nowhere.

use cutover_clients::pg::{self, PgAddress};
use serde_json::Value;

use crate::server::Server;
use crate::site::{Site, text};

const TABLES: &str = "CREATE TABLE items (id int PRIMARY KEY, name text, amount numeric);
    INSERT INTO items SELECT n, 'item ' || n, n / 3.0 FROM generate_series(1, 5000) n;
    CREATE TABLE log (line text); INSERT INTO log VALUES ('a'), ('a'), (E'b\\x1b[2J')";

struct Two {
    server: Server,
    runtime: tokio::runtime::Runtime,
}

impl Two {
    fn new() -> Two {
        let two = Two {
            server: Server::start().unwrap(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        };
        for name in ["one", "two"] {
            two.sql("postgres", &format!("CREATE DATABASE {name}"));
            two.sql(name, TABLES);
        }
        two
    }

    fn sql(&self, database: &str, sql: &str) {
        let address = PgAddress {
            database: database.to_owned(),
            ..self.server.address.clone()
        };
        self.runtime.block_on(async {
            let session = pg::connect(&address, "test").await.unwrap();
            session.batch_execute(sql).await.unwrap();
        });
    }

    fn url(&self, database: &str) -> String {
        let socket = self.server.address.socket().unwrap();
        let folder = socket.parent().unwrap().display().to_string();
        let port = self.server.address.port;
        format!("host={folder} port={port} user=postgres dbname={database}")
    }
}

#[test]
fn two_databases_are_compared_as_text_and_as_json_with_the_promised_exit_codes() {
    let (site, two) = (Site::new(), Two::new());
    let (left, right) = (two.url("one"), two.url("two"));
    let equal = site.run(&["compare", &left, &right]);
    assert_eq!(equal.status.code(), Some(0), "{}", text(&equal));
    assert!(text(&equal).contains("EQUAL: 2 tables, 5,003 equal rows"));

    two.sql(
        "two",
        "UPDATE items SET name = '', amount = NULL WHERE id = 77; DELETE FROM items WHERE id = 5000;
         INSERT INTO items VALUES (0); DELETE FROM log WHERE line = 'a'",
    );
    let differs = site.run(&["compare", &left, &right]);
    let said = text(&differs);
    assert_eq!(differs.status.code(), Some(4), "{said}");
    for line in [
        "DIFFERS   public.items, by key (id): 5,000 rows left, 5,000 rows right; \
         1 different, 1 missing left, 1 missing right",
        "  missing left  id=0",
        "  different     id=77: name, amount",
        "  missing right id=5000",
        "DIFFERENT: 2 tables, 4,999 equal rows, 5 rows that differ",
    ] {
        assert!(
            said.lines().any(|found| found == line),
            "no {line:?} in {said}"
        );
    }
    let shown = site.run(&[
        "compare",
        &left,
        &right,
        "--show-rows",
        "--tables",
        "public.log",
    ]);
    assert!(
        text(&shown).contains("missing right row (a) x2"),
        "{}",
        text(&shown)
    );

    let output = site.run(&["compare", &left, &right, "--output", "json"]);
    assert_eq!(output.status.code(), Some(4));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["format"], "cutover.compare/1");
    assert_eq!(
        (&result["verdict"], &result["exit_code"]),
        (&"fail".into(), &4.into())
    );
    let rows = result["differences"].as_array().unwrap();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert_eq!(rows[1]["key"]["id"], "77");
    assert_eq!(rows[3]["count"], 2);

    two.sql(
        "one",
        "ALTER TABLE log ADD COLUMN more int; DROP TABLE items",
    );
    two.sql(
        "two",
        "DROP TABLE items; INSERT INTO log VALUES ('a'), ('a')",
    );
    let unknown = site.run(&["compare", &left, &right]);
    assert_eq!(unknown.status.code(), Some(5), "{}", text(&unknown));
    assert!(text(&unknown).contains("column more is only on the left"));
}

/// Two tables that differ in every row: more than is held in memory at a time, and every one is named.
#[test]
fn a_hundred_thousand_differences_are_all_named() {
    let (site, two) = (Site::new(), Two::new());
    two.sql(
        "one",
        "INSERT INTO items SELECT n FROM generate_series(10001, 110000) n",
    );
    two.sql(
        "two",
        "INSERT INTO items SELECT n, 'x' FROM generate_series(10001, 110000) n",
    );
    let args = [
        "compare",
        &two.url("one"),
        &two.url("two"),
        "--output",
        "json",
    ];
    let output = site.run(&args);
    assert_eq!(output.status.code(), Some(4));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(result["differences"].as_array().unwrap().len(), 100_000);
    assert_eq!(result["tables"][0]["rows"]["different"], 100_000);
}

#[test]
fn a_server_that_is_not_there_or_refuses_is_told_apart_and_no_password_is_shown() {
    let (site, two) = (Site::new(), Two::new());
    let (left, right) = (two.url("one"), two.url("two"));
    let gone = left.replace("/tmp", "/absent");
    let output = site.run(&["compare", &gone, &right]);
    assert_eq!(output.status.code(), Some(6), "{}", text(&output));
    two.sql("postgres", "CREATE ROLE reader LOGIN PASSWORD 'hunter2'");
    two.server.require("reader", "scram-sha-256");
    two.sql("postgres", "SELECT pg_reload_conf()");
    let reader = right.replace("user=postgres", "user=reader");
    let mut refused = site.command(&["compare", &left, &reader]);
    let refused = refused.env("PGPASSWORD", "wrong-hunter3").output().unwrap();
    assert_eq!(refused.status.code(), Some(7), "{}", text(&refused));
    assert!(!text(&refused).contains("hunter3"), "{}", text(&refused));
    two.sql(
        "two",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    );
    let file = site.path("password");
    std::fs::write(&file, "hunter2\n").unwrap();
    let file = file.to_str().unwrap();
    let compare = ["compare", &left, &reader, "--right-password-file", file];
    let open = site.run(&compare);
    assert_eq!(open.status.code(), Some(2), "{}", text(&open));
    assert!(text(&open).contains("mode 600"), "{}", text(&open));
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(file, own).unwrap();
    let output = site.run(&compare);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(!text(&output).contains("hunter2"));
}
