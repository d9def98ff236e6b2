//! What ends a measurement.

use cutover_audit::AuditError;
use cutover_clients::pg::PgError;
use cutover_ledger::LedgerError;
use cutover_model::{Classified, ExitCode, Permanence};
use cutover_record::RecordError;

/// Errors of a measurement.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The working folder cannot be made or looked at.
    #[error("cannot {action} {path}")]
    Folder {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A ledger could not be written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The audit ended with an error.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The recorder ended with an error.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The server did not do what was asked.
    #[error(transparent)]
    Pg(#[from] PgError),
    /// The broker did not do what was asked.
    #[error("Kafka")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// A program to compare with cannot be used here.
    #[error("{0}")]
    Tool(String),
    /// The page that is to be opened.
    #[error("cannot open {path}")]
    Page {
        /// Where.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What was measured is not what should have been: the figure would mean nothing.
    #[error("the measurement is void: {0}")]
    Void(String),
}

impl Classified for BenchError {
    fn permanence(&self) -> Permanence {
        match self {
            BenchError::Ledger(error) => error.permanence(),
            BenchError::Audit(error) => error.permanence(),
            BenchError::Record(error) => error.permanence(),
            BenchError::Pg(error) => error.permanence(),
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            BenchError::Ledger(error) => error.exit_code(),
            BenchError::Audit(error) => error.exit_code(),
            BenchError::Record(error) => error.exit_code(),
            BenchError::Pg(error) => error.exit_code(),
            BenchError::Kafka(_) => ExitCode::Unreachable,
            BenchError::Folder { .. } => ExitCode::Refused,
            BenchError::Tool(_) => ExitCode::Refused,
            BenchError::Page { .. } => ExitCode::Usage,
            BenchError::Void(_) => ExitCode::Unknown,
        }
    }

    fn remedy(&self) -> Option<String> {
        match self {
            BenchError::Ledger(error) => error.remedy(),
            BenchError::Audit(error) => error.remedy(),
            BenchError::Record(error) => error.remedy(),
            BenchError::Pg(error) => error.remedy(),
            BenchError::Kafka(_) => Some("check the address given with --kafka".to_owned()),
            BenchError::Folder { .. } => Some("name another folder with --folder".to_owned()),
            BenchError::Tool(_) => Some(
                "install or mend the program that is named, or give the address as it wants it"
                    .to_owned(),
            ),
            BenchError::Page { .. } => {
                Some("name the report.html of a run, or another HTML file".to_owned())
            }
            BenchError::Void(_) => {
                Some("measure again with nothing else running; no figure is printed".to_owned())
            }
        }
    }

    fn code(&self) -> &'static str {
        match self {
            BenchError::Ledger(error) => error.code(),
            BenchError::Audit(error) => error.code(),
            BenchError::Record(error) => error.code(),
            BenchError::Pg(error) => error.code(),
            BenchError::Kafka(_) => "BENCH-KAFKA-001",
            BenchError::Folder { .. } => "BENCH-FOLDER-001",
            BenchError::Tool(_) => "BENCH-TOOL-001",
            BenchError::Page { .. } => "BENCH-PAGE-001",
            BenchError::Void(_) => "BENCH-VOID-001",
        }
    }
}
