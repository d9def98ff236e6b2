//! Ctrl-C and SIGTERM as a value that a command can wait for, and as the end of one that has nothing to put in order.

use std::future::Future;

use cutover_model::{ExitCode, Failure};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::output::Outcome;
use crate::terminal;

/// Starts to listen. The value changes once, to the exit code that the signal asks for; a second signal ends
/// the process at once.
///
/// # Errors
/// The operating system lets nobody listen.
pub fn listen() -> Result<watch::Receiver<Option<ExitCode>>, Failure> {
    let (sender, receiver) = watch::channel(None);
    let heard = |kind| signal(kind).map_err(|error| unavailable("listen for signals", &error));
    let mut interrupt = heard(SignalKind::interrupt())?;
    let mut terminate = heard(SignalKind::terminate())?;
    let mut hangup = heard(SignalKind::hangup())?;
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => ExitCode::Interrupted,
                _ = terminate.recv() => ExitCode::Terminated,
                _ = hangup.recv() => ExitCode::Terminated,
            }
        };
        let _ = sender.send(Some(next().await));
        // Whoever asks twice does not want to wait: the kernel ends our children when we are gone.
        let code = next().await;
        terminal::give_back();
        #[expect(clippy::exit, reason = "an orderly end was asked for once already")]
        std::process::exit(i32::from(code.number()));
    });
    Ok(receiver)
}

/// The operating system does not give what every command needs.
pub fn unavailable(what: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        ExitCode::Refused,
        "CLI-SYSTEM-001",
        what,
        "end processes that are not needed or raise the limits (ulimit -u, ulimit -n), then try again",
    )
    .because(error)
}

/// Runs a command that may be broken off wherever it waits, as long as it waits: what holds its thread is not.
/// A signal ends it with its exit code, and says that it is not done.
pub async fn or_ended(command: impl Future<Output = Outcome>) -> Outcome {
    match or_signal(command).await {
        Ok(outcome) => outcome,
        Err(code) => Outcome::Failed(Failure::new(
            code,
            "CLI-ENDED-001",
            "ended by a signal before it was done",
            "call it again; what was to change something may have done a part of it, so look first \
             (`cutover connector status`, `cutover connector offsets show`, `cutover gap show RUN`)",
        )),
    }
}

/// The same of a command whose usual end is a signal: its exit code, if one came.
pub async fn or_signal(command: impl Future<Output = Outcome>) -> Result<Outcome, ExitCode> {
    let mut signal = match listen() {
        Ok(signal) => signal,
        Err(failure) => return Ok(Outcome::Failed(failure)),
    };
    tokio::select! {
        biased;
        // What is done is told, whatever came in the same moment.
        outcome = command => Ok(outcome),
        _ = signal.changed() => Err(signal.borrow().unwrap_or(ExitCode::Interrupted)),
    }
}
