//! The connector of a rehearsal: an ordinary Debezium configuration, with intervals short enough that a
//! rehearsal does not wait for defaults made for production; or a shipped configuration as it is (`request`).
//!
//! Option names differ between versions of Debezium, and an unknown name is ignored in silence; so the version
//! decides which ones are written.

use std::time::Duration;

use cutover_clients::connect::{Connect, Status};
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{PgAddress, PgHost, connect_admin};
use cutover_clients::wait::{Poll, until};
use cutover_upgrade::Stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::RehearseError;
use crate::request::Request;

/// How long a connector may need until it streams.
const STREAMING: Duration = Duration::from_secs(90);

/// What records look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectorPlan {
    /// Envelope or flattened.
    #[serde(default)]
    pub payload: Payload,
    /// What writes keys and values.
    #[serde(default)]
    pub converter: Converter,
    /// JSON with the schema inline in every value, and not in the keys.
    #[serde(default)]
    pub inline_schema: bool,
    /// Whether existing rows are read first.
    #[serde(default)]
    pub snapshot: Snapshot,
    /// Captures only tables with a primary key. Flattened updates of a row without key cannot be told apart, so
    /// a stream that holds some is never proven whole.
    #[serde(default)]
    pub keyed_tables_only: bool,
    /// The connector demands exactly-once delivery, and the worker is set up for it.
    #[serde(default)]
    pub exactly_once: bool,
    /// Small batches: the stored offset and the records are never far apart.
    #[serde(default)]
    pub small_batches: bool,
    /// BEGIN and END of each transaction go to a topic of their own, and each change says its transaction.
    #[serde(default)]
    pub transaction_metadata: bool,
    /// Heartbeats, twice a second.
    #[serde(default)]
    pub heartbeats: bool,
    /// A shipped configuration, deployed as it is; it settles all of the above but `exactly_once`, which it does
    /// not ask for.
    #[serde(default)]
    pub config: Option<Request>,
    /// The shipped configuration that a step which deploys the connector again uses.
    #[serde(default)]
    pub redeploy: Option<Request>,
}

impl ConnectorPlan {
    /// What contradicts itself in the plan, for a version of Debezium.
    pub fn contradiction(&self, debezium: &str) -> Option<String> {
        if self.inline_schema && self.converter != Converter::Json {
            return Some("connector.converter says it all: leave inline_schema out".into());
        }
        let Some(request) = self.config else {
            let lone = "connector.redeploy takes the place of a connector.config: name that too";
            return self.redeploy.map(|_| lone.into());
        };
        let rest = ConnectorPlan {
            config: None,
            redeploy: None,
            ..*self
        };
        if rest != ConnectorPlan::default() {
            return Some("connector.config is deployed as it is: leave the other keys out".into());
        }
        request.outdated(DebeziumVersion::of(debezium))
    }
}

/// What writes keys and values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Converter {
    /// JSON.
    #[default]
    Json,
    /// JSON with the schema inline, in keys and values.
    JsonSchema,
    /// Avro, with the schemas in a registry.
    Avro,
}

impl Converter {
    /// Its options. `registry` is the address of a registry for those that need one.
    fn options(self, registry: Option<&str>) -> Result<Vec<(String, String)>, RehearseError> {
        let json = |inline: bool| {
            let class = "org.apache.kafka.connect.json.JsonConverter".to_owned();
            vec![("", class), (".schemas.enable", inline.to_string())]
        };
        let of_both = match (self, registry) {
            (Converter::Json, _) => json(false),
            (Converter::JsonSchema, _) => json(true),
            (Converter::Avro, Some(registry)) => vec![
                ("", "io.confluent.connect.avro.AvroConverter".to_owned()),
                (".schema.registry.url", registry.to_owned()),
            ],
            (Converter::Avro, None) => {
                let what = "connector.converter = \"avro\" needs a registry, and none runs";
                return Err(RehearseError::Load(what.into()));
            }
        };
        let both = |(name, value): (&str, String)| {
            ["key", "value"].map(|part| (format!("{part}.converter{name}"), value.clone()))
        };
        let mut options: Vec<(String, String)> = of_both.into_iter().flat_map(both).collect();
        if self == Converter::Avro {
            // Names of schemas begin with topic.prefix, which may hold what Avro's names must not.
            for what in ["schema", "field"] {
                options.push((format!("{what}.name.adjustment.mode"), "avro".to_owned()));
            }
        }
        Ok(options)
    }
}

/// Whether a connector without stored offset reads existing rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Snapshot {
    /// All of them, first.
    #[default]
    Initial,
    /// None of them.
    None,
}

/// Major and minor version of Debezium: what decides which options it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DebeziumVersion {
    major: u32,
    minor: u32,
}

/// From here on one option says what becomes of deletes and tombstones.
const ONE_TOMBSTONE_OPTION: DebeziumVersion = DebeziumVersion::new(2, 5);
/// From here on `never` is called `no_data`; the old name is gone in 3.3.
const NO_DATA: DebeziumVersion = DebeziumVersion::new(2, 6);

impl DebeziumVersion {
    /// A version.
    pub const fn new(major: u32, minor: u32) -> DebeziumVersion {
        DebeziumVersion { major, minor }
    }

    /// Of `2.4.0`; what is no number counts as the newest.
    pub fn of(version: &str) -> DebeziumVersion {
        let mut numbers = version.split('.').map(|part| part.parse().ok());
        let mut next = || numbers.next().flatten().unwrap_or(u32::MAX);
        DebeziumVersion::new(next(), next())
    }
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

/// Host for the connector. Debezium speaks TCP only; a Unix socket of ours belongs to a server on loopback.
pub fn tcp_host(address: &PgAddress) -> String {
    match &address.host {
        PgHost::Tcp(host) => host.clone(),
        PgHost::Unix(_) => "127.0.0.1".into(),
    }
}

/// The configuration for a stream and a version of Debezium. `address` is the connector's own (TCP, its role and
/// password), `registry` that of the schema registry, if there is one.
pub fn config(
    stream: &Stream,
    address: &PgAddress,
    plan: ConnectorPlan,
    debezium: &str,
    registry: Option<&str>,
) -> Result<Map<String, Value>, RehearseError> {
    if let Some(request) = plan.config {
        return request.config(address);
    }
    let version = DebeziumVersion::of(debezium);
    let tables: Vec<String> = stream.tables.iter().map(ToString::to_string).collect();
    let snapshot = match plan.snapshot {
        Snapshot::Initial => "initial",
        Snapshot::None if version >= NO_DATA => "no_data",
        Snapshot::None => "never",
    };
    let settings = json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "database.hostname": tcp_host(address),
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
        "snapshot.mode": snapshot,
        "poll.interval.ms": "50",
        "status.update.interval.ms": "500",
        "retriable.restart.connector.wait.ms": "1000",
        // At a resume Debezium opens its stream twice; the second try often meets the first one's walsender
        // and then waits this long (default 10 s; docs/anomalies.md, A-002).
        "slot.retry.delay.ms": "250",
        "slot.max.retries": "40",
        "topic.creation.default.replication.factor": "1",
        "topic.creation.default.partitions": "1",
    });
    let mut config = match settings {
        Value::Object(config) => config,
        _ => Map::new(),
    };
    for (option, value) in plan.converter.options(registry)? {
        config.insert(option, value.into());
    }
    wishes(&mut config, plan);
    if plan.payload == Payload::Flattened {
        flatten(&mut config, version);
    }
    Ok(config)
}

/// Options that stand for one key of the plan each.
fn wishes(config: &mut Map<String, Value>, plan: ConnectorPlan) {
    let wanted: [(bool, &[(&str, &str)]); 5] = [
        (
            plan.inline_schema,
            &[("value.converter.schemas.enable", "true")],
        ),
        (plan.exactly_once, &[("exactly.once.support", "required")]),
        (
            plan.small_batches,
            &[("max.batch.size", "16"), ("max.queue.size", "32")],
        ),
        (
            plan.transaction_metadata,
            &[("provide.transaction.metadata", "true")],
        ),
        (plan.heartbeats, &[("heartbeat.interval.ms", "500")]),
    ];
    let wanted = wanted.iter().filter(|(wanted, _)| *wanted);
    for (option, value) in wanted.flat_map(|(_, options)| *options) {
        config.insert((*option).into(), (*value).into());
    }
}

/// The topic through which a connector is told to read keys again.
pub fn signal_topic(stream: &Stream) -> String {
    format!("{}.signals", stream.topic_prefix)
}

/// Signals come from Kafka, and the connector writes nothing into the database for them (2.7 and newer).
pub fn hear_signals(config: &mut Map<String, Value>, stream: &Stream, bootstrap: &str) {
    let options = [
        ("signal.enabled.channels", "kafka".to_owned()),
        ("signal.kafka.topic", signal_topic(stream)),
        ("signal.kafka.bootstrap.servers", bootstrap.to_owned()),
        ("signal.kafka.poll.timeout.ms", "100".to_owned()),
        ("signal.poll.interval.ms", "500".to_owned()),
        ("read.only", "true".to_owned()),
    ];
    for (name, value) in options {
        config.insert(name.into(), value.into());
    }
}

fn flatten(config: &mut Map<String, Value>, version: DebeziumVersion) {
    let tombstones: &[(&str, &str)] = if version >= ONE_TOMBSTONE_OPTION {
        &[("delete.tombstone.handling.mode", "rewrite-with-tombstone")]
    } else {
        &[
            ("delete.handling.mode", "rewrite"),
            ("drop.tombstones", "false"),
        ]
    };
    let options = [
        ("type", "io.debezium.transforms.ExtractNewRecordState"),
        ("add.fields", "op,source.ts_ms,source.lsn"),
    ];
    config.insert("transforms".into(), "unwrap".into());
    for (name, value) in options.iter().chain(tombstones) {
        config.insert(format!("transforms.unwrap.{name}"), (*value).into());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_gets_the_options_that_it_knows() {
        let stream = crate::scene::stream("x");
        let address = PgAddress {
            host: PgHost::Unix("/run".into()),
            port: 1,
            user: "u".into(),
            password: cutover_clients::secret::Secret::default(),
            database: "d".into(),
            tls: Default::default(),
        };
        let plan = ConnectorPlan {
            payload: Payload::Flattened,
            snapshot: Snapshot::None,
            exactly_once: true,
            ..ConnectorPlan::default()
        };
        let config = |version| config(&stream, &address, plan, version, None).unwrap();
        let (old, middle, new) = (config("2.4.0"), config("2.5.0"), config("3.7.0"));
        assert_eq!(old["transforms.unwrap.delete.handling.mode"], "rewrite");
        assert_eq!(old["transforms.unwrap.drop.tombstones"], "false");
        assert_eq!(old["snapshot.mode"], "never");
        assert!(!middle.contains_key("transforms.unwrap.drop.tombstones"));
        assert_eq!(middle["snapshot.mode"], "never");
        let one = "transforms.unwrap.delete.tombstone.handling.mode";
        assert_eq!(new[one], "rewrite-with-tombstone");
        assert_eq!(new["snapshot.mode"], "no_data");
        assert_eq!(new["exactly.once.support"], "required");
    }

    #[test]
    fn a_shipped_configuration_stands_alone_and_needs_a_version_that_knows_it() {
        let plan = ConnectorPlan {
            config: Some(Request::RequestA),
            ..ConnectorPlan::default()
        };
        assert_eq!(plan.contradiction("2.4.0"), None);
        assert!(plan.contradiction("3.7.0").is_some());
        let both = ConnectorPlan {
            inline_schema: true,
            ..plan
        };
        assert!(both.contradiction("2.4.0").is_some());
    }

    #[test]
    fn each_converter_writes_keys_and_values_and_avro_needs_a_registry() {
        let of = |converter: Converter| converter.options(Some("http://h:1/apis"));
        let find = |options: &[(String, String)], name: &str| {
            let found = options.iter().find(|(option, _)| option == name);
            found.map(|(_, value)| value.clone())
        };
        for (converter, inline) in [(Converter::Json, "false"), (Converter::JsonSchema, "true")] {
            let options = of(converter).unwrap();
            for part in ["key", "value"] {
                let name = format!("{part}.converter.schemas.enable");
                assert_eq!(find(&options, &name).as_deref(), Some(inline));
            }
        }
        let options = of(Converter::Avro).unwrap();
        for part in ["key", "value"] {
            let class = find(&options, &format!("{part}.converter")).unwrap();
            assert!(class.ends_with("AvroConverter"), "{class}");
            let url = find(&options, &format!("{part}.converter.schema.registry.url"));
            assert_eq!(url.as_deref(), Some("http://h:1/apis"));
        }
        assert!(Converter::Avro.options(None).is_err());
        let both = ConnectorPlan {
            inline_schema: true,
            converter: Converter::Avro,
            ..ConnectorPlan::default()
        };
        assert!(both.contradiction("3.7.0").is_some());
    }
}
