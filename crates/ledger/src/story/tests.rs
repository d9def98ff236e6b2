//! A run folder is told as far as it can be read.

use cutover_model::canonical::key_hash;
use cutover_model::event::EVENT_FORMAT;
use cutover_model::result::{Counts, ScenarioResult, Stack};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{ChangeRow, Finding, FindingKind, Op, ProofLevel, Verdict};

use super::*;
use crate::ChangeWriter;

const KEY: &str = "{\"id\":\"1\"}";

fn result(findings: Vec<Finding>) -> ScenarioResult {
    ScenarioResult {
        name: "minor".into(),
        title: String::new(),
        expected: Verdict::Pass,
        as_expected: false,
        verdict: Verdict::Fail,
        proof_level: ProofLevel::P3,
        reasons: Vec::new(),
        lesson: None,
        counts: Counts::default(),
        refused_write_seconds: 0.0,
        server_restart_seconds: 0.0,
        phases: Vec::new(),
        run_dir: String::new(),
        stack: Stack::default(),
        seed: 1,
        runbook: None,
        prediction: None,
        connector_refused: None,
        checks: Vec::new(),
        findings,
        naive: vec![],
    }
}

fn lost(incarnation: i32, lsn: i64) -> Finding {
    Finding {
        check: "complete".into(),
        kind: FindingKind::Lost,
        incarnation: Some(incarnation),
        relation: "public.orders".into(),
        key: Some(KEY.into()),
        op: Some("u".into()),
        revision: None,
        lsn: Some(lsn),
        xid: None,
        topic: None,
        partition: None,
        record_offset: None,
        detail: String::new(),
    }
}

fn change(incarnation: i32, lsn: i64, key: &str) -> ChangeRow {
    ChangeRow {
        key_hash: key_hash("public.orders", key),
        key: Some(key.to_owned()),
        lsn: Some(lsn),
        time_ms: Some(lsn),
        ..ChangeRow::new(incarnation, "public.orders", Op::Update)
    }
}

fn write(run: &RunFolder, ledger: LedgerKind, rows: &[ChangeRow]) {
    let mut writer = ChangeWriter::create(&run.ledger(ledger), 4).unwrap();
    for row in rows {
        writer.append(row).unwrap();
    }
    writer.finish().unwrap();
}

#[test]
fn changes_just_before_and_after_a_lost_one_are_found_across_incarnations() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    // The new life counts anew: its positions are lower.
    let mut rows: Vec<ChangeRow> = (0..10).map(|n| change(0, 1000 + n, KEY)).collect();
    rows.extend((0..10).map(|n| change(1, 10 + n, KEY)));
    rows.extend((0..10).map(|n| change(1, 10 + n, "{\"id\":\"2\"}")));
    write(&run, LedgerKind::Committed, &rows);
    let published: Vec<ChangeRow> = rows
        .iter()
        .filter(|row| (row.incarnation, row.lsn) != (1, Some(11)))
        .zip(0..)
        .map(|(row, offset)| ChangeRow {
            topic: Some("t".into()),
            partition: Some(0),
            record_offset: Some(offset),
            ..row.clone()
        })
        .collect();
    write(&run, LedgerKind::Published, &published);
    let story = read_story(&run, result(vec![lost(1, 11)]));
    let rows = &story.neighbourhoods[0].rows;
    let places = |ledger| -> Vec<(i32, Option<i64>, bool)> {
        let of = rows.iter().filter(|row| row.ledger == ledger);
        of.map(|row| (row.incarnation, row.lsn, row.itself))
            .collect()
    };
    let beside = [(0, Some(1008)), (0, Some(1009)), (1, Some(10))];
    let after = [(1, Some(12)), (1, Some(13)), (1, Some(14))];
    let plain = |(life, lsn): (i32, Option<i64>)| (life, lsn, false);
    let mut around: Vec<_> = beside.into_iter().chain(after).map(plain).collect();
    assert_eq!(places(LedgerKind::Published), around);
    around.insert(3, (1, Some(11), true));
    assert_eq!(places(LedgerKind::Committed), around);
    assert!(rows.iter().all(|row| row.key.as_deref() == Some(KEY)));
}

#[test]
fn what_is_missing_is_said_and_the_rest_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    let event = RunEvent {
        format: EVENT_FORMAT.into(),
        index: 1,
        time: "2026-01-01T00:00:00.000Z".into(),
        scenario: None,
        kind: EventKind::Note {
            text: "here".into(),
        },
    };
    let known = serde_json::to_string(&event).unwrap();
    let later = known.replace("\"note\"", "\"of a later version\"");
    std::fs::write(run.events(), format!("{known}\n{later}\n{{torn")).unwrap();
    let story = read_story(&run, result(vec![lost(0, 1)]));
    assert_eq!(story.events, [event]);
    assert!(story.manifest.is_none() && story.neighbourhoods.is_empty());
    let notes = story.notes.join("\n");
    for word in [
        "run.toml",
        "evidence.json",
        "2 lines of events.jsonl",
        "beside findings",
    ] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
}

#[test]
fn a_long_run_keeps_its_steps_and_thins_out_its_counts() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    let mut text = String::new();
    for index in 1..=60_000 {
        let kind = if index % 1000 == 1 {
            EventKind::Note {
                text: index.to_string(),
            }
        } else {
            EventKind::Sample {
                committed: Some(index),
                published: None,
            }
        };
        let event = RunEvent {
            format: EVENT_FORMAT.into(),
            index,
            time: String::new(),
            scenario: None,
            kind,
        };
        text.push_str(&serde_json::to_string(&event).unwrap());
        text.push('\n');
    }
    std::fs::write(run.events(), text).unwrap();
    let story = read_story(&run, result(Vec::new()));
    assert!(story.events.len() <= EVENTS_MAX && story.events.len() > EVENTS_MAX / 4);
    let noted = story.events.iter().filter(|event| !counts(event)).count();
    assert_eq!(noted, 60);
    assert!(story.events.is_sorted_by_key(|event| event.index));
}
