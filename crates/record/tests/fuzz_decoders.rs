//! Every decoder against bytes that nobody meant it to read: captured records and messages, changed at random places.
//! None may panic, hold more memory than its input warrants, take long, or answer differently the second time.
//!
//! `CUTOVER_TEST_FUZZ` says how many inputs each decoder gets (10,000 by default); a number printed with a failure,
//! given as `CUTOVER_TEST_FUZZ_SEED`, begins with that input.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

#[path = "fuzz/counted.rs"]
mod counted;
#[path = "fuzz/mutate.rs"]
mod mutate;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use counted::{Counted, most_held};
use cutover_clients::kafka::Record;
use cutover_clients::pg::pgoutput;
use cutover_clients::registry::{Registered, RegistryError};
use cutover_model::{Column, TableShape};
use cutover_record::canonical::{self, oid};
use cutover_record::decode::{ConverterModes, Decoded, Decoder, Part, SchemaSource};
use mutate::{Dice, mutated};
use serde::Deserialize;
use serde_json::json;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// What any decoder may hold, whatever it is given, and what it may hold per byte of that. Names of an Avro schema
/// stand in the text that is made of a datum, so the first is not small.
const HELD_ANYWAY: usize = 24 << 20;
const HELD_PER_BYTE: usize = 128;
/// Far more than the slowest input takes in a build without optimisation on a busy machine.
const LONGEST: Duration = Duration::from_secs(5);

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Lets `read` loose on what becomes of a corpus; says what it cost.
fn fuzz<T: PartialEq + Debug>(
    what: &str,
    corpus: &[Vec<u8>],
    read: impl Fn(usize, &[u8]) -> T,
) -> String {
    assert!(!corpus.is_empty(), "{what}: no corpus");
    let started = Instant::now();
    let first = number("CUTOVER_TEST_FUZZ_SEED").unwrap_or(0);
    let inputs = number("CUTOVER_TEST_FUZZ").unwrap_or(10_000);
    let (mut most, mut slowest) = (0, Duration::ZERO);
    for seed in first..first + inputs {
        let mut dice = Dice::new(seed);
        let (one, other) = (dice.below(corpus.len()), dice.below(corpus.len()));
        let bytes = mutated(&corpus[one], &corpus[other], &mut dice);
        let begun = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| most_held(|| read(one, &bytes))));
        let took = begun.elapsed();
        let shown = || String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned();
        let Ok((answer, held)) = answer else {
            panic!("{what}: input {seed} panics: {}", shown());
        };
        let allowed = HELD_ANYWAY + HELD_PER_BYTE * bytes.len();
        assert!(
            held <= allowed,
            "{what}: input {seed} of {} bytes holds {held}: {}",
            bytes.len(),
            shown()
        );
        assert!(
            took < LONGEST,
            "{what}: input {seed} took {took:?}: {}",
            shown()
        );
        if seed % 16 == 0 {
            assert!(
                answer == read(one, &bytes),
                "{what}: input {seed} is read in two ways"
            );
        }
        (most, slowest) = (most.max(held), slowest.max(took));
    }
    format!(
        "{what}: {inputs} inputs in {:.1} s, at most {} KiB held, {slowest:?} for one",
        started.elapsed().as_secs_f64(),
        most >> 10
    )
}

fn fixture(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    std::fs::read_to_string(format!("{folder}/{name}")).unwrap()
}

#[derive(Deserialize)]
struct Captured {
    topic: String,
    headers: Vec<String>,
    key: Option<String>,
    value: Option<String>,
}

/// Records of a file; those of a binary form stand there in base64.
fn captured(form: &str, binary: bool) -> Vec<(Captured, Vec<u8>, Vec<u8>)> {
    let bytes = |text: &Option<String>| match text {
        Some(text) if binary => STANDARD.decode(text).unwrap(),
        text => text.clone().unwrap_or_default().into_bytes(),
    };
    let text = fixture(&format!("{form}.jsonl"));
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .map(|record: Captured| {
            let (key, value) = (bytes(&record.key), bytes(&record.value));
            (record, key, value)
        })
        .collect()
}

fn shapes() -> Vec<TableShape> {
    serde_json::from_str(&fixture("shapes.json")).unwrap()
}

fn modes(decimal: &str, time: &str, binary: &str) -> ConverterModes {
    let config = json!({ "decimal.handling.mode": decimal, "time.precision.mode": time,
        "binary.handling.mode": binary });
    ConverterModes::from_connector_config(config.as_object().unwrap())
}

/// Schemas as they were captured, one of them changed perhaps.
#[derive(Clone)]
struct Kept(BTreeMap<u32, String>);

impl Kept {
    fn captured() -> Kept {
        Kept(serde_json::from_str(&fixture("avro_schemas.json")).unwrap())
    }
}

impl SchemaSource for Kept {
    fn schema(&mut self, _: Part, id: u32) -> Option<Result<Option<Registered>, RegistryError>> {
        let registered = |text: &String| Registered {
            kind: "AVRO".to_owned(),
            text: text.clone(),
            refers: false,
        };
        Some(Ok(self.0.get(&id).map(registered)))
    }
}

fn read(
    form: &str,
    (shapes, modes): (&[TableShape], &ConverterModes),
    (record, key, value): (&Captured, &[u8], &[u8]),
    schemas: Option<Kept>,
) -> Decoded {
    let mut decoder = Decoder::new(form, shapes, modes);
    if let Some(schemas) = schemas {
        decoder = decoder.with_schemas(Box::new(schemas));
    }
    let headers = record.headers.iter();
    let record = Record {
        topic: &record.topic,
        partition: 0,
        offset: 7,
        timestamp_ms: Some(1),
        key: Some(key),
        value: Some(value),
        headers: headers.map(|name| (name.as_str(), None)).collect(),
    };
    decoder.decode(&record, 0)
}

/// Keys and values of a form, in turn: half of the corpus each.
fn fuzz_form(form: &str, modes: &ConverterModes, schemas: Option<&Kept>) -> String {
    let records = captured(form, schemas.is_some());
    let shapes = shapes();
    let values = records.iter().map(|(_, _, value)| value.clone());
    let corpus: Vec<Vec<u8>> = values
        .chain(records.iter().map(|(_, key, _)| key.clone()))
        .collect();
    fuzz(form, &corpus, |one, bytes| {
        let (record, key, value) = &records[one % records.len()];
        let (key, value) = match one < records.len() {
            true => (key.as_slice(), bytes),
            false => (bytes, value.as_slice()),
        };
        read(
            form,
            (&shapes, modes),
            (record, key, value),
            schemas.cloned(),
        )
    })
}

#[test]
fn json_records_of_every_form() {
    for (form, modes) in [
        ("envelope", modes("precise", "adaptive", "bytes")),
        (
            "envelope_schema",
            modes("precise", "adaptive_time_microseconds", "base64"),
        ),
        ("flat", modes("string", "connect", "hex")),
        (
            "flat_schema",
            modes("double", "adaptive", "base64-url-safe"),
        ),
        ("iso", modes("string", "isostring", "hex")),
        ("nanos", modes("string", "nanoseconds", "bytes")),
        ("micros", modes("precise", "microseconds", "base64")),
    ] {
        println!("{}", fuzz_form(form, &modes, None));
    }
}

#[test]
fn avro_records_of_every_form() {
    let kept = Kept::captured();
    for (form, modes) in [
        ("avro", modes("precise", "adaptive", "bytes")),
        ("avro_flat", modes("double", "connect", "hex")),
        ("avro_bare", modes("string", "microseconds", "base64")),
        (
            "avro_unicode",
            modes("precise", "adaptive_time_microseconds", "bytes"),
        ),
        (
            "avro_scrubbed",
            modes("precise", "nanoseconds", "base64-url-safe"),
        ),
    ] {
        println!("{}", fuzz_form(form, &modes, Some(&kept)));
    }
}

#[test]
fn records_whose_schema_is_another_one_than_they_were_written_with() {
    let kept = Kept::captured();
    let ids: Vec<u32> = kept.0.keys().copied().collect();
    let corpus: Vec<Vec<u8>> = kept
        .0
        .values()
        .map(|text| text.clone().into_bytes())
        .collect();
    let records = captured("avro", true);
    let (shapes, modes) = (shapes(), modes("precise", "adaptive", "bytes"));
    let told = fuzz("avro schemas", &corpus, |one, bytes| {
        let mut schemas = kept.clone();
        let text = String::from_utf8_lossy(bytes).into_owned();
        schemas.0.insert(ids[one], text);
        // Records that name this schema, if there are any, and one that does not.
        let id = ids[one].to_be_bytes();
        let of = |bytes: &[u8]| bytes.get(1..5) == Some(&id[..]);
        let own = records.iter().find(|(_, key, value)| of(key) || of(value));
        let (record, key, value) = own.unwrap_or(&records[one % records.len()]);
        read(
            "avro",
            (&shapes, &modes),
            (record, key, value),
            Some(schemas),
        )
    });
    println!("{told}");
}

#[test]
fn messages_of_pgoutput() {
    let corpus: Vec<Vec<u8>> = fixture("pgoutput.txt")
        .lines()
        .map(|line| STANDARD.decode(line).unwrap())
        .collect();
    let told = fuzz("pgoutput", &corpus, |_, bytes| {
        pgoutput::decode(bytes)
            .map(|message| format!("{message:?}"))
            .ok()
    });
    println!("{told}");
}

#[test]
fn values_as_the_server_prints_them() {
    let mut corpus: Vec<Vec<u8>> = Vec::new();
    for line in fixture("values.jsonl").lines() {
        let row: BTreeMap<String, Option<String>> = serde_json::from_str(line).unwrap();
        corpus.extend(row.into_values().flatten().map(String::into_bytes));
    }
    let types = [
        oid::BOOL,
        oid::BYTEA,
        oid::INT8,
        oid::TEXT,
        oid::JSONB,
        oid::FLOAT4,
        oid::FLOAT8,
        oid::DATE,
        oid::TIME,
        oid::TIMESTAMP,
        oid::TIMESTAMPTZ,
        oid::NUMERIC,
        oid::UUID,
        1_266,
        0,
    ];
    let told = fuzz("text values", &corpus, |_, bytes| {
        let text = String::from_utf8_lossy(bytes);
        let of = |type_oid| Column {
            name: "c".to_owned(),
            type_oid,
            type_modifier: -1,
            key: false,
            ..Column::default()
        };
        types.map(|type_oid| canonical::from_text(&of(type_oid), &text))
    });
    println!("{told}");
}

#[test]
fn a_number_that_no_column_can_hold_costs_no_time() {
    let records = captured("envelope", false);
    let small = "\"n122\":\"AJY=\"";
    let mut values = records
        .iter()
        .map(|(record, key, value)| (record, key, String::from_utf8_lossy(value)));
    let (record, key, value) = values.find(|(_, _, value)| value.contains(small)).unwrap();
    let digits = STANDARD.encode(vec![0x5A; 2 << 20]);
    let large = value.replace(small, &format!("\"n122\":\"{digits}\""));
    let (shapes, modes) = (shapes(), modes("precise", "adaptive", "bytes"));
    let begun = Instant::now();
    let frame = (shapes.as_slice(), &modes);
    let decoded = read("envelope", frame, (record, key, large.as_bytes()), None);
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
    let Decoded::Change(change) = decoded else {
        panic!("no change");
    };
    assert_eq!(
        change.row.after, None,
        "it is not compared, and never equal"
    );
}
