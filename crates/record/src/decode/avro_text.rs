//! The bytes of an Avro datum to the JSON that Connect's JSON converter would have written of the same data, so that
//! one reader of rows serves both: bytes as base64, numbers as they are, NaN and infinities as words.
//!
//! The rule it protects: bytes and schema come from outside and may belong to each other or not. Every step is paid
//! from a budget that the length of the datum bounds, depth is bounded, and what is left over is an error: a datum
//! that another schema wrote is not read as if it were ours.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::avro_schema::{AvroSchema, Kind, Place};

/// Rows of PostgreSQL are flat; arrays and structs of Debezium's own add a few levels.
const DEPTH_MAX: u32 = 64;
/// Text for names that stand in the schema and not in the bytes.
const NAMES_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A byte becomes six of JSON at most (`\u0000`); the names of columns that hold nothing come on top.
const TEXT_PER_BYTE_MAX: usize = 64;

/// Appends the JSON of a datum to `out`.
pub(super) fn write(schema: &AvroSchema, datum: &[u8], out: &mut String) -> Result<(), String> {
    let mut reader = Reader {
        schema,
        rest: datum,
        // A value takes a byte, or stands in the schema; a union with its branch is two values of one byte.
        budget: datum.len().saturating_mul(4) + schema.types.len() + 1024,
        text_max: out.len() + NAMES_BYTES_MAX + datum.len().saturating_mul(TEXT_PER_BYTE_MAX),
        out,
    };
    reader.value(schema.root, 0)?;
    match reader.rest.len() {
        0 => Ok(()),
        left => Err(bad(&format!(
            "{left} bytes are left over, so another schema wrote it"
        ))),
    }
}

struct Reader<'a> {
    schema: &'a AvroSchema,
    rest: &'a [u8],
    budget: usize,
    text_max: usize,
    out: &'a mut String,
}

impl<'a> Reader<'a> {
    fn value(&mut self, place: Place, depth: u32) -> Result<(), String> {
        if depth > DEPTH_MAX {
            return Err(bad("it is nested too deeply"));
        }
        self.pay()?;
        let schema = self.schema;
        match &schema.types[place].kind {
            Kind::Null => self.out.push_str("null"),
            Kind::Boolean => match self.take(1)? {
                [0] => self.out.push_str("false"),
                [1] => self.out.push_str("true"),
                _ => return Err(bad("a boolean is neither true nor false")),
            },
            Kind::Int => {
                let number = i32::try_from(self.long()?).map_err(|_| bad("an int is too large"))?;
                self.display(number);
            }
            Kind::Long => {
                let number = self.long()?;
                self.display(number);
            }
            Kind::Float => {
                let number = f32::from_le_bytes(self.array()?);
                self.float(number.is_finite(), f64::from(number), number);
            }
            Kind::Double => {
                let number = f64::from_le_bytes(self.array()?);
                self.float(number.is_finite(), number, number);
            }
            Kind::Bytes => {
                let bytes = self.sized()?;
                self.base64(bytes);
            }
            Kind::Fixed(size) => {
                let bytes = self.take(*size)?;
                self.base64(bytes);
            }
            Kind::Text => {
                let text = self.text()?;
                self.quoted(text);
            }
            Kind::Enum(symbols) => {
                let symbol = self.index(symbols)?;
                self.quoted(symbol);
            }
            Kind::Union(branches) => {
                let branch = *self.index(branches)?;
                return self.value(branch, depth + 1);
            }
            Kind::Record(members) => return self.record(members, depth),
            Kind::Array(items) => return self.blocks(*items, false, depth),
            Kind::Map(values) => return self.blocks(*values, true, depth),
            Kind::Begun => return Err(bad("its schema is not whole")),
        }
        Ok(())
    }

    fn record(&mut self, members: &'a [(String, Place)], depth: u32) -> Result<(), String> {
        self.out.push('{');
        for (number, (name, place)) in members.iter().enumerate() {
            if number > 0 {
                self.out.push(',');
            }
            self.quoted(name);
            self.out.push(':');
            self.value(*place, depth + 1)?;
        }
        self.out.push('}');
        Ok(())
    }

    /// Arrays and maps come in blocks, each with its count; an empty one is the end.
    fn blocks(&mut self, items: Place, named: bool, depth: u32) -> Result<(), String> {
        self.out.push(if named { '{' } else { '[' });
        let mut first = true;
        loop {
            let mut count = self.long()?;
            if count < 0 {
                // The size of the block in bytes follows, for readers that skip it.
                self.long()?;
                count = count
                    .checked_neg()
                    .ok_or_else(|| bad("a block is too long"))?;
            }
            if count == 0 {
                break;
            }
            for _ in 0..count {
                if !std::mem::take(&mut first) {
                    self.out.push(',');
                }
                if named {
                    let name = self.text()?;
                    self.quoted(name);
                    self.out.push(':');
                }
                self.value(items, depth + 1)?;
            }
        }
        self.out.push(if named { '}' } else { ']' });
        Ok(())
    }

    /// Every value is paid for, those that take no byte as well: a block may claim any number of them.
    fn pay(&mut self) -> Result<(), String> {
        let spent = self.budget == 0 || self.out.len() > self.text_max;
        if spent {
            return Err(bad("it claims more values than its bytes can hold"));
        }
        self.budget -= 1;
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| bad("it ends too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| bad("it ends too early"))
    }

    /// A number in zig-zag form, seven bits a byte, the lowest first.
    fn long(&mut self) -> Result<i64, String> {
        let mut bits: u64 = 0;
        for (number, byte) in self.rest.iter().take(10).enumerate() {
            let part = u64::from(byte & 0x7F);
            if number == 9 && part > 1 {
                break;
            }
            bits |= part << (7 * number);
            if byte & 0x80 == 0 {
                self.rest = &self.rest[number + 1..];
                let negative = (bits & 1).wrapping_neg();
                return Ok(((bits >> 1) ^ negative).cast_signed());
            }
        }
        Err(bad(if self.rest.len() < 10 {
            "it ends too early"
        } else {
            "a number has more than 64 bits"
        }))
    }

    fn sized(&mut self) -> Result<&'a [u8], String> {
        let length = self.long()?;
        let length = usize::try_from(length).map_err(|_| bad("a length is negative"))?;
        self.take(length)
    }

    fn text(&mut self) -> Result<&'a str, String> {
        std::str::from_utf8(self.sized()?).map_err(|_| bad("a text is no UTF-8"))
    }

    fn index<T>(&mut self, of: &'a [T]) -> Result<&'a T, String> {
        let index = usize::try_from(self.long()?).ok();
        let found = index.and_then(|index| of.get(index));
        found.ok_or_else(|| bad("it chooses a branch or symbol that its schema does not have"))
    }

    fn display(&mut self, number: impl std::fmt::Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.out, "{number}");
    }

    fn float(&mut self, finite: bool, wide: f64, number: impl std::fmt::Display) {
        match wide {
            _ if finite => self.display(number),
            wide if wide.is_nan() => self.out.push_str("\"NaN\""),
            wide if wide > 0.0 => self.out.push_str("\"Infinity\""),
            _ => self.out.push_str("\"-Infinity\""),
        }
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push('"');
        STANDARD.encode_string(bytes, self.out);
        self.out.push('"');
    }

    fn quoted(&mut self, text: &str) {
        self.out.push('"');
        let mut plain = 0;
        for (place, byte) in text.bytes().enumerate() {
            if byte >= 0x20 && byte != b'"' && byte != b'\\' {
                continue;
            }
            self.out.push_str(&text[plain..place]);
            plain = place + 1;
            match byte {
                b'"' => self.out.push_str("\\\""),
                b'\\' => self.out.push_str("\\\\"),
                _ => {
                    let _ = write!(self.out, "\\u{byte:04x}");
                }
            }
        }
        self.out.push_str(&text[plain..]);
        self.out.push('"');
    }
}

fn bad(why: &str) -> String {
    format!("no Avro datum of its schema: {why}")
}
