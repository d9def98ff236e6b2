//! What a publication captures, and what the captured tables look like.

use std::collections::HashMap;

use cutover_model::table::quote_identifier;
use cutover_model::{Column, Comparison, Fill, Relation, ReplicaIdentity, TableShape};
use tokio_postgres::Client;

use super::{PgError, composition};

/// Tables of a publication in name order (partitions and schemas resolved by the server); `None` if there is no
/// such publication.
///
/// # Errors
/// The statement failed.
pub async fn publication_tables(
    client: &Client,
    name: &str,
) -> Result<Option<Vec<Relation>>, PgError> {
    let doing = || PgError::sql(format!("reading publication '{name}'"));
    let exists = client
        .query_opt("SELECT 1 FROM pg_publication WHERE pubname = $1", &[&name])
        .await
        .map_err(doing())?;
    if exists.is_none() {
        return Ok(None);
    }
    let rows = client
        .query(
            "SELECT schemaname::text, tablename::text FROM pg_publication_tables
             WHERE pubname = $1 ORDER BY 1, 2",
            &[&name],
        )
        .await
        .map_err(doing())?;
    Ok(Some(
        rows.iter()
            .map(|row| Relation::new(row.get::<_, String>(0), row.get::<_, String>(1)))
            .collect(),
    ))
}

/// Makes a publication of these tables (of none, if the list is empty).
///
/// # Errors
/// The server refused.
pub async fn create_publication(
    client: &Client,
    name: &str,
    tables: &[Relation],
) -> Result<(), PgError> {
    let mut sql = format!("CREATE PUBLICATION {}", quote_identifier(name));
    if !tables.is_empty() {
        let names: Vec<String> = tables.iter().map(Relation::quoted).collect();
        sql.push_str(&format!(" FOR TABLE {}", names.join(", ")));
    }
    client
        .batch_execute(&sql)
        .await
        .map_err(PgError::sql(format!("creating publication '{name}'")))
}

/// Makes the server write whole old rows of a table.
///
/// # Errors
/// The server refused.
pub async fn set_replica_identity_full(client: &Client, table: &Relation) -> Result<(), PgError> {
    client
        .batch_execute(&format!(
            "ALTER TABLE {} REPLICA IDENTITY FULL",
            table.quoted()
        ))
        .await
        .map_err(PgError::sql(format!(
            "setting the replica identity of {table}"
        )))
}

/// Number of rows of a table.
///
/// # Errors
/// The statement failed.
pub async fn count_rows(client: &Client, relation: &Relation) -> Result<i64, PgError> {
    let statement = format!("SELECT count(*) FROM {}", relation.quoted());
    let row = client.query_one(&statement, &[]).await;
    Ok(row
        .map_err(PgError::sql(format!("counting the rows of {relation}")))?
        .get(0))
}

/// Whether a subscription of the connected database brings in rows of a table that the publication captures.
///
/// # Errors
/// The statement failed.
pub async fn has_subscribed_tables(client: &Client, publication: &str) -> Result<bool, PgError> {
    let row = client
        .query_one(
            "SELECT EXISTS (SELECT FROM pg_subscription_rel r
                            JOIN pg_class c ON c.oid = r.srrelid
                            JOIN pg_namespace n ON n.oid = c.relnamespace
                            JOIN pg_publication_tables t
                              ON t.schemaname = n.nspname AND t.tablename = c.relname
                            WHERE t.pubname = $1)",
            &[&publication],
        )
        .await
        .map_err(PgError::sql(format!(
            "looking for subscriptions behind publication '{publication}'"
        )))?;
    Ok(row.get(0))
}

/// Debezium keys a table without primary key by its first unique index in the order of JDBC's `getIndexInfo` (clustered
/// ones first, then by name), leaving out those over expressions. Where that index allows nulls or covers a part of the
/// rows, its values name no row ([`TableShape::unclear_key`]). JDBC takes the columns of INCLUDE for a part of a unique
/// index, and not of a primary key.
const SHAPES: &str = "
SELECT n.nspname::text, c.relname::text, c.relreplident::text, a.attname::text, a.atttypid,
       a.atttypmod,
       coalesce(a.attnum = ANY (i.columns) AND i.names_rows, false), a.attgenerated <> '',
       coalesce(NOT i.names_rows, false)
FROM unnest($1::text[], $2::text[]) AS wanted (nsp, rel)
JOIN pg_namespace n ON n.nspname = wanted.nsp
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.rel
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN LATERAL (
    SELECT k.columns,
           u.indisprimary OR u.indpred IS NULL AND NOT EXISTS (
               SELECT FROM pg_attribute e
               WHERE e.attrelid = c.oid AND e.attnum = ANY (k.columns) AND NOT e.attnotnull
           ) AS names_rows
    FROM pg_index u
    CROSS JOIN LATERAL (
        SELECT CASE WHEN u.indisprimary THEN (u.indkey::int2[])[0:u.indnkeyatts - 1]
                    ELSE u.indkey::int2[] END AS columns
    ) k
    JOIN pg_class x ON x.oid = u.indexrelid
    WHERE u.indrelid = c.oid AND u.indisunique AND 0 <> ALL (u.indkey::int2[])
    ORDER BY NOT u.indisprimary, NOT u.indisclustered, x.relname
    LIMIT 1
) i ON true
WHERE c.relkind IN ('r', 'p')
ORDER BY c.oid, a.attnum";

/// Notes of every column what records that are older than it need: what ADD COLUMN filled into the rows that were
/// there, and since when it is what it is.
///
/// The server keeps a value that was filled in until the table is written anew, and one that was computed for each row
/// never. A column's line in the catalogue is of the transaction that wrote it last (`xmin`), those of the system's
/// columns are of the one that made the table. ALTER TABLE writes it for a default or NOT NULL too. So it counts only
/// where the column can have been another one: the table was written anew, a column before it was dropped, or its type
/// is one of those that change their precision or their kind without that (numbers, times). A line that is older than
/// the numbers of transactions reach tells nothing.
///
/// # Errors
/// The statement failed.
pub async fn read_history(client: &Client, shapes: &mut [TableShape]) -> Result<(), PgError> {
    let tables = || shapes.iter().map(|shape| &shape.relation);
    let schemas: Vec<&str> = tables().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables().map(|table| table.name.as_str()).collect();
    let rows = client
        .query(HISTORY, &[&schemas, &names])
        .await
        .map_err(PgError::sql("reading what older records need"))?;
    let fill = |row: &tokio_postgres::Row| {
        let table = Relation::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let text: Option<String> = row.get(3);
        let fill = text.map_or(Fill::Null, Fill::Text);
        let since: Option<i64> = row.get(5);
        let since = since.and_then(|xid| u32::try_from(xid).ok());
        (
            (table, row.get(2)),
            (Some(fill).filter(|_| row.get(4)), since),
        )
    };
    let known: HashMap<(Relation, String), (Option<Fill>, Option<u32>)> =
        rows.iter().map(fill).collect();
    for shape in shapes {
        for column in &mut shape.columns {
            let place = (shape.relation.clone(), column.name.clone());
            (column.fill, column.since) = known.get(&place).cloned().unwrap_or_default();
        }
    }
    Ok(())
}

// An array in the array that holds it has one dimension more, and its text is taken apart otherwise: it is left out, so
// that nothing is claimed of records that lack it.
const HISTORY: &str = "
SELECT n.nspname::text, c.relname::text, a.attname::text,
       CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END,
       NOT (a.atthasmissing AND t.typcategory = 'A'),
       CASE WHEN a.xmin::text <> s.xmin::text AND age(a.xmin) BETWEEN 0 AND 2000000000 AND (
                a.atttypid IN ('numeric'::regtype, 'time'::regtype, 'timetz'::regtype,
                               'timestamp'::regtype, 'timestamptz'::regtype)
                OR EXISTS (
                    SELECT FROM pg_attribute d
                    WHERE d.attrelid = c.oid AND d.attisdropped AND d.attnum < a.attnum
                )
                OR EXISTS (
                    SELECT FROM (
                        SELECT c.oid AS oid WHERE c.relkind = 'r'
                        UNION ALL
                        SELECT p.relid FROM pg_partition_tree(c.oid) p
                        WHERE c.relkind = 'p' AND p.isleaf
                    ) part
                    JOIN pg_class f ON f.oid = part.oid
                    WHERE f.relfilenode <> f.oid
                ))
            THEN a.xmin::text::bigint END
FROM unnest($1::text[], $2::text[]) AS wanted (nsp, rel)
JOIN pg_namespace n ON n.nspname = wanted.nsp
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.rel
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_attribute s ON s.attrelid = c.oid AND s.attnum = -1
JOIN pg_type t ON t.oid = a.atttypid";

/// The shapes of these tables, in the order asked for.
///
/// # Errors
/// [`PgError::Missing`] when one of them is not there.
pub async fn table_shapes(
    client: &Client,
    tables: &[Relation],
) -> Result<Vec<TableShape>, PgError> {
    let schemas: Vec<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let rows = client
        .query(SHAPES, &[&schemas, &names])
        .await
        .map_err(PgError::sql("reading the shapes of captured tables"))?;
    let types = composition::of_columns(client, &rows).await?;
    let mut shapes: HashMap<Relation, TableShape> = HashMap::new();
    for row in &rows {
        let relation = Relation::new(row.get::<_, String>(0), row.get::<_, String>(1));
        let replica_identity = match row.get::<_, &str>(2) {
            "f" => ReplicaIdentity::Full,
            "i" => ReplicaIdentity::Index,
            "n" => ReplicaIdentity::Nothing,
            _ => ReplicaIdentity::Default,
        };
        let shape = shapes
            .entry(relation.clone())
            .or_insert_with(|| TableShape {
                relation,
                columns: Vec::new(),
                replica_identity,
                content_lost: None,
                unclear_key: row.get(8),
            });
        if let Some(name) = row.get::<_, Option<String>>(3) {
            shape.columns.push(Column {
                made_of: composition::made_of(&types, row.get(4)),
                name,
                type_oid: row.get(4),
                type_modifier: row.get(5),
                key: row.get(6),
                generated: row.get(7),
                comparison: Comparison::Unsettled,
                fill: None,
                since: None,
            });
        }
    }
    tables
        .iter()
        .map(|table| {
            let found = shapes.get(table).cloned();
            found.ok_or_else(|| PgError::Missing(format!("table {}", table.quoted())))
        })
        .collect()
}
