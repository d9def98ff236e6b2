//! The connector's stored offset. It holds a bare LSN and not whose log that is, so after a change of server it
//! must be rewritten: a position ahead of the new log makes the connector skip in silence, one behind the new
//! slot makes it refuse (docs/anomalies.md, A-004 and A-005).
//!
//! What is stored for a position says `cutover_clients::connect::offset_at`. Connect changes offsets
//! from Kafka 3.6 on; an older worker answers 405, and then the record is written into its offsets topic, which
//! it takes up when the connector is resumed (measured with 3.5.1). Either way the connector must be STOPPED, and
//! Debezium validates nothing of it: so it is read back, by GET, which both have.

use std::sync::Arc;

use cutover_clients::connect::{Connect, ConnectError, StoredOffset, offset_at};
use cutover_clients::kafka::{Kafka, OffsetKey};
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::{current_lsn, server_facts};
use cutover_clients::pg::slots::slot;
use cutover_model::Lsn;
use serde_json::{Map, Value, json};

use super::connector;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::fence::blocking;

/// Position of the slot on the current server.
async fn slot_position(cutover: &Cutover) -> Result<Lsn, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let name = &cutover.stream.slot;
    let position = slot(&client, name)
        .await?
        .and_then(|slot| slot.confirmed_flush);
    position.ok_or_else(|| UpgradeError::Disproved(format!("slot {name} has no position")))
}

/// The offset from before, and the partition that it is stored under: one that was read, if there was one.
fn stored(cutover: &Cutover) -> Result<(Option<&StoredOffset>, Value), UpgradeError> {
    let before = cutover.before()?.offset.as_ref();
    let partition = match before {
        Some(before) => before.partition.clone(),
        None => json!({ "server": cutover.stream.topic_prefix }),
    };
    Ok((before, partition))
}

pub(super) async fn rewrite(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let position = slot_position(cutover).await?;
    if let Some(gap) = cutover.seen.gap
        && gap.until != position
    {
        return Err(UpgradeError::Disproved(format!(
            "the slot has moved from {} to {position} while the gap before it was closed: somebody has read it",
            gap.until
        )));
    }
    let way = store_position(cutover, position).await?;
    let (before, _) = stored(cutover)?;
    let old = before
        .and_then(StoredOffset::lsn)
        .map_or_else(|| "none".into(), |lsn| lsn.to_string());
    let client = connect_admin(cutover.target()).await?;
    cutover.seen.offset_of = Some(server_facts(&client).await?.incarnation);
    Ok(format!(
        "offset {old} of the old log, {position} of the new one, {way}"
    ))
}

/// Stores a position as the offset.
pub(super) async fn store_position(
    cutover: &Cutover,
    position: Lsn,
) -> Result<String, UpgradeError> {
    let (_, partition) = stored(cutover)?;
    store(cutover, &partition, Some(&offset_at(position))).await
}

/// Stores an offset, or removes it (`None`), by Connect where it can, else by its offsets topic. Says which way.
/// The connector must be STOPPED: Connect refuses otherwise, and for the topic it is looked at here, since a
/// running task would store its own offset over ours.
pub(super) async fn store(
    cutover: &Cutover,
    partition: &Value,
    offset: Option<&Map<String, Value>>,
) -> Result<String, UpgradeError> {
    let place = OffsetPlace {
        connect: &cutover.connect,
        connector: &cutover.stream.connector,
        kafka: Some(&cutover.kafka),
        topic: Some(&cutover.stream.offsets_topic),
    };
    place.store(partition, offset).await
}

/// Where the offset of a connector is kept, and both ways to it.
pub(crate) struct OffsetPlace<'a> {
    /// Its worker.
    pub connect: &'a Connect,
    /// Its name.
    pub connector: &'a str,
    /// The cluster of the offsets topic; needed where the worker cannot change offsets.
    pub kafka: Option<&'a Arc<Kafka>>,
    /// The offsets topic.
    pub topic: Option<&'a str>,
}

impl OffsetPlace<'_> {
    /// As [`store`], for any connector.
    pub(crate) async fn store(
        &self,
        partition: &Value,
        offset: Option<&Map<String, Value>>,
    ) -> Result<String, UpgradeError> {
        let name = self.connector;
        let asked = match offset {
            Some(offset) => self.connect.patch_offset(name, partition, offset).await,
            None => self.connect.remove_offset(name, partition).await,
        };
        match asked {
            Ok(()) => return Ok("written by Connect".into()),
            Err(ConnectError::NotSupported { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let status = self.connect.status(name).await?;
        if !status.is_some_and(|status| status.stopped()) {
            return Err(UpgradeError::Refused(format!(
                "connector {name} is not STOPPED: it would store its own offset over the one to be written"
            )));
        }
        let (Some(kafka), Some(topic)) = (self.kafka, self.topic) else {
            return Err(UpgradeError::Refused(format!(
                "this worker cannot change the offset of {name} (Kafka before 3.6): say where Kafka is and which topic \
                 holds its offsets (offset.storage.topic of the worker)"
            )));
        };
        let (kafka, topic) = (Arc::clone(kafka), topic.to_owned());
        let key = OffsetKey {
            connector: name.to_owned(),
            partition: partition.clone(),
        };
        let (offset, into) = (offset.cloned(), topic.clone());
        let written = blocking(move || kafka.offsets_topic(&topic).write(&key, offset.as_ref()));
        let record = written.await?;
        Ok(format!(
            "written to {into} partition {} at {}",
            record.partition, record.offset
        ))
    }
}

pub(super) async fn prove(cutover: &Cutover) -> Result<String, UpgradeError> {
    let position = slot_position(cutover).await?;
    let stored = cutover.connect.offsets(&cutover.stream.connector).await?;
    let lsn = stored.as_ref().and_then(StoredOffset::lsn);
    let commit = stored.as_ref().and_then(StoredOffset::lsn_commit);
    let client = connect_admin(cutover.target()).await?;
    let end = current_lsn(&client).await?;
    if lsn == Some(position.just_before()) && commit == Some(position) && position <= end {
        return Ok(format!(
            "the stored offset is right before the slot's {position}, the server's log at {end}"
        ));
    }
    let stored = lsn.map_or_else(|| "none".into(), |lsn| lsn.to_string());
    Err(UpgradeError::Disproved(format!(
        "stored offset {stored}, slot at {position}, the server's log at {end}"
    )))
}

/// Without a stored offset the connector begins at the slot's position, or with a snapshot: its `snapshot.mode`
/// decides. Nothing is looked at.
pub(super) async fn delete(cutover: &Cutover) -> Result<String, UpgradeError> {
    let name = &cutover.stream.connector;
    let (_, partition) = stored(cutover)?;
    let way = store(cutover, &partition, None).await?;
    Ok(format!("the stored offset of {name} is deleted, {way}"))
}

pub(super) async fn restore(cutover: &Cutover) -> Result<String, UpgradeError> {
    let (before, partition) = stored(cutover)?;
    // It may have been resumed meanwhile, and Connect changes offsets of a stopped connector only. Taking back
    // the stop, which comes later, resumes it.
    connector::stop(cutover).await?;
    connector::prove_stopped(cutover).await?;
    let way = store(cutover, &partition, before.map(|before| &before.offset)).await?;
    let what = if before.is_some() {
        "old offset"
    } else {
        "removal of the offset"
    };
    Ok(format!("{what} {way}"))
}
