//! The reports of a run folder: written where a run ends, and by `cutover report RUN` from any saved one.
//!
//! The names of the files stand in `model::run_folder`. The rule it protects: all reports of a folder come from one
//! result, so that none says something else than another.

use std::path::{Path, PathBuf};

use cutover_model::result::{RunResult, ScenarioResult};
use cutover_model::{ExitCode, Failure, RunFolder, RunStory};
use cutover_rehearse::judge;
use cutover_report::Values;

use super::Settings;
use crate::args::ReportForm;
use crate::output::Outcome;

/// What to make of a saved run folder.
pub struct Wanted<'a> {
    /// Folder of one scenario, or of a whole run.
    pub folder: &'a Path,
    /// Form of the report; without it that of the result on stdout.
    pub form: Option<ReportForm>,
    /// Where to write it; without it, and for `-`, to stdout.
    pub file: Option<PathBuf>,
    /// Keys and revisions are shown.
    pub show_values: bool,
}

/// Makes it.
pub fn run(wanted: &Wanted<'_>, settings: Settings) -> Outcome {
    let folder = std::path::absolute(wanted.folder).unwrap_or_else(|_| wanted.folder.to_owned());
    let made = read(&folder).and_then(|result| {
        let usual = if settings.json {
            ReportForm::Json
        } else {
            ReportForm::Html
        };
        let values = if wanted.show_values {
            Values::Shown
        } else {
            Values::Hidden
        };
        made(&result, (wanted.form.unwrap_or(usual), values), &folder)
    });
    let text = match made {
        Ok(text) => text,
        Err(failure) => return Outcome::Failed(failure),
    };
    let file = wanted
        .file
        .as_deref()
        .filter(|file| *file != Path::new("-"));
    let Some(file) = file else {
        return Outcome::text(text);
    };
    match write(file, &text) {
        Ok(()) if settings.json => super::written_json(file, 1, &[]),
        Ok(()) => Outcome::text(format!("report: {}", file.display())),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn made(
    result: &RunResult,
    (form, values): (ReportForm, Values),
    folder: &Path,
) -> Result<String, Failure> {
    match form {
        ReportForm::Html => Ok(cutover_report::page(
            result,
            &stories(result, folder),
            values,
        )),
        ReportForm::Md => {
            let stories = stories(result, folder);
            Ok(cutover_report::to_markdown(result, &stories, values))
        }
        ReportForm::Json => {
            let stories = stories(result, folder);
            cutover_report::to_json(result, &stories).map_err(|error| Failure::of(&error))
        }
        ReportForm::Junit => {
            cutover_report::to_junit(result, values).map_err(|error| Failure::of(&error))
        }
    }
}

/// Writes every report of a run: of the whole into its folder, of each scenario into the scenario's.
pub fn write_all(root: &Path, result: &RunResult) -> Result<(), Failure> {
    for scenario in &result.scenarios {
        let folder = PathBuf::from(&scenario.run_dir);
        if folder != root {
            write_folder(&folder, &judge::conclude(vec![scenario.clone()]))?;
        }
    }
    write_folder(root, result)
}

/// Writes every report of one folder.
pub fn write_folder(folder: &Path, result: &RunResult) -> Result<(), Failure> {
    let run = RunFolder::at(folder);
    let stories = stories(result, folder);
    let json = cutover_report::to_json(result, &stories).map_err(|error| Failure::of(&error))?;
    let junit = cutover_report::to_junit(result, Values::Hidden);
    let junit = junit.map_err(|error| Failure::of(&error))?;
    let values = Values::Hidden;
    for (path, text) in [
        (run.report_json(), json),
        (run.junit(), junit),
        (
            run.report_markdown(),
            cutover_report::to_markdown(result, &stories, values),
        ),
        (
            run.report_html(),
            cutover_report::page(result, &stories, values),
        ),
    ] {
        write(&path, &text)?;
    }
    Ok(())
}

/// Where people look first.
pub fn pointer(root: &Path) -> String {
    format!("report: {}\n", RunFolder::at(root).report_html().display())
}

/// The stories of a result's scenarios. A run folder that was moved is found below the folder that was named.
fn stories(result: &RunResult, folder: &Path) -> Vec<RunStory> {
    let story = |scenario: &ScenarioResult| {
        let place = place(scenario, folder);
        let scenario = ScenarioResult {
            run_dir: place.display().to_string(),
            ..scenario.clone()
        };
        cutover_ledger::read_story(&RunFolder::at(place), scenario)
    };
    result.scenarios.iter().map(story).collect()
}

fn place(scenario: &ScenarioResult, folder: &Path) -> PathBuf {
    if RunFolder::at(folder).manifest().exists() {
        return folder.to_owned();
    }
    let noted = Path::new(&scenario.run_dir);
    let below = noted.file_name().map(|name| folder.join(name));
    let below = below.filter(|below| RunFolder::at(below).manifest().exists());
    below.unwrap_or_else(|| noted.to_owned())
}

/// The saved result as it stands there.
pub fn saved(folder: &Path) -> Result<String, Failure> {
    let path = RunFolder::at(folder).report_json();
    std::fs::read_to_string(&path).map_err(|error| unread(folder, "read").because(error))
}

fn read(folder: &Path) -> Result<RunResult, Failure> {
    let text = saved(folder)?;
    serde_json::from_str(&text)
        .map_err(|error| unread(folder, "take for a result of cutover").because(error))
}

fn unread(folder: &Path, doing: &str) -> Failure {
    let path = RunFolder::at(folder).report_json();
    Failure::new(
        ExitCode::Usage,
        "RUN-FOLDER-002",
        format!("{doing} {}", path.display()),
        format!(
            "let `cutover verify {}` judge the folder, which writes its reports; or name another",
            folder.display()
        ),
    )
}

/// Writes beside, then renames: whoever is interrupted leaves the report of before. What is there and is no file (a
/// device, a pipe) is written into: a rename would put a file in its place.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let into = std::fs::metadata(path).is_ok_and(|there| !there.is_file());
    let written = if into {
        std::fs::write(path, text)
    } else {
        let mut fresh = path.as_os_str().to_owned();
        fresh.push(".new");
        let fresh = PathBuf::from(fresh);
        std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, path))
    };
    written.map_err(|error| {
        Failure::new(
            ExitCode::of_io(&error),
            "CLI-REPORT-001",
            format!("write {}", path.display()),
            "make room there or name another file; `cutover report` writes it again",
        )
        .because(error)
    })
}
