//! The facts of one start, as JSON: enough to try a case on paper, without any server.
//!
//! Unknown keys are refused with the nearest known one, because a misspelt optional key would silently make the
//! prediction a different one. `offset` and `slot` must be there, as `null` if there is none: what was forgotten must
//! not look like what is missing. Documented for others in `docs/schema/facts-1.schema.json`.

use std::collections::BTreeMap;

use cutover_model::Lsn;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::UpgradeError;

/// Everything that decides what a connector does when it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictionFacts {
    /// What these are. May be left out by whoever writes facts by hand.
    #[serde(default)]
    pub format: FactsFormat,
    /// Release of Debezium, such as `3.6.3`.
    pub debezium: String,
    /// Options of the connector. Only those that matter to a start are looked at.
    pub options: BTreeMap<String, String>,
    /// The offset that Connect has stored for the connector; null if there is none.
    #[serde(deserialize_with = "present")]
    pub offset: Option<OffsetFacts>,
    /// The connector's slot on the server; null if there is none.
    #[serde(deserialize_with = "present")]
    pub slot: Option<SlotFacts>,
    /// The server that the connector will reach.
    pub server: TargetFacts,
    /// Committed, captured changes that are not in Kafka and lie before the position from which the slot (or, with the
    /// offset of another server, that offset) lets this start go on. Known from a witness; absent = unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_stake: Option<u64>,
    /// Position, in the log of this very server, up to which Kafka has every event. Known from the topics;
    /// absent = unknown, and then a repetition cannot be predicted from positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Lsn>,
    /// The events around the offset, where it was stored in the middle of a stream. Known from a witness and the
    /// topics; absent = unknown, and then the offset is taken for one between two transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<AroundFacts>,
}

/// Format name of facts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactsFormat {
    /// The only one so far.
    #[default]
    #[serde(rename = "cutover.facts/1")]
    One,
}

/// The events around a stored offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AroundFacts {
    /// Committed, captured changes at the offset's very position; rows that one COPY wrote into one page share one.
    pub committed_here: u64,
    /// Those of them that Kafka has.
    pub delivered_here: u64,
    /// Their transaction's first change stands there.
    pub begins_here: bool,
    /// The next transaction began before the offset and has a change at its very position: its changes up to and
    /// including that one; 0 if there is no such transaction.
    pub false_match: u64,
    /// Changes in Kafka of transactions that commit after the offset's last COMMIT.
    pub delivered_beyond: u64,
}

/// A stored offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffsetFacts {
    /// Position of the last event handed to Kafka.
    pub lsn: Lsn,
    /// Position of the last event that was processed completely.
    #[serde(default)]
    pub lsn_proc: Option<Lsn>,
    /// Position of the last COMMIT; absent before the first one.
    #[serde(default)]
    pub lsn_commit: Option<Lsn>,
    /// Whose log the positions count. Debezium does not store it: it must have been noted with the offset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServerIdentity>,
    /// The offset was stored in the middle of the initial snapshot.
    #[serde(default, skip_serializing_if = "is_false")]
    pub in_snapshot: bool,
    /// Kind of the last event (`messageType`): INSERT, COMMIT, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_type: Option<String>,
    /// Events delivered at this position (`lsn_events_processed`); stored from Debezium 3.7 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events_processed: Option<u64>,
}

/// Which life of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerIdentity {
    /// System identifier, as text: JSON readers round numbers of this size.
    pub system_id: String,
    /// Timeline.
    pub timeline: u32,
}

/// The connector's slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotFacts {
    /// Oldest log kept for it; null once the server has given that up.
    #[serde(deserialize_with = "present")]
    pub restart_lsn: Option<Lsn>,
    /// What the reader has confirmed; nothing before it is sent again.
    #[serde(deserialize_with = "present")]
    pub confirmed_flush_lsn: Option<Lsn>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    #[serde(default)]
    pub wal_status: Option<String>,
    /// Somebody else reads from it.
    #[serde(default)]
    pub active: bool,
}

/// The server that the connector will reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetFacts {
    /// Version, such as `17.11`.
    pub version: String,
    /// System identifier, as text.
    pub system_id: String,
    /// Timeline.
    pub timeline: u32,
    /// End of its log; in recovery, how far it has replayed.
    pub current_lsn: Lsn,
    /// It replays somebody else's log.
    pub in_recovery: bool,
    /// Where this timeline left the one of the offset, from the `.history` file; absent = unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fork_lsn: Option<Lsn>,
    /// Logical replication brings the captured tables' rows into this database, or has done so since the slot exists.
    #[serde(default, skip_serializing_if = "is_false")]
    pub subscribed: bool,
}

/// How two lives relate; only inside one do positions compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kinship {
    /// The same life.
    Same,
    /// One life branched off from the other: positions compare up to the branch.
    OtherTimeline,
    /// Nothing in common.
    OtherSystem,
    /// The offset does not say whose it is.
    Unknown,
}

impl PredictionFacts {
    /// Reads facts from their JSON form.
    pub fn from_json(text: &str) -> Result<PredictionFacts, UpgradeError> {
        let read = serde_json::from_str(text);
        read.map_err(|error: serde_json::Error| {
            let message = error.to_string();
            let hint = suggestion(&message).unwrap_or_default();
            UpgradeError::Facts(format!("{message}{hint}"))
        })
    }

    /// How the offset's server relates to the one that the connector will reach.
    pub fn kinship(&self) -> Kinship {
        let Some(home) = self
            .offset
            .as_ref()
            .and_then(|offset| offset.server.as_ref())
        else {
            return Kinship::Unknown;
        };
        if home.system_id != self.server.system_id {
            Kinship::OtherSystem
        } else if home.timeline != self.server.timeline {
            Kinship::OtherTimeline
        } else {
            Kinship::Same
        }
    }
}

impl OffsetFacts {
    /// Where Debezium asks the server to go on.
    pub fn start(&self) -> Lsn {
        self.lsn_proc.unwrap_or(self.lsn)
    }

    /// The COMMIT that Debezium waits to see surpassed; falls back as Debezium does.
    pub fn commit(&self) -> Option<Lsn> {
        self.lsn_commit.or(self.lsn_proc)
    }
}

impl SlotFacts {
    /// Where the server begins to send.
    pub fn begin(&self) -> Option<Lsn> {
        self.confirmed_flush_lsn.or(self.restart_lsn)
    }
}

/// `null` is a value, a missing key is an error; serde's own treatment of an optional field allows both.
fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde calls"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// serde says "unknown field `x`, expected one of `a`, `b`"; this adds the nearest of them.
pub fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted).map(|name| format!("; did you mean '{name}'?"))
}

/// The known word that is most like a wrong one, if any is alike at all.
pub fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.map(|name| (strsim::jaro_winkler(wrong, name), name));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best.0 > 0.75).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAPER: &str = r#"{ "debezium": "3.6.3",
        "options": { "snapshot.mode": "no_data", "offset.mismatch.strategy": "no_validation" },
        "offset": { "lsn": "0/4497900", "lsn_proc": "0/4497900", "lsn_commit": "0/4497700",
                    "server": { "system_id": "7", "timeline": 1 } },
        "slot": { "restart_lsn": "0/1923928", "confirmed_flush_lsn": "0/1923960",
                  "wal_status": "reserved", "active": false },
        "server": { "version": "17.11", "system_id": "8", "timeline": 1,
                    "current_lsn": "0/1929A00", "in_recovery": false } }"#;

    fn refused(from: &str, to: &str) -> String {
        let error = PredictionFacts::from_json(&PAPER.replace(from, to)).unwrap_err();
        error.to_string()
    }

    #[test]
    fn facts_on_paper_are_read() {
        let facts = PredictionFacts::from_json(PAPER).unwrap();
        assert_eq!(facts.kinship(), Kinship::OtherSystem);
        assert_eq!(facts.offset.unwrap().start(), Lsn(0x449_7900));
        assert_eq!(facts.at_stake, None);
    }

    #[test]
    fn a_wrong_key_is_answered_with_the_right_one() {
        let text = refused("lsn_commit", "lsn_comit");
        assert!(text.contains("`lsn_comit`"), "{text}");
        assert!(text.contains("did you mean 'lsn_commit'?"), "{text}");
        let text = refused("\"active\": false", "\"restart\": \"0/1\"");
        assert!(text.contains("'restart_lsn'"), "{text}");
    }

    #[test]
    fn a_forgotten_slot_is_not_a_missing_slot() {
        let text = refused("\"slot\":", "\"at_stake\": 1, \"slott\":");
        assert!(text.contains("'slot'"), "{text}");
        let without = PAPER
            .lines()
            .filter(|line| !line.contains("slot") && !line.contains("wal_status"));
        let text: String = without.collect();
        let error = PredictionFacts::from_json(&text).unwrap_err().to_string();
        assert!(error.contains("missing field `slot`"), "{error}");
    }

    #[test]
    fn what_is_no_position_or_no_text_is_refused() {
        assert!(refused("\"0/1923960\"", "26360160").contains("string"));
        assert!(refused("0/1923960", "192396O").contains("is not an LSN"));
        assert!(refused("\"8\"", "8").contains("string"));
    }

    #[test]
    fn facts_survive_writing_and_reading() {
        let facts = PredictionFacts::from_json(PAPER).unwrap();
        let written = serde_json::to_string(&facts).unwrap();
        assert_eq!(PredictionFacts::from_json(&written).unwrap(), facts);
    }
}
