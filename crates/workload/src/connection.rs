//! One session's connection: prepared statements, and whose server it is.
//!
//! A connection knows the incarnation it was opened to. Transaction ids mean nothing on any other,
//! so an outcome is only ever asked for where the transaction ran.

use std::collections::HashMap;
use std::time::Duration;

use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::{PgAddress, PgError, connect};
use cutover_clients::wait;
use cutover_model::Incarnation;
use cutover_model::table::quote_identifier;
use tokio_postgres::{Client, Statement};

use crate::revision::own_ids;
use crate::rows::Row;
use crate::tables::{Table, find_row, read_own_rows};

/// Where the load writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Server, database and login.
    pub address: PgAddress,
    /// Index of its incarnation in the run's evidence; ledger rows carry it.
    pub incarnation: i32,
}

/// SQLSTATE of `pg_xact_status` for an id that has not been given out yet.
const IN_THE_FUTURE: &str = "22023";

/// A server that does not answer within this counts as not there; the next try follows.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// An open connection.
pub(crate) struct Connection {
    /// The driver's handle.
    pub client: Client,
    /// What it was opened to.
    pub target: Target,
    /// Who answered there.
    pub identity: Incarnation,
    statements: HashMap<String, Statement>,
}

/// Why there is no connection.
pub(crate) enum NoConnection {
    /// The server said so, or could not be reached.
    Error(PgError),
    /// It is there but not for writers yet: no answer in time, or still in recovery.
    NotNow,
}

impl Connection {
    /// Connects, takes on the role and asks who is there.
    pub async fn open(
        target: &Target,
        session: u16,
        role: Option<&str>,
    ) -> Result<Connection, NoConnection> {
        let opening = async {
            let name = format!("cutover-load-{session}");
            let client = connect(&target.address, &name).await?;
            if let Some(role) = role {
                let statement = format!("set role {}", quote_identifier(role));
                let set = client.batch_execute(&statement).await;
                set.map_err(|source| sql_error("taking on the writer's role", source))?;
            }
            let facts = server_facts(&client).await?;
            Ok::<_, PgError>((client, facts))
        };
        let Some(opened) = wait::within(CONNECT_PATIENCE, opening).await else {
            return Err(NoConnection::NotNow);
        };
        let (client, facts) = opened.map_err(NoConnection::Error)?;
        if facts.in_recovery {
            return Err(NoConnection::NotNow);
        }
        Ok(Connection {
            client,
            target: target.clone(),
            identity: facts.incarnation,
            statements: HashMap::new(),
        })
    }

    /// Prepares a statement, once per connection.
    pub async fn prepare(&mut self, sql: &str) -> Result<(), tokio_postgres::Error> {
        if !self.statements.contains_key(sql) {
            let statement = self.client.prepare(sql).await?;
            self.statements.insert(sql.to_owned(), statement);
        }
        Ok(())
    }

    /// A statement prepared before.
    pub fn prepared(&self, sql: &str) -> Option<&Statement> {
        self.statements.get(sql)
    }

    /// The rows that the session owns, as the server holds them.
    pub async fn own_rows(&self, session: u16, table: Table) -> Result<Vec<Row>, PgError> {
        let (first, end) = own_ids(session);
        let rows = self
            .client
            .query(read_own_rows(table), &[&first, &end])
            .await
            .map_err(|source| sql_error("reading the session's own rows", source))?;
        let row = |row: tokio_postgres::Row| Row {
            id: row.get(0),
            revision: row.get(1),
        };
        Ok(rows.into_iter().map(row).collect())
    }

    /// What the server says of a transaction id.
    pub async fn transaction_status(&self, xid: u64) -> Result<TransactionStatus, PgError> {
        let answer = self
            .client
            .query_one("select pg_xact_status($1::text::xid8)", &[&xid.to_string()])
            .await
            .map_err(|source| sql_error("asking for the outcome of a transaction", source));
        let row = match answer {
            Err(error) if error.sqlstate() == Some(IN_THE_FUTURE) => {
                return Ok(TransactionStatus::NotGivenOut);
            }
            other => other?,
        };
        Ok(match row.get::<_, Option<&str>>(0) {
            Some("committed") => TransactionStatus::Committed,
            Some("aborted") => TransactionStatus::Aborted,
            Some(_) => TransactionStatus::InProgress,
            None => TransactionStatus::Forgotten,
        })
    }

    /// Whether this very version of a row is there.
    pub async fn has_row(&self, table: Table, row: Row) -> Result<bool, PgError> {
        let found = self
            .client
            .query_opt(find_row(table), &[&row.id, &row.revision])
            .await
            .map_err(|source| sql_error("looking for a row of the transaction", source))?;
        Ok(found.is_some())
    }
}

/// What a server knows of a transaction id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionStatus {
    /// Committed.
    Committed,
    /// Rolled back, or cut off by a crash.
    Aborted,
    /// Still running.
    InProgress,
    /// Too long ago.
    Forgotten,
    /// An id that has not been given out yet.
    NotGivenOut,
}

/// The client's error type for a statement of ours.
pub(crate) fn sql_error(what: impl Into<String>, source: tokio_postgres::Error) -> PgError {
    PgError::Sql {
        what: what.into(),
        source,
    }
}
