//! A run folder whose tables, topics, keys, notes and steps are called what an attacker would call them.

use std::path::Path;

use cutover_ledger::{ChangeWriter, StoredWriter, write_evidence, write_manifest};
use cutover_model::canonical::key_hash;
use cutover_model::event::EVENT_FORMAT;
use cutover_model::evidence::{
    EVIDENCE_FORMAT, Evidence, Fence, IncarnationEvidence, PartitionEvidence, PayloadEvidence,
    TableEvidence, WitnessEvidence,
};
use cutover_model::plan::{Runbook, RunbookClass, RunbookStep};
use cutover_model::run_folder::{LedgerKind, RUN_FORMAT, RunManifest, RunStatus};
use cutover_model::{
    ChangeRow, EventKind, Incarnation, Lsn, Op, ProofLevel, RunEvent, RunFolder, Verdict,
};

/// Markup, quotes, a mark that turns the line around, control characters, an entity.
pub const HOSTILE: &str = "<script>document.title='owned'</script>\"'><img src=x onerror=\"document.title='owned'\">\
                           \u{202e}gnp.exe\u{1b}[2J\u{7}\u{2028}&lt;b&gt;</style></svg></title>";

/// The content of a key, which no page shows unless it is asked to.
pub const SECRET: &str = "canary-4711";

/// Writes a run in which so many committed changes were never published.
pub fn write(folder: &Path, lost: i64) {
    let run = RunFolder::at(folder);
    std::fs::create_dir_all(run.ledgers()).unwrap();
    write_manifest(&run, &manifest()).unwrap();
    write_evidence(&run, &evidence()).unwrap();
    let rows: Vec<ChangeRow> = (1..=lost + 3).map(change).collect();
    ledger(&run, LedgerKind::Committed, &rows);
    let published: Vec<ChangeRow> = rows
        .into_iter()
        .skip(usize::try_from(lost).unwrap())
        .zip(0..)
        .map(|(row, offset)| ChangeRow {
            topic: Some(HOSTILE.into()),
            partition: Some(0),
            record_offset: Some(offset),
            commit_lsn: None,
            ordinal: None,
            ..row
        })
        .collect();
    ledger(&run, LedgerKind::Published, &published);
    let stored = StoredWriter::create(&run.ledger(LedgerKind::Stored), 2).unwrap();
    stored.finish().unwrap();
    std::fs::write(run.events(), events()).unwrap();
}

fn ledger(run: &RunFolder, kind: LedgerKind, rows: &[ChangeRow]) {
    let mut writer = ChangeWriter::create(&run.ledger(kind), 2).unwrap();
    for row in rows {
        writer.append(row).unwrap();
    }
    writer.finish().unwrap();
}

fn change(number: i64) -> ChangeRow {
    let key = format!("{{\"id\":\"{SECRET}-{number}{HOSTILE}\"}}");
    ChangeRow {
        key_hash: key_hash(HOSTILE, &key),
        key: Some(key),
        after: Some(number),
        revision: Some(1),
        xid: Some(1000 + number),
        lsn: Some(number * 100),
        commit_lsn: Some(number * 100 + 50),
        ordinal: Some(0),
        // During the step of `events`.
        time_ms: Some(1_795_457_056_000),
        ..ChangeRow::new(0, HOSTILE, Op::Create)
    }
}

fn evidence() -> Evidence {
    Evidence {
        format: EVIDENCE_FORMAT.into(),
        buckets: 2,
        incarnations: vec![IncarnationEvidence {
            incarnation: Incarnation {
                system_id: 7,
                timeline: 1,
                database_oid: 5,
            },
            label: HOSTILE.into(),
            kept_before: None,
            forked_at: None,
            witness: Some(WitnessEvidence {
                slot: "witness".into(),
                from: Lsn(0),
                through: Lsn(1 << 40),
                complete: true,
            }),
        }],
        sequences: Vec::new(),
        fence: Some(Fence {
            token: "fence".into(),
            incarnation: 0,
            lsn: Lsn(1 << 40),
            seen_in_topic: true,
            offset_stored: true,
            confirmed: true,
            witnessed: true,
        }),
        partitions: vec![PartitionEvidence {
            topic: HOSTILE.into(),
            partition: 0,
            start: 0,
            end: 1 << 40,
            complete: true,
            cuts: vec![(0, 0)],
        }],
        tables: vec![TableEvidence {
            relation: HOSTILE.into(),
            keyed: true,
            stored: false,
            not_compared: vec![(HOSTILE.into(), HOSTILE.into())],
        }],
        payload: PayloadEvidence {
            format: HOSTILE.into(),
            has_lsn: true,
            has_op: true,
            undecoded: 0,
            undecoded_samples: vec![],
            undecoded_kinds: Default::default(),
        },
        tombstones: true,
        deletes: Default::default(),
        snapshot_allowed: false,
        no_snapshot: false,
        elsewhere: Vec::new(),
        attempted: false,
        transaction_metadata: false,
        acknowledged: Vec::new(),
        connector_ended: Some(HOSTILE.into()),
        stream: None,
        problems: vec![HOSTILE.into()],
        scope: Default::default(),
    }
}

fn manifest() -> RunManifest {
    RunManifest {
        format: RUN_FORMAT.into(),
        cutover: "0.1.0".into(),
        scenario: HOSTILE.into(),
        title: HOSTILE.into(),
        expected: Verdict::Pass,
        expected_proof_level: ProofLevel::P3,
        expected_findings: vec![],
        expected_consequences: vec![],
        lesson: Some(HOSTILE.into()),
        started: "2026-11-23T18:04:12.000Z".into(),
        ended: Some("2026-11-23T18:05:12.000Z".into()),
        status: RunStatus::Finished,
        cause: None,
        seed: 7,
        refused_write_seconds: 2.0,
        server_restart_seconds: 0.5,
        stack: Default::default(),
        phases: vec![],
        runbook: Some(Runbook {
            name: HOSTILE.into(),
            title: HOSTILE.into(),
            class: RunbookClass::Baseline,
            steps: vec![RunbookStep {
                number: 1,
                step: HOSTILE.into(),
                title: HOSTILE.into(),
                proof: None,
                undo: None,
                point_of_no_return: true,
            }],
        }),
        prediction: None,
        connector_refused: Some(HOSTILE.into()),
        machine: Some(HOSTILE.into()),
        repeat: Some(HOSTILE.into()),
    }
}

/// A minute with a cutover in it.
fn events() -> String {
    let mut lines = String::new();
    let mut tell = |seconds: u32, kind| {
        let event = RunEvent {
            format: EVENT_FORMAT.into(),
            index: lines.lines().count() as u64 + 1,
            time: format!("2026-11-23T18:04:{seconds:02}.000Z"),
            scenario: Some(HOSTILE.into()),
            kind,
        };
        lines.push_str(&serde_json::to_string(&event).unwrap());
        lines.push('\n');
    };
    let phase = |name: &str| EventKind::PhaseStarted { name: name.into() };
    let over = |name: &str| EventKind::PhaseEnded {
        name: name.into(),
        seconds: 1.0,
    };
    tell(0, phase(HOSTILE));
    for second in 0..12 {
        let counted = Some(u64::from(second) * 400);
        tell(
            second,
            EventKind::Sample {
                committed: counted,
                published: counted,
            },
        );
    }
    tell(12, over(HOSTILE));
    tell(12, phase("cutover"));
    tell(
        13,
        EventKind::StepStarted {
            number: 1,
            step: HOSTILE.into(),
            title: HOSTILE.into(),
        },
    );
    tell(
        18,
        EventKind::StepDone {
            number: 1,
            step: HOSTILE.into(),
            what: HOSTILE.into(),
            seconds: 5.0,
        },
    );
    tell(20, over("cutover"));
    tell(
        50,
        EventKind::WritesRefused {
            from: "2026-11-23T18:04:14.000Z".into(),
            seconds: 2.0,
            refusals: 9,
            ended: true,
        },
    );
    tell(
        50,
        EventKind::Warning {
            text: HOSTILE.into(),
        },
    );
    lines
}
