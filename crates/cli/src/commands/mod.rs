//! One file per command. A command takes its arguments apart, calls the crate that does the work, and returns
//! what is to be printed.

mod bench;
mod compare;
mod config;
mod connector;
mod doctor;
mod existing;
mod explain;
mod gap;
mod generate;
mod init;
mod lab;
mod lab_config;
mod lint;
mod manual;
mod matrix;
mod predict;
mod rehearse;
mod report;
mod setup;
mod verify;
mod watch;

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cutover_model::event::{EVENT_FORMAT, EventSink, RunEvent};
use cutover_report::{Look, Progress};

use crate::args::{Arguments, Command};
use crate::output::Outcome;
use crate::signals::{or_ended, or_signal};

/// Runs the command.
pub async fn run(arguments: Arguments) -> Outcome {
    let settings = Settings::of(&arguments);
    match arguments.command {
        Command::Rehearse {
            scenarios,
            plan_only,
            seed,
            runs,
        } => match plan_only {
            true => rehearse::plan_only(&scenarios, settings),
            false => rehearse::run(&scenarios, seed, runs, settings).await,
        },
        Command::Matrix(arguments) => matrix::run(arguments, settings).await,
        Command::Record(arguments) => existing::run(&arguments, settings).await,
        Command::Verify(what) => verify::run(&what, settings).await,
        Command::Report {
            run,
            format,
            file,
            show_values,
        } => {
            let wanted = report::Wanted {
                folder: &run,
                form: format,
                file,
                show_values,
            };
            report::run(&wanted, settings)
        }
        Command::Explain { code } => explain::run(&code, settings),
        Command::Bench { what } => bench::run(what, settings).await,
        Command::Predict(from) => or_ended(predict::run(from, settings)).await,
        Command::Lint {
            config,
            debezium,
            to,
        } => lint::run(&config, &debezium, to.as_deref(), settings),
        Command::Compare(what) => or_ended(compare::run(what, settings)).await,
        Command::Gap { action } => or_ended(gap::run(action, settings)).await,
        Command::Lab { action } => lab::run(action, settings).await,
        Command::Connector { action } => or_ended(connector::run(action, settings)).await,
        Command::Doctor(one) => or_ended(doctor::run(&one, settings)).await,
        Command::Watch(arguments) => match or_signal(watch::run(&arguments, settings)).await {
            Ok(outcome) => outcome,
            Err(code) => Outcome::Done(String::new(), code),
        },
        Command::Setup(arguments) => or_ended(setup::run(&arguments, settings)).await,
        Command::Generate(arguments) => generate::run(&arguments, settings).await,
        Command::Init(arguments) => or_ended(init::run(&arguments, settings)).await,
        Command::Config { action } => config::run(action, settings),
        Command::Completions { shell } => manual::completions(shell, settings),
        Command::Man { dir } => manual::pages(&dir, settings),
    }
}

/// How results and progress are shown.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// One JSON object on stdout instead of text.
    pub json: bool,
    /// No progress.
    pub quiet: bool,
}

impl Settings {
    fn of(arguments: &Arguments) -> Settings {
        Settings {
            json: arguments.output == crate::args::Output::Json,
            quiet: arguments.quiet,
        }
    }
}

impl Settings {
    /// Look of the result on stdout.
    fn result_look(self) -> Look {
        Look::decide(std::io::stdout().is_terminal(), self.quiet, variable)
    }

    /// Progress on stderr as a consumer of events.
    fn progress(self) -> SharedProgress {
        let look = Look::decide(std::io::stderr().is_terminal(), self.quiet, variable);
        SharedProgress(Arc::new(Mutex::new(Progress::on_stderr(look))))
    }
}

/// What was written, where, and what of it somebody has to fill in, as one object.
fn written_json(path: &Path, files: usize, to_fill_in: &[String]) -> Outcome {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let object = serde_json::json!({
        "format": "cutover.written/1",
        "path": path.display().to_string(),
        "files": files,
        "to_fill_in": to_fill_in,
    });
    Outcome::text(format!("{object:#}"))
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Progress that several producers share.
#[derive(Clone)]
struct SharedProgress(Arc<Mutex<Progress>>);

impl SharedProgress {
    /// As a consumer of what is not written down: its events have numbers and no time.
    fn sink(&self) -> EventSink {
        let progress = self.clone();
        let index = AtomicU64::new(0);
        EventSink::new(move |kind| {
            progress.consume(&RunEvent {
                format: EVENT_FORMAT.into(),
                index: index.fetch_add(1, Ordering::Relaxed) + 1,
                time: String::new(),
                scenario: None,
                kind,
            });
        })
    }

    fn consume(&self, event: &RunEvent) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .consume(event);
    }

    fn finish(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .finish();
    }
}
