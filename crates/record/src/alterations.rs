//! What `ALTER TABLE` did to captured tables while their log was read.
//!
//! The witness finds it, the recorder of the topics is told. The rule it protects: two ledgers hash a row over the same
//! columns, or not at all. A column that came later is in no hash. Where a column went away or got another type, no
//! ledger has the content of the table's rows from there on; identity, order and number are judged as ever.

use std::collections::BTreeMap;

use cutover_clients::pg::pgoutput::RelationColumn;
use cutover_model::{Column, Comparison, Relation, TableShape};

use crate::RecordError;
use crate::canonical::{left_out, oid};

/// What became of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Alteration {
    /// It was not there when recording began.
    Added,
    /// It was, and is not published any more: dropped, renamed or taken off the publication's list.
    Gone,
    /// It has another type.
    Retyped,
}

/// What became of the columns of captured tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alterations(BTreeMap<Relation, BTreeMap<String, Alteration>>);

impl Alterations {
    /// No table was altered.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A sentence for each altered table.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(relation, columns)| {
            format!(
                "table {relation} was altered while it was recorded: {}",
                what(columns)
            )
        })
    }

    /// The shapes by which the topics are to be read: with every column that a record of the table may show.
    pub fn applied(&self, shapes: &[TableShape]) -> Vec<TableShape> {
        let altered = |shape: &TableShape| match self.0.get(&shape.relation) {
            Some(columns) => apply(columns, shape.clone()),
            None => shape.clone(),
        };
        shapes.iter().map(altered).collect()
    }

    /// Compares a description from the stream with the shape; tells whether the content of rows can still be compared.
    ///
    /// # Errors
    /// The key of the table is not what it was, or the table has none: its rows could not be told from each other by
    /// what both sides know of them.
    pub(crate) fn note(
        &mut self,
        shape: &TableShape,
        streamed: &[RelationColumn<'_>],
    ) -> Result<bool, RecordError> {
        let found = between(shape, streamed);
        let content = found.values().all(|one| *one == Alteration::Added);
        let is_lost = |column: &Column| column.key && found.contains_key(&column.name);
        let key_lost = shape.columns.iter().any(is_lost);
        if key_lost || !content && !shape.has_key() {
            return Err(RecordError::Shape(format!(
                "table {} is not as it was when recording began, and its rows are not known again: {}",
                shape.relation,
                what(&found)
            )));
        }
        if !found.is_empty() {
            let known = self.0.entry(shape.relation.clone()).or_default();
            known.extend(found);
        }
        Ok(content)
    }
}

fn what(columns: &BTreeMap<String, Alteration>) -> String {
    let one = |(name, alteration): (&String, &Alteration)| match alteration {
        Alteration::Added => format!("column '{name}' is new"),
        Alteration::Gone => format!("column '{name}' is not published any more"),
        Alteration::Retyped => format!("column '{name}' has another type"),
    };
    columns.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn apply(columns: &BTreeMap<String, Alteration>, mut shape: TableShape) -> TableShape {
    let mut loses = false;
    for (name, alteration) in columns {
        match alteration {
            Alteration::Added => shape.columns.push(Column {
                name: name.clone(),
                comparison: Comparison::LeftOut("added while the table was recorded".to_owned()),
                ..Column::default()
            }),
            Alteration::Gone | Alteration::Retyped => loses = true,
        }
    }
    if loses {
        let why = format!("altered while it was recorded: {}", what(columns));
        shape.content_lost = Some(why);
    }
    shape
}

fn between(shape: &TableShape, streamed: &[RelationColumn<'_>]) -> BTreeMap<String, Alteration> {
    let mut found = BTreeMap::new();
    for column in streamed {
        let known = |known: &&Column| known.name == column.name;
        match shape.columns.iter().find(known) {
            None => {
                found.insert(column.name.to_owned(), Alteration::Added);
            }
            Some(known) if !reads_alike(known, column) => {
                found.insert(column.name.to_owned(), Alteration::Retyped);
            }
            Some(_) => {}
        }
    }
    for column in &shape.columns {
        let published = streamed.iter().any(|found| found.name == column.name);
        // What the server computes need not be in the log, and what no ledger has is not missed.
        let missed = column.key || left_out(column).is_none();
        if !published && !column.generated && missed {
            found.insert(column.name.clone(), Alteration::Gone);
        }
    }
    found
}

/// The same type, or one whose values have the same canonical text and stand in a record in the same way: an integer
/// that got wider, a text that may be longer.
fn reads_alike(column: &Column, streamed: &RelationColumn<'_>) -> bool {
    if (column.type_oid, column.type_modifier) == (streamed.type_oid, streamed.type_modifier) {
        return true;
    }
    let both =
        |types: &[u32]| types.contains(&column.type_oid) && types.contains(&streamed.type_oid);
    both(&[oid::INT2, oid::INT4, oid::INT8]) || both(&[oid::TEXT, oid::VARCHAR])
}

#[cfg(test)]
mod tests {
    use cutover_model::ReplicaIdentity;

    use super::*;

    fn shape(keyed: bool) -> TableShape {
        let column = |name: &str, type_oid, key| Column {
            name: name.into(),
            type_oid,
            type_modifier: -1,
            key,
            ..Column::default()
        };
        TableShape {
            relation: Relation::new("public", "t"),
            columns: vec![
                column("id", oid::INT4, keyed),
                column("note", oid::TEXT, false),
                column("at", oid::TIMESTAMP, false),
            ],
            replica_identity: ReplicaIdentity::Full,
            content_lost: None,
            unclear_key: false,
        }
    }

    fn streamed(columns: &[(&'static str, u32, i32)]) -> Vec<RelationColumn<'static>> {
        let column = |(name, type_oid, type_modifier): &(&'static str, u32, i32)| RelationColumn {
            identity: true,
            name,
            type_oid: *type_oid,
            type_modifier: *type_modifier,
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn wider_integers_and_longer_texts_are_no_alteration() {
        let mut alterations = Alterations::default();
        let now = streamed(&[
            ("id", oid::INT8, -1),
            ("note", oid::VARCHAR, 44),
            ("at", oid::TIMESTAMP, -1),
        ]);
        assert!(alterations.note(&shape(true), &now).unwrap());
        assert!(alterations.is_empty());
    }

    #[test]
    fn a_new_column_leaves_the_rest_comparable() {
        let mut alterations = Alterations::default();
        let now = streamed(&[
            ("id", oid::INT4, -1),
            ("note", oid::TEXT, -1),
            ("more", oid::INT4, -1),
            ("at", oid::TIMESTAMP, -1),
        ]);
        assert!(alterations.note(&shape(false), &now).unwrap());
        let read = alterations.applied(&[shape(false)]).remove(0);
        assert_eq!(read.content_lost, None);
        let last = read.columns.last().unwrap();
        assert!(last.name == "more" && matches!(last.comparison, Comparison::LeftOut(_)));
        let told: Vec<_> = alterations.sentences().collect();
        assert_eq!(
            told,
            ["table public.t was altered while it was recorded: column 'more' is new"]
        );
    }

    #[test]
    fn a_column_that_went_or_changed_takes_the_content_along() {
        let others = [
            streamed(&[("id", oid::INT4, -1), ("note", oid::TEXT, -1)]),
            streamed(&[
                ("id", oid::INT4, -1),
                ("note", oid::TEXT, -1),
                // The modifier decides the unit in which it is published.
                ("at", oid::TIMESTAMP, 3),
            ]),
        ];
        for now in others {
            let mut alterations = Alterations::default();
            assert!(!alterations.note(&shape(true), &now).unwrap());
            let read = alterations.applied(&[shape(true)]).remove(0);
            assert!(read.content_lost.is_some());
            let refused = Alterations::default().note(&shape(false), &now);
            assert!(matches!(refused, Err(RecordError::Shape(_))));
        }
    }

    #[test]
    fn a_column_that_no_ledger_has_may_go_or_never_come() {
        let mut shape = shape(true);
        shape.columns[1].comparison = Comparison::LeftOut("the publication's list lacks it".into());
        let now = streamed(&[("id", oid::INT4, -1), ("at", oid::TIMESTAMP, -1)]);
        let mut alterations = Alterations::default();
        assert!(alterations.note(&shape, &now).unwrap());
        assert!(alterations.is_empty());
    }

    #[test]
    fn another_key_is_refused() {
        for id in [("id", oid::TEXT, -1), ("number", oid::INT4, -1)] {
            let now = streamed(&[id, ("note", oid::TEXT, -1), ("at", oid::TIMESTAMP, -1)]);
            let refused = Alterations::default().note(&shape(true), &now);
            assert!(matches!(refused, Err(RecordError::Shape(_))), "{id:?}");
        }
    }
}
