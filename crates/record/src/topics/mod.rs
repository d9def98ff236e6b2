//! The topic recorder: reads every partition up to the offset that the fence noted, and writes the published
//! ledger.
//!
//! ```text
//! sequences of partitions ─► workers: read, decode ([`worker`]) ─► batches of rows ─► ledger, a worker at a time
//! ```
//! A record gets its incarnation from the cuts (the end offsets noted while the connector stood still), because
//! Debezium's records do not say whose log they are of; where two lives share their log, `cuts` tells a cut exactly.
//! Partitions are read side by side, records of each one by one, so memory does not depend on the topics. The rules it
//! protects: what could not be read or decoded is counted and shown; and what is told does not depend on which worker
//! was faster, since nothing is carried from one sequence to the next and their answers are put together in order.

mod ledgers;
mod tally;
mod worker;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::thread;

use cutover_clients::kafka::Kafka;
use cutover_ledger::{ChangeWriter, TransactionWriter};
use cutover_model::evidence::{PartitionEvidence, PayloadEvidence};
use cutover_model::{EventSink, Lsn, TableShape};

pub use crate::decode::{
    Binary, ConverterModes, Decimal, TimePrecision, record_options, registry_option, settle,
};

use crate::RecordError;
use crate::decode::{Decoder, TopicKind};
use crate::notes::Notes;
use crate::pace::Pace;
use ledgers::Ledgers;
use tally::Tally;
use worker::{Read, Shared};

/// Whoever reads topics on a large machine wants some of it left for the broker and the database.
const WORKERS_MAX: usize = 4;

/// What to read, and how to understand it.
#[derive(Debug, Clone)]
pub struct TopicsConfig {
    /// Bootstrap servers.
    pub bootstrap: String,
    /// The connector's `topic.prefix`.
    pub prefix: String,
    /// The captured tables.
    pub shapes: Vec<TableShape>,
    /// How the connector writes values.
    pub modes: ConverterModes,
    /// Hashes of schemas that an earlier reading used (`StreamEvidence::schemas`).
    pub schemas: BTreeMap<String, String>,
    /// The stretch of each partition.
    pub spans: Vec<PartitionSpan>,
}

/// The judged stretch of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSpan {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// End offset noted by the fence.
    pub end: i64,
    /// Where each incarnation begins: (index, first offset), ascending. Reading begins at the first one; without
    /// any, at the start of the log and with incarnation 0.
    pub cuts: Vec<(i32, i64)>,
    /// For each incarnation whose log continues that of the one before it: where it leaves that log.
    pub forks: Vec<(i32, Lsn)>,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicsEnd {
    /// For `Evidence::partitions`.
    pub partitions: Vec<PartitionEvidence>,
    /// For `Evidence::payload`.
    pub payload: PayloadEvidence,
    /// Change records, snapshot records among them.
    pub published: u64,
    /// Snapshot records (`op=r`).
    pub snapshot: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Logical decoding messages seen (they are no rows of the ledger).
    pub messages: u64,
    /// (relation, column, reason): content that was not compared.
    pub not_compared: Vec<(String, String, String)>,
    /// Hashes of the schemas that were used, for `StreamEvidence::schemas`.
    pub schemas: BTreeMap<String, String>,
    /// What keeps the recording from being complete, for `Evidence::problems`.
    pub problems: Vec<String>,
}

/// Reads all spans and writes the published ledger; what the transaction topic holds goes to `transactions`, if that
/// is wanted. Blocks; run it on a thread of its own.
pub fn record_topics(
    config: &TopicsConfig,
    writer: &mut ChangeWriter,
    transactions: Option<&mut TransactionWriter>,
    events: &EventSink,
) -> Result<TopicsEnd, RecordError> {
    let kafka = Kafka::new(&config.bootstrap)?;
    record_topics_of(&kafka, config, writer, (transactions, events))
}

/// The same, of a cluster that asks for more than its address.
///
/// # Errors
/// As [`record_topics`].
pub fn record_topics_of(
    kafka: &Kafka,
    config: &TopicsConfig,
    writer: &mut ChangeWriter,
    (transactions, events): (Option<&mut TransactionWriter>, &EventSink),
) -> Result<TopicsEnd, RecordError> {
    let decoder = Decoder::new(&config.prefix, &config.shapes, &config.modes);
    let shared = Shared {
        kafka,
        config,
        events,
        sequences: sequences(&decoder, &config.spans),
        next: AtomicUsize::new(0),
        pace: Pace::begin(events),
        offsets: AtomicU64::new(0),
        total: AtomicU64::new(worker::offsets_in_all(&config.spans)),
        stop: AtomicBool::new(false),
        ledgers: Ledgers::new(writer, transactions),
    };
    let reads = side_by_side(&shared)?;
    Ok(put_together(decoder.notes(), reads, config.spans.len()))
}

/// Partitions that one worker reads one after another, as places in [`TopicsConfig::spans`].
type Sequence = Vec<usize>;

/// What has a topic of its own is decoded alike whatever came before it, so that its partitions can be read in any
/// order. Of any other topic, a record can be told only by those before it: its partitions stay in one sequence.
fn sequences(decoder: &Decoder<'_>, spans: &[PartitionSpan]) -> Vec<Sequence> {
    let mut sequences: Vec<Sequence> = Vec::with_capacity(spans.len());
    let mut shared: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, span) in spans.iter().enumerate() {
        let alone = match decoder.kind(&span.topic) {
            TopicKind::Changes(_) => !decoder.is_shared(&span.topic),
            TopicKind::Heartbeats | TopicKind::Signals => true,
            TopicKind::Messages | TopicKind::Transactions | TopicKind::Unknown => false,
        };
        match shared.get(span.topic.as_str()) {
            Some(sequence) => sequences[*sequence].push(place),
            None => {
                if !alone {
                    shared.insert(&span.topic, sequences.len());
                }
                sequences.push(vec![place]);
            }
        }
    }
    sequences
}

/// Reads all sequences. The first failure ends the others; of several, that of the first sequence is told.
fn side_by_side(shared: &Shared<'_>) -> Result<Vec<Read>, RecordError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = cores.min(WORKERS_MAX).min(shared.sequences.len());
    let mut ends = thread::scope(|scope| {
        let mut running = Vec::with_capacity(workers);
        let mut ends = Vec::with_capacity(shared.sequences.len());
        for number in 0..workers {
            let started = thread::Builder::new()
                .name(format!("topics-{number}"))
                .spawn_scoped(scope, || worker::work(shared));
            match started {
                Ok(worker) => running.push(worker),
                Err(error) => ends.push((0, Err(RecordError::NoThread(error)))),
            }
        }
        for worker in running {
            match worker.join() {
                Ok(read) => ends.extend(read),
                Err(_) => ends.push((0, Err(RecordError::Thread(BROKE_OFF.to_owned())))),
            }
        }
        ends
    });
    ends.sort_by_key(|(sequence, _)| *sequence);
    ends.into_iter().map(|(_, read)| read).collect()
}

const BROKE_OFF: &str = "a reader of topics broke off";

/// One answer from those of all sequences, in their order.
fn put_together(of_settings: &Notes, reads: Vec<Read>, spans: usize) -> TopicsEnd {
    let mut whole = Tally::default();
    let mut partitions: Vec<Option<PartitionEvidence>> = vec![None; spans];
    let mut schemas = BTreeMap::new();
    let mut notes = of_settings.clone();
    let mut seen_at = BTreeMap::new();
    for read in reads {
        for (place, partition) in read.partitions {
            partitions[place] = Some(partition);
        }
        for (id, hash) in read.schemas {
            let before = schemas.insert(id.clone(), hash.clone());
            if before.is_some_and(|before| before != hash) {
                notes.problem(format!(
                    "the registry gave out two schemas as {id} while the topics were read, so records may have been \
                     read with the wrong one"
                ));
            }
        }
        for (problem, place) in read.noticed {
            if !notes.problems.contains(&problem) {
                seen_at.insert(problem, place);
            }
        }
        notes.add(read.notes);
        whole.add(read.tally);
    }
    let values = std::mem::take(&mut notes.values);
    let told = |problem: String| match (seen_at.get(&problem), values.get(&problem)) {
        (Some(place), Some(values)) => format!("{problem} ({values} of them, first: {place})"),
        (Some(place), None) => format!("{problem} (first: {place})"),
        (None, _) => problem,
    };
    let payload = whole.payload();
    let mut problems = whole.problems;
    problems.extend(notes.problems.into_iter().map(told));
    TopicsEnd {
        partitions: partitions.into_iter().flatten().collect(),
        payload,
        published: whole.published,
        snapshot: whole.snapshot,
        tombstones: whole.tombstones,
        messages: whole.messages,
        not_compared: notes
            .not_compared
            .into_iter()
            .map(|((relation, column), reason)| (relation, column, reason))
            .collect(),
        schemas,
        problems,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(schema: &str) -> Read {
        Read {
            schemas: BTreeMap::from([("value/1".to_owned(), schema.to_owned())]),
            ..Read::default()
        }
    }

    /// A registry that lost its schemas gives their ids to others.
    #[test]
    fn two_schemas_under_one_id_keep_the_recording_from_being_complete() {
        let of = |reads| put_together(&Notes::default(), reads, 0).problems;
        assert_eq!(of(vec![read("a"), read("a")]), Vec::<String>::new());
        let problems = of(vec![read("a"), read("b")]);
        assert!(
            problems[0].contains("two schemas as value/1"),
            "{problems:?}"
        );
    }

    #[test]
    fn bad_values_are_counted_by_column_and_kind_over_all_partitions() {
        let read = |values: &[&str]| {
            let mut read = Read::default();
            for value in values {
                let text = format!("public.t: a value of column '{value}");
                read.notes.bad_value(text.clone());
                read.noticed.entry(text).or_insert("t/0/7".into());
            }
            read
        };
        let reads = vec![
            read(&["a' is no text", "a' is no text", "b' is no number"]),
            read(&["a' is no text"]),
        ];
        let told = put_together(&Notes::default(), reads, 0).problems;
        assert_eq!(
            told,
            [
                "public.t: a value of column 'a' is no text (3 of them, first: t/0/7)",
                "public.t: a value of column 'b' is no number (1 of them, first: t/0/7)",
            ]
        );
    }

    #[test]
    fn partitions_are_read_in_any_order_only_where_a_record_says_whose_it_is() {
        let span = |topic: &str, partition| PartitionSpan {
            topic: topic.to_owned(),
            partition,
            end: 1,
            cuts: Vec::new(),
            forks: Vec::new(),
        };
        let shape = |name: &str| TableShape {
            relation: cutover_model::Relation::new("s", name),
            columns: Vec::new(),
            replica_identity: cutover_model::ReplicaIdentity::Default,
            content_lost: None,
            unclear_key: false,
        };
        // Debezium writes `_` for the blank, so two tables share a topic.
        let shapes = [shape("own"), shape("a b"), shape("a_b")];
        let modes = ConverterModes::default();
        let decoder = Decoder::new("p", &shapes, &modes);
        let topics = ["p.s.own", "p.s.a_b", "p.s.own", "p.s.a_b", "other", "other"];
        let spans: Vec<_> = topics
            .iter()
            .zip(0..)
            .map(|(topic, n)| span(topic, n))
            .collect();
        let expected = [vec![0], vec![1, 3], vec![2], vec![4, 5]];
        assert_eq!(sequences(&decoder, &spans), expected);
    }
}
