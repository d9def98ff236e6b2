//! Takes the frame off a record: the inline schema (`{"schema":…,"payload":…}`) of the JSON converter. What stands in
//! front of other converters' records is told apart here and taken off in `registry`.
//!
//! The schema is several times as long as the row and is the same for thousands of records, so it is parsed
//! once and then recognised by its bytes. A record that begins differently is parsed in full.

use std::rc::Rc;

use cutover_clients::kafka::Record;

use super::fields::{Fields, Outline, Shape};
use super::layout::Schema;

/// Half of a record that a converter writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The key.
    Key,
    /// The value.
    Value,
}

impl Part {
    /// Its name in options and headers.
    pub fn name(self) -> &'static str {
        match self {
            Part::Key => "key",
            Part::Value => "value",
        }
    }
}

/// What stands in front of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    /// JSON, as far as one can tell.
    None,
    /// Confluent's: byte 0, the id of the schema, the datum.
    Schema(u32, &'a [u8]),
}

impl<'a> Frame<'a> {
    /// Tells the frame, or says whose it is if it is known and not understood.
    pub(crate) fn of(
        part: Part,
        bytes: &'a [u8],
        record: &Record<'_>,
    ) -> Result<Frame<'a>, String> {
        if matches!(bytes.first(), Some(b'{' | b'"')) {
            return Ok(Frame::None);
        }
        let name = part.name();
        let headers = [
            (format!("apicurio.{name}."), "Apicurio's converter"),
            (format!("apicurio.registry.{name}."), "Apicurio's converter"),
            (format!("__{name}_schema_id"), "Confluent's converter"),
        ];
        for (begins, whose) in headers {
            if record
                .headers
                .iter()
                .any(|(header, _)| header.starts_with(&begins))
            {
                return Err(format!(
                    "its schema is named in a header, as {whose} does if told to; not decoded"
                ));
            }
        }
        match bytes {
            [0, a, b, c, d, datum @ ..] => {
                Ok(Frame::Schema(u32::from_be_bytes([*a, *b, *c, *d]), datum))
            }
            [0, ..] => Err("begins with byte 0, but ends before the id of a schema".to_owned()),
            [1, ..] => {
                Err("begins with byte 1: its schema is named by a GUID; not decoded".to_owned())
            }
            [3, 0 | 5, ..] => Err(
                "begins with byte 3: framed for the registry of AWS Glue; not decoded".to_owned(),
            ),
            _ => Ok(Frame::None),
        }
    }
}

/// A record without its frame.
#[derive(Debug)]
pub(crate) struct Unframed<'a> {
    pub(crate) schema: Option<Rc<Schema>>,
    pub(crate) payload: Shape<'a>,
    /// The schema came from a registry, so the bytes were Avro.
    pub(crate) avro: bool,
}

/// The converter that a value shows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Plain,
    Inline,
    Avro,
}

impl Form {
    pub(super) fn of(has_schema: bool, avro: bool) -> Form {
        match (has_schema, avro) {
            (_, true) => Form::Avro,
            (true, false) => Form::Inline,
            (false, false) => Form::Plain,
        }
    }

    pub(super) fn envelope(self) -> &'static str {
        match self {
            Form::Plain => "debezium envelope, json without schema",
            Form::Inline => "debezium envelope, json with inline schema",
            Form::Avro => "debezium envelope, avro",
        }
    }

    pub(super) fn flat(self) -> &'static str {
        match self {
            Form::Plain => "flat row, json without schema",
            Form::Inline => "flat row, json with inline schema",
            Form::Avro => "flat row, avro",
        }
    }
}

/// The frame of one topic's keys or values.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    known: Option<(Vec<u8>, Rc<Schema>)>,
    /// Of what stands without a frame, and of what stands in one.
    bare: Outline,
    framed: Outline,
}

impl Framing {
    pub(crate) fn unframe<'a>(&mut self, bytes: &'a [u8]) -> Result<Unframed<'a>, String> {
        let json = |schema, payload| Unframed {
            schema,
            payload,
            avro: false,
        };
        if let Some((prefix, schema)) = &self.known
            && let Some(rest) = bytes.strip_prefix(prefix.as_slice())
            && let Some(payload) = rest.strip_suffix(b"}")
        {
            return Ok(json(
                Some(Rc::clone(schema)),
                Fields::parse_like(text(payload)?, &mut self.framed)?,
            ));
        }
        let whole_text = text(bytes)?;
        let whole = Fields::parse_like(whole_text, &mut self.bare)?;
        let Some((schema, payload)) = frame(&whole) else {
            return Ok(json(None, whole));
        };
        let parsed = Rc::new(Schema::parse(schema)?);
        // The payload is a part of the record, so its place tells how long the frame is.
        let place = payload.as_ptr().addr() - whole_text.as_ptr().addr();
        if &whole_text[place + payload.len()..] == "}" {
            self.known = Some((bytes[..place].to_vec(), Rc::clone(&parsed)));
        }
        Ok(json(Some(parsed), Fields::parse(payload)?))
    }
}

/// Schema and payload, if that is what the two members of the object are.
fn frame<'a>(whole: &Shape<'a>) -> Option<(&'a str, &'a str)> {
    let Shape::Object(fields) = whole else {
        return None;
    };
    let (schema, payload) = (fields.get("schema")?, fields.get("payload")?);
    (fields.len() == 2 && schema.starts_with('{')).then_some((schema, payload))
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "no UTF-8 text, so no JSON".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_parsed_once_and_a_changed_one_is_noticed() {
        let mut framing = Framing::default();
        let record = |kind: &str, payload: &str| {
            format!(
                r#"{{"schema":{{"type":"struct","fields":[{{"type":"{kind}","field":"a"}}]}},"payload":{payload}}}"#
            )
        };
        let first = record("int32", r#"{"a":1}"#);
        let one = framing.unframe(first.as_bytes()).unwrap().schema.unwrap();
        let again = record("int32", r#"{"a":2}"#);
        let two = framing.unframe(again.as_bytes()).unwrap();
        assert!(Rc::ptr_eq(&one, two.schema.as_ref().unwrap()));
        assert!(matches!(two.payload, Shape::Object(fields) if fields.integer("a") == Some(2)));
        let changed = record("int64", "null");
        let three = framing.unframe(changed.as_bytes()).unwrap();
        assert!(!Rc::ptr_eq(&one, three.schema.as_ref().unwrap()));
        assert!(matches!(three.payload, Shape::Null));
    }

    #[test]
    fn a_row_with_columns_named_schema_and_payload_is_no_frame() {
        let unframed = Framing::default()
            .unframe(br#"{"schema":"x","payload":"y"}"#)
            .map(|unframed| unframed.schema.is_none());
        assert_eq!(unframed, Ok(true));
    }

    #[test]
    fn hostile_bytes_are_told_not_swallowed() {
        let mut framing = Framing::default();
        for bytes in [
            &b"\0\0\0\0\x01"[..],
            b"",
            b"{",
            b"\xff\xfe",
            b"{}x",
            b"nul",
            b"{\"a\":}",
        ] {
            assert!(framing.unframe(bytes).is_err(), "{bytes:?}");
        }
        let deep = "[".repeat(1_000_000);
        assert!(framing.unframe(deep.as_bytes()).is_err());
    }

    #[test]
    fn frames_of_others_are_named() {
        let record = |headers| Record {
            topic: "t",
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            value: None,
            headers,
        };
        let plain = record(Vec::new());
        let of = |bytes: &'static [u8]| Frame::of(Part::Value, bytes, &plain);
        assert_eq!(of(b"\0\0\0\x01\x02ab"), Ok(Frame::Schema(258, b"ab")));
        assert_eq!(of(b"\0\0\0\0\x07"), Ok(Frame::Schema(7, b"")));
        assert_eq!(of(b"17"), Ok(Frame::None));
        assert_eq!(of(b"{}"), Ok(Frame::None));
        assert!(of(b"\0\0\0").unwrap_err().contains("ends before the id"));
        assert!(of(b"\x01abc").unwrap_err().contains("GUID"));
        assert!(of(b"\x03\0abc").unwrap_err().contains("Glue"));
        for (header, whose) in [
            ("apicurio.value.globalId", "Apicurio"),
            ("apicurio.value.contentId", "Apicurio"),
            ("__value_schema_id", "Confluent"),
        ] {
            let named = record(vec![(header, Some(&b"\0"[..]))]);
            let reason = Frame::of(Part::Value, b"\0\x02abc", &named).unwrap_err();
            assert!(reason.contains(whose), "{reason}");
            assert!(Frame::of(Part::Key, b"\0\0\0\0\x01\x02", &named).is_ok());
        }
    }
}
