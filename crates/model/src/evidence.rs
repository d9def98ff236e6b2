//! What is known about a recorded run besides its ledgers: whose events they are, where each ledger begins and
//! ends, whether the fence was seen, and whatever went wrong while recording.
//!
//! Written once as `ledger/evidence.json`; the audit reads it and nothing else besides the ledgers, so a saved
//! run can be judged again anywhere. The rule it protects: what is missing here lowers the verdict.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::lsn::{Incarnation, Lsn};
use crate::table::TableShape;

/// Format name. A reader refuses a newer major format.
pub const EVIDENCE_FORMAT: &str = "cutover.evidence/1";

/// The frame of a recorded run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// [`EVIDENCE_FORMAT`].
    pub format: String,
    /// Number of buckets that every ledger is partitioned into.
    pub buckets: u16,
    /// The lives of the database, in time order; ledgers refer to them by index.
    pub incarnations: Vec<IncarnationEvidence>,
    /// The fence that bounds what is judged; `None` if it was never written.
    pub fence: Option<Fence>,
    /// What was read of each topic partition.
    pub partitions: Vec<PartitionEvidence>,
    /// The captured tables.
    pub tables: Vec<TableEvidence>,
    /// What records in the topics show of their identity.
    pub payload: PayloadEvidence,
    /// The connector writes a tombstone after each keyed delete.
    pub tombstones: bool,
    /// What is left of a delete in the topics, by the connector's options.
    #[serde(default)]
    pub deletes: Deletes,
    /// Snapshot records (`op=r`) are part of the plan.
    pub snapshot_allowed: bool,
    /// The connector read no table when it began, so rows that were there before it are in no topic.
    #[serde(default)]
    pub no_snapshot: bool,
    /// Where records may be that are in none of the topics that were read: what is missing is not lost for certain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
    /// The attempted ledger exists (rehearsals only).
    pub attempted: bool,
    /// The connector writes transaction metadata: BEGIN and END to a topic of their own, and in each change its
    /// transaction. The transactions ledger exists then.
    #[serde(default)]
    pub transaction_metadata: bool,
    /// How far the connector's slot was confirmed, beside what the topics held: at each cut and at the fence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acknowledged: Vec<Acknowledged>,
    /// What the sequences had given out where one life followed another; empty if nobody looked, or if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sequences: Vec<SequenceEvidence>,
    /// Why the connector had ended when the fence was written, as its task said: what is missing then does not
    /// come by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector_ended: Option<String>,
    /// How the records were understood, so that the topics can be read again; absent from older runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamEvidence>,
    /// Whatever kept the recording from being complete, in plain words; each one caps the verdict at unknown.
    pub problems: Vec<String>,
    /// What of the stream was recorded.
    #[serde(default, skip_serializing_if = "Scope::is_run")]
    pub scope: Scope,
}

/// What of a stream was recorded, and so what can be asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// A run from its first change to its fence, with a witness.
    #[default]
    Run,
    /// A stream that was there before, without a witness: its topics from their beginning and its tables, at one
    /// moment. Whether the records come to the rows is judged, and whether they repeat themselves; not whether each
    /// change is among them.
    States,
    /// The changes of such a stream between two moments, with a witness, and without the tables.
    Window,
}

impl Scope {
    fn is_run(&self) -> bool {
        *self == Scope::Run
    }
}

/// What it takes to understand the stream's records again without the connector and the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamEvidence {
    /// The connector's `topic.prefix`.
    pub topic_prefix: String,
    /// The options that decide how records look; nothing else of the configuration.
    pub options: BTreeMap<String, String>,
    /// The captured tables.
    pub shapes: Vec<TableShape>,
    /// Hashes of the registry's schemas that were used, by `key/ID` and `value/ID`: another registry at the same
    /// address may have another schema under an id, and records would be read with it without an error.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub schemas: BTreeMap<String, String>,
    /// Records of aborted transactions were read too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub uncommitted: bool,
}

impl Evidence {
    /// For each incarnation that continues the log of the one before it: where it leaves that log.
    pub fn forks(&self) -> Vec<(i32, Lsn)> {
        forks(&self.incarnations)
    }

    /// How far the slot of an incarnation was confirmed when it was looked at last; `None` if nobody looked.
    pub fn confirmed(&self, incarnation: i32) -> Option<Lsn> {
        let of = |noted: &&Acknowledged| noted.incarnation == incarnation;
        self.acknowledged
            .iter()
            .rev()
            .find(of)
            .map(|noted| noted.confirmed)
    }
}

/// For each incarnation that continues the log of the one before it: where it leaves that log.
pub fn forks(incarnations: &[IncarnationEvidence]) -> Vec<(i32, Lsn)> {
    let forked = |(index, life): (i32, &IncarnationEvidence)| Some((index, life.forked_at?));
    (0..).zip(incarnations).filter_map(forked).collect()
}

/// One life of the database and what the witness saw of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncarnationEvidence {
    /// Who.
    pub incarnation: Incarnation,
    /// E.g. `PostgreSQL 16.2`.
    pub label: String,
    /// Commits at or after this position are no part of the database any more: a restore went back before them, or
    /// the upgrade was taken back. `None`: everything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_before: Option<Lsn>,
    /// Where this life's log leaves that of the life before it, if it continues that log (a restore, a promotion):
    /// the timelines part there. Records of a lower position are none of this life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_at: Option<Lsn>,
    /// What the witness covered; `None` without a witness.
    pub witness: Option<WitnessEvidence>,
}

/// The stretch of log that the witness decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessEvidence {
    /// Slot it read from.
    pub slot: String,
    /// Consistent point of the slot: everything committed after it was delivered.
    pub from: Lsn,
    /// The witness had everything up to here.
    pub through: Lsn,
    /// It reached the marker that closes this incarnation, and it was there before the first write that counts.
    pub complete: bool,
}

/// The marker that bounds the judged interval; of [`Scope::States`] the moment at which the tables were read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fence {
    /// Random text that tells this marker from all others; empty if none was written.
    pub token: String,
    /// Index of the incarnation it was written in.
    pub incarnation: i32,
    /// Its position.
    pub lsn: Lsn,
    /// Read back from Kafka.
    pub seen_in_topic: bool,
    /// The connector's stored offset reached it: every earlier record was acknowledged by the broker.
    pub offset_stored: bool,
    /// The slot's confirmed_flush_lsn reached it.
    pub confirmed: bool,
    /// The witness saw it.
    pub witnessed: bool,
}

/// What a transformation leaves of a delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deletes {
    /// A record that says so: an envelope, or a row with `__deleted`.
    #[default]
    Recorded,
    /// A tombstone and nothing else: that the key is gone, but not which change did it.
    TombstoneOnly,
    /// Nothing.
    Dropped,
}

/// How far a slot was confirmed at a moment, and what the topics held then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledged {
    /// Index of the incarnation whose log the slot reads.
    pub incarnation: i32,
    /// The connector's slot.
    pub slot: String,
    /// Its `confirmed_flush_lsn`: what was committed before it is not sent again.
    pub confirmed: Lsn,
    /// End offsets noted after it: (topic, partition, end).
    pub ends: Vec<(String, i32, i64)>,
}

/// One sequence where one life followed another. Only native sequences are known; what an application counts itself is
/// not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SequenceEvidence {
    /// `schema.sequence`.
    pub name: String,
    /// Index of the incarnation that goes on with it.
    pub incarnation: i32,
    /// It counts downwards.
    pub descending: bool,
    /// The value that the incarnation before gave out last, read at its end; `None` if it gave out none.
    pub used: Option<i64>,
    /// The value that is given out next, read before anybody writes; `None` if the sequence is not there.
    pub next: Option<i64>,
}

/// What was read of one partition: offsets `start..end`, all of them or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartitionEvidence {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// First offset that the log still had when reading began.
    pub start: i64,
    /// End offset noted by the fence; nothing at or after it counts.
    pub end: i64,
    /// Reading reached `end`.
    pub complete: bool,
    /// Where each incarnation begins: (index, first offset), ascending, the first one at `start`. Noted while the
    /// connector stood still; for a life that continues the log of the one before (`forked_at`), told exactly: records
    /// of lower positions in front of its first record are of the life before.
    pub cuts: Vec<(i32, i64)>,
}

/// One captured table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableEvidence {
    /// `schema.table`.
    pub relation: String,
    /// Rows have a key in Kafka.
    pub keyed: bool,
    /// The table's rows were read at the fence.
    pub stored: bool,
    /// Columns whose content could not be compared, with the reason.
    pub not_compared: Vec<(String, String)>,
}

/// What the payload shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadEvidence {
    /// E.g. `debezium envelope, json without schema`.
    pub format: String,
    /// Every change record carried its LSN; snapshot records (`op=r`) are no changes.
    pub has_lsn: bool,
    /// Every change record carried operation letters.
    pub has_op: bool,
    /// Records that could not be decoded.
    pub undecoded: u64,
    /// The first few of them: `topic/partition/offset: reason`.
    pub undecoded_samples: Vec<String>,
    /// How many of them there are of each reason; absent from older runs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undecoded_kinds: BTreeMap<String, u64>,
}
