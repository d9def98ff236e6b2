//! What a running cutover works with: addresses, names, deadlines, and what its steps have seen so far.

use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::Connect;
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::PgAddress;
use cutover_model::{Lsn, Relation};
use serde_json::{Map, Value};

use crate::error::UpgradeError;
use crate::facts::Facts;
use crate::hands::Side;

/// The names that make up one change stream.
#[derive(Debug, Clone)]
pub struct Stream {
    /// Connector in Kafka Connect.
    pub connector: String,
    /// `topic.prefix`: first part of every topic name, and the key of the stored offset.
    pub topic_prefix: String,
    /// Replication slot of the connector.
    pub slot: String,
    /// Publication of the connector.
    pub publication: String,
    /// Captured tables.
    pub tables: Vec<Relation>,
    /// Role under which the application writes.
    pub writer_role: String,
    /// Prefix of the logical messages that serve as markers.
    pub marker_prefix: String,
    /// Topic of the Connect cluster's source offsets (`offset.storage.topic` of its workers). Written to only
    /// where Connect itself cannot change offsets.
    pub offsets_topic: String,
}

impl Stream {
    /// Topic that Debezium writes logical decoding messages to.
    pub fn message_topic(&self) -> String {
        format!("{}.message", self.topic_prefix)
    }
}

/// How long a step waits for its post-condition before it fails with the last state seen.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// A marker's way through the connector into Kafka, the stored offset and the slot.
    pub drain: Duration,
    /// A change of the connector's state.
    pub connector: Duration,
    /// Between two looks.
    pub poll: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            drain: Duration::from_secs(60),
            connector: Duration::from_secs(60),
            poll: Duration::from_millis(50),
        }
    }
}

/// One cutover.
pub struct Cutover {
    /// Names.
    pub stream: Stream,
    /// Kafka Connect.
    pub connect: Connect,
    /// Kafka.
    pub kafka: Arc<Kafka>,
    /// Administrator's address of the old server.
    pub old: PgAddress,
    /// Administrator's address of the new server, once it exists; in place it stays `None`.
    pub new: Option<PgAddress>,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// What steps have seen.
    pub seen: Seen,
}

/// Values that later steps (and their undo) need from earlier ones.
// No Debug: the connector's configuration holds its password.
#[derive(Default)]
pub struct Seen {
    /// Facts before anything was changed.
    pub before: Option<Facts>,
    /// Where the drain marker stands: everything before it is in Kafka and confirmed.
    pub drained: Option<Lsn>,
    /// Connector configuration before it was changed.
    pub connector_config: Option<Map<String, Value>>,
    /// Seconds that stopping and starting the server took, added up.
    pub server_seconds: f64,
}

impl Cutover {
    /// Address of a side; asking for a new server before it exists is a defect of the plan, named as such.
    pub fn address(&self, side: Side) -> Result<&PgAddress, UpgradeError> {
        match side {
            Side::Old => Ok(&self.old),
            Side::New => self.new.as_ref().ok_or_else(|| {
                UpgradeError::Refused("the plan uses the new server before making it".into())
            }),
        }
    }

    /// The server that serves the stream at the end of the plan so far.
    pub fn current(&self) -> &PgAddress {
        self.new.as_ref().unwrap_or(&self.old)
    }

    /// Facts noted by the first step.
    pub fn before(&self) -> Result<&Facts, UpgradeError> {
        self.seen.before.as_ref().ok_or_else(|| {
            UpgradeError::Refused("the plan has not captured the state before changing it".into())
        })
    }
}
