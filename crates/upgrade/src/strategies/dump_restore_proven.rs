//! Major upgrade by dump and restore, proven: nothing is lost and nothing is repeated.
//!
//! The same way as the baseline takes, with what it lacks: writes are refused and everything committed is proven
//! delivered before the connector is *stopped*; the new slot exists before the first write on the new server;
//! and the stored offset, which belongs to the old server's log, is rewritten to the new slot's position before
//! the connector is resumed.

use cutover_model::plan::RunbookClass;

use super::{Strategy, flows, major};
use crate::facts::Facts;
use crate::plan::Plan;
use crate::steps::Step;

/// The entry of `ALL`.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "dump-restore-proven",
    title: "dump and restore into another major, offset rewritten, each step proven",
    outline,
    accepts,
};

fn outline(target: &str) -> Plan {
    let steps = vec![
        Step::CaptureState,
        Step::RoundTrip,
        Step::StopApplication,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::CreateServer {
            version: target.into(),
        },
        Step::DumpDatabase,
        Step::RestoreDatabase,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ];
    Plan::new(STRATEGY.name, STRATEGY.title, RunbookClass::Proven, steps)
}

fn accepts(facts: &Facts, target: &str) -> Result<(), String> {
    let from = &facts.server.version;
    if major(from) == major(target) {
        return Err(format!("{from} → {target} stays inside one major version"));
    }
    flows(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_rewritten_after_the_new_slot_is_made_and_before_anything_is_written() {
        let plan = outline("18.4");
        let at = |step: &Step| plan.steps.iter().position(|known| known == step).unwrap();
        assert!(at(&Step::DrainProof) < at(&Step::StopConnector));
        assert!(at(&Step::SetUpReplication) < at(&Step::RewriteOffset));
        assert!(at(&Step::RewriteOffset) < at(&Step::ResumeConnector));
        assert!(at(&Step::ResumeConnector) < at(&Step::StartApplication));
        assert!(!plan.steps.contains(&Step::PauseConnector));
    }
}
