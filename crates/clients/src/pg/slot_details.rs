//! Everything that a server says about its replication slots: what they are, what they hold back, and why one is lost.
//!
//! Beside [`super::slots`], which has what a runbook needs. Columns that came with later versions are read through the
//! row's JSON, so that one statement serves every version. Read-only, and no privilege is needed.

use tokio_postgres::Client;

use super::PgError;
use super::slots::{Slot, slots};

/// A slot with what is said about it besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotDetail {
    /// The slot.
    pub slot: Slot,
    /// `logical` or `physical`.
    pub kind: String,
    /// Database of a logical slot.
    pub database: Option<String>,
    /// It goes away with its session.
    pub temporary: bool,
    /// Bytes of log between its restart position and the end of the log.
    pub retained_bytes: Option<i64>,
    /// Bytes that may still be written until it may be lost; absent without `max_slot_wal_keep_size`.
    pub safe_bytes: Option<i64>,
    /// Why it is lost (PostgreSQL 16 and newer; 16 knows one reason only).
    pub invalidation: Option<String>,
    /// Since when nobody reads it (PostgreSQL 17 and newer).
    pub inactive_since: Option<String>,
}

const DETAILS: &str = "
SELECT s.slot_name::text, s.slot_type, s.database::text, s.temporary,
       pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                            ELSE pg_current_wal_lsn() END,
                       s.restart_lsn)::int8,
       (to_jsonb(s) ->> 'safe_wal_size')::int8,
       coalesce(to_jsonb(s) ->> 'invalidation_reason',
                CASE WHEN (to_jsonb(s) ->> 'conflicting')::bool
                     THEN 'conflicting with recovery' END),
       to_char((to_jsonb(s) ->> 'inactive_since')::timestamptz, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
FROM pg_replication_slots s";

/// Every slot of the server, by name.
///
/// # Errors
/// The statement failed.
pub async fn slot_details(client: &Client) -> Result<Vec<SlotDetail>, PgError> {
    let known = slots(client).await?;
    let rows = client.query(DETAILS, &[]).await;
    let rows = rows.map_err(PgError::sql("reading the details of replication slots"))?;
    let detail = |slot: Slot| {
        // One that was dropped between the two statements is left out.
        let row = rows.iter().find(|row| row.get::<_, &str>(0) == slot.name)?;
        Some(SlotDetail {
            slot,
            kind: row.get(1),
            database: row.get(2),
            temporary: row.get(3),
            retained_bytes: row.get(4),
            safe_bytes: row.get(5),
            invalidation: row.get(6),
            inactive_since: row.get(7),
        })
    };
    Ok(known.into_iter().filter_map(detail).collect())
}
