//! What can go wrong with a PostgreSQL server, and what its SQLSTATE says about trying again.

use cutover_model::{Classified, ExitCode, Permanence};

use super::pgoutput::DecodeError;
use crate::tls::TlsError;
use crate::wait::WaitError;

/// An error of the PostgreSQL client. Addresses in it carry no password.
#[derive(Debug, thiserror::Error)]
pub enum PgError {
    /// No session could be opened.
    #[error("cannot connect to PostgreSQL at {address}")]
    Connect {
        /// `user@host:port/database`.
        address: String,
        /// What the driver said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// Somebody took the connection and said nothing.
    #[error("PostgreSQL at {address} took the connection and said nothing for {seconds} s")]
    Silent {
        /// `user@host:port/database`.
        address: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Somebody answers who is no PostgreSQL server.
    #[error("what answers at {address} is not PostgreSQL: {reason}")]
    Foreign {
        /// `user@host:port/database`.
        address: String,
        /// How that shows.
        reason: String,
    },
    /// A statement failed, or the session was lost while it ran.
    #[error("{what}: {}", statement_error(source))]
    Sql {
        /// What was being done.
        what: String,
        /// What the driver said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The server answered the replication client with an error.
    #[error("{what}: {message} (SQLSTATE {state})")]
    Server {
        /// What was being done.
        what: String,
        /// SQLSTATE.
        state: String,
        /// The server's message, with its detail.
        message: String,
    },
    /// The replication connection broke.
    #[error("{what}")]
    Io {
        /// What was being done.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The server sent something that the protocol does not allow here, or that is not supported.
    #[error("{what}: {reason}")]
    Protocol {
        /// What was being done.
        what: String,
        /// What was wrong.
        reason: String,
    },
    /// The login was refused before the server could say why.
    #[error("cannot log in to PostgreSQL at {address}: {reason}")]
    Login {
        /// `user@host:port/database`.
        address: String,
        /// Why.
        reason: String,
    },
    /// A file of the encryption cannot be used.
    #[error("encrypt the connection to PostgreSQL at {address}: {source}")]
    Tls {
        /// `user@host:port/database`.
        address: String,
        /// Which, and why.
        source: TlsError,
    },
    /// Something that must exist does not.
    #[error("{0} does not exist")]
    Missing(String),
    /// A wait ended without its condition.
    #[error("{0}")]
    TimedOut(String),
    /// A change could not be decoded.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl PgError {
    /// The server's SQLSTATE, if the server said anything.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            PgError::Connect { source, .. } | PgError::Sql { source, .. } => {
                source.code().map(tokio_postgres::error::SqlState::code)
            }
            PgError::Server { state, .. } => Some(state),
            _ => None,
        }
    }

    pub(super) fn sql(what: impl Into<String>) -> impl FnOnce(tokio_postgres::Error) -> PgError {
        let what = what.into();
        move |source| PgError::Sql { what, source }
    }

    /// The connection was lost or never came to be: nothing was refused by the server.
    fn lost(&self) -> bool {
        match self {
            PgError::Io { .. } | PgError::Silent { .. } => true,
            PgError::Connect { source, .. } | PgError::Sql { source, .. } => {
                source.code().is_none() && (source.is_closed() || caused_by_io(source))
            }
            _ => false,
        }
    }
}

impl From<WaitError<PgError>> for PgError {
    fn from(error: WaitError<PgError>) -> PgError {
        match error {
            WaitError::Failed(error) => error,
            timed_out @ WaitError::TimedOut { .. } => PgError::TimedOut(timed_out.to_string()),
        }
    }
}

impl Classified for PgError {
    fn permanence(&self) -> Permanence {
        let transient = match self.sqlstate() {
            Some(state) => retry_may_help(state),
            None => self.lost() || matches!(self, PgError::TimedOut(_)),
        };
        if transient {
            Permanence::Transient
        } else {
            Permanence::Definite
        }
    }

    fn exit_code(&self) -> ExitCode {
        match (self, self.sqlstate()) {
            (_, Some(state)) if is_denied(state) => ExitCode::Denied,
            (_, Some(state)) if state.starts_with("08") || state.starts_with("57P") => {
                ExitCode::Unreachable
            }
            (_, Some(state)) if is_unmet(state) => ExitCode::Refused,
            (PgError::Login { .. }, _) => ExitCode::Denied,
            (PgError::Tls { .. }, _) => ExitCode::Usage,
            (PgError::Missing(_), _) => ExitCode::Refused,
            (PgError::TimedOut(_), _) => ExitCode::Unknown,
            (PgError::Connect { .. } | PgError::Foreign { .. }, None) => ExitCode::Unreachable,
            _ if self.lost() => ExitCode::Unreachable,
            // What a server or whatever stands before it answers is never a defect of ours: it is of another version,
            // or in a state, that was not foreseen.
            (_, Some(_)) | (PgError::Protocol { .. } | PgError::Decode(_), None) => {
                ExitCode::Unknown
            }
            _ => ExitCode::Internal,
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match (self.exit_code(), self.sqlstate()) {
            (ExitCode::Denied, Some("42501")) => {
                "grant the role what it lacks (REPLICATION, SELECT on the tables, or ownership)"
            }
            (ExitCode::Denied, None) if matches!(self, PgError::Login { .. }) => {
                "give the password by PGPASSWORD, ~/.pgpass or a password file, and check user and pg_hba.conf"
            }
            (ExitCode::Denied, _) => "check user, password and pg_hba.conf of the server",
            (ExitCode::Unreachable, _) => {
                "check that the server runs and that the address is right"
            }
            (_, Some("3D000")) => "name a database that is there: `psql -l` lists them",
            (_, Some("55000")) if matches!(self, PgError::Connect { .. }) => {
                "name another database, or let this one take connections (ALTER DATABASE … ALLOW_CONNECTIONS true)"
            }
            (_, Some("53300")) => "raise max_connections, or end sessions that nobody needs",
            (_, Some("25006")) => {
                "the session may not write: name the primary, or take default_transaction_read_only back"
            }
            (_, Some("53400")) => "raise max_replication_slots or drop a slot that nobody uses",
            (_, Some("55000")) => "check wal_level = logical and that the slot is not invalidated",
            (_, Some("55006")) => "another session reads this slot: stop it first",
            (_, Some("57014")) => {
                "raise statement_timeout for this role, or let nobody cancel the statement, then try again"
            }
            (_, Some("0A000" | "42601" | "42703" | "42883")) => {
                "connect to PostgreSQL itself, not through a pooler, and to a release that is still supported"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            PgError::Connect { .. } => "PG-CONNECT-001",
            PgError::Silent { .. } => "PG-CONNECT-002",
            PgError::Foreign { .. } => "PG-CONNECT-003",
            PgError::Sql { .. } => "PG-SQL-001",
            PgError::Server { .. } => "PG-REPLICATION-001",
            PgError::Io { .. } => "PG-IO-001",
            PgError::Protocol { .. } => "PG-PROTOCOL-001",
            PgError::Login { .. } => "PG-LOGIN-001",
            PgError::Tls { .. } => "PG-TLS-001",
            PgError::Missing(_) => "PG-MISSING-001",
            PgError::TimedOut(_) => "PG-WAIT-001",
            PgError::Decode(_) => "PG-DECODE-001",
        }
    }
}

/// Connection trouble (08), server starting or stopping (57P0x), resources (53), serialisation (40), and a slot
/// that the session before ours still holds (55006): all of these pass without anybody acting.
/// 53400 is a limit of the configuration and stays.
fn retry_may_help(state: &str) -> bool {
    let class = ["08", "57P0", "53", "40"];
    state != "53400" && (class.iter().any(|class| state.starts_with(class)) || state == "55006")
}

fn is_denied(state: &str) -> bool {
    state.starts_with("28") || state == "42501"
}

/// What the server refuses because something that must hold does not: objects missing or there already,
/// settings, limits, read-only sessions.
fn is_unmet(state: &str) -> bool {
    ["42704", "42710", "42P01", "3D000", "25006"].contains(&state)
        || state.starts_with("55")
        || state.starts_with("53")
        // A function, a column or a piece of grammar that this server does not have yet, or no longer.
        || ["0A000", "42601", "42703", "42883"].contains(&state)
        // Ended by the server's own limit of time, or by somebody.
        || state == "57014"
}

fn caused_by_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// The driver's own text says only `db error`; what the user needs is what the server said.
fn statement_error(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(said) => {
            let detail = said
                .detail()
                .map(|text| format!(" ({text})"))
                .unwrap_or_default();
            format!(
                "{}{detail} (SQLSTATE {})",
                said.message(),
                said.code().code()
            )
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(state: &str) -> PgError {
        PgError::Server {
            what: "start".into(),
            state: state.into(),
            message: "no".into(),
        }
    }

    #[test]
    fn a_server_that_starts_or_stops_is_worth_another_try() {
        for state in ["57P01", "57P03", "08006", "53300", "40001", "55006"] {
            assert_eq!(server(state).permanence(), Permanence::Transient, "{state}");
        }
        for state in ["42704", "55000", "28P01", "42501", "53400"] {
            assert_eq!(server(state).permanence(), Permanence::Definite, "{state}");
        }
    }

    #[test]
    fn exit_codes_follow_the_sqlstate() {
        assert_eq!(server("28P01").exit_code(), ExitCode::Denied);
        assert_eq!(server("42501").exit_code(), ExitCode::Denied);
        assert_eq!(server("42704").exit_code(), ExitCode::Refused);
        assert_eq!(server("57P03").exit_code(), ExitCode::Unreachable);
        assert_eq!(server("57014").exit_code(), ExitCode::Refused);
        assert_eq!(server("42883").exit_code(), ExitCode::Refused);
        for state in ["XX000", "XX001", "58030", "22P02", "99999"] {
            assert_eq!(server(state).exit_code(), ExitCode::Unknown, "{state}");
        }
    }
}
