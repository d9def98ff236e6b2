//! Debezium's envelope: `before`, `after`, `source` and `op`. It shows everything that a record can show.

use std::borrow::Cow;

use super::fields::{Fields, Outline, Shape, string};
use super::transaction::Place;
use super::{Facts, RowPlace};

/// The part of the source block that carries identity.
#[derive(Debug, Default)]
pub(super) struct Source<'a> {
    pub(super) schema: Option<Cow<'a, str>>,
    pub(super) table: Option<Cow<'a, str>>,
    xid: Option<i64>,
    lsn: Option<i64>,
}

impl<'a> Source<'a> {
    /// `None` if it is no object, or a member is not of its type.
    fn read(block: Result<Shape<'a>, String>) -> Option<Source<'a>> {
        let Ok(Shape::Object(fields)) = block else {
            return None;
        };
        let text = |name| fields.present(name).map(string);
        let number = |name| fields.present(name).map(|value| value.parse().ok());
        Some(Source {
            schema: whole(text("schema"))?,
            table: whole(text("table"))?,
            xid: whole(number("txId"))?,
            lsn: whole(number("lsn"))?,
        })
    }
}

/// Nothing is fine, something that cannot be read is not.
fn whole<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |value| value.map(Some))
}

/// Whether an object is an envelope. A flat row can have columns of these names, but none of them an object.
pub(super) fn is_envelope(fields: &Fields<'_>) -> bool {
    let object = |name| fields.get(name).is_some_and(|value| value.starts_with('{'));
    object("source") && fields.get("op").is_some()
}

/// What decoding does before it looks at any value, alone: members of the envelope, of both rows and of the source.
/// Gives their number; `None` if it is no envelope. `outline` is that of envelopes read before.
pub fn take_apart(json: &str, outline: &mut Outline) -> Option<usize> {
    let Ok(Shape::Object(mut whole)) = Fields::parse_like(json, outline) else {
        return None;
    };
    let mut members = whole.len();
    for part in ["before", "after", "source"] {
        match whole.take(part) {
            Some(Ok(Shape::Object(inside))) => members += inside.len(),
            Some(_) => return None,
            None => {}
        }
    }
    Some(members)
}

/// Takes an envelope apart.
pub(super) fn read<'a>(fields: &mut Fields<'a>) -> Result<(Source<'a>, Facts<'a>), String> {
    let source = fields.take("source").ok_or("the source block is missing")?;
    let source = Source::read(source).ok_or("the source block is not as Debezium writes it")?;
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

fn row<'a>(fields: &mut Fields<'a>, name: &str) -> Result<RowPlace<'a>, String> {
    match fields.take(name).transpose()? {
        None => Ok(RowPlace::Absent),
        Some(Shape::Object(row)) => Ok(RowPlace::Own(row)),
        Some(_) => Err(format!("'{name}' is no row")),
    }
}

/// Prefix, content and LSN of a logical decoding message.
pub(super) fn message<'a>(
    fields: &Fields<'a>,
) -> Option<(Cow<'a, str>, Cow<'a, str>, Option<i64>)> {
    let Ok(Shape::Object(message)) = Fields::parse(fields.present("message")?) else {
        return None;
    };
    let source = Source::read(Fields::parse(fields.present("source")?))?;
    Some((
        message.string("prefix")?,
        message.string("content")?,
        source.lsn,
    ))
}
