//! Connectors and their offsets as they are shown: read and changed by `upgrade`, shown by `report`.
//!
//! The rules it protects: what is secret is masked before it gets here; a task that has FAILED makes its connector a
//! failed one, whatever Connect calls the connector itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::prediction::Prediction;
use crate::{ExitCode, Lsn};

/// Format name.
pub const CONNECTOR_FORMAT: &str = "cutover.connector/1";
/// Format name.
pub const OFFSETS_FORMAT: &str = "cutover.offsets/1";

/// How a connector fares, its tasks counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It and every task run.
    Running,
    /// It and every task are paused.
    Paused,
    /// It is stopped, and no task is left.
    Stopped,
    /// A task has failed although the connector may show RUNNING.
    TaskFailed,
    /// The connector itself has failed.
    Failed,
    /// Neither of these, or not yet.
    Unsettled,
    /// There is none.
    Absent,
}

impl Health {
    /// The exit code of a command that ends with this.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Health::Running | Health::Paused | Health::Stopped => ExitCode::Pass,
            Health::TaskFailed | Health::Failed | Health::Absent => ExitCode::Refused,
            Health::Unsettled => ExitCode::Unknown,
        }
    }

    /// Stable code; `None` where there is nothing wrong.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Health::TaskFailed => Some("CONNECT-TASK-001"),
            Health::Failed => Some("CONNECT-FAILED-001"),
            Health::Unsettled => Some("CONNECT-UNSETTLED-001"),
            Health::Absent => Some("CONNECT-CONNECTOR-001"),
            _ => None,
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Health::Running => "running",
            Health::Paused => "paused",
            Health::Stopped => "stopped",
            Health::TaskFailed => "task failed",
            Health::Failed => "failed",
            Health::Unsettled => "unsettled",
            Health::Absent => "absent",
        })
    }
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskState {
    /// Number.
    pub id: i64,
    /// As Connect has it.
    pub state: String,
    /// First lines of its trace, without secrets.
    pub trace: Option<String>,
}

/// A connector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorState {
    /// Name.
    pub name: String,
    /// How it fares.
    pub health: Health,
    /// The connector's own state as Connect has it; absent if there is none.
    pub state: Option<String>,
    /// First lines of the connector's own trace, without secrets.
    pub trace: Option<String>,
    /// Its tasks.
    pub tasks: Vec<TaskState>,
    /// Stable code of what is wrong.
    pub code: Option<String>,
}

/// An option that was changed, or would be. Values of secrets are masked on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionChange {
    /// Option.
    pub option: String,
    /// Absent when it is new.
    pub before: Option<String>,
    /// Absent when it is gone.
    pub after: Option<String>,
    /// Its value is a secret.
    pub secret: bool,
}

/// What a command about connectors ends with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectorReport {
    /// [`CONNECTOR_FORMAT`].
    pub format: String,
    /// `list`, `status`, `config`, `deploy`, `pause`, …
    pub action: String,
    /// Something was changed on the worker.
    pub changed: bool,
    /// What was done, or would be, a line each.
    pub said: Vec<String>,
    /// The connectors as they are at the end.
    pub connectors: Vec<ConnectorState>,
    /// Options that differ.
    pub changes: Vec<OptionChange>,
    /// The whole configuration with secrets masked, where it was asked for.
    pub config: Option<Map<String, Value>>,
    /// What the process ends with.
    pub exit_code: u8,
}

/// A position in a log, in both spellings: people and PostgreSQL write one, Debezium the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BothWays {
    /// `X/Y`.
    pub lsn: Lsn,
    /// The same number in decimal.
    pub decimal: u64,
}

impl From<Lsn> for BothWays {
    fn from(lsn: Lsn) -> BothWays {
        BothWays {
            lsn,
            decimal: lsn.0,
        }
    }
}

/// A stored offset, taken apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecodedOffset {
    /// Source partition.
    pub partition: Value,
    /// Last event handed to Kafka.
    pub lsn: Option<BothWays>,
    /// Last event that was processed completely.
    pub lsn_proc: Option<BothWays>,
    /// Last COMMIT.
    pub lsn_commit: Option<BothWays>,
    /// Transaction of the last event.
    pub transaction: Option<i64>,
    /// Time of the last event, UTC.
    pub time: Option<String>,
    /// Kind of the last event.
    pub message_type: Option<String>,
    /// Events delivered at this position.
    pub events_processed: Option<u64>,
    /// It stands in a snapshot: what the offset says about it.
    pub snapshot: Option<String>,
    /// Fields as they are stored.
    pub fields: Map<String, Value>,
}

/// The connector's slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlotPlace {
    /// Name.
    pub name: String,
    /// There is one; what follows is absent otherwise.
    pub found: bool,
    /// Somebody reads from it.
    pub active: bool,
    /// Oldest log kept.
    pub restart: Option<BothWays>,
    /// What was confirmed.
    pub confirmed: Option<BothWays>,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
}

/// The server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPlace {
    /// Where, without password.
    pub address: String,
    /// Version.
    pub version: String,
    /// System identifier, as text.
    pub system_id: String,
    /// Timeline.
    pub timeline: u32,
    /// End of its log.
    pub end: BothWays,
}

/// A change of an offset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OffsetChange {
    /// Before.
    pub before: Option<DecodedOffset>,
    /// Afterwards.
    pub after: Option<DecodedOffset>,
    /// It was made; otherwise it would be.
    pub applied: bool,
    /// The way to the offset.
    pub way: Option<String>,
    /// Where the offset from before is kept.
    pub undo: Option<String>,
}

/// Offsets of a connector, and what they mean beside its slot and its server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OffsetsReport {
    /// [`OFFSETS_FORMAT`].
    pub format: String,
    /// Connector.
    pub connector: String,
    /// How it fares.
    pub health: Health,
    /// What is stored at the end of the command.
    pub offsets: Vec<DecodedOffset>,
    /// Its slot, if PostgreSQL could be asked.
    pub slot: Option<SlotPlace>,
    /// Its server, if PostgreSQL could be asked.
    pub server: Option<ServerPlace>,
    /// Offset, slot and server compared, a line each.
    pub compared: Vec<String>,
    /// What the connector does at its next start.
    pub prediction: Option<Prediction>,
    /// What was changed, or would be.
    pub change: Option<OffsetChange>,
    /// What the process ends with.
    pub exit_code: u8,
}
