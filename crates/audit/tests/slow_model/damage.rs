//! Random damage of any kind to one history, any number of times over.

use std::collections::{BTreeMap, HashMap};

use cutover_model::canonical::keyless_hash;
use cutover_model::{ChangeRow, Half, Op, Outcome, StoredRow};

use crate::support::Run;
use crate::support::history::{Dice, PARTITIONS};

/// One history under damage.
pub struct Damage {
    run: Run,
    dice: Dice,
    /// Where the second life begins in each partition: what the cut noted.
    cuts: HashMap<(String, i32), i64>,
    /// The key that most blows hit, so that they meet.
    focus: Option<(String, Option<String>)>,
}

type Blow = fn(&mut Damage) -> Option<()>;

/// Every kind of damage; one that finds no place does nothing.
const BLOWS: &[Blow] = &[
    Damage::drop,
    Damage::copy,
    Damage::copy,
    Damage::move_partition,
    Damage::swap,
    Damage::swap,
    Damage::alter,
    Damage::other_op,
    Damage::late,
    Damage::snapshot,
    Damage::tombstone,
    Damage::invent,
    Damage::publish_aborted,
    Damage::forget,
    Damage::carry,
    Damage::other_outcome,
    Damage::attempt,
    Damage::store,
    Damage::repair,
    Damage::marks,
    Damage::half,
    Damage::truncate,
    Damage::commit_otherwise,
    Damage::message,
    Damage::lose_a_stretch,
];

impl Damage {
    pub fn new(run: Run, seed: u64) -> Damage {
        let mut cuts: HashMap<(String, i32), i64> = HashMap::new();
        for row in &run.published {
            let home = (row.topic.clone().unwrap(), row.partition.unwrap());
            let offset = row.record_offset.unwrap();
            let first = if row.incarnation == 0 {
                offset + 5
            } else {
                offset
            };
            let cut = cuts.entry(home).or_insert(first);
            if row.incarnation == 0 {
                *cut = first.max(*cut);
            }
        }
        let mut dice = Dice::new(seed);
        let focus = dice.pick(&run.published);
        let focus = focus.map(|row| (row.relation.clone(), row.key.clone()));
        Damage {
            run,
            dice,
            cuts,
            focus,
        }
    }

    /// So many blows; then each record is of the life in whose part of the log it stands.
    pub fn inflict(mut self, blows: i64) -> Run {
        for _ in 0..blows {
            let blow = *self.dice.pick(BLOWS).unwrap();
            let _ = blow(&mut self);
        }
        for row in &mut self.run.published {
            let home = (row.topic.clone().unwrap(), row.partition.unwrap());
            let cut = self.cuts.get(&home).copied().unwrap_or(0);
            row.incarnation = i32::from(row.record_offset.unwrap() >= cut);
        }
        self.run
    }

    fn pick(&mut self, wanted: impl Fn(&ChangeRow) -> bool) -> Option<usize> {
        let rows = self.run.published.iter().enumerate();
        let found: Vec<usize> = rows
            .filter(|(_, row)| wanted(row))
            .map(|(index, _)| index)
            .collect();
        let is_hit = |index: &&usize| {
            let row = &self.run.published[**index];
            let own = self.focus.as_ref();
            own.is_some_and(|own| (&own.0, &own.1) == (&row.relation, &row.key))
        };
        let hit: Vec<usize> = found.iter().filter(is_hit).copied().collect();
        let found = if self.dice.chance(60) && !hit.is_empty() {
            hit
        } else {
            found
        };
        self.dice.pick(&found).copied()
    }

    fn image(&mut self) -> Option<i64> {
        Some(self.dice.below(5) + 1)
    }

    /// Puts a record into a partition, at its end or right behind some record of it.
    fn insert(&mut self, mut row: ChangeRow) {
        let taken: Vec<i64> = self
            .run
            .published
            .iter()
            .filter(|other| other.topic == row.topic && other.partition == row.partition)
            .filter_map(|other| other.record_offset)
            .collect();
        let mut offset = if self.dice.chance(40) {
            taken.iter().max().map_or(0, |last| last + 10)
        } else {
            self.dice.pick(&taken).map_or(0, |before| before + 1)
        };
        while taken.contains(&offset) {
            offset += 1;
        }
        row.record_offset = Some(offset);
        self.run.published.push(row);
    }

    fn drop(&mut self) -> Option<()> {
        let index = self.pick(|_| true)?;
        self.run.published.remove(index);
        Some(())
    }

    fn copy(&mut self) -> Option<()> {
        let index = self.pick(|_| true)?;
        let row = self.run.published[index].clone();
        self.insert(row);
        Some(())
    }

    fn move_partition(&mut self) -> Option<()> {
        let index = self.pick(|_| true)?;
        let row = self.run.published.remove(index);
        let partition = row.partition.map(|partition| (partition + 1) % PARTITIONS);
        self.insert(ChangeRow { partition, ..row });
        Some(())
    }

    fn swap(&mut self) -> Option<()> {
        let one = self.pick(|_| true)?;
        let first = self.run.published[one].clone();
        let near = self.dice.chance(70);
        let other = self.pick(|row| {
            (&row.topic, row.partition) == (&first.topic, first.partition)
                && (!near || row.key == first.key)
        })?;
        let offset = self.run.published[other].record_offset;
        self.run.published[other].record_offset = first.record_offset;
        self.run.published[one].record_offset = offset;
        Some(())
    }

    fn alter(&mut self) -> Option<()> {
        let index = self.pick(|row| matches!(row.op, Op::Create | Op::Update | Op::Delete))?;
        let (which, image) = (self.dice.below(4), self.image());
        let row = &mut self.run.published[index];
        match which {
            0 if row.before.is_some() => row.before = image,
            1 => row.revision = row.revision.map(|revision| revision + 1),
            2 => row.xid = row.xid.map(|xid| xid + 500_000),
            _ if row.after.is_some() => row.after = image,
            _ => return None,
        }
        rehash(row);
        Some(())
    }

    fn other_op(&mut self) -> Option<()> {
        let index = self.pick(|row| row.key.is_some() && row.op != Op::Tombstone)?;
        let op = *self.dice.pick(&[Op::Create, Op::Update, Op::Delete])?;
        let row = &mut self.run.published[index];
        row.op = op;
        row.after = if op == Op::Delete {
            None
        } else {
            row.after.or(Some(3))
        };
        Some(())
    }

    /// A record of the old life once more, or only, at the end.
    fn late(&mut self) -> Option<()> {
        let index = self.pick(|row| row.incarnation == 0)?;
        let row = self.run.published[index].clone();
        if self.dice.chance(50) {
            self.run.published.remove(index);
        }
        let cut = *self.cuts.get(&(row.topic.clone()?, row.partition?))?;
        let home = (row.topic.clone(), row.partition);
        let rows = self.run.published.iter();
        let rows = rows.filter(|other| (other.topic.clone(), other.partition) == home);
        let last = rows.filter_map(|row| row.record_offset).max().unwrap_or(0);
        let record_offset = Some(last.max(cut) + 10);
        self.run.published.push(ChangeRow {
            record_offset,
            ..row
        });
        Some(())
    }

    fn snapshot(&mut self) -> Option<()> {
        let index = self.pick(|row| matches!(row.op, Op::Create | Op::Update))?;
        let after = match self.dice.chance(50) {
            true => self.image(),
            false => self.run.published[index].after,
        };
        let row = ChangeRow {
            op: Op::Read,
            half: Half::Whole,
            before: None,
            after,
            ..self.run.published[index].clone()
        };
        self.insert(row);
        Some(())
    }

    fn tombstone(&mut self) -> Option<()> {
        let index = self.pick(|row| row.op == Op::Tombstone)?;
        let row = self.run.published[index].clone();
        if self.dice.chance(50) {
            self.run.published.remove(index);
        } else {
            self.insert(row);
        }
        Some(())
    }

    fn invent(&mut self) -> Option<()> {
        let index = self.pick(|row| row.op != Op::Tombstone)?;
        let mut row = self.run.published[index].clone();
        row.lsn = row.lsn.map(|lsn| lsn + 1);
        if self.dice.chance(50) {
            row.xid = row.xid.map(|xid| xid + 500_000);
        }
        self.insert(row);
        Some(())
    }

    fn publish_aborted(&mut self) -> Option<()> {
        let rows = self.run.attempted.iter();
        let failed = rows.filter(|row| row.outcome == Some(Outcome::Failed) && row.key.is_some());
        let failed: Vec<ChangeRow> = failed.cloned().collect();
        let row = self.dice.pick(&failed)?.clone();
        let partition = row.key_hash.rem_euclid(i64::from(PARTITIONS));
        self.insert(ChangeRow {
            topic: Some(format!("t.{}", row.relation)),
            partition: i32::try_from(partition).ok(),
            lsn: Some(999_999_999),
            after: Some(7),
            outcome: None,
            tx_id: row.xid.map(|xid| xid.to_string()),
            tx_order: Some(1),
            tx_table_order: Some(1),
            ..row
        });
        Some(())
    }

    /// A transaction: incarnation and id.
    fn transaction(&mut self, life: Option<i32>) -> Option<(i32, Option<i64>)> {
        let all: Vec<(i32, Option<i64>)> = self
            .run
            .committed
            .iter()
            .filter(|row| life.is_none_or(|life| row.incarnation == life))
            .map(|row| (row.incarnation, row.xid))
            .collect();
        self.dice.pick(&all).copied()
    }

    /// The database forgets a transaction; the topics may or may not.
    fn forget(&mut self) -> Option<()> {
        let which = self.transaction(None)?;
        let of = |row: &ChangeRow| (row.incarnation, row.xid) == which;
        self.run.committed.retain(|row| !of(row));
        if self.dice.chance(70) {
            self.run.published.retain(|row| !of(row));
        }
        Some(())
    }

    /// Logical replication brought a transaction of the new life.
    fn carry(&mut self) -> Option<()> {
        let which = self.transaction(Some(1))?;
        let of = |row: &ChangeRow| (row.incarnation, row.xid) == which;
        for row in self.run.committed.iter_mut().filter(|row| of(row)) {
            row.origin = Some("pg_16405".into());
        }
        if self.dice.chance(50) {
            self.run.published.retain(|row| !of(row));
        }
        Some(())
    }

    fn other_outcome(&mut self) -> Option<()> {
        let outcome = Some(
            *self
                .dice
                .pick(&[Outcome::Ok, Outcome::Failed, Outcome::Unknown])?,
        );
        let index = usize::try_from(self.dice.below(self.run.attempted.len() as u64)).ok()?;
        let picked = self.run.attempted.get(index)?.clone();
        let whole = self.dice.chance(60);
        for (number, row) in self.run.attempted.iter_mut().enumerate() {
            let same = (row.incarnation, row.xid) == (picked.incarnation, picked.xid);
            if number == index || (whole && same) {
                row.outcome = outcome;
            }
        }
        Some(())
    }

    fn attempt(&mut self) -> Option<()> {
        let index = usize::try_from(self.dice.below(self.run.attempted.len() as u64)).ok()?;
        let mut row = self.run.attempted.get(index)?.clone();
        match self.dice.below(3) {
            0 => {
                self.run.attempted.remove(index);
                return Some(());
            }
            1 => row.xid = row.xid.map(|xid| xid + 500_000),
            _ => (),
        }
        self.run.attempted.push(row);
        Some(())
    }

    fn store(&mut self) -> Option<()> {
        let image = self.image();
        let index = usize::try_from(self.dice.below(self.run.stored.len() as u64)).ok()?;
        let row: StoredRow = self.run.stored.get(index)?.clone();
        match self.dice.below(3) {
            0 => drop(self.run.stored.remove(index)),
            1 => self.run.stored[index].image = image,
            _ => {
                let key = row
                    .key
                    .as_ref()
                    .map(|_| crate::support::key(self.dice.below(20)));
                let taken = |other: &StoredRow| other.relation == row.relation && other.key == key;
                if key.is_none() || !self.run.stored.iter().any(taken) {
                    self.run.store(&row.relation, key.as_deref(), image?);
                }
            }
        }
        Some(())
    }

    /// What a repair wrote.
    fn repair(&mut self) -> Option<()> {
        let index = self.pick(|row| row.key.is_some())?;
        let mut row = self.run.published[index].clone();
        row.compensation = Some("gap-1".into());
        self.insert(row);
        Some(())
    }

    fn marks(&mut self) -> Option<()> {
        let index = usize::try_from(self.dice.below(self.run.transactions.len() as u64)).ok()?;
        let mut row = self.run.transactions.get(index)?.clone();
        match self.dice.below(3) {
            0 => drop(self.run.transactions.remove(index)),
            1 => {
                row.record_offset += 1;
                self.run.transactions.push(row);
            }
            _ => {
                let events = &mut self.run.transactions[index].events;
                *events = events.map(|events| events + 1);
            }
        }
        Some(())
    }

    fn half(&mut self) -> Option<()> {
        let index = self.pick(|row| row.half != Half::Whole && row.op != Op::Tombstone)?;
        if self.dice.chance(50) {
            self.run.published[index].half = Half::Whole;
        } else {
            self.run.published.remove(index);
        }
        Some(())
    }

    /// A truncate of any table; committed too, or only published, or only committed.
    fn truncate(&mut self) -> Option<()> {
        let index = self.pick(|row| matches!(row.op, Op::Create | Op::Update | Op::Truncate))?;
        let row = self.run.published[index].clone();
        let life = row.incarnation;
        let rows = self
            .run
            .committed
            .iter()
            .filter(|row| row.incarnation == life);
        let after = rows.map(|row| row.commit_lsn).collect::<Vec<_>>();
        let commit = (*self.dice.pick(&after)?)? + 1_024;
        let truncate = ChangeRow {
            lsn: Some(commit - 512),
            xid: row.xid.map(|xid| xid + 600_000),
            ..crate::support::change(life, &row.relation, Op::Truncate, None, (None, None))
        };
        let clash = self.run.committed.iter().any(|row| {
            row.incarnation == life && (row.commit_lsn == Some(commit) || row.xid == truncate.xid)
        });
        if clash {
            return None;
        }
        let which = self.dice.below(4);
        if which != 0 {
            self.run.committed.push(ChangeRow {
                commit_lsn: Some(commit),
                ordinal: Some(0),
                ..truncate.clone()
            });
        }
        if which != 1 {
            self.insert(ChangeRow {
                topic: row.topic,
                partition: row.partition,
                tx_id: truncate.xid.map(|xid| xid.to_string()),
                tx_order: Some(1),
                tx_table_order: Some(1),
                ..truncate
            });
        }
        Some(())
    }

    /// The database committed another content, or the old row is known to one side only.
    fn commit_otherwise(&mut self) -> Option<()> {
        let (image, forget) = (self.image(), self.dice.chance(50));
        let length = self.run.committed.len() as u64;
        let index = usize::try_from(self.dice.below(length)).ok()?;
        let row = self.run.committed.get_mut(index)?;
        row.key.as_ref()?;
        if forget {
            row.before = None;
        } else if row.after.is_some() {
            row.after = image;
        }
        Some(())
    }

    /// A marker among the records of a table.
    fn message(&mut self) -> Option<()> {
        let index = self.pick(|row| row.op == Op::Create)?;
        let row = ChangeRow {
            op: Op::Message,
            key: None,
            before: None,
            after: None,
            half: Half::Whole,
            ..self.run.published[index].clone()
        };
        self.insert(row);
        Some(())
    }

    /// All records of one table in a stretch of the log.
    fn lose_a_stretch(&mut self) -> Option<()> {
        let index = self.pick(|_| true)?;
        let row = self.run.published[index].clone();
        let end = row.record_offset.map(|offset| offset + 50);
        self.run.published.retain(|other| {
            (&other.topic, other.partition) != (&row.topic, row.partition)
                || other.record_offset < row.record_offset
                || other.record_offset > end
        });
        Some(())
    }
}

/// A change of a table without key is told by its content.
fn rehash(row: &mut ChangeRow) {
    if row.key.is_none() {
        row.key_hash = keyless_hash(&row.relation, row.before, row.after);
    }
}

/// The tables whose old rows nobody knows: REPLICA IDENTITY DEFAULT.
pub fn forget_old_rows(run: &mut Run, dice: &mut Dice) {
    let mut tables: BTreeMap<String, bool> = BTreeMap::new();
    let rows = run.published.iter_mut().chain(&mut run.committed);
    for row in rows.filter(|row| row.key.is_some()) {
        let default = tables.entry(row.relation.clone());
        if *default.or_insert_with(|| dice.chance(40)) {
            row.before = None;
        }
    }
}
