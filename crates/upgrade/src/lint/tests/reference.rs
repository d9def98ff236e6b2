//! The guide about a connector's options is made of the tables that lint, translation and prediction use; this test
//! writes it anew with `CUTOVER_WRITE_DOCS=1` and fails when the file says something else.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use super::*;
use crate::lint::options::SINCE;
use crate::predict::versions::{self, Behaviour, OnFailure, PositionCheck, Seek};

const GUIDE: &str = "docs/guides/connector-options.md";

/// One release of each range, and both ends of what the lab runs.
const RELEASES: [&str; 10] = [
    "2.0.0", "2.1.0", "2.4.0", "2.5.0", "2.7.0", "3.1.0", "3.2.0", "3.3.0", "3.4.0", "3.7.0",
];

/// Options whose value decides where a stream goes on, or what its records look like.
const SAMPLES: [(&str, &str); 26] = [
    ("snapshot.mode", "never"),
    ("snapshot.mode", "no_data"),
    ("snapshot.mode", "when_needed"),
    ("snapshot.mode", "always"),
    ("snapshot.mode", "initial_only"),
    ("publication.autocreate.mode", "all_tables"),
    ("publication.autocreate.mode", "filtered"),
    ("publication.autocreate.mode", "no_tables"),
    ("slot.drop.on.stop", "true"),
    ("slot.failover", "true"),
    ("flush.lsn.source", "false"),
    ("lsn.flush.mode", "manual"),
    ("lsn.flush.mode", "connector_and_driver"),
    ("internal.slot.seek.to.known.offset.on.start", "true"),
    ("offset.mismatch.strategy", "no_validation"),
    ("offset.mismatch.strategy", "trust_offset"),
    ("offset.mismatch.strategy", "trust_slot"),
    ("offset.mismatch.strategy", "trust_greater_lsn"),
    ("internal.log.position.check.enable", "false"),
    ("publish.via.partition.root", "true"),
    ("read.only", "true"),
    ("plugin.name", "decoderbufs"),
    ("decimal.handling.mode", "double"),
    ("heartbeat.interval.ms", "0"),
    ("database.server.name", "cdc"),
    ("topic.prefix", ""),
];

/// What is translated on the page, each with the single message transform that flattens records.
const TRANSLATED: [&[(&str, &str)]; 12] = [
    &[("snapshot.mode", "never")],
    &[("snapshot.mode", "no_data")],
    &[("snapshot.mode", "when_needed")],
    &[("flush.lsn.source", "false")],
    &[("lsn.flush.mode", "connector_and_driver")],
    &[("internal.slot.seek.to.known.offset.on.start", "true")],
    &[("offset.mismatch.strategy", "trust_slot")],
    &[("publication.autocreate.mode", "no_tables")],
    &[("slot.failover", "true")],
    &[("database.server.name", "cdc"), ("topic.prefix", "")],
    &[
        ("transforms", "unwrap"),
        (
            "transforms.unwrap.type",
            "io.debezium.transforms.ExtractNewRecordState",
        ),
        ("transforms.unwrap.drop.tombstones", "false"),
        ("transforms.unwrap.delete.handling.mode", "rewrite"),
    ],
    &[
        ("transforms", "unwrap"),
        (
            "transforms.unwrap.type",
            "io.debezium.transforms.ExtractNewRecordState",
        ),
        (
            "transforms.unwrap.delete.tombstone.handling.mode",
            "tombstone",
        ),
    ],
];

/// What stands above the tables.
const HEAD: &str = include_str!("reference.md");

#[test]
fn the_guide_says_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(GUIDE);
    let made = page();
    if std::env::var_os("CUTOVER_WRITE_DOCS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == made,
        "{GUIDE} is out of date: CUTOVER_WRITE_DOCS=1 cargo test --workspace --lib reference"
    );
}

/// The containers of the current stack deploy what the request asked for, translated; no more is changed than this.
#[test]
fn the_containers_connector_is_the_requests_translated() {
    let read = |path: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(path);
        let text = std::fs::read_to_string(path).unwrap();
        let body: serde_json::Value = serde_json::from_str(&text).unwrap();
        serde_json::from_value::<Config>(body["config"].clone()).unwrap()
    };
    let request = read("connectors/request-a.json");
    let (from, to) = ("2.4.0".parse().unwrap(), "3.7.0".parse().unwrap());
    let (mut translated, _) = translate(&request, from, to);
    // The publication is made by `cutover setup`, so that the connector needs no rights to alter it.
    translated.insert("publication.autocreate.mode".into(), "disabled".into());
    translated.insert("heartbeat.interval.ms".into(), "10000".into());
    let current = read("compose/current.json");
    assert_eq!(current, translated);
    // What is said of `snapshot.mode=initial` is true here too: it is for the first start.
    assert_eq!(codes(&current, "3.7.0", None), ["CUT-LINT-005"]);
}

fn page() -> String {
    let mut text = HEAD.replace("KNOWN", &versions::known_range());
    text.push_str(&starts());
    text.push_str(&modes());
    text.push_str(&releases());
    text.push_str(&values());
    text.push_str(&translations());
    text.push_str(&rules());
    text
}

fn starts() -> String {
    let mut text = String::from(
        "\n## What a start does\n\n\
         | Debezium | moves the slot to the stored offset | if the server refuses that | \
         compares before it streams | if slot and offset do not fit, or the slot is gone |\n|---|---|---|---|---|\n",
    );
    for row in &versions::ALL {
        let cells = [
            row.range().replace("Debezium ", ""),
            seek(row.seek).into(),
            refused(row).into(),
            compared(row.check).into(),
            unfit(row).into(),
        ];
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

fn seek(seek: Seek) -> &'static str {
    match seek {
        Seek::Never => "never",
        Seek::Always => "at every start",
        Seek::OptIn => "with `internal.slot.seek.to.known.offset.on.start=true`",
        Seek::ByStrategy => "with `offset.mismatch.strategy` trust_offset or trust_greater_lsn",
        Seek::ByStrategyWhenAhead => {
            "with `offset.mismatch.strategy` trust_offset or trust_greater_lsn, if the offset is ahead"
        }
    }
}

fn refused(row: &Behaviour) -> &'static str {
    match (row.seek, row.seek_failure) {
        (Seek::Never, _) => "–",
        (_, OnFailure::Fatal) => "the task fails",
        (_, OnFailure::Warned) => "a line in the log",
    }
}

fn compared(check: PositionCheck) -> &'static str {
    match check {
        PositionCheck::Absent => "nothing",
        PositionCheck::BelowCommit => "`restart_lsn` < `lsn_commit`",
        PositionCheck::AtMostCommit => "`restart_lsn` ≤ `lsn_commit`",
        PositionCheck::AtMostProcessed => "`restart_lsn` ≤ `lsn_proc`",
    }
}

fn unfit(row: &Behaviour) -> &'static str {
    match (row.check, row.check_failure) {
        (PositionCheck::Absent, _) => "it goes on; a missing slot is made in silence",
        (_, OnFailure::Warned) => {
            "a line in the log, and it goes on; a missing slot is made (when_needed: reads everything again)"
        }
        (_, OnFailure::Fatal) => "the task fails (when_needed: reads everything again)",
    }
}

fn modes() -> String {
    let mut all = BTreeSet::new();
    for row in &versions::ALL {
        all.extend(row.snapshot_modes);
    }
    let ranges: Vec<String> = versions::ALL
        .iter()
        .map(|row| row.range().replace("Debezium ", ""))
        .collect();
    let mut text = format!(
        "\n## Values of snapshot.mode\n\n| value | {} |\n|---|{}\n",
        ranges.join(" | "),
        "---|".repeat(ranges.len())
    );
    for mode in all {
        let cells = versions::ALL.iter().map(|row| {
            if row.snapshot_modes.contains(&mode) {
                "yes"
            } else {
                "–"
            }
        });
        let _ = writeln!(
            text,
            "| `{mode}` | {} |",
            cells.collect::<Vec<_>>().join(" | ")
        );
    }
    text
}

fn releases() -> String {
    let mut text = String::from(
        "\n## Options and the release that brought them\n\nEarlier releases ignore them.\n\n\
         | option | since |\n|---|---|\n",
    );
    for (option, since) in SINCE {
        let _ = writeln!(text, "| `{option}` | {since} |");
    }
    text
}

/// What a sample adds to the lints of a configuration that is fine otherwise.
fn added(sample: &[(&str, &str)], version: &str) -> Vec<Lint> {
    let version = version.parse().unwrap();
    let told = |config: &Config| {
        let subject = Subject {
            config,
            version,
            tables: None,
        };
        lint(&subject)
    };
    let fine = told(&with(&[("snapshot.mode", "initial")]));
    let mut changes = vec![("snapshot.mode", "initial")];
    changes.extend(sample);
    let mut lints = told(&with(&changes));
    lints.retain(|lint| !fine.contains(lint));
    lints
}

fn values() -> String {
    let mut text = format!(
        "\n## What cutover lint says of a value\n\n\
         The number is that of the rule; a dash means that nothing is said.\n\n\
         | option | {} |\n|---|{}\n",
        RELEASES.join(" | "),
        "---|".repeat(RELEASES.len())
    );
    for (option, value) in SAMPLES {
        let cells = RELEASES.map(|version| {
            let lints = added(&[(option, value)], version);
            let words: Vec<String> = lints
                .iter()
                .map(|lint| {
                    let number = lint.code.trim_start_matches("CUT-LINT-");
                    format!("{} {number}", format!("{:?}", lint.severity).to_lowercase())
                })
                .collect();
            if words.is_empty() {
                "–".to_owned()
            } else {
                words.join(", ")
            }
        });
        let name = if value.is_empty() {
            format!("without `{option}`")
        } else {
            format!("`{option}={value}`")
        };
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text
}

fn translations() -> String {
    let mut text = String::new();
    for (from, to) in [("2.4.0", "3.7.0"), ("3.7.0", "2.4.0")] {
        let mut rows = String::new();
        let _ = write!(
            text,
            "\n## From {from} to {to}\n\n*exact* means that the records and positions stay what they were.\n\n\
             | before | after | exact | why |\n|---|---|---|---|\n"
        );
        for sample in TRANSLATED {
            let config = with(&[&[("snapshot.mode", "initial")], sample].concat());
            let (_, translation) = translate(&config, from.parse().unwrap(), to.parse().unwrap());
            for change in translation.changes {
                let shown = |value: &Option<String>| {
                    let name = &change.option;
                    value
                        .as_ref()
                        .map_or_else(|| "–".into(), |value| format!("`{name}={value}`"))
                };
                let exact = if change.exact { "yes" } else { "**no**" };
                let (before, after) = (shown(&change.before), shown(&change.after));
                let row = format!("| {before} | {after} | {exact} | {} |\n", change.why);
                if !rows.contains(&row) {
                    rows.push_str(&row);
                }
            }
        }
        text.push_str(&rows);
    }
    text
}

fn rules() -> String {
    let mut text = String::from(
        "\n## The rules\n\n`cutover explain CODE` says what is behind each.\n\n| code | about |\n|---|---|\n",
    );
    for rule in ALL {
        let _ = writeln!(text, "| {} | {} |", rule.code, rule.about);
    }
    text
}
