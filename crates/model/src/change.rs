//! The rows of the four ledgers.
//!
//! Attempted, committed and published changes share one row type, so that one SQL text can compare any two
//! of them; stored rows have their own. A column that a ledger cannot know is `None`, never a guess.
//!
//! A primary-key update is written as its two halves in every ledger (delete of the old key, create under the
//! new one), since that is what a consumer of Kafka sees.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::canonical;

/// Header of a record that a repair wrote: the repair's token.
pub const COMPENSATION_HEADER: &str = "cutover.compensation";

/// Header beside it: `topic/partition/offset` of the record that the repair answers.
pub const COMPENSATES_HEADER: &str = "cutover.compensates";

/// What happened to a row. The letters are Debezium's, plus `x` for a tombstone record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Op {
    /// Insert (`c`).
    Create,
    /// Update that keeps the key (`u`).
    Update,
    /// Delete (`d`).
    Delete,
    /// Truncate (`t`).
    Truncate,
    /// Snapshot read (`r`).
    Read,
    /// Kafka tombstone: a key with a null value (`x`).
    Tombstone,
    /// Logical decoding message (`m`).
    Message,
}

impl Op {
    /// The letter stored in ledgers.
    pub fn letter(self) -> &'static str {
        match self {
            Op::Create => "c",
            Op::Update => "u",
            Op::Delete => "d",
            Op::Truncate => "t",
            Op::Read => "r",
            Op::Tombstone => "x",
            Op::Message => "m",
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Op, String> {
        Ok(match text {
            "c" => Op::Create,
            "u" => Op::Update,
            "d" => Op::Delete,
            "t" => Op::Truncate,
            "r" => Op::Read,
            "x" => Op::Tombstone,
            "m" => Op::Message,
            other => return Err(format!("'{other}' is no operation letter (c u d t r x m)")),
        })
    }
}

/// What became of an attempted change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The server acknowledged the COMMIT (`ok`).
    Ok,
    /// Rolled back, by us or by the server, or to a savepoint (`failed`).
    Failed,
    /// The connection was lost while COMMIT was under way and nobody could tell afterwards (`unknown`).
    Unknown,
}

impl Outcome {
    /// The word stored in the ledger.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        }
    }
}

impl FromStr for Outcome {
    type Err = String;

    fn from_str(text: &str) -> Result<Outcome, String> {
        match text {
            "ok" => Ok(Outcome::Ok),
            "failed" => Ok(Outcome::Failed),
            "unknown" => Ok(Outcome::Unknown),
            other => Err(format!("'{other}' is no outcome (ok failed unknown)")),
        }
    }
}

/// Which half of a change a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Half {
    /// An ordinary change (0).
    #[default]
    Whole,
    /// The delete of a key update (1).
    OldKey,
    /// The create of a key update (2).
    NewKey,
}

impl Half {
    /// The number stored in ledgers.
    pub fn number(self) -> i32 {
        match self {
            Half::Whole => 0,
            Half::OldKey => 1,
            Half::NewKey => 2,
        }
    }

    /// Reads the number back.
    pub fn from_number(number: i32) -> Option<Half> {
        [Half::Whole, Half::OldKey, Half::NewKey]
            .into_iter()
            .find(|half| half.number() == number)
    }
}

/// One row of the attempted, committed or published ledger. Column names in Parquet equal the field names.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRow {
    /// Index into `Evidence::incarnations`. In the published ledger it comes from the cut, not from the payload.
    pub incarnation: i32,
    /// `schema.table` as PostgreSQL names it (published: mapped back from the topic or the source block).
    pub relation: String,
    /// What happened.
    pub op: Op,
    /// Canonical key text (`canonical::key_text`); `None` when the table has no key.
    pub key: Option<String>,
    /// `canonical::key_hash` of relation and key; for a table without key, of the relation and the row image.
    pub key_hash: i64,
    /// Hash of the canonical old row; `None` when the ledger does not have it (or cannot compare it).
    pub before: Option<i64>,
    /// Hash of the canonical new row, likewise.
    pub after: Option<i64>,
    /// The row's `revision` column (new row; for a delete the old row), if the table has one.
    pub revision: Option<i64>,
    /// Transaction id (low 32 bits, as pgoutput and Debezium show it).
    pub xid: Option<i64>,
    /// LSN of the change. Several rows of one COPY or multi-row insert can share it.
    pub lsn: Option<i64>,
    /// LSN of the transaction's COMMIT record.
    pub commit_lsn: Option<i64>,
    /// Place inside the transaction, from 0, counted by the witness over captured changes.
    pub ordinal: Option<i64>,
    /// Half of a key update, or whole.
    pub half: Half,
    /// Replication origin of the transaction, if any.
    pub origin: Option<String>,
    /// Attempted only: what became of it.
    pub outcome: Option<Outcome>,
    /// Attempted only: how an outcome that was unknown at COMMIT was found out (`pg_xact_status`, …).
    pub resolution: Option<String>,
    /// Attempted only: writer session.
    pub session: Option<i32>,
    /// Attempted only: number of the transaction inside the session.
    pub transaction: Option<i64>,
    /// Published only: where the record stands.
    pub topic: Option<String>,
    /// Published only.
    pub partition: Option<i32>,
    /// Published only. `offset` is a reserved word in SQL.
    pub record_offset: Option<i64>,
    /// Published only: token of the repair that wrote the record ([`COMPENSATION_HEADER`]). Such a record is marked
    /// backfill: it is no change of the database, it counts in the fold only.
    pub compensation: Option<String>,
    /// Published only, of a record of an older form of its table: hash of the row with what ADD COLUMN filled in since.
    /// `after` is not known then: the two being equal says something, their being different does not.
    pub filled: Option<i64>,
    /// Published only, with transaction metadata: the connector's name of the transaction.
    pub tx_id: Option<String>,
    /// Published only, likewise: place among all changes of the transaction, from 1.
    pub tx_order: Option<i64>,
    /// Published only, likewise: place among those of the same table, from 1.
    pub tx_table_order: Option<i64>,
    /// Wall clock: record timestamp (published), commit time (committed), time of the outcome (attempted); epoch ms.
    pub time_ms: Option<i64>,
}

impl ChangeRow {
    /// A row with the columns that every ledger has; the others start out as not known.
    pub fn new(incarnation: i32, relation: impl Into<String>, op: Op) -> ChangeRow {
        ChangeRow {
            incarnation,
            relation: relation.into(),
            op,
            key: None,
            key_hash: 0,
            before: None,
            after: None,
            revision: None,
            xid: None,
            lsn: None,
            commit_lsn: None,
            ordinal: None,
            half: Half::Whole,
            origin: None,
            outcome: None,
            resolution: None,
            session: None,
            transaction: None,
            topic: None,
            partition: None,
            record_offset: None,
            compensation: None,
            filled: None,
            tx_id: None,
            tx_order: None,
            tx_table_order: None,
            time_ms: None,
        }
    }
}

/// One row of the stored ledger: a table row at the fence, from one exported snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRow {
    /// Index into `Evidence::incarnations`.
    pub incarnation: i32,
    /// `schema.table`.
    pub relation: String,
    /// Canonical key text; `None` when the table has no key.
    pub key: Option<String>,
    /// As in [`ChangeRow::key_hash`].
    pub key_hash: i64,
    /// Hash of the canonical row.
    pub image: Option<i64>,
    /// The row's `revision` column, if the table has one.
    pub revision: Option<i64>,
}

/// What a row of the connector's transaction topic says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TransactionMark {
    /// The transaction begins (`begin`).
    Begin,
    /// It ends, after so many changes in all (`end`).
    End,
    /// So many of them are of one table (`count`); stands beside `end`, at the same place in the log.
    Count,
}

impl TransactionMark {
    const ALL: [TransactionMark; 3] = [
        TransactionMark::Begin,
        TransactionMark::End,
        TransactionMark::Count,
    ];

    /// The word stored in the ledger.
    pub fn word(self) -> &'static str {
        match self {
            TransactionMark::Begin => "begin",
            TransactionMark::End => "end",
            TransactionMark::Count => "count",
        }
    }
}

impl FromStr for TransactionMark {
    type Err = String;

    fn from_str(text: &str) -> Result<TransactionMark, String> {
        let found = TransactionMark::ALL
            .into_iter()
            .find(|mark| mark.word() == text);
        found.ok_or_else(|| format!("'{text}' marks nothing (begin end count)"))
    }
}

/// One row of the transactions ledger, which exists where the connector writes transaction metadata: a BEGIN, an END,
/// or what an END says of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRow {
    /// Index into `Evidence::incarnations`, from the cut.
    pub incarnation: i32,
    /// The connector's name of the transaction, as in [`ChangeRow::tx_id`].
    pub tx_id: String,
    /// What it says.
    pub mark: TransactionMark,
    /// The table that is counted (`count`).
    pub relation: Option<String>,
    /// Changes, of the transaction (`end`) or of the table (`count`).
    pub events: Option<i64>,
    /// Where the record stands.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub record_offset: i64,
}

/// The bucket of a ledger that a row belongs to. Every check that looks at one key needs one bucket only.
///
/// Rows of a table without key go by relation alone, since old and new image of one row differ in hash.
pub fn bucket(relation: &str, key: Option<&str>, buckets: u16) -> u16 {
    let of_key = key.map(|key| canonical::key_hash(relation, key));
    bucket_by_hash(relation, of_key, buckets)
}

/// The same by the hash of the key, for who has it.
pub fn bucket_by_hash(relation: &str, of_key: Option<i64>, buckets: u16) -> u16 {
    let hash = of_key.unwrap_or_else(|| canonical::key_hash(relation, ""));
    let bucket = hash.cast_unsigned() % u64::from(buckets.max(1));
    u16::try_from(bucket).unwrap_or(0)
}
