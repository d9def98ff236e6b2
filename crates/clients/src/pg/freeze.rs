//! Freezing writes at a cut, so that "nothing was written on the old side afterwards" is a fact (I12).
//!
//! The database's default becomes read only and every session of the writing role that may still have the old
//! default is ended. What that leaves out: a client that asks for a read-write transaction by name, and roles
//! other than the given one. Both show in [`open_writers`], and the witness slot sees what they commit.

use std::time::Duration;

use cutover_model::table::quote_identifier;
use tokio_postgres::Client;

use super::PgError;
use crate::wait::{self, Poll};

const DEADLINE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(20);

/// Makes the database read only by default, ends the sessions of `role`, and returns once none of them that
/// could still write is left. Tells how many sessions were ended.
///
/// # Errors
/// A statement failed, or sessions were still there after 30 s.
pub async fn freeze_writes(client: &Client, database: &str, role: &str) -> Result<u64, PgError> {
    let set = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        quote_identifier(database)
    );
    client
        .batch_execute(&set)
        .await
        .map_err(PgError::sql(format!("freezing writes on '{database}'")))?;
    renew_sessions(client, database, role, true).await
}

/// Whoever could still commit a change in a frozen database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenWriters {
    /// Client transactions, of any role, that have written already.
    pub transactions: u64,
    /// Prepared transactions: COMMIT PREPARED would still write.
    pub prepared: u64,
}

/// Looks who could still commit a change. Our own session does not count.
///
/// # Errors
/// The statement failed.
pub async fn open_writers(client: &Client, database: &str) -> Result<OpenWriters, PgError> {
    let row = client
        .query_one(
            "SELECT (SELECT count(*) FROM pg_stat_activity
                     WHERE datname = $1 AND backend_type = 'client backend'
                       AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()),
                    (SELECT count(*) FROM pg_prepared_xacts WHERE database = $1)",
            &[&database],
        )
        .await
        .map_err(PgError::sql("looking for writers that the freeze leaves"))?;
    Ok(OpenWriters {
        transactions: row.get::<_, i64>(0).unsigned_abs(),
        prepared: row.get::<_, i64>(1).unsigned_abs(),
    })
}

/// Takes the freeze back. Sessions of `role` that began under it are ended too, for they would stay read only.
///
/// # Errors
/// A statement failed, or sessions were still there after 30 s.
pub async fn release_writes(client: &Client, database: &str, role: &str) -> Result<(), PgError> {
    let reset = format!(
        "ALTER DATABASE {} RESET default_transaction_read_only",
        quote_identifier(database)
    );
    client
        .batch_execute(&reset)
        .await
        .map_err(PgError::sql(format!("releasing writes on '{database}'")))?;
    renew_sessions(client, database, role, false).await?;
    Ok(())
}

/// Whether the database's default is read only.
///
/// # Errors
/// The statement failed.
pub async fn writes_frozen(client: &Client, database: &str) -> Result<bool, PgError> {
    let row = client
        .query_one(
            "SELECT coalesce(bool_or(substr(entry, length('default_transaction_read_only=') + 1)::bool),
                             false)
             FROM pg_database d
             JOIN pg_db_role_setting s ON s.setdatabase = d.oid AND s.setrole = 0,
                  unnest(s.setconfig) AS entry
             WHERE d.datname = $1 AND entry LIKE 'default_transaction_read_only=%'",
            &[&database],
        )
        .await
        .map_err(PgError::sql(format!("reading the settings of '{database}'")))?;
    Ok(row.get(0))
}

/// How many sessions a role is allowed (-1: any number); `None` if there is no such role.
///
/// # Errors
/// The statement failed.
pub async fn session_limit(client: &Client, role: &str) -> Result<Option<i32>, PgError> {
    let row = client
        .query_opt(
            "SELECT rolconnlimit FROM pg_roles WHERE rolname = $1",
            &[&role],
        )
        .await
        .map_err(PgError::sql(format!("reading role '{role}'")))?;
    Ok(row.map(|row| row.get(0)))
}

/// Allows a role at most so many sessions (-1: any number). Sessions that are there stay.
///
/// # Errors
/// There is no such role, or the server refused.
pub async fn limit_sessions(client: &Client, role: &str, limit: i32) -> Result<(), PgError> {
    let statement = format!(
        "ALTER ROLE {} CONNECTION LIMIT {limit}",
        quote_identifier(role)
    );
    client
        .batch_execute(&statement)
        .await
        .map_err(PgError::sql(format!("limiting role '{role}'")))
}

/// Ends the sessions of a role; tells how many there were.
///
/// # Errors
/// The statement failed.
pub async fn end_sessions(client: &Client, role: &str) -> Result<i64, PgError> {
    let row = client
        .query_one(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE usename = $1 AND pid <> pg_backend_pid()",
            &[&role],
        )
        .await
        .map_err(PgError::sql(format!(
            "ending the sessions of role '{role}'"
        )))?;
    Ok(row.get(0))
}

/// Ends every session of `role` that may have read the database's settings before they were changed.
///
/// A session shows in `pg_stat_activity` only some moments after it has read the settings, but all that time
/// it holds a lock on the database. So those that hold it now are waited for first; whoever takes it later
/// reads the new settings, and whoever shows now with an older start is ended.
async fn renew_sessions(
    client: &Client,
    database: &str,
    role: &str,
    writers_too: bool,
) -> Result<u64, PgError> {
    let starting: Vec<String> = client
        .query(STARTING, &[&database])
        .await
        .map_err(PgError::sql("looking for sessions that are starting"))?
        .iter()
        .map(|row| row.get(0))
        .collect();
    let now: String = client
        .query_one("SELECT clock_timestamp()::text", &[])
        .await
        .map_err(PgError::sql("reading the server's clock"))?
        .get(0);
    let mut ended = 0;
    let what = format!("the end of all earlier sessions of role '{role}'");
    wait::until(&what, DEADLINE, STEP, async || {
        let still: i64 = client
            .query_one(STILL_STARTING, &[&database, &starting])
            .await
            .map_err(PgError::sql("looking for sessions that are starting"))?
            .get(0);
        let rows = client
            .query(END_SESSIONS, &[&database, &role, &now, &writers_too])
            .await
            .map_err(PgError::sql(format!(
                "ending the sessions of role '{role}'"
            )))?;
        ended = ended.max(rows.len() as u64);
        Ok::<_, PgError>(if still == 0 && rows.is_empty() {
            Poll::Ready(())
        } else {
            Poll::NotYet(format!("{} sessions, {still} more starting", rows.len()))
        })
    })
    .await?;
    Ok(ended)
}

// 1262 is pg_database itself.
const STARTING: &str = "
SELECT DISTINCT virtualtransaction FROM pg_locks
WHERE locktype = 'object' AND classid = 1262 AND mode = 'RowExclusiveLock'
  AND objid = (SELECT oid FROM pg_database WHERE datname = $1) AND pid <> pg_backend_pid()";

const STILL_STARTING: &str = "
SELECT count(*) FROM pg_locks
WHERE locktype = 'object' AND classid = 1262 AND mode = 'RowExclusiveLock'
  AND objid = (SELECT oid FROM pg_database WHERE datname = $1) AND virtualtransaction = ANY ($2)";

// Under a freeze, a session that began afterwards and writes all the same has asked for it by name ($4).
const END_SESSIONS: &str = "
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = $1 AND usename = $2 AND backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND (backend_start <= $3::text::timestamptz OR ($4 AND backend_xid IS NOT NULL))";
