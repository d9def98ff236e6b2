//! Back to the old server after the new one has been written to. What the new server has, the old one has not:
//! those events are in Kafka and no runbook takes them back. Proven: everything is delivered first, the old slot
//! is where it was left, the offset is rewritten to it, and every event that the database no longer has is named.
//! Baseline: only the address is changed back.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows};
use crate::steps::Step;

/// Back to the old server, offset rewritten, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "rollback-proven",
    title: "back to the old server, offset rewritten, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Back to the old server, only the address changed.
pub(super) const KEPT_OFFSET: Strategy = Strategy {
    name: "rollback-kept-offset",
    title: "back to the old server, only the address changed",
    class: RunbookClass::Baseline,
    steps: kept_offset,
    accepts: anything,
};

fn proven(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::RoundTrip,
        Step::StopApplication,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::ReturnToOld,
        // Everything of the old server was delivered before the switch, some of it perhaps from its standby: its own
        // slot may stand far behind that and would send it again.
        Step::DropSlot,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

fn kept_offset(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::StopApplication,
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::NoteCut,
        Step::ReturnToOld,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::StartApplication,
        Step::ResumeConnector,
    ]
}
