//! Server settings that a runbook changes for a while, with what is needed to take them back.

use cutover_model::table::{quote_identifier, quote_literal};
use tokio_postgres::Client;

use super::PgError;

/// The value that ALTER SYSTEM has set, if it has.
///
/// # Errors
/// The statement failed.
pub async fn system_setting(client: &Client, name: &str) -> Result<Option<String>, PgError> {
    let row = client
        .query_opt(
            "SELECT setting FROM pg_file_settings
             WHERE name = $1 AND sourcefile LIKE '%postgresql.auto.conf' ORDER BY seqno DESC LIMIT 1",
            &[&name],
        )
        .await
        .map_err(PgError::sql(format!("reading setting '{name}'")))?;
    Ok(row.and_then(|row| row.get(0)))
}

/// Sets a setting for the whole server, or removes it from what ALTER SYSTEM has set, and reloads.
///
/// # Errors
/// The server refused.
pub async fn alter_system(client: &Client, name: &str, value: Option<&str>) -> Result<(), PgError> {
    let name = quote_identifier(name);
    let statement = match value {
        Some(value) => format!("ALTER SYSTEM SET {name} = {}", quote_literal(value)),
        None => format!("ALTER SYSTEM RESET {name}"),
    };
    let doing = || PgError::sql(format!("changing setting {name}"));
    client.batch_execute(&statement).await.map_err(doing())?;
    client
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .map_err(doing())
}

/// Number of autovacuum workers at work.
///
/// # Errors
/// The statement failed.
pub async fn autovacuum_workers(client: &Client) -> Result<i64, PgError> {
    let row = client
        .query_one(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'",
            &[],
        )
        .await
        .map_err(PgError::sql("looking for autovacuum workers"))?;
    Ok(row.get(0))
}

/// A setting as sessions see it.
///
/// # Errors
/// There is no such setting.
pub async fn setting(client: &Client, name: &str) -> Result<String, PgError> {
    let row = client
        .query_one("SELECT current_setting($1)", &[&name])
        .await
        .map_err(PgError::sql(format!("reading setting '{name}'")))?;
    Ok(row.get(0))
}
