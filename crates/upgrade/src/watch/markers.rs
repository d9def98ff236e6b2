//! Writes markers and looks for them in Kafka, beside the looks and at a pace of its own: a part of a look that hangs
//! does not delay the news that a marker is overdue.
//!
//! Each marker is preceded by a transaction that holds nothing but a message, because a connector that was resumed
//! delivers nothing before it has seen a COMMIT (docs/anomalies.md, A-008). Both appear in the message topic, and
//! consumers of it see them: hence the consent.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_clients::kafka::{Kafka, KafkaError, ReadRange, Record};
use cutover_clients::pg::marker::{emit_message, emit_transaction};
use cutover_clients::pg::{Client, PgAddress, connect};
use cutover_clients::wait::{pause, within};
use cutover_model::Lsn;
use cutover_model::watch::WatchedMarkers;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::ledger::{MarkerLedger, Written};
use crate::error::UpgradeError;
use crate::fence::{blocking, ends, holds, spellings};
use crate::start::Starting;

/// Prefix of the messages.
pub const PREFIX: &str = "cutover-watch";

/// Between two looks into the topic while a marker is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A marker that has not come back when this part of the interval is over is overdue; with the time until the next one
/// is written it stays below two intervals.
const LATE: f64 = 0.8;

/// How often, and where.
#[derive(Debug, Clone)]
pub struct MarkerSettings {
    /// Between two markers.
    pub interval: Duration,
    /// Prefix of the messages.
    pub prefix: String,
    /// Topic in which the connector publishes messages.
    pub topic: String,
}

impl MarkerSettings {
    /// Those of a connector, if its configuration lets markers through.
    ///
    /// # Errors
    /// Connect does not answer, or the connector filters messages.
    pub async fn of(starting: &Starting, interval: Duration) -> Result<Self, UpgradeError> {
        let listed = |option: &str| {
            let text = starting.option(option).unwrap_or_default();
            let named = text.split(',').map(str::trim).any(|one| one == PREFIX);
            (!text.trim().is_empty(), named)
        };
        let (included, named) = listed("message.prefix.include.list");
        let (_, excluded) = listed("message.prefix.exclude.list");
        if (included && !named) || excluded {
            return Err(UpgradeError::Refused(format!(
                "connector {} filters messages by their prefix: add {PREFIX} to message.prefix.include.list, or watch \
                 without --markers",
                starting.connector
            )));
        }
        let prefix = super::look::names(starting).prefix;
        Ok(MarkerSettings {
            interval,
            prefix: PREFIX.to_owned(),
            topic: format!("{prefix}.message"),
        })
    }
}

/// Writes and looks until it is dropped.
#[derive(Debug)]
pub struct Markers {
    /// What they prove now.
    pub state: watch::Receiver<WatchedMarkers>,
    task: JoinHandle<()>,
}

impl Drop for Markers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Prober {
    settings: MarkerSettings,
    postgres: PgAddress,
    kafka: Arc<Kafka>,
    client: Option<Client>,
    /// Next offset to look at, by partition.
    cursor: BTreeMap<i32, i64>,
    searching: Option<JoinHandle<Searched>>,
    run: u64,
    /// Of the next marker.
    number: u64,
    ledger: MarkerLedger,
}

/// Where the topic ended, and the tokens that were found.
type Searched = Result<(Cursor, Vec<String>), UpgradeError>;

impl Markers {
    /// Begins. The topic is searched from its present end.
    ///
    /// # Errors
    /// Kafka does not answer.
    pub async fn start(
        settings: MarkerSettings,
        postgres: PgAddress,
        kafka: Arc<Kafka>,
    ) -> Result<Markers, UpgradeError> {
        let cursor = ends(&kafka, &settings.topic).await?;
        let interval = settings.interval.as_secs_f64();
        let ledger = MarkerLedger::new(interval, interval * LATE, &settings.topic);
        let (sender, state) = watch::channel(ledger.state(seconds()));
        let mut prober = Prober {
            settings,
            postgres,
            kafka,
            client: None,
            cursor,
            searching: None,
            run: rand::random(),
            number: 0,
            ledger,
        };
        let task = tokio::spawn(async move { prober.run(&sender).await });
        Ok(Markers { state, task })
    }

    /// Nobody writes any more, so what was proven last says nothing: the task broke off.
    pub fn broke_off(&self) -> bool {
        self.task.is_finished()
    }
}

impl Prober {
    async fn run(&mut self, state: &watch::Sender<WatchedMarkers>) {
        let mut due = Instant::now();
        while !state.is_closed() {
            if Instant::now() >= due {
                self.write().await;
                // Markers that were missed meanwhile are not made up for.
                due = (due + self.settings.interval).max(Instant::now());
            }
            self.search().await;
            state.send_replace(self.ledger.state(seconds()));
            pause(LOOK_EVERY.min(due.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// A write that takes longer counts as failed, so that it cannot hold up the rest.
    fn patience(&self) -> Duration {
        (self.settings.interval / 10).clamp(Duration::from_millis(300), Duration::from_secs(2))
    }

    fn token(&self, number: u64) -> String {
        format!("{PREFIX}-{:016x}-{number:010}", self.run)
    }

    async fn write(&mut self) {
        let token = self.token(self.number);
        self.number += 1;
        let at = seconds();
        let kept = self.client.take().filter(|client| !client.is_closed());
        let writing = async {
            let client = match kept {
                Some(client) => client,
                None => connect(&self.postgres, PREFIX).await?,
            };
            emit_transaction(&client, &self.settings.prefix, "wake").await?;
            let lsn = emit_message(&client, &self.settings.prefix, &token).await?;
            Ok::<(Client, Lsn), UpgradeError>((client, lsn))
        };
        match within(self.patience(), writing).await {
            Some(Ok((client, lsn))) => {
                self.client = Some(client);
                self.ledger.wrote(Written { token, lsn, at });
            }
            Some(Err(error)) => self.ledger.not_written(chain(&error)),
            None => self
                .ledger
                .not_written("PostgreSQL did not answer in time".to_owned()),
        }
    }

    /// One search at a time, in the background: one that hangs holds up neither writing nor the news.
    async fn search(&mut self) {
        if let Some(searching) = self.searching.take() {
            if !searching.is_finished() {
                self.searching = Some(searching);
                return;
            }
            match searching.await {
                Ok(Ok((cursor, found))) => {
                    self.cursor = cursor;
                    self.ledger.looked(None);
                    self.ledger.came_back(&found, seconds());
                }
                Ok(Err(error)) => self.ledger.looked(Some(chain(&error))),
                Err(panic) => self.ledger.looked(Some(panic.to_string())),
            }
        }
        let tokens: Vec<String> = self
            .ledger
            .waiting()
            .map(|marker| marker.token.clone())
            .collect();
        if tokens.is_empty() {
            return;
        }
        // Markers that are written while the search is under way may be read by it, and are not read again.
        let coming = (self.number..self.number + COMING).map(|number| self.token(number));
        let tokens: Vec<String> = tokens.into_iter().chain(coming).collect();
        let (kafka, topic) = (Arc::clone(&self.kafka), self.settings.topic.clone());
        let cursor = self.cursor.clone();
        let looking = blocking(move || look(&kafka, &topic, cursor, &tokens));
        self.searching = Some(tokio::spawn(looking));
    }
}

/// More markers than are written in the time that one search may take.
const COMING: u64 = 32;

type Cursor = BTreeMap<i32, i64>;

/// Reads what was added to the topic since the cursor. Gives where it ends now, and the tokens that it holds.
fn look(
    kafka: &Kafka,
    topic: &str,
    mut cursor: Cursor,
    tokens: &[String],
) -> Result<(Cursor, Vec<String>), KafkaError> {
    if cursor.is_empty() {
        // The connector makes the topic with its first message.
        let topics = kafka.topics()?;
        let known = topics.into_iter().find(|known| known.name == topic);
        let partitions = known.map_or_else(Vec::new, |known| known.partitions);
        cursor.extend(partitions.into_iter().map(|partition| (partition, 0)));
    }
    let needles: Vec<(&String, Vec<String>)> = tokens
        .iter()
        .map(|token| (token, spellings(token)))
        .collect();
    let mut found = Vec::new();
    for (partition, from) in &mut cursor {
        let (_, high) = kafka.watermarks(topic, *partition)?;
        if high < *from {
            // The topic was made again.
            *from = 0;
        }
        if high == *from {
            continue;
        }
        let range = ReadRange {
            topic,
            partition: *partition,
            from: *from,
            to: high,
            timeout_idle: Duration::from_secs(5),
        };
        let mut compare = |record: &Record<'_>| {
            let value = record.value.unwrap_or_default();
            for (token, spelt) in &needles {
                if spelt.iter().any(|needle| holds(value, needle.as_bytes())) {
                    found.push((*token).clone());
                }
            }
            ControlFlow::Continue(())
        };
        kafka.read_range(&range, &mut compare)?;
        *from = high;
    }
    Ok((cursor, found))
}

fn seconds() -> f64 {
    jiff::Timestamp::now().as_millisecond() as f64 / 1000.0
}

/// The error with its causes, in one line.
fn chain(error: &dyn cutover_model::Classified) -> String {
    cutover_model::Failure::of(error).message
}
