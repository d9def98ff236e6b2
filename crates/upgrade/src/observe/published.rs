//! What the publication keeps from the stream: columns, rows, and kinds of changes.
//!
//! The rule it protects: what nobody was to be sent is not called lost, and a column that is not sent is left out by
//! name before the first row is read. A witness reads through the same publication, so of a window nothing more needs
//! to be said; without one, what is missing may be what was withheld.

use cutover_clients::pg::publication_details::Withheld;
use cutover_model::{Comparison, Relation, TableShape};

use crate::error::UpgradeError;

/// Leaves out the columns that are not published, and says in words what else is not.
///
/// # Errors
/// A key is not published as a whole, so its records name no row.
pub(super) fn narrow(
    shapes: &mut [TableShape],
    withheld: &Withheld,
    publication: &str,
) -> Result<Vec<String>, UpgradeError> {
    for shape in shapes.iter_mut() {
        let of_it = |(table, _): &&(Relation, Vec<String>)| *table == shape.relation;
        let listed = withheld.columns.iter().find(of_it);
        let Some((table, listed)) = listed else {
            continue;
        };
        let kept = |name: &String| listed.contains(name);
        // What the server computes is published on demand only, and left out in any case.
        let columns = shape.columns.iter_mut().filter(|column| !column.generated);
        for column in columns.filter(|column| !kept(&column.name)) {
            if column.key {
                return Err(UpgradeError::Refused(format!(
                    "column {} of the key of {table} is not in the list of columns that publication '{publication}' \
                     publishes, so no record can be told to be of a row",
                    column.name
                )));
            }
            let why = format!("publication '{publication}' does not publish it");
            column.comparison = Comparison::LeftOut(why);
        }
    }
    let captured = |table: &&_| shapes.iter().any(|shape| shape.relation == **table);
    let filtered = withheld.filtered.iter().filter(captured).map(|table| {
        format!("publication '{publication}' publishes rows of {table} by a row filter only")
    });
    let changes = withheld
        .changes
        .iter()
        .map(|kind| format!("publication '{publication}' does not publish {kind}"));
    Ok(filtered.chain(changes).collect())
}

#[cfg(test)]
mod tests {
    use cutover_model::{Column, ReplicaIdentity};

    use super::*;

    fn shapes() -> Vec<TableShape> {
        let column = |name: &str| Column {
            name: name.into(),
            key: name == "id",
            generated: name == "sum",
            comparison: Comparison::Compared,
            ..Column::default()
        };
        vec![TableShape {
            relation: Relation::new("public", "t"),
            columns: ["id", "a", "b", "sum"].map(column).into(),
            replica_identity: ReplicaIdentity::Default,
            content_lost: None,
            unclear_key: false,
        }]
    }

    fn listing(columns: &[&str]) -> Withheld {
        let columns = columns.iter().map(|name| (*name).to_owned());
        Withheld {
            columns: vec![(Relation::new("public", "t"), columns.collect())],
            ..Withheld::default()
        }
    }

    #[test]
    fn a_column_that_is_not_listed_is_left_out_by_name_and_a_key_must_be_listed() {
        let mut shapes = shapes();
        let all = listing(&["id", "a", "b"]);
        assert_eq!(
            narrow(&mut shapes, &all, "p").unwrap(),
            Vec::<String>::new()
        );
        let compared = |shapes: &[TableShape]| -> Vec<bool> {
            let columns = shapes[0].columns.iter();
            columns
                .map(|column| column.comparison == Comparison::Compared)
                .collect()
        };
        assert_eq!(compared(&shapes), [true; 4]);
        narrow(&mut shapes, &listing(&["id", "b"]), "p").unwrap();
        assert_eq!(compared(&shapes), [true, false, true, true]);
        let refused = narrow(&mut shapes, &listing(&["a", "b"]), "p").unwrap_err();
        assert!(refused.to_string().contains("column id"), "{refused}");
    }

    #[test]
    fn rows_and_changes_that_are_withheld_are_said_of_captured_tables() {
        let withheld = Withheld {
            changes: vec!["deletes"],
            filtered: vec![Relation::new("public", "t"), Relation::new("public", "u")],
            columns: Vec::new(),
        };
        let told = narrow(&mut shapes(), &withheld, "p").unwrap();
        assert_eq!(
            told,
            [
                "publication 'p' publishes rows of public.t by a row filter only",
                "publication 'p' does not publish deletes"
            ]
        );
    }
}
