//! Claims about types: a table with a column of every type, read from the log, from the table and from the topics of
//! connectors in different handling modes. With `CUTOVER_CAPTURE` set to a folder it also writes what the unit tests
//! of the decoder are fixed to (`crates/record/tests/fixtures/types*`).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod lab;
mod streams;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cutover_clients::kafka::ReadRange;
use cutover_clients::pg::publication::{create_publication, table_shapes};
use cutover_clients::pg::slots::{create_slot, drop_slot};
use cutover_clients::registry::{Registry, RegistryAddress};
use cutover_clients::wait::Poll;
use cutover_lab::StackSpec;
use cutover_lab::stack::RegistrySpec;
use cutover_ledger::{ChangeWriter, StoredWriter, read_changes, read_stored};
use cutover_model::run_folder::LedgerKind;
use cutover_model::table::{quote_identifier, quote_literal};
use cutover_model::{Comparison, Op, Relation, RunFolder, TableShape};
use cutover_record::Notes;
use cutover_record::tables::record_tables;
use cutover_record::topics::{ConverterModes, TopicsEnd, settle};
use cutover_record::witness::{Witness, WitnessConfig, WitnessEnd};
use cutover_rehearse::connector::{ConnectorPlan, Converter, config, deploy};
use cutover_rehearse::scene::stream;
use cutover_upgrade::Stream;
use lab::{Lab, wait};
use serde::Deserialize;
use serde_json::{Map, Value, json};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../record/tests/fixtures");
const MARKERS: &str = "cutover-types";

/// A column of every type, with its values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    name: String,
    r#type: String,
    values: Vec<String>,
    /// Its first value is published right in every mode.
    #[serde(default = "yes")]
    plain: bool,
}

fn yes() -> bool {
    true
}

/// One connector: its name is the prefix of its topics and the name of its fixture.
struct Form {
    name: &'static str,
    converter: Converter,
    /// Decimals, times, binaries, intervals, hstores, unknown types.
    modes: [&'static str; 6],
}

const fn form(name: &'static str, converter: Converter, modes: [&'static str; 6]) -> Form {
    Form {
        name,
        converter,
        modes,
    }
}

const FORMS: [Form; 7] = [
    form(
        "types_precise",
        Converter::Json,
        ["precise", "adaptive", "bytes", "numeric", "json", "false"],
    ),
    form(
        "types_string",
        Converter::Json,
        ["string", "isostring", "hex", "string", "map", "true"],
    ),
    form(
        "types_double",
        Converter::JsonSchema,
        ["double", "connect", "base64", "string", "json", "true"],
    ),
    form(
        "types_micros",
        Converter::JsonSchema,
        [
            "precise",
            "microseconds",
            "base64-url-safe",
            "string",
            "map",
            "true",
        ],
    ),
    form(
        "types_nanos",
        Converter::Json,
        ["precise", "nanoseconds", "base64", "string", "json", "true"],
    ),
    form(
        "types_adaptive",
        Converter::Json,
        [
            "string",
            "adaptive_time_microseconds",
            "base64-url-safe",
            "string",
            "json",
            "false",
        ],
    ),
    form(
        "types_avro",
        Converter::Avro,
        ["precise", "adaptive", "bytes", "string", "map", "true"],
    ),
];

/// A connector with the witness that follows the log beside it.
struct Watched {
    form: &'static Form,
    stream: Stream,
    config: Map<String, Value>,
    shapes: Vec<TableShape>,
    witness: Witness,
    writer: Arc<Mutex<ChangeWriter>>,
}

/// With a registry, the build with the modules that extensions are made of, and room for a connector and a witness of
/// each form.
fn spacious(spec: &mut StackSpec) {
    spec.registry = Some(RegistrySpec::default());
    for setting in ["max_replication_slots", "max_wal_senders"] {
        let room = (setting.into(), "20".into());
        spec.postgres[0].1.settings.push(room);
    }
}

fn registry(lab: &Lab) -> String {
    lab.stack.registry.as_ref().unwrap().url()
}

impl Lab {
    /// `plain` and `awkward`, both with every column, and `large` with its row.
    async fn tables(&self) -> Vec<Relation> {
        let types = std::fs::read_to_string(format!("{FIXTURES}/types.sql")).unwrap();
        self.sql(&types).await;
        let mut relations = Vec::new();
        for table in ["plain", "awkward"] {
            let columns: Vec<String> = columns()
                .iter()
                .filter(|column| column.plain || table == "awkward")
                .map(|column| format!("{} {}", quote_identifier(&column.name), column.r#type))
                .collect();
            let columns = columns.join(", ");
            self.sql(&format!(
                "create table {table} (id bigint primary key, {columns},
                     twice bigint generated always as (id * 2) stored, gone int);
                 alter table {table} drop column gone, replica identity full"
            ))
            .await;
            relations.push(Relation::new("public", table));
        }
        relations.push(Relation::new("public", "large"));
        relations
    }

    /// Row n of `awkward` has the n-th value of each column; the only row of `plain` has the first.
    async fn rows(&self, base: usize) {
        let columns = columns();
        let longest = columns.iter().map(|column| column.values.len()).max();
        for place in 0..longest.unwrap() {
            let there = columns.iter().filter(|column| column.values.len() > place);
            self.insert("awkward", base + place, place, there).await;
        }
        let plain = columns.iter().filter(|column| column.plain);
        self.insert("plain", base, 0, plain).await;
        let all = ["plain", "awkward"];
        for table in all {
            let id = base + 99;
            self.sql(&format!("insert into {table} (id) values ({id})"))
                .await;
        }
    }

    async fn insert<'a>(
        &self,
        table: &str,
        id: usize,
        place: usize,
        columns: impl Iterator<Item = &'a Typed>,
    ) {
        let (mut names, mut values) = (String::from("id"), id.to_string());
        for column in columns {
            names = format!("{names}, {}", quote_identifier(&column.name));
            values = format!("{values}, {}", quote_literal(&column.values[place]));
        }
        self.sql(&format!("insert into {table} ({names}) values ({values})"))
            .await;
    }

    async fn watch(&self, form: &'static Form, relations: &[Relation]) -> Watched {
        let stream = Stream {
            connector: form.name.into(),
            topic_prefix: form.name.into(),
            slot: form.name.into(),
            tables: relations.to_vec(),
            ..stream("x")
        };
        let plan = ConnectorPlan {
            converter: form.converter,
            ..ConnectorPlan::default()
        };
        let registry = registry(self);
        let mut config = config(&stream, &self.debezium, plan, "3.7.0", Some(&registry)).unwrap();
        let names = [
            "decimal.handling.mode",
            "time.precision.mode",
            "binary.handling.mode",
            "interval.handling.mode",
            "hstore.handling.mode",
            "include.unknown.datatypes",
        ];
        for (name, mode) in names.iter().zip(form.modes) {
            config.insert((*name).into(), Value::from(mode));
        }
        let mut shapes = table_shapes(&self.client, relations).await.unwrap();
        settle(&mut shapes, &ConverterModes::from_connector_config(&config));
        let slot = format!("witness_{}", form.name);
        create_slot(&self.client, &slot, "pgoutput").await.unwrap();
        let writer = ChangeWriter::create(&self.folder.path().join(&slot), 4).unwrap();
        let writer = Arc::new(Mutex::new(writer));
        let witness = WitnessConfig {
            address: self.admin.clone(),
            slot,
            publication: stream.publication.clone(),
            incarnation: 0,
            shapes: shapes.clone(),
            marker_prefix: MARKERS.into(),
        };
        let witness = Witness::start(witness, Arc::clone(&writer)).unwrap();
        deploy(&self.connect, &self.admin, &stream, &config)
            .await
            .unwrap();
        Watched {
            form,
            stream,
            config,
            shapes,
            witness,
            writer,
        }
    }

    /// Waits until a marker has come through the connector and its witness.
    async fn arrived(&self, watched: &Watched) {
        self.messages(watched.form.name, 1).await;
        wait("the marker in the log", async || {
            match watched.witness.saw_marker("end") {
                Some(_) => Poll::Ready(()),
                None => Poll::NotYet("not seen".into()),
            }
        })
        .await;
    }

    /// Stops the witness; its ledger is complete then.
    async fn witnessed(&self, watched: Watched) -> (WitnessEnd, BTreeMap<String, Option<i64>>) {
        let Watched {
            witness,
            writer,
            form,
            ..
        } = watched;
        let stop = tokio::task::spawn_blocking(move || witness.stop());
        let end = stop.await.unwrap().unwrap();
        let writer = Arc::into_inner(writer).unwrap().into_inner().unwrap();
        writer.finish().unwrap();
        let slot = format!("witness_{}", form.name);
        drop_slot(&self.client, &slot).await.unwrap();
        (end, last_images(&self.folder.path().join(slot)))
    }
}

fn columns() -> Vec<Typed> {
    let text = std::fs::read_to_string(format!("{FIXTURES}/types.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Image after the last change of each key of `plain` that the log has, too.
fn last_images(folder: &Path) -> BTreeMap<String, Option<i64>> {
    let mut images = BTreeMap::new();
    for row in read_changes(folder).unwrap() {
        let row = row.unwrap();
        let changed = matches!(row.op, Op::Create | Op::Update);
        if row.relation == "public.plain" && changed {
            images.insert(row.key.unwrap(), row.after);
        }
    }
    images
}

/// Columns without content of a table, by the settled shape.
fn left_out(shape: &TableShape) -> BTreeSet<&str> {
    let columns = shape.columns.iter();
    let left = columns.filter(|column| column.comparison != Comparison::Compared);
    left.map(|column| column.name.as_str()).collect()
}

#[tokio::test]
async fn every_type_is_read_alike_from_log_table_and_topics_or_its_column_is_named() {
    let world = Lab::up("types", "17", spacious).await;
    let relations = world.tables().await;
    let publication = &stream("x").publication;
    create_publication(&world.client, publication, &relations)
        .await
        .unwrap();
    world.rows(1000).await;
    let mut all = Vec::new();
    for form in &FORMS {
        all.push(world.watch(form, &relations).await);
    }
    world.rows(2000).await;
    world.sql("update large set x = 2").await;
    // What was there before the connectors is in the log as well.
    world.sql("update plain set id = id").await;
    world
        .sql(&format!(
            "select pg_logical_emit_message(true, '{MARKERS}', 'end')"
        ))
        .await;
    for watched in &all {
        world.arrived(watched).await;
    }
    if let Some(folder) = std::env::var_os("CUTOVER_CAPTURE") {
        capture(&world, &all, Path::new(&folder)).await;
    }
    for watched in all {
        compare(&world, watched).await;
    }
    world.down().await;
}

/// Records with one connector's settings, and compares `plain` in all three ledgers.
async fn compare(world: &Lab, watched: Watched) {
    let name = watched.form.name;
    let folder = world.folder.path().join(name);
    let read = world.published(name, &watched.shapes, &watched.config, &folder);
    let topics = read.await.unwrap();
    let payload = &topics.payload;
    let samples = &payload.undecoded_samples;
    assert_eq!(payload.undecoded, 0, "{name} {samples:?}");
    assert_eq!(topics.problems, Vec::<String>::new(), "{name}");
    let shapes = watched.shapes.clone();
    let mut writer = StoredWriter::create(&folder.join("stored"), 4).unwrap();
    let tables = record_tables(&world.admin, &shapes, 0, &mut writer)
        .await
        .unwrap();
    writer.finish().unwrap();
    let mut stored = BTreeMap::new();
    for row in read_stored(&folder.join("stored")).unwrap() {
        let row = row.unwrap();
        if row.relation == "public.plain" {
            stored.insert(row.key.unwrap(), row.image);
        }
    }
    assert_eq!(stored.len(), 4);
    assert!(stored.values().all(Option::is_some), "{name}");
    assert_eq!(
        last_images(&RunFolder::at(&folder).ledger(LedgerKind::Published)),
        stored,
        "{name}"
    );
    let (end, committed) = world.witnessed(watched).await;
    assert_eq!(committed, stored, "{name}");
    named(name, &shapes[0], (&topics, &tables.notes, &end.notes));
}

/// Each recorder names what it left out, and nothing else.
fn named(form: &str, shape: &TableShape, (topics, tables, log): (&TopicsEnd, &Notes, &Notes)) {
    let left = left_out(shape);
    let all = shape.columns.len();
    println!("{form}: {} of {all} columns left out: {left:?}", left.len());
    let notes: Notes = topics.not_compared.iter().cloned().collect();
    let of_plain = |notes: &Notes| -> BTreeSet<String> {
        let columns = notes.not_compared.keys();
        let columns = columns.filter(|(table, _)| table == "public.plain");
        columns.map(|(_, column)| column.clone()).collect()
    };
    let of_topics = of_plain(&notes);
    assert!(of_topics.iter().all(|name| left.contains(name.as_str())));
    // What the log does not have is named by the witness, column by column.
    let place = ("public.large".to_owned(), "t".to_owned());
    assert!(log.not_compared.contains_key(&place));
    assert_eq!(of_plain(log), BTreeSet::new());
    // An array that begins at 0.
    let place = ("public.awkward".to_owned(), "a_i4".to_owned());
    assert_eq!(tables.not_compared.keys().collect::<Vec<_>>(), [&place]);
}

/// Writes the fixtures: shapes, COPY's text of the rows, records of each connector, schemas.
async fn capture(world: &Lab, all: &[Watched], folder: &Path) {
    let tables: Vec<Relation> = all[0].stream.tables.clone();
    let shapes = table_shapes(&world.client, &tables[1..]).await.unwrap();
    let lines: Vec<String> = shapes
        .iter()
        .map(|shape| serde_json::to_string(shape).unwrap())
        .collect();
    let text = format!("[\n{}\n]\n", lines.join(",\n"));
    std::fs::write(folder.join("types_shapes.json"), text).unwrap();
    let printed: Vec<String> = shapes[0]
        .columns
        .iter()
        .map(|column| {
            let name = quote_identifier(&column.name);
            format!("case when {name} is not null then format('%s', {name}) end")
        })
        .collect();
    let question = format!(
        "select array[{}] from awkward order by id",
        printed.join(", ")
    );
    let mut lines = Vec::new();
    for row in world.client.query(&question, &[]).await.unwrap() {
        let texts: Vec<Option<String>> = row.get(0);
        let there = shapes[0].columns.iter().zip(texts);
        let there = there.filter_map(|(column, text)| Some((column.name.clone(), text?.into())));
        lines.push(Value::Object(there.collect()).to_string());
    }
    std::fs::write(folder.join("types_rows.jsonl"), lines.join("\n") + "\n").unwrap();
    let mut ids = BTreeSet::new();
    for watched in all {
        let lines = records(world, watched, &mut ids);
        let file = folder.join(format!("{}.jsonl", watched.form.name));
        std::fs::write(file, lines.join("\n") + "\n").unwrap();
    }
    let registry = Registry::new(&RegistryAddress::parse(&registry(world)));
    let mut schemas = BTreeMap::new();
    for id in ids {
        schemas.insert(id, registry.schema(id).await.unwrap().unwrap().text);
    }
    let schemas = serde_json::to_string_pretty(&schemas).unwrap();
    std::fs::write(folder.join("types_schemas.json"), schemas + "\n").unwrap();
}

/// The change records of one connector, as lines of a fixture. An inline schema that was seen before is left out:
/// the reader of the fixture puts it back.
fn records(world: &Lab, watched: &Watched, ids: &mut BTreeSet<u32>) -> Vec<String> {
    let kafka = &world.kafka;
    let (mut lines, mut seen) = (Vec::new(), Vec::<String>::new());
    for table in ["awkward", "large"] {
        let topic = format!("{}.public.{table}", watched.form.name);
        let (from, to) = kafka.watermarks(&topic, 0).unwrap();
        let range = ReadRange {
            topic: &topic,
            partition: 0,
            from,
            to,
            timeout_idle: Duration::from_secs(10),
        };
        let mut look = |record: &cutover_clients::kafka::Record<'_>| {
            let mut half = |bytes: Option<&[u8]>| match bytes {
                Some([0, a, b, c, d, ..]) => {
                    ids.insert(u32::from_be_bytes([*a, *b, *c, *d]));
                    json!({ "base64": STANDARD.encode(bytes.unwrap()) })
                }
                Some(bytes) => {
                    let text = std::str::from_utf8(bytes).unwrap();
                    let payload = text.find(",\"payload\":");
                    match payload.filter(|_| text.starts_with("{\"schema\":")) {
                        Some(at) => {
                            let schema = &text["{\"schema\":".len()..at];
                            let known = seen.iter().position(|seen| seen == schema);
                            if known.is_none() {
                                seen.push(schema.to_owned());
                            }
                            let new = known.is_none().then_some(schema);
                            let place = known.unwrap_or(seen.len() - 1);
                            json!({ "schema": new, "of": place, "text": &text[at..] })
                        }
                        None => json!({ "text": text }),
                    }
                }
                None => Value::Null,
            };
            let (key, value) = (half(record.key), half(record.value));
            let line = json!({ "topic": record.topic, "offset": record.offset, "key": key, "value": value });
            lines.push(line.to_string());
            ControlFlow::Continue(())
        };
        kafka.read_range(&range, &mut look).unwrap();
    }
    lines
}
