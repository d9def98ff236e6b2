//! Facts of a start, taken from running systems. Called by the command line, and by a rehearsal right before it
//! resumes a connector, so that the prediction can be compared with what is measured afterwards.
//!
//! The rule it protects: of a configuration only the options that a start depends on are taken over; no password gets
//! into facts, and so none into a file, a report or a log.

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::facts::ServerFacts;
use cutover_clients::pg::slots::Slot;
use cutover_model::Incarnation;
use serde_json::{Map, Value};

use super::facts::{
    FactsFormat, OffsetFacts, PredictionFacts, ServerIdentity, SlotFacts, TargetFacts,
};
use super::settings::RELEVANT;
use crate::error::UpgradeError;

/// What was read from running systems.
#[derive(Debug, Clone, Copy)]
pub struct LiveFacts<'a> {
    /// The server that the connector will reach.
    pub server: &'a ServerFacts,
    /// The connector's slot there.
    pub slot: Option<&'a Slot>,
    /// What Connect has stored.
    pub offset: Option<&'a StoredOffset>,
    /// The connector's configuration.
    pub config: &'a Map<String, Value>,
    /// Version of Debezium that the worker has, such as `3.7.0.Final`.
    pub debezium: &'a str,
    /// Whose log the offset counts, if that was noted.
    pub offset_of: Option<Incarnation>,
    /// The slot's reader is this connector itself, so it will be gone at the start.
    pub slot_is_read_by_us: bool,
}

impl PredictionFacts {
    /// Facts of a start from what running systems say. What they cannot say is absent: how many events are at stake,
    /// what Kafka has, where timelines part, and whether a subscription brings in rows; set those afterwards.
    ///
    /// # Errors
    /// The stored offset has no position.
    pub fn from_live(live: LiveFacts) -> Result<PredictionFacts, UpgradeError> {
        let server = live.server;
        let taken = RELEVANT.iter().filter_map(|name| {
            let value = live.config.get(*name)?;
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            Some(((*name).to_owned(), text))
        });
        Ok(PredictionFacts {
            format: FactsFormat::One,
            debezium: live.debezium.to_owned(),
            options: taken.collect(),
            offset: live
                .offset
                .map(|stored| offset(stored, live.offset_of))
                .transpose()?,
            slot: live.slot.map(|slot| SlotFacts {
                restart_lsn: slot.restart_lsn,
                confirmed_flush_lsn: slot.confirmed_flush,
                wal_status: slot.wal_status.clone(),
                active: slot.active && !live.slot_is_read_by_us,
            }),
            server: TargetFacts {
                version: server.version.clone(),
                system_id: server.incarnation.system_id.to_string(),
                timeline: server.incarnation.timeline,
                current_lsn: server.current_lsn,
                in_recovery: server.in_recovery,
                fork_lsn: None,
                subscribed: false,
            },
            at_stake: None,
            delivered: None,
            around: None,
        })
    }
}

fn offset(stored: &StoredOffset, of: Option<Incarnation>) -> Result<OffsetFacts, UpgradeError> {
    let lsn = stored.lsn().or(stored.lsn_proc());
    Ok(OffsetFacts {
        lsn: lsn
            .ok_or_else(|| UpgradeError::Facts("the stored offset holds no position".into()))?,
        lsn_proc: stored.lsn_proc(),
        lsn_commit: stored.lsn_commit(),
        server: of.map(|life| ServerIdentity {
            system_id: life.system_id.to_string(),
            timeline: life.timeline,
        }),
        in_snapshot: in_snapshot(&stored.offset),
        message_type: stored.message_type().map(str::to_owned),
        events_processed: stored.events_processed(),
    })
}

/// Older versions write `snapshot: true`, newer ones the kind of snapshot; both leave it away while streaming, and
/// say with the last record of a snapshot that it is the last.
fn in_snapshot(offset: &Map<String, Value>) -> bool {
    let under_way = match offset.get("snapshot") {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(kind)) => matches!(kind.to_lowercase().as_str(), "initial" | "true"),
        _ => false,
    };
    let is_set = |name: &str| offset.get(name).and_then(Value::as_bool).unwrap_or(false);
    under_way && !is_set("last_snapshot_record") && !is_set("snapshot_completed")
}

#[cfg(test)]
mod tests {
    use cutover_model::Lsn;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn facts_of_running_systems_hold_positions_and_no_password() {
        let life = Incarnation {
            system_id: 77,
            timeline: 2,
            database_oid: 5,
        };
        let server = ServerFacts {
            version: "17.11".into(),
            version_num: 170_011,
            incarnation: life,
            current_lsn: Lsn(900),
            in_recovery: false,
            wal_level: "logical".into(),
        };
        let stored = StoredOffset {
            partition: json!({"server": "a"}),
            offset: map(
                json!({"lsn": 800, "lsn_proc": 800, "lsn_commit": 700, "snapshot": "INITIAL"}),
            ),
        };
        let config =
            json!({"name": "c", "database.password": "hunter2", "snapshot.mode": "no_data"});
        let facts = PredictionFacts::from_live(LiveFacts {
            server: &server,
            slot: None,
            offset: Some(&stored),
            config: &map(config),
            debezium: "3.7.0.Final",
            offset_of: Some(life),
            slot_is_read_by_us: false,
        });
        let facts = facts.unwrap();
        let text = serde_json::to_string(&facts).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
        let offset = facts.offset.unwrap();
        assert!(offset.in_snapshot);
        assert_eq!(offset.start(), Lsn(800));
        assert_eq!(offset.server.unwrap().system_id, "77");
    }

    #[test]
    fn a_finished_snapshot_is_no_unfinished_one() {
        let stream = json!({"lsn": 1});
        let last = json!({"lsn": 1, "snapshot": true, "last_snapshot_record": true});
        let done = json!({"lsn": 1, "snapshot": "INITIAL", "snapshot_completed": true});
        for offset in [stream, last, done] {
            assert!(!in_snapshot(&map(offset.clone())), "{offset}");
        }
        assert!(in_snapshot(&map(json!({"lsn": 1, "snapshot": true}))));
    }
}
