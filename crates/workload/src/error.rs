//! What can end a load. A refused or lost transaction is no error: writers go on trying, and the
//! ledger says what became of each.

use cutover_clients::pg::PgError;
use cutover_ledger::LedgerError;
use cutover_model::{Classified, ExitCode, Permanence};

/// Why the load ended by itself, or could not end well.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The attempted ledger could not be written, so nothing that followed could be accounted for.
    #[error("the load stopped: its ledger could not be written")]
    Ledger(#[source] LedgerError),
    /// The thread that writes the ledger ended without a word.
    #[error("the load stopped: the thread that writes its ledger ended unexpectedly")]
    LedgerThread,
    /// No thread for the ledger could be started.
    #[error("the load cannot start: no thread for its ledger")]
    Thread(#[source] std::io::Error),
    /// A server that has never let this session in refuses it for good.
    #[error("the load stopped: session {session} cannot use the server")]
    Server {
        /// Writer session.
        session: u16,
        /// What the server said.
        #[source]
        source: PgError,
    },
    /// A statement failed in a way that no retry mends.
    #[error("the load stopped: session {session}, transaction {number} ({shape})")]
    Statement {
        /// Writer session.
        session: u16,
        /// Number of the transaction in the session.
        number: u64,
        /// Shape of the transaction.
        shape: &'static str,
        /// What the server said.
        #[source]
        source: PgError,
    },
    /// The tables could not be looked at or made.
    #[error("the load cannot start")]
    Tables {
        /// What the server said.
        #[source]
        source: PgError,
    },
    /// There is nothing to write to.
    #[error("the load cannot start: there is no {missing}")]
    NoTables {
        /// The tables.
        missing: String,
    },
    /// A table has a name that the load uses, and is none of its tables.
    #[error("the load cannot start: {table} does not say that it is a table of the load")]
    NotOurs {
        /// The table.
        table: String,
    },
    /// The server holds other rows than the session wrote, again and again, although they were read
    /// anew.
    #[error("the load stopped: session {session}, transaction {number}, other rows: {what}")]
    Disagreement {
        /// Writer session.
        session: u16,
        /// Number of the transaction in the session.
        number: u64,
        /// What was seen.
        what: String,
    },
    /// A session did not end in time; what it was doing is not in the ledger.
    #[error("{sessions} sessions of the load did not end within {seconds} s")]
    NotEnded {
        /// How many.
        sessions: usize,
        /// The deadline.
        seconds: u64,
    },
}

impl Classified for WorkloadError {
    fn permanence(&self) -> Permanence {
        match self {
            WorkloadError::Server { source, .. } | WorkloadError::Statement { source, .. } => {
                source.permanence()
            }
            WorkloadError::Tables { source } => source.permanence(),
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            WorkloadError::Ledger(source) => source.exit_code(),
            WorkloadError::Server { source, .. } | WorkloadError::Statement { source, .. } => {
                source.exit_code()
            }
            WorkloadError::Tables { source } => source.exit_code(),
            WorkloadError::Disagreement { .. }
            | WorkloadError::NoTables { .. }
            | WorkloadError::NotOurs { .. } => ExitCode::Refused,
            WorkloadError::NotEnded { .. } => ExitCode::Unknown,
            WorkloadError::Thread(_) => ExitCode::Refused,
            WorkloadError::LedgerThread => ExitCode::Internal,
        }
    }

    fn remedy(&self) -> Option<String> {
        let own = match self {
            WorkloadError::Ledger(source) => return source.remedy(),
            WorkloadError::Server { source, .. } | WorkloadError::Statement { source, .. }
                if source.sqlstate() == Some("42P01") =>
            {
                "create the load's tables first (the shipped schema.sql)"
            }
            WorkloadError::Server { source, .. } | WorkloadError::Statement { source, .. } => {
                return source.remedy();
            }
            WorkloadError::Tables { source } => return source.remedy(),
            WorkloadError::NoTables { .. } => "--make-tables makes them",
            WorkloadError::NotOurs { .. } => {
                "give another database: the load changes and deletes any row of a table of this name"
            }
            WorkloadError::Disagreement { .. } => {
                "let nobody else write to the load's tables, and run one load at a time"
            }
            WorkloadError::Thread(_) => {
                "end processes that are not needed, or raise the limit (ulimit -u)"
            }
            WorkloadError::LedgerThread => {
                "run again; if it comes back, report it as a defect of cutover"
            }
            WorkloadError::NotEnded { .. } => {
                "look in pg_stat_activity who holds the locks that its sessions wait for, and end those"
            }
        };
        Some(own.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            WorkloadError::Ledger(_) => "LOAD-LEDGER-001",
            WorkloadError::LedgerThread => "LOAD-LEDGER-002",
            WorkloadError::Thread(_) => "LOAD-LEDGER-003",
            WorkloadError::Server { .. } => "LOAD-SERVER-001",
            WorkloadError::Statement { .. } => "LOAD-STATEMENT-001",
            WorkloadError::Disagreement { .. } => "LOAD-ROWS-001",
            WorkloadError::NotEnded { .. } => "LOAD-STOP-001",
            WorkloadError::Tables { .. } => "LOAD-TABLES-001",
            WorkloadError::NoTables { .. } => "LOAD-TABLES-002",
            WorkloadError::NotOurs { .. } => "LOAD-TABLES-003",
        }
    }
}
