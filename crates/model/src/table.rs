//! What a captured table looks like: names, column types, key. Recorders need it to bring a value to its
//! canonical form; the audit needs it to say what could not be compared.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A table by schema and name, exactly as PostgreSQL stores them (no quoting).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Relation {
    /// Schema name.
    pub schema: String,
    /// Table name.
    pub name: String,
}

impl Relation {
    /// A relation from its two names.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Relation {
        Relation {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// The form for SQL text: each part quoted, quotes inside doubled. The only way names enter SQL.
    pub fn quoted(&self) -> String {
        format!(
            "{}.{}",
            quote_identifier(&self.schema),
            quote_identifier(&self.name)
        )
    }
}

/// Ledger form: `schema.name`.
impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// Quotes an SQL identifier (slot names are literals, not identifiers: see [`quote_literal`]).
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes an SQL string literal for the few statements that take no parameters (replication commands, DDL).
/// Backslashes are doubled under the `E` form, so it is right whatever `standard_conforming_strings` says.
pub fn quote_literal(text: &str) -> String {
    let quotes = text.replace('\'', "''");
    if text.contains('\\') {
        format!("E'{}'", quotes.replace('\\', "\\\\"))
    } else {
        format!("'{quotes}'")
    }
}

/// `pg_class.relreplident`: what the server writes of the old row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReplicaIdentity {
    /// Primary key columns.
    Default,
    /// Every column.
    Full,
    /// The columns of one unique index.
    Index,
    /// Nothing: updates and deletes are not published.
    Nothing,
}

/// One column as the catalogue describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `pg_attribute.attname`.
    pub name: String,
    /// `pg_attribute.atttypid`.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`; -1 when the type has none.
    pub type_modifier: i32,
    /// Part of the primary key (the message key in Kafka).
    pub key: bool,
}

/// A captured table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableShape {
    /// Which table.
    pub relation: Relation,
    /// Columns in attribute order, dropped and generated ones left out.
    pub columns: Vec<Column>,
    /// What the server writes of old rows.
    pub replica_identity: ReplicaIdentity,
}

impl TableShape {
    /// Whether rows have a key in Kafka. Without one, identity is content and place in the log.
    pub fn has_key(&self) -> bool {
        self.columns.iter().any(|column| column.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        let relation = Relation::new("we\"ird", "a; drop table b");
        assert_eq!(relation.quoted(), "\"we\"\"ird\".\"a; drop table b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
    }
}
