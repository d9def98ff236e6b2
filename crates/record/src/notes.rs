//! What a recorder noticed that its rows do not say: content that was not compared, and what did not fit.
//!
//! The rule it protects: a column that is left out of a comparison is named, with the reason, whoever left it out.

use std::collections::{BTreeMap, BTreeSet};

use cutover_model::TableShape;

use crate::canonical::left_out;

/// More problems than this tell nothing new.
const PROBLEMS_MAX: usize = 100;

/// What was noticed while decoding, once each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// (relation, column) whose content was not compared (at least once), with the reason.
    pub not_compared: BTreeMap<(String, String), String>,
    /// What does not fit the tables as described; each one keeps the recording from being complete.
    pub problems: BTreeSet<String>,
}

impl Notes {
    pub(crate) fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.insert(text);
        }
    }

    pub(crate) fn not_compared(&mut self, relation: &str, column: &str, reason: &str) {
        let place = (relation.to_owned(), column.to_owned());
        self.not_compared
            .entry(place)
            .or_insert_with(|| reason.to_owned());
    }

    /// The columns that no ledger has.
    pub fn of_shapes(shapes: &[TableShape]) -> Notes {
        let mut notes = Notes::default();
        for shape in shapes {
            for column in &shape.columns {
                let lost = || shape.content_lost.clone().filter(|_| !column.key);
                if let Some(why) = left_out(column).or_else(lost) {
                    notes.not_compared(&shape.relation.to_string(), &column.name, &why);
                }
            }
        }
        notes
    }

    /// Takes over what another recorder noticed.
    pub fn add(&mut self, other: Notes) {
        for ((relation, column), reason) in other.not_compared {
            self.not_compared(&relation, &column, &reason);
        }
        for problem in other.problems {
            self.problem(problem);
        }
    }
}

/// Of content that was not compared: table, column, reason.
impl FromIterator<(String, String, String)> for Notes {
    fn from_iter<I: IntoIterator<Item = (String, String, String)>>(columns: I) -> Notes {
        let mut notes = Notes::default();
        for (relation, column, reason) in columns {
            notes.not_compared(&relation, &column, &reason);
        }
        notes
    }
}
