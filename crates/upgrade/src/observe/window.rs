//! With consent: a witness on a slot of its own watches the stream for a while, and each change of that time is judged.
//!
//! The slot is the one thing that is made. It belongs to the witness's session, and the server removes it when that
//! ends, even if this program is killed. Both ends of the window are snapshots, the first one taken after the slot was
//! made: a change belongs to the window if the second sees its transaction and the first does not. So both ledgers are
//! cut by the same rule, without a marker in the log.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cutover_clients::kafka::Kafka;
use cutover_clients::pg::moment::{Moment, hold};
use cutover_clients::pg::pending::pending;
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{Client, PgError, connect_admin};
use cutover_clients::wait::{Poll, WaitError, pause, until};
use cutover_ledger::{ChangeWriter, buckets_for, write_evidence};
use cutover_model::evidence::{Acknowledged, Scope, WitnessEvidence};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventKind, EventSink, Lsn, RunFolder};
use cutover_record::witness::{Witness, WitnessConfig, WitnessEnd};
use cutover_record::{Notes, RecordError};

use super::arrival::{self, Arrived};
use super::stream::{Ends, Observed};
use super::{Recording, Subject, sift};
use crate::error::UpgradeError;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// How long a slot that was read from may be held by its last session.
const LETTING_GO: Duration = Duration::from_secs(30);
/// What the server says when somebody who has written does not end.
const WAITED_LONG: &str = "55P03";
/// Nobody writes a marker of this prefix.
const PREFIX: &str = "cutover-verify";

/// A name for the slot.
pub fn slot_name() -> String {
    format!("cutover_verify_{:08x}", rand::random::<u32>())
}

/// Sees to it that the slot is gone: whoever was broken off may have left a session behind that still makes it or reads
/// from it, and the slot goes with the session.
///
/// # Errors
/// The server cannot be reached, or does not end the session.
pub async fn remove_slot(subject: &Subject, name: &str) -> Result<(), UpgradeError> {
    let client = connect_admin(&subject.postgres).await?;
    let what = format!("the end of slot {name}");
    let removed = until(&what, LETTING_GO, EVERY, async || {
        let Some(slot) = slot(&client, name).await? else {
            return Ok::<_, UpgradeError>(Poll::Ready(()));
        };
        if let Some(pid) = slot.active_pid {
            end_session(&client, pid).await?;
        }
        Ok(Poll::NotYet("its last session still holds it".to_owned()))
    });
    Ok(removed.await?)
}

/// Watches for so long, and records the changes of that time into a run folder. The caller looks whether the slot is
/// gone, since this may be broken off.
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
    observed.tell_withheld(events);
    let before = observed.ends(&kafka).await?;
    let client = connect_admin(&subject.postgres).await?;
    events.note(format!(
        "temporary slot {name} is made for the time of the window; the server removes it with its session"
    ));
    let buckets = buckets_for(u64::from(u16::MAX));
    let folder = temporary(run)?;
    let writer = ChangeWriter::create(folder.path(), buckets)?;
    let writer = Arc::new(Mutex::new(writer));
    let config = WitnessConfig {
        address: subject.postgres.clone(),
        slot: name.to_owned(),
        publication: observed.publication.clone(),
        incarnation: 0,
        shapes: observed.shapes.clone(),
        marker_prefix: PREFIX.to_owned(),
    };
    let (witness, from) = begin(&client, subject, config, Arc::clone(&writer)).await?;
    let first = hold(&subject.postgres).await?;
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

/// Begins to watch, beside the task that waits for signals.
///
/// # Errors
/// Whoever has written and not ended is named, because somebody has to end it; the server refused.
async fn begin(
    client: &Client,
    subject: &Subject,
    config: WitnessConfig,
    writer: Arc<Mutex<ChangeWriter>>,
) -> Result<(Witness, Lsn), UpgradeError> {
    let patience = subject.patience;
    let beginning =
        tokio::task::spawn_blocking(move || Witness::start_temporary(config, writer, patience));
    let begun = beginning.await;
    match begun.map_err(|panic| UpgradeError::Disproved(panic.to_string()))? {
        Err(RecordError::Pg(error)) if error.sqlstate() == Some(WAITED_LONG) => {
            let database = &subject.postgres.database;
            Err(UpgradeError::Pending {
                seconds: patience.as_secs_f64(),
                pending: pending(client, database).await?,
            })
        }
        begun => Ok(begun?),
    }
}

/// Ends a session of our own role, which everybody may.
async fn end_session(client: &Client, pid: i32) -> Result<(), UpgradeError> {
    let ended = client
        .execute("SELECT pg_terminate_backend($1)", &[&pid])
        .await;
    ended.map_err(|source| PgError::Sql {
        what: "ending the witness's session".to_owned(),
        source,
    })?;
    Ok(())
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
