//! What steps are called, in plans, journals and runbooks: name, title, proof, undo.

use super::{Feed, RestoreTarget, Step, Transfer};

impl Step {
    /// Stable name, as in plans and journals.
    pub fn name(&self) -> &'static str {
        match self {
            Step::Preflight { .. } => "preflight",
            Step::CaptureState => "capture-state",
            Step::RoundTrip => "round-trip",
            Step::FreezeWrites => "freeze-writes",
            Step::DrainProof => "drain-proof",
            Step::AwaitDelivery => "await-delivery",
            Step::QuietServer => "quiet-server",
            Step::LetConnectorStop => "let-connector-stop",
            Step::Checkpoint => "checkpoint",
            Step::StopConnector => "stop-connector",
            Step::StopBetween => "stop-between",
            Step::PauseConnector => "pause-connector",
            Step::DeleteConnector => "delete-connector",
            Step::DeleteOffsets => "delete-offsets",
            Step::DeployConnector { .. } => "deploy-connector",
            Step::RestartConnector => "restart-connector",
            Step::StopApplication => "stop-application",
            Step::LetTimePass => "let-time-pass",
            Step::Wait { .. } => "wait",
            Step::DropSlot => "drop-slot",
            Step::NoteCut => "note-cut",
            Step::StopServer => "stop-server",
            Step::CrashServer => "crash-server",
            Step::SwapBinaries { .. } => "swap-binaries",
            Step::StartServer { .. } => "start-server",
            Step::VerifySlot => "verify-slot",
            Step::ReleaseWrites => "release-writes",
            Step::ResumeConnector => "resume-connector",
            Step::CrashWorker => "crash-worker",
            Step::RewindOffset => "rewind-offset",
            Step::StartWorker => "start-worker",
            _ => self.name_of_new_server(),
        }
    }

    /// Names of the steps that make the new server and move the stream to it.
    fn name_of_new_server(&self) -> &'static str {
        match self {
            Step::CreateServer { .. } => "create-server",
            Step::DumpDatabase => "dump-database",
            Step::RestoreDatabase => "restore-database",
            Step::PrepareCluster { .. } => "prepare-cluster",
            Step::UpgradeCluster { .. } => "upgrade-cluster",
            Step::CreateStandby { .. } => "create-standby",
            Step::SlotOnStandby => "slot-on-standby",
            Step::SyncOffset => "sync-offset",
            Step::SyncSlot => "sync-slot",
            Step::CopySchema => "copy-schema",
            Step::FilterOrigin => "filter-origin",
            Step::TrustSlot => "trust-slot",
            Step::DistrustSlot => "distrust-slot",
            Step::CatchUp => "catch-up",
            Step::Promote => "promote",
            Step::BackUp => "back-up",
            Step::NotePointInTime => "note-point-in-time",
            Step::LoseArchive => "lose-archive",
            Step::RestoreBackup { .. } => "restore-backup",
            Step::OpenBaseBackup => "open-base-backup",
            Step::LogTransactions => "log-transactions",
            Step::CaptureGap => "capture-gap",
            Step::CreateSideServer => "create-side-server",
            Step::SlotOnSide => "slot-on-side",
            Step::OpenSide => "open-side",
            Step::PointToSide => "point-to-side",
            Step::DeliverGap => "deliver-gap",
            Step::DiscardSide => "discard-side",
            Step::Subscribe => "subscribe",
            Step::AwaitSubscription => "await-subscription",
            Step::EndSubscription => "end-subscription",
            Step::SetUpReplication => "set-up-replication",
            Step::RepointConnector => "repoint-connector",
            Step::RewriteOffset => "rewrite-offset",
            Step::StartApplication => "start-application",
            _ => "return-to-old",
        }
    }

    /// What it does, one line.
    pub fn title(&self) -> String {
        let text = match self {
            Step::Preflight { .. } => "look for what is in the way of a second cluster",
            Step::CaptureState => "note server, slot, stored offset and publication",
            Step::RoundTrip => "send a marker through the whole stream",
            Step::Checkpoint => "write a checkpoint, so that the one to wait for later is short",
            Step::FreezeWrites => "refuse writes and end the writers' sessions",
            Step::DrainProof => "prove that the connector has delivered everything",
            Step::AwaitDelivery => "look until the slot has confirmed the end of the log",
            Step::LetConnectorStop => "wait until the connector is STOPPED",
            Step::QuietServer => {
                "keep autovacuum and the writers out (pg_upgrade takes their transactions for not consumed)"
            }
            Step::StopConnector => {
                "stop the connector (not pause: a paused one blocks the server's shutdown)"
            }
            Step::StopBetween => {
                "hold the published tables against writes for a moment and stop the connector there"
            }
            Step::PauseConnector => "pause the connector",
            Step::DeleteConnector => "delete the connector (Connect keeps its offset)",
            Step::DeleteOffsets => "delete the connector's stored offset",
            Step::DeployConnector {
                snapshot_mode,
                rename,
            } => return deploy_title(snapshot_mode.as_deref(), *rename),
            Step::RestartConnector => "restart the connector's failed task",
            Step::StopApplication => "stop the application",
            Step::LetTimePass => "the application works on meanwhile",
            Step::Wait { seconds } => return format!("wait {seconds} seconds"),
            Step::DropSlot => "drop the connector's slot",
            Step::NoteCut => "note the topics' end offsets",
            Step::StopServer => "stop PostgreSQL (fast)",
            Step::CrashServer => "PostgreSQL crashes (immediate shutdown)",
            Step::SwapBinaries { version } => return format!("put PostgreSQL {version} in place"),
            Step::StartServer { .. } => "start PostgreSQL",
            Step::VerifySlot => "look whether slot and incarnation are what they were",
            Step::ReleaseWrites => "allow writes again",
            Step::ResumeConnector => "resume the connector",
            Step::CrashWorker => "Kafka Connect's worker ends, nobody has drained anything",
            Step::RewindOffset => "move the stored offset back behind the last COMMIT",
            Step::StartWorker => "start the worker",
            _ => return self.title_of_new_server(),
        };
        text.to_owned()
    }

    fn title_of_new_server(&self) -> String {
        let text = match self {
            Step::CreateServer { version } => return format!("make an empty PostgreSQL {version}"),
            Step::DumpDatabase => "dump the database (pg_dump -Fc)",
            Step::RestoreDatabase => "restore it into the new server (pg_restore)",
            Step::PrepareCluster { version, .. } => {
                return format!("make an empty cluster {version} and run pg_upgrade --check");
            }
            Step::UpgradeCluster { version, transfer } => {
                let mode = match transfer {
                    Transfer::Copy => "copy",
                    Transfer::Link => "link",
                    Transfer::Clone => "clone",
                };
                return format!("run pg_upgrade --{mode} and start PostgreSQL {version}");
            }
            Step::CreateStandby { feed: Feed::Stream } => "make a standby that streams",
            Step::CreateStandby {
                feed: Feed::Archive,
            } => "restore the backup as a standby that follows the archive",
            Step::SlotOnStandby => "make the connector's slot on the standby, before its promotion",
            Step::SyncOffset => {
                "let the connector pass the position that the standby's slot begins at"
            }
            Step::CopySchema => "make the tables on the new server",
            Step::FilterOrigin => "ask for native changes only (slot.stream.params=origin=none)",
            Step::TrustSlot => {
                "let one start go on at the slot (offset.mismatch.strategy=trust_slot)"
            }
            Step::DistrustSlot => "take offset.mismatch.strategy=trust_slot out again",
            Step::SyncSlot => "wait for the standby's copy of the failover slot",
            Step::CatchUp => "wait until the standby has replayed everything",
            Step::Promote => "promote the standby",
            Step::BackUp => "take a backup",
            Step::NotePointInTime => "note the moment to go back to",
            Step::LoseArchive => "the archive gets nothing more (the last log file will be lost)",
            Step::RestoreBackup { target } => match target {
                RestoreTarget::Latest => "restore the backup, replay to the end of the archive",
                RestoreTarget::Immediate => "restore the backup, stop as soon as it is consistent",
                RestoreTarget::Time => "restore the backup, replay to the noted moment",
            },
            Step::OpenBaseBackup => {
                "copy the server (pg_basebackup) and open the copy as a primary"
            }
            Step::LogTransactions => {
                "let the log have lists of running transactions (it gets one every 15 s by itself)"
            }
            Step::CaptureGap => "note what is missing: from the stored offset to the late slot",
            Step::CreateSideServer => {
                "restore the backup beside both servers, its log through a gate, to end at the late slot"
            }
            Step::SlotOnSide => "make the slot there, opening the gate file by file",
            Step::OpenSide => "let the side server replay what is missing and open",
            Step::PointToSide => "point the connector to the side server",
            Step::DeliverGap => "resume the connector there, with the old offset",
            Step::DiscardSide => "remove the side server",
            Step::Subscribe => "let the new server copy the tables and follow (subscription)",
            Step::AwaitSubscription => "wait until the new server has applied everything",
            Step::EndSubscription => "end the subscription, let sequences go on",
            Step::SetUpReplication => "make slot, publication and replica identity again",
            Step::RepointConnector => "point the connector to the new server",
            Step::RewriteOffset => "rewrite the stored offset to the new slot's position",
            Step::StartApplication => "start the application on the new server",
            _ => "go back to the old server",
        };
        text.to_owned()
    }

    /// What must be seen before the next step may run.
    pub fn proof(&self) -> Option<&'static str> {
        match self {
            Step::Preflight { .. } => Some(
                "room, programs, extensions, collations, settings, prepared transactions: nothing is in the way",
            ),
            Step::CaptureState => Some("every fact could be read"),
            Step::FreezeWrites | Step::StopApplication => Some(
                "new sessions are read-only; no client transaction has written, none is prepared",
            ),
            Step::QuietServer => Some(
                "no autovacuum worker and no session of the writers is there, and none can start",
            ),
            Step::SetUpReplication | Step::SlotOnStandby => {
                Some("the slot is there, nobody reads it, it is not lost")
            }
            Step::SyncSlot | Step::SyncOffset => {
                Some("the standby's slot is there, not lost, and at or before the stored offset")
            }
            Step::CatchUp => Some("the standby has replayed the end of the old server's log"),
            Step::AwaitSubscription => {
                Some("the new server has applied the end of the old server's log")
            }
            Step::CaptureGap => Some(
                "one log leads from the stored offset to the late slot; the slot is not lost and nobody reads it",
            ),
            Step::SlotOnSide => Some("the slot is not lost and at or before the stored offset"),
            Step::OpenSide => Some(
                "out of recovery; it left the new server's log where the late slot begins; its slot is not lost",
            ),
            Step::DeliverGap => Some(
                "a marker behind everything that was missing is in Kafka; stored offset and slot have reached it",
            ),
            Step::RestoreDatabase | Step::EndSubscription => {
                Some("every captured table has as many rows as the old one; no sequence is behind")
            }
            Step::NoteCut => Some("looks at the end offsets agree, before and after"),
            Step::StopServer => {
                Some("it ended without being forced; nobody answers there any more")
            }
            Step::SwapBinaries { .. } => Some("start-server sees the version that answers"),
            Step::StartServer { .. } | Step::CreateServer { .. } | Step::UpgradeCluster { .. } => {
                Some("the server answers and is the planned version")
            }
            Step::Promote => Some(
                "out of recovery; the timelines part behind everything delivered; the slot is not lost",
            ),
            Step::RestoreBackup { .. } | Step::OpenBaseBackup => Some("the server answers"),
            Step::VerifySlot => Some(
                "same incarnation; the slot is there and not lost; the stored offset is not behind \
                 the drain marker, not ahead of the server, not before the slot's start",
            ),
            Step::ReleaseWrites => Some("new sessions may write"),
            _ => self.proof_of_stream(),
        }
    }

    /// The same of the steps that act on the connector and its offset.
    fn proof_of_stream(&self) -> Option<&'static str> {
        match self {
            Step::RoundTrip => Some(
                "the marker is in Kafka; unless writes are refused, the stored offset and the slot's \
                 confirmed_flush_lsn have reached it",
            ),
            Step::DrainProof => Some(
                "the marker is in Kafka, the stored offset and the slot's confirmed_flush_lsn \
                 have reached it",
            ),
            Step::StopConnector | Step::StopBetween => Some(
                "state STOPPED, no task, the slot has no reader; no events share the position of the stored offset",
            ),
            Step::RewriteOffset => Some(
                "Connect shows the new position; it is the slot's; the server's log has reached it",
            ),
            Step::RewindOffset => Some("Connect's topic holds a position at which no event stands"),
            Step::RepointConnector | Step::PointToSide => Some("Connect shows the new port"),
            Step::DistrustSlot => Some("Connect does not show the option any more"),
            Step::ResumeConnector
            | Step::DeployConnector { .. }
            | Step::RestartConnector
            | Step::StartWorker => Some("connector and task RUNNING, the slot has a reader"),
            _ => None,
        }
    }

    /// Whether writers are refused from this step on (`false`: no more); `None` if it changes nothing of that.
    pub(super) fn refuses_writes(&self) -> Option<bool> {
        match self {
            Step::FreezeWrites | Step::StopApplication | Step::StopServer | Step::CrashServer => {
                Some(true)
            }
            Step::ReleaseWrites | Step::StartApplication | Step::ReturnToOld => Some(false),
            _ => None,
        }
    }

    /// How it is taken back; `None` if it changes nothing.
    pub fn undo_title(&self) -> Option<&'static str> {
        match self {
            Step::FreezeWrites | Step::StopApplication => Some("allow writes again"),
            Step::QuietServer => Some("put autovacuum's setting back and let the writers in"),
            Step::StopConnector | Step::StopBetween | Step::PauseConnector => {
                Some("resume the connector")
            }
            Step::StopServer => Some("start the server"),
            Step::SwapBinaries { .. } => Some("put the old programs back"),
            Step::PrepareCluster { .. } => Some("remove the new cluster"),
            Step::UpgradeCluster {
                transfer: Transfer::Copy | Transfer::Clone,
                ..
            } => Some("stop the new server; the old cluster is as it was"),
            Step::CreateStandby { .. } => Some("remove the standby"),
            Step::CreateServer { .. } | Step::RestoreBackup { .. } | Step::OpenBaseBackup => {
                Some("remove the new server")
            }
            Step::SlotOnStandby => Some("drop its guard on the old server"),
            Step::Subscribe => Some("drop the subscription and its slot"),
            Step::RepointConnector => Some("write the old connector configuration back"),
            Step::RewriteOffset => Some("write the old offset back"),
            Step::ResumeConnector => {
                Some("Debezium 2.1 to 2.4, which move the slot: put its copy in its place")
            }
            Step::CreateSideServer => Some("remove the side server"),
            Step::PointToSide => Some("stop the connector and point it to the new server"),
            Step::DeliverGap => Some("stop the connector, its offset at most at the late slot"),
            _ => None,
        }
    }

    /// After this step nothing is taken back by itself: writers are active on what is in place now, or what was
    /// there before is gone.
    pub fn point_of_no_return(&self) -> bool {
        matches!(
            self,
            Step::ReleaseWrites
                | Step::StartApplication
                | Step::DiscardSide
                | Step::Promote
                | Step::UpgradeCluster {
                    transfer: Transfer::Link,
                    ..
                }
        )
    }
}

fn deploy_title(snapshot_mode: Option<&str>, rename: bool) -> String {
    let name = if rename {
        "deploy the connector under another name"
    } else {
        "deploy the connector again under the same name"
    };
    match snapshot_mode {
        Some(mode) => format!("{name}, snapshot.mode={mode}"),
        None => name.to_owned(),
    }
}
