//! The one event stream. Everything observable about a run is a [`RunEvent`]; the terminal, `events.jsonl`,
//! JUnit and later pages are consumers. Producers get an [`EventSink`] and know nothing of who listens.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Format name written into every line. Fields are added, never renamed or removed.
pub const EVENT_FORMAT: &str = "cutover.event/1";

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// [`EVENT_FORMAT`].
    pub format: String,
    /// Rises by one per event of a run.
    pub index: u64,
    /// UTC, ISO 8601 with milliseconds.
    pub time: String,
    /// Name of the scenario, when the event belongs to one.
    pub scenario: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// What can happen. `#[serde(tag)]` gives `{"type":"step-started",…}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum EventKind {
    /// A scenario begins.
    ScenarioStarted {
        /// One line for people.
        title: String,
        /// Seed of the load.
        seed: u64,
    },
    /// A phase (start, load, cutover, record, judge, …) begins.
    PhaseStarted {
        /// Name of the phase.
        name: String,
    },
    /// A phase ended.
    PhaseEnded {
        /// Name of the phase.
        name: String,
        /// How long it took.
        seconds: f64,
    },
    /// A runbook step begins.
    StepStarted {
        /// Number in the runbook, from 1.
        number: u32,
        /// Stable name of the step.
        step: String,
        /// What it does, one line.
        title: String,
    },
    /// A runbook step is done and its post-condition holds.
    StepProved {
        /// Number in the runbook, from 1.
        number: u32,
        /// Stable name of the step.
        step: String,
        /// What was seen, one line.
        proof: String,
        /// How long it took.
        seconds: f64,
    },
    /// A step of a baseline was carried out. Nothing was looked at afterwards: that is the point of a baseline.
    StepDone {
        /// Number in the runbook, from 1.
        number: u32,
        /// Stable name of the step.
        step: String,
        /// What was done, one line.
        what: String,
        /// How long it took.
        seconds: f64,
    },
    /// A runbook step failed.
    StepFailed {
        /// Number in the runbook, from 1.
        number: u32,
        /// Stable name of the step.
        step: String,
        /// Why.
        reason: String,
    },
    /// How far a long job is. All numbers are measured.
    Progress {
        /// What is being counted.
        what: String,
        /// So far.
        done: u64,
        /// Expected in all, if known.
        total: Option<u64>,
        /// Per second, recently.
        rate: Option<f64>,
        /// Bytes of WAL that the connector has not confirmed.
        lag_bytes: Option<u64>,
    },
    /// What was counted at one moment while the load writes, the cutover included. Told a few times a second; a number
    /// that could not be read then is absent.
    Sample {
        /// Changes that the load has committed so far.
        committed: Option<u64>,
        /// Records in the topics of the captured tables so far, tombstones included.
        published: Option<u64>,
    },
    /// A stretch in which writers were turned away; told when the load has ended.
    WritesRefused {
        /// Last COMMIT before it: UTC, ISO 8601 with milliseconds.
        from: String,
        /// From that to the first COMMIT after it.
        seconds: f64,
        /// Tries that failed in it.
        refusals: u64,
        /// A COMMIT ended it; false if the load ended first.
        ended: bool,
    },
    /// Something worth knowing.
    Note {
        /// One line.
        text: String,
    },
    /// Something that lowers trust in the run.
    Warning {
        /// One line.
        text: String,
    },
    /// The judgement of the scenario.
    Judged {
        /// pass, unknown or fail.
        verdict: crate::Verdict,
        /// How much was proven.
        proof_level: crate::ProofLevel,
        /// Why not more.
        reasons: Vec<String>,
    },
    /// A scenario ended, judged or not.
    ScenarioEnded {
        /// finished, failed or interrupted.
        status: String,
    },
}

/// Where producers put events. Cheap to clone; must not block for long.
#[derive(Clone)]
pub struct EventSink(Arc<dyn Fn(EventKind) + Send + Sync>);

impl EventSink {
    /// A sink that hands each event to a function.
    pub fn new(consume: impl Fn(EventKind) + Send + Sync + 'static) -> EventSink {
        EventSink(Arc::new(consume))
    }

    /// A sink that drops everything, for tests.
    pub fn none() -> EventSink {
        EventSink::new(|_| ())
    }

    /// Emits one event.
    pub fn emit(&self, kind: EventKind) {
        (self.0)(kind);
    }

    /// Emits a note.
    pub fn note(&self, text: impl Into<String>) {
        self.emit(EventKind::Note { text: text.into() });
    }

    /// Emits a warning.
    pub fn warning(&self, text: impl Into<String>) {
        self.emit(EventKind::Warning { text: text.into() });
    }
}

impl std::fmt::Debug for EventSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventSink")
    }
}
