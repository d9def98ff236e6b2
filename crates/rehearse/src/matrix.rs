//! `matrix`: every scenario as a cell, several on one stack where only the databases differ, each with a run folder
//! of its own, and what was predicted beside what was measured.
//!
//! After each cell `matrix.json` is written anew, so that a matrix that was broken off goes on where it stopped. The
//! rule it protects: a cell that was not played is not in the table, and the whole is `unknown` until all are.

use std::path::{Path, PathBuf};
use std::time::Instant;

use cutover_lab::Home;
use cutover_model::matrix::{MATRIX_FORMAT, Matrix, MatrixCell, cell_name, measured};
use cutover_model::plan::RunbookClass;
use cutover_model::{ExitCode, Failure, RunFolder, Verdict};
use cutover_upgrade::strategies;

use crate::error::RehearseError;
use crate::event_log::{Display, EventLog};
use crate::judge::unjudged;
use crate::lock::RunLock;
use crate::machine;
use crate::roster::Roster;
use crate::runner::{Interrupt, interrupted, make_run_root};
use crate::scenario::{self, Scenario};
use crate::scene::{Cast, Scene};
use crate::stage::Stage;

/// Which cells.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Upgrade kinds; empty: all.
    pub kinds: Vec<String>,
    /// `proven`, `baseline`, or names of baselines; empty: all.
    pub runbooks: Vec<String>,
    /// Debezium versions instead of the scenarios' own; empty: their own.
    pub debezium: Vec<String>,
    /// Seeds instead of the scenarios' own; empty: their own.
    pub seeds: Vec<u64>,
}

/// A cell to play.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What is rehearsed, with the versions of this cell.
    pub scenario: Scenario,
    /// `proven`, or the name of the baseline.
    pub runbook: String,
    /// Seed.
    pub seed: u64,
    /// Name of the cell.
    pub name: String,
}

/// What to do.
pub struct MatrixOptions {
    /// Cells.
    pub cells: Vec<Planned>,
    /// Folder for run folders.
    pub runs: PathBuf,
    /// A matrix to go on with.
    pub resume: Option<PathBuf>,
    /// What built and runs this, for the reader of the table.
    pub cutover: String,
    /// Called after each cell, with the table so far: writes the reports.
    pub report: fn(&Matrix, &RunFolder) -> Result<(), String>,
    /// Shows events.
    pub display: Display,
    /// The user's wish to stop.
    pub interrupt: Interrupt,
}

/// How a matrix ended.
#[derive(Debug)]
pub struct MatrixEnded {
    /// The table.
    pub matrix: Matrix,
    /// Its exit code, or that of the signal.
    pub exit: ExitCode,
    /// Its folder.
    pub root: PathBuf,
}

/// The cells of a selection, in display order. A kind, runbook or version that selects nothing is refused: a table
/// that lacks what was asked for would be read as complete.
pub fn plan(selection: &Selection) -> Result<Vec<Planned>, RehearseError> {
    let mut scenarios = Vec::new();
    for shipped in scenario::ALL {
        scenarios.push(scenario::find(shipped.name)?);
    }
    for kind in &selection.kinds {
        let known = scenarios
            .iter()
            .map(|scenario| scenario.upgrade.kind.as_str());
        known_word("kind", kind, known)?;
    }
    for runbook in &selection.runbooks {
        let labels: Vec<String> = scenarios.iter().map(label).collect();
        let classes = ["proven", "baseline"].into_iter();
        known_word(
            "runbook",
            runbook,
            classes.chain(labels.iter().map(String::as_str)),
        )?;
    }
    let mut cells = Vec::new();
    for scenario in scenarios {
        let runbook = label(&scenario);
        let class = if runbook == "proven" {
            "proven"
        } else {
            "baseline"
        };
        let kinds = &selection.kinds;
        let runbooks = &selection.runbooks;
        let wanted = (kinds.is_empty() || kinds.contains(&scenario.upgrade.kind))
            && (runbooks.is_empty()
                || runbooks.contains(&runbook)
                || runbooks.iter().any(|name| name == class));
        if wanted {
            cells.extend(variants(&scenario, &runbook, selection));
        }
    }
    if cells.is_empty() {
        return Err(RehearseError::Load("the selection holds no cell".into()));
    }
    Ok(cells)
}

fn variants(scenario: &Scenario, runbook: &str, selection: &Selection) -> Vec<Planned> {
    let own = [scenario.stack.debezium.clone()];
    // Another Debezium is for the current stack; the stack of an old one stays as it is.
    let given = !selection.debezium.is_empty() && scenario.stack.kafka == CURRENT_KAFKA;
    let versions = if given {
        &selection.debezium[..]
    } else {
        &own[..]
    };
    let own_seed = [scenario.load.seed];
    let seeds = if selection.seeds.is_empty() {
        &own_seed[..]
    } else {
        &selection.seeds[..]
    };
    let mut cells = Vec::new();
    for version in versions {
        for seed in seeds {
            let mut scenario = scenario.clone();
            scenario.stack.debezium.clone_from(version);
            cells.push(Planned {
                name: cell_name(&scenario.name, version, *seed),
                scenario,
                runbook: runbook.to_owned(),
                seed: *seed,
            });
        }
    }
    cells
}

/// Kafka of the current stack.
const CURRENT_KAFKA: &str = "4.3.1";

/// `proven`, or the name of the baseline.
pub(crate) fn label(scenario: &Scenario) -> String {
    let back = scenario.upgrade.back.as_deref();
    let decisive = back.unwrap_or(&scenario.upgrade.runbook);
    let class = strategies::by_name(decisive).map(|strategy| strategy.class);
    if class == Some(RunbookClass::Proven) {
        "proven".into()
    } else {
        decisive.to_owned()
    }
}

fn known_word<'a>(
    what: &str,
    word: &str,
    known: impl Iterator<Item = &'a str>,
) -> Result<(), RehearseError> {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    if known.contains(&word) {
        return Ok(());
    }
    Err(RehearseError::UnknownScenario {
        name: format!("{what} {word}"),
        nearest: scenario::nearest(word, known.iter().copied()),
        known: known.into_iter().map(str::to_owned).collect(),
    })
}

/// Plays the cells.
pub async fn matrix(options: MatrixOptions) -> Result<MatrixEnded, RehearseError> {
    let home = Home::locate(None, None)?;
    let _lock = RunLock::take(&home.state().join("rehearse.lock"))?;
    let (root, done) = match &options.resume {
        Some(root) => (root.clone(), read(root)?),
        None => (make_run_root(&options.runs)?, Vec::new()),
    };
    let mut table = Table {
        options: &options,
        root: RunFolder::at(&root),
        cells: done,
        exit: None,
    };
    table.write()?;
    let mut left: Vec<&Planned> = options
        .cells
        .iter()
        .filter(|cell| !table.cells.iter().any(|done| done.name() == cell.name))
        .collect();
    while let Some(first) = left.first() {
        let first = (*first).clone();
        let (group, others): (Vec<&Planned>, Vec<&Planned>) = left
            .iter()
            .partition(|cell| cell.name == first.name || share(&first.scenario, &cell.scenario));
        left = others;
        table.play(&home, &group).await?;
        if table.exit.is_some() {
            break;
        }
    }
    let matrix = table.matrix();
    let exit = table.exit.unwrap_or_else(|| ExitCode::of(matrix.verdict));
    Ok(MatrixEnded { matrix, exit, root })
}

/// Whether two cells may run on one broker and worker. A shipped configuration has its names in the file: a second
/// stream of these names would go on where the first ended.
fn share(one: &Scenario, other: &Scenario) -> bool {
    one.stack.kafka == other.stack.kafka
        && one.stack.debezium == other.stack.debezium
        && one.connector.exactly_once == other.connector.exactly_once
        && one.connector.config.is_none()
        && other.connector.config.is_none()
}

/// Cells that were played before.
fn read(root: &Path) -> Result<Vec<MatrixCell>, RehearseError> {
    let path = RunFolder::at(root).matrix_json();
    let bad = |reason: String| RehearseError::RunFolder {
        what: "read the matrix",
        path: path.display().to_string(),
        source: std::io::Error::other(reason),
    };
    let text = std::fs::read_to_string(&path).map_err(|error| bad(error.to_string()))?;
    let matrix: Matrix = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    if matrix.format != MATRIX_FORMAT {
        return Err(bad(format!(
            "format {} is not {MATRIX_FORMAT}",
            matrix.format
        )));
    }
    // Whatever did not end as expected and predicted is played again: its cause may have been mended.
    Ok(matrix.cells.into_iter().filter(MatrixCell::good).collect())
}

/// The table under construction.
struct Table<'a> {
    options: &'a MatrixOptions,
    root: RunFolder,
    cells: Vec<MatrixCell>,
    exit: Option<ExitCode>,
}

impl Table<'_> {
    /// Plays the cells of one stack.
    async fn play(&mut self, home: &Home, group: &[&Planned]) -> Result<(), RehearseError> {
        let display = self.options.display.clone();
        let label = format!("lab-{}", self.cells.len());
        let folder = self.root.root().join(label);
        std::fs::create_dir_all(&folder).map_err(|source| RehearseError::RunFolder {
            what: "make",
            path: folder.display().to_string(),
            source,
        })?;
        let log = EventLog::create(&RunFolder::at(&folder).events(), "lab", display.clone())?;
        let roster = Roster::default();
        let scenarios: Vec<Scenario> = group.iter().map(|cell| cell.scenario.clone()).collect();
        let mut interrupt = self.options.interrupt.clone();
        let opened = tokio::select! {
            stage = Stage::open(home.clone(), &folder, &scenarios, (&log, &roster)) => stage,
            code = interrupted(&mut interrupt) => {
                self.exit = Some(code);
                return Ok(());
            }
        };
        let mut stage = opened?;
        for cell in group {
            let played = self.cell(cell, &mut stage, &mut interrupt).await;
            if let Err(error) = played {
                stage.close().await?;
                return Err(error);
            }
            if self.exit.is_some() {
                break;
            }
        }
        stage.close().await?;
        Ok(())
    }

    async fn cell(
        &mut self,
        cell: &Planned,
        stage: &mut Stage,
        interrupt: &mut Interrupt,
    ) -> Result<(), RehearseError> {
        let begun = Instant::now();
        let root = self.root.root().to_owned();
        let folder = root.join(&cell.name);
        if folder.exists() {
            // It was played before and is played again: what it left is no part of the new run.
            std::fs::remove_dir_all(&folder).map_err(|source| RehearseError::RunFolder {
                what: "clear",
                path: folder.display().to_string(),
                source,
            })?;
        }
        let cast = Cast {
            scenario: &cell.scenario,
            label: &cell.name,
            seed: cell.seed,
            root: &root,
            display: &self.options.display,
        };
        let result = match Scene::prepare(cast)?.play(stage, interrupt).await {
            // A cell that was broken off says nothing.
            Ok(played) if played.signal.is_some() => {
                self.exit = played.signal;
                return Ok(());
            }
            Ok(played) => played.result,
            // Its servers could not even be made; the others may.
            Err(error) => {
                let run = RunFolder::at(root.join(&cell.name));
                let manifest = cutover_ledger::read_manifest(&run)?;
                unjudged(&run, manifest, &Failure::of(&error).message)
            }
        };
        let outcome = result
            .prediction
            .as_ref()
            .map(|known| known.outcome.to_string());
        let predicted = outcome.unwrap_or_default();
        let measured = measured(&result).to_owned();
        self.cells.push(MatrixCell {
            kind: cell.scenario.upgrade.kind.clone(),
            runbook: cell.runbook.clone(),
            debezium: cell.scenario.stack.debezium.clone(),
            kafka: cell.scenario.stack.kafka.clone(),
            seed: cell.seed,
            prediction_right: predicted == measured,
            predicted,
            measured,
            seconds: begun.elapsed().as_secs_f64(),
            scenario: result,
        });
        self.write()
    }

    fn matrix(&self) -> Matrix {
        let cell = |cell: &MatrixCell| match (cell.good(), cell.prediction_right) {
            (true, _) => Verdict::Pass,
            (false, false) if cell.scenario.verdict != Verdict::Unknown => Verdict::Fail,
            (false, _) => cell.scenario.verdict.max(Verdict::Unknown),
        };
        let worst = self.cells.iter().map(cell).max();
        let complete = self.cells.len() >= self.options.cells.len() && !self.cells.is_empty();
        let floor = if complete {
            Verdict::Pass
        } else {
            Verdict::Unknown
        };
        let verdict = worst.unwrap_or(Verdict::Unknown).max(floor);
        let place = |cell: &MatrixCell| {
            let name = cell.name();
            let known = self
                .options
                .cells
                .iter()
                .position(|planned| planned.name == name);
            known.unwrap_or(usize::MAX)
        };
        let mut cells = self.cells.clone();
        cells.sort_by_key(place);
        Matrix {
            format: MATRIX_FORMAT.into(),
            verdict,
            exit_code: ExitCode::of(verdict).number(),
            machine: machine::describe(),
            cutover: self.options.cutover.clone(),
            planned: self.options.cells.len(),
            seconds: cells.iter().map(|cell| cell.seconds).sum(),
            cells,
        }
    }

    fn write(&self) -> Result<(), RehearseError> {
        let matrix = self.matrix();
        (self.options.report)(&matrix, &self.root).map_err(RehearseError::Load)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_proven_runbook_and_every_cell_a_name_of_its_own() {
        let cells = plan(&Selection::default()).unwrap();
        let mut names: Vec<&str> = cells.iter().map(|cell| cell.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), cells.len());
        for cell in &cells {
            let kind = &cell.scenario.upgrade.kind;
            let proven = cells
                .iter()
                .any(|other| other.scenario.upgrade.kind == *kind && other.runbook == "proven");
            assert!(proven, "{kind}");
        }
    }

    #[test]
    fn a_selection_of_nothing_is_refused_with_the_nearest_word() {
        let selection = Selection {
            kinds: vec!["pg-upgrade-16-81".into()],
            ..Selection::default()
        };
        let error = plan(&selection).unwrap_err().to_string();
        assert!(error.contains("pg-upgrade-16-18"), "{error}");
    }

    #[test]
    fn versions_and_seeds_multiply() {
        let selection = Selection {
            kinds: vec!["restart".into()],
            runbooks: vec!["proven".into()],
            debezium: vec!["3.6.3".into(), "3.7.0".into()],
            seeds: vec![1, 2, 3],
        };
        assert_eq!(plan(&selection).unwrap().len(), 6);
    }
}
