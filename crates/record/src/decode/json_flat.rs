//! The flat row that `ExtractNewRecordState` leaves: the columns, and what was added beside them or in headers.
//!
//! The old row is gone, except for a rewritten delete, whose columns *are* the old row. Without operation and LSN among
//! what is added a record cannot be told from its repetition; `PayloadEvidence` says so.

use cutover_model::Op;

use super::added::{DELETED, Fact, Said};
use super::fields::Fields;
use super::transaction::Place;
use super::{Facts, RowPlace};

/// Takes a flat row apart.
pub(super) fn read<'a>(fields: &Fields<'_>, said: &Said<'_>) -> Result<Facts<'a>, String> {
    let op = op(said)?;
    let deleted = fields
        .get(DELETED)
        .is_some_and(|flag| flag.contains("true"));
    let rows = if deleted || op == Some(Op::Delete) {
        (RowPlace::Whole, RowPlace::Absent)
    } else {
        (RowPlace::Unknown, RowPlace::Whole)
    };
    Ok(facts(op.or(deleted.then_some(Op::Delete)), rows, said))
}

/// A delete that became a record without value, if its headers tell which one it is.
pub(super) fn delete<'a>(said: &Said<'_>) -> Result<Option<Facts<'a>>, String> {
    if !said.added.deletes_are_told() {
        return Ok(None);
    }
    let told = op(said)? == Some(Op::Delete) && said.integer(Fact::Lsn).is_some();
    let rows = (RowPlace::Unknown, RowPlace::Absent);
    Ok(told.then(|| facts(Some(Op::Delete), rows, said)))
}

fn op(said: &Said<'_>) -> Result<Option<Op>, String> {
    let letter = said.text(Fact::Op);
    let read = |letter: &str| {
        let op = letter.parse::<Op>();
        op.map_err(|_| "the added 'op' is no operation letter".to_owned())
    };
    letter.as_deref().map(read).transpose()
}

fn facts<'a>(
    op: Option<Op>,
    (before, after): (RowPlace<'a>, RowPlace<'a>),
    said: &Said<'_>,
) -> Facts<'a> {
    Facts {
        op,
        lsn: said.integer(Fact::Lsn),
        xid: said.integer(Fact::Xid),
        transaction: Place::of_flat(said),
        before,
        after,
    }
}
