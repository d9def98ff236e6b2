//! What holds between events: the chain of a key (I6), whole transactions (I10), what was confirmed (I11), truncates
//! (I14). Each against a clean ledger and against one that was broken by hand in one place.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use cutover_model::evidence::{Acknowledged, SequenceEvidence};
use cutover_model::result::CheckResult;
use cutover_model::{ChangeRow, FindingKind, Half, Lsn, Op, RunFolder, TransactionMark, Verdict};
use support::{Run, change, key, kinds};

const ORDERS: &str = "public.orders";

fn order(op: Op, id: i64, images: (Option<i64>, Option<i64>)) -> ChangeRow {
    change(0, ORDERS, op, Some(&key(id)), images)
}

/// Key 1: create, update, update. Key 2: create.
fn clean() -> Run {
    let mut run = Run::new(1);
    run.commit(order(Op::Create, 1, (None, Some(11))))
        .commit(order(Op::Update, 1, (Some(11), Some(12))))
        .commit(order(Op::Update, 1, (Some(12), Some(13))))
        .commit(order(Op::Create, 2, (None, Some(21))));
    run.store(ORDERS, Some(&key(1)), 13)
        .store(ORDERS, Some(&key(2)), 21);
    run
}

fn truncate() -> ChangeRow {
    change(0, ORDERS, Op::Truncate, None, (None, None))
}

fn at(run: &mut Run, offset: i64) -> &mut ChangeRow {
    let mut rows = run.published.iter_mut();
    rows.find(|row| row.record_offset == Some(offset)).unwrap()
}

/// Kinds that one check found, each with the offset of its record.
fn of(run: &Run, check: &str) -> Vec<(FindingKind, Option<i64>)> {
    let (_, findings) = run.judge();
    let mut found: Vec<_> = findings
        .iter()
        .filter(|finding| finding.check == check)
        .map(|finding| (finding.kind, finding.record_offset))
        .collect();
    found.sort_unstable();
    found
}

const BROKEN: FindingKind = FindingKind::BrokenChain;

#[test]
fn i6_names_the_record_behind_a_missing_link_and_a_beginning_that_is_none() {
    let mut run = clean();
    run.published.retain(|row| row.record_offset != Some(20));
    assert_eq!(of(&run, "i6_chain"), [(BROKEN, Some(30))]);
    run.published.retain(|row| row.record_offset != Some(10));
    assert_eq!(
        of(&run, "i6_chain"),
        [(BROKEN, Some(30))],
        "it begins with u"
    );
}

#[test]
fn i6_names_a_change_that_does_not_go_on_from_the_snapshot() {
    let mut run = clean();
    run.evidence.snapshot_allowed = true;
    let read = ChangeRow {
        xid: None,
        topic: Some("t".into()),
        partition: Some(0),
        record_offset: Some(5),
        ..order(Op::Read, 3, (None, Some(30)))
    };
    run.published.push(read);
    run.commit(order(Op::Update, 3, (Some(30), Some(31))))
        .store(ORDERS, Some(&key(3)), 31);
    assert_eq!(of(&run, "i6_chain"), []);
    at(&mut run, 5).after = Some(29);
    assert_eq!(of(&run, "i6_chain"), [(BROKEN, Some(50))]);
}

#[test]
fn i6_excuses_what_the_database_itself_committed_like_that() {
    // A column changed its type between two changes; two keys swapped places.
    let mut run = clean();
    run.commit(order(Op::Update, 1, (Some(99), Some(14))))
        .commit(order(Op::Create, 1, (None, Some(15))));
    run.stored[0].image = Some(15);
    let (judgement, findings) = run.judge();
    assert_eq!((judgement.verdict, findings), (Verdict::Pass, vec![]));
}

#[test]
fn i6_does_not_link_over_a_repair_or_a_truncate_and_does_not_judge_without_the_witness() {
    let mut run = clean();
    run.published.retain(|row| row.record_offset != Some(20));
    let mut repaired = run.clone();
    let row = ChangeRow {
        record_offset: Some(25),
        compensation: Some("gap-1".into()),
        ..at(&mut run, 10).clone()
    };
    repaired.published.push(row);
    assert_eq!(of(&repaired, "i6_chain"), []);
    run.evidence.incarnations[0].witness = None;
    let (judgement, findings) = run.judge();
    assert!(!kinds(&findings).contains(&("i6_chain", BROKEN)));
    let check = judgement
        .checks
        .iter()
        .find(|check| check.check == "i6_chain");
    assert_eq!(check.unwrap().verdict, Verdict::Unknown);
}

#[test]
fn links_that_compaction_or_retention_may_have_taken_do_not_convict() {
    let mut run = clean();
    run.published.retain(|row| row.record_offset != Some(20));
    run.committed.retain(|row| row.lsn != Some(200));
    run.attempted.retain(|row| row.revision != Some(2));
    let verdict = |run: &Run| {
        let (judgement, _) = run.judge();
        let check = judgement
            .checks
            .iter()
            .find(|check| check.check == "i6_chain");
        check.map(|check| (check.verdict, check.findings))
    };
    // Neighbours in the committed log as well: the database did it.
    assert_eq!(verdict(&run), Some((Verdict::Pass, 0)));
    let mut run = clean();
    run.published.retain(|row| row.record_offset != Some(20));
    run.evidence.partitions[0].start = 5;
    assert_eq!(verdict(&run), Some((Verdict::Unknown, 1)));
}

fn accounted() -> Run {
    let mut run = clean();
    run.account();
    run
}

const TORN: FindingKind = FindingKind::Torn;

#[test]
fn i10_holds_the_account_of_the_connector_against_the_records() {
    assert_eq!(accounted().judge().0.verdict, Verdict::Pass);
    let mut run = accounted();
    run.published.retain(|row| row.record_offset != Some(20));
    assert_eq!(
        of(&run, "i10_transaction").len(),
        2,
        "the transaction and its table"
    );

    let mut run = accounted();
    let end = |row: &&mut cutover_model::TransactionRow| row.mark == TransactionMark::End;
    let again = run.transactions.iter_mut().find(end).unwrap().clone();
    run.transactions.push(again);
    assert_eq!(of(&run, "i10_transaction"), [(TORN, Some(1))]);

    let mut run = accounted();
    run.transactions
        .retain(|row| row.mark != TransactionMark::Begin);
    assert_eq!(of(&run, "i10_transaction").len(), 4);

    let mut run = accounted();
    at(&mut run, 20).tx_order = Some(2);
    assert_eq!(
        of(&run, "i10_transaction").len(),
        1,
        "a place that there is not"
    );
}

#[test]
fn i10_takes_logical_messages_off_and_counts_copies_once() {
    let mut run = accounted();
    let mut message = run.transactions[2].clone();
    assert_eq!(message.mark, TransactionMark::Count);
    let class =
        "io.debezium.connector.postgresql.LogicalDecodingMessageMonitor$LogicalDecodingMessageId@1";
    message.relation = Some(class.into());
    run.transactions[1].events = Some(2);
    run.transactions.push(message);
    let copy = ChangeRow {
        record_offset: Some(900),
        ..at(&mut run, 40).clone()
    };
    run.published.push(copy);
    assert_eq!(of(&run, "i10_transaction"), []);
    assert_eq!(of(&run, "i3_once"), [(FindingKind::Duplicated, Some(900))]);
}

/// The script for another engine asks what the judgement asks, and says of the rest why not.
#[test]
fn what_the_judgement_does_not_ask_is_not_in_the_script() {
    let script = |run: &Run| {
        let folder = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(folder.path());
        run.write(&folder);
        support::block_on(cutover_audit::script(&folder)).unwrap()
    };
    let mut run = accounted();
    let whole = script(&run);
    assert!(whole.contains("create table i10_transaction as"), "{whole}");
    at(&mut run, 20).tx_id = None;
    let part = script(&run);
    assert!(part.contains("create table i1_complete as"), "{part}");
    assert!(!part.contains("create table i10_transaction as"), "{part}");
    let why = "-- i10_transaction cannot be asked: 1 records do not say which transaction";
    assert!(part.contains(why), "{part}");
}

#[test]
fn i10_is_unknown_without_the_account_or_without_places_in_the_records() {
    let mut run = accounted();
    at(&mut run, 20).tx_order = None;
    let (judgement, findings) = run.judge();
    assert_eq!((judgement.verdict, findings), (Verdict::Unknown, vec![]));
    let folder = tempfile::tempdir().unwrap();
    let saved = cutover_model::RunFolder::at(folder.path());
    accounted().write(&saved);
    std::fs::remove_dir_all(saved.transactions()).unwrap();
    let judgement = support::block_on(cutover_audit::judge(&saved)).unwrap();
    assert_eq!(judgement.verdict, Verdict::Unknown);
    let reasons = judgement.reasons.join(" | ");
    assert!(
        reasons.contains("the transactions ledger cannot be read"),
        "{reasons}"
    );
}

#[test]
fn i10_names_half_of_a_changed_key_with_metadata_or_without() {
    let mut run = clean();
    let halves = [
        ChangeRow {
            half: Half::OldKey,
            ..order(Op::Delete, 2, (Some(21), None))
        },
        ChangeRow {
            half: Half::NewKey,
            ..order(Op::Create, 3, (None, Some(31)))
        },
    ];
    for half in halves {
        run.commit(half);
    }
    // One message of the server: one position, one transaction.
    for row in run.published.iter_mut().chain(&mut run.committed) {
        if row.half == Half::NewKey {
            (row.lsn, row.xid) = (Some(500), Some(1_005));
            if row.commit_lsn.is_some() {
                (row.commit_lsn, row.ordinal) = (Some(550), Some(1));
            }
        }
    }
    run.attempted.last_mut().unwrap().xid = Some(1_005);
    run.stored[1].key = Some(key(3));
    run.stored[1].key_hash = cutover_model::canonical::key_hash(ORDERS, &key(3));
    run.stored[1].image = Some(31);
    assert_eq!(run.judge().1, []);
    run.published.retain(|row| row.half != Half::NewKey);
    assert_eq!(of(&run, "i10_transaction"), [(TORN, Some(50))]);
}

fn confirmed(lsn: u64) -> Acknowledged {
    Acknowledged {
        incarnation: 0,
        slot: "s".into(),
        confirmed: Lsn(lsn),
        ends: vec![("t".into(), 0, 50)],
    }
}

#[test]
fn i11_names_what_is_lost_for_good_and_not_what_the_slot_still_has() {
    let mut run = clean();
    run.published.retain(|row| row.record_offset != Some(20));
    // Committed at 250: a slot that is confirmed to the COMMIT itself sends it again.
    run.evidence.acknowledged = vec![confirmed(250)];
    assert_eq!(of(&run, "i11_acknowledged"), []);
    run.evidence.acknowledged.push(confirmed(251));
    let ahead = FindingKind::AcknowledgedAhead;
    assert_eq!(of(&run, "i11_acknowledged"), [(ahead, None)]);
    let (judgement, findings) = run.judge();
    let named = findings
        .iter()
        .find(|finding| finding.kind == ahead)
        .unwrap();
    assert_eq!((named.lsn, named.xid), (Some(200), Some(1_002)));
    assert_eq!(
        named.detail,
        "in no topic, and the slot is confirmed to 0/FB: it is not sent again"
    );
    assert_eq!(judgement.verdict, Verdict::Fail);
    // A slot that was put back: what was noted last counts.
    run.evidence.acknowledged.push(confirmed(250));
    assert_eq!(of(&run, "i11_acknowledged"), []);
    // Nothing is missing: wherever the slot stands, nothing lies before it.
    assert_eq!(clean().judge().0.verdict, Verdict::Pass);
}

/// Key 1 and 2, a truncate, key 3 and key 1 again.
fn truncated() -> Run {
    let mut run = clean();
    run.commit(truncate())
        .commit(order(Op::Create, 3, (None, Some(31))))
        .commit(order(Op::Create, 1, (None, Some(14))));
    run.stored.clear();
    run.store(ORDERS, Some(&key(1)), 14)
        .store(ORDERS, Some(&key(3)), 31);
    run
}

#[test]
fn i8_folds_a_truncate_inside_one_partition() {
    let (judgement, findings) = truncated().judge();
    assert_eq!((judgement.verdict, findings), (Verdict::Pass, vec![]));
    let mut run = truncated();
    run.store(ORDERS, Some(&key(2)), 21);
    assert_eq!(
        of(&run, "i8_state").len(),
        1,
        "the truncate took key 2 away"
    );
    run.published.retain(|row| row.op != Op::Truncate);
    // Not delivered: a consumer still has key 2, as the table has in this case.
    assert_eq!(of(&run, "i8_state"), []);
    assert_eq!(of(&run, "i1_complete"), [(FindingKind::Lost, None)]);
    let (judgement, _) = run.judge();
    let needed = |check: &&CheckResult| {
        ["i6_chain", "i8_state", "i14_truncate"].contains(&check.check.as_str())
    };
    for check in judgement.checks.iter().filter(needed) {
        assert_eq!(check.reason, None, "{} was made", check.check);
    }
}

#[test]
fn i8_folds_truncates_of_tables_without_key() {
    let mut run = clean();
    let log = |op, images| change(0, "public.log", op, None, images);
    run.commit(log(Op::Create, (None, Some(5))))
        .commit(log(Op::Truncate, (None, None)))
        .commit(log(Op::Create, (None, Some(6))))
        .store("public.log", None, 6);
    let (judgement, findings) = run.judge();
    assert_eq!((judgement.verdict, findings), (Verdict::Pass, vec![]));
    run.stored.last_mut().unwrap().image = Some(5);
    assert_eq!(
        of(&run, "i8_state").len(),
        2,
        "one row too many, one too few"
    );
}

#[test]
fn i14_names_rows_on_the_wrong_side_of_a_truncate() {
    let mut run = truncated();
    at(&mut run, 50).record_offset = Some(65);
    assert_eq!(
        of(&run, "i14_truncate"),
        [(FindingKind::Reordered, Some(60))]
    );
    assert_eq!(of(&run, "i8_state").len(), 1);
    let mut run = truncated();
    at(&mut run, 50).record_offset = Some(35);
    assert_eq!(
        of(&run, "i14_truncate"),
        [(FindingKind::Reordered, Some(40))]
    );
}

#[test]
fn i14_calls_a_truncate_among_several_partitions_undecidable_and_the_run_unknown() {
    let mut run = truncated();
    for row in &mut run.published {
        if row.key.as_deref() == Some(&*key(3)) {
            row.partition = Some(1);
        }
    }
    let (judgement, findings) = run.judge();
    assert_eq!(
        kinds(&findings),
        [("i14_truncate", FindingKind::Undecidable)]
    );
    assert_eq!(findings[0].record_offset, Some(50));
    assert_eq!(judgement.verdict, Verdict::Unknown);
    for name in ["i8_state", "i14_truncate"] {
        let check = judgement
            .checks
            .iter()
            .find(|check| check.check == name)
            .unwrap();
        assert_eq!(check.verdict, Verdict::Unknown, "{name}");
        assert!(check.reason.as_ref().unwrap().contains("I14"));
    }
}

fn sequence(name: &str, used: Option<i64>, next: Option<i64>) -> SequenceEvidence {
    SequenceEvidence {
        name: format!("public.{name}"),
        incarnation: 1,
        descending: name.starts_with("down"),
        used,
        next,
    }
}

#[test]
fn i13_names_sequences_that_would_give_values_out_again() {
    let mut run = clean();
    run.evidence.sequences = vec![
        sequence("orders_id_seq", Some(41), Some(42)),
        sequence("unused", None, Some(1)),
        sequence("unused_and_gone", None, None),
        sequence("down", Some(-7), Some(-8)),
    ];
    let (judgement, findings) = run.judge();
    assert_eq!((judgement.verdict, findings), (Verdict::Pass, vec![]));
    let listed = |check: &cutover_model::result::CheckResult| check.check == "i13_sequences";
    assert!(judgement.checks.iter().any(listed));

    run.evidence.sequences.extend([
        sequence("from_the_start", Some(41), Some(1)),
        sequence("the_same_again", Some(41), Some(41)),
        sequence("down_again", Some(-7), Some(-1)),
        sequence("gone", Some(3), None),
    ]);
    let (judgement, findings) = run.judge();
    assert_eq!(judgement.verdict, Verdict::Fail);
    let mut named: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::KeyReuse)
        .map(|finding| finding.relation.as_str())
        .collect();
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "public.down_again",
            "public.from_the_start",
            "public.gone",
            "public.the_same_again"
        ]
    );
    assert_eq!(findings.len(), named.len());
}

#[test]
fn i13_is_no_check_of_a_run_in_which_nobody_looked_at_sequences() {
    let (judgement, _) = clean().judge();
    let listed = |check: &cutover_model::result::CheckResult| check.check == "i13_sequences";
    assert!(!judgement.checks.iter().any(listed));
}

#[test]
fn i13_does_not_depend_on_the_account_of_transactions() {
    let mut run = accounted();
    at(&mut run, 20).tx_order = None;
    run.evidence.sequences = vec![sequence("orders_id_seq", Some(41), Some(1))];
    assert_eq!(of(&run, "i13_sequences"), [(FindingKind::KeyReuse, None)]);
}
