//! Records captured from Debezium 3.7.0 (PostgreSQL 16.14) against the same rows as COPY printed them.
//!
//! `tests/fixtures/values.jsonl` holds COPY's text of every row of `values_of_all`; the other files hold what
//! one connector each published: same database, same load, other converter and other handling modes.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cutover_clients::registry::{Registered, RegistryError};
use cutover_model::canonical::Canonical;
use cutover_model::{ChangeRow, Column, Half, Relation};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::*;
use crate::canonical::{from_text, row_image};

mod avro;
mod avro_bytes;
mod every_type;
mod flat;
mod older;

#[derive(Deserialize)]
struct Line {
    topic: String,
    offset: i64,
    headers: Vec<String>,
    key: Option<String>,
    value: Option<String>,
}

struct Captured {
    topic: String,
    offset: i64,
    headers: Vec<String>,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
}

impl Captured {
    fn record(&self) -> Record<'_> {
        let headers = self.headers.iter();
        Record {
            topic: &self.topic,
            partition: 0,
            offset: self.offset,
            timestamp_ms: Some(1),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers: headers.map(|name| (name.as_str(), None)).collect(),
        }
    }
}

fn fixture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

/// Records that are no text stand in base64 in their file.
fn captured(form: &str) -> Vec<Captured> {
    let binary = form.starts_with("avro") || form == "cloud_events";
    let bytes = |text: String| match binary {
        true => STANDARD.decode(text).unwrap(),
        false => text.into_bytes(),
    };
    let one = |line: &str| {
        let line: Line = serde_json::from_str(line).unwrap();
        Captured {
            topic: line.topic,
            offset: line.offset,
            headers: line.headers,
            key: line.key.map(bytes),
            value: line.value.map(bytes),
        }
    };
    fixture(&format!("{form}.jsonl")).lines().map(one).collect()
}

/// The schemas that the registry had under their ids when the records were captured.
struct Kept(BTreeMap<u32, Registered>);

impl Kept {
    fn captured() -> Box<Kept> {
        let texts: BTreeMap<u32, String> =
            serde_json::from_str(&fixture("avro_schemas.json")).unwrap();
        let registered = |(id, text)| {
            let kind = "AVRO".to_owned();
            let refers = false;
            (id, Registered { kind, text, refers })
        };
        Box::new(Kept(texts.into_iter().map(registered).collect()))
    }
}

impl SchemaSource for Kept {
    fn schema(&mut self, _: Part, id: u32) -> Option<Result<Option<Registered>, RegistryError>> {
        Some(Ok(self.0.get(&id).cloned()))
    }
}

fn shapes() -> Vec<TableShape> {
    serde_json::from_str(&fixture("shapes.json")).unwrap()
}

fn modes(form: &str) -> ConverterModes {
    let (decimal, time, binary) = match form {
        "envelope" => ("precise", "adaptive", "bytes"),
        "envelope_schema" => ("precise", "adaptive_time_microseconds", "base64"),
        "flat" => ("string", "connect", "hex"),
        "flat_schema" => ("double", "adaptive", "base64-url-safe"),
        "iso" => ("string", "isostring", "hex"),
        "nanos" => ("string", "nanoseconds", "bytes"),
        "micros" => ("precise", "microseconds", "base64"),
        "avro" | "cloud_events" => ("precise", "adaptive", "bytes"),
        "avro_flat" => ("double", "connect", "hex"),
        "avro_bare" => ("string", "microseconds", "base64"),
        "avro_unicode" => ("precise", "adaptive_time_microseconds", "bytes"),
        "avro_scrubbed" => ("precise", "nanoseconds", "base64-url-safe"),
        other => panic!("{other}"),
    };
    let config = json!({ "decimal.handling.mode": decimal, "time.precision.mode": time,
        "binary.handling.mode": binary });
    ConverterModes::from_connector_config(config.as_object().unwrap())
}

/// COPY's rows by key text.
fn copied(shape: &TableShape) -> BTreeMap<String, Vec<Canonical>> {
    let one = |line: &str| {
        let row: Map<String, Value> = serde_json::from_str(line).unwrap();
        let values: Vec<Canonical> = shape
            .columns
            .iter()
            .map(|column| match row[&column.name].as_str() {
                Some(text) => from_text(column, text),
                None => Canonical::Null,
            })
            .collect();
        (row_image(shape, &values).key.unwrap(), values)
    };
    fixture("values.jsonl").lines().map(one).collect()
}

/// The table with its key and one other column, to see which column it is that differs.
fn narrow(shape: &TableShape, place: usize) -> TableShape {
    let mut narrow = shape.clone();
    narrow.columns = vec![shape.columns[0].clone(), shape.columns[place].clone()];
    narrow
}

/// Differences (as `key column`) and columns without content, of the last record of each key against COPY.
/// Columns of type `name` have a test of their own.
fn compare(form: &str) -> (BTreeSet<String>, BTreeSet<String>, usize) {
    let (mut different, unknown, compared) = compare_all(form);
    assert!(compared > 200, "{form}: {compared}");
    different.retain(|cell| !cell.ends_with(" nm"));
    (different, unknown, compared)
}

fn compare_all(form: &str) -> (BTreeSet<String>, BTreeSet<String>, usize) {
    let (modes, wide) = (modes(form), shapes().remove(0));
    let (expected, records) = (copied(&wide), captured(form));
    let (mut different, mut unknown, mut compared) = (BTreeSet::new(), BTreeSet::new(), 0);
    for place in 1..wide.columns.len() {
        let one = [narrow(&wide, place)];
        let mut decoder = Decoder::new(form, &one, &modes).with_schemas(Kept::captured());
        let mut last = BTreeMap::new();
        for record in records
            .iter()
            .filter(|record| record.topic.ends_with("values_of_all"))
        {
            if let Decoded::Change(change) = decoder.decode(&record.record(), 0) {
                last.insert(change.row.key.unwrap(), (change.row.op, change.row.after));
            }
        }
        for (key, (op, after)) in last {
            if op == Op::Delete {
                assert!(!expected.contains_key(&key));
                continue;
            }
            let row = &expected[&key];
            let wanted = row_image(&one[0], &[row[0].clone(), row[place].clone()]).hash;
            compared += 1;
            let cell = format!("{key} {}", wide.columns[place].name);
            match after {
                None => drop(unknown.insert(wide.columns[place].name.clone())),
                after if after != wanted => drop(different.insert(cell)),
                _ => {}
            }
        }
    }
    (different, unknown, compared)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// What Debezium 3.7.0 itself writes otherwise than it stands in the table; it must stay visible as a difference.
const NUMERIC_NAN_BECOMES_NULL: &str = "{\"id\":\"3034\"} n122";
const SNAPSHOT_DATE_IN_THE_CALENDAR_GAP: &str = "{\"id\":\"1014\"} d";

#[test]
fn columns_of_type_name_are_published_as_null_once_streaming_and_differ() {
    for form in ["envelope", "flat", "iso"] {
        let (mut different, _, _) = compare_all(form);
        different.retain(|cell| cell.ends_with(" nm"));
        assert!(different.iter().all(|cell| cell.starts_with("{\"id\":\"2")));
        assert_eq!(different.len(), 7, "{form} {different:?}");
    }
}

#[test]
fn envelope_without_schema_equals_copy_in_every_column() {
    let (different, unknown, compared) = compare("envelope");
    let known = [SNAPSHOT_DATE_IN_THE_CALENDAR_GAP, NUMERIC_NAN_BECOMES_NULL];
    assert_eq!(different, set(&known));
    assert_eq!(unknown, set(&[]));
    assert!(compared > 700, "{compared}");
}

#[test]
fn envelope_with_inline_schema_equals_copy_in_every_column() {
    let (different, unknown, _) = compare("envelope_schema");
    assert_eq!(different, set(&[SNAPSHOT_DATE_IN_THE_CALENDAR_GAP]));
    assert_eq!(unknown, set(&[]));
}

#[test]
fn flat_without_schema_equals_copy_where_it_holds_enough() {
    let (different, unknown, _) = compare("flat");
    assert_eq!(different, set(&[SNAPSHOT_DATE_IN_THE_CALENDAR_GAP]));
    // time.precision.mode=connect cuts microseconds off.
    assert_eq!(unknown, set(&["tm", "ts"]));
}

#[test]
fn flat_with_inline_schema_equals_copy_where_it_holds_enough() {
    let (different, unknown, _) = compare("flat_schema");
    assert_eq!(different, set(&[SNAPSHOT_DATE_IN_THE_CALENDAR_GAP]));
    // decimal.handling.mode=double cannot hold a numeric without limits.
    assert_eq!(unknown, set(&["n"]));
}

#[test]
fn iso_texts_equal_copy_except_for_midnight_at_the_end_of_the_day() {
    let (different, unknown, _) = compare("iso");
    // 24:00:00 is published as 00:00:00.
    let end_of_day = [
        "{\"id\":\"1012\"} tm",
        "{\"id\":\"1012\"} tm3",
        "{\"id\":\"2012\"} tm",
        "{\"id\":\"2012\"} tm3",
        SNAPSHOT_DATE_IN_THE_CALENDAR_GAP,
    ];
    assert_eq!(different, set(&end_of_day));
    assert_eq!(unknown, set(&[]));
}

#[test]
fn what_nanoseconds_cannot_hold_is_published_as_null_and_differs() {
    let (different, unknown, _) = compare("nanos");
    assert_eq!(unknown, set(&[]));
    assert!(different.contains("{\"id\":\"2012\"} ts"), "{different:?}");
    let in_range = |cell: &&String| cell.contains("2001") || cell.contains("2015");
    assert_eq!(different.iter().find(in_range), None);
}

#[test]
fn microseconds_equal_copy() {
    let (different, unknown, _) = compare("micros");
    let known = [SNAPSHOT_DATE_IN_THE_CALENDAR_GAP, NUMERIC_NAN_BECOMES_NULL];
    assert_eq!(different, set(&known));
    assert_eq!(unknown, set(&[]));
}

fn decoded(form: &str, table: &str) -> (Vec<ChangeRow>, Notes) {
    let (shapes, modes) = (shapes(), modes(form));
    let mut decoder = Decoder::new(form, &shapes, &modes).with_schemas(Kept::captured());
    let mut rows = Vec::new();
    for record in captured(form) {
        if !record.topic.ends_with(&format!(".{table}")) {
            continue;
        }
        match decoder.decode(&record.record(), 3) {
            Decoded::Change(change) => {
                assert!(change.has_lsn && change.has_op);
                rows.push(*change.row);
            }
            Decoded::Tombstone(row) => rows.push(*row),
            other => panic!("{table}: {other:?}"),
        }
    }
    (rows, decoder.notes().clone())
}

fn letters(rows: &[ChangeRow]) -> String {
    rows.iter().map(|row| row.op.letter()).collect()
}

#[test]
fn a_key_update_shows_its_halves_and_chains_in_every_envelope() {
    for form in ["envelope", "envelope_schema"] {
        let (rows, notes) = decoded(form, "two");
        assert_eq!(letters(&rows), "cudxcdx", "{form}");
        let halves: Vec<Half> = rows.iter().map(|row| row.half).collect();
        let (whole, old, new) = (Half::Whole, Half::OldKey, Half::NewKey);
        assert_eq!(halves, [whole, whole, old, old, new, whole, whole]);
        assert_eq!(rows[1].before, rows[0].after);
        assert_eq!(rows[2].before, rows[1].after);
        assert_eq!(rows[5].before, rows[4].after);
        assert_eq!(rows[2].lsn, rows[4].lsn);
        let key = "{\"a\":\"k\",\"b\":\"1704067200500000\"}";
        assert_eq!(rows[0].key.as_deref(), Some(key));
        assert_eq!(rows[3].key.as_deref(), Some(key));
        assert_eq!(rows[1].revision, Some(2));
        assert_eq!(rows[5].revision, Some(2));
        assert!(
            rows.iter()
                .all(|row| row.incarnation == 3 && row.relation == "public.two")
        );
        assert_eq!(notes, Notes::default());
    }
}

#[test]
fn every_form_gives_the_same_rows_as_far_as_it_shows_them() {
    for table in ["two", "nokey"] {
        let (wanted, _) = decoded("envelope", table);
        let mut changes = wanted.clone();
        changes.retain(|row| row.op != Op::Tombstone);
        let (with_schema, _) = decoded("envelope_schema", table);
        let strip = |rows: &[ChangeRow]| -> Vec<(Op, Option<i64>, Option<i64>, i64)> {
            let facts = |row: &ChangeRow| (row.op, row.lsn, row.after, row.key_hash);
            rows.iter().map(facts).collect()
        };
        assert_eq!(strip(&with_schema), strip(&wanted), "{table}");
        for form in ["flat", "flat_schema"] {
            let (flat, _) = decoded(form, table);
            for (flat, full) in flat.iter().zip(&changes) {
                assert_eq!(
                    (flat.op, flat.lsn, flat.after),
                    (full.op, full.lsn, full.after)
                );
                assert_eq!((&flat.key, flat.half), (&full.key, full.half));
                if flat.op == Op::Delete {
                    assert_eq!(flat.before, full.before);
                } else {
                    assert_eq!(flat.before, None);
                }
            }
        }
    }
}

#[test]
fn a_table_without_key_has_rows_tombstones_and_truncates_without_key() {
    let (rows, _) = decoded("envelope", "nokey");
    assert_eq!(letters(&rows), "cccuudxdxct");
    assert!(rows.iter().all(|row| row.key.is_none()));
    assert_eq!(rows[0].key_hash, rows[1].key_hash);
    assert_ne!(rows[0].key_hash, rows[2].key_hash);
    assert_eq!(rows[3].before, rows[0].after);
    let (_, notes) = decoded("flat", "nokey");
    let problem = notes.problems.iter().next().unwrap();
    assert!(
        problem.contains("updates cannot be told apart"),
        "{problem}"
    );
}

#[test]
fn old_rows_count_only_under_replica_identity_full() {
    let (rows, notes) = decoded("envelope", "defid");
    assert_eq!(letters(&rows), "cudxcdx");
    assert!(rows.iter().all(|row| row.before.is_none()));
    // The unchanged TOAST value is a placeholder: no image, and the report says which column.
    assert!(rows[0].after.is_some() && rows[1].after.is_none() && rows[4].after.is_none());
    let place = ("public.defid".to_owned(), "big".to_owned());
    assert!(notes.not_compared[&place].contains("TOAST"));
    assert!(notes.problems.is_empty());
    let (rows, _) = decoded("flat", "defid");
    assert!(rows.iter().all(|row| row.before.is_none()));
}

#[test]
fn unchanged_toast_values_are_whole_under_replica_identity_full() {
    for form in ["envelope", "flat"] {
        let (rows, notes) = decoded(form, "wide");
        assert_eq!(notes, Notes::default(), "{form}");
        let updates: Vec<_> = rows.iter().filter(|row| row.op == Op::Update).collect();
        assert_eq!(updates.len(), 2);
        assert!(updates.iter().all(|row| row.after.is_some()));
    }
}

#[test]
fn messages_are_recognised_in_every_form() {
    let forms = ["envelope", "envelope_schema", "flat", "flat_schema"];
    let of_avro = ["avro", "avro_flat", "avro_bare", "avro_unicode"];
    for form in forms.iter().chain(&of_avro) {
        let (shapes, modes) = (shapes(), modes(form));
        let mut decoder = Decoder::new(form, &shapes, &modes).with_schemas(Kept::captured());
        let mut contents = Vec::new();
        for record in captured(form) {
            if !record.topic.ends_with(".message") {
                continue;
            }
            match decoder.decode(&record.record(), 0) {
                Decoded::Message(message) => {
                    assert_eq!(message.prefix, "cutover");
                    assert!(message.lsn.is_some());
                    contents.push(String::from_utf8(message.content).unwrap());
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(contents, ["token-t-:base", "token-n-:base"], "{form}");
    }
}

fn small(columns: &[(&str, u32, bool)]) -> Vec<TableShape> {
    let column = |(name, type_oid, key): &(&str, u32, bool)| Column {
        name: (*name).to_owned(),
        type_oid: *type_oid,
        type_modifier: -1,
        key: *key,
        ..Column::default()
    };
    vec![TableShape {
        relation: Relation::new("public", "t"),
        columns: columns.iter().map(column).collect(),
        replica_identity: ReplicaIdentity::Full,
        content_lost: None,
        unclear_key: false,
    }]
}

fn record<'a>(topic: &'a str, key: Option<&'a str>, value: Option<&'a str>) -> Record<'a> {
    Record {
        topic,
        partition: 0,
        offset: 7,
        timestamp_ms: None,
        key: key.map(str::as_bytes),
        value: value.map(str::as_bytes),
        headers: Vec::new(),
    }
}

#[test]
fn columns_that_are_missing_or_unknown_are_problems_and_leave_no_image() {
    let shapes = small(&[("id", 20, true), ("a", 25, false)]);
    let modes = ConverterModes::default();
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let value = r#"{"id":1,"b":"x","__op":"c","__source_lsn":5}"#;
    let decoded = decoder.decode(&record("p.public.t", Some(r#"{"id":1}"#), Some(value)), 0);
    let Decoded::Change(change) = decoded else {
        panic!("{decoded:?}");
    };
    assert_eq!(change.row.after, None);
    assert_eq!(change.row.key.as_deref(), Some("{\"id\":\"1\"}"));
    let problems: Vec<&String> = decoder.notes().problems.iter().collect();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn a_type_that_a_version_of_debezium_leaves_out_is_named_and_leaves_no_image() {
    let mut shapes = small(&[("id", 20, true), ("i", 869, false)]);
    let modes = ConverterModes::default();
    settle(&mut shapes, &modes);
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let value = r#"{"id":1,"__op":"c","__source_lsn":5}"#;
    let decoded = decoder.decode(&record("p.public.t", Some(r#"{"id":1}"#), Some(value)), 0);
    assert!(matches!(decoded, Decoded::Change(change) if change.row.after.is_none()));
    let place = ("public.t".to_owned(), "i".to_owned());
    assert_eq!(
        decoder.notes().not_compared[&place],
        "it is not in the payload"
    );
    assert!(decoder.notes().problems.is_empty());
}

#[test]
fn what_a_repair_wrote_carries_its_mark_and_nothing_else_does() {
    let shapes = small(&[("id", 20, true)]);
    let modes = ConverterModes::default();
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let mut mark = |headers: Vec<(&'static str, Option<&'static [u8]>)>| {
        let mut tombstone = record("p.public.t", Some(r#"{"id":1}"#), None);
        tombstone.headers = headers;
        match decoder.decode(&tombstone, 0) {
            Decoded::Tombstone(row) => row.compensation,
            other => panic!("{other:?}"),
        }
    };
    let marked = ("cutover.compensation", Some(&b"gap-1"[..]));
    assert_eq!(mark(vec![("other", None), marked]), Some("gap-1".into()));
    assert_eq!(mark(vec![("other", Some(&b"gap-1"[..]))]), None);
}

#[test]
fn payloads_without_operation_or_lsn_say_so() {
    let shapes = small(&[("id", 20, true)]);
    let modes = ConverterModes::default();
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let decoded = decoder.decode(&record("p.public.t", Some("1"), Some(r#"{"id":1}"#)), 0);
    let Decoded::Change(change) = decoded else {
        panic!("{decoded:?}");
    };
    assert!(!change.has_lsn && !change.has_op);
    assert_eq!(change.row.key.as_deref(), Some("{\"id\":\"1\"}"));
    let deleted = r#"{"id":1,"__deleted":"true"}"#;
    let decoded = decoder.decode(&record("p.public.t", Some("1"), Some(deleted)), 0);
    assert!(matches!(decoded, Decoded::Change(change) if change.row.op == Op::Delete));
}

#[test]
fn hostile_records_are_undecoded_with_a_reason_and_never_panic() {
    let shapes = small(&[("id", 20, true), ("n", 1700, false), ("ts", 1184, false)]);
    let modes = ConverterModes::default();
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let envelope = |inner: &str| format!(r#"{{"source":{inner}}}"#);
    let values = [
        "[]".to_owned(),
        "1".to_owned(),
        String::new(),
        "{".to_owned(),
        envelope(r#"{},"op":1"#),
        envelope(r#"{},"op":"q""#),
        envelope(r#"{"schema":"x","table":"y"},"op":"c","after":{}"#),
        envelope(r#"{"schema":"public","table":"t"},"op":"c","after":[]"#),
        envelope(r#"{"schema":"public","table":"t","lsn":"x"},"op":"c","after":{"id":1}"#),
        r#"{"schema":{"type":3},"payload":{}}"#.to_owned(),
        r#"{"id":1.5}"#.to_owned(),
    ];
    for value in &values {
        let decoded = decoder.decode(&record("p.public.t", Some(r#"{"id":1.5}"#), Some(value)), 0);
        let reason = match decoded {
            Decoded::Undecoded(reason) => reason,
            // A key that cannot be read falls back to the row; neither may be a guess.
            Decoded::Change(change) => {
                assert_eq!(change.row.after, None, "{value}");
                continue;
            }
            other => panic!("{value}: {other:?}"),
        };
        assert!(!reason.is_empty());
    }
    for op in ["c", "u", "r"] {
        let source = r#"{"schema":"public","table":"t","lsn":5}"#;
        let empty = envelope(&format!(
            r#"{source},"op":"{op}","before":null,"after":null"#
        ));
        let decoded = decoder.decode(&record("p.public.t", Some(r#"{"id":1}"#), Some(&empty)), 0);
        assert!(
            matches!(decoded, Decoded::Undecoded(_)),
            "{op} without its new row passed"
        );
    }
    let bad = r#"{"id":1,"n":{"scale":99999999,"value":"AA=="},"ts":"2024-é3-01T000000000é"}"#;
    let decoded = decoder.decode(&record("p.public.t", Some(r#"{"id":1}"#), Some(bad)), 0);
    assert!(matches!(decoded, Decoded::Change(change) if change.row.after.is_none()));
    let tombstone = decoder.decode(&record("other", None, None), 0);
    assert!(matches!(tombstone, Decoded::Undecoded(_)));
}

#[test]
fn topics_are_told_by_their_names() {
    let mut shapes = small(&[("id", 20, true)]);
    shapes[0].relation = Relation::new("public", "my table");
    let modes = ConverterModes::default();
    let decoder = Decoder::new("p", &shapes, &modes);
    assert_eq!(decoder.kind("p.public.my_table"), TopicKind::Changes(0));
    assert_eq!(decoder.kind("p.message"), TopicKind::Messages);
    assert_eq!(decoder.kind("p.transaction"), TopicKind::Transactions);
    assert_eq!(
        decoder.kind("__debezium-heartbeat.p"),
        TopicKind::Heartbeats
    );
    assert_eq!(decoder.kind("px.public.my_table"), TopicKind::Unknown);
    assert_eq!(decoder.kind("p.public.other"), TopicKind::Unknown);
    let named = json!({ "topic.heartbeat.prefix": "p", "topic.transaction": "tx" });
    let modes = ConverterModes::from_connector_config(named.as_object().unwrap());
    let decoder = Decoder::new("p", &shapes, &modes);
    assert_eq!(decoder.kind("p.p"), TopicKind::Heartbeats);
    assert_eq!(decoder.kind("p.tx"), TopicKind::Transactions);
    assert_eq!(decoder.kind("p.transaction"), TopicKind::Unknown);
    assert_eq!(decoder.kind("p.public.my_table"), TopicKind::Changes(0));
}

/// `ByLogicalTableRouter` adds a member to the key, and puts several tables into one topic.
#[test]
fn a_record_of_a_shared_topic_is_of_the_table_that_it_names_whatever_its_key_says_besides() {
    let mut shapes = [
        small(&[("id", 20, true), ("a", 25, false)]),
        small(&[("id", 20, true), ("a", 25, false)]),
    ]
    .concat();
    shapes[0].relation = Relation::new("public", "c_1");
    shapes[1].relation = Relation::new("public", "c_2");
    let config = json!({
        "transforms": "one", "transforms.one.type": "io.debezium.transforms.ByLogicalTableRouter",
        "transforms.one.topic.regex": "(.*)c_(.*)", "transforms.one.topic.replacement": "$1c_all",
        "transforms.one.key.field.name": "shard",
    });
    let modes = ConverterModes::from_connector_config(config.as_object().unwrap());
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let mut read = |key: &str, value: Option<&str>| match decoder
        .decode(&record("p.public.c_all", Some(key), value), 0)
    {
        Decoded::Change(change) => (change.row.relation.clone(), change.row.key.clone()),
        Decoded::Tombstone(row) => (row.relation, row.key),
        other => panic!("{other:?}"),
    };
    let of = |table: &str, op: &str| {
        format!(
            r#"{{"before":{{"id":1,"a":"x"}},"after":{{"id":1,"a":"x"}},"op":"{op}",
                "source":{{"schema":"public","table":"{table}","txId":7,"lsn":5}}}}"#
        )
    };
    for table in ["c_2", "c_1"] {
        let key = format!(r#"{{"id":1,"shard":"p.public.{table}"}}"#);
        let expected = (format!("public.{table}"), Some("{\"id\":\"1\"}".to_owned()));
        assert_eq!(read(&key, Some(&of(table, "d"))), expected);
        assert_eq!(read(&key, None), expected, "the tombstone behind it");
    }
}

#[test]
fn twenty_thousand_records_are_decoded_in_well_under_a_second() {
    let (shapes, modes) = (shapes(), modes("envelope_schema"));
    let mut decoder = Decoder::new("envelope_schema", &shapes, &modes);
    let records = captured("envelope_schema");
    let one = records
        .iter()
        .find(|record| record.topic.ends_with("two"))
        .unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..20_000 {
        assert!(matches!(
            decoder.decode(&one.record(), 0),
            Decoded::Change(_)
        ));
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("20,000 records in {seconds:.2} s");
    // Far above what is measured, for machines under load.
    assert!(seconds < 5.0, "{seconds}");
}

/// `provide.transaction.metadata` adds a block to each change.
#[test]
fn a_change_that_names_its_transaction_is_the_same_change() {
    let (modes, shapes) = (modes("envelope"), shapes());
    let mut decoder = Decoder::new("envelope", &shapes, &modes);
    let block =
        "\"transaction\":{\"id\":\"807:30277400\",\"total_order\":1,\"data_collection_order\":1}";
    let mut changes = 0;
    for mut record in captured("envelope") {
        let plain = decoder.decode(&record.record(), 0);
        let value = record.value.take();
        let value = value.map(|value| String::from_utf8(value).unwrap());
        let value = value.map(|value| value.replace("\"transaction\":null", block));
        let named = value.as_ref().is_some_and(|value| value.contains(block));
        record.value = value.map(String::into_bytes);
        let mut decoded = decoder.decode(&record.record(), 0);
        if let Decoded::Change(change) = &mut decoded {
            let row = &mut change.row;
            let place = (
                row.tx_id.take(),
                row.tx_order.take(),
                row.tx_table_order.take(),
            );
            let told = (Some("807:30277400".to_owned()), Some(1), Some(1));
            assert_eq!(place, if named { told } else { (None, None, None) });
        }
        assert_eq!(decoded, plain);
        changes += usize::from(named && matches!(plain, Decoded::Change(_)));
    }
    assert!(changes > 40, "{changes}");
}

#[test]
fn begin_and_end_become_rows_of_the_transactions_ledger() {
    let (shapes, modes) = (small(&[("id", 20, true)]), ConverterModes::default());
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let begin =
        r#"{"status":"BEGIN","id":"746:1","event_count":null,"data_collections":null,"ts_ms":1}"#;
    let end = r#"{"status":"END","id":"746:9","event_count":3,"ts_ms":2,"data_collections":
        [{"data_collection":"public.t","event_count":2},{"data_collection":"public.u","event_count":1}]}"#;
    let mut rows = Vec::new();
    for value in [begin, end] {
        let Decoded::Transaction(found) =
            decoder.decode(&record("p.transaction", Some("{}"), Some(value)), 1)
        else {
            panic!("{value}");
        };
        rows.extend(found);
    }
    let seen: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row.mark.word(),
                &*row.tx_id,
                row.relation.as_deref(),
                row.events,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("begin", "746:1", None, None),
            ("end", "746:9", None, Some(3)),
            ("count", "746:9", Some("public.t"), Some(2)),
            ("count", "746:9", Some("public.u"), Some(1)),
        ]
    );
    for strange in [Some("{}"), Some(r#"{"status":"?","id":"1"}"#), None] {
        let decoded = decoder.decode(&record("p.transaction", Some("{}"), strange), 0);
        assert!(matches!(decoded, Decoded::Undecoded(_)), "{strange:?}");
    }
}
