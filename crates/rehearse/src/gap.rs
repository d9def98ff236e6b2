//! Closes the gap of a rehearsal: what happens is recorded first, as it is, and then treated as anybody's run folder.
//!
//! Stands between the fence and the recording that is judged. The rules it protects: the repair sees nothing but a
//! run folder and Kafka, so that a rehearsal shows what `cutover gap close` does in production; closing twice must
//! change nothing (I15), and if it does the run says so.

use std::os::unix::fs::symlink;
use std::path::Path;

use cutover_model::gap::GapReport;
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventSink, RunFolder};
use cutover_upgrade::gap::{Closing, close};

use crate::error::RehearseError;
use crate::recording::Recording;

/// Records the state before into `gap/` of the run folder, plans, closes, and closes again. Returns what went wrong.
pub async fn close_twice(
    recording: &Recording<'_>,
    events: &EventSink,
) -> Result<Vec<String>, RehearseError> {
    let before = recording.run.before_closing();
    prepare(&before).map_err(|source| RehearseError::RunFolder {
        what: "make the folder for the ledgers before the repair",
        path: before.root().display().to_string(),
        source,
    })?;
    let mut first = recording.clone();
    first.run = before.clone();
    first.finish(events).await?;
    let shown = cutover_upgrade::gap::show(&before).await?;
    events.note(format!(
        "the gap: {} lost, {} phantom; {}",
        shown.lost.unwrap_or(0),
        shown.phantom.unwrap_or(0),
        states(&shown)
    ));
    let closing = |apply| Closing {
        run: &before,
        bootstrap: &recording.bootstrap,
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
    let mut problems = Vec::new();
    for (when, report) in [("once", &applied), ("twice", &again)] {
        if report.closable.by_records > 0 {
            problems.push(format!(
                "after closing the gap {when}, records could still close {} keys",
                report.closable.by_records
            ));
        }
    }
    let records = |report: &GapReport| report.written.as_ref().map_or(0, |done| done.records);
    if records(&applied) != planned.planned_records {
        problems.push(format!(
            "closing the gap wrote {} records, the plan had {}",
            records(&applied),
            planned.planned_records
        ));
    }
    if records(&again) > 0 {
        problems.push(format!(
            "closing the gap a second time wrote {} records",
            records(&again)
        ));
    }
    Ok(problems)
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
