//! What comes out of decoding.

use cutover_clients::registry::RegistryError;
use cutover_model::{ChangeRow, TransactionRow};

/// What a topic is for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// Changes of one table, by index into the shapes.
    Changes(usize),
    /// Logical decoding messages (`<prefix>.message`).
    Messages,
    /// Heartbeats.
    Heartbeats,
    /// Signals to the connector, and its notifications.
    Signals,
    /// Transaction metadata (`<prefix>.transaction`).
    Transactions,
    /// Any other name; a change record in it must name its table itself.
    Unknown,
}

/// What a record turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// A change.
    Change(Change),
    /// A tombstone, as a row of the ledger.
    Tombstone(Box<ChangeRow>),
    /// A logical decoding message.
    Message(Message),
    /// A BEGIN or an END of transaction metadata, as rows of its ledger.
    Transaction(Vec<TransactionRow>),
    /// A heartbeat, a signal, a notification.
    Skipped,
    /// Not decoded, and why.
    Undecoded(String),
    /// The registry that has its schema cannot be asked: nothing is known of this record or of any after it.
    Unknown(Box<RegistryError>),
}

/// Rows on their way to a ledger and back ([`Decoder::take_back`](super::Decoder::take_back)). Each has 400 bytes and
/// goes through several hands, so that it stays where it is.
pub type Rows = Vec<Box<ChangeRow>>;

/// A change record.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row of the ledger.
    pub row: Box<ChangeRow>,
    /// The record carried its LSN.
    pub has_lsn: bool,
    /// The record carried its operation letter.
    pub has_op: bool,
    /// Payload form, e.g. `debezium envelope, json without schema`.
    pub format: &'static str,
}

/// What `pg_logical_emit_message` wrote, as the connector published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Prefix.
    pub prefix: String,
    /// Content.
    pub content: Vec<u8>,
    /// Position of the message.
    pub lsn: Option<i64>,
}

/// Why there is no answer about a record.
pub(super) enum Unread {
    /// It is not decoded.
    Undecoded(String),
    /// The registry cannot be asked.
    Registry(Box<RegistryError>),
}

impl From<String> for Unread {
    fn from(why: String) -> Unread {
        Unread::Undecoded(why)
    }
}

impl Unread {
    pub(super) fn of_key(self) -> Unread {
        match self {
            Unread::Undecoded(why) => Unread::Undecoded(format!("record key: {why}")),
            other => other,
        }
    }
}
