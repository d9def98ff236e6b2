//! Findings: one violation of one invariant, with its evidence.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a violation is called. Names are the field's own; `docs/guarantees.md` ties each to its invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// I1: committed, never published.
    Lost,
    /// I1, I8: published or stored with another content.
    Divergent,
    /// I2: published, never committed.
    Phantom,
    /// I2: published although its transaction rolled back.
    Aborted,
    /// I3: published more often than committed, or a tombstone too many.
    Duplicated,
    /// I3: a keyed delete without its tombstone although tombstones are on.
    TombstoneMissing,
    /// I4: records of one key out of commit order.
    Reordered,
    /// I4: records of one key in several partitions.
    Repartitioned,
    /// I5: a record of the old incarnation after one of the new.
    Interleaved,
    /// I7: something for a key after its delete, without an insert.
    Resurrected,
    /// I6: a record that does not go on from where the one before it of its key ended.
    BrokenChain,
    /// I9: a snapshot record where the plan allows none.
    UnplannedSnapshot,
    /// I10: a transaction that the topics do not hold whole, or half of a changed key.
    Torn,
    /// I11: lost, and the slot is confirmed beyond it: it will not be sent again.
    AcknowledgedAhead,
    /// I13: a sequence that gives out again what was given out before.
    KeyReuse,
    /// Attempted against committed: acknowledged by the server, never seen by the witness.
    DatabaseLost,
    /// Attempted against committed: rolled back, yet seen by the witness.
    DatabaseInvented,
    /// I14: a truncate whose place among the rows of its table no consumer can know. Not a violation: unknown.
    Undecidable,
}

impl FindingKind {
    /// Every kind, in the order that reports list them.
    pub const ALL: [FindingKind; 18] = [
        FindingKind::Lost,
        FindingKind::AcknowledgedAhead,
        FindingKind::Duplicated,
        FindingKind::Phantom,
        FindingKind::Aborted,
        FindingKind::Reordered,
        FindingKind::Repartitioned,
        FindingKind::Interleaved,
        FindingKind::Torn,
        FindingKind::Divergent,
        FindingKind::BrokenChain,
        FindingKind::Resurrected,
        FindingKind::TombstoneMissing,
        FindingKind::UnplannedSnapshot,
        FindingKind::KeyReuse,
        FindingKind::DatabaseLost,
        FindingKind::DatabaseInvented,
        FindingKind::Undecidable,
    ];

    /// The name in output, in `findings.parquet` and in the checks' SQL.
    pub fn name(self) -> &'static str {
        match self {
            FindingKind::Lost => "lost",
            FindingKind::Divergent => "divergent",
            FindingKind::Phantom => "phantom",
            FindingKind::Aborted => "aborted",
            FindingKind::Duplicated => "duplicated",
            FindingKind::TombstoneMissing => "tombstone-missing",
            FindingKind::Reordered => "reordered",
            FindingKind::Repartitioned => "repartitioned",
            FindingKind::Interleaved => "interleaved",
            FindingKind::Resurrected => "resurrected",
            FindingKind::BrokenChain => "broken-chain",
            FindingKind::UnplannedSnapshot => "unplanned-snapshot",
            FindingKind::Torn => "torn",
            FindingKind::AcknowledgedAhead => "acknowledged-ahead",
            FindingKind::KeyReuse => "key-reuse",
            FindingKind::DatabaseLost => "database-lost",
            FindingKind::DatabaseInvented => "database-invented",
            FindingKind::Undecidable => "undecidable",
        }
    }

    /// It breaks a guarantee; the others only keep one from being proven.
    pub fn is_violation(self) -> bool {
        self != FindingKind::Undecidable
    }

    /// Reads a name back.
    pub fn from_name(name: &str) -> Option<FindingKind> {
        FindingKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One violation. Fields that the evidence does not hold are `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Which check found it (file name of its SQL without `.sql`).
    pub check: String,
    /// What it is called.
    pub kind: FindingKind,
    /// Index into `Evidence::incarnations`.
    pub incarnation: Option<i32>,
    /// `schema.table`.
    pub relation: String,
    /// Canonical key text.
    pub key: Option<String>,
    /// Operation letter.
    pub op: Option<String>,
    /// `revision` of the row, where the table has one.
    pub revision: Option<i64>,
    /// LSN of the change, as a number (`Lsn::from_i64` for text).
    pub lsn: Option<i64>,
    /// Transaction id.
    pub xid: Option<i64>,
    /// Where the record stands, for findings about a record.
    pub topic: Option<String>,
    /// Partition of the record.
    pub partition: Option<i32>,
    /// Offset of the record.
    pub record_offset: Option<i64>,
    /// What was seen and what was expected, in one line, without row values.
    pub detail: String,
}
