//! Ctrl-C and SIGTERM as a value that a command can wait for.

use cutover_model::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Starts to listen. The value changes once, to the exit code that the signal asks for; a second signal ends
/// the process at once.
pub fn listen() -> std::io::Result<watch::Receiver<Option<ExitCode>>> {
    let (sender, receiver) = watch::channel(None);
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
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
        #[expect(clippy::exit, reason = "an orderly end was asked for once already")]
        std::process::exit(i32::from(code.number()));
    });
    Ok(receiver)
}
