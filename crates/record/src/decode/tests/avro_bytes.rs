//! Avro: what becomes of bytes, made by hand and made by chance. None may panic, and none may cost more than they are.

use super::super::avro_schema::AvroSchema;
use super::super::avro_text;
use super::avro::{long, text};
use super::{Captured, Kept, captured, modes, shapes};
use super::{Decoded, Decoder};

fn read(schema: &str, datum: &[u8]) -> Result<String, String> {
    let mut out = String::new();
    avro_text::write(&AvroSchema::compile(schema)?, datum, &mut out)?;
    serde_json::from_str::<serde::de::IgnoredAny>(&out).unwrap();
    Ok(out)
}

#[test]
fn every_type_becomes_the_json_that_the_json_converter_writes() {
    for (schema, datum, json) in examples() {
        assert_eq!(read(schema, &datum).as_deref(), Ok(json), "{schema}");
        // Nothing shorter and nothing longer is the same datum.
        for length in 0..datum.len() {
            assert!(read(schema, &datum[..length]).is_err(), "{schema} {length}");
        }
        let longer = [datum, vec![0]].concat();
        let told = read(schema, &longer).unwrap_err();
        assert!(told.contains("another schema wrote it"), "{told}");
    }
}

/// Schema, datum, JSON.
fn examples() -> [(&'static str, Vec<u8>, &'static str); 17] {
    let record = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"long"},{"name":"b","type":"string"}]}"#;
    [
        ("\"null\"", vec![], "null"),
        ("\"boolean\"", vec![1], "true"),
        ("\"int\"", long(-7), "-7"),
        ("\"long\"", long(i64::MIN), "-9223372036854775808"),
        ("\"long\"", long(i64::MAX), "9223372036854775807"),
        ("\"float\"", 0.1_f32.to_le_bytes().to_vec(), "0.1"),
        ("\"float\"", f32::NAN.to_le_bytes().to_vec(), "\"NaN\""),
        ("\"double\"", (-0.0_f64).to_le_bytes().to_vec(), "-0"),
        (
            "\"double\"",
            f64::NEG_INFINITY.to_le_bytes().to_vec(),
            "\"-Infinity\"",
        ),
        ("\"bytes\"", text("\u{0}\u{7f}"), "\"AH8=\""),
        (
            "\"string\"",
            text("a\"\\\n\u{1}é€😀"),
            r#""a\"\\\u000a\u0001é€😀""#,
        ),
        (
            r#"{"type":"fixed","name":"F","size":2}"#,
            vec![0, 0x7F],
            "\"AH8=\"",
        ),
        (
            r#"{"type":"enum","name":"E","symbols":["x","y"]}"#,
            long(1),
            "\"y\"",
        ),
        (r#"["null","long"]"#, [long(1), long(5)].concat(), "5"),
        (record, [long(1), text("z")].concat(), r#"{"a":1,"b":"z"}"#),
        // A block with its size in bytes, another one without, the end.
        (
            r#"{"type":"array","items":"long"}"#,
            [
                long(-2),
                long(2),
                long(1),
                long(2),
                long(1),
                long(3),
                long(0),
            ]
            .concat(),
            "[1,2,3]",
        ),
        (
            r#"{"type":"map","values":["null","int"]}"#,
            [
                long(2),
                text("a"),
                long(0),
                text("b"),
                long(1),
                long(9),
                long(0),
            ]
            .concat(),
            r#"{"a":null,"b":9}"#,
        ),
    ]
}

#[test]
fn bytes_that_are_no_datum_of_the_schema_are_told() {
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("\"boolean\"", vec![2], "neither true nor false"),
        ("\"int\"", long(1 << 31), "too large"),
        ("\"long\"", vec![0xFF; 10], "64 bits"),
        ("\"long\"", vec![0x80; 9], "too early"),
        ("\"bytes\"", long(-1), "negative"),
        ("\"bytes\"", long(i64::MAX), "too early"),
        ("\"string\"", [long(2), vec![0xC3, 0x28]].concat(), "UTF-8"),
        (r#"["null","long"]"#, long(2), "does not have"),
        (r#"["null","long"]"#, long(-1), "does not have"),
        (
            r#"{"type":"enum","name":"E","symbols":["x"]}"#,
            long(7),
            "does not have",
        ),
        (
            r#"{"type":"array","items":"null"}"#,
            [long(i64::MIN), long(0)].concat(),
            "too long",
        ),
    ];
    for (schema, datum, why) in cases {
        let told = read(schema, &datum).unwrap_err();
        assert!(told.contains(why), "{schema}: {told}");
    }
}

#[test]
fn neither_depth_nor_number_nor_names_of_values_are_without_bound() {
    let claims = "claims more values than its bytes can hold";
    // 2^62 values that take no byte.
    let many = [long(1 << 62), long(0)].concat();
    let nulls = read(r#"{"type":"array","items":"null"}"#, &many).unwrap_err();
    assert!(nulls.contains(claims), "{nulls}");
    // Each record holds the next one twice: 2^60 values, and not one byte.
    let mut doubled = r#"{"type":"record","name":"R60","fields":[]}"#.to_owned();
    for number in (0..60).rev() {
        let next = number + 1;
        let fields = format!(r#"{{"name":"a","type":{doubled}}},{{"name":"b","type":"R{next}"}}"#);
        doubled = format!(r#"{{"type":"record","name":"R{number}","fields":[{fields}]}}"#);
    }
    let told = read(&doubled, &[]).unwrap_err();
    assert!(!told.contains("is not defined"), "{told}");
    // A record that holds itself.
    let own = r#"{"type":"record","name":"R","fields":[{"name":"a","type":["null","R"]}]}"#;
    assert!(
        read(own, &vec![2; 1_000_000])
            .unwrap_err()
            .contains("too deeply")
    );
    let endless = r#"{"type":"record","name":"R","fields":[{"name":"a","type":"R"}]}"#;
    assert!(read(endless, &[]).unwrap_err().contains("too deeply"));
    // A name of a MiB for each byte.
    let name = "n".repeat(1 << 20);
    let named = format!(
        r#"{{"type":"array","items":{{"type":"record","name":"R","fields":[{{"name":"{name}","type":"boolean"}}]}}}}"#
    );
    let datum = [long(10_000), vec![0; 10_000], long(0)].concat();
    let schema = AvroSchema::compile(&named).unwrap();
    let mut out = String::new();
    let told = avro_text::write(&schema, &datum, &mut out).unwrap_err();
    assert!(told.contains(claims), "{told}");
    assert!(out.capacity() < 32 << 20, "{}", out.capacity());
}

/// The same numbers on every machine.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    /// Changes, cuts, repeats or adds a few bytes.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len() + 1);
            match self.below(5) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, self.next().to_le_bytes()[0]),
                2 => bytes.extend_from_within(place / 2..place),
                3 => bytes.splice(place..place, [0xFF; 9]).for_each(drop),
                _ => {
                    if let Some(byte) = bytes.get_mut(place) {
                        *byte ^= 1 << self.below(8);
                    }
                }
            }
        }
        bytes.truncate(1 << 16);
    }
}

#[test]
fn no_bytes_make_the_decoder_panic_or_take_memory_without_bound() {
    let texts: Vec<String> = Kept::captured()
        .0
        .into_values()
        .map(|kept| kept.text)
        .collect();
    let schemas: Vec<AvroSchema> = texts
        .iter()
        .map(|text| AvroSchema::compile(text).unwrap())
        .collect();
    let data: Vec<Vec<u8>> = ["avro", "avro_flat", "avro_bare"]
        .iter()
        .flat_map(|form| captured(form))
        .flat_map(|record: Captured| [record.key, record.value])
        .flatten()
        .map(|bytes| bytes[5..].to_vec())
        .collect();
    let mut chance = Chance(0x5EED_CAFE);
    let (mut read, mut refused) = (0, 0);
    let mut out = String::new();
    for round in 0..60_000 {
        let mut datum = data[chance.below(data.len())].clone();
        if round % 3 > 0 {
            chance.spoil(&mut datum);
        }
        out.clear();
        let schema = &schemas[chance.below(schemas.len())];
        match avro_text::write(schema, &datum, &mut out) {
            Ok(()) => {
                let parsed = serde_json::from_str::<serde::de::IgnoredAny>(&out);
                assert!(parsed.is_ok(), "{out}");
                read += 1;
            }
            Err(_) => refused += 1,
        }
        assert!(out.len() <= (9 << 20) + 64 * datum.len());
    }
    assert!(read > 100 && refused > 10_000, "{read} {refused}");
    let mut compiled = 0;
    for _ in 0..3_000 {
        let mut bytes = texts[chance.below(texts.len())].clone().into_bytes();
        chance.spoil(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(schema) = AvroSchema::compile(&text) {
            compiled += 1;
            let datum = &data[chance.below(data.len())];
            out.clear();
            let _ = avro_text::write(&schema, datum, &mut out);
            let _ = schema.node();
        }
    }
    assert!(compiled > 10, "{compiled}");
}

#[test]
fn no_record_makes_the_whole_decoder_panic() {
    let (shapes, modes) = (shapes(), modes("avro"));
    let mut decoder = Decoder::new("avro", &shapes, &modes).with_schemas(Kept::captured());
    let mut chance = Chance(0xBADC_0FFE);
    let mut records = captured("avro");
    let mut undecoded = 0;
    for _ in 0..20_000 {
        let number = chance.below(records.len());
        let kept = (records[number].key.clone(), records[number].value.clone());
        let record = &mut records[number];
        for bytes in [&mut record.key, &mut record.value].into_iter().flatten() {
            if chance.below(2) == 0 {
                chance.spoil(bytes);
            }
        }
        let decoded = decoder.decode(&record.record(), 0);
        undecoded += u32::from(matches!(decoded, Decoded::Undecoded(_)));
        (records[number].key, records[number].value) = kept;
    }
    assert!(undecoded > 5_000, "{undecoded}");
}
