//! Reading Kafka as an auditor: chosen partitions from chosen offsets, and nothing left behind. Writing: two kinds
//! of record only, an offset of Connect ([`OffsetsTopic`]) and what closes a gap ([`RepairWriter`]).
//!
//! Topic recorders and fences read through this. Partitions are assigned, never subscribed: no consumer group
//! is joined, no offset committed (librdkafka wants a group name all the same; no broker ever hears it).
//! The rule it protects: the end of a read is known, not guessed. A partition that ends early, a broker that
//! is gone and a log that was cut off are three different answers, and a hang is none.

mod address;
mod error;
mod jks;
mod offsets;
pub mod properties;
mod queue;
mod reader;
mod record;
mod repair;
mod settings;
mod stores;
mod talk;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError as Cause;
use rdkafka::metadata::Metadata;
use rdkafka::types::RDKafkaErrorCode;

pub use address::{Isolation, KafkaAddress};
pub use error::KafkaError;
pub use offsets::{OffsetKey, OffsetRecord, OffsetsTopic};
pub use reader::ReadEnd;
pub use record::Record;
pub use repair::{RepairRecord, RepairWriter};
use talk::{Consumer, Talk};

/// How long one question to the broker may take.
pub(crate) const ASK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one try of it may take: what the library says meanwhile is looked at in between.
const ASK_ONCE: Duration = Duration::from_secs(1);

/// What the library can hold at most. Several records come in answers of 50 MB.
const LARGEST_ANSWER: &str = "2147483647";

/// One Kafka cluster. Calls block: use it on a thread of its own, or in `spawn_blocking`.
pub struct Kafka {
    address: KafkaAddress,
    asking: Consumer,
    /// What read before and has nothing assigned. Connecting anew for each partition takes longer than a small one.
    idle: Mutex<Vec<Consumer>>,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kafka({})", self.address.bootstrap())
    }
}

/// A topic and its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicInfo {
    /// Name.
    pub name: String,
    /// Partition numbers, ascending.
    pub partitions: Vec<i32>,
}

/// By topic and partition: the offset after the last record that a reader of the address's [`Isolation`] may see.
pub type Ends = BTreeMap<(String, i32), i64>;

impl Kafka {
    /// A client for the cluster; connects when first asked.
    pub fn new(bootstrap: &str) -> Result<Kafka, KafkaError> {
        Kafka::at(&KafkaAddress::plain(bootstrap))
    }

    /// A client for a cluster that asks for more than its address.
    pub fn at(address: &KafkaAddress) -> Result<Kafka, KafkaError> {
        Ok(Kafka {
            address: address.clone(),
            asking: consumer(address)?,
            idle: Mutex::default(),
        })
    }

    /// Every topic of the cluster, by name; internal ones too.
    pub fn topics(&self) -> Result<Vec<TopicInfo>, KafkaError> {
        let metadata = self.metadata()?;
        let mut topics: Vec<TopicInfo> = metadata
            .topics()
            .iter()
            .filter(|topic| topic.error().is_none())
            .map(|topic| {
                let mut partitions: Vec<i32> =
                    topic.partitions().iter().map(|part| part.id()).collect();
                partitions.sort_unstable();
                TopicInfo {
                    name: topic.name().to_owned(),
                    partitions,
                }
            })
            .collect();
        topics.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(topics)
    }

    /// Whether its user may know of a topic: the list of all topics leaves out the others.
    ///
    /// # Errors
    /// No, or the broker cannot be asked. A topic that is not there is no error.
    pub fn may_describe(&self, topic: &str) -> Result<(), KafkaError> {
        let failed = |source| KafkaError::of_partition(topic, 0, source);
        let metadata = self.asking.fetch_metadata(Some(topic), ASK_TIMEOUT);
        let metadata = metadata.map_err(failed)?;
        let told = metadata.topics().first().and_then(|topic| topic.error());
        match told.map(RDKafkaErrorCode::from) {
            Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
                Err(failed(Cause::MetadataFetch(code)))
            }
            _ => Ok(()),
        }
    }

    /// Asks until there is an answer, or a reason why there is none.
    fn metadata(&self) -> Result<Metadata, KafkaError> {
        let begun = Instant::now();
        loop {
            let source = match self.asking.fetch_metadata(None, ASK_ONCE) {
                Ok(metadata) => {
                    self.asking.context().forget();
                    return Ok(metadata);
                }
                Err(source) => source,
            };
            if let Some(heard) = talk::heard(&self.asking) {
                return Err(heard.error(self.address.bootstrap()));
            }
            if begun.elapsed() >= ASK_TIMEOUT {
                return Err(KafkaError::Unreachable {
                    bootstrap: self.address.bootstrap().to_owned(),
                    source: Box::new(source),
                });
            }
        }
    }

    /// First offset that the log still has, and the offset after the last one that a reader may see (for one of
    /// committed records, those of transactions still open stand behind it).
    pub fn watermarks(&self, topic: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
        reader::watermarks(&self.asking, topic, partition)
    }

    /// The second of the [`Kafka::watermarks`] of every partition of these topics, asked for all at once: one after
    /// another, the partitions of a large cluster take longer than anybody waits.
    pub fn ends(&self, topics: &[TopicInfo]) -> Result<Ends, KafkaError> {
        let partitions = topics.iter().flat_map(|topic| {
            let of = |partition: &i32| (topic.name.clone(), *partition);
            topic.partitions.iter().map(of)
        });
        reader::ends(&self.asking, partitions.collect())
    }

    /// Whether the topic is compacted, so that records may have been removed from the midst of it.
    pub fn compacted(&self, topic: &str) -> Result<bool, KafkaError> {
        settings::compacted(&self.address, topic)
    }

    /// Reads `from..to` of one partition and hands each record to `consume` until it breaks off.
    ///
    /// Offsets without record (compaction, transaction markers, aborted records) are normal. The read ends when
    /// everything before `to` was seen, or, when nothing new came for `timeout_idle`: with
    /// [`ReadEnd::reached_end`] false if the partition simply holds no more yet, with an error if the broker
    /// cannot be reached or does not deliver.
    pub fn read_range(
        &self,
        range: &ReadRange<'_>,
        consume: &mut dyn FnMut(&Record<'_>) -> std::ops::ControlFlow<()>,
    ) -> Result<ReadEnd, KafkaError> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = idle().pop();
        let reading = match waiting {
            Some(waiting) => waiting,
            None => consumer(&self.address)?,
        };
        let end = reader::read(&reading, range, consume)?;
        idle().push(reading);
        Ok(end)
    }
}

/// What to read.
#[derive(Debug, Clone, Copy)]
pub struct ReadRange<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// First offset wanted; reading begins later if the log was cut off (see [`ReadEnd::start`]).
    pub from: i64,
    /// Offset after the last one wanted.
    pub to: i64,
    /// How long nothing may come before the read gives up.
    pub timeout_idle: Duration,
}

/// What every client of ours has in common.
fn client(address: &KafkaAddress) -> ClientConfig {
    let mut config = ClientConfig::new();
    address.apply(&mut config);
    config
        .set("client.id", "cutover")
        // Asking for a topic must not create it.
        .set("allow.auto.create.topics", "false")
        .set("reconnect.backoff.max.ms", "1000")
        .set("log_level", "0");
    config
}

fn consumer(address: &KafkaAddress) -> Result<Consumer, KafkaError> {
    client(address)
        // Needed by the library; with assign() and without commits the broker never sees it.
        .set("group.id", "cutover-never-joined")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", address.isolation().word())
        .set("check.crcs", "true")
        // A log that was cut off must be an answer, not a silent jump.
        .set("auto.offset.reset", "error")
        // The default of one second stalls a reader that is faster than the fetcher.
        .set("fetch.queue.backoff.ms", "1")
        // A broker that has nothing yet keeps the request for so long, and the next partition's has to wait for it.
        .set("fetch.wait.max.ms", "10")
        // Several answers of this size fit into what is held below, and asking costs as much for a small one.
        .set("fetch.message.max.bytes", "4194304")
        .set("queued.min.messages", "20000")
        .set("queued.max.messages.kbytes", "32768")
        // One record comes whole, however large; the default refuses an answer of 100 MB, and asks for it for ever.
        .set("receive.message.max.bytes", LARGEST_ANSWER)
        .create_with_context(Talk::default())
        .map_err(|source| KafkaError::Config {
            source: Box::new(source),
        })
}
