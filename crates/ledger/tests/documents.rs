//! Evidence, manifest and findings: round trips, and files that are missing, foreign, newer or
//! broken.

use std::fs;

use cutover_ledger::{
    LedgerError, read_evidence, read_findings, read_manifest, write_evidence, write_findings,
    write_manifest,
};
use cutover_model::evidence::{
    EVIDENCE_FORMAT, Fence, IncarnationEvidence, PartitionEvidence, PayloadEvidence,
    SequenceEvidence, TableEvidence, WitnessEvidence,
};
use cutover_model::plan::{Runbook, RunbookClass, RunbookStep};
use cutover_model::result::{Phase, Stack};
use cutover_model::run_folder::{RUN_FORMAT, RunManifest, RunStatus};
use cutover_model::{
    Classified, Evidence, ExitCode, Finding, FindingKind, Incarnation, Lsn, ProofLevel, RunFolder,
    Verdict,
};

fn evidence() -> Evidence {
    Evidence {
        format: EVIDENCE_FORMAT.into(),
        buckets: 4,
        incarnations: vec![IncarnationEvidence {
            incarnation: Incarnation {
                system_id: u64::MAX,
                timeline: 1,
                database_oid: 5,
            },
            label: "PostgreSQL 16.2".into(),
            kept_before: None,
            forked_at: None,
            witness: Some(WitnessEvidence {
                slot: "cutover_witness".into(),
                from: Lsn(1),
                through: Lsn(2),
                complete: true,
            }),
        }],
        fence: Some(Fence {
            token: "t".into(),
            incarnation: 0,
            lsn: Lsn(3),
            seen_in_topic: true,
            offset_stored: true,
            confirmed: false,
            witnessed: true,
        }),
        partitions: vec![PartitionEvidence {
            topic: "t.public.orders".into(),
            partition: 0,
            start: 0,
            end: 9,
            complete: true,
            cuts: vec![(0, 0), (1, 5)],
        }],
        tables: vec![TableEvidence {
            relation: "public.orders".into(),
            keyed: true,
            stored: true,
            not_compared: vec![("shape".into(), "type 600".into())],
        }],
        payload: PayloadEvidence {
            format: "debezium envelope".into(),
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
        attempted: true,
        transaction_metadata: false,
        acknowledged: Vec::new(),
        sequences: vec![SequenceEvidence {
            name: "public.orders_id_seq".into(),
            incarnation: 1,
            descending: false,
            used: Some(7),
            next: None,
        }],
        connector_ended: None,
        stream: None,
        problems: vec!["p".into()],
        scope: cutover_model::evidence::Scope::Window,
    }
}

fn manifest() -> RunManifest {
    RunManifest {
        format: RUN_FORMAT.into(),
        cutover: "0.1.0".into(),
        scenario: "minor".into(),
        title: "16.2 to 16.14".into(),
        expected: Verdict::Pass,
        expected_proof_level: ProofLevel::P3,
        expected_findings: vec![FindingKind::Lost],
        expected_consequences: vec![FindingKind::Divergent],
        lesson: None,
        started: "2026-01-01T00:00:00.000Z".into(),
        ended: Some("2026-01-01T00:01:00.000Z".into()),
        status: RunStatus::Interrupted,
        cause: Some("SIGTERM".into()),
        seed: 7,
        refused_write_seconds: 0.5,
        server_restart_seconds: 0.25,
        stack: Stack::default(),
        phases: vec![Phase {
            name: "load".into(),
            seconds: 1.5,
        }],
        runbook: Some(Runbook {
            name: "minor-proven".into(),
            title: "t".into(),
            class: RunbookClass::Proven,
            steps: vec![RunbookStep {
                number: 1,
                step: "drain".into(),
                title: "t".into(),
                proof: None,
                undo: None,
                point_of_no_return: true,
            }],
        }),
        prediction: None,
        connector_refused: None,
        machine: None,
        repeat: None,
    }
}

#[test]
fn evidence_and_manifest_come_back_as_written_and_leave_no_temporary_file() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    write_evidence(&run, &evidence()).unwrap();
    write_manifest(&run, &manifest()).unwrap();
    write_manifest(&run, &manifest()).unwrap();
    assert_eq!(read_evidence(&run).unwrap(), evidence());
    assert_eq!(read_manifest(&run).unwrap(), manifest());
    let leftovers = fs::read_dir(folder.path()).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .path()
            .extension()
            .is_some_and(|e| e == "tmp")
    });
    assert_eq!(leftovers.count(), 0);
}

#[test]
fn a_folder_that_is_no_run_is_incomplete_not_an_internal_error() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    for error in [read_evidence(&run).err(), read_manifest(&run).err()] {
        let error = error.unwrap();
        assert!(matches!(error, LedgerError::Incomplete { .. }), "{error}");
        assert_eq!(error.exit_code(), ExitCode::Unknown);
    }
    assert!(matches!(
        read_findings(&run.findings()).err().unwrap(),
        LedgerError::Incomplete { .. }
    ));
}

#[test]
fn foreign_newer_and_damaged_documents_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    write_evidence(&run, &evidence()).unwrap();
    write_manifest(&run, &manifest()).unwrap();
    let toml = fs::read_to_string(run.manifest()).unwrap();
    let json = fs::read_to_string(run.evidence()).unwrap();

    fs::write(
        run.manifest(),
        toml.replace("cutover.run/1", "cutover.run/2\"\nnew = \"x"),
    )
    .unwrap();
    fs::write(
        run.evidence(),
        json.replace("cutover.evidence/1", "cutover.evidence/2"),
    )
    .unwrap();
    assert!(matches!(
        read_manifest(&run).unwrap_err(),
        LedgerError::Newer { .. }
    ));
    assert!(matches!(
        read_evidence(&run).unwrap_err(),
        LedgerError::Newer { .. }
    ));

    fs::write(run.manifest(), "name = 'another program'").unwrap();
    fs::write(run.evidence(), "[1, 2]").unwrap();
    assert!(matches!(
        read_manifest(&run).unwrap_err(),
        LedgerError::NotOurs { .. }
    ));
    assert!(matches!(
        read_evidence(&run).unwrap_err(),
        LedgerError::NotOurs { .. }
    ));
    fs::write(run.manifest(), [0xFF, 0xFE]).unwrap();
    assert!(matches!(
        read_manifest(&run).unwrap_err(),
        LedgerError::NotOurs { .. }
    ));

    fs::write(run.manifest(), toml.replace("seed = 7", "")).unwrap();
    fs::write(run.evidence(), json.replace("\"tombstones\": true,", "")).unwrap();
    assert!(matches!(
        read_manifest(&run).unwrap_err(),
        LedgerError::Damaged { .. }
    ));
    assert!(matches!(
        read_evidence(&run).unwrap_err(),
        LedgerError::Damaged { .. }
    ));
}

#[test]
fn findings_come_back_in_order_and_replace_older_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = RunFolder::at(folder.path()).findings();
    let finding = |number: i64| Finding {
        check: "i1_complete".into(),
        kind: FindingKind::TombstoneMissing,
        incarnation: None,
        relation: "public.orders".into(),
        key: None,
        op: Some("u".into()),
        revision: None,
        lsn: Some(number),
        xid: None,
        topic: None,
        partition: None,
        record_offset: Some(number),
        detail: "one line".into(),
    };
    let findings: Vec<Finding> = (0..10_000).map(finding).collect();
    write_findings(&path, &mut findings.clone().into_iter()).unwrap();
    let read: Vec<Finding> = read_findings(&path).unwrap().map(Result::unwrap).collect();
    assert_eq!(read, findings);
    write_findings(&path, &mut std::iter::empty()).unwrap();
    assert_eq!(read_findings(&path).unwrap().count(), 0);
}
