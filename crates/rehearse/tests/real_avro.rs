//! Claims about records in Avro, with a real registry, converter, worker and server. With `CUTOVER_CAPTURE` set to a
//! folder it also writes what the unit tests of the decoder are fixed to (`crates/record/tests/fixtures/avro*`).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod lab;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cutover_clients::kafka::ReadRange;
use cutover_clients::pg::publication::{create_publication, table_shapes};
use cutover_clients::registry::{Registry, RegistryAddress};
use cutover_lab::StackSpec;
use cutover_lab::stack::RegistrySpec;
use cutover_model::table::{quote_identifier, quote_literal};
use cutover_model::{Classified, ExitCode, Failure, Relation, TableShape};
use cutover_record::RecordError;
use cutover_record::topics::TopicsEnd;
use cutover_rehearse::connector::{ConnectorPlan, Converter, Payload, config, deploy};
use cutover_rehearse::scene::stream;
use cutover_upgrade::Stream;
use lab::Lab;
use serde_json::{Map, Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../record/tests/fixtures");
/// Its last column's type has no canonical form; the names are what PostgreSQL allows and Avro does not.
const ODD: &str = "create type public.mood as enum ('ok', 'not ok');
    create table public.\"odd-1\" (\"id\" bigint, \"my-col\" text, \"1st\" int, \"größe\" numeric(5,2),
        \"a_b\" text, \"Ω\" timestamp, feel public.mood, primary key (\"id\", \"my-col\"))";

/// One connector: its name is the prefix of its topics and the name of its fixture.
struct Form {
    name: &'static str,
    payload: Payload,
    /// Decimals, times, binaries.
    modes: [&'static str; 3],
    options: &'static [(&'static str, &'static str)],
}

const FORMS: [Form; 6] = [
    Form {
        name: "avro",
        payload: Payload::Envelope,
        modes: ["precise", "adaptive", "bytes"],
        options: &[],
    },
    Form {
        name: "avro_flat",
        payload: Payload::Flattened,
        modes: ["double", "connect", "hex"],
        options: &[],
    },
    // Without Connect's names in the schemas, which is an option of the converter.
    Form {
        name: "avro_bare",
        payload: Payload::Envelope,
        modes: ["string", "microseconds", "base64"],
        options: &[
            ("key.converter.connect.meta.data", "false"),
            ("value.converter.connect.meta.data", "false"),
        ],
    },
    Form {
        name: "avro_unicode",
        payload: Payload::Envelope,
        modes: ["precise", "adaptive_time_microseconds", "bytes"],
        options: &[
            ("table.include.list", "public.odd-1,public.two"),
            ("field.name.adjustment.mode", "avro_unicode"),
            ("schema.name.adjustment.mode", "avro_unicode"),
        ],
    },
    // Names as they are, for the converter to deal with.
    Form {
        name: "avro_scrubbed",
        payload: Payload::Envelope,
        modes: ["precise", "nanoseconds", "base64-url-safe"],
        options: &[
            ("table.include.list", "public.odd-1,public.two"),
            ("field.name.adjustment.mode", "none"),
            ("schema.name.adjustment.mode", "none"),
            ("key.converter.scrub.invalid.names", "true"),
            ("value.converter.scrub.invalid.names", "true"),
        ],
    },
    Form {
        name: "cloud_events",
        payload: Payload::Envelope,
        modes: ["precise", "adaptive", "bytes"],
        options: &[
            ("table.include.list", "public.two"),
            (
                "value.converter",
                "io.debezium.converters.CloudEventsConverter",
            ),
        ],
    },
];

fn registry(lab: &Lab) -> String {
    lab.stack.registry.as_ref().unwrap().url()
}

impl Lab {
    /// The tables of the fixtures, as their shapes say.
    async fn tables(&self) -> Vec<Relation> {
        let mut relations = Vec::new();
        for shape in shapes() {
            if shape.relation.name != "odd-1" {
                let mut columns = Vec::new();
                for column in &shape.columns {
                    let (oid, modifier) = (column.type_oid, column.type_modifier);
                    let question = format!("select format_type({oid}, {modifier})");
                    let row = self.client.query_one(&question, &[]);
                    let kind: String = row.await.unwrap().get(0);
                    columns.push(format!("{} {kind}", quote_identifier(&column.name)));
                }
                let keys = shape.columns.iter().filter(|column| column.key);
                let keys: Vec<String> = keys.map(|key| quote_identifier(&key.name)).collect();
                if !keys.is_empty() {
                    columns.push(format!("primary key ({})", keys.join(", ")));
                }
                let table = &shape.relation;
                self.sql(&format!("create table {table} ({})", columns.join(", ")))
                    .await;
                relations.push(table.clone());
            }
        }
        self.sql(ODD).await;
        relations.push(Relation::new("public", "odd-1"));
        for relation in &relations {
            if relation.name != "defid" {
                let name = quote_identifier(&relation.name);
                self.sql(&format!("alter table public.{name} replica identity full"))
                    .await;
            }
        }
        self.sql(
            "alter table defid alter big set storage external;
             alter table wide alter big set storage external, alter bin set storage external",
        )
        .await;
        relations
    }

    /// Rows of the fixture whose key begins with a digit.
    async fn values(&self, begins: &str) {
        for line in fixture("values.jsonl").lines() {
            let row: Map<String, Value> = serde_json::from_str(line).unwrap();
            if row["id"].as_str().unwrap().starts_with(begins) {
                let names: Vec<String> = row.keys().map(|name| quote_identifier(name)).collect();
                let value = |value: &Value| value.as_str().map_or("null".into(), quote_literal);
                let values: Vec<String> = row.values().map(value).collect();
                let (names, values) = (names.join(", "), values.join(", "));
                self.sql(&format!(
                    "insert into values_of_all ({names}) values ({values})"
                ))
                .await;
            }
        }
    }

    async fn deploy(&self, form: &Form, relations: &[Relation]) -> (Stream, Map<String, Value>) {
        let stream = Stream {
            connector: form.name.into(),
            topic_prefix: form.name.into(),
            slot: form.name.into(),
            tables: relations.to_vec(),
            ..stream("x")
        };
        let plan = ConnectorPlan {
            converter: Converter::Avro,
            payload: form.payload,
            ..ConnectorPlan::default()
        };
        let registry = registry(self);
        let mut config = config(&stream, &self.debezium, plan, "3.7.0", Some(&registry)).unwrap();
        let [decimal, time, binary] = form.modes;
        let all = [
            ("decimal.handling.mode", decimal),
            ("time.precision.mode", time),
            ("binary.handling.mode", binary),
            ("skipped.operations", "none"),
        ];
        for (name, value) in all.iter().chain(form.options) {
            config.insert((*name).into(), Value::from(*value));
        }
        deploy(&self.connect, &self.admin, &stream, &config)
            .await
            .unwrap();
        (stream, config)
    }

    /// The records of one connector, as lines of a fixture.
    fn records(&self, form: &Form) -> Vec<Value> {
        let kafka = &self.kafka;
        let begins = format!("{}.", form.name);
        let mut names: Vec<String> = kafka
            .topics()
            .unwrap()
            .into_iter()
            .map(|t| t.name)
            .collect();
        names.retain(|name| name.starts_with(&begins));
        names.sort();
        let mut lines = Vec::new();
        for topic in names {
            let (from, to) = kafka.watermarks(&topic, 0).unwrap();
            let timeout_idle = Duration::from_secs(10);
            let range = ReadRange {
                topic: &topic,
                partition: 0,
                from,
                to,
                timeout_idle,
            };
            let mut look = |record: &cutover_clients::kafka::Record<'_>| {
                let base64 = |bytes: Option<&[u8]>| bytes.map(|bytes| STANDARD.encode(bytes));
                let headers = record.headers.iter().map(|(name, _)| *name);
                let telling = headers.filter(|name| !name.starts_with("__debezium.context"));
                lines.push(json!({
                    "topic": record.topic, "offset": record.offset,
                    "headers": telling.collect::<Vec<_>>(),
                    "key": base64(record.key), "value": base64(record.value),
                }));
                ControlFlow::Continue(())
            };
            kafka.read_range(&range, &mut look).unwrap();
        }
        lines
    }

    async fn record(
        &self,
        stream: &Stream,
        config: &Map<String, Value>,
    ) -> Result<TopicsEnd, RecordError> {
        let shapes = table_shapes(&self.client, &stream.tables).await.unwrap();
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        self.published(&stream.topic_prefix, &shapes, config, folder.path())
            .await
    }
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{FIXTURES}/{name}")).unwrap()
}

fn shapes() -> Vec<TableShape> {
    serde_json::from_str(&fixture("shapes.json")).unwrap()
}

/// What happens to the tables while all connectors stream.
const LOAD: [&str; 9] = [
    "insert into values_of_all (id, t) values (2098, 'x'); update values_of_all set t = 'y' where id = 2098;
     delete from values_of_all where id = 2098",
    "insert into nokey values (1, 'a', 1.10, 1), (1, 'a', 1.10, 1), (null, null, null, null);
     update nokey set t = 'b' where a = 1; delete from nokey where a = 1;
     insert into nokey values (5, 'toast', 2.00, 1)",
    "truncate nokey",
    "insert into defid values (2000, 'x', 1.0, (select string_agg(md5(n::text), '') from generate_series(1, 70) n));
     update defid set t = 'y' where id = 2000; update defid set id = 2001 where id = 2000;
     delete from defid where id = 2001",
    "insert into two values ('k', '2024-01-01 00:00:00.5+00', '11111111-2222-3333-4444-5555555555ab', 1);
     update two set revision = 2; update two set a = 'k2'; delete from two",
    "insert into wide select n, 'x', (select string_agg(md5(m::text), '') from generate_series(1, 70) m),
        decode(repeat('00ff', 1100), 'hex') from generate_series(2000, 2001) n;
     update wide set t = 'y'; delete from wide where id = 2000",
    "insert into \"odd-1\" values (1, 'x', 7, 1.25, 'u', '2024-01-02 03:04:05.678901', 'ok'),
        (2, 'ö', null, null, null, null, null);
     update \"odd-1\" set a_b = 'v', feel = 'not ok' where id = 1; delete from \"odd-1\" where id = 2",
    "select pg_logical_emit_message(true, 'cutover', 'token-t-:base')",
    "select pg_logical_emit_message(false, 'cutover', 'token-n-:base')",
];

#[tokio::test]
async fn avro_is_read_back_whole_and_a_registry_that_is_gone_is_named() {
    let with_registry = |spec: &mut StackSpec| spec.registry = Some(RegistrySpec::default());
    let mut world = Lab::up("avro", "16.14", with_registry).await;
    let relations = world.tables().await;
    let publication = &stream("x").publication;
    create_publication(&world.client, publication, &relations)
        .await
        .unwrap();
    world.values("1").await;
    let mut deployed = Vec::new();
    for form in &FORMS {
        deployed.push(world.deploy(form, &relations).await);
    }
    world.values("2").await;
    world.values("3").await;
    for part in LOAD {
        world.sql(part).await;
    }
    for form in &FORMS {
        world.messages(form.name, 2).await;
    }
    if let Some(folder) = std::env::var_os("CUTOVER_CAPTURE") {
        capture(&world, Path::new(&folder), &relations).await;
    }
    for (form, (stream, config)) in FORMS.iter().zip(&deployed) {
        let end = world.record(stream, config).await.unwrap();
        let payload = &end.payload;
        if form.name == "cloud_events" {
            assert_eq!(end.published, 0);
            let named = |sample: &&String| sample.ends_with("CloudEvents, not decoded");
            let samples = &payload.undecoded_samples;
            assert_eq!(samples.iter().filter(named).count(), 5, "{samples:?}");
            continue;
        }
        let form_seen = match form.payload {
            Payload::Envelope => "debezium envelope, avro",
            Payload::Flattened => "flat row, avro",
        };
        assert_eq!(payload.format, form_seen);
        let samples = &payload.undecoded_samples;
        assert_eq!(payload.undecoded, 0, "{}: {samples:?}", form.name);
        assert!(payload.has_lsn && payload.has_op, "{}", form.name);
        assert_eq!(end.messages, 2);
        let told: BTreeSet<&String> = end.problems.iter().collect();
        let expected = |problem: &&&String| problem.contains("updates cannot be told apart");
        assert_eq!(told.iter().filter(|p| !expected(p)).count(), 0, "{told:?}");
    }

    world.stack.registry.as_mut().unwrap().kill().await.unwrap();
    let (stream, config) = &deployed[0];
    let error = world.record(stream, config).await.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Unreachable);
    assert_eq!(error.code(), "REGISTRY-UNREACHABLE-001");
    let text = Failure::of(&error).message;
    assert!(
        text.contains("avro.") && text.contains("schema registry at http://127"),
        "{text}"
    );

    // Its schemas were on disk: the same ids mean the same after a kill.
    let registry = world.stack.registry.as_mut().unwrap();
    registry.start().unwrap();
    registry.ready().await.unwrap();
    let end = world.record(stream, config).await.unwrap();
    assert_eq!(end.payload.undecoded, 0);
    world.down().await;
}

/// Writes the fixtures: records of each connector, schemas by id, and the shape of the odd table.
async fn capture(world: &Lab, folder: &Path, relations: &[Relation]) {
    let mut ids = BTreeSet::new();
    for form in &FORMS {
        let lines = world.records(form);
        for line in &lines {
            for half in ["key", "value"] {
                let bytes = line[half]
                    .as_str()
                    .map(|text| STANDARD.decode(text).unwrap());
                if let Some([0, a, b, c, d, ..]) = bytes.as_deref() {
                    ids.insert(u32::from_be_bytes([*a, *b, *c, *d]));
                }
            }
        }
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let file = folder.join(format!("{}.jsonl", form.name));
        std::fs::write(file, lines.join("\n") + "\n").unwrap();
    }
    let registry = Registry::new(&RegistryAddress::parse(&registry(world)));
    let mut schemas = BTreeMap::new();
    for id in ids {
        schemas.insert(id, registry.schema(id).await.unwrap().unwrap().text);
    }
    let schemas = serde_json::to_string_pretty(&schemas).unwrap();
    std::fs::write(folder.join("avro_schemas.json"), schemas + "\n").unwrap();
    let odd = &relations[relations.len() - 1..];
    let shapes = table_shapes(&world.client, odd).await.unwrap();
    let shapes = serde_json::to_string(&shapes).unwrap();
    std::fs::write(folder.join("odd_shape.json"), shapes + "\n").unwrap();
}
