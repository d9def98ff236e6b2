//! What will this connector do when it starts here? A pure function from facts to a prediction; no server, no clock.
//!
//! Facts come as JSON ([`facts`]) or from running systems ([`live`]). The version decides how the connector behaves
//! ([`versions`]), its options what was asked of it ([`settings`]); the rules (`rules`, `position`) are looked at in
//! the order in which the connector itself comes to them, and the first that applies decides.
//!
//! The rule it protects: Debezium compares numbers, whichever log they count. The prediction follows the numbers,
//! because Debezium does, and says each time whether they mean anything. What the facts do not prove is said to be
//! unproven, and then the worse outcome is predicted. One thing is taken on trust, and said: an offset that names no
//! server is taken for one of this server, because no running system knows better.

pub mod facts;
pub mod live;
mod position;
mod remedies;
mod restart;
mod rules;
pub mod settings;
pub mod versions;

use cutover_model::prediction::PREDICTION_FORMAT;
use cutover_model::{LosesOn, PredictedOutcome, Prediction};

pub use facts::{
    AroundFacts, FactsFormat, OffsetFacts, PredictionFacts, ServerIdentity, SlotFacts, TargetFacts,
};
pub use live::LiveFacts;
pub use versions::DebeziumVersion;

use crate::error::UpgradeError;
use settings::{Reading, Settings};
use versions::Behaviour;

/// Predicts one start.
///
/// # Errors
/// The version of Debezium or the value of an option is not known, or the outcome depends on what facts cannot hold
/// (`snapshot.mode=custom` and `configuration_based`).
pub fn predict(facts: &PredictionFacts) -> Result<Prediction, UpgradeError> {
    let version: DebeziumVersion = facts.debezium.parse()?;
    let behaviour = versions::behaviour(version)?;
    let draft = match settings::read(&facts.options, version, behaviour)? {
        Reading::Accepted(settings) => {
            let case = Case {
                facts,
                version,
                behaviour,
                settings: &settings,
            };
            let mut draft = rules::decide(&case);
            draft.because.extend(rules::asides(&case));
            draft
        }
        Reading::Rejected {
            option,
            value,
            allowed,
        } => rules::rejected(option, &value, &allowed, behaviour),
    };
    Ok(Prediction {
        format: PREDICTION_FORMAT.to_owned(),
        outcome: draft.outcome,
        repairable: draft.repairable,
        loses_on: draft.loses_on,
        because: draft.because,
        remedy: draft.remedy,
        message: draft.message,
        at_stake: facts.at_stake,
    })
}

/// What a rule looks at.
struct Case<'a> {
    facts: &'a PredictionFacts,
    version: DebeziumVersion,
    behaviour: &'static Behaviour,
    settings: &'a Settings,
}

/// A prediction under construction.
#[derive(Debug, PartialEq, Eq)]
struct Draft {
    outcome: PredictedOutcome,
    repairable: bool,
    loses_on: LosesOn,
    because: Vec<String>,
    remedy: Vec<String>,
    message: Option<String>,
}

impl Draft {
    fn new(outcome: PredictedOutcome, repairable: bool, loses_on: LosesOn) -> Draft {
        Draft {
            outcome,
            repairable,
            loses_on,
            because: Vec::new(),
            remedy: Vec::new(),
            message: None,
        }
    }

    /// It goes on; nothing is lost, so there is nothing that a rewritten offset could not bring.
    fn resumes() -> Draft {
        Draft::new(PredictedOutcome::Resumes, true, LosesOn::Never)
    }

    /// It fails. What the slot holds stays there.
    fn refuses(repairable: bool) -> Draft {
        Draft::new(PredictedOutcome::Refuses, repairable, LosesOn::Never)
    }

    /// It runs and passes over what no rewritten offset brings back.
    fn skips_for_good() -> Draft {
        Draft::new(PredictedOutcome::Skips, false, LosesOn::Start)
    }

    fn because(mut self, reason: impl Into<String>) -> Draft {
        self.because.push(reason.into());
        self
    }

    fn remedy(mut self, steps: Vec<String>) -> Draft {
        self.remedy.extend(steps);
        self
    }

    fn message(mut self, text: impl Into<String>) -> Draft {
        self.message = Some(text.into());
        self
    }
}

#[cfg(test)]
mod tests;
