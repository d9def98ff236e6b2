//! What a repair works on, against ledgers written by hand: a clean one, and one for each thing that can be wrong.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use cutover_audit::gap::{BucketGap, GapLook, KeyState, Present};
use cutover_ledger::ChangeWriter;
use cutover_model::gap::{KeyTrouble, KeylessGap};
use cutover_model::{ChangeRow, Op, RunFolder};
use support::{Run, block_on, change, key};

const ORDERS: &str = "public.orders";
const LOG: &str = "public.log";

/// Key 1: created as 11 (offset 10), updated to 12 (20). Key 2: created as 21 (30). Key 3: created as 31 (40) and
/// deleted (50, tombstone 51). A row without key (60).
fn clean() -> Run {
    let mut run = Run::new(1);
    let order = |id, op, before, after| change(0, ORDERS, op, Some(&key(id)), (before, after));
    run.commit(order(1, Op::Create, None, Some(11)))
        .commit(order(1, Op::Update, Some(11), Some(12)))
        .commit(order(2, Op::Create, None, Some(21)))
        .commit(order(3, Op::Create, None, Some(31)))
        .commit(order(3, Op::Delete, Some(31), None))
        .commit(change(0, LOG, Op::Create, None, (None, Some(5))));
    run.store(ORDERS, Some(&key(1)), 12)
        .store(ORDERS, Some(&key(2)), 21)
        .store(LOG, None, 5);
    for partition in &mut run.evidence.partitions {
        partition.end = 100;
    }
    run
}

fn look(run: &Run, later: &[ChangeRow]) -> BucketGap {
    let folder = tempfile::tempdir().unwrap();
    let place = RunFolder::at(folder.path());
    run.write(&place);
    let present = (!later.is_empty()).then(|| {
        let published = folder.path().join("again");
        let mut writer = ChangeWriter::create(&published, run.evidence.buckets).unwrap();
        for row in run.published.iter().chain(later) {
            writer.append(row).unwrap();
        }
        writer.finish().unwrap();
        Present {
            published,
            partitions: run.evidence.partitions.clone(),
            payload: run.evidence.payload.clone(),
        }
    });
    block_on(async {
        let look = GapLook::open(&place, present.as_ref()).await.unwrap();
        assert_eq!(look.obstacle(), None);
        let mut all = BucketGap::default();
        for number in 0..look.buckets() {
            let found = look.bucket(number, 10).await.unwrap();
            all.keys.extend(found.keys);
            all.keyless.extend(found.keyless);
            all.events.extend(found.events);
            all.lost += found.lost;
            all.phantom += found.phantom;
        }
        all
    })
}

fn only(found: &BucketGap) -> &KeyState {
    assert_eq!(found.keys.len(), 1, "{found:#?}");
    &found.keys[0]
}

fn later(offset: i64, op: Op, image: Option<i64>, token: Option<&str>) -> ChangeRow {
    ChangeRow {
        lsn: Some(9_000 + offset),
        topic: Some("t".into()),
        partition: Some(0),
        record_offset: Some(offset),
        compensation: token.map(str::to_owned),
        ..change(0, ORDERS, op, Some(&key(1)), (None, image))
    }
}

#[test]
fn a_clean_run_has_nothing_apart() {
    let found = look(&clean(), &[]);
    assert!(found.keys.is_empty() && found.keyless.is_empty());
    assert_eq!((found.lost, found.phantom), (0, 0));
}

#[test]
fn a_row_that_the_table_lacks_is_a_ghost() {
    let mut run = clean();
    run.stored.remove(0);
    let found = look(&run, &[]);
    let ghost = only(&found);
    assert_eq!((ghost.trouble, ghost.source), (KeyTrouble::Ghost, None));
    let (place, op) = ghost.last.as_ref().unwrap();
    assert_eq!((place.to_string().as_str(), op.as_str()), ("t/0/20", "u"));
}

#[test]
fn a_stale_or_missing_row_knows_the_earlier_record_that_brought_it() {
    let mut run = clean();
    run.stored[0].image = Some(11);
    let found = look(&run, &[]);
    let stale = only(&found);
    assert_eq!((stale.trouble, stale.source), (KeyTrouble::Stale, Some(10)));
    run.stored[0].image = Some(77);
    assert_eq!(only(&look(&run, &[])).source, None);
    let mut run = clean();
    run.store(ORDERS, Some(&key(3)), 31);
    let found = look(&run, &[]);
    let missing = only(&found);
    assert_eq!(
        (missing.trouble, missing.source),
        (KeyTrouble::Missing, Some(40))
    );
    let mut run = clean();
    run.store(ORDERS, Some(&key(9)), 91);
    let found = look(&run, &[]);
    assert_eq!(only(&found).last, None);
}

#[test]
fn what_a_repair_wrote_closes_a_key_and_half_of_it_is_unfinished() {
    let mut run = clean();
    run.stored.remove(0);
    let delete = later(200, Op::Delete, None, Some("gap-1"));
    let found = look(&run, std::slice::from_ref(&delete));
    assert_eq!(only(&found).trouble, KeyTrouble::Unfinished);
    let tombstone = later(201, Op::Tombstone, None, Some("gap-1"));
    assert!(look(&run, &[delete, tombstone]).keys.is_empty());
}

#[test]
fn records_of_the_stream_after_the_run_are_told_and_not_judged() {
    let mut run = clean();
    // Nothing was wrong with the key: what came since is none of this run's business.
    let update = later(200, Op::Update, Some(13), None);
    assert!(look(&run, std::slice::from_ref(&update)).keys.is_empty());
    run.stored.remove(0);
    let found = look(&run, std::slice::from_ref(&update));
    assert!(only(&found).newer);
    // Closed before the stream went on: nothing to do.
    let closed = [
        later(150, Op::Delete, None, Some("gap-1")),
        later(151, Op::Tombstone, None, Some("gap-1")),
        update,
    ];
    assert!(look(&run, &closed).keys.is_empty());
}

#[test]
fn rows_without_key_are_counted_only() {
    let mut run = clean();
    run.stored.retain(|row| row.key.is_some());
    run.store(LOG, None, 6).store(LOG, None, 6);
    let expected = KeylessGap {
        relation: LOG.into(),
        too_many: 1,
        too_few: 2,
    };
    assert_eq!(look(&run, &[]).keyless, [expected]);
}

#[test]
fn lost_and_phantom_events_are_counted_and_named() {
    let mut run = clean();
    let gone = run
        .published
        .iter()
        .position(|row| row.record_offset == Some(20));
    run.published.remove(gone.unwrap());
    let committed = run.committed.iter().position(|row| row.lsn == Some(300));
    run.committed.remove(committed.unwrap());
    let found = look(&run, &[]);
    assert_eq!((found.lost, found.phantom, found.events.len()), (1, 1, 2));
}
