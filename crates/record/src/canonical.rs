//! One text per type: the canonical form of a value, whoever read it.
//!
//! [`from_text`] takes the text that PostgreSQL itself prints (pgoutput, COPY) in a session with
//! `clients::pg::SESSION_SETTINGS`; the topic decoders bring each converter's encoding to the same text. A value
//! that is not understood is `NotCompared` with the reason, never guessed: a row image that silently left out
//! a column would call two different rows equal.

mod calendar;
mod kind;
mod literal;
pub mod oid;
mod version;

use cutover_model::canonical::{Canonical, RowHasher, key_hash, key_text, keyless_hash};
use cutover_model::{Column, Comparison, TableShape};

use calendar::{days, infinite, time_micros, timestamp_micros, zoned_micros};

pub(crate) use calendar::{Interval, usual_stamp};
pub(crate) use kind::{Kind, Typed};
pub(crate) use literal::pairs_text;
pub(crate) use version::{Assembling, Version};

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

/// What no converter carries of an array.
pub(crate) const BOUNDS: &str = "where an array begins is not published, only its elements";

/// The canonical form of a value in PostgreSQL's own text form.
pub fn from_text(column: &Column, text: &str) -> Canonical {
    if let Some(why) = left_out(column) {
        return Canonical::NotCompared(why);
    }
    match of_type(&Typed::of(column), text) {
        Some(text) => Canonical::Text(text),
        None => {
            let type_oid = column.type_oid;
            Canonical::NotCompared(format!("a value of type {type_oid} not understood"))
        }
    }
}

/// The canonical form of a built-in type's value in PostgreSQL's own text form.
pub(crate) fn of_built_in(type_oid: u32, text: &str) -> Option<String> {
    of_type(&Typed::built_in(type_oid), text)
}

/// Whether a value holds something that its canonical form leaves out.
pub(crate) fn says_more(column: &Column, text: &str) -> Option<&'static str> {
    let array = text.starts_with('[') && left_out(column).is_none();
    let array = array && matches!(Typed::of(column).kind(), Kind::Array(_));
    array.then_some(BOUNDS)
}

fn of_type(typed: &Typed<'_>, text: &str) -> Option<String> {
    match typed.kind() {
        Kind::Bool => matches!(text, "t" | "f").then(|| text.to_owned()),
        Kind::Integer => text.parse::<i64>().ok().map(|number| number.to_string()),
        Kind::Numeric => decimal(text),
        Kind::Money => money(text),
        Kind::Float4 => text.parse::<f32>().ok().map(|number| number.to_string()),
        Kind::Float8 => text.parse::<f64>().ok().map(|number| number.to_string()),
        Kind::Text | Kind::Printed => Some(text.to_owned()),
        Kind::Uuid => Some(text.to_ascii_lowercase()),
        Kind::Bytes => text.strip_prefix("\\x").map(str::to_ascii_lowercase),
        Kind::Date => infinite(text).or_else(|| days(text).map(|days| days.to_string())),
        Kind::Time => time_micros(text).map(|micros| micros.to_string()),
        Kind::Stamp => infinite(text).or_else(|| timestamp_micros(text)),
        // The session's zone is UTC; any other offset means that the settings were not taken.
        Kind::ZonedStamp => {
            let utc = text.strip_suffix(" BC").unwrap_or(text).ends_with("+00");
            infinite(text).or_else(|| utc.then(|| zoned_micros(text)).flatten())
        }
        Kind::Interval => {
            infinite(text).or_else(|| Interval::parse(text).map(|interval| interval.to_string()))
        }
        Kind::Bits => {
            let bits = text.bytes().all(|bit| matches!(bit, b'0' | b'1'));
            bits.then(|| text.to_owned())
        }
        Kind::Point => point(text),
        Kind::Hstore => literal::hstore(text).map(|pairs| pairs_text(&pairs)),
        Kind::ZonedRange => zoned_range(text),
        Kind::Array(element) => {
            let array = literal::array(text, &|text| match element.is_domain() {
                // Its text is published as it is printed.
                true => Some(text.to_owned()),
                false => of_type(&element, text),
            })?;
            Some(array.elements.to_string())
        }
        Kind::ZonedTime | Kind::VaryingBits | Kind::Foreign(_) => None,
    }
}

/// A range of instants in any zone.
pub(crate) fn zoned_range(text: &str) -> Option<String> {
    let bound = |text: &str| infinite(text).or_else(|| zoned_micros(text));
    literal::range(text, &bound)
}

/// `(x,y)`.
fn point(text: &str) -> Option<String> {
    let (x, y) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    Some(point_text(x.parse().ok()?, y.parse().ok()?))
}

/// The one text of a point.
pub(crate) fn point_text(x: f64, y: f64) -> String {
    format!("({x},{y})")
}

/// `-$1,234.56`, as printed with `lc_monetary` `C`.
fn money(text: &str) -> Option<String> {
    let (sign, amount) = match text.strip_prefix('-') {
        Some(amount) => ("-", amount),
        None => ("", text),
    };
    decimal(&format!(
        "{sign}{}",
        amount.strip_prefix('$')?.replace(',', "")
    ))
}

/// A null, which says nothing where the content is left out: some types are published as null whatever they hold.
pub(crate) fn null(column: &Column) -> Canonical {
    match (&column.comparison, left_out(column)) {
        (Comparison::LeftOut(_), Some(why)) => Canonical::NotCompared(why),
        (_, Some(why)) if column.generated => Canonical::NotCompared(why),
        _ => Canonical::Null,
    }
}

/// Why a column's content is in no ledger; `None` if it is compared.
pub(crate) fn left_out(column: &Column) -> Option<String> {
    match &column.comparison {
        _ if column.generated => Some("the server computes it".to_owned()),
        Comparison::Compared => None,
        Comparison::LeftOut(why) => Some(why.clone()),
        Comparison::Unsettled if shown_by_all(column.type_oid) => None,
        Comparison::Unsettled => {
            let type_oid = column.type_oid;
            Some(format!(
                "type {type_oid}, and nobody asked how it is published"
            ))
        }
    }
}

/// Types that are compared although nobody looked at the connector's settings.
pub(crate) fn shown_by_all(type_oid: u32) -> bool {
    const TYPES: [u32; 21] = [
        oid::BOOL,
        oid::BYTEA,
        oid::CHAR,
        oid::NAME,
        oid::INT8,
        oid::INT2,
        oid::INT4,
        oid::TEXT,
        oid::OID,
        oid::JSON,
        oid::FLOAT4,
        oid::FLOAT8,
        oid::BPCHAR,
        oid::VARCHAR,
        oid::DATE,
        oid::TIME,
        oid::TIMESTAMP,
        oid::TIMESTAMPTZ,
        oid::NUMERIC,
        oid::UUID,
        oid::JSONB,
    ];
    TYPES.contains(&type_oid)
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
    let whole = compared && shape.content_lost.is_none() && values.len() == shape.columns.len();
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
            ..Column::default()
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
            assert!(shown_by_all(type_oid), "{type_oid}");
        }
    }

    #[test]
    fn types_that_a_setting_may_hide_have_a_text_once_they_are_settled() {
        let table = [
            (oid::INTERVAL, "1 mon -1 days", "1 mons -1 days 0 us"),
            (oid::INTERVAL, "infinity", "infinity"),
            (oid::MONEY, "-$1,234.50", "-1234.5"),
            (oid::BIT, "0101", "0101"),
            (oid::POINT, "(1e+300,-0.10)", &format!("({},-0.1)", 1e300)),
            (
                oid::TSTZRANGE,
                "[\"1970-01-01 00:00:01+00\",infinity)",
                "[1000000,infinity)",
            ),
            (oid::INET, "10.0.0.1", "10.0.0.1"),
        ];
        for (type_oid, text, wanted) in table {
            let mut column = column("c", type_oid, false);
            assert!(left_out(&column).is_some(), "{type_oid}");
            column.comparison = Comparison::Compared;
            let wanted = Canonical::Text(wanted.into());
            assert_eq!(from_text(&column, text), wanted, "{type_oid} {text}");
        }
        let bad = [
            (oid::MONEY, "12,34 €"),
            (oid::BIT, "012"),
            (oid::POINT, "1,2"),
        ];
        for (type_oid, text) in bad {
            let mut column = column("c", type_oid, false);
            column.comparison = Comparison::Compared;
            let got = from_text(&column, text);
            assert!(
                matches!(got, Canonical::NotCompared(_)),
                "{type_oid} {text}"
            );
        }
    }

    #[test]
    fn a_null_says_nothing_where_the_content_is_left_out() {
        let mut column = column("c", oid::INTERVAL, false);
        assert_eq!(null(&column), Canonical::Null);
        column.comparison = Comparison::LeftOut("why".into());
        assert_eq!(null(&column), Canonical::NotCompared("why".into()));
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
            content_lost: None,
            unclear_key: false,
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
            content_lost: None,
            unclear_key: false,
        };
        let image = |text: &str| row_image(&shape, &[Canonical::Text(text.into())]);
        assert_eq!(image("x").key, None);
        assert_eq!(image("x"), image("x"));
        assert_ne!(image("x").key_hash, image("y").key_hash);
    }
}
