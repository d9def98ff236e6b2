//! Connect's offsets topic, for workers that cannot change offsets themselves (Kafka before 3.6).
//!
//! Stands beside `connect::offsets`, which asks the worker and is to be preferred. A worker looks an offset up
//! by the *bytes* of the record key, and reads every partition of the topic in no particular order; so a record
//! under another spelling is ignored, and one in another partition may win or lose at the next start of the
//! worker. Hence the rules here: the key is the very bytes that stand in the topic already, the partition is the
//! one they stand in, an offset that stands in several partitions is refused, and what was written is read back.
//! Where there is no record yet, the key is spelt as Connect does, and librdkafka's `murmur2` partitioner, which
//! is that of Kafka's Java producer, finds the partition.
//!
//! To be used only while the connector is STOPPED or deleted: a running task stores its own offset over it.

use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use serde_json::{Map, Value, json};

use super::{Kafka, KafkaError, ReadRange, Record};

/// How long a record may take until every replica has it, and how long a read may stand still.
const PATIENCE: Duration = Duration::from_secs(20);

/// The offsets topic of one Connect cluster (`offset.storage.topic` of its workers). Calls block.
#[derive(Debug, Clone, Copy)]
pub struct OffsetsTopic<'a> {
    kafka: &'a Kafka,
    name: &'a str,
}

/// Whose offset: one source partition of one connector.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetKey {
    /// Connector.
    pub connector: String,
    /// Source partition; `{"server": topic.prefix}` with Debezium for PostgreSQL.
    pub partition: Value,
}

/// The newest record of an offset.
#[derive(Debug, Clone, PartialEq)]
pub struct OffsetRecord {
    /// Partition of the topic.
    pub partition: i32,
    /// Place in it.
    pub offset: i64,
    /// Key, byte by byte.
    pub key: Vec<u8>,
    /// The stored offset; `None` for a tombstone, which means that there is none.
    pub value: Option<Map<String, Value>>,
}

impl OffsetKey {
    /// The key as Connect writes it: no space anywhere.
    fn spelt(&self) -> Vec<u8> {
        json!([self.connector, self.partition])
            .to_string()
            .into_bytes()
    }

    fn is_spelt_by(&self, bytes: &[u8]) -> bool {
        serde_json::from_slice::<Value>(bytes)
            .is_ok_and(|key| key == json!([self.connector, self.partition]))
    }
}

impl Kafka {
    /// A Connect cluster's offsets topic.
    pub fn offsets_topic<'a>(&'a self, name: &'a str) -> OffsetsTopic<'a> {
        OffsetsTopic { kafka: self, name }
    }
}

impl OffsetsTopic<'_> {
    /// The newest record of an offset; `None` if there never was one.
    ///
    /// # Errors
    /// The topic cannot be read, or holds the offset in several partitions.
    pub fn find(&self, key: &OffsetKey) -> Result<Option<OffsetRecord>, KafkaError> {
        let mut found = Vec::new();
        for partition in self.partitions()? {
            let (from, to) = self.kafka.watermarks(self.name, partition)?;
            self.collect(partition, (from, to), key, &mut found)?;
        }
        newest(found, &key.spelt()).map_err(|partitions| KafkaError::Scattered {
            topic: self.name.to_owned(),
            connector: key.connector.clone(),
            partitions,
        })
    }

    /// Writes an offset over the stored one, or removes it (`None`), and returns the record as it was read back.
    ///
    /// # Errors
    /// As [`OffsetsTopic::find`]; the record was not acknowledged by every replica; what was read back is not
    /// what was written.
    pub fn write(
        &self,
        key: &OffsetKey,
        value: Option<&Map<String, Value>>,
    ) -> Result<OffsetRecord, KafkaError> {
        let known = self.find(key)?;
        let (bytes, partition) = match known {
            Some(record) => (record.key, Some(record.partition)),
            None => (key.spelt(), None),
        };
        let text = value.map(|value| Value::Object(value.clone()).to_string());
        let (partition, offset) = self.send(&bytes, text.as_deref(), partition)?;
        let mut read = Vec::new();
        self.collect(partition, (offset, offset + 1), key, &mut read)?;
        let written = OffsetRecord {
            partition,
            offset,
            key: bytes,
            value: value.cloned(),
        };
        match read.pop() {
            Some((_, record)) if record == written => Ok(written),
            _ => Err(KafkaError::NotReadBack {
                topic: self.name.to_owned(),
                partition,
                offset,
            }),
        }
    }

    fn partitions(&self) -> Result<Vec<i32>, KafkaError> {
        let topics = self.kafka.topics()?;
        let found = topics.into_iter().find(|topic| topic.name == self.name);
        found
            .map(|topic| topic.partitions)
            .ok_or_else(|| KafkaError::NoPartition {
                topic: self.name.to_owned(),
                partition: 0,
            })
    }

    /// Adds the last record of the key in one partition, for each spelling of it, with its time.
    fn collect(
        &self,
        partition: i32,
        (from, to): (i64, i64),
        key: &OffsetKey,
        found: &mut Vec<(i64, OffsetRecord)>,
    ) -> Result<(), KafkaError> {
        let range = ReadRange {
            topic: self.name,
            partition,
            from,
            to,
            timeout_idle: PATIENCE,
        };
        let mut look = |record: &Record<'_>| {
            let bytes = record.key.unwrap_or_default();
            if key.is_spelt_by(bytes) {
                found.retain(|(_, old)| old.partition != partition || old.key != bytes);
                found.push((record.timestamp_ms.unwrap_or(0), offset_record(record)));
            }
            ControlFlow::Continue(())
        };
        self.kafka.read_range(&range, &mut look)?;
        Ok(())
    }

    /// Sends one record and waits until every replica has it. Returns its place.
    fn send(
        &self,
        key: &[u8],
        value: Option<&str>,
        partition: Option<i32>,
    ) -> Result<(i32, i64), KafkaError> {
        let refused = |source| KafkaError::Write {
            topic: self.name.to_owned(),
            source: Box::new(source),
        };
        let producer: BaseProducer<Receipt> = super::client(&self.kafka.address)
            .set("acks", "all")
            .set("partitioner", "murmur2")
            .set("message.timeout.ms", PATIENCE.as_millis().to_string())
            .create_with_context(Receipt::default())
            .map_err(|source| KafkaError::Config {
                source: Box::new(source),
            })?;
        let mut record: BaseRecord<'_, [u8], str> = BaseRecord::to(self.name).key(key);
        if let Some(value) = value {
            record = record.payload(value);
        }
        if let Some(partition) = partition {
            record = record.partition(partition);
        }
        producer
            .send(record)
            .map_err(|(source, _)| refused(source))?;
        producer.flush(PATIENCE * 2).map_err(refused)?;
        match producer.context().take() {
            Some(Ok(place)) => Ok(place),
            Some(Err(source)) => Err(refused(source)),
            None => Err(KafkaError::Unreachable {
                bootstrap: self.kafka.address.bootstrap().to_owned(),
                source: Box::new(rdkafka::error::KafkaError::NoMessageReceived),
            }),
        }
    }
}

fn offset_record(record: &Record<'_>) -> OffsetRecord {
    OffsetRecord {
        partition: record.partition,
        offset: record.offset,
        key: record.key.unwrap_or_default().to_vec(),
        value: record
            .value
            .and_then(|value| serde_json::from_slice(value).ok()),
    }
}

/// Connect's own spelling counts, if there is one; the newest record of it; it must stand in one partition only.
fn newest(
    mut found: Vec<(i64, OffsetRecord)>,
    spelt: &[u8],
) -> Result<Option<OffsetRecord>, Vec<i32>> {
    if found.iter().any(|(_, record)| record.key == spelt) {
        found.retain(|(_, record)| record.key == spelt);
    }
    found.sort_by_key(|(time, record)| (*time, record.offset));
    let mut partitions: Vec<i32> = found.iter().map(|(_, record)| record.partition).collect();
    partitions.sort_unstable();
    partitions.dedup();
    if partitions.len() > 1 {
        return Err(partitions);
    }
    Ok(found.pop().map(|(_, record)| record))
}

/// What became of the one record of a producer: its place, or why it has none.
#[derive(Default)]
struct Receipt(Mutex<Option<Result<(i32, i64), rdkafka::error::KafkaError>>>);

impl Receipt {
    fn take(&self) -> Option<Result<(i32, i64), rdkafka::error::KafkaError>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Receipt {}

impl ProducerContext for Receipt {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        let outcome = match result {
            Ok(message) => Ok((message.partition(), message.offset())),
            Err((error, _)) => Err(error.clone()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> OffsetKey {
        OffsetKey {
            connector: "pg".into(),
            partition: json!({"server": "cdc"}),
        }
    }

    fn record(time: i64, partition: i32, key: &str) -> (i64, OffsetRecord) {
        let record = OffsetRecord {
            partition,
            offset: time,
            key: key.into(),
            value: None,
        };
        (time, record)
    }

    #[test]
    fn a_key_is_spelt_without_spaces_and_recognised_with_them() {
        assert_eq!(key().spelt(), br#"["pg",{"server":"cdc"}]"#);
        assert!(key().is_spelt_by(br#"["pg", {"server": "cdc"}]"#));
        assert!(!key().is_spelt_by(br#"["pg",{"server":"other"}]"#));
        assert!(!key().is_spelt_by(b"no json"));
    }

    #[test]
    fn connects_own_spelling_wins_over_a_later_one_that_it_would_ignore() {
        let found = vec![
            record(1, 4, r#"["pg",{"server":"cdc"}]"#),
            record(2, 4, r#"["pg", {"server":"cdc"}]"#),
        ];
        let newest = newest(found, &key().spelt()).unwrap().unwrap();
        assert_eq!((newest.offset, newest.partition), (1, 4));
    }

    #[test]
    fn an_offset_that_stands_in_two_partitions_is_refused() {
        let spelt = r#"["pg",{"server":"cdc"}]"#;
        let found = vec![record(1, 8, spelt), record(2, 2, spelt)];
        assert_eq!(newest(found, spelt.as_bytes()), Err(vec![2, 8]));
        assert_eq!(newest(Vec::new(), spelt.as_bytes()), Ok(None));
    }
}
