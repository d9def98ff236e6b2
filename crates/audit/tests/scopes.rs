//! Streams that were recorded in part: their states without a witness, or a window without their tables.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use cutover_model::evidence::Scope;
use cutover_model::{ChangeRow, FindingKind, Lsn, Op, ProofLevel, Verdict};
use support::{Run, change, key, kinds};

const ORDERS: &str = "public.orders";

/// Key 1: create, update, update. Key 2: create, delete. As a stream that was there before.
fn states() -> Run {
    let mut run = Run::new(1);
    run.evidence.scope = Scope::States;
    run.evidence.attempted = false;
    run.evidence.incarnations[0].witness = None;
    let row = |id: i64, op, before, after| change(0, ORDERS, op, Some(&key(id)), (before, after));
    run.commit(row(1, Op::Create, None, Some(11)))
        .commit(row(1, Op::Update, Some(11), Some(12)))
        .commit(row(2, Op::Create, None, Some(21)))
        .commit(row(2, Op::Delete, Some(21), None))
        .commit(row(1, Op::Update, Some(12), Some(13)));
    run.store(ORDERS, Some(&key(1)), 13);
    // Nobody watched.
    run.committed.clear();
    run.attempted.clear();
    run
}

/// Nothing was written, so nothing arrived for certain.
fn without_arrival(run: &mut Run) {
    let fence = run.evidence.fence.as_mut().unwrap();
    fence.token.clear();
    (fence.seen_in_topic, fence.offset_stored) = (false, false);
    (fence.confirmed, fence.witnessed) = (false, false);
}

fn record(run: &Run, offset: i64) -> ChangeRow {
    let found = run
        .published
        .iter()
        .find(|row| row.record_offset == Some(offset));
    found.unwrap().clone()
}

#[test]
fn states_that_fit_pass_without_witness_and_fence_and_say_what_was_not_judged() {
    let mut run = states();
    without_arrival(&mut run);
    let (judgement, findings) = run.judge();
    assert_eq!(findings, []);
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Pass, ProofLevel::P2),
        "{:?}",
        judgement.reasons
    );
    assert_eq!(judgement.reasons.len(), 1, "{:?}", judgement.reasons);
    assert!(judgement.reasons[0].contains("no witness"));
    let names: Vec<&str> = judgement
        .checks
        .iter()
        .map(|check| check.check.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "i3_repeated",
            "i7_resurrection",
            "i8_state",
            "i9_reread",
            "i10_transaction"
        ]
    );
}

#[test]
fn a_state_that_does_not_fit_convicts_only_once_everything_has_arrived() {
    let mut run = states();
    run.stored[0].image = Some(99);
    let (judgement, findings) = run.judge();
    assert_eq!(kinds(&findings), [("i8_state", FindingKind::Divergent)]);
    assert_eq!(judgement.verdict, Verdict::Fail);
    without_arrival(&mut run);
    let (judgement, _) = run.judge();
    assert_eq!(judgement.verdict, Verdict::Unknown, "late is not lost");
    let reasons = judgement.reasons.join(" | ");
    assert!(reasons.contains("may still come"), "{reasons}");
}

#[test]
fn a_record_that_repeats_a_change_is_named_without_a_witness_and_equal_rows_of_other_keys_are_not()
{
    let mut run = states();
    // A COPY: another key at the same position.
    let other = ChangeRow {
        record_offset: Some(60),
        ..change(0, ORDERS, Op::Create, Some(&key(3)), (None, Some(11)))
    };
    let of_copy = ChangeRow {
        xid: record(&run, 10).xid,
        lsn: record(&run, 10).lsn,
        topic: Some("t".into()),
        partition: Some(0),
        ..other
    };
    run.published.push(of_copy);
    run.store(ORDERS, Some(&key(3)), 11);
    assert_eq!(run.judge().1, []);
    let again = ChangeRow {
        record_offset: Some(70),
        ..record(&run, 50)
    };
    run.published.push(again);
    let (judgement, findings) = run.judge();
    assert_eq!(kinds(&findings), [("i3_repeated", FindingKind::Duplicated)]);
    assert_eq!(findings[0].record_offset, Some(70));
    assert_eq!(judgement.verdict, Verdict::Fail);
}

#[test]
fn the_first_snapshot_is_expected_and_a_second_reading_is_not_unless_it_was_wanted() {
    let mut run = states();
    let read = |offset, after| ChangeRow {
        topic: Some("t".into()),
        partition: Some(0),
        record_offset: Some(offset),
        lsn: Some(1),
        ..change(0, ORDERS, Op::Read, Some(&key(7)), (None, Some(after)))
    };
    run.published.push(read(1, 70));
    run.store(ORDERS, Some(&key(7)), 70);
    assert_eq!(run.judge().1, []);
    run.published.push(read(90, 70));
    let (judgement, findings) = run.judge();
    assert_eq!(
        kinds(&findings),
        [("i9_reread", FindingKind::UnplannedSnapshot)]
    );
    assert_eq!(judgement.verdict, Verdict::Fail);
    run.evidence.snapshot_allowed = true;
    assert_eq!(run.judge().1, []);
}

#[test]
fn topics_that_lost_their_beginning_prove_nothing_of_states() {
    let mut run = states();
    run.evidence.partitions[0].start = 5;
    let (judgement, _) = run.judge();
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Unknown, ProofLevel::P0)
    );
}

/// A window of changes, which begins in the midst of the topics.
fn window() -> Run {
    let mut run = states();
    let row = |id: i64, op, before, after| change(0, ORDERS, op, Some(&key(id)), (before, after));
    run.published.clear();
    run.stored.clear();
    run.evidence.scope = Scope::Window;
    run.evidence.incarnations = support::evidence(1, 2).incarnations;
    for partition in &mut run.evidence.partitions {
        partition.start = 5;
    }
    run.commit(row(1, Op::Update, Some(11), Some(12)))
        .commit(row(2, Op::Delete, Some(21), None));
    run
}

#[test]
fn a_window_is_judged_event_by_event_without_tables_and_without_what_was_before() {
    let run = window();
    let (judgement, findings) = run.judge();
    assert_eq!(findings, []);
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Pass, ProofLevel::P4),
        "{:?}",
        judgement.reasons
    );
    let mut lossy = window();
    lossy.published.retain(|row| row.record_offset != Some(10));
    let (judgement, findings) = lossy.judge();
    assert!(kinds(&findings).contains(&("i1_complete", FindingKind::Lost)));
    assert_eq!(judgement.verdict, Verdict::Fail);
    let mut blind = window();
    if let Some(witness) = &mut blind.evidence.incarnations[0].witness {
        (witness.through, witness.complete) = (Lsn(1), false);
    }
    assert_eq!(blind.judge().0.verdict, Verdict::Unknown);
}

#[test]
fn rows_from_before_a_connector_without_snapshot_are_not_divergent_and_others_are() {
    let mut run = states();
    run.store("public.orders", Some(&key(77)), 7);
    let (judgement, _) = run.judge();
    assert_eq!(judgement.verdict, Verdict::Fail);
    run.evidence.no_snapshot = true;
    let (judgement, findings) = run.judge();
    assert_eq!((judgement.verdict, findings), (Verdict::Unknown, vec![]));
    let told = judgement.reasons.join("; ");
    assert!(told.contains("1 rows have no record"), "{told}");
    // Whatever a table held before the capture is gone after a truncate.
    let mut truncated = states();
    truncated.evidence.no_snapshot = true;
    let mut cleared = change(0, ORDERS, Op::Truncate, None, (None, None));
    let last = truncated.published.last().unwrap().clone();
    (cleared.topic, cleared.partition) = (last.topic.clone(), last.partition);
    cleared.record_offset = last.record_offset.map(|offset| offset + 10);
    cleared.lsn = last.lsn.map(|lsn| lsn + 10);
    truncated.published.push(cleared);
    assert_eq!(truncated.judge().0.verdict, Verdict::Fail);
    truncated.stored.clear();
    assert_eq!(truncated.judge().0.verdict, Verdict::Pass);
    // A row that the topic ends otherwise than it is stored was captured.
    run.stored[0].image = Some(-1);
    assert_eq!(run.judge().0.verdict, Verdict::Fail);
}

/// An untouched large value is not in the record, so whether it holds the stored row nobody knows: a lost update of the
/// same key would look the same.
#[test]
fn a_state_whose_last_record_is_not_known_as_a_whole_is_no_pass() {
    let mut run = states();
    let last = run
        .published
        .iter_mut()
        .rev()
        .find(|row| row.op == Op::Update);
    last.unwrap().after = None;
    let (judgement, _) = run.judge();
    assert_eq!(
        judgement.verdict,
        Verdict::Unknown,
        "{:?}",
        judgement.reasons
    );
    let told = judgement.reasons.join("; ");
    assert!(
        told.contains("1 keys end with a record that does not hold the whole row"),
        "{told}"
    );
}

/// A record from before an ALTER TABLE: with what was filled in since it is the stored row, or nobody knows.
#[test]
fn a_record_of_an_older_form_says_something_only_where_it_is_the_stored_row() {
    let older = |filled| {
        let mut run = states();
        let last = run
            .published
            .iter_mut()
            .rev()
            .find(|row| row.op == Op::Update);
        let last = last.unwrap();
        // Neither the row nor its revision is known of an older form.
        (last.after, last.revision, last.filled) = (None, None, filled);
        run
    };
    let (judgement, findings) = older(Some(13)).judge();
    let told = judgement.reasons.join("; ");
    assert_eq!(
        (judgement.verdict, findings),
        (Verdict::Pass, vec![]),
        "{told}"
    );
    assert!(
        told.contains("1 keys end with a record from before an ALTER TABLE"),
        "{told}"
    );
    // A lost change, or a value that was computed for each row.
    for filled in [Some(12), None] {
        let (judgement, findings) = older(filled).judge();
        let told = judgement.reasons.join("; ");
        assert_eq!(
            (judgement.verdict, findings),
            (Verdict::Unknown, vec![]),
            "{told}"
        );
        assert!(
            told.contains("1 keys end with a record that does not hold"),
            "{told}"
        );
    }
    // Of two last records, both must be.
    let mut split = older(Some(13));
    let other = ChangeRow {
        partition: Some(1),
        record_offset: Some(900),
        lsn: Some(999),
        filled: Some(12),
        ..record(&split, 50)
    };
    split.published.push(other);
    assert_eq!(split.judge().0.verdict, Verdict::Unknown);
    // And a row that is gone is gone, whatever form its record has.
    let mut gone = older(Some(13));
    gone.stored.clear();
    assert_eq!(gone.judge().0.verdict, Verdict::Fail);
}

#[test]
fn what_is_missing_behind_a_transformation_that_is_not_followed_is_not_called_lost() {
    let mut run = states();
    run.store("public.orders", Some(&key(77)), 7);
    run.evidence.elsewhere = vec!["transformation 'x' is not followed".into()];
    let (judgement, _) = run.judge();
    assert_eq!(judgement.verdict, Verdict::Unknown);
    let told = judgement.reasons.join("; ");
    assert!(told.contains("not followed"), "{told}");
}
