//! Kafka Connect's worker dies and is started again. While it is down nobody answers its interface: what the connector
//! will do is computed from the offset in Connect's own topic, from the server, and from what was noted before.
//!
//! The rule it protects: a connector that would pass over events is not started in a proven runbook. One that repeats
//! events is: delivering again is what a worker without exactly-once does, and no runbook takes that back.

use std::sync::Arc;

use cutover_clients::kafka::OffsetKey;
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::slots::slot;
use cutover_model::{PredictedOutcome, Prediction};

use super::predict::{offset_in_topic, told};
use crate::cutover::{Cutover, Deployed};
use crate::error::UpgradeError;
use crate::fence::blocking;
use crate::hands::Hands;
use crate::predict::{LiveFacts, PredictionFacts, predict};
use crate::saved::is_secret;
use crate::start::Starting;

pub(super) async fn crash<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let connector = Some(cutover.stream.connector.as_str());
    let mut starting = Starting::find(cutover.connect.clone(), connector).await?;
    let debezium = starting.version().await?;
    starting
        .config
        .retain(|option, value| !is_secret(option, value));
    cutover.seen.deployed = Some(Deployed {
        debezium,
        config: starting.config,
    });
    hands.crash_worker().await
}

pub(super) async fn start<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let prediction = foresee(cutover, hands).await?;
    let told = told(&prediction);
    let harmless = matches!(
        prediction.outcome,
        PredictedOutcome::Resumes | PredictedOutcome::Repeats
    );
    cutover.seen.predictions.push(prediction);
    if cutover.seen.proven && !harmless {
        return Err(UpgradeError::Disproved(format!(
            "the connector would pass over events; {told}"
        )));
    }
    let seconds = hands.start_worker().await?;
    Ok(format!("the worker serves after {seconds:.2} s; {told}"))
}

/// Lets everything after the last COMMIT be delivered again. The position one byte before it is that of no event: the
/// connector finds none that it takes for the last delivered one, and begins with the first transaction that commits
/// after it (measured with 3.6.3).
pub(super) async fn rewind(cutover: &Cutover) -> Result<String, UpgradeError> {
    let Some(stored) = offset_in_topic(cutover).await? else {
        return Ok("there is no stored offset".into());
    };
    let (Some(old), Some(commit)) = (stored.lsn(), stored.lsn_commit()) else {
        return Err(UpgradeError::Refused(
            "the stored offset names no COMMIT: the first transaction is still under way".into(),
        ));
    };
    let before = commit.just_before();
    let mut offset = stored.offset;
    for told in ["messageType", "lsn_events_processed"] {
        offset.remove(told);
    }
    for position in ["lsn", "lsn_proc"] {
        offset.insert(position.into(), before.as_i64().into());
    }
    let (kafka, topic) = (
        Arc::clone(&cutover.kafka),
        cutover.stream.offsets_topic.clone(),
    );
    let key = OffsetKey {
        connector: cutover.stream.connector.clone(),
        partition: stored.partition,
    };
    let written = blocking(move || kafka.offsets_topic(&topic).write(&key, Some(&offset))).await?;
    Ok(format!(
        "offset {old} moved to {before}, before the COMMIT that ends at {commit} (record {})",
        written.offset
    ))
}

pub(super) async fn prove_rewound(cutover: &Cutover) -> Result<String, UpgradeError> {
    let stored = offset_in_topic(cutover).await?;
    let positions = stored
        .as_ref()
        .map(|stored| (stored.lsn(), stored.lsn_commit()));
    match positions {
        Some((Some(lsn), Some(commit))) if lsn < commit => Ok(format!(
            "the stored offset is {lsn}, before the last COMMIT's end {commit}"
        )),
        None => Ok("there is no stored offset".into()),
        Some(found) => Err(UpgradeError::Disproved(format!(
            "the stored offset is not before its last COMMIT: {found:?}"
        ))),
    }
}

/// What the connector will do as soon as the worker is there: it starts by itself.
async fn foresee<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<Prediction, UpgradeError> {
    let Some(deployed) = cutover.seen.deployed.clone() else {
        return Err(UpgradeError::Refused(
            "what the worker ran was not noted before it died".into(),
        ));
    };
    let offset = offset_in_topic(cutover).await?;
    let client = connect_admin(cutover.reader()).await?;
    let server = server_facts(&client).await?;
    let slot = slot(&client, &cutover.stream.slot).await?;
    let mut facts = PredictionFacts::from_live(LiveFacts {
        server: &server,
        slot: slot.as_ref(),
        offset: offset.as_ref(),
        config: &deployed.config,
        debezium: &deployed.debezium,
        offset_of: Some(server.incarnation),
        slot_is_read_by_us: true,
    })?;
    if let Some(offset) = &facts.offset {
        facts.around = hands.around(offset).await;
    }
    predict(&facts)
}
