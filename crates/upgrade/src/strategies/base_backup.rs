//! A copy of the server (pg_basebackup) opened as a primary of its own: no standby, no promotion. The copy has the same
//! system identifier and goes on on the *same timeline*, so nothing but its content tells it from the original. Slots
//! are not copied, and its log goes apart from the original's where the copy ends.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows, preflight};
use crate::preflight::Way;
use crate::steps::Step;

/// Copied after the drain, offset rewritten, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "base-backup-proven",
    title: "copied after the drain, offset rewritten, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Copied and opened, slot made by hand, the old offset kept.
pub(super) const OPENED: Strategy = Strategy {
    name: "base-backup-opened",
    title: "copied and opened, slot made by hand, the old offset kept",
    class: RunbookClass::Baseline,
    steps: opened,
    accepts: anything,
};

fn proven(target: &str) -> Vec<Step> {
    vec![
        preflight(target, Way::Copy),
        Step::CaptureState,
        Step::RoundTrip,
        Step::Checkpoint,
        Step::StopApplication,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::OpenBaseBackup,
        Step::StopServer,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

/// The copy is taken while the application works; what it writes meanwhile is not in it.
fn opened(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::LetTimePass,
        Step::OpenBaseBackup,
        Step::LetTimePass,
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::NoteCut,
        Step::StopApplication,
        Step::StopServer,
        Step::SetUpReplication,
        Step::StartApplication,
        Step::RepointConnector,
        Step::ResumeConnector,
    ]
}
