//! One value in PostgreSQL's binary form to its canonical text.

use std::fmt::Write as _;

use cutover_model::table::TypeForm;

use crate::canonical::{Typed, oid};

/// How the values of a type are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    /// A version, then the text.
    Jsonb,
    Uuid,
    Bytes,
    Date,
    Time,
    Stamp,
}

/// Days, and µs, from 1970, where we count from, to 2000, where PostgreSQL does.
const DAYS: i64 = 10_957;
const MICROS: i128 = DAYS as i128 * 86_400_000_000;

impl Form {
    /// `None` for types that are read as text.
    pub(crate) fn of(typed: &Typed<'_>) -> Option<Form> {
        match typed.made_of.map(|made_of| &made_of.form) {
            // A label is sent as the text that it is.
            Some(TypeForm::Enum) => return Some(Form::Text),
            Some(TypeForm::Base) | None => {}
            Some(_) => return None,
        }
        Some(match typed.oid {
            oid::BOOL => Form::Bool,
            oid::INT2 => Form::Int2,
            oid::INT4 => Form::Int4,
            oid::INT8 => Form::Int8,
            oid::OID => Form::Oid,
            oid::FLOAT4 => Form::Float4,
            oid::FLOAT8 => Form::Float8,
            oid::NUMERIC => Form::Numeric,
            oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::JSON => Form::Text,
            oid::JSONB => Form::Jsonb,
            oid::UUID => Form::Uuid,
            oid::BYTEA => Form::Bytes,
            oid::DATE => Form::Date,
            oid::TIME => Form::Time,
            oid::TIMESTAMP | oid::TIMESTAMPTZ => Form::Stamp,
            _ => return None,
        })
    }

    /// The canonical text; `None` if it is not understood. `room` is for what has to be put together.
    pub(crate) fn text<'t>(self, bytes: &'t [u8], room: &'t mut String) -> Option<&'t str> {
        room.clear();
        match self {
            Form::Text => return std::str::from_utf8(bytes).ok(),
            Form::Jsonb => return std::str::from_utf8(bytes.strip_prefix(&[1])?).ok(),
            Form::Bool => {
                return match bytes {
                    [0] => Some("f"),
                    [1] => Some("t"),
                    _ => None,
                };
            }
            Form::Int2 => whole(i16::from_be_bytes(bytes.try_into().ok()?).into(), room),
            Form::Int4 => whole(i32::from_be_bytes(bytes.try_into().ok()?).into(), room),
            Form::Oid => whole(u32::from_be_bytes(bytes.try_into().ok()?).into(), room),
            Form::Int8 | Form::Time => whole(i64::from_be_bytes(bytes.try_into().ok()?), room),
            Form::Float4 => write!(room, "{}", f32::from_be_bytes(bytes.try_into().ok()?)).ok()?,
            Form::Float8 => write!(room, "{}", f64::from_be_bytes(bytes.try_into().ok()?)).ok()?,
            Form::Numeric => numeric(bytes, room)?,
            Form::Uuid => uuid(bytes.try_into().ok()?, room),
            Form::Bytes => bytes.iter().for_each(|byte| hexadecimal(*byte, room)),
            Form::Date => match i32::from_be_bytes(bytes.try_into().ok()?) {
                i32::MAX => room.push_str("infinity"),
                i32::MIN => room.push_str("-infinity"),
                days => whole(i64::from(days) + DAYS, room),
            },
            Form::Stamp => match i64::from_be_bytes(bytes.try_into().ok()?) {
                i64::MAX => room.push_str("infinity"),
                i64::MIN => room.push_str("-infinity"),
                micros => {
                    let micros = i128::from(micros) + MICROS;
                    match i64::try_from(micros) {
                        Ok(micros) => whole(micros, room),
                        Err(_) => write!(room, "{micros}").ok()?,
                    }
                }
            },
        }
        Some(room)
    }

    /// Why there is no canonical text.
    pub(crate) fn why(self, type_oid: u32) -> String {
        match self {
            Form::Text | Form::Jsonb => "text that is not UTF-8".to_owned(),
            _ => format!("a value of type {type_oid} not understood"),
        }
    }
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
    2021222324252627282930313233343536373839\
    4041424344454647484950515253545556575859\
    6061626364656667686970717273747576777879\
    8081828384858687888990919293949596979899";

/// Appends a whole number. Several times as fast as formatting it, and most values of most tables are numbers.
fn whole(number: i64, room: &mut String) {
    if number < 0 {
        room.push('-');
    }
    let mut digits = [0; 20];
    let (mut at, mut rest) = (digits.len(), number.unsigned_abs());
    while rest >= 10 {
        let pair = (rest % 100) as usize * 2;
        rest /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    if rest > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + rest as u8;
    }
    push(&digits[at..], room);
}

/// Appends bytes that are ASCII.
fn push(bytes: &[u8], room: &mut String) {
    room.push_str(std::str::from_utf8(bytes).unwrap_or_default());
}

fn uuid(bytes: [u8; 16], room: &mut String) {
    for (place, byte) in bytes.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            room.push('-');
        }
        hexadecimal(byte, room);
    }
}

fn hexadecimal(byte: u8, room: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    room.push(digit(byte >> 4));
    room.push(digit(byte & 0xF));
}

const NEGATIVE: u16 = 0x4000;

/// Number of digits to the base 10,000, the power of the first one, a sign, how many decimals are shown, the digits.
fn numeric(bytes: &[u8], room: &mut String) -> Option<()> {
    let (head, digits) = bytes.split_first_chunk::<8>()?;
    let [
        count_0,
        count_1,
        weight_0,
        weight_1,
        sign_0,
        sign_1,
        scale_0,
        scale_1,
    ] = *head;
    let count = usize::from(u16::from_be_bytes([count_0, count_1]));
    let weight = i32::from(i16::from_be_bytes([weight_0, weight_1]));
    let scale = usize::from(u16::from_be_bytes([scale_0, scale_1]));
    let sign = u16::from_be_bytes([sign_0, sign_1]);
    match sign {
        0 | NEGATIVE => {}
        0xC000 => room.push_str("NaN"),
        0xD000 => room.push_str("Infinity"),
        0xF000 => room.push_str("-Infinity"),
        _ => return None,
    }
    if !room.is_empty() {
        return Some(());
    }
    if digits.len() != count * 2 {
        return None;
    }
    let digit = |power: i32| {
        let place = usize::try_from(weight - power).ok();
        let pair = place.and_then(|place| digits.get(place * 2..place * 2 + 2));
        pair.map_or(0, |pair| i64::from(u16::from_be_bytes([pair[0], pair[1]])))
    };
    for power in (0..=weight).rev() {
        match room.is_empty() {
            true if digit(power) == 0 => {}
            true => whole(digit(power), room),
            false => four(digit(power), room)?,
        }
    }
    if room.is_empty() {
        room.push('0');
    }
    let point = room.len();
    room.push('.');
    let groups = i32::try_from(scale.div_ceil(4)).ok()?;
    for group in 1..=groups.min(i32::try_from(count).ok()? - weight - 1) {
        four(digit(-group), room)?;
    }
    room.truncate(room.len().min(point + 1 + scale));
    let shown = room.trim_end_matches('0').trim_end_matches('.').len();
    room.truncate(shown.max(point));
    if sign == NEGATIVE && room != "0" {
        room.insert(0, '-');
    }
    Some(())
}

/// Appends a digit to the base 10,000 with its zeros in front.
fn four(digit: i64, room: &mut String) -> Option<()> {
    if !(0..10_000).contains(&digit) {
        return None;
    }
    for pair in [digit / 100, digit % 100] {
        let at = usize::try_from(pair).ok()? * 2;
        push(&PAIRS[at..at + 2], room);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: Form, bytes: &[u8]) -> Option<String> {
        form.text(bytes, &mut String::new()).map(str::to_owned)
    }

    #[test]
    fn numbers_are_written_as_rust_writes_them() {
        let mut numbers = vec![0, i64::MAX, i64::MIN];
        for power in 0..19 {
            let ten = 10_i64.pow(power);
            numbers.extend([ten - 1, ten, ten + 1, -ten, 1 - ten]);
        }
        for number in numbers {
            let written = text(Form::Int8, &number.to_be_bytes());
            assert_eq!(written, Some(number.to_string()));
        }
        assert_eq!(
            text(Form::Oid, &u32::MAX.to_be_bytes()).as_deref(),
            Some("4294967295")
        );
        assert_eq!(
            text(Form::Int2, &(-1_i16).to_be_bytes()).as_deref(),
            Some("-1")
        );
    }

    #[test]
    fn a_numeric_has_no_needless_zeros_and_no_sign_on_zero() {
        let numeric = |weight: i16, sign: u16, scale: u16, digits: &[u16]| {
            let mut bytes = (digits.len() as u16).to_be_bytes().to_vec();
            bytes.extend_from_slice(&weight.to_be_bytes());
            bytes.extend_from_slice(&sign.to_be_bytes());
            bytes.extend_from_slice(&scale.to_be_bytes());
            digits
                .iter()
                .for_each(|digit| bytes.extend_from_slice(&digit.to_be_bytes()));
            text(Form::Numeric, &bytes)
        };
        let table = [
            (0, 0, 0, &[][..], "0"),
            (0, NEGATIVE, 2, &[], "0"),
            (0, 0, 2, &[12, 3400], "12.34"),
            (0, NEGATIVE, 2, &[12, 3400], "-12.34"),
            (1, 0, 0, &[1], "10000"),
            (1, 0, 4, &[1, 2, 3], "10002.0003"),
            (2, 0, 0, &[12, 0, 7], "1200000007"),
            (-1, 0, 4, &[5], "0.0005"),
            (-2, NEGATIVE, 8, &[5000], "-0.00005"),
            (-1, 0, 1, &[5000], "0.5"),
            (0, 0, 3, &[1], "1"),
            (0, 0, 0, &[100], "100"),
            (0, 0xC000, 0, &[], "NaN"),
            (0, 0xD000, 0, &[], "Infinity"),
            (0, 0xF000, 0, &[], "-Infinity"),
        ];
        for (weight, sign, scale, digits, wanted) in table {
            let got = numeric(weight, sign, scale, digits);
            assert_eq!(got.as_deref(), Some(wanted), "{weight} {digits:?}");
        }
        assert_eq!(numeric(0, 0, 4, &[1, 10_000]), None);
        assert_eq!(numeric(0, 1, 0, &[1]), None);
        assert_eq!(text(Form::Numeric, &[0, 1, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn times_count_from_1970_and_know_infinity() {
        let table: [(Form, &[u8], &str); 8] = [
            (Form::Date, &0_i32.to_be_bytes(), "10957"),
            (Form::Date, &(-10_957_i32).to_be_bytes(), "0"),
            (Form::Date, &i32::MAX.to_be_bytes(), "infinity"),
            (Form::Stamp, &0_i64.to_be_bytes(), "946684800000000"),
            (
                Form::Stamp,
                &9_223_371_331_199_999_999_i64.to_be_bytes(),
                "9224318015999999999",
            ),
            (Form::Stamp, &i64::MIN.to_be_bytes(), "-infinity"),
            (Form::Time, &86_400_000_000_i64.to_be_bytes(), "86400000000"),
            (Form::Bool, &[1], "t"),
        ];
        for (form, bytes, wanted) in table {
            assert_eq!(text(form, bytes).as_deref(), Some(wanted), "{form:?}");
        }
    }

    #[test]
    fn what_has_another_length_or_form_is_not_understood() {
        for form in [
            Form::Bool,
            Form::Int4,
            Form::Int8,
            Form::Uuid,
            Form::Stamp,
            Form::Float8,
        ] {
            assert_eq!(text(form, &[1, 2, 3]), None, "{form:?}");
        }
        assert_eq!(text(Form::Jsonb, b"\x02{}"), None);
        assert_eq!(text(Form::Jsonb, b"\x01{}").as_deref(), Some("{}"));
        assert_eq!(text(Form::Text, b"\xFF"), None);
        assert_eq!(text(Form::Bytes, &[0xDE, 0x0A]).as_deref(), Some("de0a"));
    }
}
