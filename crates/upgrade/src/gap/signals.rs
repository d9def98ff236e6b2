//! Signals that make Debezium read certain keys of a table again (an incremental snapshot with a condition). Pure.
//!
//! Such a snapshot brings the present row as an `r` record: it sets states right and gives back no history, no delete
//! and no old row. Names and values enter the condition only quoted, since it becomes part of an SQL statement.

use cutover_model::gap::{KeyGap, RereadSignal};
use cutover_model::table::{quote_identifier, quote_literal};
use serde_json::{Map, Value, json};

/// Keys in one signal: longer conditions make statements that servers are slow to plan.
const KEYS_EACH: usize = 200;

/// Signals at most; beyond them the table as a whole is read faster.
const SIGNALS_MAX: usize = 100;

/// Collects the keys that need a re-read.
#[derive(Debug, Default)]
pub struct Signals {
    done: Vec<RereadSignal>,
    open: Vec<(String, Vec<String>)>,
    left_out: u64,
}

impl Signals {
    /// Adds a key.
    pub fn add(&mut self, key: &KeyGap) {
        let condition = if self.done.len() < SIGNALS_MAX {
            condition(&key.key)
        } else {
            None
        };
        let Some(condition) = condition else {
            self.left_out += 1;
            return;
        };
        let place = self
            .open
            .iter()
            .position(|(relation, _)| *relation == key.relation);
        let place = place.unwrap_or_else(|| {
            self.open.push((key.relation.clone(), Vec::new()));
            self.open.len() - 1
        });
        let conditions = &mut self.open[place].1;
        conditions.push(condition);
        if conditions.len() >= KEYS_EACH {
            let full = std::mem::take(conditions);
            self.done.push(signal(&key.relation, &full));
        }
    }

    /// The signals, and the number of keys that are in none.
    pub fn finish(mut self) -> (Vec<RereadSignal>, u64) {
        for (relation, conditions) in &self.open {
            if !conditions.is_empty() {
                self.done.push(signal(relation, conditions));
            }
        }
        (self.done, self.left_out)
    }
}

fn signal(relation: &str, conditions: &[String]) -> RereadSignal {
    RereadSignal {
        relation: relation.to_owned(),
        keys: conditions.len() as u64,
        signal: json!({
            "type": "execute-snapshot",
            "data": {
                "type": "incremental",
                "data-collections": [relation],
                "additional-conditions": [
                    { "data-collection": relation, "filter": conditions.join(" OR ") }
                ],
            },
        }),
    }
}

/// One key as a condition; canonical key texts are what PostgreSQL reads for every type that has one.
fn condition(key: &str) -> Option<String> {
    let columns: Map<String, Value> = serde_json::from_str(key).ok()?;
    let terms: Option<Vec<String>> = columns
        .iter()
        .map(|(name, value)| {
            let literal = quote_literal(value.as_str()?);
            Some(format!("{} = {literal}", quote_identifier(name)))
        })
        .collect();
    let terms = terms.filter(|terms| !terms.is_empty())?;
    Some(match terms.as_slice() {
        [one] => one.clone(),
        several => format!("({})", several.join(" AND ")),
    })
}

#[cfg(test)]
mod tests {
    use cutover_model::gap::{Closure, KeyTrouble};

    use super::*;

    fn key(text: &str) -> KeyGap {
        KeyGap {
            relation: "public.orders".into(),
            key: text.into(),
            trouble: KeyTrouble::Stale,
            newer: false,
            closure: Closure::ByReread,
            why: String::new(),
            last: None,
            last_op: None,
            source_offset: None,
            writes: vec![],
        }
    }

    #[test]
    fn a_signal_names_exactly_these_keys() {
        let mut signals = Signals::default();
        signals.add(&key(r#"{"id":"1"}"#));
        signals.add(&key(r#"{"a":"x","b":"o'clock"}"#));
        let (signals, left_out) = signals.finish();
        assert_eq!((signals.len(), left_out), (1, 0));
        assert_eq!(
            signals[0].signal,
            json!({
                "type": "execute-snapshot",
                "data": {
                    "type": "incremental",
                    "data-collections": ["public.orders"],
                    "additional-conditions": [{
                        "data-collection": "public.orders",
                        "filter": "\"id\" = '1' OR (\"a\" = 'x' AND \"b\" = 'o''clock')",
                    }],
                },
            })
        );
    }

    #[test]
    fn many_keys_become_several_signals_and_an_unreadable_one_is_counted() {
        let mut signals = Signals::default();
        for id in 0..401 {
            signals.add(&key(&format!("{{\"id\":\"{id}\"}}")));
        }
        signals.add(&key(r#"{"id":null}"#));
        let (signals, left_out) = signals.finish();
        let sizes: Vec<u64> = signals.iter().map(|signal| signal.keys).collect();
        assert_eq!((sizes, left_out), (vec![200, 200, 1], 1));
    }
}
