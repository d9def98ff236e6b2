//! Takes the inline schema off a record: `{"schema":…,"payload":…}`.
//!
//! The schema is several times as long as the row and is the same for thousands of records, so it is parsed
//! once and then recognised by its bytes. A record that begins differently is parsed in full.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use cutover_model::TableShape;
use serde::Deserialize;

use super::encoding::Encoding;
use super::fields::{Fields, Shape};
use super::modes::ConverterModes;

/// A Kafka Connect schema, as far as it decides how a value is written.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Node {
    #[serde(rename = "type", default)]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    #[serde(default)]
    field: Option<String>,
    #[serde(default)]
    fields: Vec<Node>,
    #[serde(default)]
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Node {
    pub(crate) fn member(&self, name: &str) -> Option<&Node> {
        let named = |node: &&Node| node.field.as_deref() == Some(name);
        self.fields.iter().find(named)
    }
}

/// A parsed schema with the encodings that were derived from it, by index of the table.
#[derive(Debug)]
pub(crate) struct Schema {
    root: Node,
    encodings: RefCell<Vec<(usize, Rc<[Encoding]>)>>,
}

impl Schema {
    /// How each column of the table is written. In an envelope the row stands under `after` and `before`.
    pub(crate) fn encodings(
        &self,
        index: usize,
        shape: &TableShape,
        modes: &ConverterModes,
    ) -> Rc<[Encoding]> {
        let known = self.encodings.borrow();
        if let Some((_, encodings)) = known.iter().find(|(of, _)| *of == index) {
            return Rc::clone(encodings);
        }
        drop(known);
        let envelope = self
            .root
            .member("source")
            .is_some_and(|source| source.kind == "struct");
        let row = match self.root.member("after") {
            Some(after) if envelope => after,
            _ => &self.root,
        };
        let encodings: Rc<[Encoding]> = shape
            .columns
            .iter()
            .map(|column| Encoding::of(column, modes, row.member(&column.name)))
            .collect();
        self.encodings
            .borrow_mut()
            .push((index, Rc::clone(&encodings)));
        encodings
    }
}

/// A record without its frame.
#[derive(Debug)]
pub(crate) struct Unframed<'a> {
    pub(crate) schema: Option<Rc<Schema>>,
    pub(crate) payload: Shape<'a>,
}

/// The frame of one topic's keys or values.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    known: Option<(Vec<u8>, Rc<Schema>)>,
}

impl Framing {
    pub(crate) fn unframe<'a>(&mut self, bytes: &'a [u8]) -> Result<Unframed<'a>, String> {
        if bytes.first() == Some(&0) {
            return Err(
                "begins with byte 0: framed for a schema registry (Avro, Protobuf, …), \
                        which is not decoded yet"
                    .to_owned(),
            );
        }
        if let Some((prefix, schema)) = &self.known
            && let Some(rest) = bytes.strip_prefix(prefix.as_slice())
            && let Some(payload) = rest.strip_suffix(b"}")
        {
            return Ok(Unframed {
                schema: Some(Rc::clone(schema)),
                payload: Fields::parse(text(payload)?)?,
            });
        }
        let json = text(bytes)?;
        let whole = Fields::parse(json)?;
        let Some((schema, payload)) = frame(&whole) else {
            return Ok(Unframed {
                schema: None,
                payload: whole,
            });
        };
        let parsed = Rc::new(Schema {
            root: serde_json::from_str(schema).map_err(|_| "no valid inline schema".to_owned())?,
            encodings: RefCell::default(),
        });
        // The payload is a part of the record, so its place tells how long the frame is.
        let place = payload.as_ptr().addr() - json.as_ptr().addr();
        if &json[place + payload.len()..] == "}" {
            self.known = Some((bytes[..place].to_vec(), Rc::clone(&parsed)));
        }
        Ok(Unframed {
            schema: Some(parsed),
            payload: Fields::parse(payload)?,
        })
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
}
