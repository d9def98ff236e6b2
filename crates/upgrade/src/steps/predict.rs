//! Before the connector starts: what will it do here? The facts are read when everything is in place, and the
//! prediction is kept; a rehearsal compares it with what was measured.
//!
//! The rule it protects: in a proven runbook a connector is not started unless it is predicted to resume exactly.

use std::sync::Arc;

use cutover_clients::connect::StoredOffset;
use cutover_clients::kafka::OffsetKey;
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::{ServerFacts, server_facts};
use cutover_clients::pg::recovery::fork_point;
use cutover_clients::pg::slots::slot;
use cutover_model::{Incarnation, PredictedOutcome, Prediction};
use serde_json::{Map, Value, json};

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::fence::blocking;
use crate::hands::{Hands, Side};
use crate::predict::{LiveFacts, PredictionFacts, predict};
use crate::start::Starting;

/// Predicts what a start with this configuration does on the server that it points to.
pub(super) async fn note<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
    config: &Map<String, Value>,
) -> Result<Prediction, UpgradeError> {
    let name = cutover.stream.connector.clone();
    let starting = Starting {
        connect: cutover.connect.clone(),
        connector: name.clone(),
        config: config.clone(),
    };
    let debezium = starting.version().await?;
    let client = connect_admin(cutover.starts_on()).await?;
    let server = server_facts(&client).await?;
    let slot = slot(&client, &cutover.stream.slot).await?;
    let offset = waiting_offset(cutover).await?;
    let mut facts = PredictionFacts::from_live(LiveFacts {
        server: &server,
        slot: slot.as_ref(),
        offset: offset.as_ref(),
        config,
        debezium: &debezium,
        offset_of: cutover.seen.offset_of.filter(|_| offset.is_some()),
        slot_is_read_by_us: true,
    })?;
    facts.server.subscribed = cutover.seen.subscribed;
    facts.server.fork_lsn = fork(&client, &server, cutover.seen.offset_of).await?;
    // A side server has the log of both lives; whoever watches these two cannot tell what it will deliver.
    let watched = cutover.reader != Side::Beside;
    let begins = slot.and_then(|slot| slot.confirmed_flush);
    if let Some(begins) = begins.filter(|_| watched) {
        // The server sends nothing before the offset that it is asked for, whichever log that counts: a copy that was
        // opened has the same timeline, and only what it has committed since tells it apart.
        let asked = offset.as_ref().and_then(StoredOffset::lsn);
        let begins = asked.map_or(begins, |asked| asked.max(begins).min(server.current_lsn));
        facts.at_stake = hands.at_stake(begins).await;
    }
    let prediction = predict(&facts)?;
    cutover.seen.predictions.push(prediction.clone());
    if cutover.seen.proven && prediction.outcome != PredictedOutcome::Resumes {
        return Err(UpgradeError::Disproved(format!(
            "the connector would not resume exactly; {}",
            told(&prediction)
        )));
    }
    Ok(prediction)
}

/// The offset that a start will find. Of a connector that was deleted Connect shows none, yet keeps it: it stands in
/// the offsets topic, and whoever deploys the same name again goes on there.
async fn waiting_offset(cutover: &Cutover) -> Result<Option<StoredOffset>, UpgradeError> {
    let name = &cutover.stream.connector;
    if cutover.connect.status(name).await?.is_some() {
        return Ok(cutover.connect.offsets(name).await?);
    }
    offset_in_topic(cutover).await
}

/// The offset as Connect's topic has it, whether a worker is there or not.
pub(super) async fn offset_in_topic(
    cutover: &Cutover,
) -> Result<Option<StoredOffset>, UpgradeError> {
    let name = &cutover.stream.connector;
    let partition = json!({ "server": cutover.stream.topic_prefix });
    let key = OffsetKey {
        connector: name.clone(),
        partition: partition.clone(),
    };
    let (kafka, topic) = (
        Arc::clone(&cutover.kafka),
        cutover.stream.offsets_topic.clone(),
    );
    let found = blocking(move || kafka.offsets_topic(&topic).find(&key)).await?;
    let offset = found.and_then(|record| record.value);
    Ok(offset.map(|offset| StoredOffset { partition, offset }))
}

/// Where the server's timeline left that of the offset; only inside one system do positions compare.
async fn fork(
    client: &cutover_clients::pg::Client,
    server: &ServerFacts,
    offset_of: Option<Incarnation>,
) -> Result<Option<cutover_model::Lsn>, UpgradeError> {
    let now = server.incarnation;
    match offset_of {
        Some(then) if then.system_id == now.system_id && then.timeline != now.timeline => {
            Ok(fork_point(client, now.timeline, then.timeline).await?)
        }
        _ => Ok(None),
    }
}

/// One line for the journal.
pub(super) fn told(prediction: &Prediction) -> String {
    format!(
        "predicted: {} ({})",
        prediction.outcome,
        prediction.because.first().map_or("", String::as_str)
    )
}
