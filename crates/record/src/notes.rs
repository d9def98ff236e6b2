//! What a recorder noticed that its rows do not say: content that was not compared, and what did not fit.
//!
//! The rule it protects: a column that is left out of a comparison is named, with the reason, whoever left it out.

use std::collections::{BTreeMap, BTreeSet};

use cutover_model::TableShape;

use crate::canonical::left_out;

/// More problems than this tell nothing new.
const PROBLEMS_MAX: usize = 100;
/// More columns than a server's tables have in all: names out of records are no longer kept.
const NAMES_MAX: usize = 10_000;

/// What was noticed while decoding, once each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// (relation, column) whose content was not compared (at least once), with the reason.
    pub not_compared: BTreeMap<(String, String), String>,
    /// What does not fit the tables as described; each one keeps the recording from being complete.
    pub problems: BTreeSet<String>,
    /// How many values some of the problems are about.
    pub values: BTreeMap<String, u64>,
}

impl Notes {
    pub(crate) fn problem(&mut self, text: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.insert(text);
        }
    }

    /// A problem of a value, one more of it.
    pub(crate) fn bad_value(&mut self, text: String) {
        self.bad_values(text, 1);
    }

    fn bad_values(&mut self, text: String, values: u64) {
        self.problem(text.clone());
        if self.problems.contains(&text) {
            *self.values.entry(text).or_default() += values;
        }
    }

    pub(crate) fn not_compared(&mut self, relation: &str, column: &str, reason: &str) {
        let place = (relation.to_owned(), column.to_owned());
        self.not_compared
            .entry(place)
            .or_insert_with(|| reason.to_owned());
    }

    /// A member of a record that is none of the table's columns, or none any more.
    pub(crate) fn none_of_the_table(&mut self, relation: &str, name: &str) {
        match self.not_compared.len() < NAMES_MAX {
            true => self.not_compared(relation, name, "records hold it, and the table does not"),
            false => self.too_many_names(relation),
        }
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

    /// Takes over which columns were not compared, and nothing else.
    pub(crate) fn columns_of(&mut self, other: Notes) {
        for (place, reason) in other.not_compared {
            if self.not_compared.len() >= NAMES_MAX && !self.not_compared.contains_key(&place) {
                self.too_many_names(&place.0);
                return;
            }
            self.not_compared.entry(place).or_insert(reason);
        }
    }

    fn too_many_names(&mut self, relation: &str) {
        self.problem(format!(
            "{relation}: records have more columns than can be named"
        ));
    }

    /// Takes over what another recorder noticed.
    pub fn add(&mut self, mut other: Notes) {
        for problem in std::mem::take(&mut other.problems) {
            match other.values.get(&problem) {
                Some(values) => self.bad_values(problem, *values),
                None => self.problem(problem),
            }
        }
        self.columns_of(other);
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
