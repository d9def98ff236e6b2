//! Collations whose version is another one now than when the database was made: after a change of operating system,
//! indexes on text may sort wrongly.

use tokio_postgres::Client;

use super::PgError;

/// The first version that remembers which collation a database was made with.
const REMEMBERS: i32 = 150_000;

/// One line for each database whose default collation has another version now.
///
/// # Errors
/// The statement failed.
pub async fn collation_mismatches(
    client: &Client,
    version_num: i32,
) -> Result<Vec<String>, PgError> {
    if version_num < REMEMBERS {
        return Ok(Vec::new());
    }
    let rows = client
        .query(
            "SELECT datname::text, datcollversion, pg_database_collation_actual_version(oid) FROM pg_database
             WHERE datallowconn
               AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)
               AND datcollversion IS NOT NULL ORDER BY 1",
            &[],
        )
        .await
        .map_err(PgError::sql("comparing the versions of collations"))?;
    let told = |row: &tokio_postgres::Row| {
        let (name, made, now): (String, String, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        format!(
            "database {name} was made with collation version {made}, and it is {} now",
            now.unwrap_or_else(|| "gone".into())
        )
    };
    Ok(rows.iter().map(told).collect())
}
