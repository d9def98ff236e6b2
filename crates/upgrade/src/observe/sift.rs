//! Of the records that were read, those that the moment sees.
//!
//! A record that was published before the look began is seen unless its transaction was still under way for the
//! snapshot: a COMMIT stands in the log before the transaction becomes visible. One that came later is seen or not, as
//! its transaction is. A tombstone goes with its delete.
//!
//! Numbers of transactions begin anew with a new server, and the topics may go back to one before it. The rule it
//! protects: a record is set aside for a transaction that is under way only where its position, too, is one that this
//! transaction can have written to. Positions are compared here because both are of the log that the look began in.

use std::collections::HashSet;
use std::path::Path;

use cutover_clients::pg::moment::{Moment, Visible};
use cutover_ledger::{ChangeWriter, read_changes};
use cutover_model::{ChangeRow, Lsn, Op};

use super::stream::Ends;
use crate::error::UpgradeError;

/// What became of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sifted {
    /// Of transactions that are not of it.
    pub later: u64,
    /// That cannot be told from those; they were kept.
    pub unplaced: u64,
}

impl Sifted {
    /// What keeps the recording from being complete.
    pub fn problem(&self) -> Option<String> {
        (self.unplaced > 0).then(|| {
            format!(
                "{} records cannot be told to be of the moment or not: they came while it was \
                 looked and do not say of which transaction they are, or are of a number that a \
                 transaction under way has too: look again while nobody writes",
                self.unplaced
            )
        })
    }
}

/// Copies a ledger without what the rule leaves out.
pub(super) fn sift(
    from: &Path,
    (to, buckets): (&Path, u16),
    rule: &dyn Fn(&ChangeRow) -> Seen,
) -> Result<Sifted, UpgradeError> {
    let mut writer = ChangeWriter::create(to, buckets)?;
    let mut sifted = Sifted::default();
    let mut without_delete = HashSet::new();
    for row in read_changes(from)? {
        let row = row?;
        let place = (row.topic.clone(), row.partition, row.key_hash);
        let seen = match row.op {
            Op::Tombstone if without_delete.contains(&place) => Seen::Later,
            _ => rule(&row),
        };
        match seen {
            Seen::Yes => {}
            Seen::Later => sifted.later += 1,
            Seen::Unplaced => sifted.unplaced += 1,
        }
        if row.op != Op::Tombstone {
            // Rows of one key come in the order of their offsets.
            match seen {
                Seen::Later => without_delete.insert(place),
                _ => without_delete.remove(&place),
            };
        }
        if seen != Seen::Later {
            writer.append(&row)?;
        }
    }
    writer.finish()?;
    Ok(sifted)
}

/// Whether a record belongs to what is recorded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Seen {
    /// It does.
    Yes,
    /// It does not.
    Later,
    /// That cannot be told.
    Unplaced,
}

fn low_bits(row: &ChangeRow) -> Option<u32> {
    row.xid
        .map(|xid| u32::try_from(xid & 0xffff_ffff).unwrap_or(u32::MAX))
}

/// Of the window between two moments: the last one sees it, the first one does not. What a snapshot reads is no change.
/// A tombstone is one of the window unless the window's first record of its partition (`begins`) is that tombstone: its
/// delete came before.
pub(super) fn between(row: &ChangeRow, begins: &Ends, first: &Moment, last: &Moment) -> Seen {
    if row.op == Op::Tombstone {
        let place = row.topic.clone().zip(row.partition);
        let begins = place.and_then(|place| begins.get(&place).copied());
        let at_start = begins.is_some() && row.record_offset == begins;
        return if at_start { Seen::Later } else { Seen::Yes };
    }
    if let Some(xid) = low_bits(row) {
        let inside = !first.visible.sees(xid) && last.visible.sees(xid);
        return if inside { Seen::Yes } else { Seen::Later };
    }
    let lsn = row.lsn.and_then(Lsn::from_i64);
    match lsn {
        _ if row.op == Op::Read => Seen::Yes,
        Some(lsn) if lsn >= last.position => Seen::Later,
        Some(lsn) if lsn < first.position && first.visible.is_quiet() => Seen::Later,
        Some(lsn) if lsn >= first.position && last.visible.is_quiet() => Seen::Yes,
        _ => Seen::Unplaced,
    }
}

/// Where a look began, and the moment that it came to.
pub(super) struct Look<'a> {
    /// Where the log was first of all, and then which transactions were seen.
    pub began: (Lsn, &'a Visible),
    /// Where the topics ended then.
    pub before: &'a Ends,
    /// The moment's position, and what it sees.
    pub moment: (Lsn, &'a Visible),
}

impl Look<'_> {
    /// Of a record that was published before the look, and whose transaction has the number of one under way.
    fn of_one_under_way(&self, xid: u32, lsn: Option<Lsn>) -> Seen {
        let (from, begun) = self.began;
        // Whatever it wrote, it wrote from there on.
        let later = begun.is_before(xid);
        match lsn {
            // The log of this server has not come so far, or had, before this transaction wrote anything.
            Some(lsn) if lsn >= self.moment.0 || (later && lsn < from) => Seen::Yes,
            Some(_) if later => Seen::Later,
            _ => Seen::Unplaced,
        }
    }

    /// Whether the moment sees a record.
    pub(super) fn seen(&self, row: &ChangeRow) -> Seen {
        if row.op == Op::Tombstone {
            return Seen::Yes;
        }
        let (position, visible) = self.moment;
        let place = row.topic.clone().zip(row.partition);
        let new = place
            .and_then(|place| self.before.get(&place).copied())
            .is_none_or(|end| row.record_offset.is_none_or(|offset| offset >= end));
        let lsn = row.lsn.and_then(Lsn::from_i64);
        match low_bits(row) {
            Some(xid) if new => match visible.sees(xid) {
                true => Seen::Yes,
                false => Seen::Later,
            },
            Some(xid) if visible.was_running(xid) => self.of_one_under_way(xid, lsn),
            Some(_) => Seen::Yes,
            None if !new => Seen::Yes,
            // Written after the snapshot was taken; or before it, by somebody who had ended, since nobody else was
            // there.
            None => match lsn {
                Some(lsn) if lsn >= position => Seen::Later,
                Some(_) if visible.is_quiet() && row.op != Op::Read => Seen::Yes,
                _ => Seen::Unplaced,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(offset: i64, xid: Option<i64>, lsn: i64) -> ChangeRow {
        ChangeRow {
            topic: Some("t".into()),
            partition: Some(0),
            record_offset: Some(offset),
            xid,
            lsn: Some(lsn),
            ..ChangeRow::new(0, "public.t", Op::Update)
        }
    }

    /// Transactions 70 and 90 are under way at the moment, 70 since before the look.
    fn seen(row: &ChangeRow) -> Seen {
        let (began, moment) = ("70:80:70", "70:100:70,90");
        let (began, moment) = (
            Visible::parse(began).unwrap(),
            Visible::parse(moment).unwrap(),
        );
        let look = Look {
            began: (Lsn(5_000), &began),
            before: &Ends::from([(("t".to_owned(), 0), 10)]),
            moment: (Lsn(6_000), &moment),
        };
        look.seen(row)
    }

    #[test]
    fn what_came_meanwhile_is_of_the_moment_if_its_transaction_is() {
        assert_eq!(seen(&row(10, Some(89), 5_500)), Seen::Yes);
        assert_eq!(seen(&row(10, Some(90), 5_500)), Seen::Later);
        assert_eq!(seen(&row(10, Some(100), 6_500)), Seen::Later);
        assert_eq!(seen(&row(10, None, 6_500)), Seen::Later);
        assert_eq!(seen(&row(10, None, 5_500)), Seen::Unplaced);
    }

    #[test]
    fn a_number_that_an_older_server_gave_out_too_sets_nothing_aside() {
        assert_eq!(seen(&row(9, Some(89), 5_500)), Seen::Yes);
        // Its COMMIT is in the log, and not visible yet.
        assert_eq!(seen(&row(9, Some(90), 5_500)), Seen::Later);
        // Where this transaction cannot have written.
        assert_eq!(seen(&row(9, Some(90), 4_000)), Seen::Yes);
        assert_eq!(seen(&row(9, Some(90), 7_000)), Seen::Yes);
        assert_eq!(seen(&row(9, Some(70), 7_000)), Seen::Yes);
        // Where it can have, whoever did.
        assert_eq!(seen(&row(9, Some(70), 4_000)), Seen::Unplaced);
    }
}
