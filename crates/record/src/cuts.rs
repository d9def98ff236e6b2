//! Whose life of the database a record belongs to.
//!
//! Records do not say it, so it follows from their place: the end offsets of the topics are noted while the connector
//! stands still, and what comes later is of the next life (a *cut* of each partition). Only a repair makes that wrong:
//! a server that has the log of both lives delivers the missing end of the old one and the beginning of the new one in
//! one go, all of it after the noted cut. Where the new life continues the log of the old one (a restore, a promotion),
//! it is known at which position the two part, the *fork*, and then the cut can be told exactly:
//!
//! > A record after the noted cut whose LSN lies before the fork, and before which its partition has no record of the
//! > new life, is of the old life. The new life begins with the first record that is not.
//!
//! Why comparing is safe: both lives share one log up to the fork, and what the new one writes lies at or after it. So
//! an LSN before the fork cannot be one of the new life; an LSN at or after it, here, cannot be of the part of the old
//! life that the new one has. The rule it protects: a record of the old life that comes *after* one of the new life
//! keeps the later place, and the audit names it interleaved; and whatever does not show an LSN, or is no plain change
//! (a snapshot, a repair's compensation, what could not be decoded), begins the new life as the noted cut says. A
//! second copy of an old change stays a second copy: the audit counts copies per change, wherever they stand.

use cutover_model::{ChangeRow, Lsn, Op, TransactionRow};

use crate::decode::Decoded;

/// Walks through the records of one partition, in order.
#[derive(Debug)]
pub(crate) struct Lives {
    cuts: Vec<(i32, i64)>,
    forks: Vec<(i32, Lsn)>,
    /// Which of the cuts has begun.
    at: usize,
    /// A record after the next noted cut was given to the life before it.
    held: bool,
}

/// What a record shows of its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// A change at this position.
    Lsn(Lsn),
    /// Something that follows the record before it: the tombstone of a delete, a message.
    Follows,
    /// Nothing.
    Nothing,
}

impl Lives {
    /// `forks`: for each life whose log continues that of the life before it, where it leaves that.
    pub(crate) fn new(cuts: &[(i32, i64)], start: i64, forks: &[(i32, Lsn)]) -> Lives {
        Lives {
            cuts: clamp(cuts, start, forks),
            forks: forks.to_vec(),
            at: 0,
            held: false,
        }
    }

    /// The life that the next record belongs to, which is what it is decoded with.
    pub(crate) fn current(&self) -> i32 {
        self.cuts[self.at].0
    }

    /// Settles the life of a decoded record.
    pub(crate) fn settle(&mut self, offset: i64, decoded: &mut Decoded) {
        let life = self.place(offset, shown(decoded));
        match decoded {
            Decoded::Change(change) => change.row.incarnation = life,
            Decoded::Tombstone(row) => row.incarnation = life,
            Decoded::Transaction(rows) => rows.iter_mut().for_each(|row| row.incarnation = life),
            Decoded::Message(_)
            | Decoded::Skipped
            | Decoded::Undecoded(_)
            | Decoded::Unknown(_) => {}
        }
    }

    fn place(&mut self, offset: i64, shown: Shown) -> i32 {
        while let Some((next, first)) = self.cuts.get(self.at + 1).copied()
            && first <= offset
        {
            let fork = self.forks.iter().find(|(life, _)| *life == next);
            let stays = match (fork, shown) {
                (Some((_, fork)), Shown::Lsn(lsn)) => lsn < *fork,
                (Some(_), Shown::Follows) => true,
                (Some(_), Shown::Nothing) | (None, _) => false,
            };
            if stays {
                self.held |= shown != Shown::Follows;
                break;
            }
            self.at += 1;
            let held = std::mem::take(&mut self.held);
            let earliest = if held { offset } else { first };
            self.cuts[self.at].1 = earliest.max(self.cuts[self.at - 1].1);
        }
        self.current()
    }

    /// The cuts as they turned out, once everything before `end` is read.
    pub(crate) fn into_cuts(mut self, end: i64) -> Vec<(i32, i64)> {
        if self.held {
            // Nothing of the next life has come yet, nor of one after it.
            for (_, first) in self.cuts.iter_mut().skip(self.at + 1) {
                *first = end.max(*first);
            }
        }
        self.cuts
    }
}

fn shown(decoded: &Decoded) -> Shown {
    match decoded {
        Decoded::Change(change) => of_change(&change.row),
        Decoded::Transaction(rows) => of_transaction(rows),
        Decoded::Tombstone(_) | Decoded::Message(_) | Decoded::Skipped => Shown::Follows,
        Decoded::Undecoded(_) | Decoded::Unknown(_) => Shown::Nothing,
    }
}

/// Newer connectors write a position into the name of a transaction: `746:26555792`.
fn of_transaction(rows: &[TransactionRow]) -> Shown {
    let name = rows.first().map(|row| row.tx_id.as_str());
    let position = name.and_then(|name| name.split_once(':')?.1.parse().ok());
    position.map_or(Shown::Nothing, |lsn| Shown::Lsn(Lsn(lsn)))
}

fn of_change(row: &ChangeRow) -> Shown {
    let plain = row.op != Op::Read && row.compensation.is_none();
    match row.lsn.and_then(Lsn::from_i64).filter(|_| plain) {
        Some(lsn) => Shown::Lsn(lsn),
        None => Shown::Nothing,
    }
}

/// Cuts as they are for a log that begins at `start`: the first one there, none before it.
fn clamp(cuts: &[(i32, i64)], start: i64, forks: &[(i32, Lsn)]) -> Vec<(i32, i64)> {
    let mut clamped: Vec<(i32, i64)> = Vec::with_capacity(cuts.len().max(1));
    for (index, offset) in cuts {
        let offset = (*offset).max(start);
        // An incarnation whose records are all gone, or that wrote none here, gives its place to the next; unless its
        // records can still come.
        let forked = forks.iter().any(|(life, _)| life == index);
        clamped.retain(|(_, earlier)| *earlier < offset || forked);
        clamped.push((*index, offset));
    }
    match clamped.first_mut() {
        Some(first) => first.1 = start,
        None => clamped.push((0, start)),
    }
    clamped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Change;

    fn walk(lives: &mut Lives, records: &[(i64, Shown)]) -> Vec<i32> {
        let place = |(offset, shown): &(i64, Shown)| lives.place(*offset, *shown);
        records.iter().map(place).collect()
    }

    fn at(offset: i64, lsn: u64) -> (i64, Shown) {
        (offset, Shown::Lsn(Lsn(lsn)))
    }

    #[test]
    fn a_record_belongs_to_the_incarnation_that_its_cut_says() {
        let mut lives = Lives::new(&[(0, 0), (1, 10)], 0, &[]);
        let records = [at(9, 100), at(10, 50), at(11, 60)];
        assert_eq!(walk(&mut lives, &records), [0, 1, 1]);
        assert_eq!(lives.into_cuts(12), [(0, 0), (1, 10)]);
        let mut lives = Lives::new(&[], 5, &[]);
        assert_eq!(walk(&mut lives, &[at(7, 1)]), [0]);
    }

    #[test]
    fn the_missing_end_of_the_old_life_moves_the_cut_behind_it() {
        let mut lives = Lives::new(&[(0, 0), (1, 10)], 0, &[(1, Lsn(100))]);
        let records = [
            at(9, 70),
            at(10, 80),
            at(11, 90),
            (12, Shown::Follows),
            at(13, 100),
            at(14, 120),
        ];
        assert_eq!(walk(&mut lives, &records), [0, 0, 0, 0, 1, 1]);
        assert_eq!(lives.into_cuts(15), [(0, 0), (1, 13)]);
    }

    fn change(op: Op, lsn: Option<i64>) -> Decoded {
        let mut row = ChangeRow::new(0, "public.t", op);
        row.lsn = lsn;
        Decoded::Change(Change {
            row: Box::new(row),
            has_lsn: lsn.is_some(),
            has_op: true,
            format: "test",
        })
    }

    #[test]
    fn rows_get_the_life_that_was_settled() {
        let mut lives = Lives::new(&[(0, 0), (1, 10)], 0, &[(1, Lsn(100))]);
        let tombstone =
            || Decoded::Tombstone(Box::new(ChangeRow::new(0, "public.t", Op::Tombstone)));
        let mut records = [
            change(Op::Delete, Some(90)),
            tombstone(),
            change(Op::Delete, Some(110)),
            tombstone(),
            // Too late: the new life has begun.
            change(Op::Delete, Some(95)),
            tombstone(),
        ];
        let settled = records.iter_mut().zip(10..).map(|(decoded, offset)| {
            lives.settle(offset, decoded);
            match decoded {
                Decoded::Change(change) => change.row.incarnation,
                Decoded::Tombstone(row) => row.incarnation,
                _ => -1,
            }
        });
        assert_eq!(settled.collect::<Vec<_>>(), [0, 0, 1, 1, 1, 1]);
    }

    #[test]
    fn snapshot_records_and_compensations_show_no_life() {
        let mut compensation = ChangeRow::new(0, "public.t", Op::Delete);
        compensation.lsn = Some(90);
        compensation.compensation = Some("gap".into());
        assert_eq!(of_change(&compensation), Shown::Nothing);
        assert_eq!(shown(&change(Op::Read, Some(90))), Shown::Nothing);
        assert_eq!(shown(&change(Op::Create, None)), Shown::Nothing);
        assert_eq!(shown(&Decoded::Undecoded("x".into())), Shown::Nothing);
        assert_eq!(shown(&change(Op::Create, Some(90))), Shown::Lsn(Lsn(90)));
    }

    #[test]
    fn an_old_record_after_a_new_one_stays_late() {
        let mut lives = Lives::new(&[(0, 0), (1, 10)], 0, &[(1, Lsn(100))]);
        let records = [at(9, 70), at(10, 120), at(11, 80), (12, Shown::Follows)];
        assert_eq!(walk(&mut lives, &records), [0, 1, 1, 1]);
        assert_eq!(lives.into_cuts(13), [(0, 0), (1, 10)]);
    }

    #[test]
    fn what_shows_no_position_begins_the_new_life_at_the_noted_cut() {
        let mut lives = Lives::new(&[(0, 0), (1, 10)], 0, &[(1, Lsn(100))]);
        let records = [at(9, 70), (10, Shown::Nothing), at(11, 80)];
        assert_eq!(walk(&mut lives, &records), [0, 1, 1]);
    }

    #[test]
    fn a_partition_without_a_record_of_the_new_life_has_its_cut_at_the_end() {
        let mut lives = Lives::new(&[(0, 0), (1, 10)], 0, &[(1, Lsn(100))]);
        assert_eq!(walk(&mut lives, &[at(9, 70), at(10, 80)]), [0, 0]);
        let cuts = lives.into_cuts(11);
        assert_eq!(cuts, [(0, 0), (1, 11)]);
        // Read again with what was found, and with more behind it: the same.
        let mut lives = Lives::new(&cuts, 0, &[(1, Lsn(100))]);
        assert_eq!(walk(&mut lives, &[at(10, 80), at(11, 130)]), [0, 1]);
        assert_eq!(lives.into_cuts(12), [(0, 0), (1, 11)]);
        // Without one of either life nothing is known that the noted cut does not say.
        let lives = Lives::new(&[(0, 0), (1, 10)], 0, &[(1, Lsn(100))]);
        assert_eq!(lives.into_cuts(10), [(0, 0), (1, 10)]);
    }

    #[test]
    fn each_life_has_a_fork_of_its_own() {
        let forks = [(1, Lsn(100)), (2, Lsn(200))];
        let mut lives = Lives::new(&[(0, 0), (1, 10), (2, 10)], 0, &forks);
        assert_eq!(walk(&mut lives, &[at(10, 90), at(11, 210)]), [0, 2]);
        assert_eq!(lives.into_cuts(12), [(0, 0), (1, 11), (2, 11)]);
        let mut lives = Lives::new(&[(0, 0), (1, 10), (2, 20)], 0, &forks);
        let records = [
            at(10, 90),
            at(11, 150),
            at(20, 160),
            at(21, 200),
            at(22, 90),
        ];
        assert_eq!(walk(&mut lives, &records), [0, 1, 1, 2, 2]);
        assert_eq!(lives.into_cuts(23), [(0, 0), (1, 11), (2, 21)]);
    }

    #[test]
    fn retention_moves_the_first_cut_and_drops_what_is_gone() {
        let clamp = |cuts: &[(i32, i64)], start| super::clamp(cuts, start, &[]);
        assert_eq!(clamp(&[(0, 0), (1, 10)], 4), [(0, 4), (1, 10)]);
        assert_eq!(clamp(&[(0, 0), (1, 10)], 12), [(1, 12)]);
        assert_eq!(clamp(&[(0, 3), (1, 10)], 0), [(0, 0), (1, 10)]);
        assert_eq!(clamp(&[(0, 0), (1, 0), (2, 8)], 0), [(1, 0), (2, 8)]);
    }

    #[test]
    fn a_partition_that_was_empty_at_the_noted_cut_can_still_get_the_old_life() {
        let mut lives = Lives::new(&[(0, 0), (1, 0)], 0, &[(1, Lsn(100))]);
        assert_eq!(walk(&mut lives, &[at(0, 90), at(1, 110)]), [0, 1]);
        assert_eq!(lives.into_cuts(2), [(0, 0), (1, 1)]);
    }
}
