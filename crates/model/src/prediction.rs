//! What a connector will do when it starts, as a value: computed by `upgrade`, shown by `report`, compared with what
//! was measured.
//!
//! The rule it protects: a prediction names its reasons. An outcome without the positions and the rule that lead to
//! it would be one more promise that nobody can check.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Format name.
pub const PREDICTION_FORMAT: &str = "cutover.prediction/1";

/// What the connector does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PredictedOutcome {
    /// It goes on where it stopped: nothing is passed over, nothing comes twice.
    Resumes,
    /// It fails and says so; nothing is delivered until somebody acts.
    Refuses,
    /// It reads the tables again: history between is gone, deletes of that time never arrive.
    Resnapshots,
    /// It runs, and committed events are not delivered.
    Skips,
    /// It runs, and delivers events a second time.
    Repeats,
}

impl fmt::Display for PredictedOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PredictedOutcome::Resumes => "resumes",
            PredictedOutcome::Refuses => "refuses",
            PredictedOutcome::Resnapshots => "resnapshots",
            PredictedOutcome::Skips => "skips",
            PredictedOutcome::Repeats => "repeats",
        })
    }
}

/// When events become lost for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LosesOn {
    /// At the start of the connector.
    Start,
    /// When the connector is stopped.
    Stop,
    /// Not by this start.
    Never,
    /// When the server's log passes the stored offset.
    #[serde(rename = "passing the offset")]
    PassingTheOffset,
}

impl fmt::Display for LosesOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LosesOn::Start => "start",
            LosesOn::Stop => "stop",
            LosesOn::Never => "never",
            LosesOn::PassingTheOffset => "passing the offset",
        })
    }
}

/// What one start of one connector will do, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    /// [`PREDICTION_FORMAT`].
    pub format: String,
    /// What happens.
    pub outcome: PredictedOutcome,
    /// After a stop, everything undelivered can still be delivered by rewriting the offset.
    pub repairable: bool,
    /// When events become lost for good.
    pub loses_on: LosesOn,
    /// The rule, the positions it was applied to, and what is not proven; never empty.
    pub because: Vec<String>,
    /// What to do, as statements and calls; empty when there is nothing to do.
    pub remedy: Vec<String>,
    /// What the connector itself says when it refuses.
    pub message: Option<String>,
    /// Committed, captured, undelivered events that this start passes over, where the facts say how many.
    pub at_stake: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_json_and_on_the_screen_are_the_same() {
        let outcomes = [
            PredictedOutcome::Resumes,
            PredictedOutcome::Refuses,
            PredictedOutcome::Resnapshots,
            PredictedOutcome::Skips,
            PredictedOutcome::Repeats,
        ];
        for outcome in outcomes {
            let json = serde_json::to_value(outcome).unwrap();
            assert_eq!(json, outcome.to_string());
        }
        let ends = [
            LosesOn::Start,
            LosesOn::Stop,
            LosesOn::Never,
            LosesOn::PassingTheOffset,
        ];
        for end in ends {
            assert_eq!(serde_json::to_value(end).unwrap(), end.to_string());
        }
    }
}
