//! The topic recorder: reads every partition up to the offset that the fence noted, and writes the published
//! ledger.
//!
//! A record gets its incarnation from the cuts (the end offsets noted while the connector stood still), because
//! Debezium's records do not say whose log they are of; where two lives share their log, `cuts` tells a cut exactly.
//! Records are handled one by one, so memory does not depend on the topic. The rule it protects: what could not be
//! read or decoded is counted and shown.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use cutover_clients::kafka::{Kafka, ReadRange, Record};
use cutover_ledger::{ChangeWriter, TransactionWriter};
use cutover_model::evidence::{PartitionEvidence, PayloadEvidence};
use cutover_model::{ChangeRow, Classified, EventKind, EventSink, Lsn, Op, TableShape};

pub use crate::decode::{
    Binary, ConverterModes, Decimal, TimePrecision, record_options, registry_option, settle,
};

use crate::RecordError;
use crate::cuts::Lives;
use crate::decode::{Decoded, Decoder};
use crate::schemas::Registries;

/// A partition that ends early is given this long to bring more.
const IDLE: Duration = Duration::from_secs(20);
const SAMPLES_MAX: usize = 20;
const PROGRESS_EVERY: u64 = 10_000;

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
    let mut decoder = Decoder::new(&config.prefix, &config.shapes, &config.modes)
        .expecting(config.schemas.clone());
    if let Some(registries) = Registries::of(&config.modes)? {
        decoder = decoder.with_schemas(Box::new(registries));
    }
    // What the settings alone show is of no record.
    let settings = decoder.notes().problems.iter();
    let noticed = settings.map(|problem| (problem.clone(), None)).collect();
    let mut recorder = Recorder {
        decoder,
        writer,
        transactions,
        events,
        tally: Tally {
            noticed,
            ..Tally::default()
        },
    };
    let mut partitions = Vec::with_capacity(config.spans.len());
    for span in &config.spans {
        partitions.push(recorder.span(kafka, span)?);
    }
    let notes = recorder.decoder.notes().clone();
    let schemas = recorder.decoder.used_schemas().clone();
    let mut tally = recorder.tally;
    let noticed = std::mem::take(&mut tally.noticed);
    tally.problems.extend(
        notes
            .problems
            .into_iter()
            .map(|problem| match noticed.get(&problem) {
                Some(Some(place)) => format!("{problem} (first: {place})"),
                _ => problem,
            }),
    );
    Ok(TopicsEnd {
        partitions,
        payload: tally.payload(),
        published: tally.published,
        snapshot: tally.snapshot,
        tombstones: tally.tombstones,
        messages: tally.messages,
        not_compared: notes
            .not_compared
            .into_iter()
            .map(|((relation, column), reason)| (relation, column, reason))
            .collect(),
        schemas,
        problems: tally.problems,
    })
}

#[derive(Default)]
struct Tally {
    records: u64,
    published: u64,
    snapshot: u64,
    tombstones: u64,
    messages: u64,
    without_lsn: u64,
    without_op: u64,
    undecoded: u64,
    samples: Vec<String>,
    formats: Vec<&'static str>,
    /// What the decoder noticed, with the first record that shows it.
    noticed: BTreeMap<String, Option<String>>,
    problems: Vec<String>,
}

impl Tally {
    fn payload(&mut self) -> PayloadEvidence {
        let format = if self.formats.is_empty() {
            "no change records".to_owned()
        } else {
            self.formats.join("; ")
        };
        PayloadEvidence {
            format,
            has_lsn: self.without_lsn == 0,
            has_op: self.without_op == 0,
            undecoded: self.undecoded,
            undecoded_samples: std::mem::take(&mut self.samples),
        }
    }
}

struct Recorder<'a> {
    decoder: Decoder<'a>,
    writer: &'a mut ChangeWriter,
    transactions: Option<&'a mut TransactionWriter>,
    events: &'a EventSink,
    tally: Tally,
}

impl Recorder<'_> {
    fn span(
        &mut self,
        kafka: &Kafka,
        span: &PartitionSpan,
    ) -> Result<PartitionEvidence, RecordError> {
        let (low, _) = kafka.watermarks(&span.topic, span.partition)?;
        // What stands before the first cut is older than this run.
        let wanted = span.cuts.first().map_or(low, |(_, offset)| *offset);
        let start = wanted.max(low);
        let mut lives = Lives::new(&span.cuts, start, &span.forks);
        let range = ReadRange {
            topic: &span.topic,
            partition: span.partition,
            from: start,
            to: span.end,
            timeout_idle: IDLE,
        };
        let mut failed = None;
        let mut seen = 0;
        let end = kafka.read_range(&range, &mut |record| {
            seen += 1;
            match self.record(record, &mut lives) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let place = format!("{}/{}", span.topic, span.partition);
        if !end.reached_end {
            self.tally.problems.push(format!(
                "{place}: the log ends at offset {}, the fence noted {}",
                end.next, span.end
            ));
        }
        if end.start > wanted {
            let text = format!(
                "{place}: records {wanted}..{} are gone (retention)",
                end.start
            );
            self.events.warning(text.clone());
            self.tally.problems.push(text);
        }
        let holes = (end.next - end.start).saturating_sub(seen);
        let whole = holes <= 0 || self.holes_are_transactions(kafka, span, holes);
        Ok(PartitionEvidence {
            topic: span.topic.clone(),
            partition: span.partition,
            start,
            end: span.end,
            complete: end.reached_end && end.start <= wanted && whole,
            cuts: lives.into_cuts(span.end),
        })
    }

    fn record(&mut self, record: &Record<'_>, lives: &mut Lives) -> Result<(), RecordError> {
        self.tally.records += 1;
        if self.tally.records.is_multiple_of(PROGRESS_EVERY) {
            self.events.emit(EventKind::Progress {
                what: "records read".to_owned(),
                done: self.tally.records,
                total: None,
                rate: None,
                lag_bytes: None,
            });
        }
        let known = self.decoder.notes().problems.len();
        let mut decoded = self.decoder.decode(record, lives.current());
        if self.decoder.notes().problems.len() > known {
            self.notice(record);
        }
        lives.settle(record.offset, &mut decoded);
        match decoded {
            Decoded::Change(change) => {
                self.tally.published += 1;
                let snapshot = change.row.op == Op::Read;
                self.tally.snapshot += u64::from(snapshot);
                // What an incremental snapshot reads has no position in the log, and is no change of it.
                self.tally.without_lsn += u64::from(!change.has_lsn && !snapshot);
                self.tally.without_op += u64::from(!change.has_op);
                if !self.tally.formats.contains(&change.format) {
                    self.tally.formats.push(change.format);
                }
                self.append(&change.row)
            }
            Decoded::Tombstone(row) => {
                self.tally.tombstones += 1;
                self.append(&row)
            }
            Decoded::Message(_) => {
                self.tally.messages += 1;
                Ok(())
            }
            Decoded::Transaction(rows) => {
                let Some(writer) = &mut self.transactions else {
                    return Ok(());
                };
                for row in &rows {
                    writer.append(row)?;
                }
                Ok(())
            }
            Decoded::Skipped => Ok(()),
            Decoded::Undecoded(reason) => {
                self.tally.undecoded += 1;
                if self.tally.samples.len() < SAMPLES_MAX {
                    self.tally
                        .samples
                        .push(format!("{}: {reason}", place(record)));
                }
                Ok(())
            }
            Decoded::Unknown(source) => Err(RecordError::Registry {
                place: place(record),
                source,
            }),
        }
    }

    /// Offsets without record are markers of transactions, or records that compaction has removed: then nobody can
    /// say that a change was not published.
    fn holes_are_transactions(&mut self, kafka: &Kafka, span: &PartitionSpan, holes: i64) -> bool {
        let why = match kafka.compacted(&span.topic) {
            Ok(false) => return true,
            Ok(true) => "the topic is compacted: records may have been removed".to_owned(),
            Err(error) => {
                let code = error.code();
                format!("whether compaction has removed them could not be asked ({code}: {error})")
            }
        };
        let place = format!("{}/{}", span.topic, span.partition);
        let text = format!("{place}: {holes} offsets hold no record, and {why}");
        self.events.warning(text.clone());
        self.tally.problems.push(text);
        false
    }

    /// A new problem was noticed at this record.
    fn notice(&mut self, record: &Record<'_>) {
        for problem in &self.decoder.notes().problems {
            if !self.tally.noticed.contains_key(problem) {
                let place = Some(place(record));
                self.tally.noticed.insert(problem.clone(), place);
            }
        }
    }

    fn append(&mut self, row: &ChangeRow) -> Result<(), RecordError> {
        self.writer.append(row).map_err(RecordError::from)
    }
}

fn place(record: &Record<'_>) -> String {
    format!("{}/{}/{}", record.topic, record.partition, record.offset)
}
