//! The typed steps of a plan. A step knows how to see that it is already done, how to apply itself, what must
//! be seen afterwards, and how it is taken back. One file per subject; this file only dispatches.

mod application;
mod capture;
mod connector;
mod drain;
mod offset;
mod replication;
mod server;

use serde::{Deserialize, Serialize};

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::Hands;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Notes server, slot, offset and publication.
    CaptureState,
    /// Sends a marker through the whole stream while nothing is stopped.
    RoundTrip,
    /// Refuses writes at the database and ends the writers' sessions.
    FreezeWrites,
    /// Proves that everything committed is in Kafka, stored and confirmed.
    DrainProof,
    /// Stops the connector (Connect's `stop`: no task, no replication connection).
    StopConnector,
    /// Pauses the connector (its tasks and connections stay).
    PauseConnector,
    /// Takes the application out of service.
    StopApplication,
    /// Notes the topics' end offsets while the connector does not write.
    NoteCut,
    /// Stops the server.
    StopServer,
    /// Puts other programs of the same major version under the data directory.
    SwapBinaries {
        /// Target version.
        version: String,
    },
    /// Starts the server.
    StartServer {
        /// Version that must answer; `None` if any will do.
        version: Option<String>,
    },
    /// Looks whether the slot survived where it was.
    VerifySlot,
    /// Allows writes again.
    ReleaseWrites,
    /// Resumes the connector.
    ResumeConnector,
    /// Makes an empty server of another major version.
    CreateServer {
        /// Its version.
        version: String,
    },
    /// Dumps the database.
    DumpDatabase,
    /// Restores the dump into the new server.
    RestoreDatabase,
    /// Publication, replica identity and slot on the new server.
    SetUpReplication,
    /// Points the connector to the new server.
    RepointConnector,
    /// Writes the new slot's position over the stored offset, which belongs to the old server's log.
    RewriteOffset,
    /// Lets the application use the new server.
    StartApplication,
}

impl Step {
    /// Stable name, as in plans and journals.
    pub fn name(&self) -> &'static str {
        match self {
            Step::CaptureState => "capture-state",
            Step::RoundTrip => "round-trip",
            Step::FreezeWrites => "freeze-writes",
            Step::DrainProof => "drain-proof",
            Step::StopConnector => "stop-connector",
            Step::PauseConnector => "pause-connector",
            Step::StopApplication => "stop-application",
            Step::NoteCut => "note-cut",
            Step::StopServer => "stop-server",
            Step::SwapBinaries { .. } => "swap-binaries",
            Step::StartServer { .. } => "start-server",
            Step::VerifySlot => "verify-slot",
            Step::ReleaseWrites => "release-writes",
            Step::ResumeConnector => "resume-connector",
            Step::CreateServer { .. } => "create-server",
            Step::DumpDatabase => "dump-database",
            Step::RestoreDatabase => "restore-database",
            Step::SetUpReplication => "set-up-replication",
            Step::RepointConnector => "repoint-connector",
            Step::RewriteOffset => "rewrite-offset",
            Step::StartApplication => "start-application",
        }
    }

    /// What it does, one line.
    pub fn title(&self) -> String {
        match self {
            Step::CaptureState => "note server, slot, stored offset and publication".into(),
            Step::RoundTrip => "send a marker through the whole stream".into(),
            Step::FreezeWrites => "refuse writes and end the writers' sessions".into(),
            Step::DrainProof => "prove that the connector has delivered everything".into(),
            Step::StopConnector => "stop the connector (not pause: a paused one blocks the \
                                    server's shutdown)"
                .into(),
            Step::PauseConnector => "pause the connector".into(),
            Step::StopApplication => "stop the application".into(),
            Step::NoteCut => "note the topics' end offsets".into(),
            Step::StopServer => "stop PostgreSQL (fast)".into(),
            Step::SwapBinaries { version } => format!("put PostgreSQL {version} in place"),
            Step::StartServer { .. } => "start PostgreSQL".into(),
            Step::VerifySlot => "look whether slot and incarnation are what they were".into(),
            Step::ReleaseWrites => "allow writes again".into(),
            Step::ResumeConnector => "resume the connector".into(),
            Step::CreateServer { version } => format!("make an empty PostgreSQL {version}"),
            Step::DumpDatabase => "dump the database (pg_dump -Fc)".into(),
            Step::RestoreDatabase => "restore it into the new server (pg_restore)".into(),
            Step::SetUpReplication => "make slot, publication and replica identity again".into(),
            Step::RepointConnector => "point the connector to the new server".into(),
            Step::RewriteOffset => "rewrite the stored offset to the new slot's position".into(),
            Step::StartApplication => "start the application on the new server".into(),
        }
    }

    /// What must be seen before the next step may run.
    pub fn proof(&self) -> Option<&'static str> {
        match self {
            Step::CaptureState => Some("every fact could be read"),
            Step::RoundTrip | Step::DrainProof => Some(
                "the marker is in Kafka, the stored offset and the slot's confirmed_flush_lsn \
                 have reached it",
            ),
            Step::FreezeWrites | Step::StopApplication => Some(
                "new sessions are read-only; no client transaction has written, none is prepared",
            ),
            Step::StopConnector => Some("state STOPPED, no task, the slot has no reader"),
            Step::SetUpReplication => Some("the slot is there, nobody reads it, it is not lost"),
            Step::RewriteOffset => Some(
                "Connect shows the new position; it is the slot's; the server's log has reached it",
            ),
            Step::RestoreDatabase => Some("every captured table has as many rows as the old one"),
            Step::RepointConnector => Some("Connect shows the new port"),
            Step::NoteCut => Some("looks at the end offsets agree, before and after"),
            Step::StopServer => {
                Some("it ended without being forced; nobody answers there any more")
            }
            Step::SwapBinaries { .. } => Some("start-server sees the version that answers"),
            Step::StartServer { .. } | Step::CreateServer { .. } => {
                Some("the server answers and is the planned version")
            }
            Step::VerifySlot => Some(
                "same incarnation; the slot is there and not lost; the stored offset is not behind \
                 the drain marker, not ahead of the server, not before the slot's start",
            ),
            Step::ReleaseWrites => Some("new sessions may write"),
            Step::ResumeConnector => Some("connector and task RUNNING, the slot has a reader"),
            _ => None,
        }
    }

    /// How it is taken back; `None` if it changes nothing.
    pub fn undo_title(&self) -> Option<&'static str> {
        match self {
            Step::FreezeWrites | Step::StopApplication => Some("allow writes again"),
            Step::StopConnector | Step::PauseConnector => Some("resume the connector"),
            Step::StopServer => Some("start the server"),
            Step::SwapBinaries { .. } => Some("put the old programs back"),
            Step::RepointConnector => Some("write the old connector configuration back"),
            Step::RewriteOffset => Some("write the old offset back"),
            _ => None,
        }
    }

    /// After this step nothing is taken back by itself: writers are active on what is in place now.
    pub fn point_of_no_return(&self) -> bool {
        matches!(self, Step::ReleaseWrites | Step::StartApplication)
    }

    /// Whether the step is in effect already; the text says what was found.
    pub async fn already_done(&self, cutover: &Cutover) -> Result<Option<String>, UpgradeError> {
        match self {
            Step::StopConnector => connector::stopped(cutover).await,
            // Frozen writes are frozen again: sessions from before could still write.
            _ => Ok(None),
        }
    }

    /// Does it. The text goes to the journal.
    pub async fn apply<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::CaptureState => capture::apply(cutover).await,
            Step::RoundTrip | Step::DrainProof => Ok("nothing changed yet".into()),
            Step::FreezeWrites => application::freeze(cutover).await,
            Step::StopConnector => connector::stop(cutover).await,
            Step::PauseConnector => connector::pause(cutover).await,
            Step::StopApplication => application::stop(cutover, hands).await,
            Step::NoteCut => hands.note_cut().await,
            Step::StopServer => server::stop(cutover, hands).await,
            Step::SwapBinaries { version } => hands.swap_binaries(version).await,
            Step::StartServer { .. } => server::start(cutover, hands).await,
            Step::VerifySlot => Ok("nothing changed".into()),
            Step::ReleaseWrites => application::release(cutover).await,
            Step::ResumeConnector => connector::resume(cutover).await,
            Step::CreateServer { version } => server::create(cutover, hands, version).await,
            Step::DumpDatabase => hands.dump_database().await,
            Step::RestoreDatabase => server::restore(hands).await,
            Step::SetUpReplication => replication::set_up(cutover).await,
            Step::RepointConnector => connector::repoint(cutover).await,
            Step::RewriteOffset => offset::rewrite(cutover).await,
            Step::StartApplication => application::start_on_new(hands).await,
        }
    }

    /// Waits until its post-condition is seen, and says what was seen.
    pub async fn prove<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::CaptureState => cutover.before().map(|facts| facts.summary()),
            Step::RoundTrip => drain::round_trip(cutover).await,
            Step::FreezeWrites | Step::StopApplication => application::prove_frozen(cutover).await,
            Step::CreateServer { version } => server::prove_started(cutover, Some(version)).await,
            Step::RestoreDatabase => server::prove_restored(cutover).await,
            Step::RepointConnector => connector::prove_repointed(cutover).await,
            Step::SetUpReplication => replication::prove_set_up(cutover).await,
            Step::RewriteOffset => offset::prove(cutover).await,
            Step::DrainProof => drain::prove(cutover).await,
            Step::StopConnector => connector::prove_stopped(cutover).await,
            Step::NoteCut => hands.note_cut().await,
            Step::StopServer => server::prove_stopped(cutover).await,
            Step::SwapBinaries { .. } => Ok("left to start-server".into()),
            Step::StartServer { version } => {
                server::prove_started(cutover, version.as_deref()).await
            }
            Step::VerifySlot => replication::verify_slot(cutover).await,
            Step::ReleaseWrites => application::prove_released(cutover).await,
            Step::ResumeConnector => connector::prove_running(cutover).await,
            _ => Ok("done".into()),
        }
    }

    /// Takes it back. Safe to call when the step was applied only in part.
    pub async fn undo<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::FreezeWrites | Step::StopApplication => application::release_old(cutover).await,
            Step::StopConnector | Step::PauseConnector => connector::resume(cutover).await,
            Step::StopServer => server::start(cutover, hands).await,
            Step::SwapBinaries { .. } => server::swap_back(cutover, hands).await,
            Step::RepointConnector => connector::restore_config(cutover).await,
            Step::RewriteOffset => offset::restore(cutover).await,
            _ => Ok("nothing to take back".into()),
        }
    }
}
