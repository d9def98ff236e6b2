//! Drain proofs: a marker through the whole stream (`fence`).

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::marker::emit_message;
use cutover_clients::pg::slots::slot;
use cutover_clients::wait::{Poll, until};

use super::slot_copy;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::fence::MarkerWatch;

/// A marker while everything runs: shows that the connector delivers, and leaves little to drain later.
pub(super) async fn round_trip(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let mut watch = MarkerWatch::send(cutover).await?;
    let seen = watch.arrive(cutover, cutover.deadlines.drain).await?;
    let released = slot_copy::release(cutover).await?;
    Ok(format!("{seen}{released}"))
}

/// A marker after the last write: what is before it is everything.
pub(super) async fn prove(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let mut watch = MarkerWatch::send(cutover).await?;
    let seen = watch.arrive(cutover, cutover.deadlines.drain).await?;
    cutover.seen.drained = Some(watch.marker.lsn);
    Ok(seen)
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
