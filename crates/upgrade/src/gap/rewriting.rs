//! One batch of keys: fetches their records, drafts what closes them, and writes it if told to. Blocks.
//!
//! The look at the end of the partition belongs to the fetch: a key that got a record since the topics were read is
//! left out, because the row that the plan compared with may be older than that record. The rule it protects: the
//! same key bytes, in the same partition, marked, and in the order of the drafts.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;
use std::time::Duration;

use cutover_audit::gap::KeyState;
use cutover_clients::kafka::{
    Kafka, KafkaAddress, KafkaError, ReadRange, Record, RepairRecord, RepairWriter,
};
use cutover_model::change::{COMPENSATES_HEADER, COMPENSATION_HEADER};
use cutover_model::evidence::PartitionEvidence;
use cutover_model::gap::RecordPlace;

use super::forms::{DeleteForm, drafts};

/// Keys whose records are in memory at a time.
pub const BATCH: usize = 2_000;

const IDLE: Duration = Duration::from_secs(20);

/// What a batch came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Done {
    /// Keys that got records (or would).
    pub keys: u64,
    /// Records.
    pub records: u64,
    /// Keys left out because the stream was faster.
    pub overtaken: u64,
}

/// Works on batches of keys.
pub struct Rewriting {
    /// The cluster.
    pub kafka: KafkaAddress,
    /// Up to where the topics were read.
    pub partitions: Vec<PartitionEvidence>,
    /// How deletes look.
    pub form: DeleteForm,
    /// The repair's token; without one nothing is written.
    pub token: Option<String>,
}

/// A record's bytes.
struct Raw {
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

/// What was fetched of one partition.
#[derive(Default)]
struct Fetched {
    raws: HashMap<i64, Raw>,
    /// Keys of records that came after the topics were read.
    newer: HashSet<Vec<u8>>,
}

impl Rewriting {
    /// Drafts, and writes if there is a token. Keys without a record of their own are no business of it.
    pub fn batch(&self, keys: &[KeyState]) -> Result<Done, KafkaError> {
        let mut done = Done::default();
        let kafka = Kafka::at(&self.kafka)?;
        let writer = match self.token {
            Some(_) => Some(RepairWriter::new(&self.kafka)?),
            None => None,
        };
        for ((topic, partition), members) in by_partition(keys) {
            let wanted: BTreeSet<i64> = members
                .iter()
                .flat_map(|(state, place)| [Some(place.offset), state.source])
                .flatten()
                .collect();
            let fetched = self.fetch(&kafka, (topic, partition), &wanted)?;
            for (state, place) in members {
                let Some(last) = fetched.raws.get(&place.offset) else {
                    done.overtaken += 1;
                    continue;
                };
                if fetched.newer.contains(&last.key) {
                    done.overtaken += 1;
                    continue;
                }
                let records = self.records(state, place, last, &fetched);
                done.keys += u64::from(!records.is_empty());
                done.records += records.len() as u64;
                if let Some(writer) = &writer {
                    for record in &records {
                        writer.write(record)?;
                    }
                }
            }
        }
        if let Some(writer) = &writer {
            writer.settle()?;
        }
        Ok(done)
    }

    fn records(
        &self,
        state: &KeyState,
        place: &RecordPlace,
        last: &Raw,
        fetched: &Fetched,
    ) -> Vec<RepairRecord> {
        let source = state.source.and_then(|offset| fetched.raws.get(&offset));
        let source = source.and_then(|source| source.value.as_deref());
        let drafts = drafts(state.trouble, last.value.as_deref(), source, &self.form);
        let token = self.token.clone().unwrap_or_default();
        let record = |draft: super::forms::Draft| RepairRecord {
            topic: place.topic.clone(),
            partition: place.partition,
            key: last.key.clone(),
            value: draft.value,
            headers: vec![
                (COMPENSATION_HEADER, token.clone()),
                (COMPENSATES_HEADER, place.to_string()),
            ],
        };
        drafts.into_iter().map(record).collect()
    }

    /// The records at the wanted offsets, and the keys of everything after the end that was read.
    fn fetch(
        &self,
        kafka: &Kafka,
        (topic, partition): (&str, i32),
        wanted: &BTreeSet<i64>,
    ) -> Result<Fetched, KafkaError> {
        let mut fetched = Fetched::default();
        let Some(first) = wanted.first() else {
            return Ok(fetched);
        };
        let read_to = self
            .partitions
            .iter()
            .find(|read| read.topic == topic && read.partition == partition)
            .map_or(0, |read| read.end);
        let (_, high) = kafka.watermarks(topic, partition)?;
        let range = ReadRange {
            topic,
            partition,
            from: *first,
            to: high,
            timeout_idle: IDLE,
        };
        let mut look = |record: &Record<'_>| {
            let key = || record.key.unwrap_or_default().to_vec();
            if wanted.contains(&record.offset) {
                let value = record.value.map(<[u8]>::to_vec);
                fetched
                    .raws
                    .insert(record.offset, Raw { key: key(), value });
            } else if record.offset >= read_to && !record.has_header(COMPENSATION_HEADER) {
                fetched.newer.insert(key());
            }
            ControlFlow::Continue(())
        };
        kafka.read_range(&range, &mut look)?;
        Ok(fetched)
    }
}

type Members<'a> = BTreeMap<(&'a str, i32), Vec<(&'a KeyState, &'a RecordPlace)>>;

fn by_partition(keys: &[KeyState]) -> Members<'_> {
    let mut members = Members::new();
    for state in keys {
        if let Some((place, _)) = &state.last {
            let of = members.entry((place.topic.as_str(), place.partition));
            of.or_default().push((state, place));
        }
    }
    members
}
