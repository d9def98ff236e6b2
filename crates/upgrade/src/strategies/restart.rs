//! A restart of the server, nothing else: slot, positions and incarnation stay. Proven: the connector is stopped after
//! a drain. People leave it running; what its task does while the server is away depends on its version.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows};
use crate::steps::Step;

/// Restart, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "restart-proven",
    title: "restart, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Restart with the connector left running, as people do.
pub(super) const RUNNING: Strategy = Strategy {
    name: "restart-running",
    title: "restart with the connector left running, as people do",
    class: RunbookClass::Baseline,
    steps: running,
    accepts: anything,
};

fn proven(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::RoundTrip,
        Step::FreezeWrites,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::StopServer,
        Step::StartServer { version: None },
        Step::VerifySlot,
        Step::ReleaseWrites,
        Step::ResumeConnector,
        Step::RoundTrip,
    ]
}

fn running(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::StopServer,
        Step::StartServer { version: None },
        Step::LetTimePass,
    ]
}
