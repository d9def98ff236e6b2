//! The connector's stored offset. It holds a bare LSN and not whose log that is, so after a change of server it
//! must be rewritten: a position ahead of the new log makes the connector skip in silence, one behind the new
//! slot makes it refuse (docs/anomalies.md, A-004 and A-005).
//!
//! The map `{lsn, lsn_proc, lsn_commit, ts_usec}` with the slot's confirmed position in all three places was
//! measured to resume exactly, in both directions, with Debezium 2.4.0, 3.6.3 and 3.7.0. Connect changes offsets
//! only while the connector is STOPPED (Kafka 3.6 and newer), and Debezium validates nothing of it: so it is
//! read back.

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::{current_lsn, server_facts};
use cutover_clients::pg::slots::slot;
use cutover_model::Lsn;
use serde_json::{Map, Value};

use super::connector;
use crate::cutover::Cutover;
use crate::error::UpgradeError;

/// Position of the slot on the current server.
async fn slot_position(cutover: &Cutover) -> Result<Lsn, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let name = &cutover.stream.slot;
    let position = slot(&client, name)
        .await?
        .and_then(|slot| slot.confirmed_flush);
    position.ok_or_else(|| UpgradeError::Disproved(format!("slot {name} has no position")))
}

fn stored(cutover: &Cutover) -> Result<&StoredOffset, UpgradeError> {
    let offset = cutover.before()?.offset.as_ref();
    offset.ok_or_else(|| UpgradeError::Refused("the connector had no stored offset".into()))
}

pub(super) async fn rewrite(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let position = slot_position(cutover).await?;
    let before = stored(cutover)?;
    let mut offset: Map<String, Value> = Map::new();
    for name in ["lsn", "lsn_proc", "lsn_commit"] {
        offset.insert(name.into(), position.as_i64().into());
    }
    offset.insert(
        "ts_usec".into(),
        jiff::Timestamp::now().as_microsecond().into(),
    );
    let name = &cutover.stream.connector;
    cutover
        .connect
        .patch_offset(name, &before.partition, &offset)
        .await?;
    let old = before
        .lsn()
        .map_or_else(|| "none".into(), |lsn| lsn.to_string());
    let client = connect_admin(cutover.target()).await?;
    cutover.seen.offset_of = Some(server_facts(&client).await?.incarnation);
    Ok(format!(
        "offset {old} of the old log, {position} of the new one"
    ))
}

pub(super) async fn prove(cutover: &Cutover) -> Result<String, UpgradeError> {
    let position = slot_position(cutover).await?;
    let stored = cutover.connect.offsets(&cutover.stream.connector).await?;
    let stored = stored.as_ref().and_then(StoredOffset::lsn);
    let client = connect_admin(cutover.target()).await?;
    let end = current_lsn(&client).await?;
    if stored == Some(position) && position <= end {
        return Ok(format!(
            "stored offset and slot at {position}, the server's log at {end}"
        ));
    }
    let stored = stored.map_or_else(|| "none".into(), |lsn| lsn.to_string());
    Err(UpgradeError::Disproved(format!(
        "stored offset {stored}, slot at {position}, the server's log at {end}"
    )))
}

/// Without a stored offset the connector begins at the slot's position, or with a snapshot: its `snapshot.mode`
/// decides. Nothing is looked at.
pub(super) async fn delete(cutover: &Cutover) -> Result<String, UpgradeError> {
    let name = &cutover.stream.connector;
    cutover.connect.delete_offsets(name).await?;
    Ok(format!("the stored offset of {name} is deleted"))
}

pub(super) async fn restore(cutover: &Cutover) -> Result<String, UpgradeError> {
    let before = stored(cutover)?;
    let name = &cutover.stream.connector;
    // It may have been resumed meanwhile, and Connect changes offsets of a stopped connector only. Taking back
    // the stop, which comes later, resumes it.
    connector::stop(cutover).await?;
    connector::prove_stopped(cutover).await?;
    cutover
        .connect
        .patch_offset(name, &before.partition, &before.offset)
        .await?;
    Ok("old offset written back".into())
}
