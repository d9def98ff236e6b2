//! A runbook as people read it: the printable form of a plan. The typed steps live in `upgrade`.

use serde::{Deserialize, Serialize};

/// Whether people's habit or ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunbookClass {
    /// Written as people really do it, although it can lose or repeat events.
    Baseline,
    /// Ours: each step proves its post-condition before the next one may run.
    Proven,
}

/// An ordered list of steps that carries the stream across one upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runbook {
    /// Stable name, e.g. `minor-proven`.
    pub name: String,
    /// One line.
    pub title: String,
    /// Baseline or proven.
    pub class: RunbookClass,
    /// The steps in order.
    pub steps: Vec<RunbookStep>,
}

/// One step of a runbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunbookStep {
    /// From 1.
    pub number: u32,
    /// Stable name, e.g. `drain-proof`.
    pub step: String,
    /// What it does.
    pub title: String,
    /// What must be seen before the next step may run; `None` in a baseline that checks nothing.
    pub proof: Option<String>,
    /// How it is taken back; `None` for a step that changes nothing.
    pub undo: Option<String>,
    /// After this step there is no way back.
    pub point_of_no_return: bool,
}
