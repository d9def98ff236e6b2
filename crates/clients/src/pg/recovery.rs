//! Standbys, promotion and the log's way to an archive.
//!
//! Stands between the driver and a server that follows another one. The rule it protects: after a promotion the
//! point where the timelines part is read from the server, never guessed, because everything beyond it on the
//! old timeline is no part of the database any more.

use cutover_model::Lsn;
use tokio_postgres::Client;

use super::{PgError, parse_lsn};

/// Ends recovery and waits until the server writes (at most 60 s).
///
/// # Errors
/// The server is no standby, or did not get out of recovery in time.
pub async fn promote(client: &Client) -> Result<(), PgError> {
    let row = client
        .query_one("SELECT pg_promote(true, 60)", &[])
        .await
        .map_err(PgError::sql("promoting the standby"))?;
    if row.get(0) {
        return Ok(());
    }
    Err(PgError::Protocol {
        what: "promoting the standby".into(),
        reason: "it is still in recovery after 60 s".into(),
    })
}

/// Writes the list of running transactions into the log, which a slot on a standby waits for. PostgreSQL 16 and
/// newer.
///
/// # Errors
/// The statement failed.
pub async fn log_snapshot(client: &Client) -> Result<(), PgError> {
    client
        .query_one("SELECT pg_log_standby_snapshot()", &[])
        .await
        .map(|_| ())
        .map_err(PgError::sql("logging the running transactions"))
}

/// The oldest transaction that runs, and the next one that will.
///
/// # Errors
/// The statement failed.
pub async fn running_transactions(client: &Client) -> Result<(i64, i64), PgError> {
    let row = client
        .query_one(
            "SELECT pg_snapshot_xmin(s)::text::int8, pg_snapshot_xmax(s)::text::int8
             FROM pg_current_snapshot() s",
            &[],
        )
        .await
        .map_err(PgError::sql("looking at the running transactions"))?;
    Ok((row.get(0), row.get(1)))
}

/// Writes a checkpoint, so that one which has to be waited for later finds little to write.
///
/// # Errors
/// The statement failed.
pub async fn checkpoint(client: &Client) -> Result<(), PgError> {
    // However much there is to write: `statement_timeout` is for looks.
    client
        .batch_execute("SET statement_timeout = 0; CHECKPOINT; RESET statement_timeout")
        .await
        .map_err(PgError::sql("writing a checkpoint"))
}

/// Ends the current log file. Gives the position of the switch.
///
/// # Errors
/// The statement failed.
pub async fn switch_wal(client: &Client) -> Result<Lsn, PgError> {
    let row = client
        .query_one("SELECT pg_switch_wal()::text", &[])
        .await
        .map_err(PgError::sql("ending the log file"))?;
    parse_lsn(row.get(0))
}

/// Name of the newest log file in the archive, and of the newest one that could not be archived since.
///
/// # Errors
/// The statement failed.
pub async fn archived(client: &Client) -> Result<(Option<String>, Option<String>), PgError> {
    let row = client
        .query_one(
            "SELECT last_archived_wal,
                    CASE WHEN last_failed_time > coalesce(last_archived_time, '-infinity')
                         THEN last_failed_wal END
             FROM pg_stat_archiver",
            &[],
        )
        .await
        .map_err(PgError::sql("looking at the archiver"))?;
    Ok((row.get(0), row.get(1)))
}

/// Name of the log file that holds a position on the server's current timeline.
///
/// # Errors
/// The statement failed.
pub async fn wal_file(client: &Client, lsn: Lsn) -> Result<String, PgError> {
    let row = client
        .query_one(
            "SELECT pg_walfile_name($1::text::pg_lsn)",
            &[&lsn.to_string()],
        )
        .await
        .map_err(PgError::sql("naming a log file"))?;
    Ok(row.get(0))
}

/// Where `timeline` forked off `parent`, from the history file; `None` if it does not descend from it.
///
/// # Errors
/// The history file could not be read.
pub async fn fork_point(
    client: &Client,
    timeline: u32,
    parent: u32,
) -> Result<Option<Lsn>, PgError> {
    let row = client
        .query_one(
            // Before 16 there is no shorter form that knows a missing file.
            "SELECT coalesce(pg_read_file($1, 0, 1048576, true), '')",
            &[&format!("pg_wal/{timeline:08X}.history")],
        )
        .await
        .map_err(PgError::sql("reading the timeline's history"))?;
    let text: String = row.get(0);
    let entries = text.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        Some((
            fields.next()?.parse::<u32>().ok()?,
            fields.next()?.to_owned(),
        ))
    });
    let found = entries
        .into_iter()
        .find(|(ancestor, _)| *ancestor == parent);
    found.map(|(_, lsn)| parse_lsn(&lsn)).transpose()
}

/// Where the log that the server was started from ended: the checkpoint that ends a recovery begins there.
///
/// # Errors
/// The statement failed.
pub async fn recovery_end(client: &Client) -> Result<Lsn, PgError> {
    let row = client
        .query_one("SELECT redo_lsn::text FROM pg_control_checkpoint()", &[])
        .await
        .map_err(PgError::sql("reading the last checkpoint"))?;
    parse_lsn(row.get(0))
}
