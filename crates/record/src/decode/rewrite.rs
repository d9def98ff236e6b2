//! Takes the value of a record apart and writes it again with some members replaced, every other byte as it was.
//!
//! Repairs write in the connector's own form, so the form is known where records are decoded and nowhere else. The
//! rule it protects: what cannot be rewritten safely (a registry's frame, no JSON, a member that is not there) is
//! `None`, never an approximation.

use super::fields::{Fields, Shape};
use super::json_envelope;

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueForm {
    /// Debezium's envelope.
    Envelope,
    /// Another JSON object: the row itself, as a flattening transformation leaves it.
    Flat,
    /// Anything that is not taken apart here.
    Opaque,
}

/// The JSON value of a record, with or without its inline schema.
#[derive(Debug)]
pub struct JsonValue<'a> {
    text: &'a str,
    fields: Fields<'a>,
    /// Where the payload begins: everything before it is the frame.
    begins: usize,
}

impl<'a> JsonValue<'a> {
    /// Takes a value apart; `None` if it is no JSON object.
    pub fn parse(bytes: &'a [u8]) -> Option<JsonValue<'a>> {
        let text = std::str::from_utf8(bytes).ok()?;
        let Ok(Shape::Object(whole)) = Fields::parse(text) else {
            return None;
        };
        let payload = match (whole.len(), whole.get("schema"), whole.get("payload")) {
            (2, Some(schema), Some(payload)) if schema.starts_with('{') => payload,
            _ => {
                return Some(JsonValue {
                    text,
                    fields: whole,
                    begins: 0,
                });
            }
        };
        let Ok(Shape::Object(fields)) = Fields::parse(payload) else {
            return None;
        };
        Some(JsonValue {
            text,
            fields,
            begins: place(text, payload),
        })
    }

    /// What it looks like.
    pub fn form(&self) -> ValueForm {
        if json_envelope::is_envelope(&self.fields) {
            ValueForm::Envelope
        } else {
            ValueForm::Flat
        }
    }

    /// Text of a member.
    pub fn member(&self, name: &str) -> Option<&'a str> {
        self.fields.get(name)
    }

    /// The inline schema and whatever else stands before the payload.
    pub fn frame(&self) -> &'a str {
        &self.text[..self.begins]
    }

    /// The value with these members' texts replaced; `None` if one of them is not there.
    pub fn with(&self, members: &[(&str, &str)]) -> Option<Vec<u8>> {
        let mut cuts = Vec::with_capacity(members.len());
        for (name, text) in members {
            let old = self.fields.get(name)?;
            cuts.push((place(self.text, old), old.len(), *text));
        }
        cuts.sort_unstable();
        let mut written = String::with_capacity(self.text.len());
        let mut done = 0;
        for (begins, length, text) in cuts {
            written.push_str(&self.text[done..begins]);
            written.push_str(text);
            done = begins + length;
        }
        written.push_str(&self.text[done..]);
        Some(written.into_bytes())
    }
}

/// Where a part that was cut out of a text stands in it.
fn place(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_but_the_replaced_ones_stays() {
        let text =
            br#"{ "before":null,"after":{"a": 1.50},"source":{"lsn":7},"op":"c" ,"ts_ms":3}"#;
        let value = JsonValue::parse(text).unwrap();
        assert_eq!(value.form(), ValueForm::Envelope);
        let after = value.member("after").unwrap();
        let written = value.with(&[("op", "\"d\""), ("after", "null"), ("before", after)]);
        assert_eq!(
            String::from_utf8(written.unwrap()).unwrap(),
            r#"{ "before":{"a": 1.50},"after":null,"source":{"lsn":7},"op":"d" ,"ts_ms":3}"#
        );
        assert_eq!(value.with(&[("missing", "1")]), None);
    }

    #[test]
    fn an_inline_schema_is_the_frame_and_stays_as_it_is() {
        let text = br#"{"schema":{"type":"struct"},"payload":{"id":1,"__deleted":"false"}}"#;
        let value = JsonValue::parse(text).unwrap();
        assert_eq!(value.form(), ValueForm::Flat);
        assert_eq!(value.frame(), r#"{"schema":{"type":"struct"},"payload":"#);
        let written = value.with(&[("__deleted", "\"true\"")]).unwrap();
        assert!(written.ends_with(br#""payload":{"id":1,"__deleted":"true"}}"#));
    }

    #[test]
    fn what_is_no_json_object_is_left_alone() {
        for bytes in [&b"\0\0\0\0\x01"[..], b"", b"7", b"{", b"\xff"] {
            assert!(JsonValue::parse(bytes).is_none(), "{bytes:?}");
        }
    }
}
