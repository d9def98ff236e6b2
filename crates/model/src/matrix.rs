//! The matrix: every upgrade kind × runbook × Debezium version, with what was predicted and what was measured.
//!
//! Written by `rehearse` after each cell, shown by `report`. The rule it protects: a cell whose prediction differs
//! from its measurement fails, however good its verdict is.

use serde::{Deserialize, Serialize};

use crate::finding::FindingKind;
use crate::result::ScenarioResult;
use crate::verdict::Verdict;

/// Format name.
pub const MATRIX_FORMAT: &str = "cutover.matrix/1";

/// The whole matrix.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matrix {
    /// [`MATRIX_FORMAT`].
    pub format: String,
    /// The worst of the cells; a wrong prediction is a failure.
    pub verdict: Verdict,
    /// Exit code of the process.
    pub exit_code: u8,
    /// What measured it.
    pub machine: String,
    /// Version of cutover, and the commit where it is known.
    pub cutover: String,
    /// Cells that were asked for.
    pub planned: usize,
    /// Wall time of the cells that were played, added up.
    pub seconds: f64,
    /// The cells, in the order in which they were asked for.
    pub cells: Vec<MatrixCell>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MatrixCell {
    /// Upgrade kind, e.g. `pg-upgrade-16-18`.
    pub kind: String,
    /// `proven`, or the name of the baseline.
    pub runbook: String,
    /// Debezium.
    pub debezium: String,
    /// Kafka.
    pub kafka: String,
    /// Seed of the load.
    pub seed: u64,
    /// What was predicted right before the connector's last start; empty if nothing was.
    pub predicted: String,
    /// What was measured.
    pub measured: String,
    /// Both are the same.
    pub prediction_right: bool,
    /// Wall time of the cell.
    pub seconds: f64,
    /// What came out.
    pub scenario: ScenarioResult,
}

impl MatrixCell {
    /// What tells this cell from all others.
    pub fn name(&self) -> String {
        cell_name(&self.scenario.name, &self.debezium, self.seed)
    }

    /// As expected, and rightly predicted.
    pub fn good(&self) -> bool {
        self.scenario.as_expected && self.prediction_right
    }
}

/// Name of a cell, of its run folder and of its topics: letters, digits and dashes.
pub fn cell_name(scenario: &str, debezium: &str, seed: u64) -> String {
    format!("{scenario}-{}-s{seed}", debezium.replace('.', "-"))
}

/// What the connector did, in the words of a prediction. From what was found, not from what was expected. Rows that it
/// read again because a repair asked for them are part of the plan: that is not what its start did.
pub fn measured(result: &ScenarioResult) -> &'static str {
    let counts = &result.counts;
    let unplanned = FindingKind::UnplannedSnapshot.name();
    if result.connector_refused.is_some() {
        "refuses"
    } else if counts
        .findings
        .get(unplanned)
        .is_some_and(|count| *count > 0)
    {
        "resnapshots"
    } else if counts.duplicated > 0 {
        "repeats"
    } else if counts.lost > 0 {
        "skips"
    } else if result.verdict == Verdict::Unknown {
        "unknown"
    } else {
        "resumes"
    }
}
