//! Drain proofs: a marker through the whole stream (`fence`).

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::marker::emit_message;
use cutover_clients::pg::slots::slot;
use cutover_clients::wait::{Poll, until};
use std::time::Duration;

use super::{connector, slot_copy};
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::fence::MarkerWatch;

/// How long a drained connector is given to store its offset by itself. Connect does that once in
/// `offset.flush.interval.ms`, a minute by default, and writers wait meanwhile.
const STORES_BY_ITSELF: Duration = Duration::from_secs(1);

/// A marker while everything runs: shows that the connector delivers, and leaves little to drain later. While writes
/// are refused nobody waits for the offset to be stored: the plan's last round trip sees it.
pub(super) async fn round_trip(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let mut watch = MarkerWatch::send(cutover).await?;
    if cutover.seen.refused {
        return watch.delivered(cutover, cutover.deadlines.drain).await;
    }
    let seen = watch.arrive(cutover, cutover.deadlines.drain).await?;
    let released = slot_copy::release(cutover).await?;
    Ok(format!("{seen}{released}"))
}

/// A marker after the last write: what is before it is everything.
pub(super) async fn prove(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let mut watch = MarkerWatch::send(cutover).await?;
    let mut seen = watch.arrive_or_give_up(cutover, STORES_BY_ITSELF).await?;
    if !watch.arrival.everywhere() {
        watch.delivered(cutover, cutover.deadlines.drain).await?;
        seen = if starts_while_refused(cutover).await? {
            by_stopping(cutover, &mut watch).await?
        } else {
            watch.arrive(cutover, cutover.deadlines.drain).await?
        };
    }
    cutover.seen.drained = Some(watch.marker.lsn);
    Ok(seen)
}

/// Whether the connector can start in a database that refuses writes. One with `publication.autocreate.mode=filtered`
/// alters its publication at each start, which a read-only transaction cannot: it tries for ever, RUNNING all the while
/// (docs/anomalies.md, A-024). It is not stopped before it is drained, since it may have to go on.
async fn starts_while_refused(cutover: &Cutover) -> Result<bool, UpgradeError> {
    let config = cutover.connect.config(&cutover.stream.connector).await?;
    let mode = config.as_ref().and_then(|config| {
        let mode = config.get("publication.autocreate.mode")?.as_str();
        mode.map(str::to_lowercase)
    });
    Ok(mode.as_deref() != Some("filtered"))
}

/// The marker is in Kafka: a connector that is stopped stores its offset and confirms it at once (measured with
/// Debezium 3.7.0 and `offset.flush.interval.ms` of a minute). Where it does not, the wait goes on.
async fn by_stopping(
    cutover: &mut Cutover,
    watch: &mut MarkerWatch,
) -> Result<String, UpgradeError> {
    connector::stop(cutover).await?;
    connector::prove_stopped(cutover).await?;
    let mut seen = watch.look(cutover).await?;
    let drained = watch.arrival.everywhere();
    // Attached to a standby it is not stopped again before the promotion, and has to go on.
    if !drained || cutover.reader != cutover.primary {
        connector::resume(cutover).await?;
        connector::prove_running(cutover).await?;
    }
    if !drained {
        seen = watch.arrive(cutover, cutover.deadlines.drain).await?;
    }
    Ok(format!(
        "{seen}, after {:.2} s and a stop that stored it",
        watch.seconds()
    ))
}

/// What people look at: the slot's lag, until it is none. The stored offset and the topics are not looked at.
pub(super) async fn await_delivery(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.primary()).await?;
    let reader = connect_admin(cutover.reader()).await?;
    // Without something new to confirm, a slot stays at its last but one transaction for ever.
    let end = emit_message(&client, &cutover.stream.marker_prefix, "look").await?;
    let deadline = cutover.deadlines.drain;
    let what = "the slot at the end of the log";
    until(what, deadline, cutover.deadlines.poll, async || {
        let found = slot(&reader, &cutover.stream.slot).await?;
        let at = found.and_then(|slot| slot.confirmed_flush);
        let seen = at.map_or_else(|| "nothing".into(), |lsn| lsn.to_string());
        Ok::<_, UpgradeError>(if at >= Some(end) {
            Poll::Ready(())
        } else {
            Poll::NotYet(format!("confirmed {seen} of {end}"))
        })
    })
    .await?;
    Ok(format!("the slot has confirmed {end}"))
}
