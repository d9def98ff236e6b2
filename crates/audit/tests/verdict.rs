//! Every rule of the verdict, on otherwise clean runs: what is missing is named and never passes.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use cutover_audit::judge;
use cutover_ledger::LedgerError;
use cutover_model::evidence::Deletes;
use cutover_model::run_folder::LedgerKind;
use cutover_model::{
    ChangeRow, Classified, Evidence, ExitCode, FindingKind, Lsn, Op, ProofLevel, RunFolder, Verdict,
};
use support::{Run, block_on, change, key};

const ORDERS: &str = "public.orders";

fn clean() -> Run {
    let mut run = Run::new(1);
    run.evidence.buckets = 1;
    let row = |id: i64| change(0, ORDERS, Op::Create, Some(&key(id)), (None, Some(id)));
    for id in 1..5 {
        run.commit(row(id)).store(ORDERS, Some(&key(id)), id);
    }
    run
}

/// A clean run with another evidence: verdict, level, and what the reasons must say.
fn with(alter: impl Fn(&mut Evidence), level: ProofLevel, reason: &str) {
    let mut run = clean();
    alter(&mut run.evidence);
    let (judgement, findings) = run.judge();
    assert_eq!(findings, []);
    let reasons = judgement.reasons.join(" | ");
    assert_eq!(judgement.verdict, Verdict::Unknown, "{reasons}");
    assert_eq!(judgement.proof_level, level, "{reasons}");
    assert!(reasons.contains(reason), "'{reason}' is not in: {reasons}");
}

#[test]
fn without_a_fence_seen_everywhere_nothing_passes() {
    with(
        |evidence| evidence.fence = None,
        ProofLevel::P3,
        "no fence was written",
    );
    type Flaw = fn(&mut cutover_model::evidence::Fence);
    let flaws: [(Flaw, &str); 5] = [
        (|fence| fence.seen_in_topic = false, "not seen in Kafka"),
        (|fence| fence.offset_stored = false, "stored offset"),
        (|fence| fence.confirmed = false, "confirmed position"),
        (|fence| fence.witnessed = false, "not seen by the witness"),
        (|fence| fence.incarnation = 3, "last incarnation"),
    ];
    for (flaw, reason) in flaws {
        let spoil = |evidence: &mut Evidence| flaw(evidence.fence.as_mut().unwrap());
        with(spoil, ProofLevel::P3, reason);
    }
}

#[test]
fn a_partition_that_was_not_read_whole_makes_the_run_unknown() {
    with(
        |evidence| evidence.partitions[1].complete = false,
        ProofLevel::P2,
        "partition t/1 was not read to its end",
    );
    with(
        |evidence| evidence.partitions[2].start = 5,
        ProofLevel::P2,
        "partition t/2 begins at offset 5",
    );
    with(
        |evidence| evidence.partitions.clear(),
        ProofLevel::P2,
        "no topic partition was read",
    );
}

#[test]
fn a_witness_that_is_missing_or_incomplete_makes_the_run_unknown() {
    with(
        |evidence| evidence.incarnations[0].witness = None,
        ProofLevel::P2,
        "PostgreSQL of timeline 1 had no witness",
    );
    with(
        |evidence| {
            let witness = evidence.incarnations[0].witness.as_mut().unwrap();
            (witness.complete, witness.through) = (false, Lsn(0x20));
        },
        ProofLevel::P2,
        "saw its log only from 0/0 to 0/20",
    );
}

#[test]
fn records_without_identity_leave_the_state_fold_at_best() {
    with(
        |evidence| evidence.payload.has_lsn = false,
        ProofLevel::P1,
        "records do not carry their LSN",
    );
    with(
        |evidence| evidence.payload.has_op = false,
        ProofLevel::P0,
        "records do not carry their operation",
    );
}

#[test]
fn undecoded_records_and_recording_problems_are_named() {
    with(
        |evidence| {
            evidence.payload.undecoded = 2;
            evidence.payload.undecoded_samples = vec!["t/0/7: no JSON".into()];
        },
        ProofLevel::P0,
        "2 records could not be decoded, first: t/0/7: no JSON",
    );
    with(
        |evidence| {
            evidence.payload.undecoded = 4;
            evidence.payload.undecoded_samples = vec!["t/0/7: no JSON".into()];
            evidence.payload.undecoded_kinds = [("an old frame", 1), ("no JSON", 3)]
                .map(|(why, n)| (why.to_owned(), n))
                .into();
        },
        ProofLevel::P0,
        "4 records could not be decoded, 3 no JSON, 1 an old frame, first: t/0/7: no JSON",
    );
    with(
        |evidence| evidence.problems = vec!["the broker died".into()],
        ProofLevel::P4,
        "the broker died",
    );
}

#[test]
fn a_table_that_was_not_stored_leaves_the_state_unknown() {
    with(
        |evidence| evidence.tables[0].stored = false,
        ProofLevel::P4,
        "the rows of public.orders were not read",
    );
}

#[test]
fn columns_that_were_not_compared_lower_the_level_but_not_the_verdict() {
    let mut run = clean();
    run.evidence.tables[0].not_compared = vec![("shape".into(), "type 600".into())];
    let (judgement, _) = run.judge();
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Pass, ProofLevel::P3)
    );
    assert_eq!(
        judgement.reasons,
        ["content of public.orders.shape was not compared: type 600"]
    );
}

#[test]
fn what_is_missing_is_late_and_not_lost_while_the_fence_has_not_arrived() {
    let mut run = clean();
    run.published.pop();
    assert_eq!(run.judge().0.verdict, Verdict::Fail);
    run.evidence.fence.as_mut().unwrap().seen_in_topic = false;
    let (judgement, _) = run.judge();
    assert_eq!(
        (judgement.verdict, judgement.counts.lost),
        (Verdict::Unknown, 1)
    );
    assert!(
        judgement
            .reasons
            .iter()
            .any(|reason| reason.contains("not seen in Kafka"))
    );
}

#[test]
fn a_loss_does_not_convict_if_the_record_may_merely_be_unread() {
    let mut run = clean();
    run.published.pop();
    let mut unread = run.clone();
    unread.evidence.partitions[0].complete = false;
    let (judgement, findings) = unread.judge();
    assert_eq!(judgement.verdict, Verdict::Unknown);
    assert!(
        findings
            .iter()
            .any(|finding| finding.kind == FindingKind::Lost)
    );

    run.evidence.payload.undecoded = 1;
    assert_eq!(run.judge().0.verdict, Verdict::Unknown);
    run.published.pop();
    let (judgement, _) = run.judge();
    assert_eq!(judgement.verdict, Verdict::Fail, "two lost, one undecoded");
}

#[test]
fn a_committed_ledger_with_holes_is_noticed() {
    let mut run = clean();
    run.committed[1].ordinal = Some(1);
    let (judgement, _) = run.judge();
    assert_eq!(judgement.verdict, Verdict::Unknown);
    assert!(
        judgement
            .reasons
            .iter()
            .any(|reason| reason.contains("1 transactions whole"))
    );
}

#[test]
fn without_a_workload_of_ours_nothing_was_attempted_and_nothing_is_asked_of_it() {
    let mut run = clean();
    run.attempted.clear();
    assert_eq!(
        run.judge().0.verdict,
        Verdict::Unknown,
        "an empty ledger proves nothing"
    );
    run.evidence.attempted = false;
    let (judgement, _) = run.judge();
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Pass, ProofLevel::P4)
    );
    assert_eq!(judgement.checks.len(), 12);
}

#[test]
fn an_empty_run_proves_nothing() {
    let run = Run::new(1);
    let (judgement, findings) = run.judge();
    assert_eq!((judgement.verdict, findings.len()), (Verdict::Unknown, 0));
    assert!(
        judgement
            .reasons
            .iter()
            .any(|reason| reason.contains("committed ledger is empty"))
    );
}

#[test]
fn a_missing_unfinished_or_torn_ledger_is_unknown_and_named() {
    for kind in LedgerKind::ALL {
        for damage in ["remove", "unfinish", "tear"] {
            let folder = tempfile::tempdir().unwrap();
            let run = RunFolder::at(folder.path());
            clean().write(&run);
            let ledger = run.ledger(kind);
            match damage {
                "remove" => std::fs::remove_dir_all(&ledger).unwrap(),
                "unfinish" => std::fs::remove_file(ledger.join("ledger.json")).unwrap(),
                _ => {
                    let part = ledger.join("bucket=00/part-00000.parquet");
                    let bytes = std::fs::read(&part).unwrap();
                    std::fs::write(&part, &bytes[..bytes.len() / 2]).unwrap();
                }
            }
            let judgement = block_on(judge(&run)).unwrap();
            assert_eq!(judgement.verdict, Verdict::Unknown, "{kind:?} {damage}");
            let reasons = judgement.reasons.join(" | ");
            let named = format!("the {} ledger cannot be read", kind.name());
            assert!(reasons.contains(&named), "{reasons}");
        }
    }
}

#[test]
fn damage_inside_a_ledger_file_never_passes() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    clean().write(&run);
    let part = run
        .ledger(LedgerKind::Published)
        .join("bucket=00/part-00000.parquet");
    let mut bytes = std::fs::read(&part).unwrap();
    bytes[4..400].fill(0xEE);
    std::fs::write(&part, bytes).unwrap();
    let judgement = block_on(judge(&run)).unwrap();
    assert_eq!(judgement.verdict, Verdict::Unknown, "{judgement:#?}");
    assert!(judgement.proof_level <= ProofLevel::P2);
}

#[test]
fn folders_that_are_no_run_or_of_a_newer_format_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    let error = block_on(judge(&run)).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Unknown);

    clean().write(&run);
    let text = std::fs::read_to_string(run.evidence()).unwrap();
    std::fs::write(run.evidence(), text.replace("evidence/1", "evidence/2")).unwrap();
    let error = block_on(judge(&run)).unwrap_err();
    let newer = matches!(
        &error,
        cutover_audit::AuditError::Ledger(LedgerError::Newer { .. })
    );
    assert!(newer, "{error}");
    assert_eq!(error.exit_code(), ExitCode::Usage);
}

#[test]
fn judging_twice_gives_the_same_judgement() {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    let mut broken = clean();
    broken.published.remove(1);
    let copy = ChangeRow {
        record_offset: Some(900),
        ..broken.published[0].clone()
    };
    broken.published.push(copy);
    broken.write(&run);
    let first = block_on(judge(&run)).unwrap();
    let bytes = std::fs::read(run.findings()).unwrap();
    assert_eq!(block_on(judge(&run)).unwrap(), first);
    assert_eq!(std::fs::read(run.findings()).unwrap(), bytes);
}

#[test]
fn what_is_missing_convicts_when_the_connector_has_ended_and_not_before() {
    let mut run = clean();
    let lost = run.published.pop();
    assert!(lost.is_some());
    if let Some(fence) = &mut run.evidence.fence {
        (fence.seen_in_topic, fence.offset_stored, fence.confirmed) = (false, false, false);
    }
    let (late, _) = run.judge();
    assert_eq!(late.verdict, Verdict::Unknown, "late is not lost");
    run.evidence.connector_ended = Some("no longer available".into());
    let (ended, _) = run.judge();
    assert_eq!(ended.verdict, Verdict::Fail);
    let reasons = ended.reasons.join(" | ");
    assert!(
        reasons.contains("the connector brings nothing more: no longer available"),
        "{reasons}"
    );
}

#[test]
fn deletes_that_a_transformation_takes_away_are_neither_lost_nor_proven() {
    let mut run = clean();
    run.commit(change(
        0,
        ORDERS,
        Op::Delete,
        Some(&key(1)),
        (Some(1), None),
    ));
    run.stored.remove(0);
    assert_eq!(run.judge().0.verdict, Verdict::Pass);
    run.published.retain(|row| row.op != Op::Delete);
    assert_eq!(
        run.judge().0.verdict,
        Verdict::Fail,
        "nothing says that it is meant so"
    );
    run.evidence.deletes = Deletes::TombstoneOnly;
    let verdicts = |run: &Run| {
        let (judgement, findings) = run.judge();
        assert_eq!(findings, []);
        assert_eq!(judgement.verdict, Verdict::Unknown);
        let fold = judgement
            .checks
            .iter()
            .find(|check| check.check == "i8_state");
        (fold.unwrap().verdict, judgement.proof_level)
    };
    assert_eq!(verdicts(&run), (Verdict::Pass, ProofLevel::P1));
    run.published.retain(|row| row.op != Op::Tombstone);
    run.evidence.deletes = Deletes::Dropped;
    assert_eq!(verdicts(&run), (Verdict::Unknown, ProofLevel::P0));
}
