//! `cutover generate`: the load of the rehearsals against any PostgreSQL, in the foreground.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use cutover_model::{ExitCode, Failure};
use cutover_rehearse::generate::{Copies, Generated, Request, Wish, generate};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::Settings;
use crate::args::{GenerateArgs, Profile};
use crate::config;
use crate::output::Outcome;
use crate::signals;

/// Writes, and says what became of it.
pub async fn run(arguments: &GenerateArgs, settings: Settings) -> Outcome {
    let systems = match config::load(&arguments.systems.said(None)) {
        Ok(systems) => systems,
        Err(failure) => return Outcome::Failed(failure),
    };
    let server = match systems.need_postgres() {
        Ok(server) => server.clone(),
        Err(failure) => return Outcome::Failed(failure),
    };
    // Without a folder to keep it in, the ledger goes with the command.
    let folder = match tempfile::Builder::new()
        .prefix("cutover-generate-")
        .tempdir()
    {
        Ok(folder) => folder,
        Err(error) => return Outcome::Failed(no_folder(&error)),
    };
    let ledger = arguments.ledger.clone();
    let request = Request {
        server,
        make_tables: arguments.make_tables,
        seed: arguments.seed,
        sessions: arguments.sessions,
        rate: arguments.rate,
        copies: match arguments.profile {
            Profile::Mixed => None,
            Profile::Copies => Some(Copies::Narrow),
            Profile::WideCopies => Some(Copies::Wide),
        },
        length: arguments.duration.map(Duration::from_secs),
        ledger: ledger.unwrap_or_else(|| folder.path().join("attempted")),
    };
    let (mut interrupt, mut wishes) = match (signals::listen(), wishes()) {
        (Ok(interrupt), Ok(wishes)) => (interrupt, wishes),
        (Err(failure), _) | (_, Err(failure)) => return Outcome::Failed(failure),
    };
    let progress = settings.progress();
    let events = progress.sink();
    let ended = generate(request, (&mut interrupt, &mut wishes), &events).await;
    progress.finish();
    match ended {
        Ok(generated) => told(&generated, arguments, settings),
        Err(error) => error.into(),
    }
}

fn no_folder(error: &std::io::Error) -> Failure {
    Failure::new(
        ExitCode::Refused,
        "CLI-TEMP-001",
        format!(
            "make a folder for the ledger in {}",
            std::env::temp_dir().display()
        ),
        "set TMPDIR to a folder that can be written to and has room",
    )
    .because(error)
}

/// SIGUSR1 and SIGUSR2 as wishes.
fn wishes() -> Result<mpsc::Receiver<Wish>, Failure> {
    let (sender, receiver) = mpsc::channel(8);
    let listen = |kind: SignalKind, wish: Wish| -> Result<(), Failure> {
        let heard = signal(kind);
        let heard = heard.map_err(|error| signals::unavailable("listen for signals", &error))?;
        let (mut heard, sender): (Signal, _) = (heard, sender.clone());
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                if sender.send(wish).await.is_err() {
                    return;
                }
            }
        });
        Ok(())
    };
    listen(SignalKind::user_defined1(), Wish::Pause)?;
    listen(SignalKind::user_defined2(), Wish::Resume)?;
    Ok(receiver)
}

fn told(generated: &Generated, arguments: &GenerateArgs, settings: Settings) -> Outcome {
    let exit = generated.signal.unwrap_or(ExitCode::Pass);
    let end = &generated.end;
    let stats = &end.stats;
    let ledger = arguments.ledger.as_ref().map(|folder| shown(folder));
    if settings.json {
        let windows: Vec<_> = end
            .windows
            .iter()
            .map(|window| {
                json!({
                    "from_ms": window.from_ms, "seconds": window.seconds,
                    "refusals": window.refusals, "ended": window.ended,
                })
            })
            .collect();
        let object = json!({
            "format": "cutover.generate/1",
            "profile": arguments.profile.name(),
            "seed": arguments.seed,
            "sessions": arguments.sessions,
            "rate": arguments.rate,
            "seconds": generated.length.as_secs_f64(),
            "committed_transactions": stats.committed_transactions,
            "failed_transactions": stats.failed_transactions,
            "unknown_transactions": stats.unknown_transactions,
            "attempted_changes": stats.attempted_changes,
            "committed_changes": stats.committed_changes,
            "refused": stats.refused,
            "refused_write_seconds": end.refused_write_seconds,
            "windows": windows,
            "servers": generated.servers.len(),
            "ledger": ledger,
            "ended_by_signal": generated.signal.is_some(),
        });
        return Outcome::Done(format!("{object:#}"), exit);
    }
    let mut text = format!(
        "{} transactions committed in {:.1} s, {} rolled back, {} of unknown outcome\n\
         {} changes tried, {} committed\n",
        stats.committed_transactions,
        generated.length.as_secs_f64(),
        stats.failed_transactions,
        stats.unknown_transactions,
        stats.attempted_changes,
        stats.committed_changes,
    );
    if stats.refused > 0 {
        let _ = writeln!(
            text,
            "{} tries refused; the longest time without a commit: {:.1} s",
            stats.refused, end.refused_write_seconds
        );
    }
    if let Some(ledger) = ledger {
        let _ = writeln!(text, "ledger: {ledger}, {} rows", end.ledger_rows);
    }
    Outcome::Done(text, exit)
}

fn shown(folder: &std::path::Path) -> String {
    let whole = std::path::absolute(folder).unwrap_or_else(|_| PathBuf::from(folder));
    whole.display().to_string()
}
