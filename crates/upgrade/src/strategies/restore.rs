//! Restores with a backup tool. A logical slot is never part of a backup. What happens to the stream depends on
//! how far the restore goes.
//!
//! To the end of the log, nothing is lost in the database; the gap is between the connector's offset and the slot
//! that is made afterwards. Proven: the backup is restored as a standby that follows the archive, the slot is
//! made there before the promotion, the connector is attached to the unpromoted standby, and the gap is proven
//! closed before the point of no return. No rewrite, no snapshot.
//!
//! To an earlier point (a moment, the backup itself, or an archive that lacks its last file), the database goes
//! back behind what Kafka has. No runbook takes that back. Proven is: nothing that the database has is lost or
//! comes twice, the offset is rewritten down, and every event that the database no longer has is named.
//!
//! Baselines: the request's second scenario (connector deleted, restored, set up by hand, deployed with
//! `no_data`); the offset deleted besides; `initial` where `no_data` was meant; `when_needed`.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows, preflight};
use crate::preflight::Way;
use crate::steps::{Feed, RestoreTarget, Step};

/// Restored as a standby, slot before its promotion, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "restore-proven",
    title: "restored as a standby, slot before its promotion, each step proven",
    class: RunbookClass::Proven,
    steps: proven,
    accepts: flows,
};

/// Slot on the standby, the old slot dropped before the promotion.
pub(super) const DROPPED_SLOT: Strategy = Strategy {
    name: "restore-dropped-slot",
    title: "slot on the standby, the old slot dropped before the promotion",
    class: RunbookClass::Baseline,
    steps: dropped_slot,
    accepts: anything,
};

/// Connector deleted, restored, set up by hand, deployed with no_data.
pub(super) const REQUEST: Strategy = Strategy {
    name: "restore-request",
    title: "connector deleted, restored, set up by hand, deployed with no_data",
    class: RunbookClass::Baseline,
    steps: request,
    accepts: anything,
};

/// The same with the stored offset deleted.
pub(super) const OFFSETS_DELETED: Strategy = Strategy {
    name: "restore-offsets-deleted",
    title: "the same with the stored offset deleted",
    class: RunbookClass::Baseline,
    steps: offsets_deleted,
    accepts: anything,
};

/// The same with snapshot.mode=initial.
pub(super) const WRONG_CONFIG: Strategy = Strategy {
    name: "restore-wrong-config",
    title: "the same with snapshot.mode=initial",
    class: RunbookClass::Baseline,
    steps: wrong_config,
    accepts: anything,
};

/// The same with snapshot.mode=when_needed.
pub(super) const WHEN_NEEDED: Strategy = Strategy {
    name: "restore-when-needed",
    title: "the same with snapshot.mode=when_needed",
    class: RunbookClass::Baseline,
    steps: when_needed,
    accepts: anything,
};

/// Crash before the last log file was archived, then as people do.
pub(super) const UNARCHIVED_REQUEST: Strategy = Strategy {
    name: "restore-unarchived-request",
    title: "crash before the last log file was archived, then as people do",
    class: RunbookClass::Baseline,
    steps: unarchived_request,
    accepts: anything,
};

/// Crash before the last log file was archived, offset rewritten down.
pub(super) const UNARCHIVED_PROVEN: Strategy = Strategy {
    name: "restore-unarchived-proven",
    title: "crash before the last log file was archived, offset rewritten down",
    class: RunbookClass::Proven,
    steps: unarchived_proven,
    accepts: flows,
};

/// Restored to the backup itself, then as people do.
pub(super) const IMMEDIATE_REQUEST: Strategy = Strategy {
    name: "restore-immediate-request",
    title: "restored to the backup itself, then as people do",
    class: RunbookClass::Baseline,
    steps: immediate_request,
    accepts: anything,
};

/// Restored to the backup itself, offset rewritten down.
pub(super) const IMMEDIATE_PROVEN: Strategy = Strategy {
    name: "restore-immediate-proven",
    title: "restored to the backup itself, offset rewritten down",
    class: RunbookClass::Proven,
    steps: immediate_proven,
    accepts: flows,
};

/// Restored to an earlier moment, then as people do.
pub(super) const TIME_REQUEST: Strategy = Strategy {
    name: "restore-time-request",
    title: "restored to an earlier moment, then as people do",
    class: RunbookClass::Baseline,
    steps: time_request,
    accepts: anything,
};

/// Restored to an earlier moment, offset rewritten down.
pub(super) const TIME_PROVEN: Strategy = Strategy {
    name: "restore-time-proven",
    title: "restored to an earlier moment, offset rewritten down",
    class: RunbookClass::Proven,
    steps: time_proven,
    accepts: flows,
};

fn proven(target: &str) -> Vec<Step> {
    vec![
        preflight(target, Way::Restore),
        Step::CaptureState,
        Step::RoundTrip,
        Step::BackUp,
        Step::CreateStandby {
            feed: Feed::Archive,
        },
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

/// The new slot is there, so the old one is tidied away, as people do before a switch. While it was there it kept the
/// old server from pruning rows of the catalogue that the new slot still needs.
fn dropped_slot(_: &str) -> Vec<Step> {
    vec![
        Step::CaptureState,
        Step::BackUp,
        Step::CreateStandby {
            feed: Feed::Archive,
        },
        Step::SlotOnStandby,
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::NoteCut,
        Step::DropSlot,
        Step::LetTimePass,
        Step::StopApplication,
        Step::CatchUp,
        Step::StopServer,
        Step::Promote,
        Step::StartApplication,
        Step::RepointConnector,
        Step::ResumeConnector,
    ]
}

/// What the request's second scenario does before the restore.
fn before(first: &[Step]) -> Vec<Step> {
    let mut steps = vec![Step::CaptureState, Step::BackUp];
    steps.extend_from_slice(first);
    steps
}

/// Connector deleted while the application works on, then the application and the server stopped.
fn stopped_by_people() -> [Step; 5] {
    [
        Step::DeleteConnector,
        Step::NoteCut,
        Step::LetTimePass,
        Step::StopApplication,
        Step::StopServer,
    ]
}

/// Restored, used again, set up by hand, deployed: in the order in which people get to it.
fn by_hand(target: RestoreTarget, mode: &str) -> [Step; 5] {
    [
        Step::RestoreBackup { target },
        Step::StartApplication,
        Step::LetTimePass,
        Step::SetUpReplication,
        Step::DeployConnector {
            snapshot_mode: Some(mode.into()),
            rename: false,
        },
    ]
}

fn request(_: &str) -> Vec<Step> {
    let mut steps = before(&stopped_by_people());
    steps.extend(by_hand(RestoreTarget::Latest, "no_data"));
    steps
}

/// Connect deletes offsets of a stopped connector only.
fn without_offset(mode: &str) -> Vec<Step> {
    let mut steps = before(&[
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::DeleteOffsets,
    ]);
    steps.extend(stopped_by_people());
    steps.extend(by_hand(RestoreTarget::Latest, mode));
    steps
}

fn offsets_deleted(_: &str) -> Vec<Step> {
    without_offset("no_data")
}

fn wrong_config(_: &str) -> Vec<Step> {
    without_offset("initial")
}

fn when_needed(_: &str) -> Vec<Step> {
    let mut steps = before(&stopped_by_people());
    steps.extend(by_hand(RestoreTarget::Latest, "when_needed"));
    steps
}

fn unarchived_request(_: &str) -> Vec<Step> {
    let mut steps = before(&[
        Step::LetTimePass,
        Step::LoseArchive,
        Step::LetTimePass,
        Step::CrashServer,
        Step::DeleteConnector,
        Step::NoteCut,
    ]);
    steps.extend(by_hand(RestoreTarget::Latest, "no_data"));
    steps
}

/// Back behind the offset: the slot before the first write, the offset down to it.
fn rewritten_down(target: RestoreTarget) -> [Step; 8] {
    [
        Step::RestoreBackup { target },
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

fn unarchived_proven(target: &str) -> Vec<Step> {
    let mut steps = vec![preflight(target, Way::Restore)];
    steps.extend(before(&[
        Step::LetTimePass,
        Step::LoseArchive,
        Step::LetTimePass,
        Step::CrashServer,
        Step::StopConnector,
        Step::NoteCut,
    ]));
    steps.extend(rewritten_down(RestoreTarget::Latest));
    steps
}

fn immediate_request(_: &str) -> Vec<Step> {
    let mut steps = before(&[Step::LetTimePass]);
    steps.extend(stopped_by_people());
    steps.extend(by_hand(RestoreTarget::Immediate, "no_data"));
    steps
}

/// Stopped with care: what can be delivered is, before the database goes back.
fn stopped_with_care() -> [Step; 5] {
    [
        Step::StopApplication,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::StopServer,
    ]
}

fn immediate_proven(target: &str) -> Vec<Step> {
    let mut steps = vec![preflight(target, Way::Restore)];
    steps.extend(before(&[Step::RoundTrip, Step::LetTimePass]));
    steps.extend(stopped_with_care());
    steps.extend(rewritten_down(RestoreTarget::Immediate));
    steps
}

fn time_request(_: &str) -> Vec<Step> {
    let mut steps = before(&[Step::LetTimePass, Step::NotePointInTime, Step::LetTimePass]);
    steps.extend(stopped_by_people());
    steps.extend(by_hand(RestoreTarget::Time, "no_data"));
    steps
}

fn time_proven(target: &str) -> Vec<Step> {
    let mut steps = vec![preflight(target, Way::Restore)];
    steps.extend(before(&[
        Step::RoundTrip,
        Step::LetTimePass,
        Step::NotePointInTime,
        Step::LetTimePass,
    ]));
    steps.extend(stopped_with_care());
    steps.extend(rewritten_down(RestoreTarget::Time));
    steps
}
