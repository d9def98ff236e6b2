//! What `cutover watch` sees and says, as values: seen and judged by `upgrade`, shown by `report`.
//!
//! The rule it protects: only a marker that came back proves that a stream delivers, so without one no state says more
//! than that nothing was found.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ExitCode;
use crate::connector::{BothWays, ConnectorState, ServerPlace};
use crate::doctor::{Diagnosis, NotLookedAt};
use crate::lint::Severity;

/// Format name.
pub const WATCH_FORMAT: &str = "cutover.watch/1";

/// What a look amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WatchState {
    /// Nothing was found, and the newest marker that is due came back.
    Alive,
    /// Nothing was found; that the stream delivers is not proven, because no marker came back yet or none is written.
    NotProven,
    /// Something is on its way to be wrong.
    Warning,
    /// Something is wrong.
    Alert,
    /// A part did not answer, or a marker could not be written.
    Unknown,
}

impl WatchState {
    /// Every state, in display order.
    pub const ALL: [WatchState; 5] = [
        WatchState::Alive,
        WatchState::NotProven,
        WatchState::Warning,
        WatchState::Alert,
        WatchState::Unknown,
    ];

    /// The exit code of one look that ends with this.
    pub fn exit_code(self) -> ExitCode {
        match self {
            WatchState::Alive | WatchState::NotProven | WatchState::Warning => ExitCode::Pass,
            WatchState::Alert => ExitCode::Refused,
            WatchState::Unknown => ExitCode::Unknown,
        }
    }
}

impl fmt::Display for WatchState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WatchState::Alive => "alive",
            WatchState::NotProven => "not proven",
            WatchState::Warning => "warning",
            WatchState::Alert => "alert",
            WatchState::Unknown => "unknown",
        })
    }
}

/// What markers prove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Liveness {
    /// No marker is written: nobody consented to it.
    #[default]
    NotAsked,
    /// The first one is under way.
    Waiting,
    /// The newest one that is due came back.
    Proven,
    /// One is overdue.
    Missing,
    /// It could not be written.
    NotWritten,
}

impl fmt::Display for Liveness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Liveness::NotAsked => "not asked for",
            Liveness::Waiting => "waiting for the first marker",
            Liveness::Proven => "proven",
            Liveness::Missing => "missing",
            Liveness::NotWritten => "not written",
        })
    }
}

/// Markers written, and seen again in Kafka.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct WatchedMarkers {
    /// What they prove.
    pub liveness: Liveness,
    /// Where they are looked for; absent without consent.
    pub topic: Option<String>,
    /// Between two markers; absent without consent.
    pub interval_seconds: Option<f64>,
    /// One that has not come back after so long is overdue.
    pub late_after_seconds: Option<f64>,
    /// Since the watch began.
    pub written: u64,
    /// Likewise.
    pub arrived: u64,
    /// Passed over: a later one came back and these did not.
    pub skipped: u64,
    /// A marker was passed over lately.
    pub skipped_lately: bool,
    /// From writing the newest that came back until it was seen.
    pub delay_seconds: Option<f64>,
    /// Since the oldest that has not come back was written.
    pub waiting_seconds: Option<f64>,
    /// Position of the newest.
    pub position: Option<BothWays>,
    /// Why the last one could not be written or looked for.
    pub failure: Option<String>,
}

/// A slot of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedSlot {
    /// Name.
    pub name: String,
    /// `logical` or `physical`.
    pub kind: String,
    /// Database of a logical slot.
    pub database: Option<String>,
    /// The watched connector reads from it.
    pub of_connector: bool,
    /// Somebody reads from it.
    pub active: bool,
    /// `reserved`, `extended`, `unreserved` or `lost`.
    pub wal_status: Option<String>,
    /// Oldest log kept for it.
    pub restart: Option<BothWays>,
    /// What its reader confirmed.
    pub confirmed: Option<BothWays>,
    /// Bytes of log that the server keeps for it.
    pub retained_bytes: Option<i64>,
    /// Bytes of log that its reader has not confirmed.
    pub lag_bytes: Option<u64>,
    /// Bytes that may still be written until it may be lost; absent without `max_slot_wal_keep_size`.
    pub safe_bytes: Option<i64>,
    /// Why it is lost.
    pub invalidation: Option<String>,
    /// Since when nobody reads it.
    pub inactive_since: Option<String>,
}

/// The connector's stored offset beside its slot and its server. Holds only if the offset is of this server's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedOffset {
    /// How far it has come.
    pub reached: BothWays,
    /// Time of its last event, UTC.
    pub time: Option<String>,
    /// Bytes up to the end of the server's log; negative if the offset is ahead of it.
    pub behind_server_bytes: Option<i64>,
    /// Bytes ahead of what the slot is confirmed to; negative if it is behind.
    pub ahead_of_slot_bytes: Option<i64>,
}

/// How far the connector's slot is behind the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedLag {
    /// Bytes of log that are not confirmed.
    pub bytes: u64,
    /// Age of the oldest of them; absent as long as it is not known.
    pub seconds: Option<f64>,
    /// They are older than the watch: it is more than that.
    pub at_least: bool,
}

/// A topic of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchedTopic {
    /// Name.
    pub name: String,
    /// Sum of the end offsets of its partitions.
    pub end_offset: u64,
    /// Growth since the look before; absent at the first.
    pub per_second: Option<f64>,
}

/// One look, judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchReport {
    /// [`WATCH_FORMAT`].
    pub format: String,
    /// When, UTC.
    pub time: String,
    /// How long the look took.
    pub look_seconds: f64,
    /// What it amounts to.
    pub state: WatchState,
    /// The connector; absent if it is not named or Connect did not answer.
    pub connector: Option<ConnectorState>,
    /// The server; absent if it is not named or did not answer.
    pub server: Option<ServerPlace>,
    /// Its slots, the connector's first.
    pub slots: Vec<WatchedSlot>,
    /// What is stored.
    pub offset: Option<WatchedOffset>,
    /// Of the connector's slot.
    pub lag: Option<WatchedLag>,
    /// Markers.
    pub markers: WatchedMarkers,
    /// Topics of the stream, by name.
    pub topics: Vec<WatchedTopic>,
    /// Topics that were not counted, because there are too many.
    pub topics_left_out: u64,
    /// What is wrong, the worst first.
    pub alerts: Vec<Diagnosis>,
    /// Parts that did not answer, or that nobody named.
    pub not_looked_at: Vec<NotLookedAt>,
    /// What a single look ends with.
    pub exit_code: u8,
}

/// One moment of the curves. What was not seen is absent.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WatchPoint {
    /// Seconds since 1970.
    pub at: f64,
    /// Bytes not confirmed.
    pub lag_bytes: Option<f64>,
    /// Bytes kept for the slot.
    pub retained_bytes: Option<f64>,
    /// Delay of the last marker, or the age of one that is still waited for if that is more.
    pub marker_seconds: Option<f64>,
    /// Records per second in the stream's topics.
    pub per_second: Option<f64>,
}

/// Something that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchEvent {
    /// Seconds since 1970.
    pub at: f64,
    /// When, UTC.
    pub time: String,
    /// How bad.
    pub severity: Severity,
    /// In words.
    pub text: String,
}

/// What was seen before, thinned out the older it is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WatchHistory {
    /// In the order of time.
    pub points: Vec<WatchPoint>,
    /// Likewise.
    pub events: Vec<WatchEvent>,
    /// Looks since the watch began.
    pub looks: u64,
}
