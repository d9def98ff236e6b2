//! `cutover gap show` and `cutover gap close`: what a recorded stream and its database have apart, and closing it.
//!
//! `show` reads a run folder and nothing else; `close` needs Kafka too, and writes to it only with `--apply`.

use std::path::Path;

use cutover_model::gap::GapReport;
use cutover_model::{ExitCode, Failure, RunFolder};
use cutover_report::gap::{gap, gap_json};
use cutover_upgrade::UpgradeError;
use cutover_upgrade::gap::Closing;

use super::Settings;
use crate::args::GapAction;
use crate::config;
use crate::output::Outcome;

/// Shows or closes.
pub async fn run(action: GapAction, settings: Settings) -> Outcome {
    let folder = match &action {
        GapAction::Show { run } | GapAction::Close { run, .. } => run,
    };
    let run = match run_folder(folder) {
        Ok(run) => run,
        Err(failure) => return Outcome::Failed(failure),
    };
    let report = match action {
        GapAction::Show { .. } => cutover_upgrade::gap::show(&run).await,
        GapAction::Close {
            apply,
            leave_newer,
            systems,
            ..
        } => {
            let systems = match config::load(&systems.said(None)) {
                Ok(systems) => systems,
                Err(failure) => return Outcome::Failed(failure),
            };
            let kafka = match systems.need_kafka() {
                Ok(kafka) => kafka,
                Err(failure) => return Outcome::Failed(failure),
            };
            let closing = Closing {
                run: &run,
                kafka,
                registry: systems.registry.as_ref(),
                apply,
                leave_newer,
            };
            close(closing, settings).await
        }
    };
    match report {
        Ok(report) => show(&report, settings),
        Err(error) => error.into(),
    }
}

async fn close(closing: Closing<'_>, settings: Settings) -> Result<GapReport, UpgradeError> {
    let progress = settings.progress();
    let report = cutover_upgrade::gap::close(closing, &progress.sink()).await;
    progress.finish();
    report
}

fn show(report: &GapReport, settings: Settings) -> Outcome {
    let exit = ExitCode::numbered(report.exit_code).unwrap_or(ExitCode::Unknown);
    if !settings.json {
        return Outcome::Done(gap(report, settings.result_look()), exit);
    }
    match gap_json(report) {
        Ok(text) => Outcome::Done(text, exit),
        Err(error) => error.into(),
    }
}

fn run_folder(folder: &Path) -> Result<RunFolder, Failure> {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let run = RunFolder::at(&folder);
    if run.evidence().exists() {
        return Ok(run);
    }
    Err(Failure::new(
        ExitCode::Usage,
        "RUN-FOLDER-001",
        format!(
            "{} holds no ledgers: it is no folder of one scenario",
            folder.display()
        ),
        "name the folder of one scenario inside a run, e.g. runs/<id>/restore-time",
    ))
}
