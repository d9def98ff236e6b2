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

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TypeForm {
    /// A type with an input function of its own, built in or of an extension.
    Base,
    /// One of a list of words.
    Enum,
    /// Fields of several types.
    Composite,
    /// Another type with conditions on it.
    Domain(Box<ValueType>),
    /// Values of one other type.
    Array(Box<ValueType>),
    /// A range of values of another type.
    Range(Box<ValueType>),
    /// Several such ranges.
    Multirange,
}

/// A type that its oid alone does not explain: each database gives its own oids to the types of extensions, to enums,
/// domains, and what is made of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// Modifier of the values, where the type itself has one: that of a domain's base; -1 otherwise.
    pub modifier: i32,
    /// `pg_type.typname`.
    pub name: String,
    /// What it is made of.
    pub form: TypeForm,
}

impl ValueType {
    /// The same type, though each database may have its own oid for it.
    pub fn is_like(&self, other: &ValueType) -> bool {
        use TypeForm as Form;
        let forms = match (&self.form, &other.form) {
            (Form::Domain(one), Form::Domain(two))
            | (Form::Array(one), Form::Array(two))
            | (Form::Range(one), Form::Range(two)) => one.is_like(two),
            (one, two) => one == two,
        };
        forms && self.name == other.name && self.modifier == other.modifier
    }
}

/// Whether a column's content is compared. Settled before the first row is read, so that all ledgers agree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// Nobody asked what the connector is told to publish: only types that every setting shows whole are compared.
    #[default]
    Unsettled,
    /// The connector's settings show it whole.
    Compared,
    /// They do not, and why.
    LeftOut(String),
}

impl Comparison {
    fn is_unsettled(&self) -> bool {
        *self == Comparison::Unsettled
    }
}

/// What ADD COLUMN put into rows that were there before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fill {
    /// Nothing, as far as the server knows: it forgets a value when the table is written anew.
    Null,
    /// This, as PostgreSQL prints it.
    Text(String),
}

/// One column as the catalogue describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// `pg_attribute.attname`.
    pub name: String,
    /// `pg_attribute.atttypid`.
    pub type_oid: u32,
    /// `pg_attribute.atttypmod`; -1 when the type has none.
    pub type_modifier: i32,
    /// Part of the primary key (the message key in Kafka).
    pub key: bool,
    /// The server computes it; the log need not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub generated: bool,
    /// The type, where its oid alone does not explain it; `None` for a built-in scalar type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_of: Option<Box<ValueType>>,
    /// Whether its content is compared.
    #[serde(default, skip_serializing_if = "Comparison::is_unsettled")]
    pub comparison: Comparison,
    /// Where records may be older than the column: what it holds for them. A value of the table, so it is in no file.
    #[serde(skip)]
    pub fill: Option<Fill>,
    /// The transaction that made the column what it is, where another one, or the same with another type, may have had
    /// its name before in this table: what older records hold under the name need not be of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u32>,
}

impl Column {
    /// Described alike, though each database may have its own oid for the type.
    pub fn is_like(&self, other: &Column) -> bool {
        let types = match (&self.made_of, &other.made_of) {
            (Some(one), Some(two)) => one.is_like(two),
            (None, None) => self.type_oid == other.type_oid,
            _ => false,
        };
        let rest = |column: &Column| (column.type_modifier, column.key, column.generated);
        types && self.name == other.name && rest(self) == rest(other)
    }
}

/// A captured table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableShape {
    /// Which table.
    pub relation: Relation,
    /// Columns in attribute order, dropped ones left out.
    pub columns: Vec<Column>,
    /// What the server writes of old rows.
    pub replica_identity: ReplicaIdentity,
    /// Why no ledger has the content of the table's rows; `None` where they have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_lost: Option<String>,
    /// Its records are keyed by a unique index that allows nulls or covers a part of the rows, so a key names no row.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unclear_key: bool,
}

impl TableShape {
    /// Whether rows have a key in Kafka. Without one, identity is content and place in the log.
    pub fn has_key(&self) -> bool {
        self.columns.iter().any(|column| column.key)
    }

    /// Its records may be older than its columns are.
    pub fn has_history(&self) -> bool {
        self.columns.iter().any(|column| column.fill.is_some())
    }

    /// Whether a record of this transaction may be from before a column became what it is. The transaction that altered
    /// the table may have written to it first. Numbers of transactions go round in 32 bits, and of a record that names
    /// none nobody knows.
    pub fn may_be_older(&self, xid: Option<i64>) -> bool {
        let mut since = self.columns.iter().filter_map(|column| column.since);
        match xid {
            Some(xid) => since.any(|since| {
                let behind = xid.wrapping_sub(i64::from(since)) & 0xffff_ffff;
                behind == 0 || behind >= 1 << 31
            }),
            None => since.next().is_some(),
        }
    }

    /// Described alike, though the two may stand in different databases.
    pub fn is_like(&self, other: &TableShape) -> bool {
        let columns = self.columns.iter().zip(&other.columns);
        self.relation == other.relation
            && self.replica_identity == other.replica_identity
            && self.columns.len() == other.columns.len()
            && { columns }.all(|(one, two)| one.is_like(two))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_older_than_a_column_by_its_transaction_round_the_end_of_the_numbers_too() {
        let shape = |since: &[Option<u32>]| TableShape {
            relation: Relation::new("public", "t"),
            columns: since
                .iter()
                .map(|since| Column {
                    since: *since,
                    ..Column::default()
                })
                .collect(),
            replica_identity: ReplicaIdentity::Default,
            content_lost: None,
            unclear_key: false,
        };
        let plain = shape(&[None, None]);
        assert!(!plain.may_be_older(Some(1)) && !plain.may_be_older(None));
        let changed = shape(&[None, Some(900), Some(700)]);
        let older = |xid| changed.may_be_older(xid);
        assert!(older(Some(699)) && older(Some(899)) && older(None));
        assert!(older(Some(900)), "written before the ALTER TABLE beside it");
        assert!(!older(Some(901)));
        let early = shape(&[Some(5)]);
        assert!(early.may_be_older(Some(0xffff_fff0)), "before the wrap");
        assert!(!early.may_be_older(Some((1 << 32) + 6)), "with its epoch");
    }

    fn array_of_enum(oid: u32, word: &str) -> Column {
        let of = |oid, name: &str, form| ValueType {
            oid,
            modifier: -1,
            name: name.into(),
            form,
        };
        let element = Box::new(of(oid, word, TypeForm::Enum));
        Column {
            name: "c".into(),
            type_oid: oid + 1,
            made_of: Some(Box::new(of(
                oid + 1,
                &format!("_{word}"),
                TypeForm::Array(element),
            ))),
            ..Column::default()
        }
    }

    #[test]
    fn a_type_is_known_again_in_a_database_that_numbers_it_otherwise() {
        let mood = array_of_enum(16_400, "mood");
        assert!(mood.is_like(&array_of_enum(17_000, "mood")));
        assert!(!mood.is_like(&array_of_enum(16_400, "colour")));
        assert!(!mood.is_like(&Column {
            made_of: None,
            ..mood.clone()
        }));
        let plain = |type_oid| Column {
            type_oid,
            ..Column::default()
        };
        assert!(plain(20).is_like(&plain(20)) && !plain(20).is_like(&plain(23)));
    }

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        let relation = Relation::new("we\"ird", "a; drop table b");
        assert_eq!(relation.quoted(), "\"we\"\"ird\".\"a; drop table b\"");
        assert_eq!(quote_literal("it's"), "'it''s'");
        assert_eq!(quote_literal("a\\'b"), "E'a\\\\''b'");
    }
}
