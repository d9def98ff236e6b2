//! What a publication is besides its tables, and adding tables to it.

use cutover_model::Relation;
use cutover_model::table::quote_identifier;
use tokio_postgres::Client;

use super::PgError;

/// A publication's own settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicationTraits {
    /// `FOR ALL TABLES`: tables cannot be added.
    pub all_tables: bool,
    /// It publishes inserts, updates and deletes.
    pub all_changes: bool,
    /// Changes of partitions are published under the name of their root.
    pub via_root: bool,
}

/// The settings of a publication; `None` if there is no such publication.
///
/// # Errors
/// The statement failed.
pub async fn publication_traits(
    client: &Client,
    name: &str,
) -> Result<Option<PublicationTraits>, PgError> {
    let row = client
        .query_opt(
            "SELECT puballtables, pubinsert AND pubupdate AND pubdelete, pubviaroot FROM pg_publication
               WHERE pubname = $1",
            &[&name],
        )
        .await
        .map_err(PgError::sql(format!("reading publication '{name}'")))?;
    Ok(row.map(|row| PublicationTraits {
        all_tables: row.get(0),
        all_changes: row.get(1),
        via_root: row.get(2),
    }))
}

/// The statement that adds tables.
pub fn adding(name: &str, tables: &[Relation]) -> String {
    let tables: Vec<String> = tables.iter().map(Relation::quoted).collect();
    format!(
        "ALTER PUBLICATION {} ADD TABLE {}",
        quote_identifier(name),
        tables.join(", ")
    )
}

/// Adds tables to a publication.
///
/// # Errors
/// The server refused.
pub async fn add_tables(client: &Client, name: &str, tables: &[Relation]) -> Result<(), PgError> {
    let added = client.batch_execute(&adding(name, tables)).await;
    added.map_err(PgError::sql(format!(
        "adding tables to publication '{name}'"
    )))
}
