//! What decoding has found in a record before it looks at any value of a row.

use std::rc::Rc;

use cutover_model::Op;

use super::fields::Fields;
use super::layout::Schema;
use super::transaction;

/// What a payload says of a change, whatever its form.
pub(super) struct Facts<'a> {
    pub(super) op: Option<Op>,
    pub(super) lsn: Option<i64>,
    pub(super) xid: Option<i64>,
    pub(super) transaction: Option<transaction::Place>,
    pub(super) before: RowPlace<'a>,
    pub(super) after: RowPlace<'a>,
}

/// Where a row stands in the payload.
pub(super) enum RowPlace<'a> {
    /// Nowhere: there is no such row (before an insert, after a delete).
    Absent,
    /// There was one, but the payload does not have it.
    Unknown,
    /// In an object of its own.
    Own(Fields<'a>),
    /// The payload itself is the row.
    Whole,
}

/// A change that was found in a record.
pub(super) struct Found<'a> {
    pub(super) index: usize,
    pub(super) schema: Option<Rc<Schema>>,
    pub(super) fields: Fields<'a>,
    pub(super) facts: Facts<'a>,
    pub(super) format: &'static str,
}

impl<'a> Found<'a> {
    /// The row that stands there.
    pub(super) fn row<'f>(&'f self, place: &'f RowPlace<'a>) -> Option<&'f Fields<'a>> {
        match place {
            RowPlace::Own(row) => Some(row),
            RowPlace::Whole => Some(&self.fields),
            RowPlace::Absent | RowPlace::Unknown => None,
        }
    }
}
