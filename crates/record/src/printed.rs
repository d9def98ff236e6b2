//! One value as PostgreSQL prints it, in the log and in COPY alike.
//!
//! The rule it protects: a value that is not understood leaves its row without an image, and its column is named; it is
//! never left out of a hash that the other ledgers have it in.

use cutover_model::canonical::Canonical;
use cutover_model::{Column, TableShape};

use crate::canonical::{from_text, left_out, says_more};
use crate::notes::Notes;

/// The canonical form of a printed value.
pub(crate) fn value(
    shape: &TableShape,
    column: &Column,
    bytes: &[u8],
    notes: &mut Notes,
) -> Canonical {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Canonical::NotCompared("text that is not UTF-8".to_owned());
    };
    if let Some(why) = says_more(column, text) {
        notes.not_compared(&shape.relation.to_string(), &column.name, why);
    }
    from_text(column, text)
}

/// Whether a row has every value that its table is compared by; names the columns that lack one.
pub(crate) fn whole(shape: &TableShape, values: &[Canonical], notes: &mut Notes) -> bool {
    let mut whole = true;
    for (column, value) in shape.columns.iter().zip(values) {
        if let Canonical::NotCompared(why) = value
            && left_out(column).is_none()
        {
            whole = false;
            notes.not_compared(&shape.relation.to_string(), &column.name, why);
        }
    }
    whole
}
