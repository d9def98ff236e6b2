//! The connector of a rehearsal: an ordinary Debezium configuration, with intervals short enough that a
//! rehearsal does not wait for defaults made for production.

use std::time::Duration;

use cutover_clients::connect::{Connect, Status};
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{PgAddress, PgHost, connect_admin};
use cutover_clients::wait::{Poll, until};
use cutover_upgrade::Stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::RehearseError;

/// How long a connector may need until it streams.
const STREAMING: Duration = Duration::from_secs(90);

/// What records look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorPlan {
    /// Envelope or flattened.
    #[serde(default)]
    pub payload: Payload,
    /// JSON with the schema inline in every value.
    #[serde(default)]
    pub inline_schema: bool,
}

/// Shape of the record values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Debezium's own envelope.
    #[default]
    Envelope,
    /// `ExtractNewRecordState` with op and LSN added, deletes rewritten.
    Flattened,
}

/// The configuration for a stream. `address` is the connector's own (TCP, its role and password).
pub fn config(stream: &Stream, address: &PgAddress, plan: ConnectorPlan) -> Map<String, Value> {
    let tables: Vec<String> = stream.tables.iter().map(ToString::to_string).collect();
    // Debezium speaks TCP only; a Unix socket of ours belongs to a server on loopback.
    let host = match &address.host {
        PgHost::Tcp(host) => host.clone(),
        PgHost::Unix(_) => "127.0.0.1".into(),
    };
    let settings = json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": host,
        "database.port": address.port.to_string(),
        "database.user": address.user,
        "database.password": address.password.reveal(),
        "database.dbname": address.database,
        "topic.prefix": stream.topic_prefix,
        "plugin.name": "pgoutput",
        "slot.name": stream.slot,
        "publication.name": stream.publication,
        "publication.autocreate.mode": "disabled",
        "table.include.list": tables.join(","),
        "snapshot.mode": "initial",
        "poll.interval.ms": "50",
        "status.update.interval.ms": "500",
        "retriable.restart.connector.wait.ms": "1000",
        // At a resume Debezium opens its stream twice; the second try often meets the first one's walsender
        // and then waits this long (default 10 s; docs/anomalies.md, A-002).
        "slot.retry.delay.ms": "250",
        "slot.max.retries": "40",
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": plan.inline_schema.to_string(),
    });
    let mut config = match settings {
        Value::Object(config) => config,
        _ => Map::new(),
    };
    if plan.payload == Payload::Flattened {
        flatten(&mut config);
    }
    config
}

fn flatten(config: &mut Map<String, Value>) {
    let prefix = "transforms.unwrap";
    let options = [
        ("type", "io.debezium.transforms.ExtractNewRecordState"),
        ("add.fields", "op,source.ts_ms,source.lsn"),
        ("delete.tombstone.handling.mode", "rewrite-with-tombstone"),
    ];
    config.insert("transforms".into(), "unwrap".into());
    for (name, value) in options {
        config.insert(format!("{prefix}.{name}"), value.into());
    }
}

/// Deploys a connector and waits until it streams: its slot gets a reader when streaming begins, after the
/// initial snapshot.
pub async fn deploy(
    connect: &Connect,
    server: &PgAddress,
    stream: &Stream,
    config: &Map<String, Value>,
) -> Result<(), RehearseError> {
    connect.put_config(&stream.connector, config).await?;
    let client = connect_admin(server).await?;
    until(
        "a streaming connector",
        STREAMING,
        Duration::from_millis(50),
        async || {
            let status = connect.status(&stream.connector).await?;
            if let Some(failure) = status.as_ref().and_then(Status::failure) {
                return Err(RehearseError::Load(format!(
                    "the connector failed: {failure}"
                )));
            }
            let active = slot(&client, &stream.slot)
                .await?
                .is_some_and(|slot| slot.active);
            let running = status.is_some_and(|status| status.running());
            let seen = format!("task running: {running}, slot in use: {active}");
            Ok(if running && active {
                Poll::Ready(())
            } else {
                Poll::NotYet(seen)
            })
        },
    )
    .await
    .map_err(RehearseError::waited)
}
