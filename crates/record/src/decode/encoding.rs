//! How one column's values are written: from the inline schema where there is one, else from the connector's
//! settings and the column's type, by Debezium's own rules.
//!
//! The rule it protects: what a setting leaves out of a value is known before the first row is read, so that the column
//! is left out everywhere, by name, and the rest of the row is still compared ([`settle`]).

use cutover_model::{Column, Comparison, TableShape};

use super::changed::Rules;
use super::layout::Node;
use super::modes::{Binary, ConverterModes, Decimal, Hstores, Intervals, TimePrecision};
use super::placeholder;
use crate::canonical::{Kind, Typed, left_out, oid};

/// Unit of a time that is written as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Millis,
    Micros,
    Nanos,
}

/// One column's form on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// The column is in no ledger.
    NotCompared(String),
    /// The other ledgers have it, but the topic does not hold enough of it.
    Lossy(String),
    Bool,
    Integer,
    Float4,
    Float8,
    Text,
    Uuid,
    DecimalBytes {
        scale: i64,
    },
    DecimalStruct,
    DecimalText,
    DecimalDouble,
    Days,
    DateText,
    Time(Unit),
    TimeText,
    Stamp(Unit),
    StampText,
    IntervalText,
    Bytes(Binary),
    /// What PostgreSQL prints, as bytes.
    PrintedBytes(Binary),
    Bit,
    Bits(usize),
    Point,
    HstoreText,
    HstoreMap,
    ZonedRange,
    Array(Box<Encoding>),
}

/// Settles of every column whether it is compared, by what the connector's settings show of it.
pub fn settle(shapes: &mut [TableShape], modes: &ConverterModes) {
    let rules = Rules::of(&modes.changed);
    for shape in shapes {
        for column in shape.columns.iter_mut().filter(|column| !column.generated) {
            column.comparison = match rules.why(&shape.relation, column).filter(|_| !column.key) {
                Some(why) => Comparison::LeftOut(why),
                None => by_type(column, modes),
            };
        }
    }
}

fn by_type(column: &Column, modes: &ConverterModes) -> Comparison {
    let typed = Typed::of(column);
    let unknown = |setting: &&String| decides(setting, &typed);
    if let Some(setting) = modes.unknown.iter().find(unknown) {
        return Comparison::LeftOut(format!("connector setting {setting} is not understood"));
    }
    match Encoding::of_type(&Typed::of(column), modes, None) {
        Encoding::NotCompared(why) | Encoding::Lossy(why) => Comparison::LeftOut(why),
        _ => Comparison::Compared,
    }
}

/// Whether a setting (`name=value`) decides how values of a type are written.
fn decides(setting: &str, typed: &Typed<'_>) -> bool {
    let kind = typed.kind();
    if let Kind::Array(element) = &kind {
        return decides(setting, element);
    }
    match setting.split('=').next().unwrap_or_default() {
        "time.precision.mode" => matches!(
            kind,
            Kind::Date | Kind::Time | Kind::ZonedTime | Kind::Stamp | Kind::ZonedStamp
        ),
        "decimal.handling.mode" => matches!(kind, Kind::Numeric | Kind::Money),
        "money.fraction.digits" => matches!(kind, Kind::Money),
        "binary.handling.mode" => matches!(kind, Kind::Bytes | Kind::Printed),
        "interval.handling.mode" => matches!(kind, Kind::Interval),
        "hstore.handling.mode" => matches!(kind, Kind::Hstore),
        "include.unknown.datatypes" => matches!(kind, Kind::Printed),
        "schema.name.adjustment.mode" => false,
        // How members are called, and what stands in for a value: of any column.
        _ => true,
    }
}

impl Encoding {
    pub(crate) fn of(column: &Column, modes: &ConverterModes, node: Option<&Node>) -> Encoding {
        match left_out(column) {
            Some(why) => Encoding::NotCompared(why),
            None => Encoding::of_type(&Typed::of(column), modes, node),
        }
    }

    fn of_type(typed: &Typed<'_>, modes: &ConverterModes, node: Option<&Node>) -> Encoding {
        let modifier = typed.modifier;
        match typed.kind() {
            Kind::Bool => Encoding::Bool,
            Kind::Integer => Encoding::Integer,
            Kind::Float4 => Encoding::Float4,
            Kind::Float8 => Encoding::Float8,
            Kind::Uuid => Encoding::Uuid,
            Kind::Text => Encoding::Text,
            Kind::ZonedRange => Encoding::ZonedRange,
            Kind::Point => Encoding::Point,
            Kind::Numeric => numeric(modifier, modes, node),
            Kind::Money => money(modes, node),
            Kind::Date => date(modes, node),
            Kind::Time => {
                let unit = match node {
                    Some(node) => time_unit(node),
                    None => Ok(time_by_settings(modifier, modes)),
                };
                timed(modifier, unit, Encoding::Time, Encoding::TimeText)
            }
            Kind::Stamp => {
                let unit = match node {
                    Some(node) => time_unit(node),
                    None => Ok(stamp_by_settings(modifier, modes)),
                };
                timed(modifier, unit, Encoding::Stamp, Encoding::StampText)
            }
            Kind::ZonedStamp => Encoding::StampText,
            Kind::ZonedTime => lossy("published in UTC, without the zone it was written in"),
            Kind::Interval => interval(modes, node),
            Kind::Bits => match usize::try_from(modifier) {
                Ok(1) => Encoding::Bit,
                Ok(length) => Encoding::Bits(length),
                Err(_) => lossy("a bit string whose length the catalogue does not say"),
            },
            Kind::VaryingBits => lossy("published without its leading zeros"),
            Kind::Bytes => Encoding::Bytes(binary(modes, node)),
            Kind::Hstore => hstore(modes, node),
            Kind::Array(element) => array(&element, modes, node),
            Kind::Printed if modes.unknown_types => Encoding::PrintedBytes(binary(modes, node)),
            Kind::Printed => lossy(UNKNOWN_TYPE),
            Kind::Foreign(why) => lossy(why),
        }
    }
}

const UNKNOWN_TYPE: &str =
    "Debezium does not know the type and leaves it out unless include.unknown.datatypes is true";

fn lossy(why: &str) -> Encoding {
    Encoding::Lossy(why.to_owned())
}

fn binary(modes: &ConverterModes, node: Option<&Node>) -> Binary {
    match node {
        Some(node) if node.kind == "bytes" => Binary::Bytes,
        _ => modes.binary,
    }
}

/// `atttypmod` of numeric(p,s) is `((p << 16) | s) + 4`. A negative s shows as 11 bits here, and Debezium takes
/// it for a large positive scale: the unscaled value it writes has that many zeros, so the result is right.
fn numeric(modifier: i32, modes: &ConverterModes, node: Option<&Node>) -> Encoding {
    let scale = i64::from((modifier - 4) & 0xFFFF);
    let digits = ((modifier - 4) >> 16) & 0xFFFF;
    let written = match node.map(|node| node.kind.as_str()) {
        Some("bytes") => Decimal::Precise,
        Some("struct") => return Encoding::DecimalStruct,
        Some("string") => Decimal::String,
        Some("double") => Decimal::Double,
        Some(other) => return Encoding::Lossy(format!("numeric written as {other}")),
        None => modes.decimal,
    };
    match written {
        Decimal::String => Encoding::DecimalText,
        Decimal::Double if modifier >= 4 && digits <= 15 => Encoding::DecimalDouble,
        Decimal::Double => lossy("decimal.handling.mode=double keeps 15 digits only"),
        Decimal::Precise => match declared_scale(node) {
            Some(scale) => Encoding::DecimalBytes { scale },
            None if modifier >= 4 => Encoding::DecimalBytes { scale },
            None => Encoding::DecimalStruct,
        },
    }
}

fn declared_scale(node: Option<&Node>) -> Option<i64> {
    node.and_then(|node| node.parameters.get("scale")?.parse().ok())
}

/// Money is a number with two digits behind the point, unless the connector is told another number of them.
fn money(modes: &ConverterModes, node: Option<&Node>) -> Encoding {
    let written = match node.map(|node| node.kind.as_str()) {
        Some("bytes") => Decimal::Precise,
        Some("string") => Decimal::String,
        Some("double") => Decimal::Double,
        Some(other) => return Encoding::Lossy(format!("money written as {other}")),
        None => modes.decimal,
    };
    match written {
        Decimal::String => Encoding::DecimalText,
        Decimal::Double => lossy("decimal.handling.mode=double keeps 15 digits only"),
        Decimal::Precise => Encoding::DecimalBytes {
            scale: declared_scale(node).unwrap_or(modes.money_scale),
        },
    }
}

fn interval(modes: &ConverterModes, node: Option<&Node>) -> Encoding {
    let text = match node {
        Some(node) => node.kind == "string",
        None => modes.intervals == Intervals::String,
    };
    if text {
        Encoding::IntervalText
    } else {
        lossy("interval.handling.mode=numeric makes one number of months, days and time")
    }
}

fn hstore(modes: &ConverterModes, node: Option<&Node>) -> Encoding {
    let map = match node {
        Some(node) => node.kind == "map",
        None => modes.hstores == Hstores::Map,
    };
    if map {
        Encoding::HstoreMap
    } else {
        Encoding::HstoreText
    }
}

/// Debezium reads arrays through a driver for Java, which loses more than its own reading of single values.
fn array(element: &Typed<'_>, modes: &ConverterModes, node: Option<&Node>) -> Encoding {
    let items = node.and_then(|node| node.items.as_deref());
    if element.is_domain() || matches!(element.kind(), Kind::Printed) {
        return match modes.unknown_types && element.oid != oid::REFCURSOR {
            true => Encoding::Array(Box::new(Encoding::PrintedBytes(binary(modes, items)))),
            false => lossy(UNKNOWN_TYPE),
        };
    }
    let of_element = Encoding::of_type(element, modes, items);
    match (element.kind(), of_element) {
        (Kind::Money | Kind::Interval | Kind::VaryingBits | Kind::Point, _) => {
            lossy("arrays of this type are not published")
        }
        (Kind::Text, _) if matches!(element.oid, oid::NAME | oid::XML) => {
            lossy("arrays of this type are not published")
        }
        (Kind::Bits, _) => lossy("arrays of bit strings are published as null"),
        (Kind::Time, _) if !exact_in_millis(element.modifier) => {
            lossy("times in an array are published without their microseconds")
        }
        (_, Encoding::Lossy(why)) => Encoding::Lossy(why),
        (_, of_element) => match placeholder::told_apart(&of_element, modes) {
            true => Encoding::Array(Box::new(of_element)),
            false => lossy("what stands in for an unchanged large array of this type is not known"),
        },
    }
}

fn date(modes: &ConverterModes, node: Option<&Node>) -> Encoding {
    let text = match node {
        Some(node) => node.kind == "string",
        None => modes.time_precision == TimePrecision::IsoString,
    };
    if text {
        Encoding::DateText
    } else {
        Encoding::Days
    }
}

/// Unit by the schema's logical type; `None` for ISO text.
fn time_unit(node: &Node) -> Result<Option<Unit>, String> {
    if node.kind == "string" {
        return Ok(None);
    }
    let name = node.name.as_deref().unwrap_or_default();
    Ok(Some(match name.rsplit('.').next().unwrap_or_default() {
        "Time" | "Timestamp" => Unit::Millis,
        "MicroTime" | "MicroTimestamp" => Unit::Micros,
        "NanoTime" | "NanoTimestamp" => Unit::Nanos,
        _ => return Err(format!("logical type '{name}' is not known")),
    }))
}

fn time_by_settings(modifier: i32, modes: &ConverterModes) -> Option<Unit> {
    match modes.time_precision {
        TimePrecision::AdaptiveTimeMicroseconds => Some(Unit::Micros),
        _ => stamp_by_settings(modifier, modes),
    }
}

fn stamp_by_settings(modifier: i32, modes: &ConverterModes) -> Option<Unit> {
    Some(match modes.time_precision {
        TimePrecision::Connect => Unit::Millis,
        TimePrecision::Adaptive | TimePrecision::AdaptiveTimeMicroseconds => {
            if exact_in_millis(modifier) {
                Unit::Millis
            } else {
                Unit::Micros
            }
        }
        TimePrecision::Microseconds => Unit::Micros,
        TimePrecision::Nanoseconds => Unit::Nanos,
        TimePrecision::IsoString => return None,
    })
}

fn timed(
    modifier: i32,
    unit: Result<Option<Unit>, String>,
    number: fn(Unit) -> Encoding,
    text: Encoding,
) -> Encoding {
    match unit {
        Ok(Some(Unit::Millis)) if !exact_in_millis(modifier) => {
            lossy("written in milliseconds although the column holds microseconds")
        }
        Ok(Some(unit)) => number(unit),
        Ok(None) => text,
        Err(reason) => Encoding::Lossy(reason),
    }
}

/// `atttypmod` of time(p) and timestamp(p) is p itself; without p it is 6.
fn exact_in_millis(modifier: i32) -> bool {
    (0..=3).contains(&modifier)
}

#[cfg(test)]
mod tests {
    use cutover_model::{Relation, ReplicaIdentity};
    use serde_json::json;

    use super::*;

    /// Names of the columns that are left out because of one setting.
    fn left_out_by(setting: &str, value: &str) -> Vec<&'static str> {
        let columns = [
            ("int", oid::INT4),
            ("text", oid::TEXT),
            ("date", oid::DATE),
            ("stamp", oid::TIMESTAMP),
            ("zoned", oid::TIMESTAMPTZ),
            ("numeric", oid::NUMERIC),
            ("bytes", oid::BYTEA),
        ];
        let column = |(name, type_oid): &(&str, u32)| Column {
            name: (*name).into(),
            type_oid: *type_oid,
            type_modifier: -1,
            ..Column::default()
        };
        let mut shapes = [TableShape {
            relation: Relation::new("public", "t"),
            columns: columns.iter().map(column).collect(),
            replica_identity: ReplicaIdentity::Default,
            content_lost: None,
            unclear_key: false,
        }];
        let config = json!({ setting: value });
        let modes = ConverterModes::from_connector_config(config.as_object().unwrap());
        settle(&mut shapes, &modes);
        let told = format!("connector setting {setting}={value} is not understood");
        let by_it = |column: &Column| column.comparison == Comparison::LeftOut(told.clone());
        let both = columns.iter().zip(&shapes[0].columns);
        both.filter(|(_, column)| by_it(column))
            .map(|((name, _), _)| *name)
            .collect()
    }

    #[test]
    fn what_an_unknown_value_of_a_setting_decides_is_left_out_and_never_guessed() {
        let left_out = left_out_by("time.precision.mode", "structured");
        assert_eq!(left_out, ["date", "stamp", "zoned"]);
        assert_eq!(left_out_by("decimal.handling.mode", "exact"), ["numeric"]);
        assert_eq!(left_out_by("binary.handling.mode", "rot13"), ["bytes"]);
        let named = left_out_by("field.name.adjustment.mode", "odd");
        assert_eq!(named.len(), 7, "any column may be called otherwise");
        assert!(left_out_by("time.precision.mode", "connect").is_empty());
        assert!(left_out_by("schema.name.adjustment.mode", "odd").is_empty());
    }
}
