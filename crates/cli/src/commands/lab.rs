//! `cutover lab …`: the lab that stays.
//!
//! `up` fetches what is missing, then starts a second process of this program that owns the lab, and returns
//! when that one says that the connector streams. The owner ends on SIGTERM (`down`), and the kernel ends its
//! children if it is killed.

use std::time::{Duration, Instant};

use cutover_lab::catalog::{self, Component, Part};
use cutover_lab::spawn::{self, Launch};
use cutover_lab::state::{self, LabStatus};
use cutover_lab::{Home, LabError, fetch};
use cutover_model::{ExitCode, Failure};
use cutover_rehearse::standing::{Standing, Versions, logs};
use nix::sys::signal::Signal;

use super::Settings;
use crate::args::LabAction;
use crate::output::{self, Outcome};
use crate::signals;

/// The next thing to do where a part is none.
const NAME_A_PART: &str = "name a part of the catalogue, such as postgres-16.14; `cutover lab fetch` without a name \
                           fetches all";

/// Runs one action.
pub async fn run(action: LabAction, settings: Settings) -> Outcome {
    let home = match Home::locate(None, None) {
        Ok(home) => home,
        Err(error) => return error.into(),
    };
    match action {
        LabAction::Up {
            postgres,
            kafka,
            debezium,
            foreground,
        } => {
            let versions = Versions {
                postgres,
                kafka,
                debezium,
            };
            if foreground {
                own(&home, &versions, settings).await
            } else {
                up(&home, &versions, settings).await
            }
        }
        LabAction::Status => show_status(&home, settings),
        LabAction::Config { role } => super::lab_config::show(&home, &role, settings),
        LabAction::Logs { service, lines } => show_log(&home, &service, lines, settings),
        LabAction::Fetch { parts } => fetch_parts(&home, &parts, settings).await,
        LabAction::Down { purge } => match state::down(&home, purge).await {
            Ok(report) => down_text(&report, purge, settings),
            Err(error) => error.into(),
        },
    }
}

/// Fetches with progress in this process, then lets the owner start.
async fn up(home: &Home, versions: &Versions, settings: Settings) -> Outcome {
    let parts = [
        (Component::Postgres, &versions.postgres),
        (Component::Kafka, &versions.kafka),
        (Component::Debezium, &versions.debezium),
    ];
    let found: Result<Vec<&'static Part>, LabError> = parts
        .iter()
        .map(|(component, version)| catalog::find(*component, version))
        .collect();
    let progress = settings.progress();
    let fetched = match found {
        Ok(found) => fetch::ensure_all(home, &found, &progress.sink())
            .await
            .map(|_| ()),
        Err(error) => Err(error),
    };
    progress.finish();
    if let Err(error) = fetched {
        return error.into();
    }
    let started = Instant::now();
    if let Err(failure) = start_owner(home, versions).await {
        return Outcome::Failed(failure);
    }
    match state::status(home) {
        Ok(Some(status)) if settings.json => Outcome::text(status_json(Some(&status))),
        Ok(Some(status)) => {
            let seconds = started.elapsed().as_secs_f64();
            let table = table(&status);
            Outcome::text(format!(
                "{table}the connector streams, {seconds:.1} s after the start\n"
            ))
        }
        Ok(None) => broken(
            "the lab started and is gone again",
            "read the logs of its services (`cutover lab up --foreground` stays to show why), then start it again",
            ExitCode::Unknown,
        ),
        Err(error) => error.into(),
    }
}

/// Starts this program again as owner and waits for its one line: `ready`, or a failure as JSON.
async fn start_owner(home: &Home, versions: &Versions) -> Result<(), Failure> {
    let log = home.state().join("lab-owner.log");
    // The log of an earlier owner would be read as an answer of this one.
    if let Err(error) = std::fs::write(&log, "") {
        return Err(failure(
            format!("write {}", log.display()),
            "make the folder writable, or choose another one with CUTOVER_STATE",
            ExitCode::Refused,
        )
        .because(error));
    }
    let program = std::env::current_exe();
    let program = program.map_err(|error| {
        let remedy = "start cutover again: its file was replaced or removed meanwhile";
        failure("find the program's own file", remedy, ExitCode::Refused).because(error)
    })?;
    let launch = Launch::new("lab-owner", &program, home.state(), &log)
        .args([
            "lab",
            "up",
            "--foreground",
            "--quiet",
            "--postgres",
            &versions.postgres,
        ])
        .args(["--kafka", &versions.kafka, "--debezium", &versions.debezium])
        .pass_tool_settings()
        .env("CUTOVER_LAB_OWNER", "1")
        .env("CUTOVER_CACHE", home.cache())
        .env("CUTOVER_STATE", home.state())
        .outlives_us();
    let interrupt = signals::listen()?;
    let mut owner = spawn::spawn(&launch).map_err(|error| Failure::of(&error))?;
    loop {
        if let Some(code) = *interrupt.borrow() {
            let stopped = owner.stop(Signal::SIGTERM, Duration::from_secs(15)).await;
            stopped.map_err(|error| Failure::of(&error))?;
            return Err(ended_early(code));
        }
        let ended = owner.try_wait().is_some();
        let said = std::fs::read_to_string(&log).unwrap_or_default();
        if said.lines().any(|line| line == "ready") {
            return Ok(());
        }
        if ended {
            return Err(failure_of(&said, home));
        }
        cutover_rehearse::standing::moment().await;
    }
}

/// The failure that an owner wrote as its last line.
fn failure_of(said: &str, home: &Home) -> Failure {
    let line = said.lines().next_back().unwrap_or_default();
    if let Ok((code, message, causes, remedy, exit)) = serde_json::from_str::<Handed>(line) {
        return Failure {
            code,
            message,
            causes,
            remedy,
            exit: ExitCode::numbered(exit).unwrap_or(ExitCode::Unknown),
        };
    }
    let log = home.state().join("lab-owner.log");
    Failure::new(
        ExitCode::Unknown,
        "LAB-OWNER-001",
        "the lab ended before it was ready",
        format!("see {}, then `cutover lab up --foreground`", log.display()),
    )
}

/// A failure as an owner hands it over: code, message, causes, remedy, exit code.
type Handed = (String, String, Vec<String>, Option<String>, u8);

fn ended_early(code: ExitCode) -> Failure {
    let remedy = "start it again and let it come up: the first start takes longest";
    failure("ended by a signal before the lab was up", remedy, code)
}

/// Owns the lab until a signal, or until a service ends by itself.
async fn own(home: &Home, versions: &Versions, settings: Settings) -> Outcome {
    let detached = std::env::var_os("CUTOVER_LAB_OWNER").is_some();
    let mut interrupt = match signals::listen() {
        Ok(interrupt) => interrupt,
        Err(failure) => return Outcome::Failed(failure),
    };
    let progress = settings.progress();
    let events = progress.sink();
    let started = tokio::select! {
        started = Standing::up(home, versions, &events) => {
            started.map_err(|error| Failure::of(&error))
        }
        code = cutover_rehearse::runner::interrupted(&mut interrupt) => Err(ended_early(code)),
    };
    let mut standing = match started {
        Ok(standing) => standing,
        Err(failure) if detached => {
            let exit = failure.exit;
            let handed: Handed = (
                failure.code,
                failure.message,
                failure.causes,
                failure.remedy,
                exit.number(),
            );
            let line = serde_json::to_string(&handed).unwrap_or_default();
            return Outcome::Done(line, exit);
        }
        Err(failure) => return Outcome::Failed(failure),
    };
    progress.finish();
    let ended = match said(home, detached, settings) {
        Err(failure) => Err(failure),
        Ok(()) => tokio::select! {
            code = cutover_rehearse::runner::interrupted(&mut interrupt) => Ok(code),
            died = watch(&mut standing) => Err(died),
        },
    };
    let down = standing.down().await;
    match (ended, down) {
        (Err(died), _) => Outcome::Failed(died),
        (Ok(_), Err(error)) => error.into(),
        (Ok(code), Ok(_)) => Outcome::Done(String::new(), code),
    }
}

/// Says that the lab is up, to the process that waits for it or to people.
fn said(home: &Home, detached: bool, settings: Settings) -> Result<(), Failure> {
    if detached {
        return output::line("ready");
    }
    let Ok(Some(status)) = state::status(home) else {
        return Ok(());
    };
    if settings.json {
        return output::line(&status_json(Some(&status)));
    }
    output::line(&table(&status))?;
    output::line("the connector streams; Ctrl-C ends the lab")
}

async fn watch(standing: &mut Standing) -> Failure {
    let what = "a service that ended by itself";
    let watching = cutover_rehearse::standing::watch(standing, Duration::from_millis(500)).await;
    let failure = Failure::of(&watching);
    Failure {
        message: format!("{what}: {}", failure.message),
        ..failure
    }
}

async fn fetch_parts(home: &Home, names: &[String], settings: Settings) -> Outcome {
    let all = match catalog::parts() {
        Ok(all) => all,
        Err(error) => return error.into(),
    };
    let mut wanted: Vec<&'static Part> = Vec::new();
    for name in names {
        let Some((component, version)) = name.split_once('-') else {
            return broken(
                format!(
                    "'{name}' is no part; parts are called like {}",
                    all[0].name()
                ),
                NAME_A_PART,
                ExitCode::Usage,
            );
        };
        let named = Component::ALL
            .into_iter()
            .find(|known| known.to_string() == component);
        let part = named.map_or_else(
            || Err(format!("there is no component '{component}'")),
            |component| catalog::find(component, version).map_err(|error| error.to_string()),
        );
        match part {
            Ok(part) => wanted.push(part),
            Err(message) => return broken(message, NAME_A_PART, ExitCode::Usage),
        }
    }
    if names.is_empty() {
        wanted = all.iter().collect();
    }
    let progress = settings.progress();
    let started = Instant::now();
    let fetched = fetch::ensure_all(home, &wanted, &progress.sink()).await;
    progress.finish();
    match fetched {
        Ok(parts) if settings.json => {
            let rows = parts.iter().map(|part| {
                serde_json::json!({
                    "part": part.part.name(), "version": part.version, "folder": part.root,
                })
            });
            let object = serde_json::json!({
                "format": "cutover.lab-parts/1",
                "seconds": started.elapsed().as_secs_f64(),
                "parts": rows.collect::<Vec<_>>(),
            });
            Outcome::text(format!("{object:#}"))
        }
        Ok(parts) => {
            let lines = parts
                .iter()
                .map(|part| format!("{:<18} {}\n", part.part.name(), part.root.display()));
            let seconds = started.elapsed().as_secs_f64();
            Outcome::text(format!(
                "{}ready after {seconds:.1} s\n",
                lines.collect::<String>()
            ))
        }
        Err(error) => error.into(),
    }
}

fn show_status(home: &Home, settings: Settings) -> Outcome {
    match state::status(home) {
        Ok(status) if settings.json => Outcome::text(status_json(status.as_ref())),
        Ok(Some(status)) => Outcome::text(table(&status)),
        Ok(None) => Outcome::text("there is no lab; start one with: cutover lab up"),
        Err(error) => error.into(),
    }
}

fn table(status: &LabStatus) -> String {
    let owner = if status.running {
        format!("lab owned by process {}\n", status.record.pid)
    } else {
        "the lab is down\n".to_owned()
    };
    let rows = status
        .record
        .services
        .iter()
        .zip(&status.memory)
        .map(|(service, memory)| {
            let ports: Vec<String> = service.ports.iter().map(ToString::to_string).collect();
            let state = memory.map_or_else(
                || "not running".to_owned(),
                |bytes| {
                    format!(
                        "pid {:<8} {:>4} MiB",
                        service.pid.unwrap_or(0),
                        bytes / 1_048_576
                    )
                },
            );
            format!(
                "  {:<14} {:<16} {state}  ports {}\n",
                service.name,
                service.part,
                ports.join(",")
            )
        });
    owner + &rows.collect::<String>()
}

fn status_json(status: Option<&LabStatus>) -> String {
    let services = status.map(|status| {
        let services = status.record.services.iter().zip(&status.memory);
        let rows = services.map(|(service, memory)| {
            serde_json::json!({
                "name": service.name, "part": service.part, "ports": service.ports,
                "pid": memory.and(service.pid), "memory_bytes": memory, "log": service.log,
            })
        });
        rows.collect::<Vec<_>>()
    });
    let object = serde_json::json!({
        "format": "cutover.lab-status/1",
        "running": status.is_some_and(|status| status.running),
        "services": services.unwrap_or_default(),
    });
    format!("{object:#}")
}

fn show_log(home: &Home, service: &str, lines: usize, settings: Settings) -> Outcome {
    let services = match state::status(home) {
        Ok(status) => status
            .map(|status| status.record.services)
            .unwrap_or_default(),
        Err(error) => return error.into(),
    };
    let found = services
        .iter()
        .find(|known| known.name == service || known.name.strip_suffix("-main") == Some(service));
    let Some(found) = found else {
        let known: Vec<String> = services.iter().map(|known| known.name.clone()).collect();
        let what = format!("the lab has no service '{service}'");
        let remedy = if known.is_empty() {
            format!(
                "start a lab first; older logs are in {}",
                logs(home).display()
            )
        } else {
            format!("its services: {}", known.join(", "))
        };
        let failure = Failure::new(ExitCode::Usage, "LAB-LOG-001", what, remedy);
        return Outcome::Failed(failure);
    };
    match std::fs::read_to_string(&found.log) {
        Ok(text) => {
            let all: Vec<&str> = text.lines().collect();
            let tail = &all[all.len().saturating_sub(lines)..];
            if settings.json {
                let object = serde_json::json!({
                    "format": "cutover.lab-log/1",
                    "service": found.name, "log": found.log, "lines": tail,
                });
                return Outcome::text(format!("{object:#}"));
            }
            let safe: Vec<String> = tail
                .iter()
                .map(|line| cutover_report::text::safe(line))
                .collect();
            Outcome::text(safe.join("\n"))
        }
        Err(error) => Outcome::Failed(
            failure(
                format!("read {}", found.log.display()),
                "let this user read the state folder, or start the lab again if the log was removed",
                ExitCode::Refused,
            )
            .because(error),
        ),
    }
}

fn down_text(report: &state::DownReport, purge: bool, settings: Settings) -> Outcome {
    if settings.json {
        let object = serde_json::json!({
            "format": "cutover.lab-down/1",
            "seconds": report.seconds,
            "in_order": report.in_order,
            "killed": report.killed,
            "purged": purge,
        });
        return Outcome::text(format!("{object:#}"));
    }
    let killed = if report.killed.is_empty() {
        String::new()
    } else {
        format!("; had to be killed: {}", report.killed.join(", "))
    };
    let data = if purge { ", data removed" } else { "" };
    let order = if report.in_order {
        "in order"
    } else {
        "its owner was gone already"
    };
    Outcome::text(format!(
        "the lab is down after {:.1} s ({order}{data}){killed}",
        report.seconds
    ))
}

fn broken(message: impl Into<String>, remedy: &str, exit: ExitCode) -> Outcome {
    Outcome::Failed(failure(message, remedy, exit))
}

fn failure(message: impl Into<String>, remedy: &str, exit: ExitCode) -> Failure {
    Failure::new(exit, "LAB-CLI-001", message, remedy)
}
