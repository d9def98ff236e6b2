//! A stream that cutover did not start, recorded into a run folder: the same files as those of a rehearsal, so that
//! judging, reports and `cutover verify RUN` need not know the difference.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_clients::kafka::Isolation;
use cutover_ledger::{read_evidence, write_manifest};
use cutover_model::result::Stack;
use cutover_model::run_folder::{RUN_FORMAT, RunManifest, RunStatus};
use cutover_model::{EventKind, EventSink, ExitCode, ProofLevel, RunFolder, Verdict};
use cutover_upgrade::UpgradeError;
use cutover_upgrade::observe::{
    Observed, Subject, record_states, record_window, remove_slot, slot_name,
};

use crate::error::RehearseError;
use crate::event_log::{Display, EventLog, show};
use crate::runner::{Interrupt, interrupted, make_run_root};

/// What to record, and where to.
pub struct Request<'a> {
    /// The stream.
    pub subject: &'a Subject,
    /// A slot of our own is consented to, for so long.
    pub witness: Option<Duration>,
    /// Folder of run folders.
    pub runs: &'a Path,
    /// The command that does the same again.
    pub repeat: String,
    /// Shows events.
    pub display: Display,
}

/// A recording.
#[derive(Debug)]
pub struct Recorded {
    /// Folder of the whole run; each part has its own inside.
    pub root: PathBuf,
    /// The user ended it before it was whole.
    pub signal: Option<ExitCode>,
}

/// What is recorded of a stream, each in a folder of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Topics and tables.
    States,
    /// What a witness sees meanwhile.
    Window,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::States => "states",
            Part::Window => "window",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Part::States => "what the topics come to, beside the tables",
            Part::Window => "each change of a while, beside a witness",
        }
    }

    fn level(self) -> ProofLevel {
        match self {
            Part::States => ProofLevel::P1,
            Part::Window => ProofLevel::P3,
        }
    }
}

/// Records. Nothing is left of it but the run folder.
///
/// # Errors
/// A system cannot be reached or refuses; the run folder says so too, if anything was recorded.
pub async fn record(
    request: &Request<'_>,
    interrupt: &mut Interrupt,
) -> Result<Recorded, RehearseError> {
    let root = make_run_root(request.runs)?;
    let recorded = parts(request, &root, interrupt).await;
    match recorded {
        Ok(signal) => Ok(Recorded { root, signal }),
        Err(error) => {
            let whole = [Part::States, Part::Window]
                .iter()
                .any(|part| read_evidence(&RunFolder::at(root.join(part.name()))).is_ok());
            if !whole {
                // Nothing was recorded: the error says everything. What cannot be removed does no harm.
                let _ = std::fs::remove_dir_all(&root);
            }
            Err(error)
        }
    }
}

async fn parts(
    request: &Request<'_>,
    root: &Path,
    interrupt: &mut Interrupt,
) -> Result<Option<ExitCode>, RehearseError> {
    if let Some(length) = request.witness {
        let slot = slot_name();
        let window = async |folder: &RunFolder, events: &EventSink| {
            record_window(request.subject, (&slot, length), folder, events).await
        };
        let recorded = part(request, (Part::Window, root), interrupt, window).await;
        let removed = remove_slot(request.subject, &slot).await;
        if let Err(error) = &removed {
            // Told whatever else failed: as long as it is there it keeps the server's log.
            let text = format!(
                "slot {slot} may still be there ({error}); it goes with its session: SELECT \
                 pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{slot}'"
            );
            show(&request.display, EventKind::Warning { text });
        }
        let signal = recorded?;
        removed?;
        if signal.is_some() {
            return Ok(signal);
        }
    }
    let states = async |folder: &RunFolder, events: &EventSink| {
        record_states(request.subject, folder, events).await
    };
    part(request, (Part::States, root), interrupt, states).await
}

async fn part(
    request: &Request<'_>,
    (part, root): (Part, &Path),
    interrupt: &mut Interrupt,
    recording: impl AsyncFnOnce(&RunFolder, &EventSink) -> Result<Observed, UpgradeError>,
) -> Result<Option<ExitCode>, RehearseError> {
    let folder = RunFolder::at(root.join(part.name()));
    std::fs::create_dir_all(folder.ledgers()).map_err(|source| RehearseError::RunFolder {
        what: "create",
        path: folder.ledgers().display().to_string(),
        source,
    })?;
    let log = EventLog::create(&folder.events(), part.name(), request.display.clone())?;
    let mut manifest = manifest(request, part);
    write_manifest(&folder, &manifest)?;
    log.phase("record");
    let events = log.sink();
    let ended = tokio::select! {
        ended = recording(&folder, &events) => Ok(ended),
        code = interrupted(interrupt) => Err(code),
    };
    manifest.phases = log.take_phases();
    manifest.ended = Some(now());
    let (status, word) = match &ended {
        Ok(Ok(observed)) => {
            describe(&mut manifest, request, part, observed);
            (RunStatus::Finished, "finished")
        }
        Ok(Err(error)) => {
            manifest.cause = Some(error.to_string());
            (RunStatus::Failed, "failed")
        }
        Err(_) => (RunStatus::Interrupted, "interrupted"),
    };
    manifest.status = status;
    events.emit(EventKind::ScenarioEnded {
        status: word.into(),
    });
    write_manifest(&folder, &manifest)?;
    match ended {
        Ok(Ok(_)) => Ok(None),
        Ok(Err(error)) => Err(error.into()),
        Err(code) => Ok(Some(code)),
    }
}

fn manifest(request: &Request<'_>, part: Part) -> RunManifest {
    RunManifest {
        format: RUN_FORMAT.into(),
        cutover: env!("CARGO_PKG_VERSION").into(),
        scenario: part.name().into(),
        title: format!("a stream that was there before: {}", part.title()),
        expected: Verdict::Pass,
        expected_proof_level: part.level(),
        expected_findings: Vec::new(),
        expected_consequences: Vec::new(),
        lesson: None,
        started: now(),
        ended: None,
        status: RunStatus::Running,
        cause: None,
        seed: 0,
        refused_write_seconds: 0.0,
        server_restart_seconds: 0.0,
        stack: Stack::default(),
        phases: Vec::new(),
        runbook: None,
        prediction: None,
        connector_refused: None,
        machine: Some(crate::machine::describe()),
        repeat: Some(request.repeat.clone()),
    }
}

fn describe(manifest: &mut RunManifest, request: &Request<'_>, part: Part, observed: &Observed) {
    let seen = match request.subject.kafka.isolation() {
        Isolation::ReadCommitted => String::new(),
        other => format!(", as a reader with {} sees it", other.word()),
    };
    manifest.title = format!("connector {}: {}{seen}", observed.connector, part.title());
    manifest.stack = Stack {
        postgres_old: observed.server.version.clone(),
        postgres_new: observed.server.version.clone(),
        kafka: observed.kafka.clone(),
        debezium: observed.debezium.clone(),
    };
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
