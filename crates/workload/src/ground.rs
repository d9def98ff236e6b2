//! The tables of the load on a server that is not ours: made on request, and never taken from somebody else.
//!
//! The rule it protects: the load changes and deletes rows by their ids, so it writes only to tables that say in their
//! comment that they are the load's.

use cutover_clients::pg::Client;

use crate::connection::sql_error;
use crate::error::WorkloadError;
use crate::tables::{SCHEMA_SQL, relations};

/// What the comment of such a table begins with (`schema.sql`).
const MARK: &str = "cutover load";

const TABLES: &str = "
SELECT c.oid IS NOT NULL, coalesce(obj_description(c.oid, 'pg_class'), '')
FROM unnest($1::text[], $2::text[]) AS wanted (nsp, rel)
LEFT JOIN pg_namespace n ON n.nspname = wanted.nsp
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.rel";

/// Sees to it that the tables are there; makes them if that is wanted.
///
/// # Errors
/// A table is missing and shall not be made, or is somebody else's; the server refused.
pub async fn prepare(client: &Client, make: bool) -> Result<(), WorkloadError> {
    let tables = relations();
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let tell = |source| WorkloadError::Tables {
        source: sql_error("looking at the load's tables", source),
    };
    let rows = client
        .query(TABLES, &[&schemas, &names])
        .await
        .map_err(tell)?;
    let mut missing = Vec::new();
    for (table, row) in tables.iter().zip(&rows) {
        let (there, comment): (bool, &str) = (row.get(0), row.get(1));
        if !there {
            missing.push(table.to_string());
        } else if !comment.starts_with(MARK) {
            return Err(WorkloadError::NotOurs {
                table: table.to_string(),
            });
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    if !make {
        return Err(WorkloadError::NoTables {
            missing: missing.join(", "),
        });
    }
    let made = client.batch_execute(SCHEMA_SQL).await;
    made.map_err(|source| WorkloadError::Tables {
        source: sql_error("making the load's tables", source),
    })
}
