//! Hand-made results, runbooks and events for the tests of every format; no run produced them.

mod story;

use cutover_model::comparison::{
    COMPARE_FORMAT, ComparedBy, ComparedSide, Comparison, RowCounts, RowDifference,
    RowDifferenceKind, TableComparison, TableState,
};
use cutover_model::event::EVENT_FORMAT;
use cutover_model::matrix::{MATRIX_FORMAT, Matrix, MatrixCell};
use cutover_model::naive::{NaiveCount, NaiveQuestion};
use cutover_model::plan::{Runbook, RunbookClass, RunbookStep};
use cutover_model::result::{
    CheckResult, Counts, Phase, RESULT_FORMAT, RunResult, ScenarioResult, Stack,
};
use cutover_model::{EventKind, Finding, FindingKind, ProofLevel, RunEvent, Verdict};

pub use story::{hostile_story, story};

/// A command that ran both scenarios and ended as expected.
pub fn result() -> RunResult {
    RunResult {
        format: RESULT_FORMAT.to_owned(),
        verdict: Verdict::Pass,
        exit_code: 0,
        scenarios: vec![proven(), baseline()],
    }
}

/// A clean minor upgrade.
pub fn proven() -> ScenarioResult {
    ScenarioResult {
        name: "minor".into(),
        title: "PostgreSQL 16.2 to 16.14 on the same data directory".into(),
        expected: Verdict::Pass,
        as_expected: true,
        verdict: Verdict::Pass,
        proof_level: ProofLevel::P4,
        reasons: vec![],
        lesson: None,
        counts: Counts {
            attempted: 21_034,
            committed: 20_412,
            published: 20_412,
            stored: 5_120,
            ..Counts::default()
        },
        refused_write_seconds: 2.14,
        server_restart_seconds: 1.38,
        phases: vec![
            phase("start", 5.2),
            phase("load", 20.04),
            phase("cutover", 6.5),
        ],
        run_dir: "/home/me/runs/20261123T180412Z-minor/minor".into(),
        stack: stack("16.2", "16.14"),
        seed: 42,
        runbook: Some(proven_runbook()),
        prediction: None,
        connector_refused: None,
        checks: [
            ("complete", "I1 complete"),
            ("invention", "I2 invention"),
            ("once", "I3 once"),
            ("key_order", "I4 key order"),
            ("state", "I8 state"),
            ("snapshot", "I9 snapshot"),
        ]
        .map(|(name, guarantee)| check(name, guarantee, Verdict::Pass, 0))
        .into(),
        findings: vec![],
        naive: vec![NaiveCount {
            question: NaiveQuestion::RowCount,
            relation: "public.orders".into(),
            counted: "5120 rows, 20412 messages".into(),
            concluded: Verdict::Fail,
            verdict: Verdict::Pass,
            misleads: Some("an update is a message too".into()),
        }],
    }
}

/// The runbook that loses events, expected to.
pub fn baseline() -> ScenarioResult {
    let lesson = "a logical dump carries rows but no slot, so the connector skips every change \
                  committed between its stored offset and the new slot's consistent point.\n";
    ScenarioResult {
        name: "dump-restore-baseline".into(),
        title: "pg_dump from 16 into 18, connector repointed with its old offset".into(),
        expected: Verdict::Fail,
        as_expected: true,
        verdict: Verdict::Fail,
        proof_level: ProofLevel::P3,
        reasons: vec!["the topic orders was compacted".into()],
        lesson: Some(lesson.into()),
        counts: Counts {
            attempted: 21_000,
            committed: 20_300,
            published: 19_100,
            stored: 5_000,
            lost: 1_200,
            divergent: 1,
            findings: [("lost".to_owned(), 1_200), ("divergent".to_owned(), 1)].into(),
            ..Counts::default()
        },
        refused_write_seconds: 0.0,
        server_restart_seconds: 0.0,
        phases: vec![phase("cutover", 151.0)],
        run_dir: "/home/me/runs/20261123T180412Z-minor/dump-restore-baseline".into(),
        stack: stack("16.14", "18.4"),
        seed: 42,
        runbook: Some(baseline_runbook()),
        prediction: None,
        connector_refused: None,
        checks: vec![
            check("complete", "I1 complete", Verdict::Fail, 1_201),
            check("once", "I3 once", Verdict::Pass, 0),
            CheckResult {
                reason: Some("the published ledger is not complete".into()),
                ..check("cut_order", "I5 cut order", Verdict::Unknown, 0)
            },
        ],
        findings: findings(),
        naive: vec![],
    }
}

fn findings() -> Vec<Finding> {
    let lost = Finding {
        check: "complete".into(),
        kind: FindingKind::Lost,
        incarnation: Some(1),
        relation: "public.orders".into(),
        key: Some("{\"id\":\"42\"}".into()),
        op: Some("u".into()),
        revision: Some(3),
        lsn: Some(0x19_A2B8),
        xid: Some(812),
        topic: None,
        partition: None,
        record_offset: None,
        detail: "committed, never published".into(),
    };
    let hostile = Finding {
        kind: FindingKind::Divergent,
        relation: "public.o\u{1b}]0;owned\u{7}".into(),
        key: None,
        op: None,
        revision: None,
        lsn: None,
        xid: None,
        topic: Some("shop.public.orders".into()),
        partition: Some(0),
        record_offset: Some(17),
        detail: "line\nbreak".into(),
        ..lost.clone()
    };
    vec![lost, hostile]
}

/// A runbook of ours.
pub fn proven_runbook() -> Runbook {
    Runbook {
        name: "minor-proven".into(),
        title: "Minor upgrade on the same data directory".into(),
        class: RunbookClass::Proven,
        steps: vec![
            RunbookStep {
                proof: Some("no session of the writers' role holds a transaction id".into()),
                undo: Some("allow writes again".into()),
                ..step(1, "freeze-writes", "Make the database refuse writes")
            },
            RunbookStep {
                proof: Some("the marker stands in Kafka, the stored offset and the slot".into()),
                ..step(
                    2,
                    "drain-proof",
                    "Wait until everything before the marker is published",
                )
            },
            RunbookStep {
                proof: Some("the server answers with version 16.14".into()),
                point_of_no_return: true,
                ..step(
                    3,
                    "swap-binaries",
                    "Stop the server and start the new binaries",
                )
            },
        ],
    }
}

/// A runbook as people follow it.
pub fn baseline_runbook() -> Runbook {
    Runbook {
        name: "dump-restore".into(),
        title: "Dump, restore, repoint".into(),
        class: RunbookClass::Baseline,
        steps: vec![RunbookStep {
            undo: Some("resume the connector".into()),
            ..step(1, "pause-connector", "Pause the connector")
        }],
    }
}

fn step(number: u32, step: &str, title: &str) -> RunbookStep {
    RunbookStep {
        number,
        step: step.into(),
        title: title.into(),
        proof: None,
        undo: None,
        point_of_no_return: false,
    }
}

fn phase(name: &str, seconds: f64) -> Phase {
    Phase {
        name: name.into(),
        seconds,
    }
}

fn stack(old: &str, new: &str) -> Stack {
    Stack {
        postgres_old: old.into(),
        postgres_new: new.into(),
        kafka: "4.3.1".into(),
        debezium: "3.7.0.Final".into(),
    }
}

fn check(check: &str, guarantee: &str, verdict: Verdict, findings: u64) -> CheckResult {
    CheckResult {
        check: check.into(),
        guarantee: guarantee.into(),
        verdict,
        findings,
        reason: None,
    }
}

/// An event of the scenario `minor`.
pub fn event(index: u64, kind: EventKind) -> RunEvent {
    RunEvent {
        format: EVENT_FORMAT.to_owned(),
        index,
        time: "2026-11-23T18:04:12.345Z".into(),
        scenario: Some("minor".into()),
        kind,
    }
}

/// One event of each kind, in the order of a run.
pub fn events() -> Vec<RunEvent> {
    let step = || "drain-proof".to_owned();
    let kinds = vec![
        EventKind::ScenarioStarted {
            title: "PostgreSQL 16.2 to 16.14".into(),
            seed: 42,
        },
        EventKind::PhaseStarted {
            name: "load".into(),
        },
        EventKind::StepStarted {
            number: 2,
            step: step(),
            title: "Wait until drained".into(),
        },
        EventKind::Progress {
            what: "changes".into(),
            done: 12_345,
            total: Some(20_000),
            rate: Some(812.4),
            lag_bytes: Some(1_572_864),
        },
        EventKind::StepProved {
            number: 2,
            step: step(),
            proof: "marker at 0/19A2B8".into(),
            seconds: 0.4,
        },
        EventKind::StepDone {
            number: 2,
            step: step(),
            what: "connector PAUSED".into(),
            seconds: 0.1,
        },
        EventKind::StepFailed {
            number: 2,
            step: step(),
            reason: "no\u{1b}[2Jmarker".into(),
        },
        EventKind::Sample {
            committed: Some(12_400),
            published: None,
        },
        refused("2026-11-23T18:04:30.100Z"),
        EventKind::Note {
            text: "the server restarted in 1.4 s".into(),
        },
        EventKind::Warning {
            text: "the witness reconnected".into(),
        },
        EventKind::PhaseEnded {
            name: "load".into(),
            seconds: 20.04,
        },
        EventKind::Judged {
            verdict: Verdict::Pass,
            proof_level: ProofLevel::P4,
            reasons: vec!["all there".into()],
        },
        EventKind::ScenarioEnded {
            status: "finished".into(),
        },
    ];
    (0..)
        .zip(kinds)
        .map(|(index, kind)| event(index, kind))
        .collect()
}

fn refused(from: &str) -> EventKind {
    EventKind::WritesRefused {
        from: from.into(),
        seconds: 2.14,
        refusals: 40,
        ended: true,
    }
}

/// A matrix with one good cell and one whose prediction was wrong, with hostile names.
pub fn matrix() -> Matrix {
    let cell = |scenario: ScenarioResult, runbook: &str, right| MatrixCell {
        kind: "minor <b>|".into(),
        runbook: runbook.into(),
        debezium: "3.7.0".into(),
        kafka: "4.3.1".into(),
        seed: scenario.seed,
        predicted: "resumes".into(),
        measured: if right { "resumes" } else { "skips" }.into(),
        prediction_right: right,
        seconds: 20.0,
        scenario,
    };
    let mut scenarios = result().scenarios.into_iter();
    let mut cells = Vec::new();
    cells.extend(scenarios.next().map(|one| cell(one, "proven", true)));
    cells.extend(scenarios.next().map(|one| cell(one, "minor-paused", false)));
    Matrix {
        format: MATRIX_FORMAT.into(),
        verdict: Verdict::Fail,
        exit_code: 4,
        machine: "2 cores".into(),
        cutover: "cutover 0".into(),
        planned: 2,
        seconds: 40.0,
        cells,
    }
}

/// A gap with something of everything.
pub fn gap() -> cutover_model::gap::GapReport {
    use cutover_model::gap::{
        Closure, ClosureCounts, GAP_FORMAT, GapAction, GapPart, GapReport, KeyCounts, KeyGap,
        KeyTrouble, KeylessGap, RecordPlace, RereadSignal,
    };
    GapReport {
        format: GAP_FORMAT.into(),
        run_dir: "runs/r/restore-time".into(),
        action: GapAction::DryRun,
        exit_code: 4,
        reasons: vec!["nothing was written".into()],
        lost: Some(0),
        phantom: Some(1),
        keys: KeyCounts {
            ghost: 1,
            ..KeyCounts::default()
        },
        closable: ClosureCounts {
            by_records: 1,
            ..ClosureCounts::default()
        },
        keyless: vec![KeylessGap {
            relation: "public.log".into(),
            too_many: 1,
            too_few: 0,
        }],
        parts: vec![GapPart {
            part: "ghost keys".into(),
            amount: 1,
            closure: Closure::ByRecords,
            how: "a delete".into(),
        }],
        listed_keys: vec![KeyGap {
            relation: "public.orders".into(),
            key: "{\"id\":\"\u{1b}\"}".into(),
            trouble: KeyTrouble::Ghost,
            newer: false,
            closure: Closure::ByRecords,
            why: "a delete of what its last record brought".into(),
            last: Some(RecordPlace {
                topic: "t".into(),
                partition: 0,
                offset: 9,
            }),
            last_op: Some("u".into()),
            source_offset: None,
            writes: vec!["d".into(), "x".into()],
        }],
        listed_events: findings(),
        not_listed: 0,
        signals: vec![RereadSignal {
            relation: "public.orders".into(),
            keys: 1,
            signal: serde_json::json!({"type": "execute-snapshot"}),
        }],
        planned_records: 2,
        written: None,
    }
}

/// Two tables of two databases, one with rows that differ.
pub(crate) fn comparison() -> (Comparison, Vec<RowDifference>) {
    let side = |host: &str, version: &str| ComparedSide {
        address: format!("u@{host}:5432/d"),
        server_version: version.to_owned(),
    };
    let table = |name: &str, state, by, reasons: &[&str]| TableComparison {
        table: name.to_owned(),
        state,
        by,
        key: if by == ComparedBy::Key {
            vec!["id".to_owned()]
        } else {
            Vec::new()
        },
        columns: vec!["id".to_owned(), "amount".to_owned(), "name".to_owned()],
        rows: RowCounts::default(),
        reasons: reasons.iter().map(|reason| (*reason).to_owned()).collect(),
    };
    let mut orders = table("public.orders", TableState::Different, ComparedBy::Key, &[]);
    orders.rows = RowCounts {
        left: 3,
        right: 2,
        equal: 1,
        different: 1,
        missing_left: 0,
        missing_right: 1,
    };
    let reasons = ["column x is only on the left"];
    let log = table(
        "public.log",
        TableState::NotCompared,
        ComparedBy::Content,
        &reasons,
    );
    let row = |kind, id: &str, columns: &[&str]| RowDifference {
        table: "public.orders".to_owned(),
        kind,
        key: [("id".to_owned(), id.to_owned())].into(),
        content: None,
        count: 1,
        columns: columns.iter().map(|name| (*name).to_owned()).collect(),
    };
    let rows = vec![
        row(
            RowDifferenceKind::Different,
            "7\u{1b}[1m",
            &["amount", "name"],
        ),
        row(RowDifferenceKind::MissingRight, "9", &[]),
    ];
    let comparison = Comparison {
        format: COMPARE_FORMAT.to_owned(),
        verdict: Verdict::Fail,
        exit_code: 4,
        left: side("old", "15.18"),
        right: side("new", "17.11"),
        reasons: Vec::new(),
        tables: vec![orders, log],
    };
    (comparison, rows)
}
