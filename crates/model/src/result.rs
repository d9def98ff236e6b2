//! The result as other programs read it: `--output json` on stdout and `report.json` in the run folder.
//! Fields are added, never renamed or removed; readers ignore what they do not know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::plan::Runbook;
use crate::verdict::{ProofLevel, Verdict};

/// Format name.
pub const RESULT_FORMAT: &str = "cutover.result/1";

/// The outcome of one command.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`RESULT_FORMAT`].
    pub format: String,
    /// The worst verdict of scenarios that did not end as expected; pass if all did.
    pub verdict: Verdict,
    /// Exit code of the process.
    pub exit_code: u8,
    /// One entry per scenario.
    pub scenarios: Vec<ScenarioResult>,
}

/// The outcome of one scenario (or of one verified run folder).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioResult {
    /// Scenario name.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Verdict that the scenario expects.
    pub expected: Verdict,
    /// The verdict is the expected one, and so are the kinds of findings.
    pub as_expected: bool,
    /// What was judged.
    pub verdict: Verdict,
    /// How much was proven.
    pub proof_level: ProofLevel,
    /// Why the verdict or the proof level is not better; empty on a pass at the highest level.
    pub reasons: Vec<String>,
    /// The sentence that says what this runbook loses and why, for a baseline.
    pub lesson: Option<String>,
    /// Counts by ledger and by finding.
    pub counts: Counts,
    /// Longest time during which no writer could commit around the cutover; 0 if there was none.
    pub refused_write_seconds: f64,
    /// The part of it that the server itself needed to stop and start.
    pub server_restart_seconds: f64,
    /// Phases in order.
    pub phases: Vec<Phase>,
    /// Absolute path of the run folder.
    pub run_dir: String,
    /// Versions.
    pub stack: Stack,
    /// Seed of the load.
    pub seed: u64,
    /// The runbook that was driven.
    pub runbook: Option<Runbook>,
    /// What was predicted right before the connector's last start; `None` if nothing was.
    #[serde(default)]
    pub prediction: Option<crate::Prediction>,
    /// Why the connector ended, as its task says; `None` if it went on.
    #[serde(default)]
    pub connector_refused: Option<String>,
    /// The checks and what each found.
    pub checks: Vec<CheckResult>,
    /// The first findings (all of them are in `findings.parquet`).
    pub findings: Vec<Finding>,
    /// The four classic counts, where they were asked for; none of them is part of the verdict.
    #[serde(default)]
    pub naive: Vec<crate::naive::NaiveCount>,
}

/// Counts. `snapshot` is the number of `op=r` records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Changes that the load attempted, rolled-back ones included.
    pub attempted: u64,
    /// Changes that the witness saw.
    pub committed: u64,
    /// Change records in the topics (tombstones not counted).
    pub published: u64,
    /// Rows in the tables at the fence.
    pub stored: u64,
    /// Findings by kind (0 when none).
    pub lost: u64,
    /// See `finding`.
    pub duplicated: u64,
    /// See `finding`.
    pub phantom: u64,
    /// See `finding`.
    pub reordered: u64,
    /// See `finding`.
    pub divergent: u64,
    /// `op=r` records.
    pub snapshot: u64,
    /// Records that a repair wrote (`cutover gap close`), marked as such; in no other count.
    #[serde(default)]
    pub backfill: u64,
    /// Every finding kind that occurred, by name (those above too).
    pub findings: BTreeMap<String, u64>,
}

/// How long a phase took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Name.
    pub name: String,
    /// Wall time.
    pub seconds: f64,
}

/// Component versions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// PostgreSQL before the upgrade.
    pub postgres_old: String,
    /// PostgreSQL after it.
    pub postgres_new: String,
    /// Kafka and Kafka Connect.
    pub kafka: String,
    /// Debezium connector.
    pub debezium: String,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckResult {
    /// File name of the SQL without `.sql`.
    pub check: String,
    /// The guarantee it checks, e.g. `I1 complete`.
    pub guarantee: String,
    /// Pass, unknown (did not run or lacked input) or fail.
    pub verdict: Verdict,
    /// Findings.
    pub findings: u64,
    /// Why it is unknown.
    pub reason: Option<String>,
}
