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
#[path = "support/site.rs"]
mod site;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use site::{Site, text};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The schema of a format, `cutover.gap/1` in `gap-1.schema.json`.
fn schema(format: &str) -> Value {
    let name = format.strip_prefix("cutover.").unwrap().replace('/', "-");
    let schema = read(&folder().join(format!("{name}.schema.json")));
    assert_eq!(schema["title"], format);
    schema
}

/// Runs, and compares what stands on stdout with the schema that its format names.
fn printed(site: &Site, arguments: &[&str], format: &str) -> Value {
    let output = site.run(&[arguments, &["--output", "json"]].concat());
    let value: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| unreachable!("{arguments:?}: {error}: {}", text(&output)));
    assert_eq!(value["format"], format, "{arguments:?}");
    let schema = schema(format);
    agree::agree(&schema, &schema, &value, format);
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
