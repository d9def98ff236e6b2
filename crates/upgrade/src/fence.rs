//! Markers: the one way to know that a connector delivers, and how far.
//!
//! A non-transactional logical message (`pg_logical_emit_message(false, …)`) passes through the slot like a
//! change does. Three places show that it arrived, and each proves something else:
//!
//! * the message topic: the connector reads this server's log, here and now (RUNNING does not say that);
//! * the stored offset: every record *before* the marker was acknowledged by the broker, in every partition,
//!   because Connect stores an offset only after the records before it;
//! * the slot's `confirmed_flush_lsn`: PostgreSQL will not send anything before the marker again. "All events
//!   are in Kafka" is not that: the stored offset of a row is made before its COMMIT is seen, so an idle,
//!   caught-up connector still leaves its last transaction unconfirmed (measured with 2.4.0 and 3.6.3).
//!
//! Positions compare only inside one incarnation; a stored offset of another life may be ahead and must not
//! count as "reached". So the offset counts only once the marker itself has been read back from the topic.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use cutover_clients::connect::StoredOffset;
use cutover_clients::kafka::{Ends, Kafka, KafkaError, ReadRange, Record};
use cutover_clients::pg::marker::{emit_message, emit_transaction};
use cutover_clients::pg::recovery::switch_wal;
use cutover_clients::pg::slots::{Slot, slot};
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_clients::wait::{Poll, WaitError, until};
use cutover_model::Lsn;

use crate::cutover::Cutover;
use crate::error::UpgradeError;

/// A marker that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker {
    /// Random text that tells it from every other marker.
    pub token: String,
    /// Its position.
    pub lsn: Lsn,
}

/// Where a marker has been seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Read back from the message topic.
    pub in_topic: bool,
    /// The stored offset reached it.
    pub offset_stored: bool,
    /// The slot is confirmed to it.
    pub confirmed: bool,
}

impl Arrival {
    /// Seen in all three places.
    pub fn everywhere(self) -> bool {
        self.in_topic && self.offset_stored && self.confirmed
    }
}

/// Follows one marker.
#[derive(Debug)]
pub struct MarkerWatch {
    /// The marker.
    pub marker: Marker,
    /// Where it was seen.
    pub arrival: Arrival,
    server: PgAddress,
    client: cutover_clients::pg::Client,
    cursor: BTreeMap<i32, i64>,
    sent: Instant,
    nudged: Instant,
    lost: bool,
}

/// A slot that has not followed the stored offset after so long needs another record (docs/anomalies.md, A-009).
const NUDGE_AFTER: Duration = Duration::from_secs(3);

impl MarkerWatch {
    /// Writes a marker where writes go, and looks for it where the connector reads. The topic is searched from its
    /// present end.
    pub async fn send(cutover: &Cutover) -> Result<MarkerWatch, UpgradeError> {
        let cursor = ends(&cutover.kafka, &cutover.stream.message_topic()).await?;
        let client = connect_admin(cutover.marked()).await?;
        let token = format!("marker-{:016x}", rand::random::<u64>());
        // A connector that was resumed looks for a COMMIT beyond its offset before it delivers anything; on an
        // idle database a message alone would wait for ever (docs/anomalies.md, A-008).
        emit_transaction(&client, &cutover.stream.marker_prefix, "wake").await?;
        let lsn = emit_message(&client, &cutover.stream.marker_prefix, &token).await?;
        if cutover.seen.archive_fed {
            // An archive gets whole log files only.
            switch_wal(&client).await?;
        }
        let marker = Marker { token, lsn };
        let arrival = Arrival::default();
        let server = cutover.reader().clone();
        let client = connect_admin(&server).await?;
        Ok(MarkerWatch {
            marker,
            arrival,
            server,
            client,
            cursor,
            sent: Instant::now(),
            nudged: Instant::now(),
            lost: false,
        })
    }

    /// Seconds since the marker was written.
    pub fn seconds(&self) -> f64 {
        self.sent.elapsed().as_secs_f64()
    }

    /// One look at all three places. Returns what was seen, for people.
    pub async fn look(&mut self, cutover: &Cutover) -> Result<String, UpgradeError> {
        if !self.arrival.in_topic {
            self.arrival.in_topic = self.search_topic(cutover).await?;
        }
        let stored = cutover.connect.offsets(&cutover.stream.connector).await?;
        let stored = stored.as_ref().and_then(StoredOffset::reached);
        self.arrival.offset_stored = self.arrival.in_topic && stored >= Some(self.marker.lsn);
        if self.client.is_closed() {
            self.client = connect_admin(&self.server).await?;
        }
        let confirmed = slot(&self.client, &cutover.stream.slot).await?;
        self.lost = confirmed.as_ref().is_some_and(Slot::is_lost);
        let confirmed = confirmed.and_then(|slot| slot.confirmed_flush);
        self.arrival.confirmed = confirmed >= Some(self.marker.lsn);
        self.nudge(cutover).await?;
        let text = |lsn: Option<Lsn>| lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
        Ok(format!(
            "marker {} {} in Kafka, stored offset {}, slot confirmed to {}",
            self.marker.lsn,
            if self.arrival.in_topic {
                "seen"
            } else {
                "not seen"
            },
            text(stored),
            text(confirmed)
        ))
    }

    /// Waits until the marker was seen in all three places; fails with the last state at the deadline.
    pub async fn arrive(
        &mut self,
        cutover: &Cutover,
        deadline: Duration,
    ) -> Result<String, UpgradeError> {
        let seen = self.wait(cutover, deadline).await?;
        Ok(format!("{seen}, after {:.2} s", self.seconds()))
    }

    /// Waits until the marker was read back from its topic, wherever else it has come to.
    pub async fn delivered(
        &mut self,
        cutover: &Cutover,
        deadline: Duration,
    ) -> Result<String, UpgradeError> {
        let what = "the marker in Kafka";
        let seen = until(what, deadline, cutover.deadlines.poll, async || {
            let seen = self.look(cutover).await?;
            Ok::<_, UpgradeError>(if self.arrival.in_topic {
                Poll::Ready(seen)
            } else {
                Poll::NotYet(seen)
            })
        });
        let seen = seen.await?;
        Ok(format!("{seen}, after {:.2} s", self.seconds()))
    }

    /// Waits like [`MarkerWatch::arrive`], but a marker that does not come is an answer, not an error.
    pub async fn arrive_or_give_up(
        &mut self,
        cutover: &Cutover,
        deadline: Duration,
    ) -> Result<String, UpgradeError> {
        match self.wait(cutover, deadline).await {
            Ok(seen) => Ok(seen),
            Err(WaitError::TimedOut { last, seconds, .. }) => {
                Ok(format!("after {seconds:.0} s: {last}"))
            }
            Err(WaitError::Failed(error)) if self.lost => Ok(error.to_string()),
            Err(WaitError::Failed(error)) => Err(error),
        }
    }

    async fn wait(
        &mut self,
        cutover: &Cutover,
        deadline: Duration,
    ) -> Result<String, WaitError<UpgradeError>> {
        let what = "the marker in Kafka, in the stored offset and in confirmed_flush_lsn";
        until(what, deadline, cutover.deadlines.poll, async || {
            let seen = self.look(cutover).await?;
            let arrived = self.arrival.everywhere();
            if arrived {
                Ok(Poll::Ready(seen))
            } else if self.lost {
                // Connector and task show RUNNING and try for ever.
                Err(UpgradeError::Disproved(format!(
                    "slot {} is invalidated (wal_status lost), nothing comes through it any more: {seen}",
                    cutover.stream.slot
                )))
            } else {
                Ok(Poll::NotYet(seen))
            }
        })
        .await
    }

    /// Everything is stored and only the slot does not follow: older connectors can forget to confirm the last
    /// record of an idle stream. Another one, behind the marker, makes them confirm both.
    async fn nudge(&mut self, cutover: &Cutover) -> Result<(), UpgradeError> {
        let Arrival {
            offset_stored,
            confirmed,
            ..
        } = self.arrival;
        if offset_stored && !confirmed && self.nudged.elapsed() >= NUDGE_AFTER {
            self.nudged = Instant::now();
            // Where writes go: the connector may be reading from a standby, which cannot write.
            let client = connect_admin(cutover.primary()).await?;
            emit_message(&client, &cutover.stream.marker_prefix, "nudge").await?;
            if cutover.seen.archive_fed {
                switch_wal(&client).await?;
            }
        }
        Ok(())
    }

    async fn search_topic(&mut self, cutover: &Cutover) -> Result<bool, UpgradeError> {
        let topic = cutover.stream.message_topic();
        let needles = spellings(&self.marker.token);
        for (partition, high) in ends(&cutover.kafka, &topic).await? {
            let from = self.cursor.get(&partition).copied().unwrap_or(0);
            if high <= from {
                continue;
            }
            let search = Search {
                topic: topic.clone(),
                partition,
                from,
                to: high,
            };
            if search.contains(&cutover.kafka, needles.clone()).await? {
                return Ok(true);
            }
            self.cursor.insert(partition, high);
        }
        Ok(false)
    }
}

/// A stretch of one partition.
struct Search {
    topic: String,
    partition: i32,
    from: i64,
    to: i64,
}

impl Search {
    /// Whether a value in the stretch contains one of the texts.
    async fn contains(
        self,
        kafka: &Arc<Kafka>,
        needles: Vec<String>,
    ) -> Result<bool, UpgradeError> {
        let kafka = Arc::clone(kafka);
        let search = move || -> Result<bool, KafkaError> {
            let mut found = false;
            let range = ReadRange {
                topic: &self.topic,
                partition: self.partition,
                from: self.from,
                to: self.to,
                timeout_idle: Duration::from_secs(5),
            };
            let mut look = |record: &Record<'_>| {
                let value = record.value.unwrap_or_default();
                found |= needles.iter().any(|needle| holds(value, needle.as_bytes()));
                if found {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            };
            kafka.read_range(&range, &mut look)?;
            Ok(found)
        };
        blocking(search).await
    }
}

pub(crate) fn holds(value: &[u8], needle: &[u8]) -> bool {
    value.windows(needle.len()).any(|bytes| bytes == needle)
}

/// How a connector may write a message's bytes: `binary.handling.mode` is base64, base64-url-safe or hex; as
/// plain bytes a converter without JSON would.
pub(crate) fn spellings(token: &str) -> Vec<String> {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    let hex = token.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        STANDARD.encode(token),
        URL_SAFE.encode(token),
        hex,
        token.to_owned(),
    ]
}

/// End offset of every partition of a topic; empty when the topic does not exist yet.
pub async fn ends(kafka: &Arc<Kafka>, topic: &str) -> Result<BTreeMap<i32, i64>, UpgradeError> {
    let ends = ends_of(kafka, vec![topic.to_owned()]).await?.into_iter();
    Ok(ends.map(|((_, partition), end)| (partition, end)).collect())
}

/// The same of several topics.
pub async fn ends_of(kafka: &Arc<Kafka>, names: Vec<String>) -> Result<Ends, UpgradeError> {
    let kafka = Arc::clone(kafka);
    blocking(move || {
        let mut topics = kafka.topics()?;
        topics.retain(|known| names.contains(&known.name));
        kafka.ends(&topics)
    })
    .await
}

/// Runs a call of the blocking Kafka client without holding up the task that drives the plan.
pub(crate) async fn blocking<T, F>(call: F) -> Result<T, UpgradeError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, KafkaError> + Send + 'static,
{
    match tokio::task::spawn_blocking(call).await {
        Ok(result) => Ok(result?),
        Err(panic) => Err(UpgradeError::Disproved(format!(
            "the Kafka client failed: {panic}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_however_the_connector_writes_bytes() {
        let spelt = spellings("marker-00ff");
        for text in ["bWFya2VyLTAwZmY=", "6d61726b65722d30306666", "marker-00ff"] {
            let value = format!("{{\"content\":\"{text}\"}}");
            let found = spelt
                .iter()
                .any(|needle| holds(value.as_bytes(), needle.as_bytes()));
            assert!(found, "{text}");
        }
        let other = b"{\"content\":\"bWFya2VyLTAwZmU=\"}";
        assert!(!spelt.iter().any(|needle| holds(other, needle.as_bytes())));
    }
}
