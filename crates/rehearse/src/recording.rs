//! Fills the ledgers at the end of a run and writes their frame, `evidence.json`.
//!
//! The order matters: the fence was written after the last change and has been followed; the topics' end
//! offsets are noted; only then are topics and tables read, the tables inside one exported snapshot. Nothing
//! writes any more, so the two readings describe the same moment. Whatever is missing is written into the
//! evidence in plain words: it caps the verdict at unknown.

use std::collections::BTreeMap;
use std::sync::Arc;

use cutover_clients::kafka::{Ends, Kafka};
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_ledger::{ChangeWriter, StoredWriter, TransactionWriter, write_evidence};
use cutover_model::evidence::{
    Acknowledged, Deletes, EVIDENCE_FORMAT, Evidence, Fence, IncarnationEvidence,
    PartitionEvidence, PayloadEvidence, Scope, SequenceEvidence, StreamEvidence, TableEvidence,
    forks,
};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventSink, RunFolder, TableShape};
use cutover_record::Notes;
use cutover_record::tables::record_tables_at;
use cutover_record::topics::{
    ConverterModes, PartitionSpan, TopicsConfig, TopicsEnd, record_options, record_topics,
};
use cutover_upgrade::Stream;
use cutover_upgrade::lint::of_deletes;
use cutover_upgrade::predict::DebeziumVersion;
use serde_json::{Map, Value};

use crate::error::RehearseError;

/// First offsets of an incarnation's records, by topic and partition.
pub type Cut = Ends;

/// What the recorders need to know of a run.
#[derive(Clone)]
// No Debug: the connector's configuration holds its password.
pub struct Recording<'a> {
    /// Where to.
    pub run: RunFolder,
    /// Buckets of every ledger.
    pub buckets: u16,
    /// Names.
    pub stream: &'a Stream,
    /// Kafka.
    pub kafka: &'a Arc<Kafka>,
    /// Bootstrap servers, for the recorder's own consumer.
    pub bootstrap: String,
    /// The connector's configuration: how values are encoded.
    pub connector: Map<String, Value>,
    /// Version of Debezium.
    pub debezium: String,
    /// Captured tables.
    pub shapes: Vec<TableShape>,
    /// Where the rows are at the end.
    pub server: PgAddress,
    /// Lives of the database with what the witness saw of each.
    pub incarnations: Vec<IncarnationEvidence>,
    /// For each incarnation after the first: where its records begin.
    pub cuts: Vec<(i32, Cut)>,
    /// The fence.
    pub fence: Option<Fence>,
    /// How far the connector's slots were confirmed.
    pub acknowledged: Vec<Acknowledged>,
    /// What the sequences had given out where one life followed another.
    pub sequences: Vec<SequenceEvidence>,
    /// Why the connector had ended before the fence.
    pub connector_ended: Option<String>,
    /// Keys were read again on purpose, after everything else had come.
    pub reread: bool,
    /// Content that was not compared so far.
    pub notes: Notes,
    /// What went wrong.
    pub problems: Vec<String>,
}

impl Recording<'_> {
    /// Reads topics and tables and writes the evidence. Gives the number of snapshot records.
    pub async fn finish(mut self, events: &EventSink) -> Result<u64, RehearseError> {
        let (run, spans) = (self.run.clone(), self.spans().await?);
        let topics = self.topics(spans, events).await?;
        let stored = self.stored(events).await?;
        self.notes.add(stored);
        let snapshot = topics.snapshot;
        write_evidence(&run, &self.evidence(topics))?;
        Ok(snapshot)
    }

    /// End offsets of the change topics now, after the fence, with the cuts inside.
    async fn spans(&mut self) -> Result<Vec<PartitionSpan>, RehearseError> {
        let ends = topic_ends(self.kafka, self.stream).await?;
        let forks = forks(&self.incarnations);
        let spans = ends.into_iter().map(|((topic, partition), end)| {
            let at = |cut: &Cut| cut.get(&(topic.clone(), partition)).copied().unwrap_or(0);
            let mut cuts = vec![(0, 0)];
            cuts.extend(
                self.cuts
                    .iter()
                    .map(|(incarnation, cut)| (*incarnation, at(cut))),
            );
            PartitionSpan {
                topic,
                partition,
                end,
                cuts,
                forks: forks.clone(),
            }
        });
        Ok(spans.collect())
    }

    async fn topics(
        &self,
        spans: Vec<PartitionSpan>,
        events: &EventSink,
    ) -> Result<TopicsEnd, RehearseError> {
        let config = TopicsConfig {
            bootstrap: self.bootstrap.clone(),
            prefix: self.stream.topic_prefix.clone(),
            shapes: self.shapes.clone(),
            modes: ConverterModes::from_connector_config(&self.connector),
            schemas: BTreeMap::new(),
            spans,
        };
        let mut writer =
            ChangeWriter::create(&self.run.ledger(LedgerKind::Published), self.buckets)?;
        let mut transactions = if self.has_transaction_metadata() {
            let folder = self.run.transactions();
            Some(TransactionWriter::create(&folder, self.buckets)?)
        } else {
            None
        };
        let events = events.clone();
        let read = move || -> Result<TopicsEnd, RehearseError> {
            let end = record_topics(&config, &mut writer, transactions.as_mut(), &events)?;
            writer.finish()?;
            transactions.map(TransactionWriter::finish).transpose()?;
            Ok(end)
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|panic| RehearseError::Load(format!("the topic recorder failed: {panic}")))?
    }

    fn has_transaction_metadata(&self) -> bool {
        let option = self.connector.get("provide.transaction.metadata");
        option.is_some_and(|on| on == "true")
    }

    /// By the options that the connector was given. A version that is no number counts as the newest.
    fn deletes(&self) -> (Deletes, bool) {
        let newest = DebeziumVersion(u16::MAX, 0, 0);
        let version = self.debezium.parse().unwrap_or(newest);
        of_deletes(&record_options(&self.connector), version)
    }

    async fn stored(&self, events: &EventSink) -> Result<Notes, RehearseError> {
        let folder = self.run.ledger(LedgerKind::Stored);
        let mut writer = StoredWriter::create(&folder, self.buckets)?;
        let incarnation = i32::try_from(self.incarnations.len()).unwrap_or(1) - 1;
        let (server, shapes) = (&self.server, &self.shapes);
        let told = (&mut writer, events);
        let end = record_tables_at((server, None), shapes, incarnation, told).await?;
        writer.finish()?;
        Ok(end.notes)
    }

    fn evidence(self, topics: TopicsEnd) -> Evidence {
        let mut notes = Notes::of_shapes(&self.shapes);
        notes.add(self.notes.clone());
        let of_topics = topics.not_compared.into_iter();
        notes.add(of_topics.collect());
        let not_compared = |relation: &str| {
            let columns = notes.not_compared.iter();
            let columns = columns.filter(|((table, _), _)| table == relation);
            columns
                .map(|((_, column), reason)| (column.clone(), reason.clone()))
                .collect()
        };
        let tables: Vec<TableEvidence> = self
            .shapes
            .iter()
            .map(|shape| {
                let relation = shape.relation.to_string();
                TableEvidence {
                    not_compared: not_compared(&relation),
                    relation,
                    keyed: shape.has_key(),
                    stored: true,
                }
            })
            .collect();
        let transaction_metadata = self.has_transaction_metadata();
        let (deletes, tombstones) = self.deletes();
        let mut problems = self.problems;
        problems.extend(topics.problems);
        Evidence {
            format: EVIDENCE_FORMAT.into(),
            buckets: self.buckets,
            tables,
            incarnations: self.incarnations,
            fence: self.fence,
            partitions: topics.partitions,
            payload: topics.payload,
            tombstones,
            deletes,
            snapshot_allowed: self.reread,
            no_snapshot: false,
            elsewhere: Vec::new(),
            attempted: true,
            transaction_metadata,
            acknowledged: self.acknowledged,
            sequences: self.sequences,
            connector_ended: self.connector_ended,
            stream: Some(StreamEvidence {
                topic_prefix: self.stream.topic_prefix.clone(),
                options: record_options(&self.connector),
                shapes: self.shapes,
                schemas: topics.schemas,
                uncommitted: false,
            }),
            problems,
            scope: Scope::Run,
        }
    }
}

/// Evidence of a run that ended before its topics and tables could be read: nothing can be concluded from it,
/// and the problems say so.
pub fn broken_off(
    buckets: u16,
    incarnations: Vec<IncarnationEvidence>,
    problems: Vec<String>,
) -> Evidence {
    Evidence {
        format: EVIDENCE_FORMAT.into(),
        buckets,
        incarnations,
        fence: None,
        partitions: Vec::<PartitionEvidence>::new(),
        tables: Vec::new(),
        payload: PayloadEvidence {
            format: "not read".into(),
            has_lsn: false,
            has_op: false,
            undecoded: 0,
            undecoded_samples: Vec::new(),
            undecoded_kinds: Default::default(),
        },
        tombstones: true,
        deletes: Deletes::default(),
        snapshot_allowed: false,
        no_snapshot: false,
        elsewhere: Vec::new(),
        attempted: true,
        transaction_metadata: false,
        acknowledged: Vec::new(),
        sequences: Vec::new(),
        connector_ended: None,
        stream: None,
        problems,
        scope: Scope::Run,
    }
}

/// End offsets of every partition of the topics that carry changes of the captured tables.
pub async fn change_topic_ends(kafka: &Arc<Kafka>, stream: &Stream) -> Result<Cut, RehearseError> {
    let tables = stream.tables.iter();
    let names = tables.map(|table| format!("{}.{table}", stream.topic_prefix));
    ends_of(kafka, names.collect()).await
}

/// The same, and of the topic of transaction metadata, where there is one.
pub async fn topic_ends(kafka: &Arc<Kafka>, stream: &Stream) -> Result<Cut, RehearseError> {
    let tables = stream.tables.iter().map(ToString::to_string);
    let all = tables.chain(["transaction".to_owned()]);
    let names = all.map(|name| format!("{}.{name}", stream.topic_prefix));
    ends_of(kafka, names.collect()).await
}

async fn ends_of(kafka: &Arc<Kafka>, names: Vec<String>) -> Result<Cut, RehearseError> {
    Ok(cutover_upgrade::fence::ends_of(kafka, names).await?)
}

/// How far the connector's slot is confirmed on a server, and what the topics hold. The position is read first: what
/// was confirmed by then must be in the topics by the time their ends are read. `None` without such a slot.
pub async fn acknowledged(
    server: &PgAddress,
    kafka: &Arc<Kafka>,
    stream: &Stream,
    incarnation: i32,
) -> Result<Option<Acknowledged>, RehearseError> {
    let client = connect_admin(server).await?;
    let slot = slot(&client, &stream.slot).await?;
    let Some(confirmed) = slot.and_then(|slot| slot.confirmed_flush) else {
        return Ok(None);
    };
    let ends = change_topic_ends(kafka, stream).await?;
    Ok(Some(Acknowledged {
        incarnation,
        slot: stream.slot.clone(),
        confirmed,
        ends: ends
            .into_iter()
            .map(|((topic, partition), end)| (topic, partition, end))
            .collect(),
    }))
}
