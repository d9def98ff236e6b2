//! How one column's values are written: from the inline schema where there is one, else from the connector's
//! settings and the column's type, by Debezium's own rules.

use cutover_model::Column;

use super::layout::Node;
use super::modes::{Binary, ConverterModes, Decimal, TimePrecision};
use crate::canonical::{comparable, not_compared_type, oid};

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
    /// The type has no canonical form in any ledger.
    NotCompared(String),
    /// The type has one, but the topic does not hold enough to build it.
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
    Bytes(Binary),
}

impl Encoding {
    pub(crate) fn of(column: &Column, modes: &ConverterModes, node: Option<&Node>) -> Encoding {
        if !comparable(column.type_oid) {
            return Encoding::NotCompared(not_compared_type(column.type_oid));
        }
        match column.type_oid {
            oid::BOOL => Encoding::Bool,
            oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => Encoding::Integer,
            oid::FLOAT4 => Encoding::Float4,
            oid::FLOAT8 => Encoding::Float8,
            oid::UUID => Encoding::Uuid,
            oid::NUMERIC => numeric(column, modes, node),
            oid::DATE => date(modes, node),
            oid::TIME => {
                let unit = match node {
                    Some(node) => time_unit(node),
                    None => Ok(time_by_settings(column, modes)),
                };
                timed(column, unit, Encoding::Time, Encoding::TimeText)
            }
            oid::TIMESTAMP => {
                let unit = match node {
                    Some(node) => time_unit(node),
                    None => Ok(stamp_by_settings(column, modes)),
                };
                timed(column, unit, Encoding::Stamp, Encoding::StampText)
            }
            oid::TIMESTAMPTZ => Encoding::StampText,
            oid::BYTEA => match node {
                Some(node) if node.kind == "bytes" => Encoding::Bytes(Binary::Bytes),
                _ => Encoding::Bytes(modes.binary),
            },
            _ => Encoding::Text,
        }
    }
}

/// `atttypmod` of numeric(p,s) is `((p << 16) | s) + 4`. A negative s shows as 11 bits here, and Debezium takes
/// it for a large positive scale: the unscaled value it writes has that many zeros, so the result is right.
fn numeric(column: &Column, modes: &ConverterModes, node: Option<&Node>) -> Encoding {
    let modifier = column.type_modifier;
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
    let declared = node.and_then(|node| node.parameters.get("scale")?.parse().ok());
    match written {
        Decimal::String => Encoding::DecimalText,
        Decimal::Double if modifier >= 4 && digits <= 15 => Encoding::DecimalDouble,
        Decimal::Double => {
            Encoding::Lossy("decimal.handling.mode=double keeps 15 digits only".to_owned())
        }
        Decimal::Precise => match declared {
            Some(scale) => Encoding::DecimalBytes { scale },
            None if modifier >= 4 => Encoding::DecimalBytes { scale },
            None => Encoding::DecimalStruct,
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

fn time_by_settings(column: &Column, modes: &ConverterModes) -> Option<Unit> {
    match modes.time_precision {
        TimePrecision::AdaptiveTimeMicroseconds => Some(Unit::Micros),
        _ => stamp_by_settings(column, modes),
    }
}

fn stamp_by_settings(column: &Column, modes: &ConverterModes) -> Option<Unit> {
    Some(match modes.time_precision {
        TimePrecision::Connect => Unit::Millis,
        TimePrecision::Adaptive | TimePrecision::AdaptiveTimeMicroseconds => {
            if exact_in_millis(column) {
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
    column: &Column,
    unit: Result<Option<Unit>, String>,
    number: fn(Unit) -> Encoding,
    text: Encoding,
) -> Encoding {
    match unit {
        Ok(Some(Unit::Millis)) if !exact_in_millis(column) => Encoding::Lossy(
            "written in milliseconds although the column holds microseconds".to_owned(),
        ),
        Ok(Some(unit)) => number(unit),
        Ok(None) => text,
        Err(reason) => Encoding::Lossy(reason),
    }
}

/// `atttypmod` of time(p) and timestamp(p) is p itself; without p it is 6.
fn exact_in_millis(column: &Column) -> bool {
    (0..=3).contains(&column.type_modifier)
}
