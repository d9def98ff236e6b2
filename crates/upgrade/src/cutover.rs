//! What a running cutover works with: addresses, names, deadlines, and what its steps have seen so far.

use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::Connect;
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::PgAddress;
use cutover_model::{Incarnation, Lsn, Prediction, Relation};
use serde::{Deserialize, Serialize};
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
    /// Connector options that the new server asks for, e.g. `slot.stream.params` after a blue/green switch.
    pub options_on_new: Vec<(String, String)>,
    /// Connector options that differ when the connector is put in place again, where there is a second file for that.
    pub options_on_deploy: Vec<(String, String)>,
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
    /// Open and prepared transactions that have written, at the switch.
    pub writers: Duration,
    /// Between two looks.
    pub poll: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            drain: Duration::from_secs(60),
            connector: Duration::from_secs(60),
            writers: Duration::from_secs(60),
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
    /// Administrator's address of the server that a repair reads from, while it is there.
    pub side: Option<PgAddress>,
    /// Where writes go: the old side until a step has moved them.
    pub primary: Side,
    /// Where the connector reads. Apart from `primary` while it reads from a standby.
    pub reader: Side,
    /// Deadlines.
    pub deadlines: Deadlines,
    /// What steps have seen.
    pub seen: Seen,
}

/// Committed events that no slot of the new server will deliver: those between two positions of one log, which goes
/// from the old server's timeline over to the new one's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The stored offset: everything before it is in Kafka.
    pub from: Lsn,
    /// Where the timelines part.
    pub fork: Lsn,
    /// Where the new server's slot begins: everything committed from there on it will deliver.
    pub until: Lsn,
}

/// What a worker ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployed {
    /// Version of Debezium.
    pub debezium: String,
    /// The connector's configuration, without secrets.
    pub config: Map<String, Value>,
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
    /// The moment that a restore goes back to, as the server's clock shows it.
    pub point_in_time: Option<String>,
    /// What ALTER SYSTEM had set for autovacuum before it was turned off; `None` inside: nothing.
    pub autovacuum: Option<Option<String>>,
    /// How many sessions the writers' role was allowed before it was allowed none.
    pub writer_limit: Option<i32>,
    /// The standby is fed by an archive, so that a log file has to be ended before it gets there.
    pub archive_fed: bool,
    /// Where the old server's log ended for the application: nothing is committed after it.
    pub last_write: Option<Lsn>,
    /// The plan under way is a proven one: nothing is started that is not predicted to resume exactly.
    pub proven: bool,
    /// Whose log the stored offset counts.
    pub offset_of: Option<Incarnation>,
    /// A subscription brought rows into the new server after the connector's slot was made there.
    pub subscribed: bool,
    /// Writers are refused: the plan has begun to, and has not let them in again.
    pub refused: bool,
    /// A copy of the connector's slot is there, made before a start that moves the slot.
    pub slot_copied: bool,
    /// What was predicted for each start of the connector, in order.
    pub predictions: Vec<Prediction>,
    /// What the worker ran before it died.
    pub deployed: Option<Deployed>,
    /// The connector's slot is lost: connector and task show RUNNING, and nothing will ever come.
    pub slot_lost: Option<String>,
    /// What is missing, once it was looked for.
    pub gap: Option<Gap>,
    /// Why the connector will not go on by itself, as its task says.
    pub connector_refused: Option<String>,
}

impl Cutover {
    /// Address of a side; asking for a new server before it exists is a defect of the plan, named as such.
    pub fn address(&self, side: Side) -> Result<&PgAddress, UpgradeError> {
        match side {
            Side::Old => Ok(&self.old),
            Side::New => self.new.as_ref().ok_or_else(|| {
                UpgradeError::Refused("the plan uses the new server before making it".into())
            }),
            Side::Beside => self.side.as_ref().ok_or_else(|| {
                UpgradeError::Refused("the plan uses the side server before making it".into())
            }),
        }
    }

    /// The server that the plan leads to: the new one once there is one.
    pub fn target(&self) -> &PgAddress {
        self.new.as_ref().unwrap_or(&self.old)
    }

    /// The server that is written to.
    pub fn primary(&self) -> &PgAddress {
        self.on(self.primary)
    }

    /// The server that the connector reads from.
    pub fn reader(&self) -> &PgAddress {
        self.on(self.reader)
    }

    /// The server that a connector starts on: the side server as long as it points there, else the plan's target.
    pub fn starts_on(&self) -> &PgAddress {
        match self.reader {
            Side::Beside => self.reader(),
            Side::Old | Side::New => self.target(),
        }
    }

    /// The server whose log gets markers: the primary, unless the connector reads from a side server, whose log is
    /// its own.
    pub fn marked(&self) -> &PgAddress {
        match self.reader {
            Side::Beside => self.reader(),
            Side::Old | Side::New => self.primary(),
        }
    }

    /// What is missing, as a step before has found it.
    pub fn gap(&self) -> Result<Gap, UpgradeError> {
        self.seen.gap.ok_or_else(|| {
            UpgradeError::Refused(
                "the plan has not looked what is missing before it repairs".into(),
            )
        })
    }

    fn on(&self, side: Side) -> &PgAddress {
        match side {
            Side::Old => &self.old,
            Side::New => self.target(),
            Side::Beside => self.side.as_ref().unwrap_or_else(|| self.target()),
        }
    }

    /// Facts noted by the first step.
    pub fn before(&self) -> Result<&Facts, UpgradeError> {
        self.seen.before.as_ref().ok_or_else(|| {
            UpgradeError::Refused("the plan has not captured the state before changing it".into())
        })
    }
}
