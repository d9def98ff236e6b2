//! `cutover verify`: judges a stream that runs, or a saved run folder again. The latter needs no server and changes
//! nothing but `findings.parquet` and the reports, which it writes anew.

use std::path::{Path, PathBuf};

use cutover_model::result::ScenarioResult;
use cutover_model::{EventKind, EventSink, ExitCode, Failure, RunFolder};
use cutover_rehearse::RehearseError;
use cutover_rehearse::judge::{conclude, judge_run, naive_counts};

use super::{Settings, existing, rehearse, report};
use crate::args::VerifyArgs;
use crate::output::Outcome;
use crate::signals::or_ended;

/// Judges one scenario's folder, or every scenario of a whole run; without one, a stream that runs.
pub async fn run(what: &VerifyArgs, settings: Settings) -> Outcome {
    let naive = what.naive;
    let Some(folder) = &what.run else {
        return match existing::recorded(&what.existing, settings).await {
            Ok(recorded) => {
                let outcome = or_ended(saved(&recorded.root, naive, settings)).await;
                with_signal(outcome, recorded.signal)
            }
            Err(failure) => Outcome::Failed(failure),
        };
    };
    match what.sql {
        true => script(folder, settings).await,
        false => or_ended(saved(folder, naive, settings)).await,
    }
}

/// The checks of one scenario for another engine.
async fn script(folder: &Path, settings: Settings) -> Outcome {
    match scenario_folders(folder).as_slice() {
        [one] => match cutover_rehearse::judge::script(&RunFolder::at(one)).await {
            Ok(script) if settings.json => {
                let object = serde_json::json!({ "format": "cutover.checks/1", "script": script });
                Outcome::text(format!("{object:#}"))
            }
            Ok(script) => Outcome::text(script),
            Err(error) => error.into(),
        },
        [] => Outcome::Failed(no_run(folder)),
        [first, ..] => Outcome::Failed(Failure::new(
            ExitCode::Usage,
            "RUN-FOLDER-001",
            format!("{} holds more than one scenario", folder.display()),
            format!("name one of them, such as {}", first.display()),
        )),
    }
}

/// A signal decides the exit code, whatever was judged before.
fn with_signal(outcome: Outcome, signal: Option<ExitCode>) -> Outcome {
    match (outcome, signal) {
        (Outcome::Done(text, _), Some(signal)) => Outcome::Done(text, signal),
        // Too little was recorded to judge anything.
        (Outcome::Failed(failure), Some(exit)) => Outcome::Failed(Failure { exit, ..failure }),
        (outcome, None) => outcome,
    }
}

async fn saved(folder: &Path, naive: bool, settings: Settings) -> Outcome {
    let mut results = Vec::new();
    let folders = scenario_folders(folder);
    if folders.is_empty() {
        return Outcome::Failed(no_run(folder));
    }
    let root = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let progress = settings.progress();
    for folder in folders {
        match judged(&RunFolder::at(folder), naive, &progress.sink()).await {
            Ok(result) => results.push(result),
            Err(error) => {
                progress.finish();
                return error.into();
            }
        }
    }
    progress.finish();
    let result = conclude(results);
    let exit = ExitCode::of(result.verdict);
    match report::write_all(&root, &result) {
        Ok(()) => rehearse::print((&result, &root), exit, settings),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn no_run(folder: &Path) -> Failure {
    let what = if folder.is_dir() {
        "holds no run.toml"
    } else {
        "does not exist"
    };
    Failure::new(
        ExitCode::Usage,
        "RUN-FOLDER-001",
        format!("{} is no run folder: it {what}", folder.display()),
        "name a folder that `cutover rehearse` wrote, as its result says",
    )
}

async fn judged(
    run: &RunFolder,
    naive: bool,
    events: &EventSink,
) -> Result<ScenarioResult, RehearseError> {
    let phase = |name: &str| EventKind::PhaseStarted { name: name.into() };
    events.emit(phase("judge"));
    let mut result = judge_run(run, events).await?;
    if naive {
        events.emit(phase("classic counts"));
        result.naive = naive_counts(run, &result).await?;
    }
    Ok(result)
}

/// A folder with `run.toml` is one scenario; otherwise its sub-folders that have one are, in name order.
fn scenario_folders(folder: &Path) -> Vec<PathBuf> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    if RunFolder::at(&folder).manifest().exists() {
        return vec![folder];
    }
    let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut inner: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| RunFolder::at(path).manifest().exists())
        .collect();
    inner.sort();
    inner
}
