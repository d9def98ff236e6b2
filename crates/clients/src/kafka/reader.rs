//! Reads a stretch of one partition to its end.
//!
//! Why the end needs care: the last offsets before `to` may hold no record at all (transaction markers,
//! aborted records, compaction), so waiting for a record at `to - 1` can hang. The broker's end-of-partition
//! event says that the fetcher passed the end *as of then*, and that end is the last stable offset, which may
//! still be short of `to` while a transaction is open. Hence: an end event counts when the readable end was
//! known to be at or behind `to` *before* the event was raised. If it is found there only afterwards, the
//! partition is assigned again, which raises a fresh event.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError as Cause;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::queue::PartitionQueue;
use super::talk::Consumer;
use super::{ASK_TIMEOUT, Ends, KafkaError, ReadRange, Record};

const POLL: Duration = Duration::from_millis(100);
const ASK_END_EVERY: Duration = Duration::from_millis(300);
/// Likewise while nothing comes and the end was not told either.
const ASK_ALL_EVERY: Duration = Duration::from_secs(1);

/// How a read ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadEnd {
    /// First offset that was looked at: `from`, or the start of the log if that is later (retention).
    pub start: i64,
    /// Everything before `to` was seen.
    pub reached_end: bool,
    /// Offset to go on from.
    pub next: i64,
}

struct Reader<'a> {
    consumer: &'a Consumer,
    range: &'a ReadRange<'a>,
    next: i64,
    /// The readable end was at least here before the next end event.
    known_end: i64,
    at_end: bool,
    asked: Instant,
    /// When there was nothing to do for the first time after something came.
    idle: Option<Instant>,
    trouble: Option<Cause>,
    /// The last time it was asked for, there was no such partition, or none for us.
    gone: bool,
}

/// First and next offset of a partition. A topic that was made a moment ago has no leader yet, and the broker says so:
/// it is asked again.
pub(super) fn watermarks(
    consumer: &Consumer,
    topic: &str,
    partition: i32,
) -> Result<(i64, i64), KafkaError> {
    let asked = Instant::now();
    loop {
        let source = match consumer.fetch_watermarks(topic, partition, ASK_TIMEOUT) {
            Ok(marks) => return Ok(marks),
            Err(source) => source,
        };
        let leaderless = matches!(
            source.rdkafka_error_code(),
            Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
        );
        if !leaderless || asked.elapsed() >= ASK_TIMEOUT {
            return Err(why_not(consumer, (topic, partition), source));
        }
        // Nothing is assigned: this only lets the library refresh what it knows of the cluster.
        consumer.poll(POLL);
    }
}

/// The ends of many partitions by one question to each broker. What that does not tell (a topic that has no leader yet)
/// is asked for by itself, and so is what it was that failed.
pub(super) fn ends(
    consumer: &Consumer,
    partitions: Vec<(String, i32)>,
) -> Result<Ends, KafkaError> {
    let mut asked = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in &partitions {
        // What cannot be put on the list is asked for by itself, too.
        let _ = asked.add_partition_offset(topic, *partition, Offset::End);
    }
    let mut told = Ends::new();
    if !partitions.is_empty()
        && let Ok(answers) = consumer.offsets_for_times(asked, ASK_TIMEOUT)
    {
        for answer in answers.elements() {
            if let (Offset::Offset(end), Ok(())) = (answer.offset(), answer.error()) {
                told.insert((answer.topic().to_owned(), answer.partition()), end);
            }
        }
    }
    for (topic, partition) in partitions {
        if !told.contains_key(&(topic.clone(), partition)) {
            let (_, end) = watermarks(consumer, &topic, partition)?;
            told.insert((topic, partition), end);
        }
    }
    Ok(told)
}

/// The library calls a partition unknown that its user may not know of; the topic's own answer tells the two apart.
fn why_not(consumer: &Consumer, (topic, partition): (&str, i32), source: Cause) -> KafkaError {
    let error = KafkaError::of_partition(topic, partition, source);
    if !matches!(error, KafkaError::NoPartition { .. }) {
        return error;
    }
    let metadata = consumer.fetch_metadata(Some(topic), ASK_TIMEOUT);
    let told = metadata
        .as_ref()
        .ok()
        .and_then(|metadata| metadata.topics().first()?.error());
    match told.map(RDKafkaErrorCode::from) {
        Some(code @ RDKafkaErrorCode::TopicAuthorizationFailed) => {
            KafkaError::of_partition(topic, partition, Cause::MetadataFetch(code))
        }
        _ => error,
    }
}

/// Reads with a consumer that has nothing assigned, and leaves it so.
pub(super) fn read(
    consumer: &Consumer,
    range: &ReadRange<'_>,
    consume: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
) -> Result<ReadEnd, KafkaError> {
    let (low, high) = watermarks(consumer, range.topic, range.partition)?;
    let start = range.from.max(low);
    if start >= range.to {
        return Ok(ReadEnd {
            start,
            reached_end: true,
            next: start,
        });
    }
    let mut reader = Reader {
        consumer,
        range,
        next: start,
        known_end: high,
        at_end: false,
        asked: Instant::now(),
        idle: None,
        trouble: None,
        gone: false,
    };
    let mut queue = queue_of(consumer, range)?;
    reader.assign()?;
    let reached_end = reader.run(&mut queue, consume)?;
    reader.let_go()?;
    queue.empty();
    Ok(ReadEnd {
        start,
        reached_end,
        next: if reached_end { range.to } else { reader.next },
    })
}

fn queue_of<'a>(
    consumer: &'a Consumer,
    range: &ReadRange<'a>,
) -> Result<PartitionQueue<'a>, KafkaError> {
    let queue = PartitionQueue::of(consumer, range.topic, range.partition);
    queue.ok_or_else(|| {
        let source = Cause::Subscription("no topic can have this name".to_owned());
        KafkaError::of_partition(range.topic, range.partition, source)
    })
}

impl<'a> Reader<'a> {
    fn run(
        &mut self,
        queue: &mut PartitionQueue<'a>,
        consume: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Result<bool, KafkaError> {
        loop {
            // Once behind the end, waiting is paced by the wait for records, so asking stays cheap.
            queue.take(POLL);
            let mut came = false;
            for taken in queue.taken() {
                match taken {
                    Ok(record) => {
                        came = true;
                        if let Some(reached_end) = self.record(&record, consume) {
                            return Ok(reached_end);
                        }
                    }
                    Err(Cause::PartitionEOF(_)) if self.known_end >= self.range.to => {
                        return Ok(true);
                    }
                    Err(Cause::PartitionEOF(_)) => {
                        self.at_end = true;
                        self.trouble = None;
                    }
                    Err(cause) => self.judge(cause)?,
                }
            }
            if came {
                continue;
            }
            self.of_the_client(queue)?;
            // What a broker says of a topic that is gone, the queue does not: it is asked for while nothing comes.
            let every = if self.at_end {
                ASK_END_EVERY
            } else {
                ASK_ALL_EVERY
            };
            if self.asked.elapsed() >= every {
                self.ask_end()?;
            }
            let idle = *self.idle.get_or_insert_with(Instant::now);
            if idle.elapsed() >= self.range.timeout_idle {
                return self.give_up();
            }
        }
    }

    /// Takes one record; tells whether reading ends with it, and whether that is the end.
    fn record(
        &mut self,
        record: &Record<'_>,
        consume: &mut dyn FnMut(&Record<'_>) -> ControlFlow<()>,
    ) -> Option<bool> {
        // Whoever consumes may take long (it writes ledgers): that is not the broker's idleness.
        self.idle = None;
        self.trouble = None;
        self.at_end = false;
        if record.offset >= self.range.to {
            return Some(true);
        }
        if record.offset < self.next {
            return None;
        }
        self.next = record.offset + 1;
        let flow = consume(record);
        if self.next >= self.range.to {
            return Some(true);
        }
        flow.is_break().then_some(false)
    }

    /// What concerns the whole client: lost connections, refused logins.
    fn of_the_client(&mut self, queue: &mut PartitionQueue<'a>) -> Result<(), KafkaError> {
        while let Some(event) = self.consumer.poll(Duration::ZERO) {
            match event {
                Err(Cause::PartitionEOF(_)) => {}
                Err(cause) => self.judge(cause)?,
                // The library has made the partition anew, and its records go where all go by default.
                Ok(_) => {
                    *queue = queue_of(self.consumer, self.range)?;
                    self.assign()?;
                }
            }
        }
        Ok(())
    }

    /// An error while polling: some pass (the library reconnects by itself), the others end the read.
    fn judge(&mut self, cause: Cause) -> Result<(), KafkaError> {
        let passing = matches!(
            cause.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::BrokerTransportFailure
                    | RDKafkaErrorCode::AllBrokersDown
                    | RDKafkaErrorCode::Resolve
                    | RDKafkaErrorCode::OperationTimedOut
                    | RDKafkaErrorCode::RequestTimedOut
                    | RDKafkaErrorCode::NetworkException
                    | RDKafkaErrorCode::NotLeaderForPartition
                    | RDKafkaErrorCode::LeaderNotAvailable
                    | RDKafkaErrorCode::BrokerNotAvailable
                    | RDKafkaErrorCode::CoordinatorLoadInProgress
                    | RDKafkaErrorCode::CoordinatorNotAvailable
                    | RDKafkaErrorCode::NotCoordinator
            )
        );
        if passing {
            self.trouble = Some(cause);
            return Ok(());
        }
        let (topic, partition) = (self.range.topic, self.range.partition);
        Err(KafkaError::of_partition(topic, partition, cause))
    }

    fn ask_end(&mut self) -> Result<(), KafkaError> {
        self.asked = Instant::now();
        let (topic, partition) = (self.range.topic, self.range.partition);
        match self.consumer.fetch_watermarks(topic, partition, POLL * 10) {
            Ok((_, high)) if high < self.next => {
                let topic = topic.to_owned();
                return Err(KafkaError::CutOff { topic, partition });
            }
            Ok((_, high)) => {
                // There was an answer: whatever was wrong before is over.
                (self.gone, self.trouble) = (false, None);
                // An end that was told before this answer may still be on its way, and be of a shorter log: only a
                // fresh one may be held against what is known now.
                if self.at_end {
                    self.known_end = high;
                }
                if self.at_end && high >= self.range.to {
                    self.at_end = false;
                    self.assign()?;
                }
            }
            Err(cause) => {
                let told = why_not(self.consumer, (topic, partition), cause.clone());
                let gone = matches!(
                    told,
                    KafkaError::NoPartition { .. } | KafkaError::Denied { .. }
                );
                // A broker that has just started does not know every topic yet.
                if gone && self.gone {
                    return Err(told);
                }
                (self.gone, self.trouble) = (gone, Some(cause));
            }
        }
        Ok(())
    }

    fn let_go(&self) -> Result<(), KafkaError> {
        let (topic, partition) = (self.range.topic, self.range.partition);
        let failed = |source| KafkaError::of_partition(topic, partition, source);
        self.consumer.unassign().map_err(failed)
    }

    fn assign(&self) -> Result<(), KafkaError> {
        let (topic, partition) = (self.range.topic, self.range.partition);
        let failed = |source| KafkaError::of_partition(topic, partition, source);
        self.let_go()?;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(self.next))
            .map_err(failed)?;
        self.consumer.assign(&list).map_err(failed)
    }

    /// Nothing came for too long. The partition having no more is an answer; silence without one is not.
    fn give_up(&mut self) -> Result<bool, KafkaError> {
        if self.at_end && self.trouble.is_none() {
            return Ok(false);
        }
        // A topic that was deleted meanwhile looks like a broker that is slow, until it is asked for.
        let (topic, partition) = (self.range.topic, self.range.partition);
        let asked = self
            .consumer
            .fetch_watermarks(topic, partition, ASK_TIMEOUT);
        if let Err(cause) = asked
            && let gone @ (KafkaError::NoPartition { .. } | KafkaError::Denied { .. }) =
                why_not(self.consumer, (topic, partition), cause)
        {
            return Err(gone);
        }
        Err(KafkaError::Silent {
            topic: self.range.topic.to_owned(),
            partition: self.range.partition,
            next: self.next,
            to: self.range.to,
            seconds: self.range.timeout_idle.as_secs_f64(),
            source: self.trouble.take().map(Box::new),
        })
    }
}
