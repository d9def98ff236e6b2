//! Minor upgrade on the same data directory, proven: zero lost, zero repeated, writers active throughout.
//!
//! The slot, its position, the system identifier and the LSNs survive a clean restart, so nothing has to be
//! rewritten. What runbooks get wrong is the connector: *paused*, it keeps its replication connection and the
//! server's fast shutdown hangs until `wal_sender_timeout`; so it is *stopped*, after a drain that was proven.

use cutover_model::plan::RunbookClass;

use super::{Strategy, flows, major};
use crate::facts::Facts;
use crate::plan::Plan;
use crate::steps::Step;

/// The entry of `ALL`.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "minor-proven",
    title: "minor upgrade on the same data directory, each step proven",
    outline,
    accepts,
};

fn outline(target: &str) -> Plan {
    let steps = vec![
        Step::CaptureState,
        Step::RoundTrip,
        Step::FreezeWrites,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::StopServer,
        Step::SwapBinaries {
            version: target.into(),
        },
        Step::StartServer {
            version: Some(target.into()),
        },
        Step::VerifySlot,
        Step::ReleaseWrites,
        Step::ResumeConnector,
        Step::RoundTrip,
    ];
    Plan::new(STRATEGY.name, STRATEGY.title, RunbookClass::Proven, steps)
}

fn accepts(facts: &Facts, target: &str) -> Result<(), String> {
    let from = &facts.server.version;
    if major(from) != major(target) {
        return Err(format!(
            "{from} → {target} is not a minor upgrade (another major version)"
        ));
    }
    flows(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_connector_is_stopped_after_the_drain_and_before_the_server() {
        let plan = outline("16.14");
        let at = |step: &Step| plan.steps.iter().position(|known| known == step).unwrap();
        assert!(at(&Step::FreezeWrites) < at(&Step::DrainProof));
        assert!(at(&Step::DrainProof) < at(&Step::StopConnector));
        assert!(at(&Step::StopConnector) < at(&Step::StopServer));
        assert!(at(&Step::VerifySlot) < at(&Step::ReleaseWrites));
        assert!(!plan.steps.contains(&Step::PauseConnector));
    }
}
