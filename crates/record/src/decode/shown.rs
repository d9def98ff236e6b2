//! Values that a record shows in their canonical form, or so nearly that a few bytes make the difference: most values
//! of most tables. They are hashed where they stand, without memory for each.
//!
//! The rule it protects: this gives exactly what [`value::canonical`](super::value) gives, or nothing, and then that
//! one reads the value. A test holds the two against each other.

use std::fmt::Write as _;

use super::encoding::{Encoding, Unit};
use super::fields::{between, short_string};
use super::modes::ConverterModes;
use crate::canonical::usual_stamp;

/// Digits of a number of microseconds that is within PostgreSQL's times, whatever the digits.
const MICROS_DIGITS: usize = 17;
/// Likewise of a number of days.
const DAYS_DIGITS: usize = 6;
/// Up to so many digits no whole number is too large.
const INTEGER_DIGITS: usize = 18;

/// The canonical text of a value that is not null, and that may be known to be a string without escapes. `room` is for
/// what has to be put together.
pub(super) fn shown<'t>(
    encoding: &Encoding,
    (json, plain): (&'t str, bool),
    modes: &ConverterModes,
    room: &'t mut String,
) -> Option<&'t str> {
    match encoding {
        Encoding::Bool => match json {
            "true" => Some("t"),
            "false" => Some("f"),
            _ => None,
        },
        Encoding::Integer => integer(json, INTEGER_DIGITS),
        Encoding::Stamp(Unit::Micros) | Encoding::Time(Unit::Micros) => {
            integer(json, MICROS_DIGITS)
        }
        Encoding::Days => integer(json, DAYS_DIGITS),
        Encoding::Text => text((json, plain), modes, room),
        Encoding::Uuid => {
            let text = text((json, plain), modes, room)?;
            let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
            lower.then_some(text)
        }
        Encoding::StampText => {
            let stamp = json.strip_prefix('"')?.strip_suffix("Z\"")?;
            let micros = usual_stamp(stamp)?;
            room.clear();
            write!(room, "{micros}").ok()?;
            Some(room)
        }
        _ => None,
    }
}

fn text<'t>(
    (json, plain): (&'t str, bool),
    modes: &ConverterModes,
    room: &'t mut String,
) -> Option<&'t str> {
    let text = match plain {
        true => between(json),
        false => short_string(json, room),
    };
    text.filter(|text| *text != modes.placeholder.as_str())
}

/// A whole number without anything that its canonical form does not have.
fn integer(json: &str, digits_max: usize) -> Option<&str> {
    let digits = json.strip_prefix('-').unwrap_or(json).as_bytes();
    let first = *digits.first()?;
    let usual = digits.len() <= digits_max
        && digits.iter().all(u8::is_ascii_digit)
        && (first != b'0' || json == "0");
    usual.then_some(json)
}

#[cfg(test)]
mod tests {
    use cutover_model::canonical::Canonical;

    use super::*;
    use crate::decode::modes::Binary;
    use crate::decode::value;

    const VALUES: [&str; 48] = [
        "true",
        "false",
        "null",
        "0",
        "-0",
        "7",
        "-7",
        "007",
        "1.5",
        "1e3",
        "\"\"",
        "\"x\"",
        "123456789012345678",
        "-123456789012345678",
        "1234567890123456789",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "12345678901234567",
        "-210866803200000000",
        "-210866803200000001",
        "9224318015999999",
        "123456",
        "-123456",
        "-2440588",
        "-2440589",
        "2145042905",
        "2145042906",
        "\"a \\\"quoted\\\" text\"",
        "\"\\u00e9\"",
        "\"é東\"",
        "\"tab\\t\"",
        "\"broken\\x\"",
        "\"__debezium_unavailable_value\"",
        "\"__debezium_unavailable_valu\\u0065\"",
        "\"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11\"",
        "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
        "\"2026-01-01T00:00:00Z\"",
        "\"2026-02-28T23:59:59.5Z\"",
        "\"2026-02-28T23:59:59.123456Z\"",
        "\"2026-02-28T23:59:59.1234567Z\"",
        "\"2026-02-28T23:59Z\"",
        "\"0000-01-01T00:00:00Z\"",
        "\"-0044-03-15T00:00:00Z\"",
        "\"2026-13-01T00:00:00Z\"",
        "\"2026-01-01T25:00:00Z\"",
        "\"2026-01-01T00:00:00+02:00\"",
        "\"294277-01-01T00:00:00Z\"",
    ];

    #[test]
    fn what_is_shown_is_what_is_read_and_most_things_are_shown() {
        let encodings = [
            Encoding::Bool,
            Encoding::Integer,
            Encoding::Float8,
            Encoding::Text,
            Encoding::Uuid,
            Encoding::DecimalText,
            Encoding::Days,
            Encoding::Time(Unit::Micros),
            Encoding::Time(Unit::Millis),
            Encoding::Stamp(Unit::Micros),
            Encoding::Stamp(Unit::Millis),
            Encoding::Stamp(Unit::Nanos),
            Encoding::StampText,
            Encoding::TimeText,
            Encoding::DateText,
            Encoding::Bytes(Binary::Hex),
        ];
        let (modes, mut room, mut found) = (ConverterModes::default(), String::new(), 0);
        for encoding in &encodings {
            for json in VALUES {
                // The parser's word on what stands for itself.
                let string = serde_json::from_str::<String>(json);
                let plain = string.is_ok_and(|text| json == format!("\"{text}\""));
                let with = shown(encoding, (json, plain), &modes, &mut room).map(str::to_owned);
                let without = shown(encoding, (json, false), &modes, &mut room);
                assert_eq!(with.as_deref(), without, "{encoding:?} {json}");
                if let Some(text) = without {
                    found += 1;
                    let read = value::canonical(encoding, json, &modes);
                    let text = Canonical::Text(text.to_owned());
                    assert_eq!(read, Ok(text), "{encoding:?} {json}");
                }
            }
        }
        assert!(found > 50, "{found}");
    }
}
