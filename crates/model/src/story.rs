//! Everything that a report of one run tells: the result, and what its run folder holds around it.
//!
//! `ledger` reads it from a run folder, `report` writes pages from it. The rule it protects: what could not be read is
//! said in `notes`, so a page never looks complete when it is not.

use serde::{Deserialize, Serialize};

use crate::change::Op;
use crate::event::RunEvent;
use crate::evidence::Fence;
use crate::result::ScenarioResult;
use crate::run_folder::{LedgerKind, RunManifest};

/// One run, ready to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct RunStory {
    /// What came out.
    pub scenario: ScenarioResult,
    /// Who, when, how it ended.
    pub manifest: Option<RunManifest>,
    /// The event stream; of events that only count, some are left out in a long run.
    pub events: Vec<RunEvent>,
    /// What the engine wrote down.
    pub journal: Vec<JournalNote>,
    /// The lives of the database, e.g. `PostgreSQL 16.2`; findings name them by index.
    pub lives: Vec<String>,
    /// The marker that bounds what was judged.
    pub fence: Option<Fence>,
    /// What stands beside the first findings.
    pub neighbourhoods: Vec<Neighbourhood>,
    /// What could not be read, in plain words.
    pub notes: Vec<String>,
}

/// One line of `journal.jsonl` as far as people read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalNote {
    /// UTC, ISO 8601.
    pub time: String,
    /// Number of the step in the runbook.
    pub number: u32,
    /// Name of the step.
    pub step: String,
    /// `intent`, `already-done`, `applied`, `proved`, `failed`, `undone`, `undo-failed`.
    pub entry: String,
    /// Positions and evidence, one line.
    pub detail: String,
}

/// The changes and records around one finding: of the same key, or of the same table where rows have none.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbourhood {
    /// Index into `ScenarioResult::findings`.
    pub finding: usize,
    /// Committed changes at the finding's own place; `None` if that ledger was not looked through or has no such
    /// place.
    pub committed: Option<u64>,
    /// The same of published records.
    pub published: Option<u64>,
    /// In the order of the log: committed changes, then published records.
    pub rows: Vec<Neighbour>,
}

/// One row beside a finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Committed or published.
    pub ledger: LedgerKind,
    /// It is what the finding is about.
    pub itself: bool,
    /// Index into `RunStory::lives`.
    pub incarnation: i32,
    /// What happened to the row.
    pub op: Op,
    /// Canonical key text.
    pub key: Option<String>,
    /// `revision` of the row.
    pub revision: Option<i64>,
    /// Transaction id.
    pub xid: Option<i64>,
    /// Position of the change, as a number.
    pub lsn: Option<i64>,
    /// Commit time, or timestamp of the record: epoch milliseconds.
    pub time_ms: Option<i64>,
    /// Topic, partition and offset of a record.
    pub record: Option<(String, i32, i64)>,
}
