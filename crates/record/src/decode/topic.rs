//! What a topic is for, and what is known of one while its records are decoded.
//!
//! The rule it protects: records of topics that hold no changes (messages, transactions, heartbeats, signals,
//! notifications) are never taken for changes that could not be read, whatever names the connector was given for them.

use std::collections::BTreeMap;

use cutover_model::Op;
use serde_json::{Map, Value};

use super::decoded::TopicKind;
use super::framing::Framing;
use super::older::Held;
use super::routes::Router;

/// Heartbeats begin so unless the connector was told otherwise.
const HEARTBEATS: &str = "__debezium-heartbeat";

/// Options by which topics without changes have other names than usual.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BesideNames {
    transactions: Option<String>,
    heartbeats: Option<String>,
    signals: Option<String>,
    notifications: Option<String>,
}

impl BesideNames {
    /// By a connector's configuration.
    pub(super) fn of_config(config: &Map<String, Value>) -> BesideNames {
        let option = |name: &str| {
            let text = config.get(name).and_then(Value::as_str).map(str::trim);
            text.filter(|text| !text.is_empty()).map(str::to_owned)
        };
        BesideNames {
            transactions: option("topic.transaction"),
            // The second name is that of versions before 2.0.
            heartbeats: option("topic.heartbeat.prefix").or(option("heartbeat.topics.prefix")),
            signals: option("signal.kafka.topic"),
            notifications: option("notification.sink.topic.name"),
        }
    }
}

/// Topics of one connector that hold no changes.
pub(super) struct Beside {
    messages: String,
    transactions: String,
    heartbeats: String,
    /// Signals, and what the connector says of them.
    signals: Vec<String>,
}

impl Beside {
    pub(super) fn new(prefix: &str, names: &BesideNames, router: &Router<'_>) -> Beside {
        let transactions = names.transactions.as_deref().unwrap_or("transaction");
        let heartbeats = names.heartbeats.as_deref().unwrap_or(HEARTBEATS);
        let signals = names.signals.clone();
        let signals = signals.unwrap_or_else(|| format!("{prefix}-signal"));
        Beside {
            messages: router.of("message"),
            transactions: router.of(transactions),
            heartbeats: router.of_heartbeats(heartbeats),
            signals: std::iter::once(signals)
                .chain(names.notifications.clone())
                .collect(),
        }
    }

    pub(super) fn kind(&self, topic: &str) -> TopicKind {
        if topic == self.messages {
            TopicKind::Messages
        } else if topic == self.transactions {
            TopicKind::Transactions
        } else if topic == self.heartbeats || topic.starts_with(HEARTBEATS) {
            TopicKind::Heartbeats
        } else if self.signals.iter().any(|name| name == topic) {
            TopicKind::Signals
        } else {
            TopicKind::Unknown
        }
    }
}

/// A topic under way.
pub(super) struct Topic {
    pub(super) kind: TopicKind,
    pub(super) keys: Framing,
    pub(super) values: Framing,
    /// Records of several tables go to it.
    pub(super) shared: bool,
    /// Table of the last change.
    pub(super) last: Option<usize>,
    /// Of each partition of a shared topic that ends with a delete, its table: a tombstone right behind is of it.
    pub(super) deleted: BTreeMap<i32, usize>,
    /// Columns that records held, where a table was altered.
    pub(super) held: Held,
}

impl Topic {
    pub(super) fn new(kind: TopicKind, shared: bool) -> Topic {
        Topic {
            kind,
            keys: Framing::default(),
            values: Framing::default(),
            shared,
            last: None,
            deleted: BTreeMap::new(),
            held: Held::default(),
        }
    }

    /// A change of this table stands in it.
    pub(super) fn seen(&mut self, table: usize, op: Option<Op>, partition: i32) {
        self.last = Some(table);
        match op {
            Some(Op::Delete) if self.shared => {
                self.deleted.insert(partition, table);
            }
            _ => {
                self.deleted.remove(&partition);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decode::ConverterModes;

    #[test]
    fn topics_without_changes_are_told_by_the_names_that_they_were_given() {
        let config = json!({
            "topic.transaction": "tx", "topic.heartbeat.prefix": "beats",
            "signal.kafka.topic": "p.signals", "notification.sink.topic.name": "p.notes",
        });
        let modes = ConverterModes::from_connector_config(config.as_object().unwrap());
        let (given, usual) = (modes.beside.clone(), BesideNames::default());
        let kind = |names: &BesideNames, topic: &str| {
            Beside::new("p", names, &Router::new("p", &modes)).kind(topic)
        };
        for (topic, by_given, by_usual) in [
            ("p.message", TopicKind::Messages, TopicKind::Messages),
            ("p.tx", TopicKind::Transactions, TopicKind::Unknown),
            ("p.transaction", TopicKind::Unknown, TopicKind::Transactions),
            ("beats.p", TopicKind::Heartbeats, TopicKind::Unknown),
            ("p.signals", TopicKind::Signals, TopicKind::Unknown),
            ("p.notes", TopicKind::Signals, TopicKind::Unknown),
            ("p-signal", TopicKind::Unknown, TopicKind::Signals),
        ] {
            assert_eq!(kind(&given, topic), by_given, "{topic}");
            assert_eq!(kind(&usual, topic), by_usual, "{topic}");
        }
    }
}
