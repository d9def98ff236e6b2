//! Holding published tables against writes for a moment: writers wait, none is refused and no session is ended.
//!
//! For what has to happen between two transactions and takes about a second. The lock lives in one session, so a
//! program that is killed lets go of it by itself. The rule it protects: whoever waits for the lock stands in front of
//! every later writer, so no try lasts longer than a writer can be expected to wait.

use std::time::Duration;

use cutover_model::Relation;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::PgError;
use super::publication::publication_tables;

/// What ends a try because others hold the tables: cancelled by `statement_timeout`, `lock_timeout`, or chosen in a
/// deadlock.
const HELD_BY_OTHERS: [SqlState; 3] = [
    SqlState::QUERY_CANCELED,
    SqlState::LOCK_NOT_AVAILABLE,
    SqlState::T_R_DEADLOCK_DETECTED,
];

/// Begins a transaction and locks every table of a publication in `SHARE` mode, which goes along with reading and
/// with other holds, and with no INSERT, UPDATE, DELETE, TRUNCATE or COPY. Tells how many tables there are, or `None`
/// if somebody writes to one of them for longer than `limit`; the transaction has ended then.
///
/// # Errors
/// There is no such publication, or the server refused (the role needs UPDATE, DELETE or TRUNCATE on the tables).
pub async fn hold_tables(
    client: &Client,
    publication: &str,
    limit: Duration,
) -> Result<Option<usize>, PgError> {
    let held = lock(client, publication, limit).await;
    if !matches!(held, Ok(Some(_))) && !client.is_closed() {
        let what = format!("letting go of publication '{publication}'");
        let ended = client.batch_execute("ROLLBACK").await;
        ended.map_err(PgError::sql(what))?;
    }
    held
}

async fn lock(
    client: &Client,
    publication: &str,
    limit: Duration,
) -> Result<Option<usize>, PgError> {
    let doing = || PgError::sql(format!("holding the tables of publication '{publication}'"));
    // One limit for all tables: a writer that waits for a table which is held already must not wait for the next too.
    let begin = format!(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = {}",
        limit.as_millis()
    );
    client.batch_execute(&begin).await.map_err(doing())?;
    let tables = publication_tables(client, publication)
        .await?
        .ok_or_else(|| PgError::Missing(format!("publication '{publication}'")))?;
    let names: Vec<String> = tables.iter().map(Relation::quoted).collect();
    let lock = match names.is_empty() {
        true => String::new(),
        false => format!("LOCK TABLE {} IN SHARE MODE", names.join(", ")),
    };
    match client.batch_execute(&lock).await {
        Ok(()) => {
            let usual = "SET LOCAL statement_timeout TO DEFAULT";
            client.batch_execute(usual).await.map_err(doing())?;
            Ok(Some(tables.len()))
        }
        Err(error)
            if error
                .code()
                .is_some_and(|state| HELD_BY_OTHERS.contains(state)) =>
        {
            Ok(None)
        }
        Err(error) => Err(doing()(error)),
    }
}

/// Lets go of what is held.
///
/// # Errors
/// The session is lost: the server has let go by itself, at a time that is not known.
pub async fn release_tables(client: &Client) -> Result<(), PgError> {
    client
        .batch_execute("COMMIT")
        .await
        .map_err(PgError::sql("letting go of the published tables"))
}
