//! Offsets that Connect stores for a connector: where Debezium goes on after a restart.
//!
//! Stored by connector name and `{"server": topic.prefix}`; no server identity is in it, so an offset can
//! belong to another incarnation without anybody noticing. Connect validates nothing in a PATCH: a wrong
//! partition is stored beside the right one and ignored, hence the partition is always one that was read.

use std::time::{SystemTime, UNIX_EPOCH};

use cutover_model::Lsn;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Connect, ConnectError};

/// One stored offset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredOffset {
    /// Source partition, `{"server": topic.prefix}`.
    pub partition: Value,
    /// Debezium's own fields. Empty when the offset was reset.
    pub offset: Map<String, Value>,
}

impl StoredOffset {
    /// LSN of the last event handed to Kafka.
    pub fn lsn(&self) -> Option<Lsn> {
        self.position("lsn")
    }

    /// LSN of the last event that was processed completely.
    pub fn lsn_proc(&self) -> Option<Lsn> {
        self.position("lsn_proc")
    }

    /// LSN of the last COMMIT; absent before the first one was seen.
    pub fn lsn_commit(&self) -> Option<Lsn> {
        self.position("lsn_commit")
    }

    /// How far the stream has come: a row of a transaction that was open at a message is sent after it, under a lower
    /// LSN of its own, while `lsn_commit` stays where the message was (docs/anomalies.md, A-020).
    pub fn reached(&self) -> Option<Lsn> {
        self.lsn().max(self.lsn_commit())
    }

    /// Kind of the last event: INSERT, COMMIT, …; absent before the first one.
    pub fn message_type(&self) -> Option<&str> {
        self.offset.get("messageType").and_then(Value::as_str)
    }

    /// How many events of the last position were handed over; Debezium 3.7 and newer.
    pub fn events_processed(&self) -> Option<u64> {
        self.offset
            .get("lsn_events_processed")
            .and_then(Value::as_u64)
    }

    fn position(&self, field: &str) -> Option<Lsn> {
        self.offset
            .get(field)
            .and_then(Value::as_i64)
            .and_then(Lsn::from_i64)
    }
}

/// The offset with which a connector delivers every transaction that commits at or after `position`, a slot's, and no
/// other. `lsn_commit` is the position; `lsn` and `lsn_proc` are one byte less.
///
/// Debezium takes a change that stands exactly at `lsn` for one that it has delivered, and with it everything that its
/// transaction wrote before it (`WalPositionLocator`, 2.4 to 3.7). A slot that was made while others wrote begins where
/// the next record does, and that can be such a change (docs/anomalies.md, A-023). One byte before it no record begins:
/// nothing is matched, and the first transaction that commits beyond `position` is delivered whole. PostgreSQL moves a
/// start below the slot's position up to it.
pub fn offset_at(position: Lsn) -> Map<String, Value> {
    let before = position.just_before().as_i64();
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = since.map_or(0, |since| since.as_micros());
    let mut offset = Map::new();
    for (name, value) in [
        ("lsn", before),
        ("lsn_proc", before),
        ("lsn_commit", position.as_i64()),
    ] {
        offset.insert(name.into(), value.into());
    }
    offset.insert(
        "ts_usec".into(),
        i64::try_from(now).unwrap_or(i64::MAX).into(),
    );
    offset
}

impl Connect {
    /// The stored offset that the connector will start from; `None` without connector or without offset.
    pub async fn offsets(&self, name: &str) -> Result<Option<StoredOffset>, ConnectError> {
        let mut stored = self.all_offsets(name).await?;
        if stored.len() <= 1 {
            return Ok(stored.pop());
        }
        let count = stored.len();
        let config = self.config(name).await?.unwrap_or_default();
        let prefix = config.get("topic.prefix").cloned().unwrap_or_default();
        let mine = json!({ "server": prefix });
        stored
            .into_iter()
            .find(|offset| offset.partition == mine)
            .map(Some)
            .ok_or(ConnectError::AmbiguousOffset {
                connector: name.to_owned(),
                count,
            })
    }

    /// Everything stored for the connector, offsets of former topic prefixes included.
    pub async fn all_offsets(&self, name: &str) -> Result<Vec<StoredOffset>, ConnectError> {
        let path = ["connectors", name, "offsets"];
        let answer = self.call(Method::GET, &path, None).await?;
        match self.must_know(name, (&Method::GET, &path), &answer).await {
            Err(ConnectError::NoConnector { .. }) => return Ok(Vec::new()),
            other => other?,
        }
        let entries = answer.body.get("offsets").and_then(Value::as_array);
        Ok(entries.into_iter().flatten().filter_map(stored).collect())
    }

    /// Rewrites the offset of one partition. The connector must be STOPPED; needs Connect 3.6.
    pub async fn patch_offset(
        &self,
        name: &str,
        partition: &Value,
        offset: &Map<String, Value>,
    ) -> Result<(), ConnectError> {
        let path = ["connectors", name, "offsets"];
        let body = json!({ "offsets": [{ "partition": partition, "offset": offset }] });
        let answer = self.call(Method::PATCH, &path, Some(&body)).await?;
        self.must_know(name, (&Method::PATCH, &path), &answer).await
    }

    /// Removes the offset of one partition; otherwise as [`Connect::patch_offset`].
    pub async fn remove_offset(&self, name: &str, partition: &Value) -> Result<(), ConnectError> {
        let path = ["connectors", name, "offsets"];
        let body = json!({ "offsets": [{ "partition": partition, "offset": null }] });
        let answer = self.call(Method::PATCH, &path, Some(&body)).await?;
        self.must_know(name, (&Method::PATCH, &path), &answer).await
    }
}

fn stored(entry: &Value) -> Option<StoredOffset> {
    // A reset offset is listed with `"offset": null` until the topic is compacted: that is no offset.
    let offset = entry.get("offset")?.as_object()?.clone();
    Some(StoredOffset {
        partition: entry.get("partition")?.clone(),
        offset,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_at_a_position_is_that_of_no_record_and_has_reached_it() {
        let stored = StoredOffset {
            partition: json!({"server": "a"}),
            offset: offset_at(Lsn(0x70A_5490)),
        };
        assert_eq!(stored.lsn(), Some(Lsn(0x70A_548F)));
        assert_eq!(stored.lsn_proc(), stored.lsn());
        assert_eq!(stored.reached(), Some(Lsn(0x70A_5490)));
        assert_eq!(stored.message_type(), None);
    }

    #[test]
    fn positions_are_read_and_a_reset_offset_is_none() {
        let entry = json!({"partition": {"server": "a"},
            "offset": {"lsn_proc": 26000448, "lsn": 26000448, "lsn_commit": 26000000, "txId": 7}});
        let offset = stored(&entry).unwrap();
        assert_eq!(offset.lsn(), Some(Lsn(26_000_448)));
        assert_eq!(offset.lsn_commit(), Some(Lsn(26_000_000)));
        assert_eq!(offset.reached(), Some(Lsn(26_000_448)));
        assert!(stored(&json!({"partition": {"server": "a"}, "offset": null})).is_none());
    }
}
