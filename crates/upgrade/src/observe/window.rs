//! With consent: a witness on a slot of its own watches the stream for a while, and each change of that time is judged.
//!
//! The slot is the one thing that is made, and it is removed whatever happens. Both ends of the window are snapshots,
//! the first one taken after the slot was made: a change belongs to the window if the second sees its transaction and
//! the first does not. So both ledgers are cut by the same rule, without a marker in the log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cutover_clients::kafka::Kafka;
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::moment::{Moment, hold};
use cutover_clients::pg::slots::{drop_slot, slot};
use cutover_clients::wait::{Poll, WaitError, pause, until};
use cutover_ledger::{ChangeWriter, buckets_for, write_evidence};
use cutover_model::evidence::{Acknowledged, Scope, WitnessEvidence};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventKind, EventSink, Lsn, RunFolder};
use cutover_record::Notes;
use cutover_record::witness::{Witness, WitnessConfig, WitnessEnd};

use super::arrival::{self, Arrived};
use super::stream::{Ends, Observed};
use super::{Recording, Subject, sift};
use crate::error::UpgradeError;
use crate::operate::setup::make_slot;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// How long a slot that was read from may be held by its last session.
const LETTING_GO: Duration = Duration::from_secs(30);
/// Nobody writes a marker of this prefix.
const PREFIX: &str = "cutover-verify";

/// A name for the slot.
pub fn slot_name() -> String {
    format!("cutover_verify_{:08x}", rand::random::<u32>())
}

/// Removes the slot, if it is there.
///
/// # Errors
/// The server cannot be reached, or somebody holds the slot.
pub async fn remove_slot(subject: &Subject, name: &str) -> Result<(), UpgradeError> {
    let client = connect_admin(&subject.postgres).await?;
    let what = format!("removing slot {name}");
    let removed = until(&what, LETTING_GO, EVERY, async || {
        let held = slot(&client, name).await?.is_some_and(|slot| slot.active);
        if held {
            return Ok::<_, UpgradeError>(Poll::NotYet(
                "its last session still holds it".to_owned(),
            ));
        }
        drop_slot(&client, name).await?;
        Ok(Poll::Ready(()))
    });
    Ok(removed.await?)
}

/// Watches for so long, and records the changes of that time into a run folder. The caller removes the slot.
///
/// # Errors
/// As [`super::record_states`], or no slot can be made.
pub async fn record_window(
    subject: &Subject,
    (name, length): (&str, Duration),
    run: &RunFolder,
    events: &EventSink,
) -> Result<Observed, UpgradeError> {
    let kafka = Arc::new(Kafka::at(&subject.kafka)?);
    let mut observed = Observed::find(subject).await?;
    let before = observed.ends(&kafka).await?;
    let client = connect_admin(&subject.postgres).await?;
    // Said before it is there: whoever is killed cannot say it any more.
    events.note(format!(
        "slot {name} is made for the time of the window; should it stay: SELECT pg_drop_replication_slot('{name}')"
    ));
    let place = (subject.postgres.database.as_str(), name);
    let from = make_slot(&client, place, subject.patience).await?;
    let first = hold(&subject.postgres).await?;
    let buckets = buckets_for(u64::from(u16::MAX));
    let folder = temporary(run)?;
    let writer = ChangeWriter::create(folder.path(), buckets)?;
    let writer = Arc::new(Mutex::new(writer));
    let witness = Witness::start(
        WitnessConfig {
            address: subject.postgres.clone(),
            slot: name.to_owned(),
            publication: observed.publication.clone(),
            incarnation: 0,
            shapes: observed.shapes.clone(),
            marker_prefix: PREFIX.to_owned(),
        },
        Arc::clone(&writer),
    )?;
    watch(&witness, length, events).await;
    let last = hold(&subject.postgres).await?;
    let witnessed = caught_up(&witness, last.position, subject.patience).await?;
    let arrived = arrival::wait(subject, &observed, &kafka, (&last, events)).await?;
    let ended = tokio::task::spawn_blocking(move || witness.stop()).await;
    let ended = ended.map_err(|panic| UpgradeError::Disproved(panic.to_string()))??;
    finish(writer)?;
    for altered in ended.alterations.sentences() {
        events.note(altered);
    }
    observed.shapes = ended.alterations.applied(&observed.shapes);
    let recording = Recording {
        subject,
        observed: &observed,
        run,
        buckets,
        events,
    };
    let window = Window {
        ends: (&before, &observed.ends(&kafka).await?),
        moments: (&first, &last),
        witness: WitnessEvidence {
            slot: name.to_owned(),
            from,
            through: ended.through,
            complete: witnessed,
        },
    };
    window
        .record((&recording, &kafka), folder.path(), (ended, arrived))
        .await?;
    Ok(observed)
}

fn temporary(run: &RunFolder) -> Result<tempfile::TempDir, UpgradeError> {
    let made = tempfile::Builder::new()
        .prefix(".witness-")
        .tempdir_in(run.root());
    made.map_err(|source| UpgradeError::GapFolder {
        path: run.root().display().to_string(),
        source,
    })
}

fn finish(writer: Arc<Mutex<ChangeWriter>>) -> Result<(), UpgradeError> {
    let writer = Arc::try_unwrap(writer).map_err(|_| {
        UpgradeError::Disproved("the witness still writes after it was stopped".to_owned())
    })?;
    writer
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .finish()?;
    Ok(())
}

/// Lets the time pass, and tells how much was seen.
async fn watch(witness: &Witness, length: Duration, events: &EventSink) {
    let begun = std::time::Instant::now();
    while begun.elapsed() < length && witness.status().error.is_none() {
        events.emit(EventKind::Progress {
            what: "changes witnessed".to_owned(),
            done: witness.status().changes,
            total: None,
            rate: None,
            lag_bytes: None,
        });
        pause(EVERY.min(length.saturating_sub(begun.elapsed()))).await;
    }
}

/// Whether the witness came to the position in time.
async fn caught_up(
    witness: &Witness,
    position: Lsn,
    patience: Duration,
) -> Result<bool, UpgradeError> {
    let reached = until(
        "the witness at the end of the window",
        patience,
        EVERY,
        async || {
            let status = witness.status();
            Ok::<_, UpgradeError>(match (status.error, status.received >= position) {
                (Some(_), _) => Poll::Ready(false),
                (None, true) => Poll::Ready(true),
                (None, false) => Poll::NotYet(format!(
                    "it has received everything before {}",
                    status.received
                )),
            })
        },
    );
    match reached.await {
        Ok(reached) => Ok(reached),
        Err(WaitError::TimedOut { .. }) => Ok(false),
        Err(WaitError::Failed(error)) => Err(error),
    }
}

struct Window<'a> {
    ends: (&'a Ends, &'a Ends),
    moments: (&'a Moment, &'a Moment),
    witness: WitnessEvidence,
}

impl Window<'_> {
    async fn record(
        self,
        (recording, kafka): (&Recording<'_>, &Arc<Kafka>),
        witnessed: &std::path::Path,
        (ended, arrived): (WitnessEnd, Arrived),
    ) -> Result<(), UpgradeError> {
        let (first, last) = self.moments;
        let (run, buckets) = (recording.run, recording.buckets);
        let begins = self.ends.0;
        let rule = |row: &_| sift::between(row, begins, first, last);
        let committed = run.ledger(LedgerKind::Committed);
        sift::sift(witnessed, (&committed, buckets), &rule)?;
        let whole = temporary(run)?;
        let config = recording.config(self.ends.1, Some(self.ends.0));
        let mut topics = recording.read(kafka, config, whole.path()).await?;
        let published = run.ledger(LedgerKind::Published);
        let sifted = sift::sift(whole.path(), (&published, buckets), &rule)?;
        topics.problems.extend(sifted.problem());
        topics
            .problems
            .extend(recording.observed.problems.iter().cloned());
        let mut notes = Notes::default();
        notes.add(ended.notes);
        let mut evidence = recording.evidence(topics, notes, (last, arrived.clone()));
        evidence.scope = Scope::Window;
        for table in &mut evidence.tables {
            table.stored = false;
        }
        if let Some(life) = evidence.incarnations.first_mut() {
            life.witness = Some(self.witness.clone());
        }
        if let Some(fence) = &mut evidence.fence {
            fence.witnessed = self.witness.complete;
        }
        evidence.acknowledged = arrived.confirmed_to.map_or_else(Vec::new, |confirmed| {
            vec![Acknowledged {
                incarnation: 0,
                slot: recording.observed.slot.clone(),
                confirmed,
                ends: self
                    .ends
                    .1
                    .iter()
                    .map(|((topic, partition), end)| (topic.clone(), *partition, *end))
                    .collect(),
            }]
        });
        Ok(write_evidence(run, &evidence)?)
    }
}
