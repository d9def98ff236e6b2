//! What can go wrong while a plan runs, and whether trying again can help.

use cutover_audit::AuditError;
use cutover_clients::connect::ConnectError;
use cutover_clients::kafka::KafkaError;
use cutover_clients::pg::PgError;
use cutover_clients::pg::pending::Pending;
use cutover_clients::wait::WaitError;
use cutover_ledger::LedgerError;
use cutover_model::{Classified, ExitCode, Permanence};
use cutover_record::RecordError;

use crate::preflight;

/// Why a fact could not be read or a step not be done.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// PostgreSQL refused or could not be reached.
    #[error(transparent)]
    Pg(#[from] PgError),
    /// Kafka Connect refused or could not be reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// Kafka refused or could not be reached.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
    /// A post-condition did not show in time. Carries the last state that was seen.
    #[error("{what}: not seen within {seconds:.0} s; last state: {last}")]
    NotSeen {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: f64,
        /// The last state seen.
        last: String,
    },
    /// A post-condition is violated; waiting does not help.
    #[error("{0}")]
    Disproved(String),
    /// A precondition of the plan does not hold; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// Something is in the way of a second cluster; nothing was changed.
    #[error("the preflight refuses; nothing was changed\n{}", preflight::lines(.0))]
    Preflight(Vec<preflight::Finding>),
    /// Transactions that have written were not ended in time.
    #[error("after {seconds:.0} s these could still commit a change:\n{}", .pending.lines().join("\n"))]
    Pending {
        /// How long they were waited for.
        seconds: f64,
        /// Which.
        pending: Pending,
    },
    /// Some of what was wanted was made, and the rest could not be.
    #[error("after this was made, and stays: {}", made.join(", "))]
    Halfway {
        /// What.
        made: Vec<String>,
        /// Why no more.
        #[source]
        source: Box<UpgradeError>,
    },
    /// Whoever acts on the infrastructure failed.
    #[error("{what}: {reason}")]
    Hands {
        /// The action.
        what: String,
        /// Why it failed.
        reason: String,
    },
    /// The facts for a prediction are no facts.
    #[error("read the facts: {0}")]
    Facts(String),
    /// A version of Debezium that nothing is known about.
    #[error("Debezium '{version}' {reason}")]
    DebeziumVersion {
        /// As given.
        version: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A value that no version of Debezium knows.
    #[error("option {option}: no version of Debezium knows the value '{value}'{hint}")]
    OptionValue {
        /// The option.
        option: String,
        /// As given.
        value: String,
        /// `; did you mean 'x'?` or nothing.
        hint: String,
    },
    /// An offset can be changed while the connector is STOPPED only.
    #[error(
        "connector {connector} is {health}, and its offset can be changed only while it is STOPPED"
    )]
    NotStopped {
        /// Connector.
        connector: String,
        /// How it fares.
        health: cutover_model::connector::Health,
    },
    /// An offset would go back.
    #[error(
        "the stored offset has reached {reached}: set to {position} it would deliver again what lies \
            between, unless it \
         is of another server's log"
    )]
    WouldRepeat {
        /// What was wanted.
        position: cutover_model::Lsn,
        /// How far the stored offset has come.
        reached: cutover_model::Lsn,
    },
    /// An undo would throw away what was stored since.
    #[error(
        "connector {connector} has stored another offset since the change that {file} would take back"
    )]
    MovedOn {
        /// Connector.
        connector: String,
        /// The undo file.
        file: String,
    },
    /// A file with an offset from before a change.
    #[error("{what} the offset from before in {path}")]
    UndoFile {
        /// Reading or writing.
        what: &'static str,
        /// Its path.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A connector's file is none.
    #[error("read the connector's file: {0}")]
    Description(String),
    /// What happens depends on something that the facts do not hold.
    #[error("not predictable: {0}")]
    Unpredictable(String),
    /// The ledgers of a run.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Comparing the ledgers of a run.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Reading the topics of a run again.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A gap that is not touched.
    #[error("the gap is left as it is: {0}")]
    GapRefused(String),
    /// What a gap consists of cannot be found out.
    #[error("the gap is not known: {0}")]
    GapUnknown(String),
    /// No working folder in the run folder.
    #[error("make a working folder in {path}")]
    GapFolder {
        /// The run folder.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The journal cannot be written: without it nothing may be changed.
    #[error("write the journal {path}")]
    Journal {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl UpgradeError {
    /// An action of the infrastructure that failed.
    pub fn hands(what: impl Into<String>, reason: impl std::fmt::Display) -> UpgradeError {
        UpgradeError::Hands {
            what: what.into(),
            reason: reason.to_string(),
        }
    }
}

impl<E: std::error::Error + Into<UpgradeError> + 'static> From<WaitError<E>> for UpgradeError {
    fn from(error: WaitError<E>) -> UpgradeError {
        match error {
            WaitError::Failed(inner) => inner.into(),
            WaitError::TimedOut {
                what,
                seconds,
                last,
            } => UpgradeError::NotSeen {
                what,
                seconds,
                last,
            },
        }
    }
}

impl Classified for UpgradeError {
    fn permanence(&self) -> Permanence {
        match self {
            UpgradeError::Pg(error) => error.permanence(),
            UpgradeError::Connect(error) => error.permanence(),
            UpgradeError::Kafka(error) => error.permanence(),
            UpgradeError::Ledger(error) => error.permanence(),
            UpgradeError::Audit(error) => error.permanence(),
            UpgradeError::Record(error) => error.permanence(),
            UpgradeError::NotSeen { .. } => Permanence::Transient,
            UpgradeError::Halfway { source, .. } => source.permanence(),
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            UpgradeError::Pg(error) => error.exit_code(),
            UpgradeError::Connect(error) => error.exit_code(),
            UpgradeError::Kafka(error) => error.exit_code(),
            UpgradeError::Ledger(error) => error.exit_code(),
            UpgradeError::Audit(error) => error.exit_code(),
            UpgradeError::Record(error) => error.exit_code(),
            UpgradeError::Refused(_)
            | UpgradeError::Preflight(_)
            | UpgradeError::Pending { .. } => ExitCode::Refused,
            UpgradeError::NotStopped { .. }
            | UpgradeError::WouldRepeat { .. }
            | UpgradeError::MovedOn { .. }
            | UpgradeError::UndoFile { .. } => ExitCode::Refused,
            UpgradeError::Journal { .. }
            | UpgradeError::GapRefused(_)
            | UpgradeError::GapFolder { .. } => ExitCode::Refused,
            UpgradeError::Facts(_)
            | UpgradeError::Description(_)
            | UpgradeError::DebeziumVersion { .. }
            | UpgradeError::OptionValue { .. } => ExitCode::Usage,
            UpgradeError::Unpredictable(_) | UpgradeError::GapUnknown(_) => ExitCode::Unknown,
            UpgradeError::Halfway { source, .. } => match source.exit_code() {
                // That would say that nothing was changed.
                ExitCode::Refused => ExitCode::Unknown,
                other => other,
            },
            UpgradeError::NotSeen { .. }
            | UpgradeError::Disproved(_)
            | UpgradeError::Hands { .. } => ExitCode::Unknown,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            UpgradeError::Pg(error) => error.remedy(),
            UpgradeError::Connect(error) => error.remedy(),
            UpgradeError::Kafka(error) => error.remedy(),
            UpgradeError::Ledger(error) => error.remedy(),
            UpgradeError::Audit(error) => error.remedy(),
            UpgradeError::Record(error) => error.remedy(),
            UpgradeError::NotSeen { .. } | UpgradeError::Disproved(_) => Some(
                "read journal.jsonl in the run folder and logs/connect.log beside it; what was undone is at \
                 the end of the journal"
                    .into(),
            ),
            UpgradeError::Refused(_) => None,
            UpgradeError::Preflight(_) => Some(
                "mend what refuses, then run the plan again; what warns need not be mended".into(),
            ),
            UpgradeError::Pending { pending, .. } => Some(format!(
                "{}; then run the plan again",
                pending.remedies().join("; ")
            )),
            UpgradeError::Halfway { source, .. } => source.remedy(),
            UpgradeError::GapRefused(_) | UpgradeError::GapUnknown(_) => {
                Some("record the stream again and close the gap of that run".into())
            }
            UpgradeError::GapFolder { .. } => {
                Some("give this user the right to write into the run folder, or work on a copy of it".into())
            }
            UpgradeError::Facts(_) => Some("the form of the facts is in docs/schema/facts-1.schema.json".into()),
            UpgradeError::NotStopped { connector, .. } => Some(format!("cutover connector stop {connector}")),
            UpgradeError::WouldRepeat { .. } => Some(
                "leave the offset as it is: the slot holds what comes after it; if it is of another server's log, name \
                 --may-repeat".into(),
            ),
            UpgradeError::MovedOn { .. } => Some(
                "what was delivered since would be delivered again; if that is meant, name --discard-newer".into(),
            ),
            UpgradeError::UndoFile { .. } => {
                Some("choose a folder that can be written with --undo-folder, or name a file that an \
                    earlier change wrote".into())
            }
            UpgradeError::Description(_) => {
                Some("give the JSON that Connect takes: {\"name\": …, \"config\": {…}} or the options alone".into())
            }
            UpgradeError::DebeziumVersion { .. } => Some(format!(
                "give a release from {} in full, such as 3.6.3",
                crate::predict::versions::known_range()
            )),
            UpgradeError::OptionValue { .. } => Some("correct the value; `cutover lint` names the allowed ones".into()),
            UpgradeError::Unpredictable(_) => Some("rehearse this start instead: `cutover rehearse`".into()),
            UpgradeError::Hands { .. } => Some("read the service's log in logs/ beside the scenario's folder".into()),
            UpgradeError::Journal { .. } => Some("make room, or choose another run folder".into()),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            UpgradeError::Pg(error) => error.code(),
            UpgradeError::Connect(error) => error.code(),
            UpgradeError::Kafka(error) => error.code(),
            UpgradeError::Ledger(error) => error.code(),
            UpgradeError::Audit(error) => error.code(),
            UpgradeError::Record(error) => error.code(),
            UpgradeError::NotSeen { .. } => "CUT-WAIT-001",
            UpgradeError::Disproved(_) => "CUT-PROOF-001",
            UpgradeError::Refused(_) => "CUT-REFUSED-001",
            UpgradeError::Preflight(_) => "CUT-PREFLIGHT-001",
            UpgradeError::Pending { .. } => "CUT-PENDING-001",
            UpgradeError::Halfway { .. } => "CUT-SETUP-001",
            UpgradeError::Hands { .. } => "CUT-HANDS-001",
            UpgradeError::Facts(_) => "CUT-FACTS-001",
            UpgradeError::Description(_) => "CUT-CONNECTOR-001",
            UpgradeError::NotStopped { .. } => "CUT-OFFSET-001",
            UpgradeError::WouldRepeat { .. } => "CUT-OFFSET-004",
            UpgradeError::MovedOn { .. } => "CUT-OFFSET-002",
            UpgradeError::UndoFile { .. } => "CUT-OFFSET-003",
            UpgradeError::DebeziumVersion { .. } => "CUT-DEBEZIUM-001",
            UpgradeError::OptionValue { .. } => "CUT-OPTION-001",
            UpgradeError::Unpredictable(_) => "CUT-PREDICT-001",
            UpgradeError::GapRefused(_) => "CUT-GAP-001",
            UpgradeError::GapUnknown(_) => "CUT-GAP-002",
            UpgradeError::GapFolder { .. } => "CUT-GAP-003",
            UpgradeError::Journal { .. } => "CUT-JOURNAL-001",
        }
    }
}
