//! A major upgrade by logical replication: the new server (green) copies the tables and follows, then takes over.
//!
//! What the subscription applies is decoded again by every slot on green. Proven: the connector's slot is made
//! after everything was applied and before the first native write, with `origin=none` besides; sequences are
//! carried over; the offset is rewritten, for green's log has nothing to do with blue's.
//!
//! Baselines: the slot made before the copy, without a filter; the old offset kept; the script that waits five
//! seconds.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows, preflight};
use crate::preflight::Way;
use crate::steps::Step;

/// Logical replication, slot after the last applied change, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "blue-green-proven",
    title: "logical replication, slot after the last applied change, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Slot on the new server before the copy, without an origin filter.
pub(super) const EARLY_SLOT: Strategy = Strategy {
    name: "blue-green-early-slot",
    title: "slot on the new server before the copy, without an origin filter",
    class: RunbookClass::Baseline,
    steps: early_slot,
    accepts: anything,
};

/// Logical replication, the old offset kept.
pub(super) const KEPT_OFFSET: Strategy = Strategy {
    name: "blue-green-kept-offset",
    title: "logical replication, the old offset kept",
    class: RunbookClass::Baseline,
    steps: kept_offset,
    accepts: anything,
};

/// Wait five seconds, switch, delete the offset.
pub(super) const FIVE_SECONDS: Strategy = Strategy {
    name: "blue-green-five-seconds",
    title: "wait five seconds, switch, delete the offset",
    class: RunbookClass::Baseline,
    steps: five_seconds,
    accepts: anything,
};

fn proven(target: &str) -> Vec<Step> {
    vec![
        preflight(target, Way::Logical),
        Step::CaptureState,
        Step::RoundTrip,
        Step::CreateServer {
            version: target.into(),
        },
        Step::CopySchema,
        Step::Subscribe,
        Step::RoundTrip,
        Step::StopApplication,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::AwaitSubscription,
        Step::EndSubscription,
        Step::SetUpReplication,
        Step::FilterOrigin,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

fn early_slot(target: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::CreateServer {
            version: target.into(),
        },
        Step::CopySchema,
        Step::SetUpReplication,
        Step::Subscribe,
        Step::StopApplication,
        Step::AwaitDelivery,
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::NoteCut,
        Step::AwaitSubscription,
        Step::EndSubscription,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::StartApplication,
    ]
}

fn kept_offset(target: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::CreateServer {
            version: target.into(),
        },
        Step::CopySchema,
        Step::Subscribe,
        Step::StopApplication,
        Step::AwaitDelivery,
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::NoteCut,
        Step::AwaitSubscription,
        Step::EndSubscription,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::ResumeConnector,
        Step::StartApplication,
    ]
}

fn five_seconds(target: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::CreateServer {
            version: target.into(),
        },
        Step::CopySchema,
        Step::Subscribe,
        Step::StopApplication,
        Step::AwaitSubscription,
        Step::SetUpReplication,
        Step::Wait { seconds: 5 },
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::DeleteOffsets,
        Step::DeleteConnector,
        Step::NoteCut,
        Step::EndSubscription,
        Step::DeployConnector {
            snapshot_mode: Some("no_data".into()),
            rename: false,
        },
        Step::StartApplication,
    ]
}
