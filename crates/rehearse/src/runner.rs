//! `rehearse`: parts, broker and worker once; then each scenario with servers of its own; then the result.
//!
//! However it ends (verdict, error, signal, a server that dies), what was started is stopped, the run folder
//! says how it ended, and nothing that was not judged is called a pass.

use std::path::{Path, PathBuf};

use cutover_lab::Home;
use cutover_model::result::RunResult;
use cutover_model::{ExitCode, Verdict};
use tokio::sync::watch;

use crate::error::RehearseError;
use crate::event_log::{Display, EventLog};
use crate::judge::conclude;
use crate::lock::RunLock;
use crate::roster::Roster;
use crate::scenario::Scenario;
use crate::scene::{Cast, Scene};
use crate::stage::Stage;

/// Turns to an exit code when the user wants the run to end.
pub type Interrupt = watch::Receiver<Option<ExitCode>>;

/// What to rehearse.
pub struct Options {
    /// Scenarios, in order.
    pub scenarios: Vec<Scenario>,
    /// Seed instead of the scenarios' own.
    pub seed: Option<u64>,
    /// Folder for run folders.
    pub runs: PathBuf,
    /// Shows events.
    pub display: Display,
    /// The user's wish to stop.
    pub interrupt: Interrupt,
}

/// How the command ended.
#[derive(Debug)]
pub struct Ended {
    /// The result.
    pub result: RunResult,
    /// The verdict's exit code, or that of the signal.
    pub exit: ExitCode,
    /// Folder of the whole run; each scenario has its own inside.
    pub root: PathBuf,
}

/// Runs the scenarios.
pub async fn rehearse(options: Options) -> Result<Ended, RehearseError> {
    let home = Home::locate(None, None)?;
    let _lock = RunLock::take(&home.state().join("rehearse.lock"))?;
    let root = make_run_root(&options.runs)?;
    let log = EventLog::create(&root.join("events.jsonl"), "lab", options.display.clone())?;
    let roster = Roster::default();
    let mut interrupt = options.interrupt.clone();
    let opened = tokio::select! {
        stage = Stage::open(home, &root, &options.scenarios, (&log, &roster)) => stage,
        code = interrupted(&mut interrupt) => return not_begun(&options, root, code),
    };
    let mut stage = match opened {
        Ok(stage) => stage,
        Err(error) => {
            discard(&root);
            return Err(error);
        }
    };
    let mut shared = log.take_phases();
    let mut results = Vec::new();
    for scenario in &options.scenarios {
        let seed = options.seed.unwrap_or(scenario.load.seed);
        let cast = Cast {
            scenario,
            label: &scenario.name,
            seed,
            root: &root,
            display: &options.display,
        };
        let mut scene = Scene::prepare(cast)?;
        scene.manifest.phases.append(&mut shared);
        match scene.play(&mut stage, &mut interrupt).await {
            Ok(played) => {
                results.push(played.result);
                if played.signal.is_some() {
                    break;
                }
            }
            Err(error) => {
                stage.close().await?;
                return Err(error);
            }
        }
    }
    stage.close().await?;
    let all_played = results.len() == options.scenarios.len();
    let (result, exit) = close_result(conclude(results), all_played, *interrupt.borrow());
    Ok(Ended { result, exit, root })
}

/// The user ended the run before its first scenario: the run folder says so.
fn not_begun(options: &Options, root: PathBuf, code: ExitCode) -> Result<Ended, RehearseError> {
    let mut results = Vec::new();
    if let Some(scenario) = options.scenarios.first() {
        let seed = options.seed.unwrap_or(scenario.load.seed);
        let cast = Cast {
            scenario,
            label: &scenario.name,
            seed,
            root: &root,
            display: &options.display,
        };
        results.push(Scene::prepare(cast)?.interrupted(code)?.result);
    }
    let (result, exit) = close_result(conclude(results), false, Some(code));
    Ok(Ended { result, exit, root })
}

/// Removes a run folder in which nothing began. With service logs in it, it stays: they say what went wrong.
fn discard(root: &Path) {
    if !root.join("logs").exists() {
        // What cannot be removed does no harm; the error that brought us here is what matters.
        let _ = std::fs::remove_dir_all(root);
    }
}

/// Scenarios that were not played are not passed; a signal decides the exit code, whatever was judged before.
fn close_result(
    mut result: RunResult,
    all_played: bool,
    signal: Option<ExitCode>,
) -> (RunResult, ExitCode) {
    if !all_played {
        result.verdict = result.verdict.max(Verdict::Unknown);
    }
    let exit = signal.unwrap_or_else(|| ExitCode::of(result.verdict));
    result.exit_code = exit.number();
    (result, exit)
}

/// Waits until the user wants the run to end.
pub async fn interrupted(interrupt: &mut Interrupt) -> ExitCode {
    let code = interrupt.wait_for(Option::is_some).await.map(|code| *code);
    match code {
        Ok(Some(code)) => code,
        // Nobody can ask any more: then nobody will.
        _ => std::future::pending().await,
    }
}

/// `runs/<UTC time>`; a second run in the same second gets a number.
pub(crate) fn make_run_root(runs: &Path) -> Result<PathBuf, RehearseError> {
    let failed = |path: &Path, source| RehearseError::RunFolder {
        what: "make the run folder",
        path: path.display().to_string(),
        source,
    };
    let runs = std::path::absolute(runs).map_err(|source| failed(runs, source))?;
    std::fs::create_dir_all(&runs).map_err(|source| failed(&runs, source))?;
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H-%M-%SZ")
        .to_string();
    for number in 1..100 {
        let name = if number == 1 {
            now.clone()
        } else {
            format!("{now}-{number}")
        };
        let root = runs.join(name);
        match std::fs::create_dir(&root) {
            Ok(()) => return Ok(root),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(&root, error)),
        }
    }
    Err(failed(
        &runs,
        std::io::Error::other("every name of this second is taken"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_played_is_not_passed_and_a_signal_decides_the_exit() {
        let nothing = || conclude(Vec::new());
        let passed = || RunResult {
            verdict: Verdict::Pass,
            ..nothing()
        };
        assert_eq!(close_result(passed(), true, None).1, ExitCode::Pass);
        assert_eq!(close_result(passed(), false, None).1, ExitCode::Unknown);
        let (result, exit) = close_result(passed(), true, Some(ExitCode::Terminated));
        assert_eq!((result.exit_code, exit), (143, ExitCode::Terminated));
    }
}
