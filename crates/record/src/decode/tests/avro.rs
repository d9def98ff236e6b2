//! Avro: records captured from Debezium 3.7.0 with Confluent's converter and a real registry against COPY of the same
//! rows, and what the registry may answer.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cutover_clients::registry::Registered;

use super::*;

#[test]
fn an_avro_envelope_equals_copy_in_every_column() {
    let (different, unknown, compared) = compare("avro");
    let known = [SNAPSHOT_DATE_IN_THE_CALENDAR_GAP, NUMERIC_NAN_BECOMES_NULL];
    assert_eq!(different, set(&known));
    assert_eq!(unknown, set(&[]));
    assert!(compared > 700, "{compared}");
}

#[test]
fn a_flat_avro_row_equals_copy_where_it_holds_enough() {
    let (different, unknown, _) = compare("avro_flat");
    assert_eq!(different, set(&[SNAPSHOT_DATE_IN_THE_CALENDAR_GAP]));
    // time.precision.mode=connect cuts microseconds off, decimal.handling.mode=double digits.
    assert_eq!(unknown, set(&["n", "tm", "ts"]));
}

#[test]
fn without_connect_s_names_the_settings_say_what_a_number_is() {
    let (different, unknown, _) = compare("avro_bare");
    assert_eq!(different, set(&[SNAPSHOT_DATE_IN_THE_CALENDAR_GAP]));
    assert_eq!(unknown, set(&[]));
}

#[test]
fn operations_halves_and_chains_are_those_of_json() {
    for table in ["two", "nokey", "defid", "wide"] {
        for form in ["avro", "avro_bare"] {
            let (rows, notes) = decoded(form, table);
            let (wanted, wanted_notes) = decoded("envelope", table);
            if table == "two" || table == "nokey" {
                // The same load, so the same rows.
                let strip = |rows: &[ChangeRow]| -> Vec<_> {
                    let facts =
                        |row: &ChangeRow| (row.op, row.half, row.before, row.after, row.key_hash);
                    rows.iter().map(facts).collect()
                };
                assert_eq!(strip(&rows), strip(&wanted), "{form} {table}");
            }
            assert_eq!(letters(&rows)[..3], letters(&wanted)[..3], "{form} {table}");
            assert_eq!(notes, wanted_notes, "{form} {table}");
        }
    }
    let (rows, notes) = decoded("avro", "defid");
    assert_eq!(letters(&rows), "cudxcdx");
    // What stands in the place of an old row that PostgreSQL did not write is no old row.
    assert!(rows.iter().all(|row| row.before.is_none()));
    assert!(rows[0].after.is_some() && rows[1].after.is_none() && rows[4].after.is_none());
    let place = ("public.defid".to_owned(), "big".to_owned());
    assert!(notes.not_compared[&place].contains("TOAST"));
    assert_eq!(rows[2].half, Half::OldKey);
    let (rows, _) = decoded("avro_flat", "two");
    assert_eq!(letters(&rows), "cudxcdx");
}

/// COPY's text of the last update of the odd table's first row.
fn odd_row(shape: &TableShape) -> Option<i64> {
    let texts = [
        "1",
        "x",
        "7",
        "1.25",
        "v",
        "2024-01-02 03:04:05.678901",
        "not ok",
    ];
    let values: Vec<Canonical> = shape
        .columns
        .iter()
        .zip(texts)
        .map(|(column, text)| from_text(column, text))
        .collect();
    row_image(shape, &values).hash
}

#[test]
fn names_that_avro_cannot_hold_find_their_columns_however_they_were_changed() {
    for form in ["avro", "avro_bare", "avro_unicode", "avro_scrubbed"] {
        let (rows, notes) = decoded(form, "odd-1");
        assert_eq!(letters(&rows), "ccudx", "{form}");
        assert!(notes.problems.is_empty(), "{form} {:?}", notes.problems);
        let shape = &shapes()[5];
        assert_eq!(rows[2].after, odd_row(shape), "{form}");
        assert_eq!(rows[2].before, rows[0].after, "{form}");
        assert_eq!(rows[3].before, rows[1].after, "{form}");
        assert_eq!(
            rows[0].key.as_deref(),
            Some("{\"id\":\"1\",\"my-col\":\"x\"}")
        );
        assert_eq!(
            rows[4].key.as_deref(),
            Some("{\"id\":\"2\",\"my-col\":\"ö\"}")
        );
        let place = ("public.odd-1".to_owned(), "feel".to_owned());
        assert_eq!(notes.not_compared.keys().collect::<Vec<_>>(), [&place]);
    }
}

#[test]
fn cloud_events_are_named_and_counted() {
    let (shapes, modes) = (shapes(), modes("cloud_events"));
    let mut decoder = Decoder::new("cloud_events", &shapes, &modes).with_schemas(Kept::captured());
    let mut named = 0;
    for record in captured("cloud_events") {
        match decoder.decode(&record.record(), 0) {
            Decoded::Undecoded(reason) if record.topic.ends_with("two") => {
                assert_eq!(reason, "CloudEvents, not decoded");
                named += 1;
            }
            Decoded::Undecoded(_) => {}
            Decoded::Tombstone(row) => assert_eq!(row.op, Op::Tombstone),
            other => panic!("{}: {other:?}", record.topic),
        }
    }
    assert_eq!(named, 5);
}

/// A number as Avro writes it.
pub(super) fn long(number: i64) -> Vec<u8> {
    let mut bits = (number << 1 ^ number >> 63).cast_unsigned();
    let mut bytes = Vec::new();
    while bits >= 0x80 {
        bytes.push(u8::try_from(bits & 0x7F).unwrap() | 0x80);
        bits >>= 7;
    }
    bytes.push(u8::try_from(bits).unwrap());
    bytes
}

pub(super) fn text(text: &str) -> Vec<u8> {
    let length = i64::try_from(text.len()).unwrap();
    [long(length), text.as_bytes().to_vec()].concat()
}

pub(super) fn framed(id: u32, datum: &[u8]) -> Vec<u8> {
    [&[0], &id.to_be_bytes()[..], datum].concat()
}

/// A registry that counts questions, and may be down.
struct Counted {
    kept: Kept,
    asked: Rc<Cell<u32>>,
    down: bool,
}

impl SchemaSource for Counted {
    fn schema(&mut self, part: Part, id: u32) -> Option<Result<Option<Registered>, RegistryError>> {
        self.asked.set(self.asked.get() + 1);
        if self.down {
            return Some(Err(RegistryError::Unreachable {
                address: "http://h".into(),
                detail: "refused".into(),
            }));
        }
        self.kept.schema(part, id)
    }
}

fn registered(kind: &str, text: &str) -> Registered {
    Registered {
        kind: kind.to_owned(),
        text: text.to_owned(),
        refers: false,
    }
}

const ROW: &str = r#"{"type":"record","name":"R","fields":[{"name":"id","type":"long"},
    {"name":"t","type":["null","string"]},{"name":"__op","type":"string"}]}"#;

fn kept() -> Kept {
    let schemas = [
        (1, registered("AVRO", ROW)),
        (2, registered("AVRO", "\"long\"")),
        (3, registered("PROTOBUF", "syntax")),
        (4, registered("JSON", "{}")),
        (5, registered("AVRO", "{")),
        (6, registered("XML", "")),
        (
            7,
            Registered {
                refers: true,
                ..registered("AVRO", ROW)
            },
        ),
        (8, registered("AVRO", r#"["null","string"]"#)),
    ];
    Kept(BTreeMap::from(schemas))
}

fn avro_record<'a>(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> Record<'a> {
    let mut record = record("p.public.t", None, None);
    (record.key, record.value) = (key, value);
    record
}

#[test]
fn a_schema_is_asked_for_once_whatever_the_answer_and_a_registry_that_is_down_is_no_answer() {
    let (shapes, modes) = (
        small(&[("id", 20, true), ("t", 25, false)]),
        ConverterModes::default(),
    );
    let asked = Rc::new(Cell::new(0));
    let source = |down| {
        Box::new(Counted {
            kept: kept(),
            asked: Rc::clone(&asked),
            down,
        })
    };
    let mut decoder = Decoder::new("p", &shapes, &modes).with_schemas(source(false));
    let value = framed(1, &[long(7), long(1), text("x"), text("c")].concat());
    let (key, unknown) = (framed(2, &long(7)), framed(99, b""));
    for _ in 0..3 {
        let decoded = decoder.decode(&avro_record(Some(&key), Some(&value)), 0);
        let Decoded::Change(change) = decoded else {
            panic!("{decoded:?}");
        };
        assert_eq!(change.format, "flat row, avro");
        assert_eq!(change.row.key.as_deref(), Some("{\"id\":\"7\"}"));
        assert!(change.row.after.is_some() && change.row.op == Op::Create);
        let decoded = decoder.decode(&avro_record(Some(&key), Some(&unknown)), 0);
        assert_eq!(
            decoded,
            Decoded::Undecoded("the registry has no schema 99".into())
        );
    }
    assert_eq!(asked.get(), 3);
    let mut decoder = Decoder::new("p", &shapes, &modes).with_schemas(source(true));
    for record in [
        avro_record(Some(&key), Some(&value)),
        avro_record(Some(&key), None),
    ] {
        let decoded = decoder.decode(&record, 0);
        assert!(matches!(decoded, Decoded::Unknown(_)), "{decoded:?}");
    }
    assert_eq!(asked.get(), 5);
}

/// A registry that lost its schemas gives their ids to others; a record may be read with one of them without an error.
#[test]
fn another_schema_under_a_known_id_is_refused() {
    let (shapes, modes) = (
        small(&[("id", 20, true), ("t", 25, false)]),
        ConverterModes::default(),
    );
    let key = framed(2, &long(7));
    let tombstone = avro_record(Some(&key), None);
    let mut decoder = Decoder::new("p", &shapes, &modes).with_schemas(Box::new(kept()));
    assert!(matches!(
        decoder.decode(&tombstone, 0),
        Decoded::Tombstone(_)
    ));
    let used = decoder.used_schemas().clone();
    assert_eq!(used.keys().collect::<Vec<_>>(), ["key/2"]);
    let mut other = kept();
    other.0.insert(2, registered("AVRO", "\"int\""));
    for (source, refused) in [(kept(), false), (other, true)] {
        let decoder = Decoder::new("p", &shapes, &modes).with_schemas(Box::new(source));
        let decoded = decoder.expecting(used.clone()).decode(&tombstone, 0);
        let why = "another schema 2 than when the run was recorded";
        let told = matches!(&decoded, Decoded::Undecoded(reason) if reason.contains(why));
        assert_eq!(told, refused, "{decoded:?}");
    }
}

#[test]
fn every_other_frame_is_undecoded_with_its_reason() {
    let (shapes, modes) = (
        small(&[("id", 20, true), ("t", 25, false)]),
        ConverterModes::default(),
    );
    let mut decoder = Decoder::new("p", &shapes, &modes).with_schemas(Box::new(kept()));
    let key = framed(2, &long(7));
    let row = [long(7), long(0), text("c")].concat();
    let cases: [(Vec<u8>, &str); 13] = [
        (framed(3, &row), "Protobuf (schema 3), not decoded"),
        (framed(4, b"{}"), "JSON Schema (schema 4), not decoded"),
        (framed(5, &row), "schema 5: no valid Avro schema"),
        (framed(6, &row), "XML (schema 6), not decoded"),
        (
            framed(7, &row),
            "schema 7 refers to other schemas, not decoded",
        ),
        (framed(0, &row), "ids of 8 bytes"),
        (framed(9, &row), "the registry has no schema 9"),
        (
            framed(1, &row[..2]),
            "schema 1: no Avro datum of its schema: it ends too early",
        ),
        (
            framed(1, &[row.clone(), vec![9]].concat()),
            "another schema wrote it",
        ),
        (framed(2, &row), "schema 2: no Avro datum"),
        (framed(2, &long(3)), "the payload is no object"),
        (b"\0\0\0\0".to_vec(), "ends before the id"),
        (b"\x01\0\0\0\0".to_vec(), "GUID"),
    ];
    for (value, why) in &cases {
        let decoded = decoder.decode(&avro_record(Some(&key), Some(value)), 0);
        let Decoded::Undecoded(reason) = decoded else {
            panic!("{why}: {decoded:?}");
        };
        assert!(reason.contains(why), "{reason}");
    }
    let value = framed(1, &row);
    let decoded = decoder.decode(&avro_record(Some(&framed(3, b"")), Some(&value)), 0);
    let reason = "record key: Protobuf (schema 3), not decoded";
    assert_eq!(decoded, Decoded::Undecoded(reason.into()));
    let tombstone = decoder.decode(&avro_record(Some(&key), None), 0);
    assert!(
        matches!(tombstone, Decoded::Tombstone(row) if row.key.as_deref() == Some("{\"id\":\"7\"}"))
    );
    // An optional value that is not there is a tombstone as well.
    let none = framed(8, &long(0));
    let tombstone = decoder.decode(&avro_record(Some(&key), Some(&none)), 0);
    assert!(matches!(tombstone, Decoded::Tombstone(_)));
    let mut nobody = Decoder::new("p", &shapes, &modes);
    let decoded = nobody.decode(&avro_record(Some(&key), Some(&value)), 0);
    let Decoded::Undecoded(reason) = decoded else {
        panic!("{decoded:?}");
    };
    assert!(reason.contains("names none for its values"), "{reason}");
}

#[test]
fn twenty_thousand_avro_records_are_decoded_in_well_under_a_second() {
    let (shapes, modes) = (shapes(), modes("avro"));
    let mut decoder = Decoder::new("avro", &shapes, &modes).with_schemas(Kept::captured());
    let records = captured("avro");
    let one = records.iter().find(|record| record.topic.ends_with("two"));
    let one = one.unwrap();
    let begun = std::time::Instant::now();
    for _ in 0..20_000 {
        let decoded = decoder.decode(&one.record(), 0);
        assert!(matches!(decoded, Decoded::Change(_)));
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!("20,000 records in {seconds:.2} s");
    // Far above what is measured, for machines under load.
    assert!(seconds < 5.0, "{seconds}");
}
