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

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return output::usage(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return output::internal(&format!("start the async runtime: {error}")),
    };
    let outcome = runtime.block_on(commands::run(arguments));
    // Blocking helpers (a Kafka read under way) must not hold up the exit after a signal.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    output::exit(outcome)
}
