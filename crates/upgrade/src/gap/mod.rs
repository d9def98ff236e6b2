//! The gap between a stream and its database: showing it, and closing what can be closed exactly.
//!
//! ```text
//! ledgers ─audit::gap─► state of each key ─plan─► what can be done ─forms─► bytes ─close─► topics ─► read again
//! ```
//! [`show`] looks at a recorded run and needs no server. [`close`](close::close) reads the topics of the run again,
//! plans against them as they are now, writes the compensating records if it is told to, and reads them once more:
//! what counts is what stands there afterwards. It needs Kafka and nothing else.
//!
//! The rules it protects: I15 (closing twice changes nothing, since the second plan finds equal states); every record
//! of a repair is marked in its headers, so that no check and no consumer takes it for a change; nothing is written
//! for a key that the stream has written to since the run.

pub mod close;
pub mod forms;
mod plan;
mod rewriting;
mod signals;
mod tally;

use cutover_audit::gap::{GapLook, Present};
use cutover_model::evidence::Evidence;
use cutover_model::gap::{GapAction, GapReport};
use cutover_model::{ExitCode, RunFolder};

use crate::error::UpgradeError;
use forms::DeleteForm;
use tally::{LISTED, Tally};

pub use close::{Closing, close};

/// What a recorded run has apart. Exit code of the report: 0 if nothing, 4 if something, 5 if that is not known.
pub async fn show(run: &RunFolder) -> Result<GapReport, UpgradeError> {
    let (look, tally) = survey(run, None).await?;
    let clean = tally.is_clean();
    let obstacles = look.event_obstacles();
    let unknown = (obstacles.0.is_some(), obstacles.1.is_some());
    let mut report = tally.report(run.root().display().to_string(), GapAction::Show, unknown);
    let named = [
        ("the state of keys", look.obstacle()),
        ("what is lost", obstacles.0),
        ("what is phantom", obstacles.1),
    ];
    for (what, obstacle) in named {
        let reason = obstacle.map(|why| format!("{what} is not known: {why}"));
        report.reasons.extend(reason);
    }
    let events = report.lost.unwrap_or(0) + report.phantom.unwrap_or(0);
    let exit = match (clean && events == 0, report.reasons.is_empty()) {
        (false, _) => ExitCode::Violated,
        (true, true) => ExitCode::Pass,
        (true, false) => ExitCode::Unknown,
    };
    report.exit_code = exit.number();
    Ok(report)
}

/// Looks at every bucket.
async fn survey(
    run: &RunFolder,
    present: Option<&Present>,
) -> Result<(GapLook, Tally), UpgradeError> {
    let look = GapLook::open(run, present).await?;
    let form = delete_form(look.evidence());
    let mut tally = Tally::default();
    for number in 0..look.buckets() {
        let bucket = look.bucket(number, LISTED).await?;
        tally.add(bucket, &form, envelopes(look.evidence()));
    }
    Ok((look, tally))
}

fn delete_form(evidence: &Evidence) -> DeleteForm {
    let stream = evidence.stream.as_ref();
    let options = stream.map(|stream| stream.options.clone());
    DeleteForm::of(&options.unwrap_or_default(), evidence.tombstones)
}

/// Envelopes that can be taken apart and written again; those in Avro are not.
fn envelopes(evidence: &Evidence) -> bool {
    let format = &evidence.payload.format;
    format.contains("envelope") && !format.contains("avro")
}
