//! Everything that is printed, and the exit code.
//!
//! The rule it protects: a result that could not be printed is an error, never a success and never a panic.

use std::io::Write as _;
use std::process::ExitCode as ProcessExit;

use cutover_model::{Classified, ExitCode, Failure};
use cutover_report::failure::{code_line, failure_json, failure_text};
use cutover_report::text::safe;

use crate::usage;

/// What a command ends with.
#[derive(Debug)]
pub enum Outcome {
    /// Text for stdout and an exit code.
    Done(String, ExitCode),
    /// An error.
    Failed(Failure),
}

impl Outcome {
    /// Text and a code of zero.
    pub fn text(text: impl Into<String>) -> Outcome {
        Outcome::Done(text.into(), ExitCode::Pass)
    }
}

impl<E: Classified> From<E> for Outcome {
    fn from(error: E) -> Outcome {
        Outcome::Failed(Failure::of(&error))
    }
}

/// Prints the outcome; returns the exit code of the process. With `json` an error stands on stdout too.
pub fn exit(outcome: Outcome, json: bool) -> ProcessExit {
    let code = match outcome {
        Outcome::Done(text, code) => match line(&text) {
            Ok(()) => code,
            Err(mut failure) => {
                // What was found stays found, though nobody got it.
                if code != ExitCode::Pass {
                    failure.exit = code;
                }
                told(&failure_text(&failure));
                failure.exit
            }
        },
        Outcome::Failed(failure) => {
            told(&failure_text(&failure));
            if json {
                // Where nobody reads stdout any more, the text on stderr and the exit code are left.
                let _ = line(&failure_json(&failure));
            }
            failure.exit
        }
    };
    ProcessExit::from(code.number())
}

/// Prints what clap has to say. Help and version are no errors.
pub fn usage(error: &clap::Error, json: bool) -> ProcessExit {
    let printed = error.print();
    if !error.use_stderr() {
        return match printed {
            Ok(()) => ProcessExit::from(ExitCode::Pass.number()),
            Err(error) => exit(Outcome::Failed(unwritten(&error)), false),
        };
    }
    let failure = usage::failure(error);
    told(&format!("  {}", code_line(&failure)));
    if json {
        // See `exit`.
        let _ = line(&failure_json(&failure));
    }
    ProcessExit::from(failure.exit.number())
}

/// A line on stdout, or several, at once; nothing for nothing.
///
/// # Errors
/// Nobody reads any more, or what stdout goes to is full. Nothing more can be printed then.
pub fn line(text: &str) -> Result<(), Failure> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.trim_end_matches('\n'))
        .and_then(|()| out.flush())
        .map_err(|error| unwritten(&error))
}

/// A result that nobody got is no success. It is not refused either, which would say that nothing was changed.
fn unwritten(error: &std::io::Error) -> Failure {
    Failure::new(
        ExitCode::Unknown,
        "CLI-OUTPUT-001",
        "write the result to stdout",
        "send the output to a file with room, or to a program that reads all of it",
    )
    .because(error)
}

/// A part of a result that goes on, at once. False if nobody reads any more.
pub fn stream(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// What stands beside the result on stderr.
fn told(text: &str) {
    // Nobody may be listening.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Talk beside the result.
pub fn talk(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{}", safe(text));
}
