//! Promotion of a physical standby. The log goes on, on a new timeline; logical slots are not copied, unless they
//! are failover slots (17 and newer). Proven without one: the slot is made on the standby before its promotion,
//! and the connector reads there already. Proven with one: the copy is proven to be there and to serve the stored
//! offset.
//!
//! Baseline: the slot is made after the promotion, when the application has written already.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows, preflight};
use crate::facts::Facts;
use crate::preflight::Way;
use crate::steps::{Feed, Step};

/// Slot on the standby before its promotion, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "promotion-proven",
    title: "slot on the standby before its promotion, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Failover slot, each step proven.
pub(super) const FAILOVER_SLOT: Strategy = Strategy {
    name: "promotion-failover-slot",
    title: "failover slot, each step proven",
    class: RunbookClass::Proven,
    steps: failover_slot,
    accepts: accepts_failover,
};

/// Promoted, slot made afterwards, the old offset kept.
pub(super) const LATE_SLOT: Strategy = Strategy {
    name: "promotion-late-slot",
    title: "promoted, slot made afterwards, the old offset kept",
    class: RunbookClass::Baseline,
    steps: late_slot,
    accepts: anything,
};

fn proven(target: &str) -> Vec<Step> {
    vec![
        preflight(target, Way::Standby),
        Step::CaptureState,
        Step::RoundTrip,
        Step::CreateStandby { feed: Feed::Stream },
        Step::SlotOnStandby,
        Step::SyncOffset,
        Step::StopBetween,
        Step::RepointConnector,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StopApplication,
        Step::DrainProof,
        Step::NoteCut,
        Step::CatchUp,
        Step::StopServer,
        Step::Promote,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

fn failover_slot(target: &str) -> Vec<Step> {
    vec![
        preflight(target, Way::Standby),
        Step::CaptureState,
        Step::RoundTrip,
        Step::CreateStandby { feed: Feed::Stream },
        Step::SyncSlot,
        Step::StopApplication,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::CatchUp,
        Step::StopServer,
        Step::Promote,
        Step::RepointConnector,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

fn late_slot(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::CreateStandby { feed: Feed::Stream },
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::NoteCut,
        Step::LetTimePass,
        Step::StopApplication,
        Step::CatchUp,
        Step::StopServer,
        Step::Promote,
        Step::StartApplication,
        Step::LetTimePass,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::ResumeConnector,
    ]
}

fn accepts_failover(facts: &Facts) -> Result<(), String> {
    flows(facts)?;
    match &facts.slot {
        Some(slot) if slot.failover => Ok(()),
        _ => Err("the connector's slot is no failover slot (slot.failover=true makes one)".into()),
    }
}
