//! Of the records that were read, those that the moment sees.
//!
//! A record that was published before the look began is seen unless its transaction was still under way for the
//! snapshot: a COMMIT stands in the log before the transaction becomes visible. One that came later is seen or not, as
//! its transaction is. A tombstone goes with its delete.

use std::collections::HashSet;
use std::path::Path;

use cutover_clients::pg::moment::Moment;
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
                "{} records came while it was looked, and do not say of which transaction they are: look again while \
                 nobody writes",
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

/// Of one moment: `before` is where the topics ended before it.
pub(super) fn seen(row: &ChangeRow, before: &Ends, moment: &Moment) -> Seen {
    if row.op == Op::Tombstone {
        return Seen::Yes;
    }
    let visible = &moment.visible;
    let place = row.topic.clone().zip(row.partition);
    let new = place
        .and_then(|place| before.get(&place).copied())
        .is_none_or(|end| row.record_offset.is_none_or(|offset| offset >= end));
    match low_bits(row) {
        Some(xid) if new => match visible.sees(xid) {
            true => Seen::Yes,
            false => Seen::Later,
        },
        Some(xid) if visible.was_running(xid) => Seen::Later,
        Some(_) => Seen::Yes,
        None if !new => Seen::Yes,
        // Written after the snapshot was taken; or before it, by somebody who had ended, since nobody else was there.
        None => match row.lsn.and_then(Lsn::from_i64) {
            Some(lsn) if lsn >= moment.position => Seen::Later,
            Some(_) if visible.is_quiet() && row.op != Op::Read => Seen::Yes,
            _ => Seen::Unplaced,
        },
    }
}
