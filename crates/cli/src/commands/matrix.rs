//! `cutover matrix`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cutover_model::matrix::Matrix;
use cutover_model::result::RunResult;
use cutover_model::{ExitCode, Failure, RunFolder};
use cutover_rehearse::judge;
use cutover_rehearse::matrix::{MatrixOptions, Planned, Selection, matrix, plan};
use cutover_report::matrix as shown;

use super::{Settings, report};
use crate::args::MatrixArguments;
use crate::output::Outcome;
use crate::signals;

/// Plays the cells and prints the table.
pub async fn run(place: MatrixArguments, settings: Settings) -> Outcome {
    let selection = Selection {
        kinds: place.kinds,
        runbooks: place.runbooks,
        debezium: place.debezium,
        seeds: place.seeds,
    };
    let cells = match plan(&selection) {
        Ok(cells) => cells,
        Err(error) => return error.into(),
    };
    if place.plan_only && settings.json {
        return Outcome::text(plan_json(&cells));
    }
    if place.plan_only {
        let line = |cell: &Planned| {
            format!(
                "{}  {}  {}\n",
                cell.scenario.upgrade.kind, cell.runbook, cell.name
            )
        };
        return Outcome::text(cells.iter().map(line).collect::<String>());
    }
    let interrupt = match signals::listen() {
        Ok(interrupt) => interrupt,
        Err(failure) => return Outcome::Failed(failure),
    };
    let progress = settings.progress();
    let consumer = progress.clone();
    let resume = place.resume.then(|| newest(&place.runs)).flatten();
    if place.resume && resume.is_none() {
        return Outcome::Failed(Failure::new(
            ExitCode::Usage,
            "CLI-MATRIX-001",
            format!("no matrix to go on with in {}", place.runs.display()),
            "run it without --resume, or name its folder with --runs",
        ));
    }
    let options = MatrixOptions {
        cells,
        runs: place.runs,
        resume,
        cutover: version(),
        report: write,
        display: Arc::new(move |event| consumer.consume(event)),
        interrupt,
    };
    let ended = matrix(options).await;
    progress.finish();
    match ended {
        Ok(ended) if settings.json => match shown::to_json(&ended.matrix) {
            Ok(json) => Outcome::Done(json, ended.exit),
            Err(error) => error.into(),
        },
        Ok(ended) => {
            let folder = ended.root.display();
            let table = shown::terminal(&ended.matrix);
            Outcome::Done(
                format!("{table}reports: {folder}/matrix.html\n"),
                ended.exit,
            )
        }
        Err(error) => error.into(),
    }
}

fn plan_json(cells: &[Planned]) -> String {
    let cells = cells.iter().map(|cell| {
        serde_json::json!({
            "kind": cell.scenario.upgrade.kind.to_string(),
            "runbook": cell.runbook,
            "name": cell.name,
        })
    });
    let cells: Vec<_> = cells.collect();
    let object = serde_json::json!({ "format": "cutover.matrix-plan/1", "cells": cells });
    format!("{object:#}")
}

/// The newest folder below `runs` that holds a matrix.
fn newest(runs: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(runs).ok()?;
    let folders = entries.flatten().map(|entry| entry.path());
    let with = folders.filter(|path| RunFolder::at(path).matrix_json().exists());
    let newest = with.max()?;
    std::path::absolute(newest).ok()
}

/// Reports of the whole and of the cell that was played last.
fn write(matrix: &Matrix, folder: &RunFolder) -> Result<(), String> {
    let saved = shown::to_saved(matrix).map_err(|error| error.to_string())?;
    for (path, text) in [
        (folder.matrix_json(), saved),
        (folder.matrix_markdown(), shown::markdown(matrix)),
        (folder.matrix_html(), shown::page(matrix)),
    ] {
        let failed = |error| format!("write {}: {error}", path.display());
        // Whoever is interrupted while writing leaves the table of before.
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, text).map_err(failed)?;
        std::fs::rename(&fresh, &path).map_err(failed)?;
    }
    for cell in &matrix.cells {
        let run = RunFolder::at(&cell.scenario.run_dir);
        if !run.report_html().exists() && run.root().exists() {
            let alone: RunResult = judge::conclude(vec![cell.scenario.clone()]);
            report::write_folder(run.root(), &alone).map_err(|failure| failure.message)?;
        }
    }
    Ok(())
}

/// The version, with the commit where the command runs inside a checkout.
fn version() -> String {
    let name = format!("cutover {}", env!("CARGO_PKG_VERSION"));
    let head = std::fs::read_to_string(".git/HEAD").unwrap_or_default();
    let commit = match head.trim().strip_prefix("ref: ") {
        Some(reference) => std::fs::read_to_string(Path::new(".git").join(reference)).ok(),
        None => Some(head.clone()),
    };
    let commit = commit.unwrap_or_default();
    let short: String = commit.trim().chars().take(12).collect();
    if short.is_empty() {
        name
    } else {
        format!("{name}, commit {short}")
    }
}
