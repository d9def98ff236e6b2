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

/// What a publication keeps from its readers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Withheld {
    /// Kinds of changes: `inserts`, `updates`, `deletes`.
    pub changes: Vec<&'static str>,
    /// Tables of which it publishes those rows only that pass a filter.
    pub filtered: Vec<Relation>,
    /// The columns that it publishes, of each table.
    pub columns: Vec<(Relation, Vec<String>)>,
}

/// What a publication leaves out; nothing if there is no such publication. Servers before PostgreSQL 15 know neither
/// row filters nor lists of columns.
///
/// # Errors
/// The statement failed.
pub async fn withheld(client: &Client, name: &str) -> Result<Withheld, PgError> {
    let doing = || PgError::sql(format!("reading what publication '{name}' leaves out"));
    let flags = client
        .query_opt(
            "SELECT pubinsert, pubupdate, pubdelete FROM pg_publication WHERE pubname = $1",
            &[&name],
        )
        .await
        .map_err(doing())?;
    let rows = client.query(TABLES, &[&name]).await.map_err(doing())?;
    let mut withheld = Withheld::default();
    for (place, kind) in ["inserts", "updates", "deletes"].into_iter().enumerate() {
        let published = flags.as_ref().is_none_or(|flags| flags.get(place));
        withheld.changes.extend((!published).then_some(kind));
    }
    for row in &rows {
        let table = Relation::new(row.get::<_, String>(0), row.get::<_, String>(1));
        if row.get(2) {
            withheld.filtered.push(table.clone());
        }
        let columns: Option<Vec<String>> = row.get(3);
        withheld
            .columns
            .extend(columns.map(|columns| (table, columns)));
    }
    Ok(withheld)
}

// Through JSON, since older servers have no such columns in the view.
const TABLES: &str = "
SELECT t.schemaname::text, t.tablename::text, to_jsonb(t) ->> 'rowfilter' IS NOT NULL,
       CASE WHEN jsonb_typeof(to_jsonb(t) -> 'attnames') = 'array'
            THEN ARRAY(SELECT jsonb_array_elements_text(to_jsonb(t) -> 'attnames')) END
FROM pg_publication_tables t
WHERE t.pubname = $1";

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
