//! Topic to published ledger beside `kcat -C -e`, which reads the same records and throws them away.
//!
//! Both read from the same broker in turn, several times; the best time of each counts. The broker takes its share of
//! the processors in both.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cutover_ledger::{ChangeWriter, buckets_for};
use cutover_model::EventSink;
use cutover_record::topics::{ConverterModes, PartitionSpan, TopicsConfig, record_topics};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::envelopes;
use crate::error::BenchError;
use crate::figure::Figure;
use crate::server::scratch;

const PREFIX: &str = "cutover-bench";
const PATIENCE: Duration = Duration::from_secs(60);
const ROUNDS: usize = 3;

/// What to read, and where.
#[derive(Debug, Clone)]
pub struct TopicsBench {
    /// Bootstrap servers.
    pub bootstrap: String,
    /// Records of about 1 KB.
    pub events: u64,
    /// Partitions of the topic.
    pub partitions: i32,
    /// Where the ledgers are written meanwhile.
    pub folder: PathBuf,
    /// The program kcat, by name or path.
    pub kcat: String,
}

/// Makes a topic, fills it, reads it with kcat and with the recorder, and removes it.
///
/// # Errors
/// The broker, the folder, the recorder; or not every record became a row.
pub async fn topics(bench: TopicsBench) -> Result<Vec<Figure>, BenchError> {
    let admin: AdminClient<DefaultClientContext> = client(&bench.bootstrap).create()?;
    // A name of its own, so that nothing of anybody's is written to or removed.
    let unique = std::process::id();
    let topic = format!("{PREFIX}-{unique}.public.orders");
    let new = NewTopic::new(&topic, bench.partitions, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    for made in admin.create_topics([&new], &options).await? {
        made.map_err(|(_, code)| KafkaError::AdminOp(code))?;
    }
    let of = topic.clone();
    let measured = tokio::task::spawn_blocking(move || measure(&bench, &of)).await;
    admin.delete_topics(&[topic.as_str()], &options).await?;
    measured.map_err(|panic| BenchError::Void(panic.to_string()))?
}

fn measure(bench: &TopicsBench, topic: &str) -> Result<Vec<Figure>, BenchError> {
    let begun = Instant::now();
    let spans = fill(bench, topic)?;
    let filled = begun.elapsed().as_secs_f64();
    let (mut ours, mut theirs) = (f64::INFINITY, None::<f64>);
    for _ in 0..ROUNDS {
        if let Some(seconds) = with_kcat(bench, topic)? {
            theirs = Some(theirs.map_or(seconds, |best| best.min(seconds)));
        }
        ours = ours.min(with_recorder(bench, topic, &spans)?);
    }
    let events = bench.events as f64;
    let size = format!(
        "{} records of 1 KB in {} partitions",
        bench.events, bench.partitions
    );
    let mut figures = vec![Figure::new(
        format!("{size}: written"),
        events / filled,
        "events/s",
    )];
    match theirs {
        Some(theirs) => {
            figures.push(Figure::new(
                format!("{size}: kcat -C -e"),
                events / theirs,
                "events/s",
            ));
            figures.push(Figure::new(
                "topic to ledger against kcat",
                theirs / ours,
                "×",
            ));
        }
        None => figures.push(Figure::new(
            format!("'{}' was not found, so nothing to compare with", bench.kcat),
            0.0,
            "runs",
        )),
    }
    figures.push(Figure::new(
        format!("{size}: topic to published ledger"),
        events / ours,
        "events/s",
    ));
    Ok(figures)
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("linger.ms", "20")
        .set("batch.size", "500000")
        .set("queue.buffering.max.messages", "200000");
    config
}

/// Writes the records; a key always goes to the same partition. Gives what is to be read.
fn fill(bench: &TopicsBench, topic: &str) -> Result<Vec<PartitionSpan>, BenchError> {
    let producer: BaseProducer = client(&bench.bootstrap).create()?;
    let mut ends = vec![0_i64; usize::try_from(bench.partitions).unwrap_or(1)];
    for number in 0..bench.events {
        let partition = (number % 500_000) as usize % ends.len();
        ends[partition] += 1;
        let (key, value) = (envelopes::key(number), envelopes::value(number));
        let mut record = BaseRecord::to(topic)
            .partition(partition as i32)
            .key(&key)
            .payload(&value);
        while let Err((error, refused)) = producer.send(record) {
            if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(20));
            record = refused;
        }
    }
    producer.flush(PATIENCE)?;
    let span = |(partition, end): (usize, &i64)| PartitionSpan {
        topic: topic.to_owned(),
        partition: partition as i32,
        end: *end,
        cuts: vec![(0, 0)],
        forks: Vec::new(),
    };
    Ok(ends.iter().enumerate().map(span).collect())
}

/// Seconds that kcat takes; `None` if there is no such program.
fn with_kcat(bench: &TopicsBench, topic: &str) -> Result<Option<f64>, BenchError> {
    let mut command = Command::new(&bench.kcat);
    command
        .args([
            "-C",
            "-e",
            "-q",
            "-b",
            &bench.bootstrap,
            "-t",
            topic,
            "-o",
            "beginning",
        ])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    match command.status() {
        Ok(status) if status.success() => Ok(Some(begun.elapsed().as_secs_f64())),
        Ok(status) => Err(BenchError::Tool(format!("kcat ended with {status}"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BenchError::Tool(format!("start kcat: {error}"))),
    }
}

fn with_recorder(
    bench: &TopicsBench,
    topic: &str,
    spans: &[PartitionSpan],
) -> Result<f64, BenchError> {
    let scratch = scratch(&bench.folder)?;
    let prefix = topic.strip_suffix(".public.orders").unwrap_or(topic);
    let config = TopicsConfig {
        bootstrap: bench.bootstrap.clone(),
        prefix: prefix.to_owned(),
        shapes: vec![envelopes::shape()],
        modes: ConverterModes::default(),
        schemas: BTreeMap::new(),
        spans: spans.to_vec(),
    };
    let begun = Instant::now();
    let mut writer = ChangeWriter::create(scratch.path(), buckets_for(bench.events))?;
    let end = record_topics(&config, &mut writer, None, &EventSink::none())?;
    let rows = writer.finish()?;
    let seconds = begun.elapsed().as_secs_f64();
    if rows != bench.events || end.payload.undecoded > 0 || !end.problems.is_empty() {
        let (undecoded, problems) = (end.payload.undecoded, &end.problems);
        return Err(BenchError::Void(format!(
            "{} records, {rows} rows, {undecoded} undecoded: {problems:?}",
            bench.events
        )));
    }
    Ok(seconds)
}
