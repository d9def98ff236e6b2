//! `cutover record`, and `cutover verify` without a run folder: a stream that was there before.
//!
//! Looks only. What is recorded lies in a run folder like any other, so that judging it needs no server.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cutover_clients::kafka::Isolation;
use cutover_model::{ExitCode, Failure};
use cutover_rehearse::existing::{Recorded, Request, record};
use cutover_upgrade::observe::Subject;

use super::{Settings, setup};
use crate::args::{ExistingArgs, Isolated};
use crate::config;
use crate::output::Outcome;
use crate::signals;

/// Records, and says where.
pub async fn run(arguments: &ExistingArgs, settings: Settings) -> Outcome {
    let recorded = match recorded(arguments, settings).await {
        Ok(recorded) => recorded,
        Err(failure) => return Outcome::Failed(failure),
    };
    let folder = recorded.root.display().to_string();
    let exit = recorded.signal.unwrap_or(ExitCode::Pass);
    if settings.json {
        let object = serde_json::json!({
            "format": "cutover.recording/1", "run_dir": folder, "whole": recorded.signal.is_none(),
        });
        return Outcome::Done(format!("{object:#}"), exit);
    }
    let whole = match recorded.signal {
        None => format!("recorded: {folder}\njudge it: cutover verify {folder}"),
        Some(_) => format!("recorded in part, until it was ended: {folder}"),
    };
    Outcome::Done(whole, exit)
}

/// Records the stream that arguments and configuration describe.
///
/// # Errors
/// Something is not said, or a system cannot be reached or refuses.
pub async fn recorded(arguments: &ExistingArgs, settings: Settings) -> Result<Recorded, Failure> {
    let subject = subject(arguments)?;
    let mut interrupt = signals::listen()?;
    let progress = settings.progress();
    let consumer = progress.clone();
    let request = Request {
        subject: &subject,
        witness: arguments.witness.map(Duration::from_secs),
        runs: Path::new(&arguments.runs),
        repeat: repeat(arguments, subject.connector.as_deref()),
        display: Arc::new(move |event| consumer.consume(event)),
    };
    let ended = record(&request, &mut interrupt).await;
    progress.finish();
    ended.map_err(|error| Failure::of(&error))
}

/// The command again, as far as it may be written down: addresses stand in the configuration.
fn repeat(arguments: &ExistingArgs, connector: Option<&str>) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut words = vec!["cutover verify".to_owned()];
    words.extend(connector.map(|name| format!("--connector {}", quoted(name))));
    let tables = arguments.tables.iter();
    words.extend(tables.map(|table| format!("--table {}", quoted(table))));
    words.extend(
        arguments
            .witness
            .map(|seconds| format!("--witness={seconds}")),
    );
    if isolation(arguments) != Isolation::default() {
        words.push(format!("--isolation {}", isolation(arguments).word()));
    }
    words.extend(arguments.allow_reread.then(|| "--allow-reread".to_owned()));
    words.join(" ")
}

fn isolation(arguments: &ExistingArgs) -> Isolation {
    match arguments.isolation {
        Isolated::ReadCommitted => Isolation::ReadCommitted,
        Isolated::ReadUncommitted => Isolation::ReadUncommitted,
    }
}

fn subject(arguments: &ExistingArgs) -> Result<Subject, Failure> {
    let said = arguments.systems.said(arguments.connector.as_deref());
    let systems = config::load(&said)?;
    let mut tables = Vec::new();
    for text in &arguments.tables {
        tables.push(setup::table(text)?);
    }
    Ok(Subject {
        connect: systems.need_connect()?.clone(),
        kafka: systems.need_kafka()?.clone().reading(isolation(arguments)),
        postgres: systems.need_postgres()?.clone(),
        connector: systems.connector,
        registry: systems.registry,
        tables,
        reread: arguments.allow_reread,
        patience: Duration::from_secs(arguments.timeout),
    })
}
