//! Markers: logical decoding messages that every reader of the log sees, and no table does.

use cutover_model::Lsn;
use tokio_postgres::Client;

use super::{PgError, parse_lsn};

/// Writes a non-transactional message and gives the position right after its record.
///
/// Non-transactional, so it stands in the log where it was written: everything committed before the call comes
/// before it in every slot, and no ROLLBACK takes it back. Readers see the *start* of the record as its LSN.
///
/// # Errors
/// The statement failed.
pub async fn emit_message(client: &Client, prefix: &str, content: &str) -> Result<Lsn, PgError> {
    let row = client
        .query_one(
            "SELECT pg_logical_emit_message(false, $1::text, $2::text)::text",
            &[&prefix, &content],
        )
        .await
        .map_err(PgError::sql("writing a marker into the log"))?;
    parse_lsn(row.get(0))
}

/// Commits a transaction whose only content is a message, so that every reader of the log sees a COMMIT.
///
/// # Errors
/// The statement failed.
pub async fn emit_transaction(client: &Client, prefix: &str, content: &str) -> Result<(), PgError> {
    client
        .query_one(
            "SELECT pg_logical_emit_message(true, $1::text, $2::text)::text",
            &[&prefix, &content],
        )
        .await
        .map_err(PgError::sql("committing a message"))?;
    Ok(())
}
