//! One look at everything: Connect and the stored offset, then the server, and Kafka beside them.
//!
//! The rules it protects: a part that does not answer in time is noted and the others are looked at all the same; the
//! offset is read before the end of the log, so that a running connector cannot seem to be ahead of its server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_clients::connect::{Connect, ConnectError, StoredOffset};
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::facts::{ServerFacts, server_facts};
use cutover_clients::pg::slot_details::{SlotDetail, slot_details};
use cutover_clients::pg::{Client, PgAddress, connect_looking};
use cutover_clients::wait::within;
use cutover_model::connector::{ConnectorState, Health};
use cutover_model::doctor::NotLookedAt;
use cutover_model::{Classified, ExitCode, Failure};
use tokio::task::{JoinError, JoinHandle};

use crate::error::UpgradeError;
use crate::fence::blocking;
use crate::operate::connector::Operated;
use crate::start::Starting;

/// Partitions whose ends are asked for in one look; a look must not weigh on the brokers.
const PARTITIONS_MAX: usize = 400;

/// How long a part may take to answer.
const ANSWERS: Duration = Duration::from_secs(5);

/// What the stream is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamNames {
    /// The connector's slot.
    pub slot: String,
    /// First part of its topics' names.
    pub prefix: String,
}

/// What one look brought. What is absent was not seen.
#[derive(Debug, Clone, Default)]
pub struct Sample {
    /// Seconds since 1970.
    pub at: f64,
    /// The same, UTC.
    pub time: String,
    /// How long it took.
    pub seconds: f64,
    /// Slot and topics, by the connector's configuration.
    pub names: Option<StreamNames>,
    /// Connector and tasks.
    pub connector: Option<ConnectorState>,
    /// What is stored for it.
    pub offset: Option<StoredOffset>,
    /// The server and its end, with its address.
    pub server: Option<(String, ServerFacts)>,
    /// Its slots.
    pub slots: Vec<SlotDetail>,
    /// Topics of the stream: sums of end offsets.
    pub topics: Option<BTreeMap<String, u64>>,
    /// Topics not counted.
    pub topics_left_out: u64,
    /// Parts that did not answer, or that nobody named.
    pub not_looked_at: Vec<NotLookedAt>,
    /// What the worst of those that did not answer would end a command with.
    pub unreached: Option<ExitCode>,
}

/// Where to look; keeps its connections.
pub struct Eyes {
    /// The worker.
    pub connect: Option<Connect>,
    /// The connector; without it, the only one of the worker.
    pub connector: Option<String>,
    /// The server.
    pub postgres: Option<PgAddress>,
    /// The brokers.
    pub kafka: Option<Arc<Kafka>>,
    client: Option<Client>,
    names: Option<StreamNames>,
    counting: Option<Counting>,
}

/// What the worker said.
struct Worker {
    names: StreamNames,
    connector: ConnectorState,
}

impl Eyes {
    /// Opens them; nothing is asked yet.
    pub fn new(
        connect: Option<Connect>,
        connector: Option<String>,
        postgres: Option<PgAddress>,
        kafka: Option<Arc<Kafka>>,
    ) -> Eyes {
        Eyes {
            connect,
            connector,
            postgres,
            kafka,
            client: None,
            names: None,
            counting: None,
        }
    }

    /// Looks once.
    pub async fn look(&mut self) -> Sample {
        let begun = Instant::now();
        let now = jiff::Timestamp::now();
        let mut sample = Sample {
            at: now.as_millisecond() as f64 / 1000.0,
            time: format!("{now:.3}"),
            ..Sample::default()
        };
        let before = self.names.as_ref().map(|names| names.prefix.clone());
        let (kafka, mut counting) = (self.kafka.clone(), self.counting.take());
        let topics = topics(kafka, before, &mut counting);
        let (counted, ()) = tokio::join!(topics, async {
            // The offset first: see the head of this file.
            self.worker(&mut sample).await;
            self.server(&mut sample).await;
        });
        self.counting = counting;
        match counted {
            Some(Ok((counted, left_out))) => {
                sample.topics = Some(counted);
                sample.topics_left_out = left_out;
            }
            Some(Err(error)) => sample.failed("Kafka", &error),
            None if self.kafka.is_some() => sample.silent("Kafka", "KAFKA-UNREACHABLE-001"),
            None => sample.unnamed("Kafka", "give --kafka, or kafka.bootstrap in cutover.toml"),
        }
        sample.seconds = begun.elapsed().as_secs_f64();
        sample
    }

    async fn worker(&mut self, sample: &mut Sample) {
        let Some(connect) = &self.connect else {
            let why = "give --connect, or connect.address in cutover.toml";
            return sample.unnamed("Kafka Connect", why);
        };
        match within(ANSWERS, worker(connect, self.connector.as_deref())).await {
            Some(Ok(worker)) => {
                self.names = Some(worker.names);
                offset(connect, &worker.connector.name, sample).await;
                sample.connector = Some(worker.connector);
            }
            // An answer too: the worker has none of this name.
            Some(Err(UpgradeError::Connect(ConnectError::NoConnector { connector }))) => {
                sample.connector = Some(absent(connector));
            }
            Some(Err(error)) => sample.failed("Kafka Connect", &error),
            None => sample.silent("Kafka Connect", "CONNECT-UNREACHABLE-001"),
        }
        // What the stream is called does not change when the worker falls silent.
        sample.names.clone_from(&self.names);
    }

    async fn server(&mut self, sample: &mut Sample) {
        let Some(address) = self.postgres.clone() else {
            let why = "give --postgres, or [postgres] in cutover.toml";
            return sample.unnamed("PostgreSQL", why);
        };
        let kept = self.client.take().filter(|client| !client.is_closed());
        let asked = async {
            let client = match kept {
                Some(client) => client,
                None => connect_looking(&address).await?,
            };
            let slots = slot_details(&client).await?;
            let facts = server_facts(&client).await?;
            Ok::<_, UpgradeError>((client, slots, facts))
        };
        match within(ANSWERS, asked).await {
            Some(Ok((client, slots, facts))) => {
                self.client = Some(client);
                sample.slots = slots;
                sample.server = Some((address.to_string(), facts));
            }
            Some(Err(error)) => sample.failed("PostgreSQL", &error),
            None => sample.silent("PostgreSQL", "PG-CONNECT-001"),
        }
    }
}

fn absent(name: String) -> ConnectorState {
    ConnectorState {
        name,
        health: Health::Absent,
        state: None,
        trace: None,
        tasks: Vec::new(),
        code: Health::Absent.code().map(str::to_owned),
    }
}

async fn worker(connect: &Connect, name: Option<&str>) -> Result<Worker, UpgradeError> {
    let starting = Starting::find(connect.clone(), name).await?;
    let operated = Operated {
        connect,
        name: &starting.connector,
        deadline: Duration::ZERO,
    };
    Ok(Worker {
        names: names(&starting),
        connector: operated.state().await?,
    })
}

/// The worker reads it from Kafka, so that a broker which is silent holds up this answer alone.
async fn offset(connect: &Connect, connector: &str, sample: &mut Sample) {
    match within(ANSWERS, connect.offsets(connector)).await {
        Some(Ok(stored)) => sample.offset = stored,
        Some(Err(error)) => sample.failed("stored offset", &error),
        None => sample.silent("stored offset", "CONNECT-UNREACHABLE-001"),
    }
}

/// Names by a connector's configuration.
pub(super) fn names(starting: &Starting) -> StreamNames {
    StreamNames {
        slot: starting
            .option("slot.name")
            .unwrap_or("debezium")
            .to_owned(),
        prefix: starting
            .option("topic.prefix")
            .unwrap_or_default()
            .to_owned(),
    }
}

type Counted = (BTreeMap<String, u64>, u64);

/// Ends that are being asked for, of topics with this prefix.
struct Counting {
    prefix: Option<String>,
    task: JoinHandle<Result<Counted, UpgradeError>>,
}

/// Ends of the stream's topics; none before the stream has a name. `None` if the brokers are not named or are silent.
///
/// A call of the library cannot be broken off, and brokers that are silent hold it up for longer than a look lasts. So
/// one that is under way is waited for again, and not another one begun beside it.
async fn topics(
    kafka: Option<Arc<Kafka>>,
    prefix: Option<String>,
    under_way: &mut Option<Counting>,
) -> Option<Result<Counted, UpgradeError>> {
    let kafka = kafka?;
    // What has ended since the look before says what was then.
    let usable = |old: &Counting| old.prefix == prefix && !old.task.is_finished();
    let counting = match under_way.take().filter(usable) {
        Some(old) => old,
        None => Counting {
            task: tokio::spawn(count(kafka, prefix.clone())),
            prefix,
        },
    };
    let counting = under_way.insert(counting);
    let counted = within(ANSWERS, &mut counting.task).await?;
    *under_way = None;
    let broke_off = |panic: JoinError| Err(UpgradeError::Disproved(panic.to_string()));
    Some(counted.unwrap_or_else(broke_off))
}

async fn count(kafka: Arc<Kafka>, prefix: Option<String>) -> Result<Counted, UpgradeError> {
    blocking(move || {
        let (mut asked, mut left_out) = (0, 0);
        let mut topics = kafka.topics()?;
        let Some(prefix) = prefix.map(|prefix| prefix + ".") else {
            return Ok((BTreeMap::new(), 0));
        };
        topics.retain(|topic| {
            let ours = topic.name.starts_with(&prefix);
            asked += if ours { topic.partitions.len() } else { 0 };
            left_out += u64::from(ours && asked > PARTITIONS_MAX);
            ours && asked <= PARTITIONS_MAX
        });
        let mut counted: BTreeMap<String, u64> =
            topics.iter().map(|topic| (topic.name.clone(), 0)).collect();
        for ((topic, _), end) in kafka.ends(&topics)? {
            *counted.entry(topic).or_default() += u64::try_from(end).unwrap_or(0);
        }
        Ok((counted, left_out))
    })
    .await
}

impl Sample {
    fn unnamed(&mut self, part: &str, why: &str) {
        self.note(part, why.to_owned(), None);
    }

    /// A part that does not answer is one that cannot be reached; only what nobody named has no code.
    fn silent(&mut self, part: &str, code: &str) {
        let why = format!(
            "no answer within {} s; see whether it runs, and what lies between",
            ANSWERS.as_secs()
        );
        self.failed_with(ExitCode::Unreachable);
        self.note(part, why, Some(code.to_owned()));
    }

    fn failed(&mut self, part: &str, error: &dyn Classified) {
        let failure = Failure::of(error);
        self.failed_with(failure.exit);
        let remedy = failure.remedy;
        let remedy = remedy.map_or_else(String::new, |remedy| format!("; {remedy}"));
        self.note(part, failure.message + &remedy, Some(failure.code));
    }

    /// What refused to answer, or could not be asked, is not known; that is no alert of the stream.
    fn failed_with(&mut self, exit: ExitCode) {
        if !matches!(exit, ExitCode::Unreachable | ExitCode::Denied) {
            return;
        }
        let worse = |known: &ExitCode| known.number() >= exit.number();
        self.unreached = self.unreached.filter(worse).or(Some(exit));
    }

    fn note(&mut self, part: &str, why: String, code: Option<String>) {
        self.not_looked_at.push(NotLookedAt {
            part: part.to_owned(),
            why,
            code,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_did_not_answer_or_let_us_in_decides_and_what_cannot_be_asked_does_not() {
        let mut sample = Sample::default();
        sample.failed("Kafka Connect", &UpgradeError::Refused("two".into()));
        assert_eq!(sample.unreached, None);
        sample.failed_with(ExitCode::Denied);
        sample.silent("Kafka", "KAFKA-UNREACHABLE-001");
        assert_eq!(sample.unreached, Some(ExitCode::Denied));
        assert_eq!(sample.not_looked_at.len(), 2);
    }
}
