//! A plan: typed steps in order, as data. Computed by a strategy, printed as a runbook, executed by the engine.

use cutover_model::plan::{Runbook, RunbookClass, RunbookStep};
use serde::{Deserialize, Serialize};

use crate::steps::Step;

/// Format name of a saved plan.
pub const PLAN_FORMAT: &str = "cutover.plan/1";

/// An ordered list of steps for one upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`PLAN_FORMAT`].
    pub format: String,
    /// Stable name of the runbook.
    pub runbook: String,
    /// One line.
    pub title: String,
    /// Baseline or proven. In a baseline no step proves anything: that is the point of it.
    pub class: RunbookClass,
    /// The steps.
    pub steps: Vec<Step>,
}

impl Plan {
    /// A plan of steps.
    pub fn new(name: &str, title: &str, class: RunbookClass, steps: Vec<Step>) -> Plan {
        Plan {
            format: PLAN_FORMAT.into(),
            runbook: name.into(),
            title: title.into(),
            class,
            steps,
        }
    }

    /// The old server's log must be archived from the beginning.
    pub fn needs_archive(&self) -> bool {
        self.steps.contains(&Step::BackUp)
    }

    /// A server that is restored must go on archiving: a later step reads its log from there.
    pub fn needs_archive_onward(&self) -> bool {
        self.steps.contains(&Step::CreateSideServer)
    }

    /// The connector's slot must be one that a standby keeps a copy of.
    pub fn needs_failover_slot(&self) -> bool {
        self.steps.contains(&Step::SyncSlot)
    }

    /// The runbook as people read it.
    pub fn runbook(&self) -> Runbook {
        let steps = self
            .steps
            .iter()
            .zip(1..)
            .map(|(step, number)| RunbookStep {
                number,
                step: step.name().into(),
                title: step.title(),
                proof: match self.class {
                    RunbookClass::Proven => step.proof().map(Into::into),
                    RunbookClass::Baseline => None,
                },
                undo: step.undo_title().map(Into::into),
                point_of_no_return: step.point_of_no_return(),
            });
        Runbook {
            name: self.runbook.clone(),
            title: self.title.clone(),
            class: self.class,
            steps: steps.collect(),
        }
    }
}
