//! A crash of the server and its recovery. Nobody has drained anything: what the slot had confirmed since its last
//! save is forgotten, and the stored offset alone keeps events from coming twice. A committed change cannot be lost,
//! for the slot keeps the log. Proven means here: afterwards it is looked whether the slot is what it was, a task that
//! gave up is restarted, and a marker goes through.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows};
use crate::steps::Step;

/// Crash and recovery, looked after.
pub(super) const PROVEN: Strategy = Strategy {
    name: "crash-proven",
    title: "crash and recovery, looked after",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Crash and recovery, nobody looks.
pub(super) const RUNNING: Strategy = Strategy {
    name: "crash-running",
    title: "crash and recovery, nobody looks",
    class: RunbookClass::Baseline,
    steps: running,
    accepts: anything,
};

fn proven(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::RoundTrip,
        Step::CrashServer,
        Step::StartServer { version: None },
        Step::VerifySlot,
        Step::RestartConnector,
        Step::RoundTrip,
    ]
}

fn running(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::CrashServer,
        Step::StartServer { version: None },
        Step::LetTimePass,
    ]
}
