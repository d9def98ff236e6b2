//! Planting exactly one wrong thing in a clean history, and saying which finding must name it.

use cutover_model::evidence::SequenceEvidence;
use cutover_model::{ChangeRow, Finding, FindingKind, Half, Op, Outcome, TransactionRow};

use super::Run;
use super::history::{Dice, LSNS, PARTITIONS};

/// What was planted.
pub struct Planted {
    pub what: &'static str,
    pub kind: FindingKind,
    /// The event that the finding must name: LSN where it has one, else place in the log.
    pub relation: String,
    pub lsn: Option<i64>,
    pub xid: Option<i64>,
    pub record_offset: Option<i64>,
    /// Further kinds that follow from it.
    pub consequences: &'static [FindingKind],
}

impl Planted {
    pub fn is_named_by(&self, finding: &Finding) -> bool {
        finding.kind == self.kind
            && finding.relation.starts_with(&self.relation)
            && (self.xid.is_none() || finding.xid == self.xid)
            && (self.lsn.is_none() || finding.lsn == self.lsn)
            && (self.record_offset.is_none() || finding.record_offset == self.record_offset)
    }
}

use FindingKind::{
    Aborted, AcknowledgedAhead, BrokenChain, DatabaseInvented, DatabaseLost, Divergent, Duplicated,
    Interleaved, KeyReuse, Lost, Phantom, Reordered, Repartitioned, Resurrected, TombstoneMissing,
    Torn, Undecidable, UnplannedSnapshot,
};

/// Follows wherever a record is doubled or in the wrong place.
const DISORDER: &[FindingKind] = &[
    BrokenChain,
    Divergent,
    Duplicated,
    Reordered,
    Resurrected,
    TombstoneMissing,
];

/// Follows where a record is missing, or stands outside its transaction.
const MISSING: &[FindingKind] = &[
    AcknowledgedAhead,
    BrokenChain,
    Divergent,
    Duplicated,
    Reordered,
    Resurrected,
    TombstoneMissing,
    Torn,
];

type Mutation = fn(&mut History<'_>) -> Option<Planted>;

/// Every mutation; one returns `None` if the history has no place for it.
pub const ALL: [(&str, Mutation); 26] = [
    ("drop", drop_record),
    ("duplicate", duplicate),
    ("swap", swap),
    ("alter image", alter),
    ("wrong op", wrong_op),
    ("resurrect", resurrect),
    ("extra tombstone", extra_tombstone),
    ("missing tombstone", missing_tombstone),
    ("move to another partition", move_partition),
    ("late record of the old incarnation", late),
    ("snapshot record", snapshot),
    ("invent", invent),
    ("publish what rolled back", publish_aborted),
    ("forget a transaction", forget),
    ("commit what rolled back", commit_failed),
    ("alter a stored row", alter_stored),
    ("drop what the slot is confirmed beyond", drop_for_good),
    ("drop half of a changed key", drop_half),
    ("drop an END", drop_end),
    ("write a BEGIN twice", begin_twice),
    ("count one change too many", miscount),
    ("misplace a truncate", misplace_truncate),
    ("alter the old image", alter_old),
    ("early record of the new incarnation", early),
    ("tear a transaction", tear),
    ("leave a sequence behind", leave_sequence),
];

/// One history inside a run.
pub struct History<'a> {
    pub run: &'a mut Run,
    pub dice: Dice,
    pub prefix: String,
}

impl History<'_> {
    fn pick(&mut self, wanted: impl Fn(&ChangeRow) -> bool) -> Option<usize> {
        let found: Vec<usize> = (0..self.run.published.len())
            .filter(|index| {
                let row = &self.run.published[*index];
                row.relation.starts_with(&self.prefix) && wanted(row)
            })
            .collect();
        self.dice.pick(&found).copied()
    }

    fn planted(
        &self,
        kind: FindingKind,
        row: &ChangeRow,
        consequences: &'static [FindingKind],
    ) -> Planted {
        Planted {
            what: "",
            kind,
            relation: row.relation.clone(),
            lsn: row.lsn,
            xid: None,
            record_offset: row.record_offset,
            consequences,
        }
    }

    /// The first free offset after everything in the row's partition.
    fn end(&self, topic: Option<&str>, partition: Option<i32>) -> i64 {
        let rows = self.run.published.iter();
        rows.filter(|row| row.topic.as_deref() == topic && row.partition == partition)
            .filter_map(|row| row.record_offset)
            .max()
            .map_or(0, |last| last + 10)
    }

    fn append(&mut self, mut row: ChangeRow) -> ChangeRow {
        row.record_offset = Some(self.end(row.topic.as_deref(), row.partition));
        self.run.published.push(row.clone());
        row
    }
}

fn is_change(row: &ChangeRow) -> bool {
    matches!(row.op, Op::Create | Op::Update | Op::Delete)
}

fn drop_record(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(is_change)?;
    let row = history.run.published.remove(index);
    let mut planted = history.planted(Lost, &row, MISSING);
    planted.record_offset = None;
    Some(planted)
}

fn duplicate(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| is_change(row) && row.incarnation == 1)?;
    let copy = history.append(history.run.published[index].clone());
    let mut planted = history.planted(Duplicated, &copy, DISORDER);
    if copy.key.is_none() {
        // Copies of one content in several partitions are told apart by their number only.
        planted.record_offset = None;
    }
    Some(planted)
}

fn swap(history: &mut History<'_>) -> Option<Planted> {
    let one = history.pick(|row| is_change(row) && row.key.is_some())?;
    let first = history.run.published[one].clone();
    let other = history.pick(|row| {
        let same = row.key == first.key
            && row.relation == first.relation
            && row.partition == first.partition;
        same && is_change(row) && row.record_offset > first.record_offset
    })?;
    let second = history.run.published[other].record_offset;
    let new = history.run.published[other].incarnation;
    // Records keep the incarnation of their place.
    let old = std::mem::replace(&mut history.run.published[one].incarnation, new);
    history.run.published[one].record_offset = second;
    history.run.published[other].record_offset = first.record_offset;
    history.run.published[other].incarnation = old;
    if old != new {
        return None;
    }
    let mut planted = history.planted(Reordered, &first, DISORDER);
    planted.record_offset = second;
    Some(planted)
}

fn alter(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| is_change(row) && row.key.is_some())?;
    let row = &mut history.run.published[index];
    let image = if row.op == Op::Delete {
        &mut row.before
    } else {
        &mut row.after
    };
    *image = image.map(|hash| hash ^ 1);
    let row = row.clone();
    Some(history.planted(Divergent, &row, &[BrokenChain]))
}

fn wrong_op(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| matches!(row.op, Op::Create | Op::Update))?;
    let row = &mut history.run.published[index];
    row.op = if row.op == Op::Create {
        Op::Update
    } else {
        Op::Create
    };
    let row = row.clone();
    let follows = &[
        AcknowledgedAhead,
        BrokenChain,
        Divergent,
        Lost,
        Resurrected,
        Torn,
    ];
    Some(history.planted(Phantom, &row, follows))
}

fn resurrect(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| row.op == Op::Delete && row.key.is_some())?;
    let delete = history.run.published[index].clone();
    let same = |row: &ChangeRow| row.key == delete.key && row.relation == delete.relation;
    let later = |row: &ChangeRow| same(row) && row.record_offset > delete.record_offset;
    let last = !history
        .run
        .published
        .iter()
        .any(|row| later(row) && is_change(row));
    let stale = history
        .pick(|row| same(row) && row.op == Op::Update && row.incarnation == delete.incarnation)?;
    if !last {
        return None;
    }
    let row = history.append(history.run.published[stale].clone());
    Some(history.planted(Resurrected, &row, &[BrokenChain, Duplicated, Divergent]))
}

fn extra_tombstone(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| row.op == Op::Tombstone)?;
    let row = history.append(history.run.published[index].clone());
    Some(history.planted(Duplicated, &row, &[Divergent]))
}

fn missing_tombstone(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| row.op == Op::Tombstone)?;
    let row = history.run.published.remove(index);
    let mut planted = history.planted(TombstoneMissing, &row, &[]);
    planted.record_offset = row.record_offset.map(|offset| offset - 10);
    Some(planted)
}

fn move_partition(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| is_change(row) && row.key.is_some())?;
    let row = history.run.published[index].clone();
    let same = |other: &&ChangeRow| other.key == row.key && other.relation == row.relation;
    if history.run.published.iter().filter(same).count() < 3 {
        return None;
    }
    history.run.published.remove(index);
    let partition = row.partition.map(|partition| (partition + 1) % PARTITIONS);
    let row = history.append(ChangeRow { partition, ..row });
    let follows = &[
        BrokenChain,
        Divergent,
        Reordered,
        Resurrected,
        TombstoneMissing,
        Duplicated,
        Undecidable,
    ];
    Some(history.planted(Repartitioned, &row, follows))
}

fn late(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| is_change(row) && row.incarnation == 0)?;
    let row = history.run.published.remove(index);
    let row = history.append(ChangeRow {
        incarnation: 1,
        ..row
    });
    Some(history.planted(Interleaved, &row, MISSING))
}

fn snapshot(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| matches!(row.op, Op::Create | Op::Update))?;
    let row = history.append(ChangeRow {
        op: Op::Read,
        ..history.run.published[index].clone()
    });
    Some(history.planted(UnplannedSnapshot, &row, &[BrokenChain, Divergent]))
}

fn invent(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| is_change(row) && row.incarnation == 1)?;
    let row = history.run.published[index].clone();
    let row = history.append(ChangeRow {
        lsn: row.lsn.map(|lsn| lsn + 1),
        // Not one whose savepoint was rolled back: that would be `aborted`, and rightly so.
        xid: Some(999_999_999),
        ..row
    });
    Some(history.planted(Phantom, &row, MISSING))
}

fn publish_aborted(history: &mut History<'_>) -> Option<Planted> {
    let prefix = history.prefix.clone();
    let failed = |row: &&ChangeRow| {
        row.relation.starts_with(&prefix)
            && row.outcome == Some(Outcome::Failed)
            && row.op == Op::Update
    };
    let row = history.run.attempted.iter().find(failed)?.clone();
    let row = history.append(ChangeRow {
        topic: Some(format!("t.{}", row.relation)),
        partition: Some(i32::try_from(row.key_hash.rem_euclid(i64::from(PARTITIONS))).unwrap()),
        lsn: Some(999_999_999),
        after: Some(7),
        outcome: None,
        tx_id: row.xid.map(|xid| xid.to_string()),
        tx_order: Some(1),
        tx_table_order: Some(1),
        ..row
    });
    Some(history.planted(Aborted, &row, MISSING))
}

fn forget(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(is_change)?;
    let row = history.run.published[index].clone();
    let of = |other: &ChangeRow| other.xid == row.xid && other.incarnation == row.incarnation;
    let acknowledged = |other: &&ChangeRow| of(other) && other.outcome == Some(Outcome::Ok);
    history.run.attempted.iter().find(acknowledged)?;
    history.run.committed.retain(|other| !of(other));
    // Its tombstones stay, as records that nobody wrote: only the database forgot.
    history.run.published.retain(|other| !of(other));
    let mut planted = history.planted(DatabaseLost, &row, MISSING);
    (planted.lsn, planted.record_offset) = (None, None);
    Some(planted)
}

fn commit_failed(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(is_change)?;
    let row = history.run.published[index].clone();
    for attempt in &mut history.run.attempted {
        if attempt.xid == row.xid && attempt.incarnation == row.incarnation {
            attempt.outcome = Some(Outcome::Failed);
        }
    }
    let mut planted = history.planted(DatabaseInvented, &row, &[]);
    planted.record_offset = None;
    Some(planted)
}

fn alter_stored(history: &mut History<'_>) -> Option<Planted> {
    let prefix = history.prefix.clone();
    let row = history
        .run
        .stored
        .iter_mut()
        .find(|row| row.relation.starts_with(&prefix))?;
    row.image = row.image.map(|hash| hash ^ 1);
    Some(Planted {
        what: "",
        kind: Divergent,
        relation: row.relation.clone(),
        lsn: None,
        xid: None,
        record_offset: None,
        consequences: &[],
    })
}

fn drop_for_good(history: &mut History<'_>) -> Option<Planted> {
    let acknowledged = history.run.evidence.acknowledged.clone();
    let beyond = |row: &ChangeRow| {
        let noted = acknowledged
            .iter()
            .find(|noted| noted.incarnation == row.incarnation);
        noted.is_some_and(|noted| row.lsn < Some(noted.confirmed.as_i64() - LSNS / 2))
    };
    let index = history.pick(|row| is_change(row) && beyond(row))?;
    let row = history.run.published.remove(index);
    let follows = &[
        BrokenChain,
        Divergent,
        Duplicated,
        Lost,
        Resurrected,
        TombstoneMissing,
        Torn,
    ];
    let mut planted = history.planted(AcknowledgedAhead, &row, follows);
    planted.record_offset = None;
    Some(planted)
}

fn drop_half(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| row.half == Half::NewKey)?;
    let row = history.run.published.remove(index);
    let other = |other: &&ChangeRow| {
        other.half == Half::OldKey && other.op == Op::Delete && other.lsn == row.lsn
    };
    let left = history.run.published.iter().find(other)?.clone();
    let follows = &[
        AcknowledgedAhead,
        BrokenChain,
        Divergent,
        Lost,
        Resurrected,
        TombstoneMissing,
    ];
    Some(history.planted(Torn, &left, follows))
}

/// A transaction of the history that has records in Kafka.
fn some_transaction(history: &mut History<'_>) -> Option<(ChangeRow, usize)> {
    let index = history.pick(is_change)?;
    let row = history.run.published[index].clone();
    let id = format!("{}:", row.xid?);
    let of =
        |mark: &TransactionRow| mark.incarnation == row.incarnation && mark.tx_id.starts_with(&id);
    let begin = history.run.transactions.iter().position(of)?;
    Some((row, begin))
}

fn torn(history: &History<'_>, row: &ChangeRow) -> Planted {
    let mut planted = history.planted(Torn, row, &[]);
    (planted.relation, planted.lsn, planted.record_offset) = (history.prefix.clone(), None, None);
    planted.xid = row.xid;
    planted
}

fn drop_end(history: &mut History<'_>) -> Option<Planted> {
    let (row, begin) = some_transaction(history)?;
    let offset = history.run.transactions[begin + 1].record_offset;
    let topic = history.run.transactions[begin].topic.clone();
    let of_end = |mark: &TransactionRow| mark.topic == topic && mark.record_offset == offset;
    history.run.transactions.retain(|mark| !of_end(mark));
    Some(torn(history, &row))
}

fn begin_twice(history: &mut History<'_>) -> Option<Planted> {
    let (row, begin) = some_transaction(history)?;
    let mut again = history.run.transactions[begin].clone();
    again.record_offset += 1;
    history.run.transactions.push(again);
    Some(torn(history, &row))
}

fn miscount(history: &mut History<'_>) -> Option<Planted> {
    let (row, begin) = some_transaction(history)?;
    let end = &mut history.run.transactions[begin + 1];
    end.events = end.events.map(|events| events + 1);
    Some(torn(history, &row))
}

fn misplace_truncate(history: &mut History<'_>) -> Option<Planted> {
    let one = history.pick(|row| row.op == Op::Truncate)?;
    let truncate = history.run.published[one].clone();
    let same = |row: &ChangeRow| {
        row.topic == truncate.topic && row.incarnation == truncate.incarnation && is_change(row)
    };
    let behind = |row: &&ChangeRow| same(row) && row.record_offset > truncate.record_offset;
    let next = history.run.published.iter().filter(behind);
    let next = next.min_by_key(|row| row.record_offset)?.clone();
    history.run.published[one].record_offset = next.record_offset.map(|offset| offset + 1);
    Some(history.planted(Reordered, &next, &[BrokenChain, Divergent]))
}

fn alter_old(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| row.op == Op::Update && row.key.is_some())?;
    let row = &mut history.run.published[index];
    row.before = row.before.map(|hash| hash ^ 1);
    let row = row.clone();
    Some(history.planted(Divergent, &row, &[BrokenChain]))
}

/// Follows where a record stands in the life before its own.
const STRAYED: &[FindingKind] = &[
    AcknowledgedAhead,
    BrokenChain,
    Divergent,
    Duplicated,
    Lost,
    Reordered,
    Resurrected,
    TombstoneMissing,
    Torn,
];

fn early(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| is_change(row) && row.incarnation == 1)?;
    let row = history.run.published[index].clone();
    let old = |other: &&ChangeRow| {
        other.incarnation == 0 && (&other.topic, other.partition) == (&row.topic, row.partition)
    };
    let old = history.run.published.iter().filter(old);
    let last = old.filter_map(|old| old.record_offset).max()?;
    let strayed = &mut history.run.published[index];
    (strayed.incarnation, strayed.record_offset) = (0, Some(last + 1));
    let row = strayed.clone();
    Some(history.planted(Phantom, &row, STRAYED))
}

/// Of a transaction, only its first change arrives.
fn tear(history: &mut History<'_>) -> Option<Planted> {
    let index = history.pick(|row| is_change(row) && row.tx_order == Some(2))?;
    let row = history.run.published[index].clone();
    let behind = |other: &ChangeRow| {
        (other.incarnation, other.xid) == (row.incarnation, row.xid) && other.tx_order > Some(1)
    };
    history.run.published.retain(|other| !behind(other));
    let mut planted = torn(history, &row);
    planted.consequences = STRAYED;
    Some(planted)
}

fn leave_sequence(history: &mut History<'_>) -> Option<Planted> {
    let prefix = history.prefix.clone();
    let of = |one: &&mut SequenceEvidence| one.name.starts_with(&prefix);
    let sequence = history.run.evidence.sequences.iter_mut().find(of)?;
    sequence.next = Some(1);
    Some(Planted {
        what: "",
        kind: KeyReuse,
        relation: sequence.name.clone(),
        lsn: None,
        xid: None,
        record_offset: None,
        consequences: &[],
    })
}
