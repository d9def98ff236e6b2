//! A connector through its life, a server that is set up, and an examination that finds what is broken: the real
//! binary on real servers, with one configuration file.

use std::net::TcpListener;

use serde_json::Value;

use crate::running_lab::{CONNECTOR, RunningLab};

fn codes(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

fn health(report: &Value) -> &str {
    report["connectors"][0]["health"].as_str().unwrap()
}

/// Every slot, publication, identity, offset and connector: what an examination must leave as it is.
fn state(lab: &RunningLab) -> String {
    let rows = lab.ask(
        "SELECT coalesce((SELECT string_agg(slot_name || plugin, ',' ORDER BY 1)
                   FROM pg_replication_slots), '-') || ' ' ||
                (SELECT string_agg(pubname || tablename, ',' ORDER BY 1)
                   FROM pg_publication_tables) || ' ' ||
                (SELECT string_agg(relname || relreplident::text, ',' ORDER BY 1)
                   FROM pg_class WHERE relkind = 'r' AND oid >= 16384)",
    );
    rows + &lab.json(&["connector", "config"], 0)["config"].to_string()
}

#[test]
fn connectors_servers_and_their_troubles_are_operated_from_one_file() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    the_configuration_is_shown(&lab);
    a_connectors_life(&lab);
    a_deployment_says_what_it_changes(&lab);
    bad_workers_and_names(&lab);
    a_server_is_set_up(&lab);
    a_healthy_system_is_told_from_a_broken_one(&lab);
    lab.down();
}

fn the_configuration_is_shown(lab: &RunningLab) {
    let shown = lab.says(&["config", "show", "--redacted"], 0);
    assert!(
        shown.contains("postgres.password") && shown.contains("********"),
        "{shown}"
    );
    let report = lab.json(&["config", "show", "--kafka", "other:1"], 0);
    let settings = report["settings"].as_array().unwrap();
    let of = |key: &str| settings.iter().find(|one| one["key"] == key).unwrap();
    assert_eq!(of("postgres.password")["origin"]["kind"], "password-file");
    assert_eq!(of("kafka.bootstrap")["origin"]["kind"], "flag");
    assert_eq!(of("connect.address")["origin"]["kind"], "file");
}

fn a_connectors_life(lab: &RunningLab) {
    let list = lab.json(&["connector", "list"], 0);
    assert_eq!(list["format"], "cutover.connector/1");
    assert_eq!(
        (list["connectors"][0]["name"].as_str(), health(&list)),
        (Some(CONNECTOR), "running")
    );
    for (action, word) in [
        ("pause", "paused"),
        ("resume", "running"),
        ("stop", "stopped"),
        ("resume", "running"),
    ] {
        let first = lab.json(&["connector", action], 0);
        assert_eq!(
            (health(&first), first["changed"].as_bool()),
            (word, Some(true)),
            "{first}"
        );
        let second = lab.json(&["connector", action], 0);
        assert_eq!(
            (health(&second), second["changed"].as_bool()),
            (word, Some(false)),
            "{second}"
        );
    }
    let nothing = lab.json(&["connector", "restart"], 0);
    assert_eq!(nothing["changed"], false, "{nothing}");
    let all = lab.json(&["connector", "restart", "--all"], 0);
    assert_eq!(
        (health(&all), all["changed"].as_bool()),
        ("running", Some(true))
    );
    let config = lab.json(&["connector", "config"], 0);
    assert_eq!(config["config"]["database.password"], "********");
}

/// The configuration as a file, with its password, after a change.
fn file(
    lab: &RunningLab,
    name: &str,
    change: impl FnOnce(&mut serde_json::Map<String, Value>),
) -> String {
    let mut config = lab.json(&["connector", "config"], 0)["config"]
        .as_object()
        .unwrap()
        .clone();
    config.insert("database.password".into(), lab.secret.clone().into());
    change(&mut config);
    lab.private(
        name,
        &serde_json::json!({"name": CONNECTOR, "config": config}).to_string(),
    )
}

fn a_deployment_says_what_it_changes(lab: &RunningLab) {
    let same = lab.json(&["connector", "deploy", &file(lab, "same.json", |_| {})], 0);
    assert_eq!(same["changed"], false, "{same}");
    let other = file(lab, "other.json", |config| {
        config.insert("poll.interval.ms".into(), "75".into());
    });
    let planned = lab.json(&["connector", "deploy", &other, "--plan-only"], 0);
    assert_eq!(planned["changed"], false);
    let done = lab.json(&["connector", "deploy", &other], 0);
    assert_eq!(
        (health(&done), done["changed"].as_bool()),
        ("running", Some(true))
    );
    for report in [planned, done] {
        let change = &report["changes"][0];
        assert_eq!(
            (
                change["option"].as_str(),
                change["before"].as_str(),
                change["after"].as_str()
            ),
            (Some("poll.interval.ms"), Some("50"), Some("75"))
        );
    }
    let masked = file(lab, "masked.json", |config| {
        config.insert("database.password".into(), "********".into());
    });
    let said = lab.says(&["connector", "deploy", &masked], 2);
    assert!(said.contains("CONNECT-MASKED-001"), "{said}");
    // Connect tries the login before it takes a configuration.
    let login = file(lab, "login.json", |config| {
        config.insert("database.password".into(), "canary-password".into());
    });
    let said = lab.says(&["connector", "deploy", &login], 3);
    assert!(
        said.contains("CONNECT-REFUSED-001") && !said.contains("canary"),
        "{said}"
    );
    // A publication that is not there and must not be made: the task fails while the connector shows RUNNING.
    let broken = file(lab, "broken.json", |config| {
        config.insert("publication.name".into(), "not_there".into());
    });
    let failed = lab.json(&["connector", "deploy", &broken], 3);
    assert_eq!(health(&failed), "task-failed", "{failed}");
    assert_eq!(failed["connectors"][0]["state"], "RUNNING");
    assert_eq!(failed["connectors"][0]["code"], "CONNECT-TASK-001");
    let trace = failed["connectors"][0]["tasks"][0]["trace"]
        .as_str()
        .unwrap();
    assert!(trace.contains("ublication"), "{failed}");
    assert_eq!(
        health(&lab.json(&["connector", "restart"], 3)),
        "task-failed"
    );
    let said = lab.says(&["connector", "status"], 3);
    assert!(
        said.contains("TASK FAILED") && said.contains("cutover connector restart"),
        "{said}"
    );
    let found = lab.json(&["doctor"], 3);
    assert!(codes(&found).contains(&"CUT-DOC-006".to_owned()), "{found}");
    let back = lab.json(&["connector", "deploy", &other], 0);
    assert_eq!(health(&back), "running", "{back}");
}

fn bad_workers_and_names(lab: &RunningLab) {
    let said = lab.says(&["connector", "status", "absent"], 3);
    assert!(said.contains("CONNECT-CONNECTOR-001"), "{said}");
    lab.says(&["connector", "pause", "absent"], 3);
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let said = lab.says(
        &["connector", "list", "--connect", &format!("http://{gone}")],
        6,
    );
    assert!(said.contains("CONNECT-UNREACHABLE-001"), "{said}");
    lab.says(&["connector", "list", "--connect", "nonsense"], 2);
    let kafka = format!("http://127.0.0.1:{}", lab.port("postgres-main"));
    lab.says(&["connector", "list", "--connect", &kafka], 6);
    let nothing = lab.private("nothing.toml", "");
    let said = lab.says(&["connector", "list", "--config", &nothing], 2);
    assert!(said.contains("--connect"), "{said}");
    let no_json = lab.private("no.json", "hunter2");
    let said = lab.says(&["connector", "deploy", &no_json], 2);
    assert!(
        said.contains("no JSON") && !said.contains("hunter2"),
        "{said}"
    );
    let request = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../connectors/request-a.json"
    );
    let said = lab.says(&["connector", "deploy", request], 2);
    assert!(said.contains("DATABASE_"), "{said}");
    let wrong = lab.private("wrong", "not-the-password\n");
    let address = format!(
        "postgresql://debezium@127.0.0.1:{}/testdb",
        lab.port("postgres-main")
    );
    let said = lab.says(
        &[
            "connector",
            "offsets",
            "show",
            "--postgres",
            &address,
            "--password-file",
            &wrong,
        ],
        7,
    );
    assert!(
        said.contains("PG-CONNECT-001") && !said.contains("not-the-password"),
        "{said}"
    );
    let planned = lab.json(&["connector", "delete"], 0);
    assert_eq!(planned["changed"], false);
    assert_eq!(health(&lab.json(&["connector", "status"], 0)), "running");
}

fn a_server_is_set_up(lab: &RunningLab) {
    lab.execute("CREATE TABLE public.\"odd.Name\" (id int PRIMARY KEY)");
    let names = [
        "--slot",
        "made",
        "--publication",
        "made_too",
        "--table",
        "public.orders",
        "--table",
        "public.\"odd.Name\"",
    ];
    let setup = |more: &[&str], code| lab.json(&[&["setup"], &names[..], more].concat(), code);
    let before = state(lab);
    let planned = setup(&[], 0);
    assert_eq!(planned["format"], "cutover.setup/1");
    assert_eq!(
        (planned["changed"].as_bool(), state(lab)),
        (Some(false), before)
    );
    // The connector's role may look, and owns nothing.
    let said = lab.says(&[&["setup"], &names[..], &["--apply"]].concat(), 7);
    assert!(said.contains("made_too"), "{said}");
    lab.configure("postgres");
    let made = setup(&["--apply"], 0);
    assert_eq!(made["changed"], true, "{made}");
    let words: Vec<&str> = made["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        words.iter().filter(|word| **word == "made").count(),
        3,
        "{made}"
    );
    let again = setup(&["--apply"], 0);
    assert_eq!(again["changed"], false, "{again}");
    assert_eq!(
        lab.ask("SELECT plugin::text FROM pg_replication_slots WHERE slot_name = 'made'"),
        "pgoutput"
    );
    lab.says(
        &[
            "setup",
            "--slot",
            "made",
            "--publication",
            "made_too",
            "--table",
            "public.absent",
        ],
        3,
    );
    lab.says(
        &[
            "setup",
            "--slot",
            "made",
            "--publication",
            "made_too",
            "--table",
            "orders",
        ],
        2,
    );
    a_slot_waits_for_an_open_transaction(lab);
    lab.execute(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name IN ('made', 'late');
         DROP PUBLICATION made_too; DROP TABLE public.\"odd.Name\"",
    );
}

/// One that has written keeps a slot from being made: it is named.
fn a_slot_waits_for_an_open_transaction(lab: &RunningLab) {
    lab.sql(async |writer| {
        writer
            .batch_execute("BEGIN; CREATE TABLE public.held (id int)")
            .await
            .unwrap();
        let args = [
            "setup",
            "--slot",
            "late",
            "--publication",
            "made_too",
            "--table",
            "public.orders",
            "--apply",
            "--timeout",
            "1",
        ];
        let said = tokio::task::block_in_place(|| lab.says(&args, 3));
        assert!(
            said.contains("CUT-PENDING-001") && said.contains("pid"),
            "{said}"
        );
        // What was made before it waited is told, and it is not called a refusal.
        let mut args = args.map(str::to_owned);
        args[4] = "late_too".to_owned();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = tokio::task::block_in_place(|| lab.says(&args, 5));
        for wanted in ["CUT-SETUP-001", "publication late_too", "pid"] {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        writer.batch_execute("ROLLBACK").await.unwrap();
    });
    lab.execute("DROP PUBLICATION late_too");
}

fn a_healthy_system_is_told_from_a_broken_one(lab: &RunningLab) {
    // Before its first event a connector has no offset, and would read the tables again.
    lab.execute("INSERT INTO public.order_events VALUES (1, 'test', now(), 1)");
    lab.site.wait("stored offset", || {
        let shown = lab.json(&["connector", "offsets", "show"], 0);
        shown["offsets"][0]["lsn"].is_object().then_some(())
    });
    // A role that may log in and nothing else looks at everything.
    lab.execute("CREATE ROLE looker LOGIN PASSWORD 'looker-pw'");
    let address = format!(
        "postgresql://looker@127.0.0.1:{}/testdb",
        lab.port("postgres-main")
    );
    let pw = lab.private("looker", "looker-pw\n");
    let as_looker = ["--postgres", &address, "--password-file", &pw];
    let doctor = |code: i32| {
        let before = state(lab);
        let report = lab.json(&[&["doctor"], &as_looker[..]].concat(), code);
        assert_eq!(state(lab), before, "it must leave everything as it is");
        report
    };
    let healthy = doctor(0);
    assert_eq!(healthy["format"], "cutover.doctor/1");
    assert_eq!(
        healthy["not_looked_at"].as_array().unwrap().len(),
        0,
        "{healthy}"
    );
    assert_eq!(healthy["prediction"]["outcome"], "resumes");

    lab.execute("SELECT pg_create_logical_replication_slot('forgotten', 'pgoutput')");
    let idle = doctor(0);
    let finding = idle["findings"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["code"] == "CUT-DOC-036")
        .unwrap();
    assert!(
        finding["remedy"]
            .as_str()
            .unwrap()
            .contains("SELECT pg_drop_replication_slot('forgotten')"),
        "{finding}"
    );
    lab.execute("SELECT pg_drop_replication_slot('forgotten')");

    lab.says(&["connector", "stop"], 0);
    let slot = lab.json(&["connector", "config"], 0)["config"]["slot.name"]
        .as_str()
        .unwrap()
        .to_owned();
    lab.execute(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    let broken = doctor(3);
    for code in ["CUT-DOC-007", "CUT-DOC-030", "CUT-DOC-060"] {
        assert!(
            codes(&broken).contains(&code.to_owned()),
            "{code}: {broken}"
        );
    }
    // The remedies of these findings, word for word: the slot is made again, the offset follows it, it runs.
    lab.configure("postgres");
    lab.says(&["setup", "--apply"], 0);
    lab.says(&["connector", "offsets", "set", "--to-slot", "--apply"], 0);
    lab.says(&["connector", "resume"], 0);
    // Until it has stored an offset of its own, another start could be refused (docs/anomalies.md, A-027).
    let stored = || lab.json(&["connector", "offsets", "show"], 0)["offsets"][0]["lsn"].clone();
    let set = stored();
    lab.execute("INSERT INTO public.order_events VALUES (1, 'mended', now(), 1)");
    lab.site
        .wait("offset of its own", || (stored() != set).then_some(()));
    let mended = doctor(0);
    assert_eq!(mended["prediction"]["outcome"], "resumes", "{mended}");

    what_is_not_there_is_said(lab, &as_looker);
}

fn what_is_not_there_is_said(lab: &RunningLab, as_looker: &[&str]) {
    let gone = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let dark = lab.json(&["doctor", "--connect", &format!("http://{gone}")], 6);
    assert_eq!(
        dark["not_looked_at"][0]["code"], "CONNECT-UNREACHABLE-001",
        "{dark}"
    );
    let none = lab.private("none.toml", "");
    lab.says(&["doctor", "--config", &none], 5);

    let deleted = lab.json(&["connector", "delete", "--apply"], 0);
    assert_eq!(
        (health(&deleted), deleted["changed"].as_bool()),
        ("absent", Some(true)),
        "{deleted}"
    );
    let again = lab.json(&["connector", "delete", "--apply"], 0);
    assert_eq!(again["changed"], false);
    lab.says(&["connector", "status"], 3);
    assert!(codes(&doctor_without_connector(lab, as_looker)).contains(&"CUT-DOC-003".to_owned()));
}

fn doctor_without_connector(lab: &RunningLab, as_looker: &[&str]) -> Value {
    lab.json(&[&["doctor"], as_looker].concat(), 3)
}
