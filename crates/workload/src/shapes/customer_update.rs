//! One row of one table changes: the most common transaction of all.

use super::{Shape, has_customers, one};
use crate::content::{CustomerContent, Dice};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "customer-update",
    weight: 120,
    first_session_only: false,
    possible: has_customers,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    if let Some(customer) = one(&own.customers, dice) {
        draft.update_customer(customer, &CustomerContent::roll(dice));
    }
}
