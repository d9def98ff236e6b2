//! What is refused before anything is changed, and what stops a plan in its middle, with the real binary and real
//! servers: every reason is named at once, the exit code says that a precondition does not hold, and nothing is left.

use cutover_model::result::RunResult;

use crate::site::{Site, text};

/// A scenario of the smallest load; `rest` holds what is special about it.
fn scenario(site: &Site, name: &str, stack: (&str, &str), rest: &str) -> String {
    let (old, new) = stack;
    let whole = format!(
        "name = \"{name}\"\ntitle = \"{name}\"\n\
         [stack]\npostgres_old = \"{old}\"\npostgres_new = \"{new}\"\n\
         kafka = \"4.3.1\"\ndebezium = \"3.7.0\"\n\
         [load]\nseed = 1\nsessions = 2\ntransactions_per_second = 100\n\
         held_transaction_seconds = 0.2\n\
         changes_before = 200\nchanges_after = 200\n\
         [expect]\nverdict = \"pass\"\nproof_level = \"P3\"\n{rest}"
    );
    let path = site.path(&format!("{name}.toml"));
    std::fs::write(&path, whole).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs it; gives what it said.
fn refused(site: &Site, path: &str) -> String {
    let output = site.run(&["rehearse", path]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    site.assert_nothing_left();
    said
}

/// The databases of PostgreSQL 17 have what 18.4 of the lab has not: hstore, ICU. The file of four TiB is one big hole.
#[test]
fn everything_in_the_way_of_a_second_cluster_is_named_before_anything_is_changed() {
    let site = Site::new();
    let path = scenario(
        &site,
        "in-the-way",
        ("17", "18.4"),
        r#"
[server]
settings = { max_prepared_transactions = "5", max_replication_slots = "20", max_slot_wal_keep_size = "1GB" }
sql = [
  "CREATE EXTENSION hstore",
  "CREATE COLLATION public.german (provider = icu, locale = 'de')",
  "CREATE TABLE public.names (name text COLLATE \"und-x-icu\")",
  "CREATE TABLE public.books (title text)",
  """DO $$ BEGIN EXECUTE format('COPY (SELECT 1) TO PROGRAM %L', 'truncate -s 4T ' || current_setting('data_directory')
       || '/base/' || (SELECT oid FROM pg_database WHERE datname = current_database()) || '/999999'); END $$""",
]
# A slot is not made while it is there, so it comes after the stream.
[[trouble]]
after = "preflight"
sql = ["BEGIN; INSERT INTO public.books VALUES ('x'); PREPARE TRANSACTION 'order-77'"]
[upgrade]
kind = "in-the-way"
runbook = "pg-upgrade-clone"
"#,
    );
    let said = refused(&site, &path);
    for wanted in [
        "CUT-PREFLIGHT-001",
        "PRE-EXTENSION-001",
        "extension hstore",
        "PRE-COLLATION-001",
        "collation public.german",
        "column names.name",
        "PRE-PREPARED-001",
        "'order-77' (owner postgres",
        "PRE-SETTING-004",
        "PRE-SLOT-002 warns: max_slot_wal_keep_size is 1024 MB",
    ] {
        assert!(said.contains(wanted), "no {wanted} in {said}");
    }
    // Whether files can be cloned is the machine's own; what the preflight says must be what cp says.
    let clones = std::process::Command::new("cp")
        .args(["--reflink=always", &path, &format!("{path}.clone")])
        .status();
    assert_eq!(said.contains("PRE-CLONE-001"), !clones.unwrap().success());

    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("pg-upgrade-clone", "pg-upgrade-proven")).unwrap();
    let said = refused(&site, &path);
    assert!(
        said.contains("PRE-DISK-001") && said.contains("the databases have 4.0 TiB"),
        "{said}"
    );
}

/// pgBackRest 2.45 does not know PostgreSQL 16, and would say so in the middle of making its repository.
#[test]
fn a_backup_tool_that_does_not_know_the_server_is_named_before_anything_is_made() {
    let site = Site::new();
    let path = scenario(
        &site,
        "old-tool",
        ("16.14", "16.14"),
        "[server]\npgbackrest_of = \"15\"\n\
         [upgrade]\nkind = \"old-tool\"\nrunbook = \"restore-proven\"\n",
    );
    let said = refused(&site, &path);
    assert!(said.contains("PRE-BACKUP-001"), "{said}");
    assert!(said.contains("2.45") && said.contains("16"), "{said}");
}

#[test]
fn a_standby_with_less_room_for_transactions_than_its_primary_is_refused() {
    let site = Site::new();
    let rest = "[server]\nsettings = { max_prepared_transactions = \"5\", max_replication_slots = \"3\" }\n\
                [upgrade]\nkind = \"less-room\"\nrunbook = \"promotion-proven\"\n";
    let path = scenario(&site, "less-room", ("17", "17"), rest);
    let said = refused(&site, &path);
    assert!(said.contains("PRE-SETTING-003"), "{said}");
    assert!(said.contains("max_prepared_transactions is 5"), "{said}");
    let slots = "PRE-SLOT-001 refuses: 2 of 3 replication slots of the old server are taken";
    assert!(said.contains(slots), "{said}");
}

#[test]
fn transactions_that_could_still_commit_are_named_after_the_wait_and_the_switch_is_refused() {
    let site = Site::new();
    let rest = r#"
[server]
settings = { max_prepared_transactions = "5" }
sql = ["CREATE TABLE public.books (title text, pages int)"]
[[trouble]]
after = "round-trip"
sql = ["BEGIN; INSERT INTO public.books VALUES ('secret', 7); PREPARE TRANSACTION 'left-behind'"]
open = "INSERT INTO public.books VALUES ('secret', 412)"
[upgrade]
kind = "pending"
runbook = "minor-proven"
writers_deadline_seconds = 2
"#;
    let path = scenario(&site, "pending", ("16.2", "16.14"), rest);
    let said = refused(&site, &path);
    for wanted in [
        "after 2 s these could still commit a change",
        "prepared transaction 'left-behind' (owner postgres, xid ",
        "COMMIT PREPARED 'left-behind' or ROLLBACK PREPARED 'left-behind'",
        "idle in transaction): BEGIN; INSERT INTO public.books VALUES (?, ?)",
        "SELECT pg_terminate_backend(",
        "CUT-PENDING-001",
        // Taken back: the application may write again.
        "true now: the old server takes writes; the connector is RUNNING",
    ] {
        assert!(said.contains(wanted), "no {wanted} in {said}");
    }
    assert!(!said.contains("secret"), "{said}");
}

/// It is waited for, and what it commits after the freeze is part of the stream.
#[test]
fn a_transaction_that_commits_in_time_is_waited_for_and_delivered() {
    let site = Site::new();
    let rest = r#"
[[trouble]]
after = "round-trip"
open = "INSERT INTO public.order_events SELECT -n, 'late', '2026-01-01', -n FROM generate_series(1, 50) n"
commits_after_seconds = 3
[upgrade]
kind = "late"
runbook = "dump-restore-proven"
"#;
    let path = scenario(&site, "late", ("16.14", "18.4"), rest);
    let output = site.run(&["rehearse", &path, "--output", "json"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("\"verdict\": \"pass\""), "{said}");
}

/// The mutation: a sequence of the new server is put back after it was carried over.
#[test]
fn a_sequence_that_would_give_a_key_out_again_stops_a_blue_green_switch() {
    let site = Site::new();
    let rest = r#"
[server]
sql = ["CREATE SEQUENCE public.numbers", "SELECT setval('public.numbers', 41234)"]
[[trouble]]
after = "end-subscription"
on = "new"
sql = ["SELECT setval('public.numbers', 41233)"]
[upgrade]
kind = "sequence"
runbook = "blue-green-proven"
"#;
    let path = scenario(&site, "sequence", ("17.9", "18.4"), rest);
    let output = site.run(&["rehearse", &path]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    let wanted =
        "sequence public.numbers has given out 41234 on the old server and stands at 41233";
    assert!(said.contains(wanted), "{said}");
    site.assert_nothing_left();
}

/// The same behind the back of the step that proves it: then the audit names it, from what was read on both sides. The
/// sequence that nobody touched is carried over and not named.
#[test]
fn a_sequence_put_back_after_its_proof_is_named_by_the_audit() {
    let site = Site::new();
    let rest = r#"
[server]
sql = [
  "CREATE SEQUENCE public.numbers", "SELECT setval('public.numbers', 41234)",
  "CREATE SEQUENCE public.untouched", "SELECT setval('public.untouched', 7)",
]
[[trouble]]
after = "filter-origin"
on = "new"
sql = ["SELECT setval('public.numbers', 41233)"]
[upgrade]
kind = "sequence-late"
runbook = "blue-green-proven"
"#;
    let path = scenario(&site, "sequence-late", ("17.9", "18.4"), rest);
    let output = site.run(&["rehearse", &path, "--output", "json"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(4), "{said}");
    let result: RunResult = serde_json::from_slice(&output.stdout).unwrap();
    let scenario = &result.scenarios[0];
    let named: Vec<(String, &str)> = scenario
        .findings
        .iter()
        .map(|finding| (finding.kind.to_string(), finding.relation.as_str()))
        .collect();
    assert_eq!(named, [("key-reuse".to_owned(), "public.numbers")]);
    let folder = std::path::Path::new(&scenario.run_dir);
    let evidence = std::fs::read_to_string(folder.join("ledger/evidence.json")).unwrap();
    assert!(evidence.contains("public.untouched"), "{evidence}");
    site.assert_nothing_left();
}

/// Four ways in which a slot is taken away under way: three proven runbooks deliver everything all
/// the same, the baseline loses what it is known to lose.
#[test]
fn a_slot_that_is_taken_away_under_way_costs_a_proven_runbook_nothing() {
    let site = Site::new();
    let scenarios = [
        "minor-slot-lost",
        "restart-slot-idle",
        "restore-vacuumed",
        "restore-dropped-slot",
    ];
    let mut args = vec!["rehearse"];
    args.extend(scenarios);
    args.extend(["--output", "json"]);
    let output = site.run(&args);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let result: RunResult = serde_json::from_slice(&output.stdout).unwrap();
    for (scenario, name) in result.scenarios.iter().zip(scenarios) {
        assert!(scenario.as_expected && scenario.name == name);
        let journal = std::path::Path::new(&scenario.run_dir).join("journal.jsonl");
        let journal = std::fs::read_to_string(journal).unwrap();
        let renewed = journal.contains("was lost after everything up to");
        assert_eq!(renewed, name.ends_with("-lost") || name.ends_with("-idle"));
    }
    site.assert_nothing_left();
}
