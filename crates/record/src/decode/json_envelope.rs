//! Debezium's envelope: `before`, `after`, `source` and `op`. It shows everything that a record can show.

use std::borrow::Cow;

use serde::Deserialize;

use super::fields::{Fields, Shape};
use super::transaction::Place;
use super::{Facts, RowPlace};

/// The part of the source block that carries identity.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Source<'a> {
    #[serde(borrow, default)]
    pub(super) schema: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) table: Option<Cow<'a, str>>,
    #[serde(rename = "txId", default)]
    xid: Option<i64>,
    #[serde(default)]
    lsn: Option<i64>,
}

/// Whether an object is an envelope. A flat row can have columns of these names, but none of them an object.
pub(super) fn is_envelope(fields: &Fields<'_>) -> bool {
    let object = |name| fields.get(name).is_some_and(|value| value.starts_with('{'));
    object("source") && fields.get("op").is_some()
}

/// Takes an envelope apart.
pub(super) fn read<'a>(fields: &Fields<'a>) -> Result<(Source<'a>, Facts<'a>), String> {
    let source = fields
        .present("source")
        .ok_or("the source block is missing")?;
    let source: Source<'a> = serde_json::from_str(source)
        .map_err(|_| "the source block is not as Debezium writes it")?;
    let letter = fields.string("op").ok_or("'op' is no text")?;
    let op = letter
        .parse()
        .map_err(|_| "'op' is no operation letter".to_owned())?;
    let facts = Facts {
        op: Some(op),
        lsn: source.lsn,
        xid: source.xid,
        transaction: Place::of_envelope(fields),
        before: row(fields, "before")?,
        after: row(fields, "after")?,
    };
    Ok((source, facts))
}

fn row<'a>(fields: &Fields<'a>, name: &str) -> Result<RowPlace<'a>, String> {
    let Some(json) = fields.present(name) else {
        return Ok(RowPlace::Absent);
    };
    match Fields::parse(json)? {
        Shape::Object(fields) => Ok(RowPlace::Own(fields)),
        _ => Err(format!("'{name}' is no row")),
    }
}

/// Prefix, content and LSN of a logical decoding message.
pub(super) fn message<'a>(
    fields: &Fields<'a>,
) -> Option<(Cow<'a, str>, Cow<'a, str>, Option<i64>)> {
    let Ok(Shape::Object(message)) = Fields::parse(fields.present("message")?) else {
        return None;
    };
    let source: Source<'_> = serde_json::from_str(fields.present("source")?).ok()?;
    Some((
        message.string("prefix")?,
        message.string("content")?,
        source.lsn,
    ))
}
