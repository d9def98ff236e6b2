//! One text per type: the canonical form of a value, whoever read it.
//!
//! [`from_text`] takes the text that PostgreSQL itself prints (pgoutput, COPY) in a session with
//! `clients::pg::SESSION_SETTINGS`; the topic decoders bring each converter's encoding to the same text. A value
//! that is not understood is `NotCompared` with the reason, never guessed: a row image that silently left out
//! a column would call two different rows equal.

use cutover_model::canonical::{Canonical, RowHasher, key_hash, key_text, keyless_hash};
use cutover_model::{Column, TableShape};

/// Type oids that have a canonical form.
pub mod oid {
    #![expect(missing_docs, reason = "the names are PostgreSQL's own")]
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const CHAR: u32 = 18;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const NUMERIC: u32 = 1700;
    pub const UUID: u32 = 2950;
    pub const JSONB: u32 = 3802;
}

/// A row as the ledgers see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowImage {
    /// Hash over all columns in attribute order; `None` when no column could be compared.
    pub hash: Option<i64>,
    /// Canonical key text; `None` for a table without key.
    pub key: Option<String>,
    /// As in `ChangeRow::key_hash`; for a table without key, that of a row that exists only in this version.
    pub key_hash: i64,
    /// The column named `revision`, where there is one and it is a number.
    pub revision: Option<i64>,
}

/// The canonical form of a value in PostgreSQL's own text form.
pub fn from_text(column: &Column, text: &str) -> Canonical {
    let canonical = match column.type_oid {
        oid::BOOL => Some(text)
            .filter(|text| matches!(*text, "t" | "f"))
            .map(str::to_owned),
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => {
            text.parse::<i64>().ok().map(|number| number.to_string())
        }
        oid::NUMERIC => decimal(text),
        oid::FLOAT4 => text.parse::<f32>().ok().map(|number| number.to_string()),
        oid::FLOAT8 => text.parse::<f64>().ok().map(|number| number.to_string()),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR => Some(text.to_owned()),
        oid::JSON | oid::JSONB => Some(text.to_owned()),
        oid::UUID => Some(text.to_ascii_lowercase()),
        oid::BYTEA => text.strip_prefix("\\x").map(str::to_ascii_lowercase),
        oid::DATE => infinite(text).or_else(|| days(text).map(|days| days.to_string())),
        oid::TIME => time_micros(text).map(|micros| micros.to_string()),
        oid::TIMESTAMP => infinite(text).or_else(|| timestamp_micros(text)),
        oid::TIMESTAMPTZ => infinite(text).or_else(|| {
            // The session's zone is UTC; any other offset means that the settings were not taken.
            let (utc, era) = match text.strip_suffix(" BC") {
                Some(rest) => (rest.strip_suffix("+00")?, " BC"),
                None => (text.strip_suffix("+00")?, ""),
            };
            timestamp_micros(&format!("{utc}{era}"))
        }),
        other => return Canonical::NotCompared(not_compared_type(other)),
    };
    canonical.map_or_else(
        || {
            Canonical::NotCompared(format!(
                "a value of type {} not understood",
                column.type_oid
            ))
        },
        Canonical::Text,
    )
}

/// Why values of a type are not compared.
pub fn not_compared_type(type_oid: u32) -> String {
    format!("type {type_oid} has no canonical form yet")
}

/// Whether values of the type can be compared at all.
pub fn comparable(type_oid: u32) -> bool {
    type_oid == oid::OID
        || matches!(
            type_oid,
            oid::BOOL | oid::BYTEA | oid::CHAR | oid::NAME | oid::INT8 | oid::INT2 | oid::INT4
        )
        || matches!(
            type_oid,
            oid::TEXT | oid::BPCHAR | oid::VARCHAR | oid::JSON | oid::JSONB
        )
        || matches!(
            type_oid,
            oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC | oid::UUID
        )
        || matches!(
            type_oid,
            oid::DATE | oid::TIME | oid::TIMESTAMP | oid::TIMESTAMPTZ
        )
}

/// Puts a row together from its values in the shape's column order.
pub fn row_image(shape: &TableShape, values: &[Canonical]) -> RowImage {
    let relation = shape.relation.to_string();
    let mut hasher = RowHasher::default();
    let mut compared = false;
    let mut revision = None;
    for (column, value) in shape.columns.iter().zip(values) {
        hasher.column(&column.name, value);
        compared |= !matches!(value, Canonical::NotCompared(_));
        if let (true, Canonical::Text(text)) = (column.name == "revision", value) {
            revision = text.parse().ok();
        }
    }
    let whole = compared && values.len() == shape.columns.len();
    let hash = whole.then(|| hasher.finish());
    let key = key_of(shape, values);
    RowImage {
        hash,
        key_hash: change_key_hash(&relation, key.as_deref(), None, hash),
        key,
        revision,
    }
}

/// Canonical key text of a row, key columns in attribute order; `None` for a table without key.
pub fn key_of(shape: &TableShape, values: &[Canonical]) -> Option<String> {
    let columns: Vec<(&str, &Canonical)> = shape
        .columns
        .iter()
        .zip(values)
        .filter(|(column, _)| column.key)
        .map(|(column, value)| (column.name.as_str(), value))
        .collect();
    (!columns.is_empty()).then(|| key_text(&columns))
}

/// `ChangeRow::key_hash`, the same in every ledger: of the key, or of both images where there is no key.
pub fn change_key_hash(
    relation: &str,
    key: Option<&str>,
    before: Option<i64>,
    after: Option<i64>,
) -> i64 {
    key.map_or_else(
        || keyless_hash(relation, before, after),
        |key| key_hash(relation, key),
    )
}

/// Plain decimal text without an exponent: no trailing zeros after the point, no leading ones before it, no
/// sign on zero.
pub fn decimal(text: &str) -> Option<String> {
    if matches!(text, "NaN" | "Infinity" | "-Infinity") {
        return Some(text.to_owned());
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    Some(match (whole, fraction) {
        ("", "") => "0".to_owned(),
        (whole, "") => format!("{sign}{whole}"),
        ("", fraction) => format!("{sign}0.{fraction}"),
        (whole, fraction) => format!("{sign}{whole}.{fraction}"),
    })
}

fn infinite(text: &str) -> Option<String> {
    matches!(text, "infinity" | "-infinity").then(|| text.to_owned())
}

/// Days since 1970-01-01 of `YYYY-MM-DD` with an optional ` BC`.
fn days(text: &str) -> Option<i64> {
    let (date, before_christ) = match text.strip_suffix(" BC") {
        Some(date) => (date, true),
        None => (text, false),
    };
    let mut parts = date.splitn(3, '-').map(number);
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year > 10_000_000 {
        return None;
    }
    // Year 1 BC is the astronomical year 0.
    let year = if before_christ { 1 - year } else { year };
    Some(days_from_civil(year, month, day))
}

/// Proleptic Gregorian calendar, as PostgreSQL counts. The year is made to begin in March, so that the leap day
/// is its last; a 400-year era always has 146,097 days.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    // 719,468 days lie between 0000-03-01 and 1970-01-01.
    era * 146_097 + day_of_era - 719_468
}

/// µs of the day of `HH:MM:SS[.ffffff]`; 24:00:00 is a time to PostgreSQL.
fn time_micros(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, ':');
    let (hours, minutes) = (number(parts.next()?)?, number(parts.next()?)?);
    let rest = parts.next()?;
    let (seconds, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    if fraction.is_empty() || fraction.len() > 6 || hours > 24 || minutes > 59 {
        return None;
    }
    let seconds = number(seconds).filter(|seconds| *seconds <= 60)?;
    let micros = number(&format!("{fraction:0<6}"))?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

/// µs since 1970 of `YYYY-MM-DD HH:MM:SS[.ffffff]` with an optional ` BC`.
fn timestamp_micros(text: &str) -> Option<String> {
    let (stamp, era) = match text.strip_suffix(" BC") {
        Some(stamp) => (stamp, " BC"),
        None => (text, ""),
    };
    let (date, time) = stamp.split_once(' ')?;
    let days = days(&format!("{date}{era}"))?;
    let micros = i128::from(days) * 86_400_000_000 + i128::from(time_micros(time)?);
    Some(micros.to_string())
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use cutover_model::{Relation, ReplicaIdentity};

    use super::*;

    fn column(name: &str, type_oid: u32, key: bool) -> Column {
        Column {
            name: name.into(),
            type_oid,
            type_modifier: -1,
            key,
        }
    }

    fn canonical(type_oid: u32, text: &str) -> Canonical {
        from_text(&column("c", type_oid, false), text)
    }

    #[test]
    fn each_type_has_one_text() {
        let table = [
            (oid::BOOL, "t", "t"),
            (oid::INT8, "-9223372036854775808", "-9223372036854775808"),
            (oid::OID, "4294967295", "4294967295"),
            (oid::NUMERIC, "12.3400", "12.34"),
            (oid::NUMERIC, "100", "100"),
            (oid::NUMERIC, "0.000", "0"),
            (oid::NUMERIC, "-0.50", "-0.5"),
            (oid::NUMERIC, "NaN", "NaN"),
            (oid::NUMERIC, "-Infinity", "-Infinity"),
            (oid::FLOAT4, "0.1", "0.1"),
            (oid::FLOAT8, "1e+21", "1000000000000000000000"),
            (oid::FLOAT8, "1e-07", "0.0000001"),
            (oid::FLOAT8, "-0", "-0"),
            (oid::FLOAT8, "NaN", "NaN"),
            (oid::FLOAT8, "-Infinity", "-inf"),
            (oid::TEXT, " a b ", " a b "),
            (oid::BPCHAR, "ab  ", "ab  "),
            (
                oid::UUID,
                "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            (oid::BYTEA, "\\xDEadbeef", "deadbeef"),
            (oid::BYTEA, "\\x", ""),
            (oid::DATE, "1970-01-01", "0"),
            (oid::DATE, "1969-12-31", "-1"),
            (oid::DATE, "2000-02-29", "11016"),
            (oid::DATE, "0001-01-01 BC", "-719528"),
            (oid::DATE, "4714-11-24 BC", "-2440588"),
            (oid::DATE, "infinity", "infinity"),
            (oid::TIME, "24:00:00", "86400000000"),
            (oid::TIME, "00:00:01.5", "1500000"),
            (oid::TIMESTAMP, "1970-01-02 00:00:00.000001", "86400000001"),
            (oid::TIMESTAMP, "1969-12-31 23:59:59.999999", "-1"),
            (
                oid::TIMESTAMP,
                "294276-12-31 23:59:59.999999",
                "9224318015999999999",
            ),
            (
                oid::TIMESTAMPTZ,
                "2000-01-01 00:00:00+00",
                "946684800000000",
            ),
            (
                oid::TIMESTAMPTZ,
                "0001-01-01 00:00:00+00 BC",
                "-62167219200000000",
            ),
            (oid::TIMESTAMPTZ, "-infinity", "-infinity"),
            (oid::JSONB, "{\"a\": 1}", "{\"a\": 1}"),
        ];
        for (type_oid, text, wanted) in table {
            let got = canonical(type_oid, text);
            assert_eq!(got, Canonical::Text(wanted.into()), "{type_oid} {text}");
            assert!(comparable(type_oid), "{type_oid}");
        }
    }

    #[test]
    fn what_is_not_understood_is_never_a_guess() {
        let table = [
            (oid::BOOL, "yes"),
            (oid::INT4, "1.0"),
            (oid::NUMERIC, "1e5"),
            (oid::NUMERIC, "."),
            (oid::NUMERIC, "--1"),
            (oid::FLOAT8, "x"),
            (oid::BYTEA, "abc"),
            (oid::DATE, "01/02/2000"),
            (oid::DATE, "2000-13-01"),
            (oid::DATE, "2000-1-"),
            (oid::TIME, "1:2"),
            (oid::TIME, "10:00:00.1234567"),
            (oid::TIMESTAMP, "2000-01-01"),
            (oid::TIMESTAMPTZ, "2000-01-01 00:00:00+02"),
            (1186, "1 day"),
            (99_999, "x"),
        ];
        for (type_oid, text) in table {
            let got = canonical(type_oid, text);
            assert!(
                matches!(got, Canonical::NotCompared(_)),
                "{type_oid} {text}: {got:?}"
            );
        }
    }

    #[test]
    fn float4_keeps_its_own_shortest_text() {
        assert_eq!(
            canonical(oid::FLOAT4, "3.4028235e+38"),
            Canonical::Text(f32::MAX.to_string())
        );
        assert_eq!(
            canonical(oid::FLOAT4, "16777216"),
            Canonical::Text("16777216".into())
        );
    }

    #[test]
    fn a_row_has_key_revision_and_image() {
        let shape = TableShape {
            relation: Relation::new("public", "t"),
            columns: vec![
                column("id", oid::INT8, true),
                column("revision", oid::INT8, false),
            ],
            replica_identity: ReplicaIdentity::Full,
        };
        let text = |text: &str| Canonical::Text(text.into());
        let one = row_image(&shape, &[text("1"), text("7")]);
        assert_eq!(one.key.as_deref(), Some("{\"id\":\"1\"}"));
        assert_eq!(one.revision, Some(7));
        assert_eq!(one.key_hash, key_hash("public.t", "{\"id\":\"1\"}"));
        let two = row_image(&shape, &[text("1"), text("8")]);
        assert_ne!(one.hash, two.hash);
        assert_eq!(one.key_hash, two.key_hash);
        assert_eq!(
            row_image(&shape, &[text("1")]).hash,
            None,
            "a row cut short has no image"
        );
    }

    #[test]
    fn rows_without_key_are_told_apart_by_content() {
        let shape = TableShape {
            relation: Relation::new("public", "t"),
            columns: vec![column("a", oid::TEXT, false)],
            replica_identity: ReplicaIdentity::Full,
        };
        let image = |text: &str| row_image(&shape, &[Canonical::Text(text.into())]);
        assert_eq!(image("x").key, None);
        assert_eq!(image("x"), image("x"));
        assert_ne!(image("x").key_hash, image("y").key_hash);
    }
}
