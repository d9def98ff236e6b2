//! Values that Debezium writes as something made of others (arrays, maps, structs) or takes apart (intervals, bits), to
//! the text that PostgreSQL's own text of them gives.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;

use super::encoding::Encoding;
use super::fields::{Fields, Shape, string};
use super::modes::ConverterModes;
use super::placeholder;
use super::value::{self, Trouble, unavailable};
use crate::canonical::{self, Interval};

/// An array of such elements.
pub(super) fn array(
    element: &Encoding,
    json: &str,
    modes: &ConverterModes,
) -> Result<String, Trouble> {
    let items: Vec<&RawValue> = serde_json::from_str(json).map_err(|_| Trouble::Bad("no array"))?;
    let read = |item: &&RawValue| match item.get() {
        "null" => Ok(None),
        item => value::text(element, item, modes).map(Some),
    };
    let values: Vec<Option<String>> = items.iter().map(read).collect::<Result<_, _>>()?;
    if placeholder::is_array(element, &values, modes) {
        return Err(unavailable());
    }
    let value = |value: Option<String>| value.map_or(Value::Null, Value::String);
    Ok(Value::Array(values.into_iter().map(value).collect()).to_string())
}

/// An object of texts and nulls.
pub(super) fn hstore(json: &str, modes: &ConverterModes) -> Result<String, Trouble> {
    let bad = || Trouble::Bad("no map of texts");
    let Ok(Shape::Object(fields)) = Fields::parse(json) else {
        return Err(bad());
    };
    let mut pairs = BTreeMap::new();
    for name in fields.names() {
        let value = match fields.get(name) {
            None | Some("null") => None,
            Some(json) => Some(string(json).ok_or_else(bad)?.into_owned()),
        };
        pairs.insert(name.to_owned(), value);
    }
    let placeholder = &modes.placeholder;
    if pairs.len() == 1 && pairs.get(placeholder) == Some(&Some(placeholder.clone())) {
        return Err(unavailable());
    }
    Ok(canonical::pairs_text(&pairs))
}

/// A struct with `x` and `y`; what else it holds is made of them.
pub(super) fn point(json: &str) -> Result<String, Trouble> {
    let bad = || Trouble::Bad("no point");
    let Ok(Shape::Object(fields)) = Fields::parse(json) else {
        return Err(bad());
    };
    let number = |name| -> Option<f64> {
        let json = fields.get(name)?;
        string(json).as_deref().unwrap_or(json).parse().ok()
    };
    match (number("x"), number("y")) {
        (Some(x), Some(y)) => Ok(canonical::point_text(x, y)),
        _ => Err(bad()),
    }
}

/// `P1Y2M3DT4H5M6.7S`, each number with its own sign.
pub(super) fn interval(json: &str) -> Result<String, Trouble> {
    let text = string(json).ok_or(Trouble::Bad("no interval"))?;
    let read = || {
        let (years, rest) = text.strip_prefix('P')?.split_once('Y')?;
        let (months, rest) = rest.split_once('M')?;
        let (days, rest) = rest.split_once("DT")?;
        let (hours, rest) = rest.split_once('H')?;
        let (minutes, rest) = rest.split_once('M')?;
        let seconds = micros(rest.strip_suffix('S')?)?;
        let number = |text: &str| text.parse::<i32>().ok();
        let minutes = i128::from(number(hours)?) * 60 + i128::from(number(minutes)?);
        Some(Interval {
            months: i64::from(number(years)?) * 12 + i64::from(number(months)?),
            days: number(days)?.into(),
            micros: minutes * 60_000_000 + seconds,
        })
    };
    let interval = read().ok_or(Trouble::Bad("no interval"))?;
    Ok(interval.to_string())
}

fn micros(seconds: &str) -> Option<i128> {
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = format!("{fraction:0<6}");
    let (digits, beyond) = digits.split_at_checked(6)?;
    if beyond.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let fraction: u32 = digits.parse().ok()?;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    Some(whole.parse::<i128>().ok()? * 1_000_000 + i128::from(fraction) * sign)
}

/// Bits from little-endian bytes, in hexadecimal, that end with the last byte that is not zero.
pub(super) fn bits(hex: &str, length: usize) -> Result<String, Trouble> {
    let mut bits = String::new();
    for place in (0..hex.len()).step_by(2).rev() {
        let byte = hex.get(place..place + 2).unwrap_or_default();
        let byte = u8::from_str_radix(byte, 16).map_err(|_| Trouble::Bad("no bits"))?;
        bits.push_str(&format!("{byte:08b}"));
    }
    let bits = bits.trim_start_matches('0');
    match length.checked_sub(bits.len()) {
        Some(zeros) => Ok(format!("{}{bits}", "0".repeat(zeros))),
        None => Err(Trouble::Bad("more bits than the column has")),
    }
}

/// A text from its bytes in hexadecimal.
pub(super) fn printed(hex: &str) -> Result<String, Trouble> {
    let bytes = value::message_content(hex, super::Binary::Hex);
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.ok_or(Trouble::Bad("no printed text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_have_three_numbers_with_signs_of_their_own() {
        let table = [
            ("P1Y2M3DT4H5M6.789S", "14 mons 3 days 14706789000 us"),
            ("P0Y0M-1DT0H0M1S", "0 mons -1 days 1000000 us"),
            ("P0Y0M0DT0H0M-0.000001S", "0 mons 0 days -1 us"),
            ("P-1Y-2M3DT-4H-5M-6.7S", "-14 mons 3 days -14706700000 us"),
        ];
        for (text, wanted) in table {
            assert_eq!(
                interval(&format!("\"{text}\"")),
                Ok(wanted.into()),
                "{text}"
            );
        }
        for json in ["\"P1Y\"", "7", "\"\"", "\"P0Y0M0DT0H0M0.0000001S\""] {
            assert!(interval(json).is_err(), "{json}");
        }
    }

    #[test]
    fn bits_get_the_zeros_back_that_were_left_out() {
        let table = [
            ("aa0a", 12, "101010101010"),
            ("01", 3, "001"),
            ("", 3, "000"),
        ];
        for (hex, length, wanted) in table {
            assert_eq!(bits(hex, length), Ok(wanted.into()));
        }
        assert_eq!(
            bits("08", 3),
            Err(Trouble::Bad("more bits than the column has"))
        );
    }
}
