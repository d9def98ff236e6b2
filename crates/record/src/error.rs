//! What can go wrong while recording.

use cutover_clients::kafka::KafkaError;
use cutover_clients::pg::PgError;
use cutover_clients::registry::RegistryError;
use cutover_ledger::LedgerError;
use cutover_model::{Classified, ExitCode, Permanence};

/// An error of a recorder. Errors of the parts underneath pass through with their own classification.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// PostgreSQL.
    #[error(transparent)]
    Pg(#[from] PgError),
    /// Kafka. Boxed, since it is much larger than the others.
    #[error(transparent)]
    Kafka(Box<KafkaError>),
    /// The schema registry.
    #[error("fetch the schema of record {place}")]
    Registry {
        /// `topic/partition/offset` of the record whose schema is missing.
        place: String,
        /// Why.
        source: Box<RegistryError>,
    },
    /// The ledger files.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A table is not as it was described, or a record does not fit its table.
    #[error("{0}")]
    Shape(String),
    /// The witness met something that it must not pass over.
    #[error("witness: {0}")]
    Witness(String),
    /// A table that was to be compared is on neither side.
    #[error("neither side has a table '{0}'")]
    NoTable(String),
    /// Rows that differ could not be kept until they are shown.
    #[error("keeping the rows that differ")]
    Differences {
        /// Why.
        source: std::io::Error,
    },
    /// A recorder thread ended without an answer.
    #[error("recorder thread: {0}")]
    Thread(String),
    /// A recorder thread could not be started.
    #[error("start a recorder thread")]
    NoThread(#[source] std::io::Error),
}

impl From<KafkaError> for RecordError {
    fn from(error: KafkaError) -> RecordError {
        RecordError::Kafka(Box::new(error))
    }
}

impl Classified for RecordError {
    fn permanence(&self) -> Permanence {
        match self {
            RecordError::Pg(error) => error.permanence(),
            RecordError::Kafka(error) => error.permanence(),
            RecordError::Registry { source, .. } => source.permanence(),
            RecordError::Ledger(error) => error.permanence(),
            RecordError::Shape(_)
            | RecordError::Witness(_)
            | RecordError::NoTable(_)
            | RecordError::Differences { .. }
            | RecordError::Thread(_)
            | RecordError::NoThread(_) => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            RecordError::Pg(error) => error.exit_code(),
            RecordError::Kafka(error) => error.exit_code(),
            RecordError::Registry { source, .. } => source.exit_code(),
            RecordError::Ledger(error) => error.exit_code(),
            RecordError::Shape(_) | RecordError::Witness(_) => ExitCode::Unknown,
            RecordError::NoTable(_) => ExitCode::Usage,
            RecordError::Differences { .. } | RecordError::NoThread(_) => ExitCode::Refused,
            RecordError::Thread(_) => ExitCode::Internal,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            RecordError::Pg(error) => error.remedy(),
            RecordError::Kafka(error) => error.remedy(),
            RecordError::Registry { source, .. } => source.remedy(),
            RecordError::Ledger(error) => error.remedy(),
            RecordError::Shape(_) => Some(
                "record again from a fresh run folder; tables must not change shape while recording"
                    .to_owned(),
            ),
            RecordError::Witness(_) => {
                Some("record again from a fresh run folder with a fresh witness slot".to_owned())
            }
            RecordError::NoTable(_) => Some(
                "give tables as schema.name, exactly as PostgreSQL stores the two names".to_owned(),
            ),
            RecordError::Differences { .. } => {
                Some("make room in the folder that TMPDIR names".to_owned())
            }
            RecordError::NoThread(_) => Some(
                "end processes that are not needed, or raise the limit (ulimit -u)".to_owned(),
            ),
            RecordError::Thread(_) => {
                Some("record again; if it comes back, report it as a defect of cutover".to_owned())
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            RecordError::Pg(error) => error.code(),
            RecordError::Kafka(error) => error.code(),
            RecordError::Registry { source, .. } => source.code(),
            RecordError::Ledger(error) => error.code(),
            RecordError::Shape(_) => "RECORD-SHAPE-001",
            RecordError::Witness(_) => "RECORD-WITNESS-001",
            RecordError::NoTable(_) => "RECORD-COMPARE-001",
            RecordError::Differences { .. } => "RECORD-COMPARE-002",
            RecordError::Thread(_) => "RECORD-THREAD-001",
            RecordError::NoThread(_) => "RECORD-THREAD-002",
        }
    }
}
