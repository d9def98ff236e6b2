//! What a database has to compare: its ordinary and partitioned tables, their columns and primary keys.
//!
//! Read through the same snapshot as the rows. A partition is read through its root, so that two databases may cut a
//! table differently.

use cutover_clients::pg::copy::Snapshot;
use cutover_model::Relation;

use crate::RecordError;

/// A column as one side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredColumn {
    pub(super) name: String,
    /// As `format_type` writes it.
    pub(super) type_name: String,
    /// Place in the primary key, from 1.
    pub(super) key_place: Option<u32>,
}

/// A table as one side has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredTable {
    pub(super) relation: Relation,
    /// Its rows lie in partitions.
    pub(super) partitioned: bool,
    /// In attribute order.
    pub(super) columns: Vec<StoredColumn>,
}

impl StoredTable {
    /// Names of the primary key's columns in its own order; empty without one.
    pub(super) fn key(&self) -> Vec<&str> {
        let place = |column: &&StoredColumn| column.key_place;
        let mut columns: Vec<&StoredColumn> = self.columns.iter().collect();
        columns.retain(|column| column.key_place.is_some());
        columns.sort_by_key(place);
        columns.iter().map(|column| column.name.as_str()).collect()
    }

    pub(super) fn column(&self, name: &str) -> Option<&StoredColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

const TABLES: &str = "
SELECT n.nspname, c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod),
       (SELECT k.place FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
        WHERE k.attnum = a.attnum AND k.place <= i.indnkeyatts LIMIT 1)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'
ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", a.attnum";

/// Every table of the connected database that is no system table.
pub(super) fn tables(snapshot: &mut Snapshot) -> Result<Vec<StoredTable>, RecordError> {
    let what = "reading the list of tables";
    let mut tables: Vec<StoredTable> = Vec::new();
    for mut row in snapshot.table(TABLES, what)? {
        let mut take = |index: usize| row.get_mut(index).and_then(Option::take);
        let name = |value: Option<String>| {
            value.ok_or_else(|| RecordError::Shape("the catalogue names no table".to_owned()))
        };
        let relation = Relation::new(name(take(0))?, name(take(1))?);
        if tables.last().is_none_or(|last| last.relation != relation) {
            tables.push(StoredTable {
                relation,
                partitioned: take(2).as_deref() == Some("p"),
                columns: Vec::new(),
            });
        }
        if let (Some(name), Some(table)) = (take(3), tables.last_mut()) {
            table.columns.push(StoredColumn {
                name,
                type_name: take(4).unwrap_or_default(),
                key_place: take(5).and_then(|place| place.parse().ok()),
            });
        }
    }
    Ok(tables)
}
