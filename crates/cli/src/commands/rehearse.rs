//! `cutover rehearse`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cutover_model::ExitCode;
use cutover_model::result::RunResult;
use cutover_rehearse::{Options, RehearseError, Scenario, scenario};

use super::{Settings, report};
use crate::output::Outcome;
use crate::signals;

fn find(names: &[String]) -> Result<Vec<Scenario>, RehearseError> {
    if names.is_empty() {
        return scenario::main_job();
    }
    names.iter().map(|name| scenario::find(name)).collect()
}

/// Prints the runbooks and stops.
pub fn plan_only(names: &[String], settings: Settings) -> Outcome {
    let scenarios = match find(names) {
        Ok(scenarios) => scenarios,
        Err(error) => return error.into(),
    };
    let runbooks: Vec<_> = scenarios
        .iter()
        .map(|scenario| scenario.runbook())
        .collect();
    if settings.json {
        let object = serde_json::json!({ "format": "cutover.runbooks/1", "runbooks": runbooks });
        return Outcome::text(format!("{object:#}"));
    }
    let titled = scenarios.iter().zip(&runbooks).map(|(scenario, runbook)| {
        let runbook = cutover_report::runbook::numbered(runbook);
        format!(
            "scenario {}: {}\n\n{runbook}",
            scenario.name, scenario.title
        )
    });
    Outcome::text(titled.collect::<Vec<_>>().join("\n"))
}

/// Runs the scenarios and prints the result.
pub async fn run(
    names: &[String],
    seed: Option<u64>,
    runs: PathBuf,
    settings: Settings,
) -> Outcome {
    let scenarios = match find(names) {
        Ok(scenarios) => scenarios,
        Err(error) => return error.into(),
    };
    let interrupt = match signals::listen() {
        Ok(interrupt) => interrupt,
        Err(failure) => return Outcome::Failed(failure),
    };
    let progress = settings.progress();
    let consumer = progress.clone();
    let options = Options {
        scenarios,
        seed,
        runs,
        display: Arc::new(move |event| consumer.consume(event)),
        interrupt,
    };
    let ended = cutover_rehearse::rehearse(options).await;
    progress.finish();
    match ended {
        Ok(ended) => match report::write_all(&ended.root, &ended.result) {
            Ok(()) => print((&ended.result, &ended.root), ended.exit, settings),
            Err(failure) => Outcome::Failed(failure),
        },
        Err(error) => error.into(),
    }
}

/// The result in the form that was asked for, and where its reports are.
pub fn print((result, root): (&RunResult, &Path), exit: ExitCode, settings: Settings) -> Outcome {
    if !settings.json {
        let screen = cutover_report::closing_screen(result, settings.result_look());
        return Outcome::Done(format!("{screen}{}", report::pointer(root)), exit);
    }
    // What stands in the run folder, so that nothing else can be printed than what is kept.
    match report::saved(root) {
        Ok(json) => Outcome::Done(json, exit),
        Err(failure) => Outcome::Failed(failure),
    }
}
