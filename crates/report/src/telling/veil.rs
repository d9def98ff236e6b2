//! Row values in reports: hidden unless asked for.
//!
//! The content of a key is a row value, and so is a revision. Hidden keys are numbered in the order in which they are
//! met, so that a reader still sees which findings are about the same row. A hash would not hide them: keys are mostly
//! small numbers, which anybody can try out. Names of tables and topics, positions, transaction numbers, counts and
//! what programs said are shown.

use std::collections::HashMap;

use cutover_model::{Finding, Lsn};

use crate::text::foreign;

/// Whether row values are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Values {
    /// Keys are numbered instead.
    #[default]
    Hidden,
    /// As they are.
    Shown,
}

/// Stands between row values and the reader.
#[derive(Debug, Default)]
pub struct Veil {
    values: Values,
    met: HashMap<(String, String), usize>,
}

impl Veil {
    /// A veil that has met no key yet.
    pub fn new(values: Values) -> Veil {
        Veil {
            values,
            met: HashMap::new(),
        }
    }

    /// The key, or its number.
    pub fn key(&mut self, relation: &str, key: Option<&str>) -> String {
        let Some(key) = key else {
            return "no key".to_owned();
        };
        if self.values == Values::Shown {
            return foreign(key);
        }
        let next = self.met.len() + 1;
        let name = (relation.to_owned(), key.to_owned());
        format!("key {}", self.met.entry(name).or_insert(next))
    }

    /// The revision, if values are shown and the row has one.
    pub fn revision(&self, revision: Option<i64>) -> Option<String> {
        let shown = self.values == Values::Shown;
        revision
            .filter(|_| shown)
            .map(|number| format!("revision {number}"))
    }

    /// The finding as it may be shown: with its key, or with the number of it.
    pub fn over(&mut self, finding: &Finding) -> Finding {
        let mut shown = finding.clone();
        if self.values == Values::Hidden {
            let number = |key: &str| self.key(&finding.relation, Some(key)).replace("key ", "#");
            shown.key = finding.key.as_deref().map(number);
            shown.revision = None;
        }
        shown
    }

    /// What is hidden on this page.
    pub fn sentence(&self) -> &'static str {
        match self.values {
            Values::Hidden => {
                "Row values are hidden: keys are numbered in the order in which they appear, and \
                 revisions are left out. Names of tables and topics, log positions, transaction \
                 numbers, counts, what a sequence gave out last, and messages of programs are \
                 shown. With --show-values the report shows keys and revisions too."
            }
            Values::Shown => {
                "Keys and revisions of rows are shown, as was asked for; the ledgers hold no other row value."
            }
        }
    }
}

/// Where a finding stands, piece by piece, without its key.
pub fn place(finding: &Finding) -> String {
    let mut parts = Vec::new();
    if let Some(lsn) = finding.lsn.and_then(Lsn::from_i64) {
        parts.push(format!("LSN {lsn}"));
    }
    if let Some(xid) = finding.xid {
        parts.push(format!("transaction {xid}"));
    }
    if let Some(topic) = &finding.topic {
        let number = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), |it| it.to_string());
        let partition = number(finding.partition.map(i64::from));
        let offset = number(finding.record_offset);
        parts.push(format!("{}/{partition}/{offset}", foreign(topic)));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hidden_key_has_one_number_wherever_it_is_met() {
        let mut veil = Veil::new(Values::Hidden);
        let mut told = |relation, key| veil.key(relation, Some(key));
        assert_eq!(told("a", "secret"), "key 1");
        assert_eq!(told("b", "secret"), "key 2");
        assert_eq!(told("a", "secret"), "key 1");
        assert_eq!(veil.revision(Some(3)), None);
    }

    #[test]
    fn a_shown_key_cannot_steer_anything() {
        let mut veil = Veil::new(Values::Shown);
        assert_eq!(
            veil.key("a", Some("x\u{202e}y\u{1b}")),
            "x\\u{202e}y\\u{1b}"
        );
        assert_eq!(veil.key("a", None), "no key");
        assert_eq!(veil.revision(Some(3)).as_deref(), Some("revision 3"));
    }
}
