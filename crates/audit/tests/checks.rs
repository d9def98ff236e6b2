//! Each check against a clean ledger and against one that was broken by hand in exactly one place.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

use cutover_model::{ChangeRow, Finding, FindingKind, Lsn, Op, Outcome, ProofLevel, Verdict};
use support::{Run, change, key, kinds, tombstone};

const ORDERS: &str = "public.orders";
const LOG: &str = "public.log";

/// Key 1: create, update, delete, create, update. Key 2: create. A table without key: c c u d.
fn clean() -> Run {
    let mut run = Run::new(1);
    let one = key(1);
    let order = |op, before, after| change(0, ORDERS, op, Some(&one), (before, after));
    run.commit(order(Op::Create, None, Some(11)))
        .commit(order(Op::Update, Some(11), Some(12)))
        .commit(order(Op::Delete, Some(12), None))
        .commit(order(Op::Create, None, Some(13)))
        .commit(order(Op::Update, Some(13), Some(14)))
        .commit(change(
            0,
            ORDERS,
            Op::Create,
            Some(&key(2)),
            (None, Some(21)),
        ));
    let log = |op, before, after| change(0, LOG, op, None, (before, after));
    run.commit(log(Op::Create, None, Some(5)))
        .commit(log(Op::Create, None, Some(5)))
        .commit(log(Op::Update, Some(5), Some(6)))
        .commit(log(Op::Delete, Some(6), None));
    run.store(ORDERS, Some(&one), 14)
        .store(ORDERS, Some(&key(2)), 21)
        .store(LOG, None, 5);
    run
}

fn only(findings: &[Finding], kind: FindingKind) -> &Finding {
    let mut of_kind = findings.iter().filter(|finding| finding.kind == kind);
    let finding = of_kind
        .next()
        .unwrap_or_else(|| panic!("no {kind} in {findings:#?}"));
    assert!(
        of_kind.next().is_none(),
        "more than one {kind}: {findings:#?}"
    );
    finding
}

/// The record that `clean` publishes at this offset.
fn at(run: &mut Run, offset: i64) -> &mut ChangeRow {
    run.published
        .iter_mut()
        .find(|row| row.record_offset == Some(offset))
        .unwrap()
}

fn without(run: &mut Run, offset: i64) {
    run.published
        .retain(|row| row.record_offset != Some(offset));
}

#[test]
fn a_clean_run_passes_at_the_highest_level_without_a_reason() {
    let (judgement, findings) = clean().judge();
    assert_eq!(findings, []);
    assert_eq!(judgement.reasons, Vec::<String>::new());
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Pass, ProofLevel::P4)
    );
    assert_eq!(judgement.checks.len(), 13);
    let counts = &judgement.counts;
    assert_eq!(
        (counts.attempted, counts.committed, counts.published),
        (10, 10, 10)
    );
    assert_eq!(
        (counts.stored, counts.snapshot, counts.findings.len()),
        (3, 0, 0)
    );
}

#[test]
fn i1_names_a_lost_change_and_its_neighbours() {
    let mut run = clean();
    without(&mut run, 20);
    let (judgement, findings) = run.judge();
    assert_eq!(
        kinds(&findings),
        [
            ("i1_complete", FindingKind::Lost),
            ("i6_chain", FindingKind::BrokenChain)
        ]
    );
    let lost = only(&findings, FindingKind::Lost);
    assert_eq!(
        (lost.lsn, lost.xid, lost.revision),
        (Some(200), Some(1_002), Some(2))
    );
    assert_eq!(
        (lost.op.as_deref(), lost.key.as_deref()),
        (Some("u"), Some(&*key(1)))
    );
    assert_eq!(
        lost.detail,
        "committed, in no topic; of this key there is before it c at 0/64 in t/0/10, \
         after it d at 0/12C in t/0/30"
    );
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Fail, ProofLevel::P4)
    );
    assert_eq!(
        judgement.reasons,
        [
            "I1 complete is violated: 1 finding",
            "I6 chain is violated: 1 finding",
            "I11 acknowledged: 1 lost changes are of a life in which nobody noted how far the slot \
             was confirmed"
        ]
    );
    assert_eq!(judgement.counts.lost, 1);
}

#[test]
fn i1_tells_divergent_from_lost_by_image_and_by_revision() {
    let mut run = clean();
    at(&mut run, 20).after = Some(99);
    at(&mut run, 60).revision = Some(99);
    let (_, findings) = run.judge();
    let expected = ("i1_complete", FindingKind::Divergent);
    assert_eq!(kinds(&findings), [expected, expected]);
    assert!(
        findings[0].detail.contains("new row image"),
        "{}",
        findings[0].detail
    );
    assert!(
        findings[1].detail.contains("revision"),
        "{}",
        findings[1].detail
    );
    assert_eq!(findings[0].record_offset, Some(20));
}

#[test]
fn i1_does_not_compare_what_one_side_does_not_know() {
    let mut run = clean();
    for row in run.published.iter_mut().filter(|row| row.key.is_some()) {
        (row.before, row.after, row.xid) = (None, None, None);
    }
    let (judgement, findings) = run.judge();
    assert_eq!(findings, []);
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Pass, ProofLevel::P3)
    );
    assert!(
        judgement.reasons[0].contains(ORDERS),
        "{:?}",
        judgement.reasons
    );
}

#[test]
fn i2_tells_phantom_from_aborted() {
    let mut run = clean();
    let stray = ChangeRow {
        xid: Some(5_000),
        lsn: Some(9_000),
        record_offset: Some(900),
        ..at(&mut run, 50).clone()
    };
    run.published.push(stray.clone());
    let (_, findings) = run.judge();
    let phantom = only(&findings, FindingKind::Phantom);
    assert_eq!(
        (phantom.lsn, phantom.record_offset),
        (Some(9_000), Some(900))
    );

    run.attempted.push(ChangeRow {
        outcome: Some(Outcome::Failed),
        lsn: None,
        ..stray
    });
    let (judgement, findings) = run.judge();
    assert_eq!(
        kinds(&findings),
        [
            ("i2_invention", FindingKind::Aborted),
            ("i6_chain", FindingKind::BrokenChain)
        ]
    );
    assert_eq!(judgement.counts.findings.get("aborted"), Some(&1));
}

#[test]
fn a_wrong_op_is_lost_and_phantom_and_says_so() {
    let mut run = clean();
    at(&mut run, 50).op = Op::Create;
    let (_, findings) = run.judge();
    assert_eq!(only(&findings, FindingKind::Lost).lsn, Some(500));
    let phantom = only(&findings, FindingKind::Phantom);
    assert_eq!(phantom.detail, "published as c, committed as u");
}

#[test]
fn i3_names_the_second_copy() {
    let mut run = clean();
    let copy = ChangeRow {
        record_offset: Some(25),
        ..at(&mut run, 20).clone()
    };
    run.published.push(copy);
    let (_, findings) = run.judge();
    assert_eq!(kinds(&findings), [("i3_once", FindingKind::Duplicated)]);
    assert_eq!(findings[0].record_offset, Some(25));
}

#[test]
fn i3_counts_equal_rows_of_one_copy_statement() {
    let mut run = Run::new(1);
    for ordinal in 0..3 {
        run.commit(change(0, LOG, Op::Create, None, (None, Some(5))));
        for rows in [&mut run.committed, &mut run.published, &mut run.attempted] {
            let row = rows.last_mut().unwrap();
            (row.xid, row.lsn) = (Some(1), row.lsn.map(|_| 700));
            row.commit_lsn = row.commit_lsn.map(|_| 750);
            row.ordinal = row.ordinal.map(|_| ordinal);
        }
        run.store(LOG, None, 5);
    }
    assert_eq!(run.judge().1, []);
    let third = run.published.pop().unwrap();
    let (_, findings) = run.judge();
    assert_eq!(only(&findings, FindingKind::Lost).lsn, Some(700));
    for offset in [300, 301] {
        run.published.push(ChangeRow {
            record_offset: Some(offset),
            ..third.clone()
        });
    }
    let (_, findings) = run.judge();
    assert_eq!(
        only(&findings, FindingKind::Duplicated).record_offset,
        Some(301)
    );
}

#[test]
fn i3_wants_one_tombstone_per_delete_where_they_are_on_and_none_where_off() {
    let mut run = clean();
    without(&mut run, 31);
    let (_, findings) = run.judge();
    assert_eq!(
        kinds(&findings),
        [("i3_once", FindingKind::TombstoneMissing)]
    );
    assert_eq!(findings[0].record_offset, Some(30));
    run.evidence.tombstones = false;
    assert_eq!(run.judge().1, [], "none expected, none there");

    let mut run = clean();
    let extra = tombstone(at(&mut run, 30), 32);
    run.published.push(extra);
    let (_, findings) = run.judge();
    assert_eq!(kinds(&findings), [("i3_once", FindingKind::Duplicated)]);
    assert_eq!(
        (findings[0].record_offset, findings[0].op.as_deref()),
        (Some(32), Some("x"))
    );
    run.evidence.tombstones = false;
    assert_eq!(run.judge().1.len(), 2, "both are too many");
}

#[test]
fn i3_calls_a_change_that_the_upgrade_carried_over_duplicated() {
    let mut run = Run::new(2);
    let row = |incarnation, origin: Option<&str>| ChangeRow {
        origin: origin.map(str::to_owned),
        ..change(
            incarnation,
            ORDERS,
            Op::Create,
            Some(&key(1)),
            (None, Some(1)),
        )
    };
    run.commit(row(0, None)).commit(row(1, Some("pg_16405")));
    run.store(ORDERS, Some(&key(1)), 1);
    let (_, findings) = run.judge();
    assert_eq!(
        only(&findings, FindingKind::Duplicated).record_offset,
        Some(20)
    );
    without(&mut run, 20);
    assert_eq!(run.judge().1, [], "filtered by origin, as it should be");
}

#[test]
fn i4_names_the_record_that_came_too_late() {
    let mut run = clean();
    at(&mut run, 40).record_offset = Some(55);
    let (_, findings) = run.judge();
    let reordered = only(&findings, FindingKind::Reordered);
    assert_eq!(
        (reordered.lsn, reordered.record_offset),
        (Some(400), Some(55))
    );
}

#[test]
fn i4_orders_by_commit_not_by_lsn() {
    let mut run = clean();
    // The later commit holds the lower LSN: its transaction began first. Another key, so nothing is
    // wrong.
    for rows in [&mut run.committed, &mut run.published] {
        for row in rows.iter_mut().filter(|row| row.lsn == Some(600)) {
            row.lsn = Some(150);
        }
    }
    assert_eq!(run.judge().1, []);
}

#[test]
fn i4_names_records_outside_the_keys_partition() {
    let mut run = clean();
    at(&mut run, 50).partition = Some(3);
    let (_, findings) = run.judge();
    let strange = only(&findings, FindingKind::Repartitioned);
    assert_eq!(
        (strange.partition, strange.record_offset),
        (Some(3), Some(50))
    );
    assert!(strange.detail.ends_with("in partition 0"));
}

#[test]
fn i5_finds_old_records_after_the_cut_and_calls_them_neither_lost_nor_phantom() {
    let mut run = clean();
    run.evidence = support::evidence(2, 2);
    at(&mut run, 50).incarnation = 1;
    let (_, findings) = run.judge();
    assert_eq!(
        kinds(&findings),
        [("i5_cut_order", FindingKind::Interleaved)]
    );
    assert_eq!(
        (findings[0].incarnation, findings[0].record_offset),
        (Some(0), Some(50))
    );
}

#[test]
fn equal_lsns_of_two_incarnations_are_two_changes() {
    let mut run = Run::new(2);
    for incarnation in 0..2 {
        let row = |id, image| change(incarnation, ORDERS, Op::Create, Some(&key(id)), image);
        run.commit(row(i64::from(incarnation), (None, Some(1))));
        for rows in [&mut run.committed, &mut run.published] {
            let row = rows.last_mut().unwrap();
            row.lsn = Some(100);
            row.commit_lsn = row.commit_lsn.map(|_| 150);
        }
        run.store(ORDERS, Some(&key(i64::from(incarnation))), 1);
    }
    assert_eq!(run.judge().1, []);
    run.published.retain(|row| row.incarnation == 0);
    let (_, findings) = run.judge();
    assert_eq!(only(&findings, FindingKind::Lost).incarnation, Some(1));
}

#[test]
fn i7_finds_an_update_after_the_delete() {
    let mut run = clean();
    let stale = ChangeRow {
        record_offset: Some(35),
        ..at(&mut run, 20).clone()
    };
    run.published.push(stale);
    let (_, findings) = run.judge();
    let resurrected = only(&findings, FindingKind::Resurrected);
    assert_eq!(resurrected.record_offset, Some(35));
    assert_eq!(
        resurrected.detail,
        "u after the delete at offset 30, no insert in between"
    );
}

#[test]
fn i8_compares_the_folded_log_with_the_stored_rows() {
    let divergent = [("i8_state", FindingKind::Divergent)];
    for (image, relation, key) in [
        (Some(99), ORDERS, Some(key(1))),
        (Some(21), ORDERS, Some(key(3))),
        (Some(5), LOG, None),
    ] {
        let mut run = clean();
        if image == Some(99) {
            run.stored[0].image = image;
        } else {
            run.store(relation, key.as_deref(), image.unwrap());
        }
        let (_, findings) = run.judge();
        assert_eq!(kinds(&findings), divergent);
        assert_eq!(findings[0].relation, relation);
        assert_eq!(findings[0].key, key);
    }
    for index in 0..3 {
        let mut run = clean();
        run.stored.remove(index);
        assert_eq!(
            kinds(&run.judge().1),
            divergent,
            "row {index} is not stored"
        );
    }
}

#[test]
fn i9_finds_snapshot_records_unless_the_plan_allows_them() {
    let mut run = clean();
    let read = ChangeRow {
        op: Op::Read,
        record_offset: Some(70),
        lsn: Some(1),
        ..at(&mut run, 60).clone()
    };
    run.published.push(read);
    let (judgement, findings) = run.judge();
    assert_eq!(
        kinds(&findings),
        [("i9_snapshot", FindingKind::UnplannedSnapshot)]
    );
    assert_eq!(
        (judgement.counts.snapshot, judgement.counts.published),
        (1, 10)
    );
    run.evidence.snapshot_allowed = true;
    assert_eq!(run.judge().1, []);
}

#[test]
fn a1_finds_what_the_database_itself_lost_or_invented() {
    let mut run = clean();
    let forgotten = ChangeRow {
        xid: Some(4_000),
        ..run.attempted[0].clone()
    };
    run.attempted.push(forgotten);
    run.attempted[5].outcome = Some(Outcome::Failed);
    let (_, findings) = run.judge();
    assert_eq!(only(&findings, FindingKind::DatabaseLost).xid, Some(4_000));
    assert_eq!(
        only(&findings, FindingKind::DatabaseInvented).xid,
        Some(1_006)
    );
    assert_eq!(findings.len(), 2);

    run.attempted.pop();
    run.attempted[5].outcome = Some(Outcome::Unknown);
    assert_eq!(
        run.judge().1,
        [],
        "an outcome that nobody knows proves nothing"
    );
}

#[test]
fn what_the_database_went_back_before_is_phantom_and_lost_by_the_database_not_by_the_stream() {
    let mut run = clean();
    let gone = run.committed[5].clone();
    // The last key's insert was committed behind the point that the restore went back to; it is stored no more.
    run.evidence.incarnations[0].kept_before = gone.commit_lsn.and_then(Lsn::from_i64);
    let behind = |row: &&ChangeRow| row.commit_lsn >= gone.commit_lsn;
    let expected = run.committed.iter().filter(behind).count();
    assert!(expected >= 1 && run.committed.len() > expected);
    let (_, findings) = run.judge();
    let count = |kind| {
        findings
            .iter()
            .filter(|finding| finding.kind == kind)
            .count()
    };
    assert_eq!(count(FindingKind::Phantom), expected);
    assert_eq!(count(FindingKind::DatabaseLost), expected);
    assert_eq!(count(FindingKind::Lost), 0);
    // What was never published of it is missing to nobody.
    run.published.retain(|row| row.lsn != gone.lsn);
    let (_, findings) = run.judge();
    assert!(
        findings
            .iter()
            .all(|finding| finding.kind != FindingKind::Lost)
    );
}

#[test]
fn a1_is_not_misled_by_a_savepoint_that_was_rolled_back_and_tried_again() {
    let mut run = clean();
    let tried = ChangeRow {
        outcome: Some(Outcome::Failed),
        ..run.attempted[0].clone()
    };
    run.attempted.push(tried);
    assert_eq!(run.judge().1, []);
}

#[test]
fn flattened_records_of_a_table_without_key_match_but_leave_its_state_unproven() {
    let mut run = clean();
    for row in &mut run.published {
        (row.before, row.xid) = (None, None);
        if row.key.is_none() {
            row.key_hash = cutover_model::canonical::keyless_hash(LOG, None, row.after);
        }
    }
    let (judgement, findings) = run.judge();
    assert_eq!(findings, []);
    assert_eq!(
        (judgement.verdict, judgement.proof_level),
        (Verdict::Unknown, ProofLevel::P3)
    );
    assert!(judgement.reasons.iter().any(|reason| reason.contains(LOG)));
}

#[test]
fn findings_come_most_important_first() {
    let mut run = clean();
    run.stored.remove(0);
    without(&mut run, 20);
    without(&mut run, 10);
    let (_, findings) = run.judge();
    let order: Vec<(FindingKind, Option<i64>)> = findings
        .iter()
        .map(|finding| (finding.kind, finding.lsn))
        .collect();
    assert_eq!(
        order,
        [
            (FindingKind::Lost, Some(100)),
            (FindingKind::Lost, Some(200)),
            (FindingKind::Divergent, Some(500)),
            (FindingKind::BrokenChain, Some(300)),
        ]
    );
}

/// A repair's record of key 1 behind everything: offset, operation, new image.
fn repair(run: &mut Run, offset: i64, op: Op, image: Option<i64>) {
    run.published.push(ChangeRow {
        lsn: Some(100),
        xid: Some(1_001),
        topic: Some("t".into()),
        partition: Some(0),
        record_offset: Some(offset),
        compensation: Some("gap-1".into()),
        ..change(0, ORDERS, op, Some(&key(1)), (None, image))
    });
}

#[test]
fn what_a_repair_wrote_is_no_change_and_counts_in_the_fold() {
    let mut run = clean();
    run.stored
        .retain(|row| row.key.as_deref() != Some(&*key(1)));
    let (judgement, findings) = run.judge();
    assert_eq!(kinds(&findings), [("i8_state", FindingKind::Divergent)]);
    assert_eq!(judgement.counts.backfill, 0);
    repair(&mut run, 900, Op::Delete, None);
    repair(&mut run, 901, Op::Tombstone, None);
    let (judgement, findings) = run.judge();
    assert_eq!(findings, []);
    assert_eq!(
        (judgement.counts.backfill, judgement.counts.published),
        (2, 10)
    );
    assert_eq!(judgement.verdict, Verdict::Pass);
}

#[test]
fn the_same_records_without_the_mark_are_phantoms() {
    let mut run = clean();
    run.stored
        .retain(|row| row.key.as_deref() != Some(&*key(1)));
    repair(&mut run, 900, Op::Delete, None);
    repair(&mut run, 901, Op::Tombstone, None);
    for row in &mut run.published {
        row.compensation = None;
    }
    let (judgement, findings) = run.judge();
    assert_eq!(kinds(&findings), [("i2_invention", FindingKind::Phantom)]);
    assert_eq!(judgement.verdict, Verdict::Fail);
}

#[test]
fn a_repair_that_writes_the_wrong_row_is_divergent() {
    let mut run = clean();
    repair(&mut run, 900, Op::Update, Some(11));
    let (_, findings) = run.judge();
    assert_eq!(kinds(&findings), [("i8_state", FindingKind::Divergent)]);
}

#[test]
fn a_repair_in_a_later_incarnation_is_not_interleaved_and_resurrects_nothing() {
    let mut run = clean();
    run.evidence.incarnations = support::evidence(2, 2).incarnations;
    if let Some(fence) = &mut run.evidence.fence {
        fence.incarnation = 1;
    }
    let (_, before) = run.judge();
    repair(&mut run, 900, Op::Delete, None);
    repair(&mut run, 901, Op::Tombstone, None);
    repair(&mut run, 902, Op::Update, Some(14));
    for row in &mut run.published {
        row.incarnation += i32::from(row.compensation.is_some());
    }
    let (_, findings) = run.judge();
    assert_eq!((before, findings), (vec![], vec![]));
}

#[test]
fn what_follows_a_repairs_delete_follows_no_delete_of_the_database() {
    let mut run = clean();
    repair(&mut run, 32, Op::Delete, None);
    repair(&mut run, 33, Op::Tombstone, None);
    let stale = ChangeRow {
        record_offset: Some(35),
        ..at(&mut run, 20).clone()
    };
    run.published.push(stale);
    let (_, findings) = run.judge();
    // The insert that comes next finds the copy's row, which is no chain.
    let expected = [
        ("i3_once", FindingKind::Duplicated),
        ("i6_chain", FindingKind::BrokenChain),
    ];
    assert_eq!(kinds(&findings), expected);
}

#[test]
fn i8_convicts_a_key_in_several_partitions_only_if_no_last_record_is_its_row() {
    let mut run = clean();
    // The first record of key 1 stands elsewhere, at a higher offset than all others of the key.
    let first = at(&mut run, 10);
    (first.partition, first.record_offset) = (Some(3), Some(990));
    let of_state = |run: &Run| {
        let (_, findings) = run.judge();
        let of = findings
            .into_iter()
            .filter(|finding| finding.check == "i8_state");
        of.map(|finding| finding.record_offset).collect::<Vec<_>>()
    };
    assert_eq!(of_state(&run), []);
    run.stored[0].image = Some(99);
    assert_eq!(of_state(&run), [Some(990)]);
}
