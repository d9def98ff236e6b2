//! Records that are older than the columns of their table: what ADD COLUMN filled in stands for what they do not hold.
//!
//! Of a stream that was there before, the last record of a key may be from before an `ALTER TABLE`, which writes no
//! record itself; every change after it does, in the new form. So such a record is still the state of its row if the
//! row holds what was filled in, and nothing else has changed. The rule it protects: only equality is claimed of it. A
//! difference can be a lost change, a value that was computed for each row, or a column that got another one's name,
//! so it stays unknown; so does a record that shows nothing but its key, and one behind a record that had the column
//! already.

use std::collections::BTreeMap;

use cutover_model::canonical::Canonical;
use cutover_model::{ChangeRow, Fill, TableShape};

use crate::canonical::{from_text, row_image};
use crate::notes::Notes;

const WHY: &str = "records from before it was added do not hold it; where one is the last of its key, what ADD COLUMN \
     filled in stands for it";

/// Which columns the records of each partition and table have held so far. In a partition, records stand in the order
/// of the log, so a column that one of them held is older than all that follow.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<(i32, usize), Vec<bool>>);

impl Held {
    /// Whether a record that lacks these columns can be older than they are. What it lacks is named either way.
    pub(super) fn allow(
        &mut self,
        place: (i32, usize),
        shape: &TableShape,
        lacks: &[usize],
        notes: &mut Notes,
    ) -> bool {
        let none = || vec![false; shape.columns.len()];
        let held = self.0.entry(place).or_insert_with(none);
        let mut older = true;
        for (number, held) in held.iter_mut().enumerate() {
            if !lacks.contains(&number) {
                *held = true;
                continue;
            }
            let (relation, name) = (shape.relation.to_string(), &shape.columns[number].name);
            if *held {
                older = false;
                notes.problem(format!(
                    "{relation}: column '{name}' is not in the payload, although it was in earlier records"
                ));
            }
            notes.not_compared(&relation, name, WHY);
        }
        older
    }
}

/// Hash of a row in which the columns that it lacks hold what they were filled with.
pub(super) fn filled(
    shape: &TableShape,
    mut values: Vec<Canonical>,
    lacks: &[usize],
) -> Option<i64> {
    let shows = |(place, value): (usize, &Canonical)| {
        let compared = !matches!(value, Canonical::NotCompared(_));
        compared && !shape.columns[place].key && !lacks.contains(&place)
    };
    if !lacks.is_empty() && !values.iter().enumerate().any(shows) {
        return None;
    }
    for place in lacks {
        let column = &shape.columns[*place];
        values[*place] = match column.fill.as_ref()? {
            Fill::Null => Canonical::Null,
            Fill::Text(text) => from_text(column, text),
        };
        if matches!(values[*place], Canonical::NotCompared(_)) {
            return None;
        }
    }
    row_image(shape, &values).hash
}

/// A record that may be from before a column became what it is: only equality is claimed of what it holds.
pub(super) fn set_aside(row: &mut ChangeRow) {
    row.filled = row.after.take().or(row.filled);
    row.before = None;
    row.revision = None;
}

#[cfg(test)]
mod tests {
    use cutover_model::{Column, Relation, ReplicaIdentity};

    use super::*;
    use crate::canonical::oid;

    fn shape() -> TableShape {
        let column = |name: &str, key, fill: Option<&str>| Column {
            name: name.into(),
            type_oid: oid::TEXT,
            type_modifier: -1,
            key,
            fill: Some(fill.map_or(Fill::Null, |text| Fill::Text(text.into()))),
            ..Column::default()
        };
        TableShape {
            relation: Relation::new("public", "t"),
            columns: vec![
                column("id", true, None),
                column("a", false, None),
                column("b", false, Some("plain")),
                column("c", false, None),
            ],
            replica_identity: ReplicaIdentity::Default,
            content_lost: None,
            unclear_key: false,
        }
    }

    fn row(values: [Option<&str>; 4]) -> Vec<Canonical> {
        let one = |value: Option<&str>| match value {
            Some(text) => Canonical::Text(text.into()),
            None => Canonical::Null,
        };
        values.into_iter().map(one).collect()
    }

    fn stored(values: [Option<&str>; 4]) -> Option<i64> {
        row_image(&shape(), &row(values)).hash
    }

    #[test]
    fn what_was_filled_in_is_what_the_row_holds_and_nothing_else_is() {
        let record = row([Some("1"), Some("x"), None, None]);
        let filled = filled(&shape(), record, &[2, 3]);
        assert_eq!(
            filled,
            stored([Some("1"), Some("x"), Some("plain"), None]),
            "the default and no default"
        );
        for changed in [
            [Some("1"), Some("x"), Some("other"), None],
            [Some("1"), Some("x"), None, None],
            [Some("1"), Some("x"), Some("plain"), Some("z")],
            [Some("1"), Some("y"), Some("plain"), None],
        ] {
            assert_ne!(filled, stored(changed), "{changed:?}");
        }
    }

    #[test]
    fn a_record_that_shows_only_its_key_is_no_row() {
        let record = row([Some("1"), None, None, None]);
        assert_eq!(filled(&shape(), record.clone(), &[1, 2, 3]), None);
        assert!(
            filled(&shape(), record, &[2, 3]).is_some(),
            "a null is shown"
        );
        let mut unread = row([Some("1"), None, None, None]);
        unread[1] = Canonical::NotCompared("left out".into());
        assert_eq!(filled(&shape(), unread, &[2, 3]), None);
    }

    #[test]
    fn a_record_behind_one_that_had_the_column_is_not_older_than_it() {
        let (mut held, shape, mut notes) = (Held::default(), shape(), Notes::default());
        let mut allow = |place, lacks: &[usize]| held.allow(place, &shape, lacks, &mut notes);
        assert!(allow((0, 0), &[2, 3]) && allow((0, 0), &[3]) && allow((0, 0), &[]));
        assert!(allow((1, 0), &[2, 3]), "another partition");
        assert!(!allow((0, 0), &[3]));
        let problems: Vec<&String> = notes.problems.iter().collect();
        assert!(
            problems.len() == 1 && problems[0].contains("'c'"),
            "{problems:?}"
        );
        let named: Vec<&String> = notes.not_compared.keys().map(|place| &place.1).collect();
        assert_eq!(named, ["b", "c"]);
    }
}
