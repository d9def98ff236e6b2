//! `cutover rehearse`.

use std::path::PathBuf;
use std::sync::Arc;

use cutover_model::result::RunResult;
use cutover_model::{ExitCode, Failure, RunFolder};
use cutover_rehearse::{Ended, Options, RehearseError, Scenario, judge, scenario};

use super::Settings;
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
        Err(error) => return internal(format!("listen for signals: {error}")),
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
        Ok(ended) => match write_reports(&ended) {
            Ok(()) => print(&ended.result, ended.exit, settings),
            Err(message) => internal(message),
        },
        Err(error) => error.into(),
    }
}

/// `report.json` and `junit.xml`: of the whole run in its folder, of each scenario in the scenario's.
fn write_reports(ended: &Ended) -> Result<(), String> {
    write_report(&RunFolder::at(&ended.root), &ended.result)?;
    for scenario in &ended.result.scenarios {
        let alone = judge::conclude(vec![scenario.clone()]);
        write_report(&RunFolder::at(&scenario.run_dir), &alone)?;
    }
    Ok(())
}

fn write_report(folder: &RunFolder, result: &RunResult) -> Result<(), String> {
    let json = cutover_report::to_json(result).map_err(|error| error.to_string())?;
    let junit = cutover_report::to_junit(result).map_err(|error| error.to_string())?;
    for (path, text) in [(folder.report_json(), json), (folder.junit(), junit)] {
        std::fs::write(&path, text)
            .map_err(|error| format!("write {}: {error}", path.display()))?;
    }
    Ok(())
}

/// The result in the form that was asked for.
pub fn print(result: &RunResult, exit: ExitCode, settings: Settings) -> Outcome {
    if !settings.json {
        let screen = cutover_report::closing_screen(result, settings.result_look());
        return Outcome::Done(screen, exit);
    }
    match cutover_report::to_json(result) {
        Ok(json) => Outcome::Done(json, exit),
        Err(error) => internal(format!("write the result as JSON: {error}")),
    }
}

fn internal(message: String) -> Outcome {
    Outcome::Failed(Failure {
        code: "CLI-INTERNAL-001".into(),
        message,
        remedy: None,
        exit: ExitCode::Internal,
    })
}
