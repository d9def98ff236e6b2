//! Ctrl-C and SIGTERM as a value that a command can wait for.

use cutover_model::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Starts to listen. The value changes once, to the exit code that the signal asks for.
pub fn listen() -> std::io::Result<watch::Receiver<Option<ExitCode>>> {
    let (sender, receiver) = watch::channel(None);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        let code = tokio::select! {
            _ = interrupt.recv() => ExitCode::Interrupted,
            _ = terminate.recv() => ExitCode::Terminated,
            _ = hangup.recv() => ExitCode::Terminated,
        };
        let _ = sender.send(Some(code));
        // Kept open: a closed channel would read as "no signal can come any more".
        sender.closed().await;
    });
    Ok(receiver)
}
