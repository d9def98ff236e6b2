//! Whether one key is clean. Pure.
//!
//! What each check asks of a key, and where it is answered here:
//! - I1, I2: the two sequences have the same length, incarnation, LSN, op, images and revisions, pair by pair.
//! - I3: the same length again; each delete has its tombstone right behind it, or none has one.
//! - I4, I5: the sequences are the same *in their own orders* (commit order, and offset order in one partition), and
//!   each record belongs to the incarnation of its change.
//! - I6, I7: an insert begins or follows a delete, everything else follows an insert or an update, and an old image
//!   is the new one before it.
//! - I8: the last change is the stored row.
//! - I9: no record of a snapshot. Backfill of a repair is never acquitted.

use cutover_model::{Evidence, Lsn};

use super::columns::{Committed, Published, Stored};

/// What the run as a whole says.
#[derive(Debug)]
pub(super) struct Rules {
    tombstones: bool,
    /// Of each incarnation, where what the database still has ends.
    kept_before: Vec<Option<i64>>,
}

impl Rules {
    pub(super) fn of(evidence: &Evidence) -> Rules {
        let lives = evidence.incarnations.iter();
        Rules {
            tombstones: evidence.tombstones,
            kept_before: lives
                .map(|life| life.kept_before.map(Lsn::as_i64))
                .collect(),
        }
    }

    /// The change is one of this database and still part of it.
    fn counts(&self, change: &Committed) -> bool {
        let life = usize::try_from(change.incarnation).ok();
        let life = life.and_then(|life| self.kept_before.get(life));
        let kept = life.is_some_and(|end| end.is_none_or(|end| change.commit_lsn < end));
        kept && change.placed && !(change.transported && change.incarnation > 0)
    }
}

/// `table`: whether its rows were read, and the rows of this key.
pub(super) fn is_clean(
    rules: &Rules,
    changes: &[Committed],
    records: &[Published],
    table: (bool, &[Stored]),
) -> bool {
    let Some(first) = records.first() else {
        return false;
    };
    let one_home = records.iter().all(|record| record.home == first.home);
    let plain = records.iter().all(Published::is_plain);
    one_home
        && plain
        && changes.iter().all(|change| rules.counts(change))
        && same_sequence(changes, records)
        && tombstones_are_right(rules.tombstones, records)
        && is_chain(changes)
        && is_stored(changes, table)
}

fn same_sequence(changes: &[Committed], records: &[Published]) -> bool {
    let mut records = records.iter().filter(|record| record.is_change());
    let paired = changes
        .iter()
        .all(|change| records.next().is_some_and(|record| same(change, record)));
    paired && records.next().is_none()
}

fn same(change: &Committed, record: &Published) -> bool {
    // A new row that one side lacks is no content to compare: the SQL counts it.
    let after = match change.op {
        b'd' => change.after.is_none() && record.after.is_none(),
        _ => change.after.is_some() && change.after == record.after,
    };
    let old = match change.op {
        b'c' => true,
        _ => change.before == record.before,
    };
    let revision = match (change.revision, record.revision) {
        (Some(committed), Some(published)) => committed == published,
        _ => true,
    };
    change.op == record.op
        && change.incarnation == record.incarnation
        && Some(change.lsn) == record.lsn
        && after
        && old
        && revision
}

fn tombstones_are_right(written: bool, records: &[Published]) -> bool {
    let mut before = 0;
    for record in records {
        let right = match (record.op, before) {
            (b'x', b'd') => written,
            (b'x', _) => false,
            (_, b'd') => !written,
            _ => true,
        };
        if !right {
            return false;
        }
        before = record.op;
    }
    !(written && before == b'd')
}

fn is_chain(changes: &[Committed]) -> bool {
    changes.windows(2).all(|pair| {
        let [before, now] = pair else { return true };
        let follows = (before.op == b'd') == (now.op == b'c');
        let linked = match (before.after, now.before) {
            (Some(new), Some(old)) if before.op != b'd' && now.op != b'c' => new == old,
            _ => true,
        };
        follows && linked
    })
}

fn is_stored(changes: &[Committed], (read, rows): (bool, &[Stored])) -> bool {
    let Some(last) = changes.last() else {
        return false;
    };
    match rows {
        [] => !read || last.op == b'd',
        [row] => {
            let revision = match (row.revision, last.revision) {
                (Some(stored), Some(committed)) => stored == committed,
                _ => true,
            };
            read && last.op != b'd' && row.image.is_some() && row.image == last.after && revision
        }
        _ => false,
    }
}
