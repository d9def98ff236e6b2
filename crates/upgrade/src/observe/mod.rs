//! Records a stream that cutover did not start: what its topics hold and what its tables held at one moment.
//!
//! Stands beside the rehearsal's recorder and fills the same ledgers, so that the same audit judges them. Looks only,
//! unless a window with a witness is consented to: no slot, no consumer group and no topic is made, nothing is written
//! into the log; the one thing that is held for a while is a snapshot. The rule it protects: of the records that came
//! while it looked, those belong to the moment whose transactions the snapshot sees; what cannot be told is said, and
//! keeps the recording from being complete.

mod arrival;
mod published;
mod sift;
mod stream;
mod window;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::Connect;
use cutover_clients::kafka::{Isolation, Kafka, KafkaAddress};
use cutover_clients::pg::moment::{Moment, hold, visible_now};
use cutover_clients::pg::{PgAddress, connect_looking};
use cutover_clients::registry::RegistryAddress;
use cutover_ledger::{ChangeWriter, StoredWriter, buckets_for, write_evidence};
use cutover_model::evidence::{
    EVIDENCE_FORMAT, Evidence, Fence, IncarnationEvidence, Scope, StreamEvidence, TableEvidence,
};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventSink, Relation, RunFolder};
use cutover_record::Notes;
use cutover_record::tables::record_tables_at;
use cutover_record::topics::{
    PartitionSpan, TopicsConfig, TopicsEnd, record_options, record_topics_of,
};

use crate::error::UpgradeError;
use crate::lint::of_deletes;
use crate::predict::DebeziumVersion;
use arrival::Arrived;
use sift::Look;
use stream::Ends;
pub use stream::Observed;
pub use window::{record_window, remove_slot, slot_name};

/// What to look at.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The Connect cluster.
    pub connect: Connect,
    /// The connector; without it, the only one of the worker.
    pub connector: Option<String>,
    /// The topics.
    pub kafka: KafkaAddress,
    /// The tables.
    pub postgres: PgAddress,
    /// The schema registry, instead of the one that the connector names.
    pub registry: Option<RegistryAddress>,
    /// The captured tables; without any, those that the connector names, or its publication.
    pub tables: Vec<Relation>,
    /// Rows that a snapshot reads again are wanted.
    pub reread: bool,
    /// How long the stream is given to come to the moment.
    pub patience: Duration,
}

/// Records the stream into a run folder.
///
/// # Errors
/// A system cannot be reached or refuses, or this is no stream of Debezium's for PostgreSQL.
pub async fn record_states(
    subject: &Subject,
    run: &RunFolder,
    events: &EventSink,
) -> Result<Observed, UpgradeError> {
    let kafka = Arc::new(Kafka::at(&subject.kafka)?);
    let mut observed = Observed::find(subject).await?;
    observed.with_history(subject).await?;
    events.note(format!(
        "connector {} of PostgreSQL {}, {} tables",
        observed.connector,
        observed.server.version,
        observed.shapes.len()
    ));
    observed.tell_withheld(events);
    // After the server's position was read, and before the ends are.
    let begun = visible_now(&connect_looking(&subject.postgres).await?).await?;
    let before = observed.ends(&kafka).await?;
    let moment = hold(&subject.postgres).await?;
    let arrived = arrival::wait(subject, &observed, &kafka, (&moment, events)).await?;
    let ends = observed.ends(&kafka).await?;
    let buckets = buckets_for(ends.values().map(|end| end.unsigned_abs()).sum());
    let recording = Recording {
        subject,
        observed: &observed,
        run,
        buckets,
        events,
    };
    let look = Look {
        began: (observed.server.current_lsn, &begun),
        before: &before,
        moment: (moment.position, &moment.visible),
    };
    let mut topics = recording.topics(&kafka, &ends, &look).await?;
    let notes = recording.stored(&moment).await?;
    topics.problems.extend(observed.problems.iter().cloned());
    topics.problems.extend(observed.altered(subject).await?);
    let mut evidence = recording.evidence(topics, notes, (&moment, arrived));
    evidence.elsewhere.extend(observed.withheld.iter().cloned());
    write_evidence(run, &evidence)?;
    Ok(observed)
}

struct Recording<'a> {
    subject: &'a Subject,
    observed: &'a Observed,
    run: &'a RunFolder,
    buckets: u16,
    events: &'a EventSink,
}

impl Recording<'_> {
    /// Everything up to the ends, but what the moment does not see.
    async fn topics(
        &self,
        kafka: &Arc<Kafka>,
        ends: &Ends,
        look: &Look<'_>,
    ) -> Result<TopicsEnd, UpgradeError> {
        let config = self.config(ends, None);
        let folder = self.run.ledger(LedgerKind::Published);
        if look.before == ends && look.moment.1.is_quiet() {
            return self.read(kafka, config, &folder).await;
        }
        let whole = tempfile::Builder::new()
            .prefix(".topics-")
            .tempdir_in(self.run.root())
            .map_err(|source| UpgradeError::GapFolder {
                path: self.run.root().display().to_string(),
                source,
            })?;
        let mut end = self.read(kafka, config, whole.path()).await?;
        let rule = |row: &_| look.seen(row);
        let sifted = sift::sift(whole.path(), (&folder, self.buckets), &rule)?;
        if sifted.later > 0 {
            self.events.note(format!(
                "{} records are of transactions that the snapshot does not see, and were set aside",
                sifted.later
            ));
        }
        end.problems.extend(sifted.problem());
        Ok(end)
    }

    /// Everything before `ends`, from the beginning or from these offsets on.
    fn config(&self, ends: &Ends, from: Option<&Ends>) -> TopicsConfig {
        let span = |(place, end): (&(String, i32), &i64)| PartitionSpan {
            topic: place.0.clone(),
            partition: place.1,
            end: *end,
            cuts: from.map_or_else(Vec::new, |from| {
                vec![(0, from.get(place).copied().unwrap_or(0))]
            }),
            forks: Vec::new(),
        };
        TopicsConfig {
            bootstrap: self.subject.kafka.bootstrap().to_owned(),
            prefix: self.observed.prefix.clone(),
            shapes: self.observed.shapes.clone(),
            modes: self.observed.modes.clone(),
            schemas: Default::default(),
            spans: ends.iter().map(span).collect(),
        }
    }

    async fn read(
        &self,
        kafka: &Arc<Kafka>,
        config: TopicsConfig,
        folder: &Path,
    ) -> Result<TopicsEnd, UpgradeError> {
        let mut writer = ChangeWriter::create(folder, self.buckets)?;
        let (kafka, events) = (Arc::clone(kafka), self.events.clone());
        let read = move || -> Result<TopicsEnd, UpgradeError> {
            let end = record_topics_of(&kafka, &config, &mut writer, (None, &events))?;
            writer.finish()?;
            Ok(end)
        };
        let read = tokio::task::spawn_blocking(read).await;
        read.map_err(|panic| {
            UpgradeError::Disproved(format!("the topic recorder failed: {panic}"))
        })?
    }

    async fn stored(&self, moment: &Moment) -> Result<Notes, UpgradeError> {
        let folder = self.run.ledger(LedgerKind::Stored);
        let mut writer = StoredWriter::create(&folder, self.buckets)?;
        let place = (&self.subject.postgres, Some(moment.name.as_str()));
        let told = (&mut writer, self.events);
        let end = record_tables_at(place, &self.observed.shapes, 0, told).await?;
        writer.finish()?;
        Ok(end.notes)
    }

    fn evidence(&self, topics: TopicsEnd, stored: Notes, moment: (&Moment, Arrived)) -> Evidence {
        let observed = self.observed;
        let mut notes = Notes::of_shapes(&observed.shapes);
        notes.add(stored);
        notes.add(topics.not_compared.into_iter().collect());
        let options = record_options(&observed.config);
        // A version that is no number counts as the newest.
        let newest = DebeziumVersion(u16::MAX, 0, 0);
        let (deletes, tombstones) =
            of_deletes(&options, observed.debezium.parse().unwrap_or(newest));
        let (moment, arrived) = moment;
        let mut problems = topics.problems;
        problems.extend(notes.problems.iter().cloned());
        Evidence {
            format: EVIDENCE_FORMAT.into(),
            buckets: self.buckets,
            incarnations: vec![IncarnationEvidence {
                incarnation: observed.server.incarnation,
                label: format!("PostgreSQL {}", observed.server.version),
                kept_before: None,
                forked_at: None,
                witness: None,
            }],
            fence: Some(Fence {
                token: String::new(),
                incarnation: 0,
                lsn: moment.position,
                // What Connect stores, and what the connector confirms, was acknowledged by the broker.
                seen_in_topic: arrived.passed(),
                offset_stored: arrived.passed(),
                confirmed: arrived.confirmed,
                witnessed: false,
            }),
            partitions: topics.partitions,
            tables: observed
                .shapes
                .iter()
                .map(|shape| table(shape, &notes))
                .collect(),
            payload: topics.payload,
            tombstones,
            deletes,
            snapshot_allowed: self.subject.reread,
            no_snapshot: observed.no_snapshot(),
            elsewhere: observed.modes.unfollowed.clone(),
            attempted: false,
            transaction_metadata: false,
            acknowledged: Vec::new(),
            sequences: Vec::new(),
            connector_ended: arrived.ended,
            stream: Some(StreamEvidence {
                topic_prefix: observed.prefix.clone(),
                options,
                shapes: observed.shapes.clone(),
                schemas: topics.schemas,
                uncommitted: self.subject.kafka.isolation() == Isolation::ReadUncommitted,
            }),
            problems,
            scope: Scope::States,
        }
    }
}

fn table(shape: &cutover_model::TableShape, notes: &Notes) -> TableEvidence {
    let relation = shape.relation.to_string();
    let columns = notes.not_compared.iter();
    let columns = columns.filter(|((table, _), _)| *table == relation);
    TableEvidence {
        not_compared: columns
            .map(|((_, column), reason)| (column.clone(), reason.clone()))
            .collect(),
        relation,
        keyed: shape.has_key(),
        stored: true,
    }
}
