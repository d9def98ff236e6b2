//! Which record is which change: identities, numbers, lives. One table at a time.

use std::collections::{BTreeMap, HashMap, HashSet};

use cutover_model::{ChangeRow, Evidence, Op, StoredRow};

/// What the ledgers hold of one table.
#[derive(Default)]
pub struct Table<'a> {
    pub attempted: Vec<&'a ChangeRow>,
    /// In commit order.
    pub committed: Vec<&'a ChangeRow>,
    /// In the order of topic, partition, offset.
    pub published: Vec<&'a ChangeRow>,
    pub stored: Vec<&'a StoredRow>,
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The change at this index of `committed`.
    Pair(usize),
    /// One more of what this life committed.
    Copy(i32),
    /// What the upgrade carried over, published as if it were new.
    Carried(usize),
    /// Committed, but a restore went back before it.
    Discarded(usize),
    /// Nobody committed it.
    Stray,
    /// No change: a tombstone, a snapshot record, a message, backfill.
    Other,
}

pub fn is_change(row: &ChangeRow) -> bool {
    matches!(row.op, Op::Create | Op::Update | Op::Delete | Op::Truncate)
}

pub fn is_row_change(row: &ChangeRow) -> bool {
    is_change(row) && row.op != Op::Truncate
}

/// The place of a record in the log.
pub fn place(row: &ChangeRow) -> (Option<&str>, Option<i32>, Option<i64>) {
    (row.topic.as_deref(), row.partition, row.record_offset)
}

/// The place of a change among all changes of the database: lives in time order, commits in the order of a life.
pub fn position(row: &ChangeRow) -> (i32, Option<i64>, Option<i64>) {
    (row.incarnation, row.commit_lsn, row.ordinal)
}

/// What a change shows of itself in a topic, besides its life and its number: key, or content where there is no key.
type Looks = (Option<i64>, Option<i64>, &'static str);

fn looks(row: &ChangeRow) -> Looks {
    let content = if row.op == Op::Delete {
        row.before
    } else {
        row.after
    };
    let what = row.key.as_ref().map(|_| row.key_hash).or(content);
    (what, row.lsn, row.op.letter())
}

impl<'a> Table<'a> {
    pub fn sort(&mut self) {
        self.committed.sort_by_key(|row| position(row));
        self.published
            .sort_by(|one, other| place(one).cmp(&place(other)));
    }

    /// A change that is part of the database: no restore went back before it.
    pub fn is_kept(evidence: &Evidence, row: &ChangeRow) -> bool {
        let life = usize::try_from(row.incarnation).ok();
        let life = life.and_then(|life| evidence.incarnations.get(life));
        let end = life.and_then(|life| life.kept_before);
        end.is_none_or(|end| row.commit_lsn < Some(end.as_i64()))
    }

    /// What logical replication brought from one life to the next.
    pub fn is_carried(row: &ChangeRow) -> bool {
        row.origin.is_some() && row.incarnation > 0
    }

    /// The fate of each record.
    pub fn fates(&self, evidence: &Evidence) -> Vec<Fate> {
        let mut changes: HashMap<(i32, Looks), Vec<usize>> = HashMap::new();
        for (index, row) in self.committed.iter().enumerate() {
            if is_change(row) {
                changes
                    .entry((row.incarnation, looks(row)))
                    .or_default()
                    .push(index);
            }
        }
        let mut fates = vec![Fate::Other; self.published.len()];
        let mut groups: BTreeMap<(i32, Looks), Vec<usize>> = BTreeMap::new();
        for (index, row) in self.published.iter().enumerate() {
            if !is_change(row) || row.compensation.is_some() {
                continue;
            }
            fates[index] = Fate::Stray;
            // A record is of the life that the cut says, or of one before that.
            let life = (0..=row.incarnation)
                .rev()
                .find(|life| changes.contains_key(&(*life, looks(row))));
            if let Some(life) = life {
                groups.entry((life, looks(row))).or_default().push(index);
            }
        }
        for ((life, looks), mut records) in groups {
            // What stands before the cut came first.
            records.sort_by_key(|index| self.published[*index].incarnation);
            let same = &changes[&(life, looks)];
            for (number, record) in records.into_iter().enumerate() {
                fates[record] = match same.get(number) {
                    Some(change) if Self::is_carried(self.committed[*change]) => {
                        Fate::Carried(*change)
                    }
                    Some(change) if !Self::is_kept(evidence, self.committed[*change]) => {
                        Fate::Discarded(*change)
                    }
                    Some(change) => Fate::Pair(*change),
                    None => Fate::Copy(life),
                };
            }
        }
        fates
    }

    /// Changes that have no record.
    pub fn without_record(&self, evidence: &Evidence, fates: &[Fate]) -> Vec<&'a ChangeRow> {
        let paired: HashSet<usize> = fates
            .iter()
            .filter_map(|fate| match fate {
                Fate::Pair(change) => Some(*change),
                _ => None,
            })
            .collect();
        let missing = |(index, row): &(usize, &&'a ChangeRow)| {
            !paired.contains(index)
                && is_change(row)
                && Self::is_kept(evidence, row)
                && !Self::is_carried(row)
        };
        let rows = self.committed.iter().enumerate();
        rows.filter(missing).map(|(_, row)| *row).collect()
    }
}
