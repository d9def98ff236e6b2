//! Writes the records that close a gap: chosen partition, given bytes, headers that mark them.
//!
//! Stands at the end of a repair, after the plan. The rules it protects: the records of a partition stand in the
//! order in which they were given, each once (idempotent producer, `acks=all`), and [`RepairWriter::settle`]
//! returns only when every replica in sync has all of them, or says which topic did not take one.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::error::KafkaError as Cause;
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::{KafkaAddress, KafkaError};

/// How long a record may take until every replica has it.
const PATIENCE: Duration = Duration::from_secs(30);

/// One record to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepairRecord {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Key, byte by byte as the connector wrote it.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers in order.
    pub headers: Vec<(&'static str, String)>,
}

/// A producer for repairs. Calls block.
pub struct RepairWriter {
    producer: BaseProducer<Failures>,
}

impl RepairWriter {
    /// A producer for the cluster; connects when it first writes.
    pub fn new(address: &KafkaAddress) -> Result<RepairWriter, KafkaError> {
        let producer = super::client(address)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("message.timeout.ms", PATIENCE.as_millis().to_string())
            .set("queue.buffering.max.kbytes", "65536")
            .create_with_context(Failures::default())
            .map_err(|source| KafkaError::Config {
                source: Box::new(source),
            })?;
        Ok(RepairWriter { producer })
    }

    /// Hands one record over. Waits for room if many are under way.
    pub fn write(&self, record: &RepairRecord) -> Result<(), KafkaError> {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &record.headers {
            headers = headers.insert(Header {
                key,
                value: Some(value),
            });
        }
        let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(&record.topic)
            .partition(record.partition)
            .key(record.key.as_slice())
            .headers(headers);
        if let Some(value) = &record.value {
            message = message.payload(value.as_slice());
        }
        loop {
            match self.producer.send(message) {
                Ok(()) => return Ok(()),
                Err((Cause::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    message = back;
                    self.producer.poll(Duration::from_millis(100));
                }
                Err((source, _)) => return Err(refused(&record.topic, source)),
            }
        }
    }

    /// Waits until every record handed over has been taken.
    ///
    /// # Errors
    /// One of them was not; those before and after it may have been.
    pub fn settle(&self) -> Result<(), KafkaError> {
        let flushed = self.producer.flush(PATIENCE * 2);
        if let Some((topic, source)) = self.producer.context().take() {
            return Err(refused(&topic, source));
        }
        flushed.map_err(|source| refused("", source))
    }
}

fn refused(topic: &str, source: Cause) -> KafkaError {
    KafkaError::Write {
        topic: topic.to_owned(),
        source: Box::new(source),
    }
}

/// The first record that was not taken: its topic and why.
#[derive(Default)]
struct Failures(Mutex<Option<(String, Cause)>>);

impl Failures {
    fn take(&self) -> Option<(String, Cause)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl ClientContext for Failures {}

impl ProducerContext for Failures {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            first.get_or_insert_with(|| (message.topic().to_owned(), error.clone()));
        }
    }
}
