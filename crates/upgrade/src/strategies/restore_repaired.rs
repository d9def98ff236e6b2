//! A restore that was not done with care, and its repair. The first half is what people do: the connector stopped, the
//! backup restored to the end of the log, the application started, the slot made by hand when somebody thinks of it.
//! The events between the stored offset and that slot are in no slot any more.
//!
//! The second half delivers them: a third server, restored from the same backup, replays the log of both servers up to
//! the late slot, with a slot of its own that begins before the stored offset. The connector reads there with the old
//! offset, then goes on at the late slot. The application works all the while.
//!
//! Needs PostgreSQL 16, the backup from before the gap, and both servers' archived log.

use cutover_model::plan::RunbookClass;

use super::{Strategy, flows, preflight};
use crate::preflight::Way;
use crate::steps::{RestoreTarget, Step};

/// Restored as people do, then the gap delivered from a third server, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "restore-repaired",
    title: "restored as people do, then the gap delivered from a third server, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

fn proven(target: &str) -> Vec<Step> {
    let mut steps = vec![
        preflight(target, Way::Restore),
        Step::CaptureState,
        Step::BackUp,
        Step::LogTransactions,
        Step::LetTimePass,
        Step::StopBetween,
        Step::NoteCut,
        Step::LetTimePass,
        Step::StopApplication,
        Step::StopServer,
        Step::RestoreBackup {
            target: RestoreTarget::Latest,
        },
        Step::StartApplication,
        Step::LetTimePass,
        Step::SetUpReplication,
        Step::LetTimePass,
    ];
    steps.extend(repair());
    steps
}

/// From a stopped connector with a stored offset, and a slot that begins too late.
fn repair() -> [Step; 14] {
    [
        Step::CaptureGap,
        Step::CreateSideServer,
        Step::SlotOnSide,
        Step::OpenSide,
        Step::PointToSide,
        Step::DeliverGap,
        Step::StopConnector,
        Step::RewriteOffset,
        Step::RepointConnector,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::DiscardSide,
        Step::LetTimePass,
        Step::RoundTrip,
    ]
}
