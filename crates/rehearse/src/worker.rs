//! The worker of the lab dies at a chosen moment, and what stands around the stored offset then.
//!
//! A moment is a condition, not a time: when the stored offset looks right the worker is frozen, and it is looked at
//! leisure whether offset and topics are of the wanted kind. If not it thaws and nothing has happened; if so it is
//! killed, and what was really left behind is looked at once more. A worker that is told to end in order, or rests,
//! is not frozen: if its end was not the wanted one it is started and ended again, a bounded number of times.
//! Positions of witness, topics and offset are compared: all are of the one life of the one server.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::StoredOffset;
use cutover_clients::kafka::{Kafka, KafkaError, OffsetKey, ReadRange, Record};
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::current_lsn;
use cutover_clients::pg::slots::slot;
use cutover_clients::wait::{Poll, until};
use cutover_model::Lsn;
use cutover_record::witness::Place;
use cutover_upgrade::predict::{AroundFacts, OffsetFacts};
use cutover_upgrade::{Side, UpgradeError};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::lab_hands::LabHands;
use crate::recording::change_topic_ends;

/// When the worker dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// Whenever.
    #[default]
    Any,
    /// Several events share the offset's position, and Kafka has some of them, not all. Where events are counted, more
    /// than one was, not all, and without exactly-once Kafka has more than were counted.
    SharedPosition,
    /// The same, but none of the events stands where its transaction begins.
    SharedLater,
    /// The same, but all of them stand where their transaction begins.
    SharedFirst,
    /// Several events share the offset's position, and Kafka has the first one.
    FirstOfShared,
    /// The offset is that of a changed key, and Kafka has the delete of the old one, not the new row.
    KeyUpdate,
    /// The offset stands behind a COMMIT, and the next transaction began before it and goes on right there.
    Interleaved,
}

/// How the worker ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Killed (SIGKILL).
    #[default]
    Killed,
    /// Told to end (SIGTERM): its tasks store their offsets.
    Stopped,
}

/// What a scenario wants of the worker's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkerEnd {
    /// When.
    pub moment: Moment,
    /// How.
    pub ending: Ending,
    /// Whether stored offsets and records are of one transaction.
    pub exactly_once: bool,
}

/// How often the worker is killed at most until the offset stands as wanted.
const TRIES: u32 = 25;

/// How often it is frozen at most. Frozen, it must be looked at in less time than its group takes it for dead.
const LOOKS: u32 = 200;

/// How long one look for the moment may take.
const MOMENT: Duration = Duration::from_secs(60);

/// Between two looks at the stored offset: it changes four times a second, and must not have moved on much.
const LOOK: Duration = Duration::from_millis(2);

/// Offsets at the end of each topic that are searched for events of one position.
const TAIL: i64 = 4_000;

impl LabHands {
    /// Ends the worker at the scenario's moment.
    pub(crate) async fn kill_at_moment(&mut self) -> Result<String, UpgradeError> {
        let WorkerEnd {
            moment,
            ending,
            exactly_once,
        } = self.worker_end;
        for attempt in 1..=TRIES {
            match (moment, ending) {
                (Moment::Any, _) => {}
                (Moment::Interleaved, _) => self.come_to_rest().await?,
                (_, Ending::Stopped) => self.offset_inside_shared(moment).await?,
                (_, Ending::Killed) => self.freeze_at_moment().await?,
            }
            self.servers.end_worker(ending).await.map_err(act)?;
            if moment == Moment::Interleaved {
                self.finish_what_is_held().await?;
            }
            let Some(offset) = self.left_behind().await? else {
                return Ok("killed; there is no stored offset".into());
            };
            let around = self.look_around(&offset).await?;
            let seen = told(&offset, &around, (ending, attempt));
            let fits = fits(moment, &offset, &around, exactly_once);
            self.go_on();
            if fits {
                return Ok(seen);
            }
            self.events
                .note(format!("{seen}; not the moment, once more"));
            self.revive(&offset).await?;
        }
        Err(UpgradeError::hands(
            "kill the worker",
            format!("{TRIES} times, and the stored offset never stood as the scenario wants it"),
        ))
    }

    /// Freezes the worker with offset and topics as the scenario wants them.
    async fn freeze_at_moment(&mut self) -> Result<(), UpgradeError> {
        let WorkerEnd {
            moment,
            exactly_once,
            ..
        } = self.worker_end;
        for _ in 0..LOOKS {
            self.offset_inside_shared(moment).await?;
            self.servers.freeze_worker().await.map_err(act)?;
            if let Some(offset) = self.left_behind().await? {
                let around = self.look_around(&offset).await?;
                if fits(moment, &offset, &around, exactly_once) {
                    return Ok(());
                }
            }
            self.servers.thaw_worker().await.map_err(act)?;
        }
        Err(UpgradeError::hands(
            "freeze the worker",
            format!("{LOOKS} times, and the stored offset never stood as the scenario wants it"),
        ))
    }

    /// What stands around an offset; `None` if that cannot be told.
    pub(crate) async fn around_offset(&mut self, offset: &OffsetFacts) -> Option<AroundFacts> {
        self.look_around(offset).await.ok()
    }

    async fn left_behind(&self) -> Result<Option<OffsetFacts>, UpgradeError> {
        let (kafka, stream) = (Arc::clone(&self.kafka), self.stream.clone());
        let partition = json!({ "server": stream.topic_prefix });
        let key = OffsetKey {
            connector: stream.connector.clone(),
            partition: partition.clone(),
        };
        let found = blocking(move || kafka.offsets_topic(&stream.offsets_topic).find(&key)).await?;
        let stored = found.and_then(|record| record.value);
        Ok(stored.and_then(|offset| facts_of(&StoredOffset { partition, offset })))
    }

    /// Waits until Connect shows an offset that seems to be of the wanted kind.
    async fn offset_inside_shared(&mut self, moment: Moment) -> Result<(), UpgradeError> {
        let (connect, name) = (self.connect.clone(), self.stream.connector.clone());
        let witnesses = &self.witnesses;
        let what = "an offset inside events of one position";
        until(what, MOMENT, LOOK, async || {
            let stored = connect.offsets(&name).await?;
            let Some(offset) = stored.as_ref().and_then(facts_of) else {
                return Ok(Poll::NotYet("no offset".into()));
            };
            let places = witnesses.places();
            let here = Here::find(&places, offset.lsn);
            let inside = may_fit(moment, &offset, here.changes);
            Ok::<_, UpgradeError>(if inside {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("at {}, {} changes there", offset.lsn, here.changes))
            })
        })
        .await?;
        Ok(())
    }

    /// Lets every session but one that holds a transaction open come to rest, and waits until the connector has
    /// delivered and stored all that was committed.
    async fn come_to_rest(&mut self) -> Result<(), UpgradeError> {
        let Some(load) = self.load.clone() else {
            return Err(UpgradeError::hands("let the load rest", "there is no load"));
        };
        let held = "one session that holds its transaction open";
        until(held, MOMENT, Duration::from_millis(100), async || {
            load.rest();
            let quiet = "the other sessions at rest";
            let busy = until(quiet, Duration::from_secs(2), LOOK, async || {
                let busy = load.stats().busy_sessions;
                Ok::<_, UpgradeError>(if busy == 0 {
                    Poll::Ready(busy)
                } else {
                    Poll::NotYet(format!("{busy} sessions are busy"))
                })
            })
            .await;
            // Nobody holds one: the load goes on for a while.
            if busy.is_ok() {
                load.resume();
            }
            Ok::<_, UpgradeError>(match busy {
                Ok(_) => Poll::NotYet("no transaction is held open".into()),
                Err(_) if load.stats().busy_sessions == 1 => Poll::Ready(()),
                Err(error) => Poll::NotYet(error.to_string()),
            })
        })
        .await?;
        let (connect, name) = (self.connect.clone(), self.stream.connector.clone());
        let witnesses = &self.witnesses;
        let what = "the offset behind the last COMMIT";
        until(what, MOMENT, LOOK, async || {
            let stored = connect.offsets(&name).await?;
            let offset = stored.as_ref().and_then(facts_of);
            let last = witnesses.places().last().map(|place| place.commit);
            let done = offset.as_ref().is_some_and(|offset| {
                offset.message_type.as_deref() == Some("COMMIT") && Some(offset.lsn) > last
            });
            Ok::<_, UpgradeError>(if done {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("offset {offset:?}, last commit {last:?}"))
            })
        })
        .await?;
        Ok(())
    }

    /// The transaction that is held open goes on and commits, and nobody else does anything.
    async fn finish_what_is_held(&mut self) -> Result<(), UpgradeError> {
        let Some(load) = self.load.clone() else {
            return Ok(());
        };
        load.pause();
        let what = "the end of the transaction that was held open";
        until(what, MOMENT, LOOK, async || {
            let busy = load.stats().busy_sessions;
            Ok::<_, UpgradeError>(if busy == 0 {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("{busy} sessions are busy"))
            })
        })
        .await?;
        Ok(())
    }

    fn go_on(&self) {
        if let Some(load) = self.load.clone() {
            load.resume();
        }
    }

    /// Starts the worker and waits until the connector has stored a newer offset.
    async fn revive(&mut self, before: &OffsetFacts) -> Result<(), UpgradeError> {
        self.servers.start_worker().await.map_err(act)?;
        let client = connect_admin(&self.admin_address(Side::Old).map_err(act)?).await?;
        let (connect, stream) = (self.connect.clone(), self.stream.clone());
        let what = "a connector that goes on";
        until(what, MOMENT, Duration::from_millis(50), async || {
            let stored = connect.offsets(&stream.connector).await?;
            let offset = stored.as_ref().and_then(facts_of);
            let reads = slot(&client, &stream.slot).await?;
            let reads = reads.is_some_and(|slot| slot.active);
            let newer = offset.is_some_and(|offset| offset != *before);
            Ok::<_, UpgradeError>(if reads && newer {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("slot in use: {reads}, newer offset: {newer}"))
            })
        })
        .await?;
        Ok(())
    }

    async fn look_around(&mut self, offset: &OffsetFacts) -> Result<AroundFacts, UpgradeError> {
        let client = connect_admin(&self.admin_address(Side::Old).map_err(act)?).await?;
        let end = current_lsn(&client).await?;
        self.witnesses.reach(end).await.map_err(act)?;
        let places = self.witnesses.places();
        let here = Here::find(&places, offset.lsn);
        let ends = change_topic_ends(&self.kafka, &self.stream).await;
        let kafka = Arc::clone(&self.kafka);
        let ends: Vec<(String, i32, i64)> = ends
            .map_err(act)?
            .into_iter()
            .map(|((topic, partition), end)| (topic, partition, end))
            .collect();
        let delivered = blocking(move || delivered(&kafka, ends)).await?;
        let after = |place: &&Place| offset.lsn_commit.is_some_and(|last| place.commit >= last);
        let beyond = places.iter().filter(after);
        let beyond = beyond.filter_map(|place| delivered.get(&place.lsn));
        Ok(AroundFacts {
            committed_here: here.changes,
            delivered_here: delivered.get(&offset.lsn).copied().unwrap_or(0),
            begins_here: here.first,
            false_match: false_match(&places, offset.lsn),
            delivered_beyond: beyond.sum(),
        })
    }
}

/// Changes at one position.
struct Here {
    changes: u64,
    first: bool,
}

impl Here {
    fn find(places: &[Place], lsn: Lsn) -> Here {
        let Some(index) = places.iter().rposition(|place| place.lsn == lsn) else {
            return Here {
                changes: 0,
                first: false,
            };
        };
        let place = places[index];
        let before = index.checked_sub(1).map(|index| places[index].commit);
        Here {
            changes: place.changes.into(),
            first: before != Some(place.commit),
        }
    }
}

/// Changes of the first transaction that commits after the position, up to and including one that stands there; 0 if
/// there is none, or if that transaction begins there.
fn false_match(places: &[Place], lsn: Lsn) -> u64 {
    let next: Vec<&Place> = match places.iter().find(|place| place.commit >= lsn) {
        Some(first) => places
            .iter()
            .filter(|place| place.commit == first.commit)
            .collect(),
        None => return 0,
    };
    match next.iter().position(|place| place.lsn == lsn) {
        None | Some(0) => 0,
        Some(index) => next[..=index]
            .iter()
            .map(|place| u64::from(place.changes))
            .sum(),
    }
}

/// Rows of one COPY, not the two events of a changed key.
const SHARED_MIN: u64 = 3;

fn is_key_update(offset: &OffsetFacts, changes: u64) -> bool {
    changes == 2 && offset.message_type.as_deref() == Some("UPDATE")
}

/// Whether an offset is worth a closer look, as far as it alone tells.
fn may_fit(moment: Moment, offset: &OffsetFacts, changes: u64) -> bool {
    if moment == Moment::KeyUpdate {
        return is_key_update(offset, changes);
    }
    changes >= SHARED_MIN && offset.events_processed.is_none_or(|count| count < changes)
}

/// Whether the offset that was left behind is one of the wanted kind.
fn fits(moment: Moment, offset: &OffsetFacts, around: &AroundFacts, exactly_once: bool) -> bool {
    let (all, delivered) = (around.committed_here, around.delivered_here);
    let some = delivered >= 1 && delivered < all && all >= SHARED_MIN;
    let shared = match offset.events_processed {
        None => some,
        Some(counted) if exactly_once => some && counted > 1,
        // At least once: what Kafka has and the offset does not count comes again.
        Some(counted) => all >= SHARED_MIN && counted > 1 && counted < all && counted < delivered,
    };
    match moment {
        Moment::Any => true,
        Moment::SharedPosition => shared,
        Moment::SharedLater => shared && !around.begins_here,
        Moment::SharedFirst => shared && around.begins_here,
        Moment::FirstOfShared => {
            some && delivered == 1 && offset.events_processed.is_none_or(|counted| counted == 1)
        }
        Moment::KeyUpdate => is_key_update(offset, all) && delivered == 1,
        Moment::Interleaved => around.false_match > 0,
    }
}

fn told(offset: &OffsetFacts, around: &AroundFacts, (ending, attempt): (Ending, u32)) -> String {
    let ended = match ending {
        Ending::Killed => "killed",
        Ending::Stopped => "stopped in order",
    };
    let kind = offset.message_type.as_deref().unwrap_or("no event");
    let counted = offset
        .events_processed
        .map_or_else(String::new, |count| format!(" number {count}"));
    let begins = if around.begins_here {
        ", where its transaction begins"
    } else {
        ""
    };
    let next = if kind == "COMMIT" && around.false_match > 0 {
        let count = around.false_match;
        format!("; the next transaction began before and has its change {count} there")
    } else {
        String::new()
    };
    format!(
        "{ended}, time {attempt}: the stored offset is {kind}{counted} at {}{begins}; {} changes share that position, \
         Kafka has {}{next}",
        offset.lsn, around.committed_here, around.delivered_here
    )
}

fn facts_of(stored: &StoredOffset) -> Option<OffsetFacts> {
    Some(OffsetFacts {
        lsn: stored.lsn()?,
        lsn_proc: stored.lsn_proc(),
        lsn_commit: stored.lsn_commit(),
        server: None,
        in_snapshot: false,
        message_type: stored.message_type().map(str::to_owned),
        events_processed: stored.events_processed(),
    })
}

/// Changes at the ends of the topics by position; one that is there twice counts once.
fn delivered(
    kafka: &Arc<Kafka>,
    ends: Vec<(String, i32, i64)>,
) -> Result<HashMap<Lsn, u64>, KafkaError> {
    let mut rows: HashMap<Lsn, HashSet<u64>> = HashMap::new();
    for (topic, partition, end) in ends {
        let (low, high) = kafka.watermarks(&topic, partition)?;
        let end = end.max(high);
        let range = ReadRange {
            topic: &topic,
            partition,
            from: (end - TAIL).max(low),
            to: end,
            timeout_idle: Duration::from_secs(5),
        };
        let mut look = |record: &Record<'_>| {
            let value = record.value.unwrap_or_default();
            if let Ok(change) = serde_json::from_slice::<Change<'_>>(value)
                && let Some(lsn) = change.source.lsn.and_then(Lsn::from_i64)
            {
                let mut row = DefaultHasher::new();
                (change.before.get(), change.after.get()).hash(&mut row);
                rows.entry(lsn).or_default().insert(row.finish());
            }
            ControlFlow::Continue(())
        };
        kafka.read_range(&range, &mut look)?;
    }
    let count = |(lsn, rows): (Lsn, HashSet<u64>)| (lsn, rows.len() as u64);
    Ok(rows.into_iter().map(count).collect())
}

/// What of an envelope is looked at.
#[derive(Deserialize)]
struct Change<'a> {
    #[serde(borrow)]
    before: &'a RawValue,
    #[serde(borrow)]
    after: &'a RawValue,
    source: Source,
}

#[derive(Deserialize)]
struct Source {
    lsn: Option<i64>,
}

fn act(error: crate::error::RehearseError) -> UpgradeError {
    UpgradeError::hands("kill the worker", error)
}

async fn blocking<T, F>(call: F) -> Result<T, UpgradeError>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T, KafkaError> + Send + 'static,
{
    let done = tokio::task::spawn_blocking(call).await;
    Ok(done.map_err(|panic| UpgradeError::hands("ask Kafka", panic))??)
}

#[cfg(test)]
mod tests;
