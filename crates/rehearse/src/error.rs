//! What ends a rehearsal early.

use cutover_audit::AuditError;
use cutover_clients::connect::ConnectError;
use cutover_clients::kafka::KafkaError;
use cutover_clients::pg::PgError;
use cutover_clients::wait::WaitError;
use cutover_lab::LabError;
use cutover_ledger::LedgerError;
use cutover_model::{Classified, ExitCode, Permanence};
use cutover_record::RecordError;
use cutover_upgrade::UpgradeError;
use cutover_workload::WorkloadError;

/// Why a rehearsal did not come to a verdict of its own.
#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    /// No such scenario.
    #[error("there is no scenario '{name}'{}", did_you_mean(.nearest.as_deref()))]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
        /// The nearest of them.
        nearest: Option<String>,
    },
    /// A scenario file cannot be read.
    #[error("read the scenario file {path}")]
    ScenarioFile {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A scenario file is wrong.
    #[error("scenario {origin}: {reason}")]
    Scenario {
        /// File or name.
        origin: String,
        /// What is wrong, with line and suggestion.
        reason: String,
    },
    /// Another run holds the lock.
    #[error("another run holds the lock {path}{holder}")]
    Locked {
        /// The lock file.
        path: String,
        /// Who holds it, as far as known.
        holder: String,
    },
    /// A file of the run folder cannot be written.
    #[error("{what} {path}")]
    RunFolder {
        /// The action.
        what: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A server, the broker or the worker ended by itself.
    #[error("{service} ended in the middle of the run: {reason}")]
    ServiceDied {
        /// Which.
        service: String,
        /// Exit status and last log lines.
        reason: String,
    },
    /// The load did not get where the scenario wants it.
    #[error("{0}")]
    Load(String),
    /// The lab.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// The runbook.
    #[error(transparent)]
    Upgrade(#[from] UpgradeError),
    /// A recorder.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The load.
    #[error(transparent)]
    Workload(#[from] WorkloadError),
    /// The judge.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The run folder.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// PostgreSQL.
    #[error(transparent)]
    Pg(#[from] PgError),
    /// Kafka Connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

impl RehearseError {
    /// A wait that ran into its deadline, with the last state seen.
    pub fn waited(error: WaitError<RehearseError>) -> RehearseError {
        match error {
            WaitError::Failed(inner) => inner,
            WaitError::TimedOut { .. } => RehearseError::Load(error.to_string()),
        }
    }

    fn inner(&self) -> Option<&dyn Classified> {
        Some(match self {
            RehearseError::Lab(error) => error,
            RehearseError::Upgrade(error) => error,
            RehearseError::Record(error) => error,
            RehearseError::Workload(error) => error,
            RehearseError::Audit(error) => error,
            RehearseError::Ledger(error) => error,
            RehearseError::Pg(error) => error,
            RehearseError::Connect(error) => error,
            RehearseError::Kafka(error) => error,
            _ => return None,
        })
    }
}

impl Classified for RehearseError {
    fn permanence(&self) -> Permanence {
        self.inner()
            .map_or(Permanence::Definite, Classified::permanence)
    }

    fn exit_code(&self) -> ExitCode {
        if let Some(inner) = self.inner() {
            return inner.exit_code();
        }
        match self {
            RehearseError::UnknownScenario { .. }
            | RehearseError::ScenarioFile { .. }
            | RehearseError::Scenario { .. } => ExitCode::Usage,
            RehearseError::Locked { .. } => ExitCode::Locked,
            RehearseError::RunFolder { .. } => ExitCode::Refused,
            _ => ExitCode::Unknown,
        }
    }

    fn remedy(&self) -> Option<String> {
        if let Some(inner) = self.inner() {
            return inner.remedy();
        }
        Some(match self {
            RehearseError::UnknownScenario { known, .. } => {
                format!("known scenarios: {}", known.join(", "))
            }
            RehearseError::ScenarioFile { .. } => "check the path".into(),
            RehearseError::Scenario { .. } => {
                "compare with the shipped files under scenarios/".into()
            }
            RehearseError::Locked { .. } => {
                "wait for it, end it, or give this run another CUTOVER_STATE".into()
            }
            RehearseError::RunFolder { .. } => {
                "make room or choose another place with --runs".into()
            }
            _ => "read the logs in logs/ beside the scenario's folder".into(),
        })
    }

    fn code(&self) -> &'static str {
        if let Some(inner) = self.inner() {
            return inner.code();
        }
        match self {
            RehearseError::UnknownScenario { .. } => "REH-SCENARIO-001",
            RehearseError::ScenarioFile { .. } => "REH-SCENARIO-002",
            RehearseError::Scenario { .. } => "REH-SCENARIO-003",
            RehearseError::Locked { .. } => "REH-LOCK-001",
            RehearseError::RunFolder { .. } => "REH-FOLDER-001",
            RehearseError::ServiceDied { .. } => "REH-SERVICE-001",
            _ => "REH-LOAD-001",
        }
    }
}
