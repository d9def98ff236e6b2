//! A major upgrade by pg_dump and pg_restore. The new server counts its log from the beginning, so the old offset lies
//! *ahead* of it: PostgreSQL accepts START_REPLICATION at a position in the future and sends nothing until its log has
//! passed it, while the connector shows RUNNING.
//!
//! Proven: writes are refused and everything committed is proven delivered before the connector is *stopped*; the new
//! slot exists before the first write on the new server; and the stored offset is rewritten to the new slot's position.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows, preflight};
use crate::preflight::Way;
use crate::steps::Step;

/// Dump and restore into another major, offset rewritten, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "dump-restore-proven",
    title: "dump and restore into another major, offset rewritten, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Dump and restore into another major, offset kept, as runbooks have it.
pub(super) const BASELINE: Strategy = Strategy {
    name: "dump-restore-baseline",
    title: "dump and restore into another major, offset kept, as runbooks have it",
    class: RunbookClass::Baseline,
    steps: baseline,
    accepts: anything,
};

fn proven(target: &str) -> Vec<Step> {
    vec![
        preflight(target, Way::Dump),
        Step::CaptureState,
        Step::RoundTrip,
        // Before writes are refused: nobody waits for an empty server.
        Step::CreateServer {
            version: target.into(),
        },
        Step::StopApplication,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::DumpDatabase,
        Step::RestoreDatabase,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

fn baseline(target: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::PauseConnector,
        Step::StopApplication,
        Step::CreateServer {
            version: target.into(),
        },
        Step::DumpDatabase,
        Step::RestoreDatabase,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::ResumeConnector,
        // A paused connector keeps its old task until it is resumed, and that task then publishes what it had
        // queued: only now, before anything new is written, can whose record is whose be told.
        Step::NoteCut,
        Step::StartApplication,
    ]
}
