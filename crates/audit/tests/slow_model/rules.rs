//! The guarantees about one table, each as plainly as it can be said: I1 to I9, I11, I14 and attempted against
//! committed. Nothing here is fast.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cutover_model::{ChangeRow, Evidence, FindingKind, Op, Outcome, StoredRow};

use super::named::{self, Named};
use super::pairs::{Fate, Table, is_row_change, position};

/// One table under judgement.
pub struct Judged<'a> {
    pub evidence: &'a Evidence,
    pub table: &'a Table<'a>,
    pub fates: Vec<Fate>,
    pub found: Vec<Named>,
}

type Home<'a> = (Option<&'a str>, Option<i32>);

fn home(row: &ChangeRow) -> Home<'_> {
    (row.topic.as_deref(), row.partition)
}

impl<'a> Judged<'a> {
    pub fn of(evidence: &'a Evidence, table: &'a Table<'a>) -> Judged<'a> {
        Judged {
            evidence,
            table,
            fates: table.fates(evidence),
            found: Vec::new(),
        }
    }

    pub fn every_rule(mut self) -> Vec<Named> {
        self.i1_and_i11();
        self.i2();
        self.i3();
        self.i4();
        self.i5();
        self.i6();
        self.i7();
        self.i8();
        self.i9();
        self.i14();
        self.attempted();
        self.found
    }

    fn record(&mut self, kind: FindingKind, row: &ChangeRow) {
        self.found.push(named::record(kind, row));
    }

    /// Records of the connector, each with its fate: backfill is no change of the database.
    fn records(&self) -> Vec<(&'a ChangeRow, Fate)> {
        let rows = self.table.published.iter().copied();
        let rows = rows.zip(self.fates.iter().copied());
        rows.filter(|(row, _)| row.compensation.is_none()).collect()
    }

    /// Records of keys, by key and partition, in the order of the log, a repair's among them; tombstones if asked for.
    fn lines(&self, tombstones: bool) -> Vec<Vec<&'a ChangeRow>> {
        let mut lines: BTreeMap<(&str, Home<'_>), Vec<&ChangeRow>> = BTreeMap::new();
        for row in self.table.published.iter().copied() {
            let asked =
                is_row_change(row) || row.op == Op::Read || (tombstones && row.op == Op::Tombstone);
            if let Some(key) = row.key.as_deref().filter(|_| asked) {
                lines.entry((key, home(row))).or_default().push(row);
            }
        }
        lines.into_values().collect()
    }

    /// Each committed change is published, with its content; what is missing behind the confirmed position is not sent
    /// again.
    fn i1_and_i11(&mut self) {
        for row in self.table.without_record(self.evidence, &self.fates) {
            self.found.push(named::change(FindingKind::Lost, row));
            let confirmed = self.evidence.confirmed(row.incarnation);
            if confirmed.is_some_and(|confirmed| row.commit_lsn < Some(confirmed.as_i64())) {
                let kind = FindingKind::AcknowledgedAhead;
                self.found.push(named::change(kind, row));
            }
        }
        for (row, fate) in self.records() {
            if let Fate::Pair(change) | Fate::Carried(change) = fate {
                let change = self.table.committed[change];
                if differ(row.before, change.before)
                    || differ(row.after, change.after)
                    || differ(row.revision, change.revision)
                {
                    self.record(FindingKind::Divergent, row);
                }
            }
        }
    }

    /// Each published change was committed.
    fn i2(&mut self) {
        for (row, fate) in self.records() {
            match fate {
                Fate::Stray if self.rolled_back(row) && !self.is_lost_at(row) => {
                    self.record(FindingKind::Aborted, row);
                }
                Fate::Stray | Fate::Discarded(_) => self.record(FindingKind::Phantom, row),
                _ => (),
            }
        }
    }

    /// It was attempted in a transaction that rolled back.
    fn rolled_back(&self, row: &ChangeRow) -> bool {
        self.table.attempted.iter().any(|attempt| {
            attempt.outcome == Some(Outcome::Failed)
                && row.xid.is_some()
                && (attempt.incarnation, attempt.xid) == (row.incarnation, row.xid)
                && (&attempt.key, attempt.op) == (&row.key, row.op)
        })
    }

    /// A change of its key is lost at its very place: then only the operation is wrong.
    fn is_lost_at(&self, row: &ChangeRow) -> bool {
        let lost = self.table.without_record(self.evidence, &self.fates);
        lost.iter().any(|lost| {
            (lost.incarnation, &lost.key, lost.lsn) == (row.incarnation, &row.key, row.lsn)
        })
    }

    /// Each change once; each keyed delete with one tombstone behind it, where they are on.
    fn i3(&mut self) {
        for (row, fate) in self.records() {
            if matches!(fate, Fate::Copy(_) | Fate::Carried(_)) {
                self.record(FindingKind::Duplicated, row);
            }
        }
        // Nobody knows which tombstone belonged to a delete that is lost.
        let lost = self.table.without_record(self.evidence, &self.fates);
        let lost = |row: &ChangeRow| {
            let mut lost = lost.iter();
            lost.any(|lost| lost.op == Op::Delete && lost.key == row.key)
        };
        let on = self.evidence.tombstones;
        for line in self.lines(true) {
            for (index, row) in line.iter().enumerate() {
                let before = index.checked_sub(1).map(|before| line[before]);
                let next = line.get(index + 1);
                let due = before.is_some_and(|before| before.op == Op::Delete) || lost(row);
                let own = row.compensation.is_none();
                if row.op == Op::Tombstone && own && !(on && due) {
                    self.record(FindingKind::Duplicated, row);
                }
                let answered =
                    next.is_some_and(|next| next.op == Op::Tombstone || is_copy(row, next));
                if row.op == Op::Delete && on && !answered {
                    self.record(FindingKind::TombstoneMissing, row);
                }
            }
        }
    }

    /// Records of a key stand in commit order, in one partition.
    fn i4(&mut self) {
        let mut keys: BTreeMap<&str, BTreeMap<Home<'_>, Vec<&ChangeRow>>> = BTreeMap::new();
        for line in self.lines(true) {
            let first = line[0];
            let key = first.key.as_deref().unwrap_or_default();
            keys.entry(key).or_default().insert(home(first), line);
        }
        for homes in keys.values() {
            // The partition with most of them; of equals the first.
            let most = homes.values().map(Vec::len).max();
            let own = homes.iter().find(|(_, line)| Some(line.len()) == most);
            let own = own.map(|(home, _)| *home);
            for (_, line) in homes.iter().filter(|(home, _)| Some(**home) != own) {
                for row in line {
                    self.record(FindingKind::Repartitioned, row);
                }
            }
        }
        for line in self.lines(false) {
            let mut highest = None;
            for row in line {
                if let Some(change) = self.change_of(row) {
                    let at = position(self.table.committed[change]);
                    if highest.is_some_and(|highest| at < highest) {
                        self.record(FindingKind::Reordered, row);
                    }
                    highest = highest.max(Some(at));
                }
            }
        }
    }

    /// No record of the old life follows the cut.
    fn i5(&mut self) {
        for (row, fate) in self.records() {
            let life = match fate {
                Fate::Pair(change) => Some(self.table.committed[change].incarnation),
                Fate::Copy(life) => Some(life),
                _ => None,
            };
            if life.is_some_and(|life| life < row.incarnation) {
                self.record(FindingKind::Interleaved, row);
            }
        }
    }

    /// Each record goes on from where the one before it ended, unless the database itself did it so. What follows a
    /// delete is I7's, a snapshot record is I9's, and nothing is said of what stands right behind a repair.
    fn i6(&mut self) {
        if self.is_undecidable() {
            return;
        }
        for line in self.lines(false) {
            for (index, row) in line.iter().enumerate() {
                let before = index.checked_sub(1).map(|before| line[before]);
                let repaired = before.is_some_and(|before| before.compensation.is_some());
                if row.compensation.is_some() || repaired {
                    continue;
                }
                let broken = match before {
                    None => self.begins_wrong(row),
                    Some(before) => {
                        !goes_on(before, row)
                            && !is_copy(before, row)
                            && !self.neighbours(before, row)
                            && !self.truncated_between(before, row)
                    }
                };
                if broken {
                    self.record(FindingKind::BrokenChain, row);
                }
            }
        }
    }

    /// The change of a record, if it is one of the database's own.
    fn change_of(&self, row: &ChangeRow) -> Option<usize> {
        let mut rows = self.table.published.iter().zip(&self.fates);
        let fate = rows.find(|(other, _)| std::ptr::eq(**other, row))?.1;
        match fate {
            Fate::Pair(change) => Some(*change),
            _ => None,
        }
    }

    /// Indexes of what the database itself committed of a key, in commit order.
    fn history(&self, key: &Option<String>) -> Vec<usize> {
        let rows = self.table.committed.iter().enumerate();
        rows.filter(|(_, row)| {
            &row.key == key
                && is_row_change(row)
                && Table::is_kept(self.evidence, row)
                && !Table::is_carried(row)
        })
        .map(|(index, _)| index)
        .collect()
    }

    /// It is no insert, and the key was changed before it.
    fn begins_wrong(&self, row: &ChangeRow) -> bool {
        let first = self.history(&row.key).first().copied();
        let own = self.change_of(row);
        matches!(row.op, Op::Update | Op::Delete) && own.is_some() && own != first
    }

    /// The database committed the second right after the first, of their key.
    fn neighbours(&self, one: &ChangeRow, other: &ChangeRow) -> bool {
        let history = self.history(&one.key);
        let pair = (self.change_of(one), self.change_of(other));
        history
            .windows(2)
            .any(|two| pair == (Some(two[0]), Some(two[1])))
    }

    fn truncated_between(&self, before: &ChangeRow, row: &ChangeRow) -> bool {
        self.table.published.iter().any(|between| {
            between.op == Op::Truncate
                && between.compensation.is_none()
                && between.record_offset < row.record_offset
                && between.record_offset > before.record_offset
        })
    }

    /// Nothing follows a delete unless the key was inserted again; the first that does is named.
    fn i7(&mut self) {
        for line in self.lines(false) {
            for pair in line.windows(2) {
                let [before, row] = pair else { continue };
                if before.op == Op::Delete
                    && matches!(row.op, Op::Update | Op::Delete)
                    && before.compensation.is_none()
                    && row.compensation.is_none()
                    && !is_copy(before, row)
                {
                    self.record(FindingKind::Resurrected, row);
                }
            }
        }
    }

    /// Snapshot records only where they are planned.
    fn i9(&mut self) {
        for (row, _) in self.records() {
            if row.op == Op::Read && !self.evidence.snapshot_allowed {
                self.record(FindingKind::UnplannedSnapshot, row);
            }
        }
    }

    /// The table was truncated, and its records stand in several partitions.
    fn is_undecidable(&self) -> bool {
        let rows = self.table.published.iter();
        let mut homes: Vec<Home<'_>> = rows
            .filter(|row| row.op != Op::Message)
            .map(|row| home(row))
            .collect();
        homes.dedup();
        homes.len() > 1 && !self.truncates().is_empty()
    }

    fn truncates(&self) -> Vec<(&'a ChangeRow, Fate)> {
        let mut rows = self.records();
        rows.retain(|(row, _)| row.op == Op::Truncate);
        rows
    }

    /// The folded log gives the rows of the table.
    fn i8(&mut self) {
        if self.is_undecidable() {
            return;
        }
        let last = self.truncates().last().map(|(row, _)| row.record_offset);
        let counts = |row: &ChangeRow| last.is_none_or(|last| row.record_offset > last);
        self.i8_keyed(&counts);
        self.i8_loose(&counts);
    }

    fn i8_keyed(&mut self, counts: &dyn Fn(&ChangeRow) -> bool) {
        // Of each partition the last record: which of them is the last of all, nobody knows.
        type Ends<'b> = BTreeMap<Home<'b>, &'b ChangeRow>;
        let mut keys: BTreeMap<&str, (Ends<'_>, Option<&StoredRow>)> = BTreeMap::new();
        for line in self.lines(true) {
            if let Some(last) = line.last().filter(|last| counts(last)) {
                let key = last.key.as_deref().unwrap_or_default();
                keys.entry(key).or_default().0.insert(home(last), last);
            }
        }
        for row in self.table.stored.iter().copied() {
            if let Some(key) = &row.key {
                keys.entry(key).or_default().1 = Some(row);
            }
        }
        for (mut ends, stored) in keys.into_values() {
            // The second life begins where the first one ends.
            let life = ends.values().map(|row| row.incarnation).max();
            ends.retain(|_, row| Some(row.incarnation) == life);
            let fits = |row: &&ChangeRow| match (row.op, stored) {
                (Op::Delete | Op::Tombstone, stored) => stored.is_none(),
                (_, None) => false,
                (_, Some(stored)) => {
                    !differ(row.after, stored.image) && !differ(row.revision, stored.revision)
                }
            };
            if ends.values().any(fits) {
                continue;
            }
            let highest = ends
                .values()
                .max_by_key(|row| (row.record_offset, Reverse(row.partition)));
            match (highest, stored) {
                (Some(last), _) => self.record(FindingKind::Divergent, last),
                (None, Some(stored)) => self.found.push(named::state(stored)),
                (None, None) => (),
            }
        }
    }

    fn i8_loose(&mut self, counts: &dyn Fn(&ChangeRow) -> bool) {
        let mut contents: BTreeMap<i64, i64> = BTreeMap::new();
        let mut relation = String::new();
        let rows = self.table.published.iter().filter(|row| counts(row));
        for row in rows.filter(|row| row.key.is_none() && row.op != Op::Message) {
            relation.clone_from(&row.relation);
            for (image, change) in [(row.before, -1), (row.after, 1)] {
                if let Some(image) = image {
                    *contents.entry(image).or_default() += change;
                }
            }
        }
        for row in self.table.stored.iter().filter(|row| row.key.is_none()) {
            relation.clone_from(&row.relation);
            if let Some(image) = row.image {
                *contents.entry(image).or_default() -= 1;
            }
        }
        for _ in contents.values().filter(|count| **count != 0) {
            self.found.push(named::content(&relation));
        }
    }

    /// Truncates stand in commit order among the rows of their table, where anybody can know: as many before a row as
    /// were committed before it.
    fn i14(&mut self) {
        let truncates = self.truncates();
        if self.is_undecidable() {
            for (row, _) in truncates {
                self.record(FindingKind::Undecidable, row);
            }
            return;
        }
        let placed = |row: &ChangeRow, fate: Fate| {
            let (Fate::Pair(change) | Fate::Carried(change) | Fate::Discarded(change)) = fate
            else {
                return None;
            };
            let change = self.table.committed[change];
            (change.incarnation == row.incarnation).then(|| position(change))
        };
        let truncates: Vec<_> = truncates
            .into_iter()
            .filter_map(|(row, fate)| Some((row.record_offset, placed(row, fate)?)))
            .collect();
        let mut astray = Vec::new();
        for (row, fate) in self.records() {
            let (Fate::Pair(_), Some(own)) = (fate, placed(row, fate)) else {
                continue;
            };
            let standing = truncates
                .iter()
                .filter(|(offset, _)| *offset < row.record_offset);
            let committed = truncates.iter().filter(|(_, at)| *at < own);
            if row.op != Op::Truncate && standing.count() != committed.count() {
                astray.push(row);
            }
        }
        for row in astray {
            self.record(FindingKind::Reordered, row);
        }
    }

    /// What was acknowledged is committed, what was rolled back is not.
    fn attempted(&mut self) {
        if !self.evidence.attempted {
            return;
        }
        type What<'b> = (i32, Option<i64>, Option<&'b str>, &'static str);
        fn what(row: &ChangeRow) -> What<'_> {
            let key = row.key.as_deref();
            (row.incarnation, row.xid, key, row.op.letter())
        }
        let mut all: BTreeMap<What<'_>, Told<'_>> = BTreeMap::new();
        for row in &self.table.attempted {
            let told = all.entry(what(row)).or_default();
            match row.outcome {
                Some(Outcome::Ok) => told.acknowledged.push(row),
                Some(Outcome::Failed) => told.failed += 1,
                _ => told.unresolved += 1,
            }
        }
        for row in &self.table.committed {
            if Table::is_kept(self.evidence, row) {
                all.entry(what(row)).or_default().committed.push(row);
            }
        }
        for told in all.into_values() {
            for row in told.acknowledged.iter().skip(told.committed.len()) {
                let kind = FindingKind::DatabaseLost;
                self.found.push(named::change(kind, row));
            }
            let lawful = told.acknowledged.len() + told.unresolved;
            let beyond = told.committed.iter().skip(lawful);
            for row in beyond.filter(|_| told.failed > 0) {
                let kind = FindingKind::DatabaseInvented;
                self.found.push(named::change(kind, row));
            }
        }
    }
}

/// What became of changes that look alike, by the load and by the witness.
#[derive(Default)]
struct Told<'a> {
    acknowledged: Vec<&'a ChangeRow>,
    failed: usize,
    unresolved: usize,
    committed: Vec<&'a ChangeRow>,
}

/// Both sides know it, and it is not the same.
fn differ(one: Option<i64>, other: Option<i64>) -> bool {
    one.is_some() && other.is_some() && one != other
}

/// The second is another copy of the first, right behind it.
fn is_copy(one: &ChangeRow, other: &ChangeRow) -> bool {
    (one.op, one.lsn) == (other.op, other.lsn)
}

/// The second goes on from where the first ended.
fn goes_on(before: &ChangeRow, row: &ChangeRow) -> bool {
    match (before.op, row.op) {
        (Op::Delete, _) | (_, Op::Read) => true,
        (_, Op::Create) => false,
        _ => !differ(before.after, row.before),
    }
}
