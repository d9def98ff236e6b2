//! A minor upgrade on the same data directory. Slot, position, system identifier and LSNs survive a clean restart, so
//! nothing has to be rewritten. What runbooks get wrong is the connector: *paused*, it keeps its replication connection
//! and the server's fast shutdown hangs until `wal_sender_timeout`; so it is *stopped*, after a drain that was proven.
//!
//! The way back is the same with the older programs: minor versions of one major read the same data directory.
//! Whether a certain pair may, say their release notes; nothing is lost of what was written meanwhile.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows};
use crate::steps::Step;

/// Minor upgrade on the same data directory, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "minor-proven",
    title: "minor upgrade on the same data directory, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Back to the older programs on the same data directory, each step proven.
pub(super) const BACK: Strategy = Strategy {
    name: "minor-back",
    title: "back to the older programs on the same data directory, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Minor upgrade with the connector paused, as runbooks have it.
pub(super) const PAUSED: Strategy = Strategy {
    name: "minor-paused",
    title: "minor upgrade with the connector paused, as runbooks have it",
    class: RunbookClass::Baseline,
    steps: paused,
    accepts: anything,
};

fn proven(target: &str) -> Vec<Step> {
    vec![
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
    ]
}

fn paused(target: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::PauseConnector,
        Step::StopServer,
        Step::SwapBinaries {
            version: target.into(),
        },
        Step::StartServer {
            version: Some(target.into()),
        },
        Step::LetTimePass,
        Step::ResumeConnector,
    ]
}
