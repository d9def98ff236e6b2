//! The typed steps of a plan. A step knows how to see that it is already done, how to apply itself, what must
//! be seen afterwards, and how it is taken back. One file per subject; this file only dispatches, and the words
//! are in `describe`.

mod application;
mod backup;
mod boundary;
mod capture;
mod cluster;
mod connector;
mod describe;
mod drain;
mod hold;
mod logical;
pub(crate) mod offset;
mod predict;
mod preflight;
mod repair;
mod replication;
mod server;
mod slot_copy;
mod standby;
mod worker;

use serde::{Deserialize, Serialize};

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::{Hands, Side};
use crate::preflight::Way;

/// How pg_upgrade moves the data files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transfer {
    /// Copies them; the old cluster stays as it is.
    Copy,
    /// Hard links: the old cluster must never be started again once the new one was.
    Link,
    /// Copy-on-write copies, where the file system has them.
    Clone,
}

/// How a standby gets the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feed {
    /// Streaming replication from the primary.
    Stream,
    /// From the archive that the backup tool keeps.
    Archive,
}

/// How far a restored server replays the archived log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreTarget {
    /// To the end of the archive.
    Latest,
    /// As soon as the backup is consistent.
    Immediate,
    /// To the moment that `note-point-in-time` has noted.
    Time,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// Looks for whatever would be in the way of a second cluster, before anything is changed.
    Preflight {
        /// Its version.
        version: String,
        /// How it comes about.
        way: Way,
    },
    /// Notes server, slot, offset and publication.
    CaptureState,
    /// Sends a marker through the whole stream while nothing is stopped.
    RoundTrip,
    /// Lets the server write out what is dirty while nobody waits for that yet.
    Checkpoint,
    /// Refuses writes at the database and ends the writers' sessions.
    FreezeWrites,
    /// Proves that everything committed is in Kafka, stored and confirmed.
    DrainProof,
    /// Looks whether the connector still lags, as people do: until the slot has confirmed the end of the log.
    AwaitDelivery,
    /// Keeps autovacuum from committing anything after the drain.
    QuietServer,
    /// Stops the connector (Connect's `stop`: no task, no replication connection).
    StopConnector,
    /// Stops it between two transactions while the application works: writers wait meanwhile.
    StopBetween,
    /// Waits until Connect shows STOPPED and no task.
    LetConnectorStop,
    /// Pauses the connector (its tasks and connections stay).
    PauseConnector,
    /// Deletes the connector; Connect keeps its offset.
    DeleteConnector,
    /// Deletes the stored offset of the stopped connector.
    DeleteOffsets,
    /// Puts the connector in place again, pointed to the new server.
    DeployConnector {
        /// Its `snapshot.mode`; `None` leaves what it had.
        snapshot_mode: Option<String>,
        /// Its name; `None` leaves what it had. Another name has no stored offset.
        rename: bool,
    },
    /// Restarts a task that has failed.
    RestartConnector,
    /// Takes the application out of service.
    StopApplication,
    /// Lets the application work on for a while, as it does between two steps of people.
    LetTimePass,
    /// Waits a fixed time and looks at nothing.
    Wait {
        /// Seconds.
        seconds: u32,
    },
    /// Drops the connector's slot.
    DropSlot,
    /// Notes the topics' end offsets while the connector does not write.
    NoteCut,
    /// Stops the server.
    StopServer,
    /// Ends the server as a crash does (immediate shutdown).
    CrashServer,
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
    /// Makes an empty cluster of the new version and lets pg_upgrade check both.
    PrepareCluster {
        /// Its version.
        version: String,
        /// How files will be moved.
        transfer: Transfer,
    },
    /// Runs pg_upgrade and starts the new server.
    UpgradeCluster {
        /// Its version.
        version: String,
        /// How files are moved.
        transfer: Transfer,
    },
    /// Makes a standby of the server.
    CreateStandby {
        /// How it gets the log.
        feed: Feed,
    },
    /// Makes the connector's slot on the standby.
    SlotOnStandby,
    /// Waits until the connector has moved its offset to where the standby's slot can serve it.
    SyncOffset,
    /// Waits until the standby keeps a usable copy of the connector's failover slot.
    SyncSlot,
    /// Waits until the standby has replayed everything that the old server wrote.
    CatchUp,
    /// Makes the standby the primary.
    Promote,
    /// Takes a backup.
    BackUp,
    /// Notes the moment that a later restore goes back to.
    NotePointInTime,
    /// The archive gets nothing from here on: what a crash does to the last log file.
    LoseArchive,
    /// Restores the backup into a new server and starts it as a primary.
    RestoreBackup {
        /// How far it replays.
        target: RestoreTarget,
    },
    /// Lets the log have lists of running transactions, as it gets them by itself every 15 seconds.
    LogTransactions,
    /// Finds out what is missing between the stored offset and a slot that was made too late.
    CaptureGap,
    /// Restores the backup beside both servers, to end where the new server's slot begins.
    CreateSideServer,
    /// Makes the connector's slot on the side server, at a position that is not after the stored offset.
    SlotOnSide,
    /// Lets the side server replay what is missing and open.
    OpenSide,
    /// Points the connector to the side server.
    PointToSide,
    /// Lets the connector read what is missing from the side server.
    DeliverGap,
    /// Removes the side server.
    DiscardSide,
    /// Copies the running server and opens the copy as a primary of its own.
    OpenBaseBackup,
    /// Makes the tables on the new server, without rows.
    CopySchema,
    /// Lets the new server copy the tables and follow by logical replication.
    Subscribe,
    /// Waits until the new server has applied everything.
    AwaitSubscription,
    /// Ends the subscription, and lets sequences go on where they stand.
    EndSubscription,
    /// Asks the new server for native changes only (`origin=none`).
    FilterOrigin,
    /// Lets the connector go on at the slot's position for one start (`trust_slot`, Debezium 3.4 and newer).
    TrustSlot,
    /// Takes that option out again.
    DistrustSlot,
    /// Publication, replica identity and slot on the new server.
    SetUpReplication,
    /// Points the connector to the new server.
    RepointConnector,
    /// Writes the new slot's position over the stored offset, which belongs to the old server's log.
    RewriteOffset,
    /// Lets the application use the new server.
    StartApplication,
    /// Back: lets everything use the old server again, whatever the new one has.
    ReturnToOld,
    /// Kafka Connect's worker is killed: no task ends in order, no offset is stored.
    CrashWorker,
    /// Moves the stored offset back behind the last COMMIT, while no worker is there.
    RewindOffset,
    /// Starts the worker again; its connectors start by themselves.
    StartWorker,
}

impl Step {
    /// Whether the step is in effect already; the text says what was found.
    pub async fn already_done(&self, cutover: &Cutover) -> Result<Option<String>, UpgradeError> {
        match self {
            Step::StopConnector | Step::StopBetween => connector::stopped(cutover).await,
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
        if let Some(refused) = self.refuses_writes() {
            cutover.seen.refused = refused;
        }
        match self {
            Step::CaptureState => capture::apply(cutover).await,
            Step::AwaitDelivery => drain::await_delivery(cutover).await,
            Step::LetConnectorStop => connector::prove_stopped(cutover).await,
            Step::Preflight { .. } | Step::RoundTrip | Step::DrainProof => {
                Ok("nothing changed yet".into())
            }
            Step::FreezeWrites => application::freeze(cutover).await,
            Step::StopApplication => application::stop(cutover, hands).await,
            Step::LetTimePass => hands.let_time_pass().await,
            Step::Wait { seconds } => application::wait(*seconds).await,
            Step::ReleaseWrites => application::release(cutover).await,
            Step::StartApplication => application::start_on_new(cutover, hands).await,
            Step::NoteCut => hands.note_cut().await,
            Step::ReturnToOld => server::return_to_old(cutover, hands).await,
            Step::StopConnector
            | Step::StopBetween
            | Step::PauseConnector
            | Step::DeleteConnector
            | Step::DeleteOffsets
            | Step::DeployConnector { .. }
            | Step::RestartConnector
            | Step::ResumeConnector
            | Step::RepointConnector
            | Step::RewriteOffset
            | Step::TrustSlot
            | Step::DistrustSlot
            | Step::CrashWorker
            | Step::RewindOffset
            | Step::StartWorker => self.apply_to_connector(cutover, hands).await,
            Step::LogTransactions
            | Step::CaptureGap
            | Step::CreateSideServer
            | Step::SlotOnSide
            | Step::OpenSide
            | Step::PointToSide
            | Step::DeliverGap
            | Step::DiscardSide => self.apply_to_side(cutover, hands).await,
            Step::DropSlot
            | Step::VerifySlot
            | Step::SlotOnStandby
            | Step::SyncSlot
            | Step::SetUpReplication
            | Step::CopySchema
            | Step::FilterOrigin
            | Step::Subscribe
            | Step::EndSubscription => self.apply_to_replication(cutover, hands).await,
            _ => self.apply_to_server(cutover, hands).await,
        }
    }

    async fn apply_to_connector<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::StopConnector => connector::stop(cutover).await,
            Step::StopBetween => hold::stop(cutover).await,
            Step::PauseConnector => connector::pause(cutover).await,
            Step::DeleteConnector => connector::delete(cutover).await,
            Step::DeleteOffsets => offset::delete(cutover).await,
            Step::DeployConnector {
                snapshot_mode,
                rename,
            } => connector::deploy(cutover, hands, (snapshot_mode.as_deref(), *rename)).await,
            Step::RestartConnector => connector::restart(cutover).await,
            Step::ResumeConnector => connector::predict_and_resume(cutover, hands).await,
            Step::RepointConnector => connector::repoint(cutover).await,
            Step::TrustSlot => connector::trust_slot(cutover),
            Step::DistrustSlot => connector::distrust_slot(cutover).await,
            Step::CrashWorker => worker::crash(cutover, hands).await,
            Step::RewindOffset => worker::rewind(cutover).await,
            Step::StartWorker => worker::start(cutover, hands).await,
            _ => offset::rewrite(cutover).await,
        }
    }

    async fn apply_to_side<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::LogTransactions => repair::log_transactions(cutover).await,
            Step::CaptureGap => repair::capture(cutover).await,
            Step::CreateSideServer => repair::create(cutover, hands).await,
            Step::SlotOnSide => repair::make_slot(cutover, hands).await,
            Step::OpenSide => repair::open(cutover, hands).await,
            Step::PointToSide => connector::point_to(cutover, Side::Beside).await,
            Step::DeliverGap => connector::predict_and_resume(cutover, hands).await,
            _ => repair::discard(cutover, hands).await,
        }
    }

    async fn apply_to_replication<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::DropSlot => replication::drop(cutover).await,
            Step::SlotOnStandby => standby::make_slot(cutover).await,
            Step::SyncSlot => standby::sync_slot(cutover).await,
            Step::SetUpReplication => replication::set_up(cutover).await,
            Step::CopySchema => logical::copy_schema(hands).await,
            Step::FilterOrigin => logical::filter_origin(cutover),
            Step::Subscribe => logical::subscribe(cutover).await,
            Step::EndSubscription => logical::end(cutover).await,
            _ => Ok("nothing changed".into()),
        }
    }

    async fn apply_to_server<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::Checkpoint => server::checkpoint(cutover).await,
            Step::QuietServer => cluster::quiet(cutover).await,
            Step::StopServer => server::stop(cutover, hands).await,
            Step::CrashServer => server::crash(cutover, hands).await,
            Step::SwapBinaries { version } => hands.swap_binaries(version).await,
            Step::StartServer { .. } => server::start_and_predict(cutover, hands).await,
            Step::CreateServer { version } => server::create(cutover, hands, version).await,
            Step::DumpDatabase => hands.dump_database().await,
            Step::RestoreDatabase => server::restore(cutover, hands).await,
            Step::PrepareCluster { version, transfer } => {
                hands.prepare_cluster(version, *transfer).await
            }
            Step::UpgradeCluster { transfer, .. } => {
                cluster::upgrade(cutover, hands, *transfer).await
            }
            Step::CreateStandby { feed } => standby::create(cutover, hands, *feed).await,
            // A baseline waits for these too; what it does not do is look again.
            Step::CatchUp => standby::catch_up(cutover).await,
            Step::AwaitSubscription => logical::await_applied(cutover).await,
            Step::Promote => standby::promote(cutover, hands).await,
            Step::BackUp => hands.back_up().await,
            Step::NotePointInTime => backup::note_time(cutover).await,
            Step::LoseArchive => backup::lose_archive(cutover).await,
            Step::RestoreBackup { target } => backup::restore(cutover, hands, *target).await,
            Step::OpenBaseBackup => backup::open_copy(cutover, hands).await,
            _ => Ok("nothing changed".into()),
        }
    }

    /// Waits until its post-condition is seen, and says what was seen.
    pub async fn prove<H: Hands>(
        &self,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<String, UpgradeError> {
        match self {
            Step::Preflight { version, way } => {
                preflight::prove(cutover, hands, (version, *way)).await
            }
            Step::CaptureState => cutover.before().map(|facts| facts.summary()),
            Step::RoundTrip => drain::round_trip(cutover).await,
            Step::FreezeWrites | Step::StopApplication => application::prove_frozen(cutover).await,
            Step::QuietServer => cluster::prove_quiet(cutover).await,
            Step::CreateServer { version } | Step::UpgradeCluster { version, .. } => {
                server::prove_started(cutover, Some(version)).await
            }
            Step::RestoreDatabase => server::prove_restored(cutover).await,
            Step::RepointConnector | Step::PointToSide => connector::prove_repointed(cutover).await,
            Step::CaptureGap => repair::prove_captured(cutover).await,
            Step::SlotOnSide => repair::prove_slot(cutover).await,
            Step::OpenSide => repair::prove_open(cutover).await,
            Step::DeliverGap => repair::prove_delivered(cutover).await,
            Step::SetUpReplication | Step::SlotOnStandby => {
                replication::prove_set_up(cutover).await
            }
            Step::SyncSlot | Step::SyncOffset => standby::prove_slot(cutover).await,
            Step::RewriteOffset => offset::prove(cutover).await,
            Step::DistrustSlot => connector::prove_distrusted(cutover).await,
            Step::RewindOffset => worker::prove_rewound(cutover).await,
            Step::DrainProof => drain::prove(cutover).await,
            Step::StopConnector | Step::StopBetween => boundary::stand_between(cutover).await,
            Step::NoteCut => hands.note_cut().await,
            Step::StopServer => server::prove_stopped(cutover).await,
            Step::SwapBinaries { .. } => Ok("left to start-server".into()),
            Step::StartServer { version } => {
                server::prove_started(cutover, version.as_deref()).await
            }
            Step::VerifySlot => replication::verify_slot(cutover).await,
            Step::ReleaseWrites => application::prove_released(cutover).await,
            Step::ResumeConnector
            | Step::DeployConnector { .. }
            | Step::RestartConnector
            | Step::StartWorker => connector::prove_running(cutover).await,
            Step::Promote => standby::prove_promoted(cutover).await,
            Step::RestoreBackup { .. } | Step::OpenBaseBackup => {
                server::prove_started(cutover, None).await
            }
            Step::EndSubscription => logical::prove_ended(cutover).await,
            Step::CatchUp => standby::catch_up(cutover).await,
            Step::AwaitSubscription => logical::await_applied(cutover).await,
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
            Step::FreezeWrites | Step::StopApplication => application::undo(cutover, hands).await,
            Step::QuietServer => cluster::unquiet(cutover).await,
            Step::StopConnector | Step::StopBetween => {
                connector::take_up_again(cutover, hands).await
            }
            Step::PauseConnector => connector::resume(cutover).await,
            Step::StopServer => server::start(cutover, hands).await,
            Step::SwapBinaries { .. } => server::swap_back(cutover, hands).await,
            Step::PrepareCluster { .. }
            | Step::UpgradeCluster { .. }
            | Step::CreateServer { .. }
            | Step::RestoreBackup { .. }
            | Step::OpenBaseBackup
            | Step::CreateStandby { .. } => server::discard(cutover, hands).await,
            Step::SlotOnStandby => standby::drop_guard(cutover).await,
            Step::CreateSideServer => repair::discard(cutover, hands).await,
            Step::PointToSide => repair::point_back(cutover).await,
            Step::DeliverGap => repair::stop_delivering(cutover).await,
            Step::Subscribe => logical::cancel(cutover).await,
            Step::RepointConnector => connector::take_config_back(cutover, hands).await,
            Step::RewriteOffset => offset::restore(cutover).await,
            Step::ResumeConnector => slot_copy::put_back(cutover).await,
            _ => Ok("nothing to take back".into()),
        }
    }
}
