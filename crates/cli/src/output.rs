//! Everything that is printed, and the exit code.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this file is the program's voice"
)]

use std::io::Write as _;
use std::process::ExitCode as ProcessExit;

use cutover_model::{Classified, ExitCode, Failure};
use cutover_report::text::safe;

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

/// Prints the outcome; returns the exit code of the process.
pub fn exit(outcome: Outcome) -> ProcessExit {
    match outcome {
        Outcome::Done(text, code) => {
            if !text.is_empty() {
                println!("{}", text.trim_end_matches('\n'));
            }
            ProcessExit::from(code.number())
        }
        Outcome::Failed(failure) => {
            eprintln!("error: {}", safe_lines(&failure.message));
            if let Some(remedy) = &failure.remedy {
                eprintln!("  try: {}", safe_lines(remedy));
            }
            eprintln!("  code: {} (exit {})", failure.code, failure.exit.number());
            ProcessExit::from(failure.exit.number())
        }
    }
}

fn safe_lines(text: &str) -> String {
    text.lines().map(safe).collect::<Vec<_>>().join("\n  ")
}

/// Prints what clap has to say. Help and version are no errors.
pub fn usage(error: &clap::Error) -> ProcessExit {
    // The message may not reach a closed terminal; there is nobody left to tell.
    let _ = error.print();
    let code = if error.use_stderr() {
        ExitCode::Usage
    } else {
        ExitCode::Pass
    };
    ProcessExit::from(code.number())
}

/// A defect of ours.
pub fn internal(message: &str) -> ProcessExit {
    eprintln!("error: {message}");
    ProcessExit::from(ExitCode::Internal.number())
}

/// One line on stdout before the command has ended.
pub fn line(text: &str) {
    println!("{}", text.trim_end_matches('\n'));
}

/// A part of a result that goes on, at once. False if nobody reads any more.
pub fn stream(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .is_ok()
}

/// Talk beside the result.
pub fn talk(text: &str) {
    // Nobody may be listening.
    let _ = writeln!(std::io::stderr(), "{}", safe(text));
}
