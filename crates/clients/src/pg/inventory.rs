//! What a server holds and what it could make: sizes, extensions, collations, limits. Read-only, but for one collation
//! that is made and rolled back to learn whether the programs have ICU at all.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::PgError;

/// How large a server's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// All databases, template databases included.
    pub bytes: u64,
    /// `pg_wal`.
    pub wal_bytes: u64,
    /// Databases.
    pub databases: u32,
    /// Logical replication slots.
    pub logical_slots: u32,
    /// Replication slots of both kinds.
    pub slots: u32,
}

/// Sizes of a server.
///
/// # Errors
/// The statement failed.
pub async fn sizes(client: &Client) -> Result<Sizes, PgError> {
    let row = client
        .query_one(
            "SELECT (SELECT sum(pg_database_size(oid))::int8 FROM pg_database),
                    (SELECT coalesce(sum(size), 0)::int8 FROM pg_ls_waldir()),
                    (SELECT count(*) FROM pg_database),
                    (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical'),
                    (SELECT count(*) FROM pg_replication_slots)",
            &[],
        )
        .await
        .map_err(PgError::sql("reading the sizes of the databases"))?;
    let bytes = |index: usize| row.get::<_, i64>(index).unsigned_abs();
    let count = |index: usize| u32::try_from(row.get::<_, i64>(index)).unwrap_or(u32::MAX);
    Ok(Sizes {
        bytes: bytes(0),
        wal_bytes: bytes(1),
        databases: count(2),
        logical_slots: count(3),
        slots: count(4),
    })
}

/// Databases that can be connected to, template databases left out.
///
/// # Errors
/// The statement failed.
pub async fn databases(client: &Client) -> Result<Vec<String>, PgError> {
    let rows = client
        .query(
            "SELECT datname::text FROM pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1",
            &[],
        )
        .await
        .map_err(PgError::sql("listing the databases"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Extensions of the connected database: name and version.
///
/// # Errors
/// The statement failed.
pub async fn extensions(client: &Client) -> Result<Vec<(String, String)>, PgError> {
    pairs(
        client,
        "SELECT extname::text, extversion FROM pg_extension ORDER BY 1",
        "listing the extensions",
    )
    .await
}

/// Extensions that the server's programs could make: name and every version.
///
/// # Errors
/// The statement failed.
pub async fn available_extensions(client: &Client) -> Result<Vec<(String, String)>, PgError> {
    pairs(
        client,
        "SELECT name::text, version FROM pg_available_extension_versions ORDER BY 1, 2",
        "listing the extensions that could be made",
    )
    .await
}

async fn pairs(client: &Client, query: &str, what: &str) -> Result<Vec<(String, String)>, PgError> {
    let rows = client.query(query, &[]).await.map_err(PgError::sql(what))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// What in the connected database sorts by ICU: its default, collations that were made, and what columns use.
///
/// # Errors
/// The statement failed.
pub async fn icu_uses(client: &Client) -> Result<Vec<String>, PgError> {
    let rows = client
        .query(ICU_USES, &[])
        .await
        .map_err(PgError::sql("looking for ICU collations"))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Why the server's programs make no ICU collation; `None` if they do. What is made is rolled back.
///
/// # Errors
/// The statement failed for another reason.
pub async fn icu_refused(client: &Client) -> Result<Option<String>, PgError> {
    let script =
        "BEGIN; CREATE COLLATION cutover_icu_probe (provider = icu, locale = 'und'); ROLLBACK";
    let made = client.batch_execute(script).await;
    match made {
        Ok(()) => Ok(None),
        Err(error) if error.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
            // The script ended inside its transaction.
            let ended = client.batch_execute("ROLLBACK").await;
            ended.map_err(PgError::sql("ending the probe for ICU"))?;
            let said = error.as_db_error().map(|said| said.message().to_owned());
            Ok(Some(said.unwrap_or_else(|| error.to_string())))
        }
        Err(error) => Err(PgError::sql("looking whether there is ICU")(error)),
    }
}

/// Settings by name; one that the server does not know is left out.
///
/// # Errors
/// The statement failed.
pub async fn settings(
    client: &Client,
    names: &[&str],
) -> Result<BTreeMap<String, String>, PgError> {
    let rows = client
        .query(
            "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)",
            &[&names],
        )
        .await
        .map_err(PgError::sql("reading the server's limits"))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

// Collations below 16384 came with initdb: they are not dumped, and matter only where something uses them. A column
// of an index has its collation in pg_attribute as well.
const ICU_USES: &str = "
SELECT 'database ' || datname FROM pg_database d
WHERE datname = current_database() AND to_jsonb(d) ->> 'datlocprovider' = 'i'
UNION
SELECT 'collation ' || collnamespace::regnamespace || '.' || quote_ident(collname) FROM pg_collation
WHERE collprovider = 'i' AND oid >= 16384
UNION
SELECT 'column ' || a.attrelid::regclass || '.' || quote_ident(a.attname)
FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation
WHERE c.collprovider = 'i' AND a.attnum > 0 AND NOT a.attisdropped AND a.attrelid >= 16384
UNION
SELECT 'type ' || t.oid::regtype FROM pg_type t JOIN pg_collation c ON c.oid = t.typcollation
WHERE c.collprovider = 'i' AND t.oid >= 16384
ORDER BY 1";
