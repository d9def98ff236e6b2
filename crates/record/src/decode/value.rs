//! One JSON value to the canonical text that PostgreSQL's own text of it would give.

use std::num::ParseFloatError;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use cutover_model::canonical::Canonical;
use num_bigint::BigInt;

use super::composed;
use super::encoding::{Encoding, Unit};
use super::fields::{Fields, Shape, string};
use super::modes::{Binary, ConverterModes};
use crate::canonical::{self, oid};

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// PostgreSQL allows 16,383 digits after the point; Debezium's largest scale is that of a negative one.
const SCALE_MAX: i64 = 20_000;
/// 131,072 digits before the point and 16,383 behind it need fewer bytes. Digits of a number are made in a time that
/// grows with the square of its length, so a longer one, which no column can hold, is not even tried.
const DECIMAL_BYTES_MAX: usize = 64 * 1024;
/// 5874897-12-31 and 4714-11-24 BC: what lies outside is Debezium's stand-in for an infinite date.
const DAYS: std::ops::RangeInclusive<i64> = -2_440_588..=2_145_042_905;
/// 4714-11-24 BC and 294276-12-31 in milliseconds, likewise for timestamps.
const MILLIS: std::ops::RangeInclusive<i64> = -210_866_803_200_000..=9_224_318_015_999_999;

/// Why a value has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Known and to be expected: the topic does not hold the value. Carries the reason.
    NotThere(String),
    /// Not what it should be.
    Bad(&'static str),
}

/// Reads a value that is not null.
pub(crate) fn canonical(
    encoding: &Encoding,
    json: &str,
    modes: &ConverterModes,
) -> Result<Canonical, Trouble> {
    if let Encoding::NotCompared(reason) = encoding {
        return Ok(Canonical::NotCompared(reason.clone()));
    }
    match text(encoding, json, modes) {
        Ok(text) => Ok(Canonical::Text(text)),
        // The placeholder stands for values of types that are no texts, too.
        Err(Trouble::Bad(_)) if string(json).is_some_and(|text| text == modes.placeholder) => {
            Err(unavailable())
        }
        Err(trouble) => Err(trouble),
    }
}

/// The canonical text of a value that is not null.
pub(super) fn text(
    encoding: &Encoding,
    json: &str,
    modes: &ConverterModes,
) -> Result<String, Trouble> {
    Ok(match encoding {
        Encoding::NotCompared(reason) | Encoding::Lossy(reason) => {
            return Err(Trouble::NotThere(reason.clone()));
        }
        Encoding::Bool => boolean(json)?,
        Encoding::Integer => integer(json)?.to_string(),
        Encoding::Float4 => float(json, |digits| digits.parse::<f32>().map(|n| n.to_string()))?,
        Encoding::Float8 => float(json, |digits| digits.parse::<f64>().map(|n| n.to_string()))?,
        Encoding::Text => plain_text(json, modes)?,
        Encoding::Uuid => plain_text(json, modes)?.to_ascii_lowercase(),
        Encoding::DecimalBytes { scale } => decimal_bytes(json, *scale)?,
        Encoding::DecimalStruct => decimal_struct(json)?,
        Encoding::DecimalText => decimal_text(json)?,
        Encoding::DecimalDouble => decimal_number(json)?,
        Encoding::Days => days(integer(json)?),
        Encoding::DateText => iso(oid::DATE, json)?,
        Encoding::Time(unit) => micros(integer(json)?, *unit)?,
        Encoding::TimeText => iso(oid::TIME, json)?,
        Encoding::Stamp(unit) => stamp(integer(json)?, *unit)?,
        Encoding::StampText => iso(oid::TIMESTAMP, json)?,
        Encoding::IntervalText => composed::interval(json)?,
        Encoding::Bytes(binary) => bytes(json, *binary, modes)?,
        Encoding::PrintedBytes(binary) => composed::printed(&bytes(json, *binary, modes)?)?,
        Encoding::Bit => match boolean(json)?.as_str() {
            "t" => "1".to_owned(),
            _ => "0".to_owned(),
        },
        Encoding::Bits(length) => composed::bits(&bytes(json, Binary::Bytes, modes)?, *length)?,
        Encoding::Point => composed::point(json)?,
        Encoding::HstoreText => composed::hstore(&plain_text(json, modes)?, modes)?,
        Encoding::HstoreMap => composed::hstore(json, modes)?,
        Encoding::ZonedRange => {
            let range = canonical::zoned_range(&plain_text(json, modes)?);
            range.ok_or(Trouble::Bad("no range of instants"))?
        }
        Encoding::Array(element) => composed::array(element, json, modes)?,
    })
}

fn boolean(json: &str) -> Result<String, Trouble> {
    match json {
        "true" => Ok("t".to_owned()),
        "false" => Ok("f".to_owned()),
        _ => Err(Trouble::Bad("no boolean")),
    }
}

fn integer(json: &str) -> Result<i64, Trouble> {
    json.parse().map_err(|_| Trouble::Bad("no whole number"))
}

/// Java and PostgreSQL print shortest digits in different notations; the parsed number is the same.
fn float(
    json: &str,
    number: fn(&str) -> Result<String, ParseFloatError>,
) -> Result<String, Trouble> {
    let word = string(json);
    let digits = match word.as_deref() {
        Some(word @ ("NaN" | "Infinity" | "-Infinity")) => word,
        Some(_) => return Err(Trouble::Bad("no number")),
        None => json,
    };
    number(digits).map_err(|_| Trouble::Bad("no number"))
}

fn plain_text(json: &str, modes: &ConverterModes) -> Result<String, Trouble> {
    let text = string(json).ok_or(Trouble::Bad("no text"))?;
    if text == modes.placeholder.as_str() {
        return Err(unavailable());
    }
    Ok(text.into_owned())
}

pub(super) fn unavailable() -> Trouble {
    Trouble::NotThere("an unchanged TOAST value is published as a placeholder".to_owned())
}

fn decimal_bytes(json: &str, scale: i64) -> Result<String, Trouble> {
    match string(json) {
        Some(text) => unscaled(&base64(&BASE64, &text)?, scale),
        // decimal.format=NUMERIC of the JSON converter.
        None => decimal_number(json),
    }
}

fn decimal_struct(json: &str) -> Result<String, Trouble> {
    let bad = || Trouble::Bad("no struct of scale and value");
    let Ok(Shape::Object(fields)) = Fields::parse(json) else {
        return Err(bad());
    };
    let scale = fields.integer("scale").ok_or_else(bad)?;
    let value = fields.string("value").ok_or_else(bad)?;
    unscaled(&base64(&BASE64, &value)?, scale)
}

/// Big-endian two's complement, scaled by a power of ten.
fn unscaled(bytes: &[u8], scale: i64) -> Result<String, Trouble> {
    let possible = (1..=DECIMAL_BYTES_MAX).contains(&bytes.len());
    if !(-SCALE_MAX..=SCALE_MAX).contains(&scale) || !possible {
        return Err(Trouble::Bad("no decimal"));
    }
    let digits = match small(bytes) {
        Some(number) => number.to_string(),
        None => BigInt::from_signed_bytes_be(bytes).to_string(),
    };
    shifted(&digits, scale).ok_or(Trouble::Bad("no decimal"))
}

fn small(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first()? & 0x80 != 0;
    let mut wide = [if negative { 0xFF } else { 0 }; 16];
    let start = wide.len().checked_sub(bytes.len())?;
    wide[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(wide))
}

/// Moves the point of a whole number `scale` places to the left.
fn shifted(number: &str, scale: i64) -> Option<String> {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", number),
    };
    let Ok(places) = usize::try_from(scale) else {
        let zeros = usize::try_from(scale.unsigned_abs()).ok()?;
        return canonical::decimal(&format!("{number}{}", "0".repeat(zeros)));
    };
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, fraction) = padded.split_at(padded.len() - places);
    canonical::decimal(&format!("{sign}{whole}.{fraction}"))
}

/// Debezium writes NaN as `NAN`; infinities as it likes.
fn decimal_text(json: &str) -> Result<String, Trouble> {
    let Some(text) = string(json) else {
        return decimal_number(json);
    };
    let word = match text.to_ascii_uppercase().as_str() {
        "NAN" => "NaN",
        "INFINITY" | "POSITIVE_INFINITY" => "Infinity",
        "-INFINITY" | "NEGATIVE_INFINITY" => "-Infinity",
        _ => return exponent(&text).ok_or(Trouble::Bad("no decimal")),
    };
    Ok(word.to_owned())
}

fn decimal_number(json: &str) -> Result<String, Trouble> {
    match string(json) {
        Some(_) => decimal_text(json),
        None => exponent(json).ok_or(Trouble::Bad("no decimal")),
    }
}

/// Decimal text with or without an exponent.
fn exponent(text: &str) -> Option<String> {
    let Some((digits, power)) = text.split_once(['e', 'E']) else {
        return canonical::decimal(text);
    };
    let power: i64 = power.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = i64::try_from(fraction.len()).ok()?.checked_sub(power)?;
    if !(-SCALE_MAX..=SCALE_MAX).contains(&scale) {
        return None;
    }
    shifted(&format!("{whole}{fraction}"), scale)
}

fn days(days: i64) -> String {
    if DAYS.contains(&days) {
        days.to_string()
    } else {
        infinite(days > 0)
    }
}

fn infinite(positive: bool) -> String {
    if positive { "infinity" } else { "-infinity" }.to_owned()
}

fn micros(number: i64, unit: Unit) -> Result<String, Trouble> {
    let number = i128::from(number);
    Ok(match unit {
        Unit::Millis => (number * 1000).to_string(),
        Unit::Micros => number.to_string(),
        Unit::Nanos if number % 1000 == 0 => (number / 1000).to_string(),
        Unit::Nanos => return Err(Trouble::Bad("finer than a microsecond")),
    })
}

fn stamp(number: i64, unit: Unit) -> Result<String, Trouble> {
    // No timestamp of PostgreSQL but infinity has the extreme number in any unit.
    let extreme = number == i64::MAX || number == i64::MIN;
    let outside = match unit {
        Unit::Millis => !MILLIS.contains(&number),
        Unit::Micros => number < *MILLIS.start() * 1000,
        Unit::Nanos => false,
    };
    if extreme || outside {
        return Ok(infinite(number > 0));
    }
    micros(number, unit)
}

/// ISO 8601 in UTC, rewritten as PostgreSQL would print it, so that there is one calendar only.
fn iso(type_oid: u32, json: &str) -> Result<String, Trouble> {
    let text = string(json).ok_or(Trouble::Bad("no ISO 8601 text"))?;
    if matches!(text.as_ref(), "infinity" | "-infinity") {
        return Ok(text.into_owned());
    }
    // A date or time without zone is written with a Z all the same; any other zone is not ours to shift.
    let bare = text.strip_suffix('Z').unwrap_or(&text);
    let printed = if type_oid == oid::TIME {
        with_seconds(bare)
    } else {
        let (sign, rest) = match bare.as_bytes().first() {
            Some(b'-') => (-1, &bare[1..]),
            Some(b'+') => (1, &bare[1..]),
            _ => (1, bare),
        };
        let year = rest.split('-').next().unwrap_or_default();
        let behind_year = &rest[year.len()..];
        let year = sign * year.parse::<i64>().map_err(|_| Trouble::Bad("no year"))?;
        if !(-4_713..=5_874_897).contains(&year) || (type_oid != oid::DATE && year > 294_276) {
            return Ok(infinite(year > 0));
        }
        // ISO counts a year 0, PostgreSQL calls it 1 BC.
        let (year, era) = if year > 0 {
            (year, "")
        } else {
            (1 - year, " BC")
        };
        match behind_year.split_once('T') {
            Some((date, time)) => format!("{year:04}{date} {}{era}", with_seconds(time)),
            None => format!("{year:04}{behind_year}{era}"),
        }
    };
    canonical::of_built_in(type_oid, &printed).ok_or(Trouble::Bad("no ISO 8601 text in UTC"))
}

/// Java leaves out seconds that are zero in some of its formats, and writes up to nine digits after the point.
fn with_seconds(time: &str) -> String {
    if time.matches(':').count() == 1 {
        return format!("{time}:00");
    }
    match time.split_once('.') {
        Some((whole, fraction)) => match fraction.split_at_checked(6) {
            Some((micros, rest)) if rest.bytes().all(|digit| digit == b'0') => {
                format!("{whole}.{micros}")
            }
            _ => time.to_owned(),
        },
        None => time.to_owned(),
    }
}

fn bytes(json: &str, binary: Binary, modes: &ConverterModes) -> Result<String, Trouble> {
    let text = string(json).ok_or(Trouble::Bad("no bytes"))?;
    if text == modes.placeholder.as_str() {
        return Err(unavailable());
    }
    let bytes = match binary {
        Binary::Bytes | Binary::Base64 => base64(&BASE64, &text)?,
        Binary::Base64UrlSafe => base64(&BASE64_URL, &text)?,
        Binary::Hex => {
            let hex = text.len() % 2 == 0 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let hex = hex.then(|| text.to_ascii_lowercase());
            let hex = hex.ok_or(Trouble::Bad("no hexadecimal bytes"))?;
            return if hex == hexadecimal(modes.placeholder.as_bytes()) {
                Err(unavailable())
            } else {
                Ok(hex)
            };
        }
    };
    if bytes == modes.placeholder.as_bytes() {
        return Err(unavailable());
    }
    Ok(hexadecimal(&bytes))
}

/// Content of a logical decoding message, which follows the setting for binary columns.
pub(crate) fn message_content(text: &str, binary: Binary) -> Option<Vec<u8>> {
    match binary {
        Binary::Bytes | Binary::Base64 => BASE64.decode(text).ok(),
        Binary::Base64UrlSafe => BASE64_URL.decode(text).ok(),
        Binary::Hex => {
            let digits = text
                .as_bytes()
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).ok());
            digits
                .map(|pair| u8::from_str_radix(pair?, 16).ok())
                .collect()
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)])
        .collect()
}

fn base64(engine: &GeneralPurpose, text: &str) -> Result<Vec<u8>, Trouble> {
    engine.decode(text).map_err(|_| Trouble::Bad("no base64"))
}
