//! The connector through Connect's REST interface. A connector that says RUNNING while its task has FAILED is
//! a failure; so states are read from the tasks, and the slot's reader is looked at as well.

use cutover_clients::connect::Status;
use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{PgAddress, PgHost, connect_admin};
use cutover_clients::wait::{Poll, until};

use serde_json::{Map, Value};

use super::{predict, replication, slot_copy};
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::{Hands, Side};
use crate::predict::DebeziumVersion;
use crate::predict::settings::AUTOCREATE_OPTION;
use crate::start::Starting;

/// What Debezium does when slot and stored offset differ (3.4.0 and newer).
const MISMATCH: &str = "offset.mismatch.strategy";

pub(super) async fn stopped(cutover: &Cutover) -> Result<Option<String>, UpgradeError> {
    let status = cutover.connect.status(&cutover.stream.connector).await?;
    let stopped = status.is_some_and(|status| is_stopped(&status));
    Ok(stopped.then(|| "the connector is STOPPED already".into()))
}

fn is_stopped(status: &Status) -> bool {
    status.connector_state == "STOPPED" && status.tasks.is_empty()
}

pub(super) async fn stop(cutover: &Cutover) -> Result<String, UpgradeError> {
    cutover.connect.stop(&cutover.stream.connector).await?;
    Ok("stop requested".into())
}

pub(super) async fn prove_stopped(cutover: &Cutover) -> Result<String, UpgradeError> {
    // A server that is away has no reader either.
    let client = connect_admin(cutover.reader()).await.ok();
    let poll = cutover.deadlines.poll;
    let proof = until(
        "a stopped connector",
        cutover.deadlines.connector,
        poll,
        async || {
            let status = cutover.connect.status(&cutover.stream.connector).await?;
            let slot = match &client {
                Some(client) => slot(client, &cutover.stream.slot).await?,
                None => None,
            };
            let active = slot.is_some_and(|slot| slot.active);
            let state = status
                .as_ref()
                .map_or("absent", |status| status.connector_state.as_str());
            let seen = format!(
                "connector {state}, slot {}",
                if active { "in use" } else { "free" }
            );
            let done = status.as_ref().is_some_and(is_stopped) && !active;
            Ok::<_, UpgradeError>(if done {
                Poll::Ready(seen)
            } else {
                Poll::NotYet(seen)
            })
        },
    );
    Ok(proof.await?)
}

pub(super) async fn pause(cutover: &Cutover) -> Result<String, UpgradeError> {
    let connector = &cutover.stream.connector;
    cutover.connect.pause(connector).await?;
    let poll = cutover.deadlines.poll;
    // Nobody goes on before the interface shows PAUSED; that is all a runbook ever waits for.
    let state = until(
        "a paused connector",
        cutover.deadlines.connector,
        poll,
        async || {
            let status = cutover.connect.status(connector).await?;
            let paused = status.as_ref().is_some_and(|status| {
                status.connector_state == "PAUSED"
                    && status.tasks.iter().all(|task| task.state == "PAUSED")
            });
            let seen = format!("{status:?}");
            Ok::<_, UpgradeError>(if paused {
                Poll::Ready("PAUSED")
            } else {
                Poll::NotYet(seen)
            })
        },
    );
    Ok(format!("connector {}", state.await?))
}

pub(super) async fn resume(cutover: &Cutover) -> Result<String, UpgradeError> {
    cutover.connect.resume(&cutover.stream.connector).await?;
    Ok("resume requested".into())
}

/// Takes a stop back. What the connector is to go on with may have been lost meanwhile.
pub(super) async fn take_up_again<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let renewed = match stopped(cutover).await? {
        Some(_) => replication::renew_lost(cutover).await?,
        None => None,
    };
    let name = cutover.stream.connector.clone();
    let config = cutover.connect.config(&name).await?.unwrap_or_default();
    // Whatever is predicted, a stop is taken back by a resume; but it is said what that will do.
    let told = match predict::note(cutover, hands, &config).await {
        Ok(prediction) => predict::told(&prediction),
        Err(error) => error.to_string(),
    };
    let resumed = resume(cutover).await?;
    let renewed = renewed.map_or_else(String::new, |renewed| format!("{renewed}; "));
    Ok(format!("{renewed}{resumed}; {told}"))
}

/// Resumes the connector, and says before what it will do.
pub(super) async fn predict_and_resume<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let name = cutover.stream.connector.clone();
    let config = cutover.connect.config(&name).await?.unwrap_or_default();
    let prediction = predict::note(cutover, hands, &config).await?;
    let starting = Starting {
        connect: cutover.connect.clone(),
        connector: name,
        config,
    };
    let kept = slot_copy::keep(cutover, &starting.version().await?).await?;
    let resumed = resume(cutover).await?;
    let told = predict::told(&prediction);
    Ok(format!("{resumed}; {told}{kept}"))
}

pub(super) async fn prove_running(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.reader()).await?;
    let poll = cutover.deadlines.poll;
    let proof = until(
        "a running connector",
        cutover.deadlines.connector,
        poll,
        async || {
            let status = cutover.connect.status(&cutover.stream.connector).await?;
            if let Some(failure) = status.as_ref().and_then(Status::failure) {
                return Err(UpgradeError::Disproved(format!(
                    "the connector failed: {failure}"
                )));
            }
            let slot = slot(&client, &cutover.stream.slot).await?;
            let active = slot.is_some_and(|slot| slot.active);
            let running = status.is_some_and(|status| status.running());
            let seen = format!("task running: {running}, slot in use: {active}");
            Ok(if running && active {
                Poll::Ready(seen)
            } else {
                Poll::NotYet(seen)
            })
        },
    );
    Ok(proof.await?)
}

/// Where a connector that was pointed to the plan's target reads.
fn reads_from(cutover: &Cutover) -> Side {
    if cutover.new.is_some() {
        Side::New
    } else {
        Side::Old
    }
}

/// Points the connector to the server that the plan leads to.
pub(super) async fn repoint(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    point_to(cutover, reads_from(cutover)).await
}

/// Debezium speaks TCP only; a unix socket address of ours means the same server on loopback.
pub(super) fn write_address(config: &mut Map<String, Value>, address: &PgAddress) {
    let host = match &address.host {
        PgHost::Tcp(host) => host.clone(),
        PgHost::Unix(_) => "127.0.0.1".into(),
    };
    config.insert("database.hostname".into(), host.into());
    config.insert("database.port".into(), address.port.to_string().into());
}

/// Points the connector to a server.
pub(super) async fn point_to(cutover: &mut Cutover, side: Side) -> Result<String, UpgradeError> {
    let name = cutover.stream.connector.clone();
    let Some(mut config) = cutover.connect.config(&name).await? else {
        return Err(UpgradeError::Refused(format!(
            "connector {name} does not exist"
        )));
    };
    let address = cutover.address(side)?;
    let port = address.port;
    write_address(&mut config, address);
    for (option, value) in &cutover.stream.options_on_new {
        config.insert(option.clone(), value.clone().into());
    }
    let altered = keep_off_publication(&mut config, address).await?;
    cutover.connect.put_config(&name, &config).await?;
    cutover.reader = side;
    Ok(format!(
        "connector {name} now points to port {port}{altered}"
    ))
}

/// On a standby a connector that sets the tables of its publication at each start cannot start (docs/anomalies.md,
/// It stays so after the promotion: to change it back would start the connector again, under load.
async fn keep_off_publication(
    config: &mut Map<String, Value>,
    address: &PgAddress,
) -> Result<&'static str, UpgradeError> {
    let mode = config.get(AUTOCREATE_OPTION).and_then(Value::as_str);
    if !mode.is_some_and(|mode| mode.eq_ignore_ascii_case("filtered")) {
        return Ok("");
    }
    let client = connect_admin(address).await?;
    if !server_facts(&client).await?.in_recovery {
        return Ok("");
    }
    config.insert(AUTOCREATE_OPTION.into(), "disabled".into());
    Ok(
        "; publication.autocreate.mode is disabled instead of filtered, which a standby refuses; it stays so until \
         somebody changes it",
    )
}

/// Debezium 3.4 and newer: go on where the slot is, whatever the stored offset says. For one start; left in place it
/// would hide a gap for ever.
pub(super) fn trust_slot(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let option = (MISMATCH.to_owned(), "trust_slot".to_owned());
    if !cutover.stream.options_on_new.contains(&option) {
        cutover.stream.options_on_new.push(option);
    }
    Ok("the connector will go on at the slot's position".into())
}

/// Takes the option out again. The offset that is stored by now is of the new server's log.
pub(super) async fn distrust_slot(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let name = cutover.stream.connector.clone();
    let Some(mut config) = cutover.connect.config(&name).await? else {
        return Err(UpgradeError::Refused(format!(
            "connector {name} does not exist"
        )));
    };
    let before = cutover.seen.connector_config.as_ref();
    match before.and_then(|config| config.get(MISMATCH)) {
        Some(value) => config.insert(MISMATCH.into(), value.clone()),
        None => config.remove(MISMATCH),
    };
    cutover
        .stream
        .options_on_new
        .retain(|(option, _)| option != MISMATCH);
    cutover.connect.put_config(&name, &config).await?;
    let client = connect_admin(cutover.target()).await?;
    cutover.seen.offset_of = Some(server_facts(&client).await?.incarnation);
    Ok(format!("{MISMATCH} is what it was"))
}

pub(super) async fn prove_distrusted(cutover: &Cutover) -> Result<String, UpgradeError> {
    let config = cutover.connect.config(&cutover.stream.connector).await?;
    let left = config.as_ref().and_then(|config| config.get(MISMATCH));
    if left.and_then(Value::as_str) == Some("trust_slot") {
        return Err(UpgradeError::Disproved(format!(
            "Connect still shows {MISMATCH}=trust_slot"
        )));
    }
    Ok(format!("Connect shows no {MISMATCH}=trust_slot"))
}

/// Puts the connector in place again as people do: what it was, with another address and snapshot mode.
pub(super) async fn deploy<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
    (snapshot_mode, rename): (Option<&str>, bool),
) -> Result<String, UpgradeError> {
    let Some(mut config) = cutover.seen.connector_config.clone() else {
        return Err(UpgradeError::Refused(
            "the connector's configuration was not noted".into(),
        ));
    };
    for (option, value) in &cutover.stream.options_on_deploy {
        config.insert(option.clone(), value.clone().into());
    }
    write_address(&mut config, cutover.target());
    if let Some(mode) = snapshot_mode {
        let known = mode_name(cutover, &config, mode).await?;
        config.insert("snapshot.mode".into(), known.into());
    }
    if rename {
        cutover.stream.connector.push_str("-2");
    }
    let name = cutover.stream.connector.clone();
    config.insert("name".into(), name.clone().into());
    let prediction = predict::note(cutover, hands, &config).await?;
    cutover.connect.put_config(&name, &config).await?;
    cutover.reader = reads_from(cutover);
    let told = predict::told(&prediction);
    Ok(format!("connector {name} deployed; {told}"))
}

/// What `no_data` is called by the version that will run: `never` before 2.6 (docs of Debezium 2.5).
async fn mode_name<'a>(
    cutover: &Cutover,
    config: &Map<String, Value>,
    mode: &'a str,
) -> Result<&'a str, UpgradeError> {
    let starting = Starting {
        connect: cutover.connect.clone(),
        connector: cutover.stream.connector.clone(),
        config: config.clone(),
    };
    let version: DebeziumVersion = starting.version().await?.parse()?;
    let older = version < "2.6.0".parse()?;
    Ok(if mode == "no_data" && older {
        "never"
    } else {
        mode
    })
}

pub(super) async fn delete(cutover: &Cutover) -> Result<String, UpgradeError> {
    let name = &cutover.stream.connector;
    let found = cutover.connect.delete(name).await?;
    Ok(format!(
        "connector {name} {}",
        if found { "deleted" } else { "was not there" }
    ))
}

/// Restarts what has FAILED; a task that runs is left alone.
pub(super) async fn restart(cutover: &Cutover) -> Result<String, UpgradeError> {
    let name = &cutover.stream.connector;
    cutover.connect.restart_failed(name).await?;
    Ok("restart of failed tasks requested".into())
}

pub(super) async fn prove_repointed(cutover: &Cutover) -> Result<String, UpgradeError> {
    let config = cutover
        .connect
        .config(&cutover.stream.connector)
        .await?
        .unwrap_or_default();
    let port = config
        .get("database.port")
        .and_then(|port| port.as_str())
        .unwrap_or("none");
    if port == cutover.starts_on().port.to_string() {
        return Ok(format!("Connect shows port {port}"));
    }
    Err(UpgradeError::Disproved(format!(
        "Connect still shows port {port}"
    )))
}

/// Connect refuses a configuration whose server does not answer, and the old one may be stopped: it is started first.
pub(super) async fn take_config_back<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let old = cutover.seen.gap.is_none() && cutover.seen.connector_config.is_some();
    if old && connect_admin(&cutover.old).await.is_err() {
        hands.start_server(Side::Old).await?;
    }
    restore_config(cutover).await
}

pub(super) async fn restore_config(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let Some(config) = &cutover.seen.connector_config else {
        return Ok("the configuration was not changed".into());
    };
    cutover
        .connect
        .put_config(&cutover.stream.connector, config)
        .await?;
    // Once a gap was looked at, the configuration to go back to points to the new server.
    cutover.reader = match cutover.seen.gap {
        Some(_) => Side::New,
        None => Side::Old,
    };
    Ok("old configuration written back".into())
}
