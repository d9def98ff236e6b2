//! Closes the gap of a rehearsal: what happens is recorded first, as it is, and then treated as anybody's run folder.
//!
//! Stands between the fence and the recording that is judged. The rules it protects: the repair sees nothing but a
//! run folder and Kafka, so that a rehearsal shows what `cutover gap close` does in production; closing twice must
//! change nothing (I15), and if it does the run says so. What records cannot close is read again, where a scenario
//! asks for it, by the very signals that the report holds; exactly one record per key may come of that.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use cutover_clients::kafka::{KafkaAddress, RepairRecord, RepairWriter};
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::marker::emit_transaction;
use cutover_clients::wait::{Poll, WaitError, until};
use cutover_model::gap::GapReport;
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventSink, RunFolder};
use cutover_upgrade::gap::{Closing, close};

use crate::connector::signal_topic;
use crate::error::RehearseError;
use crate::recording::{Recording, change_topic_ends};

/// How long the connector may need to read keys again.
const REREAD: Duration = Duration::from_secs(90);

/// Between two looks at what it has read.
const LOOK: Duration = Duration::from_millis(500);

/// What closing came to.
pub struct Closed {
    /// Keys were read again, so snapshot records are part of the plan.
    pub reread: bool,
    /// What went wrong.
    pub problems: Vec<String>,
}

/// Records the state before into `gap/` of the run folder, plans, closes, and closes again; then lets keys be read
/// again if that is asked for.
pub async fn close_twice(
    recording: &Recording<'_>,
    reread: bool,
    events: &EventSink,
) -> Result<Closed, RehearseError> {
    let before = recording.run.before_closing();
    prepare(&before).map_err(|source| RehearseError::RunFolder {
        what: "make the folder for the ledgers before the repair",
        path: before.root().display().to_string(),
        source,
    })?;
    let mut first = recording.clone();
    first.run = before.clone();
    let snapshot = first.finish(events).await?;
    let shown = cutover_upgrade::gap::show(&before).await?;
    events.note(format!(
        "the gap: {} lost, {} phantom; {}",
        shown.lost.unwrap_or(0),
        shown.phantom.unwrap_or(0),
        states(&shown)
    ));
    let kafka = KafkaAddress::plain(&recording.bootstrap);
    let closing = |apply| Closing {
        run: &before,
        kafka: &kafka,
        registry: None,
        apply,
        leave_newer: false,
    };
    let planned = close(closing(false), events).await?;
    events.note(format!(
        "the plan: {} records for {} keys; {} keys need a re-read, {} cannot be closed",
        planned.planned_records,
        planned.closable.by_records,
        planned.closable.by_reread,
        planned.closable.no
    ));
    let applied = close(closing(true), events).await?;
    events.note(format!(
        "closed: {}; {}",
        writing(&applied),
        states(&applied)
    ));
    let again = close(closing(true), events).await?;
    events.note(format!(
        "closed again: {}; {}",
        writing(&again),
        states(&again)
    ));
    let mut problems = disagreements(&planned, &applied, &again);
    let mut closed = false;
    if reread && !again.signals.is_empty() {
        problems.extend(read_again(recording, &again, events).await?);
        // Snapshot records from before were no part of any plan.
        closed = snapshot == 0;
    }
    Ok(Closed {
        reread: closed,
        problems,
    })
}

/// What was planned is what was written, and closing again changed nothing.
fn disagreements(planned: &GapReport, applied: &GapReport, again: &GapReport) -> Vec<String> {
    let mut problems = Vec::new();
    for (when, report) in [("once", applied), ("twice", again)] {
        if report.closable.by_records > 0 {
            problems.push(format!(
                "after closing the gap {when}, records could still close {} keys",
                report.closable.by_records
            ));
        }
    }
    let records = |report: &GapReport| report.written.as_ref().map_or(0, |done| done.records);
    if records(applied) != planned.planned_records {
        problems.push(format!(
            "closing the gap wrote {} records, the plan had {}",
            records(applied),
            planned.planned_records
        ));
    }
    if records(again) > 0 {
        problems.push(format!(
            "closing the gap a second time wrote {} records",
            records(again)
        ));
    }
    problems
}

/// Sends the report's signals and waits until each key has come again, once.
async fn read_again(
    recording: &Recording<'_>,
    report: &GapReport,
    events: &EventSink,
) -> Result<Option<String>, RehearseError> {
    let keys: u64 = report.signals.iter().map(|signal| signal.keys).sum();
    let before = ends(recording).await?;
    send(recording, report).await?;
    let client = connect_admin(&recording.server).await?;
    let prefix = &recording.stream.marker_prefix;
    let what = "the keys that were to be read again";
    let seen = until(what, REREAD, LOOK, async || {
        let come = ends(recording).await?.saturating_sub(before);
        if come < keys {
            // On an idle database the connector sees no transaction, and its snapshot windows never close.
            emit_transaction(&client, prefix, "reread").await?;
            return Ok(Poll::NotYet(format!("{come} of {keys}")));
        }
        Ok::<_, RehearseError>(Poll::Ready(come))
    });
    match seen.await {
        Ok(come) => {
            let note = format!("read again: {come} records for {keys} keys");
            events.note(note.clone());
            Ok((come != keys).then_some(note))
        }
        Err(WaitError::TimedOut { what, last, .. }) => Ok(Some(format!("{what}: {last} came"))),
        Err(WaitError::Failed(error)) => Err(error),
    }
}

/// Records in the topics of the captured tables.
async fn ends(recording: &Recording<'_>) -> Result<u64, RehearseError> {
    let ends = change_topic_ends(recording.kafka, recording.stream).await?;
    Ok(u64::try_from(ends.values().sum::<i64>()).unwrap_or(0))
}

/// The connector hears signals whose key is its topic prefix.
async fn send(recording: &Recording<'_>, report: &GapReport) -> Result<(), RehearseError> {
    let topic = signal_topic(recording.stream);
    let records: Vec<RepairRecord> = report
        .signals
        .iter()
        .zip(1..)
        .map(|(signal, number)| {
            let mut value = signal.signal.clone();
            value["id"] = format!("reread-{number}").into();
            RepairRecord {
                topic: topic.clone(),
                partition: 0,
                key: recording.stream.topic_prefix.clone().into_bytes(),
                value: Some(value.to_string().into_bytes()),
                headers: Vec::new(),
            }
        })
        .collect();
    let address = KafkaAddress::plain(&recording.bootstrap);
    let sent = tokio::task::spawn_blocking(move || {
        let writer = RepairWriter::new(&address)?;
        for record in &records {
            writer.write(record)?;
        }
        writer.settle()
    });
    match sent.await {
        Ok(sent) => Ok(sent?),
        Err(panic) => Err(RehearseError::Load(format!(
            "sending signals failed: {panic}"
        ))),
    }
}

/// The folder, with the committed ledger of the run itself: the witnesses have finished it.
fn prepare(folder: &RunFolder) -> std::io::Result<()> {
    std::fs::create_dir_all(folder.ledgers())?;
    let committed = LedgerKind::Committed;
    let own = Path::new("../../ledger").join(committed.name());
    symlink(own, folder.ledger(committed))
}

fn states(report: &GapReport) -> String {
    let keys = report.keys;
    let keyless: u64 = report
        .keyless
        .iter()
        .map(|table| table.too_many + table.too_few)
        .sum();
    format!(
        "{} ghost, {} missing and {} stale keys, {keyless} rows without key apart",
        keys.ghost, keys.missing, keys.stale
    )
}

fn writing(report: &GapReport) -> String {
    report.written.as_ref().map_or_else(
        || "nothing written".to_owned(),
        |done| format!("{} records for {} keys written", done.records, done.keys),
    )
}
