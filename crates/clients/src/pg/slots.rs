//! Replication slots through SQL functions, with names as parameters.
//!
//! A slot that exists is not yet a slot that works: `wal_status` says whether the server still holds what the
//! slot promises.

use cutover_model::Lsn;
use serde::{Deserialize, Serialize};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Row};

use super::{PgError, parse_lsn};

/// One row of `pg_replication_slots`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Name.
    pub name: String,
    /// Output plugin; empty for a physical slot.
    pub plugin: String,
    /// Somebody reads from it right now.
    pub active: bool,
    /// Process of the reader.
    pub active_pid: Option<i32>,
    /// Oldest log that the server keeps for it.
    pub restart_lsn: Option<Lsn>,
    /// What the reader has confirmed; everything before it may be forgotten.
    pub confirmed_flush: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// A standby keeps a copy of it, or it is such a copy (PostgreSQL 17 and newer).
    pub failover: bool,
}

impl Slot {
    /// The server no longer holds what the slot promises, and never will again.
    pub fn is_lost(&self) -> bool {
        self.wal_status.as_deref() == Some("lost")
    }
}

const SLOTS: &str = "
SELECT slot_name::text, coalesce(plugin::text, ''), active, active_pid, restart_lsn::text,
       confirmed_flush_lsn::text, wal_status,
       coalesce((to_jsonb(s) ->> 'failover')::bool, false)
FROM pg_replication_slots s
WHERE $1::text IS NULL OR slot_name = $1
ORDER BY slot_name";

/// The slot of this name, if there is one.
///
/// # Errors
/// The statement failed.
pub async fn slot(client: &Client, name: &str) -> Result<Option<Slot>, PgError> {
    Ok(read(client, Some(name)).await?.pop())
}

/// Every slot of the server, by name.
///
/// # Errors
/// The statement failed.
pub async fn slots(client: &Client) -> Result<Vec<Slot>, PgError> {
    read(client, None).await
}

async fn read(client: &Client, name: Option<&str>) -> Result<Vec<Slot>, PgError> {
    let rows = client
        .query(SLOTS, &[&name])
        .await
        .map_err(PgError::sql("reading replication slots"))?;
    rows.iter().map(from_row).collect()
}

fn from_row(row: &Row) -> Result<Slot, PgError> {
    let lsn = |index: usize| row.get::<_, Option<&str>>(index).map(parse_lsn).transpose();
    Ok(Slot {
        name: row.get(0),
        plugin: row.get(1),
        active: row.get(2),
        active_pid: row.get(3),
        restart_lsn: lsn(4)?,
        confirmed_flush: lsn(5)?,
        wal_status: row.get(6),
        failover: row.get(7),
    })
}

/// Makes a logical slot in the connected database and gives its consistent point: everything committed after it
/// will be delivered. Waits for transactions that are running.
///
/// # Errors
/// The server refused (name taken, limit reached, `wal_level`).
pub async fn create_slot(client: &Client, name: &str, plugin: &str) -> Result<Lsn, PgError> {
    let row = client
        .query_one(
            "SELECT lsn::text FROM pg_create_logical_replication_slot($1, $2)",
            &[&name, &plugin],
        )
        .await
        .map_err(PgError::sql(format!("creating replication slot '{name}'")))?;
    parse_lsn(row.get(0))
}

/// Makes a logical slot that standbys keep a copy of. PostgreSQL 17 and newer.
///
/// # Errors
/// The server refused, or is too old.
pub async fn create_failover_slot(
    client: &Client,
    name: &str,
    plugin: &str,
) -> Result<Lsn, PgError> {
    let row = client
        .query_one(
            "SELECT lsn::text
             FROM pg_create_logical_replication_slot($1, $2, failover => true)",
            &[&name, &plugin],
        )
        .await
        .map_err(PgError::sql(format!("creating failover slot '{name}'")))?;
    parse_lsn(row.get(0))
}

/// Kinds of the changes that a pgoutput slot still holds at exactly this position, as the plug-in's message bytes
/// (`I`, `U`, `D`, `T`); of transactions that are committed. Moves nothing. Nobody may read from the slot meanwhile.
///
/// Rows that one COPY writes into one page share a position. Decoding begins at the slot's own position and goes to
/// the position, or to the end of the log if nothing stands there: what it costs is what the slot lags.
///
/// # Errors
/// The server refused: the slot is in use, or lost.
pub async fn peek_at(
    client: &Client,
    slot: &str,
    publication: &str,
    at: Lsn,
) -> Result<Vec<u8>, PgError> {
    const PEEK: &str = "
SELECT array_agg(get_byte(data, 0)) FILTER (WHERE lsn = $4::text::pg_lsn
                                            AND get_byte(data, 0) IN (73, 85, 68, 84)),
       count(*)
FROM pg_logical_slot_peek_binary_changes($1, NULL, $3, 'proto_version', '1',
                                         'publication_names', $2)";
    // A name inside the option's list is an identifier.
    let publication = cutover_model::table::quote_identifier(publication);
    let mut limit: i32 = 10_000;
    loop {
        let row = client
            .query_one(PEEK, &[&slot, &publication, &limit, &at.to_string()])
            .await
            .map_err(PgError::sql(format!("looking into slot '{slot}'")))?;
        let (kinds, seen): (Option<Vec<i32>>, i64) = (row.get(0), row.get(1));
        // What is given ends with a whole transaction, so changes that are found are all there are.
        if kinds.is_some() || seen < i64::from(limit) || limit == i32::MAX {
            let kinds = kinds.unwrap_or_default().into_iter();
            return Ok(kinds.filter_map(|kind| u8::try_from(kind).ok()).collect());
        }
        limit = limit.saturating_mul(100);
    }
}

/// Copies a logical slot: the copy holds what the slot holds now, and moves by itself from then on.
///
/// # Errors
/// The server refused (name taken, limit reached, the slot is lost).
pub async fn copy_slot(client: &Client, from: &str, to: &str) -> Result<Lsn, PgError> {
    let row = client
        .query_one(
            "SELECT lsn::text FROM pg_copy_logical_replication_slot($1, $2)",
            &[&from, &to],
        )
        .await
        .map_err(PgError::sql(format!("copying replication slot '{from}'")))?;
    parse_lsn(row.get(0))
}

/// Drops a slot. One that is not there counts as dropped, so that doing it again after a crash is no error.
///
/// # Errors
/// The server refused, usually because somebody still reads from the slot.
pub async fn drop_slot(client: &Client, name: &str) -> Result<(), PgError> {
    match client
        .execute("SELECT pg_drop_replication_slot($1)", &[&name])
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if error.code() == Some(&SqlState::UNDEFINED_OBJECT) => Ok(()),
        Err(error) => Err(PgError::sql(format!("dropping replication slot '{name}'"))(
            error,
        )),
    }
}
