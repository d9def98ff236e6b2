//! `cutover connector`: a connector and its offset on any Connect cluster.

use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::Connect;
use cutover_clients::kafka::Kafka;
use cutover_model::connector::{ConnectorReport, OffsetsReport};
use cutover_model::{ExitCode, Failure, Lsn};
use cutover_report::connector::{connector, connector_json};
use cutover_report::offsets::{offsets, offsets_json};
use cutover_upgrade::operate::alter::{Altering, Wanted};
use cutover_upgrade::operate::connector::{Action, Operated, list};
use cutover_upgrade::operate::description::Description;
use cutover_upgrade::operate::offsets::show;
use cutover_upgrade::start::Starting;

use super::{Settings, predict};
use crate::args::{
    ChangedConnector, ChangedOffset, ConnectorAction, OffsetsAction, OneConnector, SystemFlags,
};
use crate::config::{self, Systems};
use crate::output::Outcome;

/// Runs one action.
pub async fn run(action: ConnectorAction, settings: Settings) -> Outcome {
    let report = match action {
        ConnectorAction::List { systems } => listed(&systems).await,
        ConnectorAction::Status(one) => looked(&one, false).await,
        ConnectorAction::Config(one) => looked(&one, true).await,
        ConnectorAction::Deploy {
            file,
            name,
            plan_only,
            timeout,
            systems,
        } => {
            let deployment = Deployment {
                text: predict::read(&file),
                name,
                apply: !plan_only,
                timeout,
            };
            deployment.run(&systems).await
        }
        ConnectorAction::Pause(changed) => act(&changed, Action::Pause, true).await,
        ConnectorAction::Stop(changed) => act(&changed, Action::Stop, true).await,
        ConnectorAction::Resume(changed) => act(&changed, Action::Resume, true).await,
        ConnectorAction::Restart { changed, all } => {
            let action = if all {
                Action::RestartAll
            } else {
                Action::Restart
            };
            act(&changed, action, true).await
        }
        ConnectorAction::Delete { changed, apply } => act(&changed, Action::Delete, apply).await,
        ConnectorAction::Offsets { action } => return of_offsets(action, settings).await,
    };
    match report {
        Ok(report) => shown(&report, settings),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn failed(error: impl cutover_model::Classified) -> Failure {
    Failure::of(&error)
}

/// Systems and worker, and the connector that is meant.
struct Meant {
    systems: Systems,
    connect: Connect,
    name: String,
}

impl Meant {
    async fn find(one: &OneConnector) -> Result<Meant, Failure> {
        let systems = config::load(&one.systems.said(one.name.as_deref()))?;
        let connect = systems.need_connect()?.clone();
        let name = match &systems.connector {
            Some(name) => name.clone(),
            None => {
                Starting::find(connect.clone(), None)
                    .await
                    .map_err(failed)?
                    .connector
            }
        };
        Ok(Meant {
            systems,
            connect,
            name,
        })
    }

    fn operated(&self, timeout: u64) -> Operated<'_> {
        Operated {
            connect: &self.connect,
            name: &self.name,
            deadline: Duration::from_secs(timeout),
        }
    }
}

async fn listed(systems: &SystemFlags) -> Result<ConnectorReport, Failure> {
    let systems = config::load(&systems.said(None))?;
    list(systems.need_connect()?).await.map_err(failed)
}

async fn looked(one: &OneConnector, config: bool) -> Result<ConnectorReport, Failure> {
    let meant = Meant::find(one).await?;
    let operated = meant.operated(0);
    let report = if config {
        operated.config().await
    } else {
        operated.status().await
    };
    report.map_err(failed)
}

async fn act(
    changed: &ChangedConnector,
    action: Action,
    apply: bool,
) -> Result<ConnectorReport, Failure> {
    let meant = Meant::find(&changed.one).await?;
    let operated = meant.operated(changed.timeout);
    operated.act(action, apply).await.map_err(failed)
}

struct Deployment {
    text: Result<String, Failure>,
    name: Option<String>,
    apply: bool,
    timeout: u64,
}

impl Deployment {
    async fn run(self, systems: &SystemFlags) -> Result<ConnectorReport, Failure> {
        let mut wanted = Description::parse(&self.text?).map_err(failed)?;
        wanted
            .fill(|name| std::env::var(name).ok())
            .map_err(failed)?;
        let name = match (&self.name, &wanted.name) {
            (Some(given), Some(said)) if given != said => {
                return Err(bad(
                    format!("--name says '{given}', and the file '{said}'"),
                    "let both say the same",
                ));
            }
            (Some(name), _) | (None, Some(name)) => name.clone(),
            (None, None) => {
                return Err(bad(
                    "nothing says the connector's name".into(),
                    "give --name, or \"name\" in the file",
                ));
            }
        };
        let systems = config::load(&systems.said(Some(&name)))?;
        let operated = Operated {
            connect: systems.need_connect()?,
            name: &name,
            deadline: Duration::from_secs(self.timeout),
        };
        operated.deploy(&wanted, self.apply).await.map_err(failed)
    }
}

fn bad(message: String, remedy: &str) -> Failure {
    Failure::new(ExitCode::Usage, "CLI-CONNECTOR-001", message, remedy)
}

async fn of_offsets(action: OffsetsAction, settings: Settings) -> Outcome {
    let report = match action {
        OffsetsAction::Show(one) => show_offsets(&one).await,
        OffsetsAction::Set {
            to_slot,
            lsn,
            may_repeat,
            changed,
        } => match position(to_slot, lsn.as_deref(), &changed) {
            Ok(wanted) => alter(&changed, wanted, may_repeat).await,
            Err(failure) => Err(failure),
        },
        OffsetsAction::Reset(changed) => {
            let wanted = undone(&changed).unwrap_or(Wanted::Nothing);
            alter(&changed, wanted, false).await
        }
    };
    match report {
        Ok(report) => shown_offsets(&report, settings),
        Err(failure) => Outcome::Failed(failure),
    }
}

fn undone(changed: &ChangedOffset) -> Option<Wanted> {
    changed.undo.as_ref().map(|file| Wanted::Before {
        file: file.clone(),
        discard_newer: changed.discard_newer,
    })
}

fn position(to_slot: bool, lsn: Option<&str>, changed: &ChangedOffset) -> Result<Wanted, Failure> {
    if let Some(wanted) = undone(changed) {
        return Ok(wanted);
    }
    match lsn {
        _ if to_slot => Ok(Wanted::Slot),
        Some(text) => {
            let at: Lsn = text.parse().map_err(|error| {
                bad(
                    format!("--lsn: {error}"),
                    "give it as PostgreSQL shows it, such as 0/16B3748",
                )
            })?;
            if at == Lsn::INVALID {
                return Err(bad(
                    "--lsn: 0/0 is no position".into(),
                    "give the position of a slot or of a commit",
                ));
            }
            Ok(Wanted::At(at))
        }
        None => Err(bad(
            "nothing says where the offset is to stand".into(),
            "give --to-slot, --lsn X/Y or --undo",
        )),
    }
}

async fn show_offsets(one: &OneConnector) -> Result<OffsetsReport, Failure> {
    let meant = Meant::find(one).await?;
    let postgres = meant.systems.postgres.as_ref();
    show(&meant.connect, &meant.name, postgres)
        .await
        .map_err(failed)
}

async fn alter(
    changed: &ChangedOffset,
    wanted: Wanted,
    may_repeat: bool,
) -> Result<OffsetsReport, Failure> {
    let meant = Meant::find(&changed.one).await?;
    let kafka = meant.systems.kafka.as_ref().map(Kafka::at).transpose();
    let altering = Altering {
        connect: &meant.connect,
        connector: &meant.name,
        kafka: kafka.map_err(failed)?.map(Arc::new),
        offsets_topic: meant.systems.offsets_topic.as_deref(),
        postgres: meant.systems.postgres.as_ref(),
        undo_folder: &changed.undo_folder,
        may_repeat,
    };
    altering.alter(&wanted, changed.apply).await.map_err(failed)
}

fn exit(number: u8) -> ExitCode {
    ExitCode::numbered(number).unwrap_or(ExitCode::Unknown)
}

fn shown(report: &ConnectorReport, settings: Settings) -> Outcome {
    if !settings.json {
        return Outcome::Done(
            connector(report, settings.result_look()),
            exit(report.exit_code),
        );
    }
    match connector_json(report) {
        Ok(text) => Outcome::Done(text, exit(report.exit_code)),
        Err(error) => error.into(),
    }
}

fn shown_offsets(report: &OffsetsReport, settings: Settings) -> Outcome {
    if !settings.json {
        return Outcome::Done(
            offsets(report, settings.result_look()),
            exit(report.exit_code),
        );
    }
    match offsets_json(report) {
        Ok(text) => Outcome::Done(text, exit(report.exit_code)),
        Err(error) => error.into(),
    }
}
