//! A gap: what a stream and its database have apart, and how much of it can be closed. Found by `audit`, closed by
//! `upgrade`, shown by `report`.
//!
//! The rule it protects: state and history are two things. Records written afterwards can make every consumer's
//! folded state right; what was never published in between stays unpublished, and a phantom stays in the log.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::finding::Finding;

/// Format name.
pub const GAP_FORMAT: &str = "cutover.gap/1";

/// What is wrong with one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyTrouble {
    /// Folding the topic gives a row, the table has none.
    Ghost,
    /// The table has a row, folding the topic gives none.
    Missing,
    /// Both have one, with different content.
    Stale,
    /// A repair was ended between its delete and the tombstone that belongs to it.
    Unfinished,
}

impl KeyTrouble {
    /// All, in the order that reports list them.
    pub const ALL: [KeyTrouble; 4] = [
        KeyTrouble::Ghost,
        KeyTrouble::Missing,
        KeyTrouble::Stale,
        KeyTrouble::Unfinished,
    ];

    /// The word in output and in SQL.
    pub fn name(self) -> &'static str {
        match self {
            KeyTrouble::Ghost => "ghost",
            KeyTrouble::Missing => "missing",
            KeyTrouble::Stale => "stale",
            KeyTrouble::Unfinished => "unfinished",
        }
    }

    /// Reads a word back.
    pub fn from_name(name: &str) -> Option<KeyTrouble> {
        KeyTrouble::ALL
            .into_iter()
            .find(|trouble| trouble.name() == name)
    }
}

/// How something can be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closure {
    /// Exactly, by compensating records that `cutover gap close --apply` writes.
    ByRecords,
    /// By reading these keys from the table again.
    ByReread,
    /// Not at all.
    No,
}

impl fmt::Display for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Closure::ByRecords => "by records",
            Closure::ByReread => "by re-reading",
            Closure::No => "not at all",
        })
    }
}

/// Where a record stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordPlace {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// One key whose folded state is not its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyGap {
    /// `schema.table`.
    pub relation: String,
    /// Canonical key text.
    pub key: String,
    /// What is wrong.
    pub trouble: KeyTrouble,
    /// The stream has written to the key since the run was recorded, so nothing is done about it.
    pub newer: bool,
    /// How it can be closed.
    pub closure: Closure,
    /// Why so.
    pub why: String,
    /// Last record of the key.
    pub last: Option<RecordPlace>,
    /// Its operation letter.
    pub last_op: Option<String>,
    /// Offset of the earlier record that brought exactly the stored row.
    pub source_offset: Option<i64>,
    /// Operation letters of the records that close it, in order; empty where none do.
    pub writes: Vec<String>,
}

/// Rows of a table without key that the topic and the table do not share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeylessGap {
    /// `schema.table`.
    pub relation: String,
    /// The fold has them, the table does not.
    pub too_many: u64,
    /// The table has them, the fold does not.
    pub too_few: u64,
}

/// Keys by what is wrong with them. Keys that the stream has written to since are in `newer` only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCounts {
    /// See [`KeyTrouble`].
    pub ghost: u64,
    /// See [`KeyTrouble`].
    pub missing: u64,
    /// See [`KeyTrouble`].
    pub stale: u64,
    /// See [`KeyTrouble`].
    pub unfinished: u64,
    /// Wrong when the run was recorded, written to by the stream since.
    pub newer: u64,
}

impl KeyCounts {
    /// Counts one more.
    pub fn add(&mut self, trouble: KeyTrouble, newer: bool) {
        let count = match trouble {
            _ if newer => &mut self.newer,
            KeyTrouble::Ghost => &mut self.ghost,
            KeyTrouble::Missing => &mut self.missing,
            KeyTrouble::Stale => &mut self.stale,
            KeyTrouble::Unfinished => &mut self.unfinished,
        };
        *count += 1;
    }

    /// Keys of one trouble.
    pub fn of(&self, trouble: KeyTrouble) -> u64 {
        match trouble {
            KeyTrouble::Ghost => self.ghost,
            KeyTrouble::Missing => self.missing,
            KeyTrouble::Stale => self.stale,
            KeyTrouble::Unfinished => self.unfinished,
        }
    }

    /// All that are known to be wrong.
    pub fn wrong(&self) -> u64 {
        KeyTrouble::ALL
            .iter()
            .map(|trouble| self.of(*trouble))
            .sum()
    }
}

/// Keys that are known to be wrong by how they can be closed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosureCounts {
    /// See [`Closure`].
    pub by_records: u64,
    /// See [`Closure`].
    pub by_reread: u64,
    /// See [`Closure`].
    pub no: u64,
}

impl ClosureCounts {
    /// Counts one more.
    pub fn add(&mut self, closure: Closure) {
        *match closure {
            Closure::ByRecords => &mut self.by_records,
            Closure::ByReread => &mut self.by_reread,
            Closure::No => &mut self.no,
        } += 1;
    }
}

/// One part of the gap and how it can be closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapPart {
    /// What it is, e.g. `ghost keys`.
    pub part: String,
    /// How much.
    pub amount: u64,
    /// The best that can be had for it.
    pub closure: Closure,
    /// How, or why not.
    pub how: String,
}

/// A signal that makes Debezium read keys again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RereadSignal {
    /// `schema.table`.
    pub relation: String,
    /// Keys in it.
    pub keys: u64,
    /// Value of the record for the signal topic; its `type` and `data` are the columns of the signal table.
    pub signal: Value,
}

/// What a repair wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Content of the header `cutover.compensation`; empty if nothing had to be written.
    pub token: String,
    /// Keys.
    pub keys: u64,
    /// Records.
    pub records: u64,
    /// Keys left out because the stream wrote to them at that very moment.
    pub overtaken: u64,
    /// What there was before.
    pub before: KeyCounts,
}

/// What a command about a gap did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapAction {
    /// Looked at the recorded run.
    Show,
    /// Planned against the topics as they are, wrote nothing.
    DryRun,
    /// Wrote what was planned, and looked again.
    Applied,
    /// Was asked to write and did not.
    Refused,
}

/// The answer of `cutover gap show` and `cutover gap close`. Keys and counts are those at the end of the command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GapReport {
    /// [`GAP_FORMAT`].
    pub format: String,
    /// The run folder.
    pub run_dir: String,
    /// What was done.
    pub action: GapAction,
    /// Exit code of the process.
    pub exit_code: u8,
    /// What is not known, what was refused, and why.
    pub reasons: Vec<String>,
    /// Committed in the database that there is, in no topic; `None` if that is not known.
    pub lost: Option<u64>,
    /// In a topic, and no change of the database that there is, likewise.
    pub phantom: Option<u64>,
    /// Keys by what is wrong.
    pub keys: KeyCounts,
    /// The same keys by how they can be closed.
    pub closable: ClosureCounts,
    /// Tables without key.
    pub keyless: Vec<KeylessGap>,
    /// Each part and how it can be closed.
    pub parts: Vec<GapPart>,
    /// The first keys.
    pub listed_keys: Vec<KeyGap>,
    /// The first lost and phantom events.
    pub listed_events: Vec<Finding>,
    /// Keys and events that are counted and not listed.
    pub not_listed: u64,
    /// Signals for the keys that need a re-read.
    pub signals: Vec<RereadSignal>,
    /// Records that the plan consists of (`close` without `--apply`).
    pub planned_records: u64,
    /// What was written.
    pub written: Option<Written>,
}
