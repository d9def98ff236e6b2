//! `cutover predict`: what a connector will do when it starts, from a file of facts or from running systems.
//!
//! Reads only. The password is never an argument: it comes from a file, from PGPASSWORD, from a password file of
//! libpq, or, when no address is given, from the connector's own configuration together with the address.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use cutover_clients::connect::Connect;
use cutover_clients::pg::{PgAddress, PgHost, PgTls, SslMode, passfile};
use cutover_clients::secret::{Secret, holds_secret};
use cutover_lab::{Home, state};
use cutover_model::{ExitCode, Failure, PredictedOutcome, Prediction};
use cutover_report::prediction::{prediction, prediction_json};
use cutover_upgrade::predict::{PredictionFacts, ServerIdentity};
use cutover_upgrade::start::Starting;

use super::Settings;
use crate::args::PredictFrom;
use crate::config;
use crate::output::Outcome;

/// Predicts, and ends with 0 only if the connector resumes.
pub async fn run(from: PredictFrom, settings: Settings) -> Outcome {
    let facts = match &from.facts {
        Some(file) => match read(file) {
            Ok(text) => PredictionFacts::from_json(&text).map_err(|error| Failure::of(&error)),
            Err(failure) => Err(failure),
        },
        None => live(&from).await,
    };
    let mut facts = match facts {
        Ok(facts) => facts,
        Err(failure) => return Outcome::Failed(failure),
    };
    if from.print_facts {
        // No prediction rests on a secret, and what is printed here goes into files.
        let options = &mut facts.options;
        options.retain(|option, value| !holds_secret(option, value));
        return match serde_json::to_string_pretty(&facts) {
            Ok(text) => Outcome::text(text),
            Err(error) => {
                Outcome::Failed(Failure::defect("write the facts as JSON").because(error))
            }
        };
    }
    match cutover_upgrade::predict::predict(&facts) {
        Ok(prediction) => show(&prediction, settings),
        Err(error) => error.into(),
    }
}

fn show(told: &Prediction, settings: Settings) -> Outcome {
    let exit = match told.outcome {
        PredictedOutcome::Resumes => ExitCode::Pass,
        _ => ExitCode::Refused,
    };
    if !settings.json {
        return Outcome::Done(prediction(told, settings.result_look()), exit);
    }
    match prediction_json(told) {
        Ok(text) => Outcome::Done(text, exit),
        Err(error) => error.into(),
    }
}

/// A file, or standard input for `-`.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    read.map_err(|error| {
        let message = format!("read {}", file.display());
        let remedy = "name a readable file, or - for standard input";
        failure(message, remedy, ExitCode::Usage).because(error)
    })
}

async fn live(from: &PredictFrom) -> Result<PredictionFacts, Failure> {
    let systems = config::load(&from.systems.said(from.connector.as_deref()))?;
    let connect = if from.lab {
        Connect::new(&lab_connect()?)
    } else {
        let remedy =
            "give facts with --facts FILE, or a worker with --connect, connect.address or --lab";
        let missing = || {
            failure(
                "nothing says where Kafka Connect is".into(),
                remedy,
                ExitCode::Usage,
            )
        };
        systems.connect.clone().ok_or_else(missing)?
    };
    let starting = Starting::find(connect, systems.connector.as_deref()).await;
    let starting = starting.map_err(|error| Failure::of(&error))?;
    let address = match systems.postgres {
        Some(address) => address,
        None => {
            let mut address = own_address(&starting)?;
            if let Some(password) = password(
                from.systems.password_file.as_deref().map(Path::new),
                &address,
            )? {
                address.password = password;
            }
            address
        }
    };
    let home = from.offset_of.as_deref().map(identity).transpose()?;
    let facts = starting.facts(&address, from.debezium.as_deref()).await;
    let mut facts = facts.map_err(|error| Failure::of(&error))?;
    if let Some(offset) = &mut facts.offset {
        offset.server = home;
    }
    Ok(facts)
}

fn identity(text: &str) -> Result<ServerIdentity, Failure> {
    let parts = text.split_once('/').and_then(|(system, timeline)| {
        let digits = !system.is_empty() && system.bytes().all(|byte| byte.is_ascii_digit());
        Some((digits.then_some(system)?, timeline.parse::<u32>().ok()?))
    });
    let (system_id, timeline) = parts.ok_or_else(|| {
        let message = format!("--offset-of '{text}' is no server");
        let remedy = "give SYSTEM_IDENTIFIER/TIMELINE, as pg_control_system() and pg_control_checkpoint() name them";
        failure(message, remedy, ExitCode::Usage)
    })?;
    Ok(ServerIdentity {
        system_id: system_id.to_owned(),
        timeline,
    })
}

/// Address of the standing lab's worker.
fn lab_connect() -> Result<String, Failure> {
    let home = Home::locate(None, None).map_err(|error| Failure::of(&error))?;
    let status = state::status(&home).map_err(|error| Failure::of(&error))?;
    let record = status
        .filter(|status| status.running)
        .map(|status| status.record);
    let services = record.map(|record| record.services).unwrap_or_default();
    let connect = services.iter().find(|service| service.name == "connect");
    let port = connect.and_then(|connect| connect.ports.first());
    port.map(|port| format!("http://127.0.0.1:{port}"))
        .ok_or_else(|| {
            let remedy = "start one with `cutover lab up`, or name a worker with --connect";
            failure("no lab runs here".into(), remedy, ExitCode::Refused)
        })
}

/// The address and login of the connector itself.
fn own_address(starting: &Starting) -> Result<PgAddress, Failure> {
    let option = |name: &str| {
        let value = starting.option(name).filter(|value| !value.contains("${"));
        value.map(str::to_owned).ok_or_else(|| {
            let message = format!(
                "connector '{}': {name} cannot be read from its configuration",
                starting.connector
            );
            failure(message, "give the server with --postgres", ExitCode::Usage)
        })
    };
    let port = starting.option("database.port").unwrap_or("5432");
    let password = starting
        .option("database.password")
        .filter(|value| !value.contains("${"));
    Ok(PgAddress {
        host: PgHost::Tcp(option("database.hostname")?),
        port: port.trim().parse().map_err(|_| {
            failure(
                format!("database.port '{port}' is no port"),
                "give the server with --postgres",
                ExitCode::Usage,
            )
        })?,
        user: option("database.user")?,
        password: Secret::new(password.unwrap_or_default()),
        database: option("database.dbname")?,
        tls: PgTls {
            mode: starting
                .option("database.sslmode")
                .and_then(SslMode::parse)
                .unwrap_or(SslMode::Prefer),
            ..PgTls::default()
        },
    })
}

pub(super) fn password(
    file: Option<&Path>,
    address: &PgAddress,
) -> Result<Option<Secret>, Failure> {
    if let Some(file) = file {
        let text = read(file)?;
        return Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n']))));
    }
    if let Ok(password) = std::env::var("PGPASSWORD") {
        return Ok(Some(Secret::new(password)));
    }
    let file = std::env::var_os("PGPASSFILE").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".pgpass"));
    Ok(file
        .or_else(home)
        .and_then(|file| passfile::password(&file, address)))
}

fn failure(message: String, remedy: &str, exit: ExitCode) -> Failure {
    Failure::new(exit, "CLI-PREDICT-001", message, remedy)
}
