//! One of the threads that read partitions and decode their records.
//!
//! It takes one sequence after another until there is none left, and appends rows to the ledger in batches. The rule it
//! protects: a sequence begins with nothing but the settings, whatever this worker has read before.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use cutover_clients::kafka::{Kafka, ReadRange, Record};
use cutover_model::evidence::PartitionEvidence;
use cutover_model::{ChangeRow, Classified, EventSink, Op};

use super::ledgers::Ledgers;
use super::tally::Tally;
use super::{PartitionSpan, Sequence, TopicsConfig};
use crate::RecordError;
use crate::cuts::Lives;
use crate::decode::{Decoded, Decoder, Rows};
use crate::notes::Notes;
use crate::pace::Pace;
use crate::schemas::Registries;

/// A partition that ends early is given this long to bring more.
const IDLE: Duration = Duration::from_secs(20);
const PROGRESS_EVERY: u64 = 10_000;
/// Rows that are appended at once.
const BATCH_ROWS: usize = 512;

/// What all workers read from.
pub(super) struct Shared<'a> {
    pub(super) kafka: &'a Kafka,
    pub(super) config: &'a TopicsConfig,
    pub(super) events: &'a EventSink,
    pub(super) pace: Pace<'a>,
    pub(super) sequences: Vec<Sequence>,
    /// The next sequence that nobody has taken.
    pub(super) next: AtomicUsize,
    /// Offsets read so far, for whoever watches.
    pub(super) offsets: AtomicU64,
    /// How many there are: what retention has removed is taken away once its partition is opened.
    pub(super) total: AtomicU64,
    /// Somebody failed: what the others would read is of no use.
    pub(super) stop: AtomicBool,
    pub(super) ledgers: Ledgers<'a>,
}

/// What a sequence came to.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// By place of the span.
    pub(super) partitions: Vec<(usize, PartitionEvidence)>,
    pub(super) tally: Tally,
    pub(super) notes: Notes,
    /// Problems of the notes with the first record that shows them.
    pub(super) noticed: BTreeMap<String, String>,
    /// Hashes of schemas that were used.
    pub(super) schemas: BTreeMap<String, String>,
}

/// Reads until no sequence is left, or somebody fails. Sequences that were not read to their end are not told.
pub(super) fn work(shared: &Shared<'_>) -> Vec<(usize, Result<Read, RecordError>)> {
    let mut ends = Vec::new();
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let Some(sequence) = shared.sequences.get(number) else {
            return ends;
        };
        let worker = Worker::new(shared).map_err(Halt::Failed);
        match worker.and_then(|worker| worker.sequence(sequence)) {
            Ok(read) => ends.push((number, Ok(read))),
            Err(Halt::Stopped) => return ends,
            Err(Halt::Failed(error)) => {
                shared.stop.store(true, Ordering::Relaxed);
                ends.push((number, Err(error)));
                return ends;
            }
        }
    }
}

/// Where a span begins if nothing of it was removed.
fn assumed_start(span: &PartitionSpan) -> i64 {
    span.cuts.first().map_or(0, |(_, offset)| *offset)
}

/// How many offsets a span has from here on; never more than from an earlier one.
fn offsets(span: &PartitionSpan, from: i64) -> u64 {
    u64::try_from(span.end.saturating_sub(from)).unwrap_or(0)
}

/// How many offsets spans have if nothing of them was removed.
pub(super) fn offsets_in_all(spans: &[PartitionSpan]) -> u64 {
    spans
        .iter()
        .map(|span| offsets(span, assumed_start(span)))
        .sum()
}

struct Worker<'s, 'a> {
    shared: &'s Shared<'a>,
    decoder: Decoder<'s>,
    batch: Rows,
    /// The offset of the open partition that comes next.
    next: i64,
    /// Offsets since progress was told.
    untold: u64,
    read: Read,
}

/// Why reading ends before its time.
pub(super) enum Halt {
    /// Somebody else has failed.
    Stopped,
    Failed(RecordError),
}

impl<'s, 'a> Worker<'s, 'a> {
    fn new(shared: &'s Shared<'a>) -> Result<Worker<'s, 'a>, RecordError> {
        let config = shared.config;
        let mut decoder = Decoder::new(&config.prefix, &config.shapes, &config.modes)
            .expecting(config.schemas.clone());
        if let Some(registries) = Registries::of(&config.modes)? {
            decoder = decoder.with_schemas(Box::new(registries));
        }
        Ok(Worker {
            shared,
            decoder,
            batch: Vec::with_capacity(BATCH_ROWS),
            next: 0,
            untold: 0,
            read: Read::default(),
        })
    }

    fn sequence(mut self, sequence: &Sequence) -> Result<Read, Halt> {
        for place in sequence {
            let partition = self.span(&self.shared.config.spans[*place])?;
            self.read.partitions.push((*place, partition));
        }
        self.hand_over()?;
        self.tell();
        self.read.notes = self.decoder.notes().clone();
        self.read.schemas = self.decoder.used_schemas().clone();
        Ok(self.read)
    }

    fn span(&mut self, span: &PartitionSpan) -> Result<PartitionEvidence, Halt> {
        let kafka = self.shared.kafka;
        let (low, _) = kafka.watermarks(&span.topic, span.partition)?;
        // What stands before the first cut is older than this run.
        let wanted = span.cuts.first().map_or(low, |(_, offset)| *offset);
        let start = wanted.max(low);
        let removed = offsets(span, assumed_start(span)) - offsets(span, start);
        self.shared.total.fetch_sub(removed, Ordering::Relaxed);
        self.next = start;
        let mut lives = Lives::new(&span.cuts, start, &span.forks);
        let range = ReadRange {
            topic: &span.topic,
            partition: span.partition,
            from: start,
            to: span.end,
            timeout_idle: IDLE,
        };
        let mut halted = None;
        let mut seen = 0;
        let end = kafka.read_range(&range, &mut |record| {
            seen += 1;
            match self.record(record, &mut lives) {
                Ok(()) => ControlFlow::Continue(()),
                Err(halt) => {
                    halted = Some(halt);
                    ControlFlow::Break(())
                }
            }
        });
        // Whatever else went wrong, that came first.
        if let Some(halt) = halted {
            return Err(halt);
        }
        let end = end?;
        self.count(span.end)?;
        let place = format!("{}/{}", span.topic, span.partition);
        if !end.reached_end {
            self.read.tally.problems.push(format!(
                "{place}: the log ends at offset {}, the fence noted {}",
                end.next, span.end
            ));
        }
        if end.start > wanted {
            self.warn(format!(
                "{place}: records {wanted}..{} are gone (retention)",
                end.start
            ));
        }
        let holes = (end.next - end.start).saturating_sub(seen);
        let whole = holes <= 0 || self.holes_are_transactions(span, holes);
        Ok(PartitionEvidence {
            topic: span.topic.clone(),
            partition: span.partition,
            start,
            end: span.end,
            complete: end.reached_end && end.start <= wanted && whole,
            cuts: lives.into_cuts(span.end),
        })
    }

    fn record(&mut self, record: &Record<'_>, lives: &mut Lives) -> Result<(), Halt> {
        self.count(record.offset + 1)?;
        let known = self.decoder.notes().problems.len();
        let mut decoded = self.decoder.decode(record, lives.current());
        if self.decoder.notes().problems.len() > known {
            self.notice(record);
        }
        lives.settle(record.offset, &mut decoded);
        let tally = &mut self.read.tally;
        match decoded {
            Decoded::Change(change) => {
                tally.published += 1;
                let snapshot = change.row.op == Op::Read;
                tally.snapshot += u64::from(snapshot);
                // What an incremental snapshot reads has no position in the log, and is no change of it; nor is what a
                // repair wrote, which has none of the headers that would tell.
                let repair = change.row.compensation.is_some();
                tally.without_lsn += u64::from(!change.has_lsn && !snapshot && !repair);
                tally.without_op += u64::from(!change.has_op && !repair);
                tally.form(change.format);
                self.append(change.row)
            }
            Decoded::Tombstone(row) => {
                tally.tombstones += 1;
                self.append(row)
            }
            Decoded::Message(_) => {
                tally.messages += 1;
                Ok(())
            }
            Decoded::Transaction(rows) => self.shared.ledgers.transactions(&rows),
            Decoded::Skipped => Ok(()),
            Decoded::Undecoded(reason) => {
                tally.undecoded(&|| place(record), &reason);
                Ok(())
            }
            Decoded::Unknown(source) => Err(Halt::Failed(RecordError::Registry {
                place: place(record),
                source,
            })),
        }
    }

    /// Everything before this offset is read.
    fn count(&mut self, next: i64) -> Result<(), Halt> {
        let more = next.saturating_sub(self.next);
        self.untold += u64::try_from(more).unwrap_or(0);
        self.next = self.next.max(next);
        if self.untold < PROGRESS_EVERY {
            return Ok(());
        }
        let done = self.tell();
        let total = self.shared.total.load(Ordering::Relaxed);
        let what = || "offsets read".to_owned();
        self.shared.pace.reached(done, Some(total), what);
        match self.shared.stop.load(Ordering::Relaxed) {
            true => Err(Halt::Stopped),
            false => Ok(()),
        }
    }

    /// Adds what was read here to what all have read, which is given.
    fn tell(&mut self) -> u64 {
        let untold = std::mem::take(&mut self.untold);
        untold + self.shared.offsets.fetch_add(untold, Ordering::Relaxed)
    }

    fn append(&mut self, row: Box<ChangeRow>) -> Result<(), Halt> {
        self.batch.push(row);
        if self.batch.len() < BATCH_ROWS {
            return Ok(());
        }
        self.hand_over()
    }

    fn hand_over(&mut self) -> Result<(), Halt> {
        self.shared.ledgers.changes(&self.batch)?;
        self.decoder.take_back(&mut self.batch);
        Ok(())
    }

    /// Offsets without record are markers of transactions, or records that compaction has removed: then nobody can
    /// say that a change was not published.
    fn holes_are_transactions(&mut self, span: &PartitionSpan, holes: i64) -> bool {
        let why = match self.shared.kafka.compacted(&span.topic) {
            Ok(false) => return true,
            Ok(true) => "the topic is compacted: records may have been removed".to_owned(),
            Err(error) => {
                let code = error.code();
                format!("whether compaction has removed them could not be asked ({code}: {error})")
            }
        };
        let place = format!("{}/{}", span.topic, span.partition);
        self.warn(format!(
            "{place}: {holes} offsets hold no record, and {why}"
        ));
        false
    }

    fn warn(&mut self, text: String) {
        self.shared.events.warning(text.clone());
        self.read.tally.problems.push(text);
    }

    /// A new problem was noticed at this record.
    fn notice(&mut self, record: &Record<'_>) {
        for problem in &self.decoder.notes().problems {
            if !self.read.noticed.contains_key(problem) {
                self.read.noticed.insert(problem.clone(), place(record));
            }
        }
    }
}

fn place(record: &Record<'_>) -> String {
    format!("{}/{}/{}", record.topic, record.partition, record.offset)
}

impl<E> From<E> for Halt
where
    RecordError: From<E>,
{
    fn from(error: E) -> Halt {
        Halt::Failed(error.into())
    }
}
