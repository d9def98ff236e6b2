//! Seeded clean histories: what a correct connector publishes of a random but lawful life of a
//! database.
//!
//! Two tables with key, one without, and one with key in a single partition, which is truncated now and then; two
//! incarnations, the second one beginning at lower LSNs than
//! the first ended; pairs of transactions whose LSNs interleave and which commit in either order;
//! key updates, COPY with one LSN for all rows, rolled-back transactions and savepoints, unresolved
//! outcomes; with transaction metadata and a sequence. Several histories share a run under names and
//! ranges of their own, so that one judgement covers many.

use std::collections::{BTreeMap, HashMap};

use cutover_model::evidence::SequenceEvidence;
use cutover_model::{ChangeRow, Half, Op, Outcome, TransactionMark, TransactionRow};

use super::{Run, change, key, tombstone};

/// A small, stable random generator: histories must be the same on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0..bound.
    pub fn below(&mut self, bound: u64) -> i64 {
        i64::try_from(self.next() % bound.max(1)).unwrap()
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap();
        items.get(index)
    }
}

pub const PARTITIONS: i32 = 3;
/// The table whose topic has one partition, and which is truncated.
pub const FLAGS: &str = "flags";
/// Number of a history → where its LSNs begin.
pub const LSNS: i64 = 1_000_000_000;

/// A history under construction.
struct Life<'a> {
    run: &'a mut Run,
    dice: Dice,
    /// Prefix of relation and topic names.
    name: String,
    incarnation: i32,
    lsn: i64,
    xid: i64,
    /// Live rows of tables with key: (table, id) → image.
    rows: BTreeMap<(String, i64), i64>,
    /// Live rows of the table without key.
    loose: Vec<i64>,
    /// Marks of transactions so far.
    marks: i64,
    /// Next offset per (topic, partition).
    ends: HashMap<(String, i32), i64>,
    revision: i64,
}

/// One transaction under way.
struct Transaction {
    xid: i64,
    changes: Vec<ChangeRow>,
    attempts: Vec<ChangeRow>,
    /// Keys of the other transaction are left alone, as row locks would.
    parity: i64,
}

/// Adds a clean history of about `transactions` transactions to a run; `number` keeps its names and
/// ranges apart.
pub fn live(run: &mut Run, number: i64, seed: u64, transactions: usize) {
    let mut life = Life {
        run,
        dice: Dice::new(seed),
        name: format!("h{number}"),
        incarnation: 0,
        lsn: number * LSNS + 500_000_000,
        xid: number * 1_000_000,
        rows: BTreeMap::new(),
        loose: Vec::new(),
        marks: 0,
        ends: HashMap::new(),
        revision: 0,
    };
    for step in 0..transactions {
        if step == transactions / 2 {
            // A dump and restore: the new server's log stands earlier than the old one's did.
            life.incarnation = 1;
            life.lsn = number * LSNS;
        }
        life.pair();
    }
    life.store();
}

impl Life<'_> {
    fn next_lsn(&mut self) -> i64 {
        self.lsn += 8 * (1 + self.dice.below(20));
        self.lsn
    }

    fn pair(&mut self) {
        let mut open = [self.begin(0), self.begin(1)];
        for _ in 0..self.dice.below(6) + 1 {
            let which = usize::try_from(self.dice.below(2)).unwrap();
            self.statement(&mut open[which]);
        }
        if self.dice.chance(50) {
            open.reverse();
        }
        for transaction in open {
            self.end(transaction);
        }
    }

    fn begin(&mut self, parity: i64) -> Transaction {
        self.xid += 1;
        Transaction {
            xid: self.xid,
            changes: vec![],
            attempts: vec![],
            parity,
        }
    }

    fn statement(&mut self, transaction: &mut Transaction) {
        let lsn = self.next_lsn();
        match self.dice.below(10) {
            0 | 1 if transaction.parity == 0 => self.loose_statement(transaction, lsn),
            4 if transaction.parity == 0 => self.flag_statement(transaction, lsn),
            2 => {
                for _ in 0..self.dice.below(4) + 2 {
                    self.keyed_statement(transaction, lsn, true);
                }
            }
            3 => {
                // A savepoint that was rolled back: it reached the log of no one.
                let (table, id) = self.some_key(transaction.parity);
                let mut row = self.row(&table, Op::Create, Some(id), (None, Some(1)));
                row.outcome = Some(Outcome::Failed);
                transaction.attempts.push(row);
            }
            _ => self.keyed_statement(transaction, lsn, false),
        }
    }

    fn some_key(&mut self, parity: i64) -> (String, i64) {
        let table = if self.dice.chance(50) {
            "orders"
        } else {
            "items"
        };
        (table.to_owned(), self.dice.below(6) * 2 + parity)
    }

    fn image(&mut self) -> i64 {
        self.dice.next().cast_signed()
    }

    fn row(
        &mut self,
        table: &str,
        op: Op,
        id: Option<i64>,
        images: (Option<i64>, Option<i64>),
    ) -> ChangeRow {
        self.revision += 1;
        let relation = format!("{}.{table}", self.name);
        let key = id.map(key);
        ChangeRow {
            revision: id.map(|_| self.revision),
            ..change(self.incarnation, &relation, op, key.as_deref(), images)
        }
    }

    fn push(&mut self, transaction: &mut Transaction, row: ChangeRow, lsn: i64) {
        transaction.attempts.push(ChangeRow {
            outcome: Some(Outcome::Ok),
            ..row.clone()
        });
        transaction.changes.push(ChangeRow {
            lsn: Some(lsn),
            ..row
        });
    }

    /// Of the table in one partition: inserts, updates, and every fourth time a truncate.
    fn flag_statement(&mut self, transaction: &mut Transaction, lsn: i64) {
        if self.dice.chance(25) {
            self.rows.retain(|(table, _), _| table != FLAGS);
            let row = self.row(FLAGS, Op::Truncate, None, (None, None));
            return self.push(transaction, row, lsn);
        }
        let id = self.dice.below(3);
        let image = self.image();
        let old = self.rows.insert((FLAGS.to_owned(), id), image);
        let op = if old.is_some() {
            Op::Update
        } else {
            Op::Create
        };
        let row = self.row(FLAGS, op, Some(id), (old, Some(image)));
        self.push(transaction, row, lsn);
    }

    fn keyed_statement(&mut self, transaction: &mut Transaction, lsn: i64, insert_only: bool) {
        let (table, id) = self.some_key(transaction.parity);
        let place = (table.clone(), id);
        let Some(old) = self.rows.get(&place).copied() else {
            let image = self.image();
            self.rows.insert(place, image);
            let row = self.row(&table, Op::Create, Some(id), (None, Some(image)));
            return self.push(transaction, row, lsn);
        };
        if insert_only {
            return;
        }
        let target = (table.clone(), self.dice.below(6) * 2 + transaction.parity);
        match self.dice.below(4) {
            0 => {
                self.rows.remove(&place);
                let row = self.row(&table, Op::Delete, Some(id), (Some(old), None));
                self.push(transaction, row, lsn);
            }
            1 if !self.rows.contains_key(&target) => {
                let image = self.image();
                self.rows.remove(&place);
                let mut row = self.row(&table, Op::Delete, Some(id), (Some(old), None));
                row.half = Half::OldKey;
                self.push(transaction, row, lsn);
                let mut row = self.row(&table, Op::Create, Some(target.1), (None, Some(image)));
                row.half = Half::NewKey;
                self.rows.insert(target, image);
                self.push(transaction, row, lsn);
            }
            _ => {
                let image = self.image();
                self.rows.insert(place, image);
                let row = self.row(&table, Op::Update, Some(id), (Some(old), Some(image)));
                self.push(transaction, row, lsn);
            }
        }
    }

    /// Few different contents, so that equal rows occur.
    fn loose_statement(&mut self, transaction: &mut Transaction, lsn: i64) {
        let place = usize::try_from(self.dice.below(self.loose.len() as u64 + 1)).unwrap();
        let image = self.dice.below(4) + 1;
        match (self.loose.get(place).copied(), self.dice.chance(50)) {
            (None, _) => {
                for _ in 0..self.dice.below(3) + 1 {
                    self.loose.push(image);
                    let row = self.row("log", Op::Create, None, (None, Some(image)));
                    self.push(transaction, row, lsn);
                }
            }
            (Some(old), true) => {
                self.loose.swap_remove(place);
                let row = self.row("log", Op::Delete, None, (Some(old), None));
                self.push(transaction, row, lsn);
            }
            (Some(old), false) => {
                self.loose[place] = image;
                let row = self.row("log", Op::Update, None, (Some(old), Some(image)));
                self.push(transaction, row, lsn);
            }
        }
    }

    fn end(&mut self, mut transaction: Transaction) {
        let commit_lsn = self.next_lsn();
        let unresolved = self.dice.chance(3);
        for attempt in &mut transaction.attempts {
            attempt.xid = Some(transaction.xid);
            (attempt.before, attempt.after) = (None, None);
            if unresolved {
                attempt.outcome = Some(Outcome::Unknown);
            }
        }
        if self.dice.chance(10) {
            self.xid += 1;
            let (table, id) = self.some_key(transaction.parity);
            let mut row = self.row(&table, Op::Update, Some(id), (None, None));
            (row.outcome, row.xid) = (Some(Outcome::Failed), Some(self.xid));
            transaction.attempts.push(row);
        }
        self.run.attempted.append(&mut transaction.attempts);
        let mut places: BTreeMap<String, i64> = BTreeMap::new();
        for (ordinal, row) in transaction.changes.into_iter().enumerate() {
            let ordinal = i64::try_from(ordinal).unwrap();
            let place = places.entry(row.relation.clone()).or_default();
            *place += 1;
            let row = ChangeRow {
                xid: Some(transaction.xid),
                ..row
            };
            self.publish(&ChangeRow {
                tx_id: Some(format!("{}:{}", transaction.xid, row.lsn.unwrap())),
                tx_order: Some(ordinal + 1),
                tx_table_order: Some(*place),
                ..row.clone()
            });
            self.run.committed.push(ChangeRow {
                commit_lsn: Some(commit_lsn),
                ordinal: Some(ordinal),
                ..row
            });
        }
        self.account(transaction.xid, &places);
    }

    /// BEGIN and END; of an empty transaction there is neither.
    fn account(&mut self, xid: i64, places: &BTreeMap<String, i64>) {
        if places.is_empty() {
            return;
        }
        let offset = self.marks;
        self.marks += 10;
        let row = |mark, relation: Option<&String>, events, offset| TransactionRow {
            incarnation: self.incarnation,
            tx_id: format!("{xid}:{offset}"),
            mark,
            relation: relation.cloned(),
            events,
            topic: format!("t.{}.transaction", self.name),
            partition: 0,
            record_offset: offset,
        };
        let (begin, end) = (TransactionMark::Begin, TransactionMark::End);
        let total = places.values().sum();
        let mut rows = vec![
            row(begin, None, None, offset),
            row(end, None, Some(total), offset + 5),
        ];
        rows.extend(places.iter().map(|(relation, events)| {
            let count = TransactionMark::Count;
            row(count, Some(relation), Some(*events), offset + 5)
        }));
        self.run.transactions.append(&mut rows);
    }

    fn publish(&mut self, row: &ChangeRow) {
        let topic = format!("t.{}", row.relation);
        let partition = match &row.key {
            _ if row.relation.ends_with(FLAGS) => 0,
            Some(_) => i32::try_from(row.key_hash.rem_euclid(i64::from(PARTITIONS))).unwrap(),
            None => i32::try_from(self.dice.below(PARTITIONS as u64)).unwrap(),
        };
        let end = self.ends.entry((topic.clone(), partition)).or_insert(0);
        let record = ChangeRow {
            topic: Some(topic),
            partition: Some(partition),
            record_offset: Some(*end),
            ..row.clone()
        };
        // Offsets have holes, as those of a compacted or transactional topic do.
        *end += 10;
        let with_tombstone =
            row.op == Op::Delete && row.key.is_some() && self.run.evidence.tombstones;
        if with_tombstone {
            self.run.published.push(tombstone(&record, *end));
            *end += 10;
        }
        self.run.published.push(record);
    }

    fn store(&mut self) {
        // A sequence that the new server goes on with.
        let used = self.dice.below(1_000) + 1;
        self.run.evidence.sequences.push(SequenceEvidence {
            name: format!("{}.orders_id_seq", self.name),
            incarnation: 1,
            descending: false,
            used: Some(used),
            next: Some(used + 1 + self.dice.below(50)),
        });
        for ((table, id), image) in std::mem::take(&mut self.rows) {
            let relation = format!("{}.{table}", self.name);
            self.run.store(&relation, Some(&key(id)), image);
        }
        let relation = format!("{}.log", self.name);
        for image in std::mem::take(&mut self.loose) {
            self.run.store(&relation, None, image);
        }
    }
}
