//! The connector through Connect's REST interface. A connector that says RUNNING while its task has FAILED is
//! a failure; so states are read from the tasks, and the slot's reader is looked at as well.

use cutover_clients::connect::Status;
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{PgHost, connect_admin};
use cutover_clients::wait::{Poll, until};

use crate::cutover::Cutover;
use crate::error::UpgradeError;

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
    let client = connect_admin(cutover.current()).await?;
    let poll = cutover.deadlines.poll;
    let proof = until(
        "a stopped connector",
        cutover.deadlines.connector,
        poll,
        async || {
            let status = cutover.connect.status(&cutover.stream.connector).await?;
            let slot = slot(&client, &cutover.stream.slot).await?;
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

pub(super) async fn prove_running(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.current()).await?;
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

pub(super) async fn repoint(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let name = cutover.stream.connector.clone();
    let Some(mut config) = cutover.connect.config(&name).await? else {
        return Err(UpgradeError::Refused(format!(
            "connector {name} does not exist"
        )));
    };
    let address = cutover.current();
    // Debezium speaks TCP only; a unix socket address of ours means the same server on loopback.
    let host = match &address.host {
        PgHost::Tcp(host) => host.clone(),
        PgHost::Unix(_) => "127.0.0.1".into(),
    };
    config.insert("database.hostname".into(), host.into());
    config.insert("database.port".into(), address.port.to_string().into());
    cutover.connect.put_config(&name, &config).await?;
    Ok(format!(
        "connector {name} now points to port {}",
        address.port
    ))
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
    if port == cutover.current().port.to_string() {
        return Ok(format!("Connect shows port {port}"));
    }
    Err(UpgradeError::Disproved(format!(
        "Connect still shows port {port}"
    )))
}

pub(super) async fn restore_config(cutover: &Cutover) -> Result<String, UpgradeError> {
    let Some(config) = &cutover.seen.connector_config else {
        return Ok("the configuration was not changed".into());
    };
    cutover
        .connect
        .put_config(&cutover.stream.connector, config)
        .await?;
    Ok("old configuration written back".into())
}
