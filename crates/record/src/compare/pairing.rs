//! Which table is compared with which, by what, and the query that each side is asked: pure, from both catalogues.
//!
//! Rows are merged, so both sides must send them in one order, whatever their locale, and we must be able to check
//! that order. Integers and uuid have one order everywhere; every other key is ordered by its text, byte by byte
//! (`COLLATE "C"`). A table without a common primary key is ordered by the text of its whole rows.

use cutover_model::table::quote_identifier;

use super::catalogue::{StoredColumn, StoredTable};
use super::merge::{KeyOrder, Layout};

/// Two tables of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pair {
    /// What each side is asked.
    pub(super) left_query: String,
    /// As `left_query`.
    pub(super) right_query: String,
    /// How its answer is read.
    pub(super) layout: Layout,
    /// Columns that are compared.
    pub(super) columns: Vec<String>,
    /// What cannot be compared.
    pub(super) left_out: Vec<String>,
    /// What is worth knowing and takes nothing away.
    pub(super) notes: Vec<String>,
}

/// How a key column is ordered and sent.
enum KeyForm {
    /// As it is, by number.
    Integer,
    /// As it is; the server's order is that of the bytes.
    Bytes,
    /// As it is, in the order of its bytes.
    Text,
    /// Its text comes first, for the order; the value follows.
    Cast,
}

impl KeyForm {
    fn of(left: &StoredColumn, right: &StoredColumn) -> KeyForm {
        let both = |fits: fn(&str) -> bool| fits(&left.type_name) && fits(&right.type_name);
        if both(|name| ["smallint", "integer", "bigint", "oid"].contains(&name)) {
            KeyForm::Integer
        } else if both(|name| name == "uuid") {
            KeyForm::Bytes
        } else if both(|name| name == "text" || name.starts_with("character varying")) {
            KeyForm::Text
        } else {
            KeyForm::Cast
        }
    }
}

/// Puts two tables of one name together; `None` if they have no column in common.
pub(super) fn pair(left: &StoredTable, right: &StoredTable) -> Option<Pair> {
    let common: Vec<(&StoredColumn, &StoredColumn)> = left
        .columns
        .iter()
        .filter_map(|column| Some((column, right.column(&column.name)?)))
        .collect();
    if common.is_empty() && !(left.columns.is_empty() && right.columns.is_empty()) {
        return None;
    }
    let mut left_out = Vec::new();
    for (one, other, side) in [(left, right, "left"), (right, left, "right")] {
        let alone = one
            .columns
            .iter()
            .filter(|column| other.column(&column.name).is_none());
        left_out
            .extend(alone.map(|column| format!("column {} is only on the {side}", column.name)));
    }
    let mut notes: Vec<String> = common
        .iter()
        .filter(|(left, right)| left.type_name != right.type_name)
        .map(|(left, right)| {
            format!(
                "column {} is {} on the left and {} on the right; its text was compared",
                left.name, left.type_name, right.type_name
            )
        })
        .collect();
    let keyed = !left.key().is_empty() && left.key() == right.key();
    let (select, order, layout) = if keyed {
        by_key(&left.key(), &common)
    } else {
        notes.push(why_by_content(left, right));
        by_content(&common)
    };
    let query = |table: &StoredTable| {
        // Rows of tables that inherit are read through those.
        let only = if table.partitioned { "" } else { "ONLY " };
        format!(
            "SELECT {select} FROM {only}{} AS t ORDER BY {order}",
            table.relation.quoted()
        )
    };
    Some(Pair {
        left_query: query(left),
        right_query: query(right),
        layout,
        columns: common.iter().map(|(left, _)| left.name.clone()).collect(),
        left_out,
        notes,
    })
}

fn why_by_content(left: &StoredTable, right: &StoredTable) -> String {
    if left.key().is_empty() && right.key().is_empty() {
        return "it has no primary key: equal rows were counted".to_owned();
    }
    let words = |key: Vec<&str>| {
        if key.is_empty() {
            "none".to_owned()
        } else {
            format!("({})", key.join(", "))
        }
    };
    format!(
        "the primary keys differ, {} on the left and {} on the right: equal rows were counted",
        words(left.key()),
        words(right.key())
    )
}

type Query = (String, String, Layout);

fn by_key(key: &[&str], common: &[(&StoredColumn, &StoredColumn)]) -> Query {
    let (mut select, mut order) = (Vec::new(), Vec::new());
    let mut layout = Layout::default();
    let mut sent = Vec::new();
    for name in key {
        let Some((left, right)) = common.iter().find(|(left, _)| left.name == *name) else {
            continue;
        };
        let column = format!("t.{}", quote_identifier(name));
        let text = format!("({column})::text");
        let (expression, by, how, whole) = match KeyForm::of(left, right) {
            KeyForm::Integer => (column.clone(), column, KeyOrder::Integer, true),
            KeyForm::Bytes => (column.clone(), column, KeyOrder::Bytes, true),
            KeyForm::Text => {
                let by = format!("{column} COLLATE \"C\"");
                (column, by, KeyOrder::Bytes, true)
            }
            KeyForm::Cast => {
                let by = format!("{text} COLLATE \"C\"");
                (text, by, KeyOrder::Bytes, false)
            }
        };
        select.push(expression);
        order.push(by);
        layout.key.push(((*name).to_owned(), how));
        if whole {
            sent.push(*name);
        }
    }
    for (column, _) in common {
        if !sent.contains(&column.name.as_str()) {
            select.push(format!("t.{}", quote_identifier(&column.name)));
            layout.values.push(column.name.clone());
        }
    }
    (select.join(", "), order.join(", "), layout)
}

fn by_content(common: &[(&StoredColumn, &StoredColumn)]) -> Query {
    let columns: Vec<String> = common
        .iter()
        .map(|(column, _)| format!("t.{}", quote_identifier(&column.name)))
        .collect();
    let row = format!("ROW({})::text", columns.join(", "));
    let order = format!("{row} COLLATE \"C\"");
    (row, order, Layout::default())
}

#[cfg(test)]
mod tests {
    use cutover_model::Relation;

    use super::*;

    fn table(columns: &[(&str, &str, Option<u32>)]) -> StoredTable {
        StoredTable {
            relation: Relation::new("public", "t\"x"),
            partitioned: false,
            columns: columns
                .iter()
                .map(|(name, type_name, key_place)| StoredColumn {
                    name: (*name).to_owned(),
                    type_name: (*type_name).to_owned(),
                    key_place: *key_place,
                })
                .collect(),
        }
    }

    #[test]
    fn every_key_is_ordered_in_a_way_that_no_locale_changes_and_names_are_quoted() {
        let one = table(&[
            ("n", "numeric", Some(2)),
            ("a\"b", "text", Some(3)),
            ("id", "integer", Some(1)),
            ("v", "jsonb", None),
        ]);
        let mut other = one.clone();
        other.columns[2].type_name = "bigint".into();
        other.partitioned = true;
        let pair = pair(&one, &other).unwrap();
        assert_eq!(
            pair.left_query,
            "SELECT t.\"id\", (t.\"n\")::text, t.\"a\"\"b\", t.\"n\", t.\"v\" \
             FROM ONLY \"public\".\"t\"\"x\" AS t \
             ORDER BY t.\"id\", (t.\"n\")::text COLLATE \"C\", t.\"a\"\"b\" COLLATE \"C\""
        );
        assert!(pair.right_query.contains(" FROM \"public\""));
        assert_eq!(pair.layout.values, ["n", "v"]);
        assert_eq!(pair.columns, ["n", "a\"b", "id", "v"]);
        assert!(pair.left_out.is_empty());
        assert_eq!(
            pair.notes,
            ["column id is integer on the left and bigint on the right; its text was compared"]
        );
    }

    #[test]
    fn without_a_common_key_content_decides_and_columns_of_one_side_are_named() {
        let one = table(&[("id", "integer", Some(1)), ("old", "text", None)]);
        let other = table(&[("id", "integer", None), ("new", "text", None)]);
        let pair = pair(&one, &other).unwrap();
        assert_eq!(
            pair.left_query,
            "SELECT ROW(t.\"id\")::text FROM ONLY \"public\".\"t\"\"x\" AS t \
             ORDER BY ROW(t.\"id\")::text COLLATE \"C\""
        );
        assert_eq!(
            pair.left_out,
            [
                "column old is only on the left",
                "column new is only on the right"
            ]
        );
        assert!(pair.notes[0].contains("(id) on the left and none on the right"));
        let nothing = table(&[("x", "text", None)]);
        assert_eq!(super::pair(&one, &nothing), None);
    }
}
