//! What the real program prints as JSON has exactly the keys that `docs/schema` publishes; no server is needed for
//! these. Forms that need servers are compared where servers are.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "../../report/src/json/agree.rs"]
mod agree;
#[path = "support/hostile_run.rs"]
mod hostile_run;
#[path = "support/published.rs"]
mod published;
#[path = "support/site.rs"]
mod site;

use std::collections::BTreeSet;
use std::path::Path;

use published::{fits, folder, schema};
use serde_json::Value;
use site::{Site, text};

/// Runs, and compares what stands on stdout with the schema that its format names.
fn printed(site: &Site, arguments: &[&str], format: &str) -> Value {
    let output = site.run(&[arguments, &["--output", "json"]].concat());
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| unreachable!("{arguments:?}: {error}: {}", text(&output)));
    assert_eq!(value["format"], format, "{arguments:?}");
    fits(&value);
    value
}

#[test]
fn what_is_printed_without_servers_is_what_is_published() {
    let site = Site::new();
    printed(
        &site,
        &["rehearse", "minor", "dump-restore-baseline", "--plan-only"],
        "cutover.runbooks/1",
    );
    printed(&site, &["explain", "lost"], "cutover.explanation/1");
    printed(&site, &["explain"], "cutover.explanations/1");
    printed(&site, &["lab", "status"], "cutover.lab-status/1");
    let audit = [
        "bench",
        "audit",
        "--rows",
        "1000",
        "--folder",
        site.folder.path().to_str().unwrap(),
    ];
    printed(&site, &audit, "cutover.bench/1");
    let config = site.path("connector.json");
    std::fs::write(
        &config,
        r#"{"topic.prefix": "p", "snapshot.mode": "never"}"#,
    )
    .unwrap();
    let lint = [
        "lint",
        "--config",
        config.to_str().unwrap(),
        "--debezium",
        "2.4.0",
        "--to",
        "3.6.0",
    ];
    printed(&site, &lint, "cutover.lint/1");
    let keys = printed(&site, &["config", "keys"], "cutover.config-keys/1");
    let secret = |key: &Value| key["key"] == "postgres.password" && key["secret"] == true;
    assert!(keys["keys"].as_array().unwrap().iter().any(secret));
    printed(&site, &["completions", "fish"], "cutover.completions/1");
    let plan = ["matrix", "--plan-only", "--kinds", "minor"];
    let plan = printed(&site, &plan, "cutover.matrix-plan/1");
    assert_eq!(plan["cells"][0]["kind"], "minor");
    let pages = site.path("pages");
    let man = ["man", "--dir", pages.to_str().unwrap()];
    let written = printed(&site, &man, "cutover.written/1");
    let there = std::fs::read_dir(&pages).unwrap().count();
    assert_eq!(written["files"].as_u64(), Some(there as u64));
}

#[test]
fn what_fails_says_it_as_it_is_published_whoever_finds_it() {
    let site = Site::new();
    let absent = site.path("absent");
    let absent = absent.to_str().unwrap();
    let mut failing: Vec<(&[&str], &str)> = vec![
        (&["rehearse", "--sead", "1"], "CLI-USAGE-001"),
        (&["compare"], "CLI-USAGE-001"),
        (&["lab"], "CLI-USAGE-001"),
        (&["rehearse", "minro"], "REH-SCENARIO-001"),
        (&["explain", "nothing-like-it"], "CLI-EXPLAIN-001"),
        (&["lab", "down"], "LAB-STATE-001"),
        (&["connector", "list"], "CONFIG-MISSING-001"),
    ];
    let verify = ["verify", absent];
    let lint = ["lint", "--debezium", "3.6.3", "--config", absent];
    failing.push((&verify, "RUN-FOLDER-001"));
    failing.push((&lint, "CLI-PREDICT-001"));
    for (arguments, code) in failing {
        let told = printed(&site, arguments, "cutover.failure/1");
        assert_eq!(told["code"], code, "{arguments:?}");
        let output = site.run(&[arguments, &["--output=json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let exit = output.status.code().map(i64::from);
        assert_eq!(told["exit_code"].as_i64(), exit, "{arguments:?}");
        assert!(said.contains(code), "{arguments:?}: {said}");
        assert!(!told["remedy"].as_str().unwrap().is_empty(), "{told}");
        // Who does not ask for it gets nothing on stdout.
        assert_eq!(site.run(arguments).stdout, b"", "{arguments:?}");
    }
    let unread = printed(&site, &lint, "cutover.failure/1");
    assert!(
        unread["causes"][0]
            .as_str()
            .unwrap()
            .contains("No such file")
    );
}

#[test]
fn what_is_told_of_a_recorded_run_is_what_is_published() {
    let site = Site::new();
    let run = site.path("run");
    hostile_run::write(&run, 3);
    let run = run.to_str().unwrap();
    let judged = printed(&site, &["verify", run], "cutover.result/1");
    assert_eq!(judged["scenarios"][0]["counts"]["lost"], 3);
    assert_eq!(printed(&site, &["report", run], "cutover.result/1"), judged);
    printed(&site, &["gap", "show", run], "cutover.gap/1");
    let checks = printed(&site, &["verify", run, "--sql"], "cutover.checks/1");
    let script = checks["script"].as_str().unwrap();
    assert!(script.contains("create table i1_complete as"), "{script}");
    let page = site.path("page.html");
    let page = [
        "report",
        run,
        "--format",
        "html",
        "-o",
        page.to_str().unwrap(),
    ];
    let written = printed(&site, &page, "cutover.written/1");
    assert!(Path::new(written["path"].as_str().unwrap()).is_file());
    let story = &judged["scenarios"][0]["story"];
    assert_eq!(story["clock"]["writes_refused"][0]["from"], 14.0);
    assert_eq!(story["fence"]["witnessed"], true);
    assert_eq!(story["beside_findings"][0]["finding"], 0);
    let schema = schema("cutover.event/1");
    let events = std::fs::read_to_string(format!("{run}/events.jsonl")).unwrap();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        agree::agree(&schema, &schema, &event, "event");
    }
}

/// Formats that commands print, by the literals in the sources.
#[test]
fn every_format_that_is_printed_has_a_schema() {
    let cli = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = BTreeSet::new();
    for source in [
        "src/commands",
        "../report/src",
        "../model/src",
        "../bench/src",
    ] {
        formats(&cli.join(source), &mut named);
    }
    // Files of a run folder that people read as TOML or Parquet.
    for not_printed in ["cutover.run/1", "cutover.evidence/1"] {
        assert!(named.remove(not_printed), "{not_printed}");
    }
    for format in &named {
        schema(format);
    }
    let published = std::fs::read_dir(folder()).unwrap().count();
    // Facts are read, not printed by a format of the sources above.
    assert_eq!(published, named.len() + 1, "{named:?}");
}

fn formats(folder: &Path, into: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            formats(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            let source = std::fs::read_to_string(&path).unwrap();
            let literals = source.split('"').filter(|piece| {
                piece.starts_with("cutover.") && piece.ends_with("/1") && piece.len() < 40
            });
            into.extend(literals.map(str::to_owned));
        }
    }
}
