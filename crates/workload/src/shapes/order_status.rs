//! An order moves on, and the step is noted in the table without a key.

use super::{Shape, has_orders, one};
use crate::content::{Dice, EVENT_KINDS, OrderContent, moment, pick};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "order-status",
    weight: 330,
    first_session_only: false,
    possible: has_orders,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    if let Some(order) = one(&own.orders, dice) {
        let order = draft.update_order_status(order, &OrderContent::roll(dice, 0));
        draft.insert_event(order, pick(dice, &EVENT_KINDS), moment(dice));
    }
}
