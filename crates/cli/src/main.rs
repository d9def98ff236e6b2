//! The binary: reads arguments, runs one command, prints its result, exits with its code.
//!
//! Results go to stdout, talk to stderr. Every error arrives here as one `Failure` and is printed once:
//! what failed, the next thing to do, the stable code.

mod args;
mod commands;
mod config;
#[cfg(test)]
mod documents;
mod output;
mod signals;
mod spool;
mod terminal;
mod usage;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;
use cutover_model::Failure;

use crate::output::Outcome;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error, usage::asks_for_json(std::env::args_os())),
    };
    let json = arguments.output == args::Output::Json;
    output::exit(ran(arguments), json)
}

/// Runs the command to its end, whatever becomes of it.
fn ran(arguments: args::Arguments) -> Outcome {
    let build = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
    };
    let runtime = match catch_unwind(build) {
        Ok(Ok(runtime)) => runtime,
        Ok(Err(error)) => return Outcome::Failed(signals::unavailable(START, &error)),
        Err(panic) => return Outcome::Failed(of_panic(panic.as_ref())),
    };
    let running = || runtime.block_on(commands::run(arguments));
    let outcome = catch_unwind(AssertUnwindSafe(running))
        .unwrap_or_else(|panic| Outcome::Failed(of_panic(panic.as_ref())));
    // Blocking helpers (a Kafka read under way) must not hold up the exit after a signal.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    outcome
}

const START: &str = "start the async runtime";

/// What the runtime panics with where the system gives it no thread; it has no other way to say so.
const NO_THREAD: &str = "OS can't spawn worker thread: ";

/// A panic is a defect, which exit code 1 is for, but for one. Its place in the sources stands on stderr already.
fn of_panic(panic: &(dyn Any + Send)) -> Failure {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let text = text.unwrap_or("without a word");
    match text.strip_prefix(NO_THREAD) {
        Some(why) => signals::unavailable(START, &std::io::Error::other(why)),
        None => Failure::defect("the command panicked").because(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_defect_but_where_there_is_no_thread() {
        let of = |panic: Box<dyn Any + Send>| of_panic(panic.as_ref());
        let defect = of(Box::new("index out of bounds"));
        assert_eq!(defect.exit, cutover_model::ExitCode::Internal);
        assert_eq!(defect.causes, ["index out of bounds"]);
        let none = of(Box::new(format!(
            "{NO_THREAD}Resource temporarily unavailable"
        )));
        assert_eq!(none.code, "CLI-SYSTEM-001");
        assert_eq!(none.exit, cutover_model::ExitCode::Refused);
    }
}
