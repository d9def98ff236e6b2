//! The flat row that `ExtractNewRecordState` leaves: the columns, and what `add.fields` put beside them.
//!
//! The old row is gone, except for a rewritten delete, whose columns *are* the old row. Without `op` and
//! `source.lsn` among the added fields a record cannot be told from its repetition; `PayloadEvidence` says so.

use cutover_model::Op;

use super::fields::Fields;
use super::modes::ConverterModes;
use super::transaction::Place;
use super::{Facts, RowPlace};

/// Takes a flat row apart. The relation is in the payload only if it was asked for.
pub(super) fn read<'a>(fields: &Fields<'a>, modes: &ConverterModes) -> Result<Facts<'a>, String> {
    let added = |name: &str| format!("{}{name}", modes.added_prefix);
    let integer = |name: &str| fields.integer(&added(name));
    let op = match fields.string(&added("op")) {
        Some(letter) => {
            let op = letter.parse::<Op>();
            Some(op.map_err(|_| "the added 'op' is no operation letter".to_owned())?)
        }
        None => None,
    };
    // The transformation itself names this one; the prefix does not apply to it.
    let deleted = fields
        .get("__deleted")
        .is_some_and(|flag| flag.contains("true"));
    let (before, after) = if deleted || op == Some(Op::Delete) {
        (RowPlace::Whole, RowPlace::Absent)
    } else {
        (RowPlace::Unknown, RowPlace::Whole)
    };
    Ok(Facts {
        op: op.or(deleted.then_some(Op::Delete)),
        lsn: integer("source_lsn").or_else(|| integer("lsn")),
        xid: integer("source_txId").or_else(|| integer("txId")),
        transaction: Place::of_flat(fields, &modes.added_prefix),
        before,
        after,
    })
}

/// Schema and table, where `add.fields` has them.
pub(super) fn relation(fields: &Fields<'_>, modes: &ConverterModes) -> Option<(String, String)> {
    let text = |name: &str| {
        let long = fields.string(&format!("{}source_{name}", modes.added_prefix));
        let short = || fields.string(&format!("{}{name}", modes.added_prefix));
        long.or_else(short).map(std::borrow::Cow::into_owned)
    };
    Some((text("schema")?, text("table")?))
}
