//! A transaction that changes its mind: whatever of it turns up anywhere was never committed.

use super::{Shape, has_orders, one, orders_for};
use crate::content::{Dice, EVENT_KINDS, OrderContent, moment, pick};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "rolled-back",
    weight: 50,
    first_session_only: false,
    possible: has_orders,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let new = draft.insert_orders(&orders_for(own, dice, 1));
    if let Some(order) = one(&own.orders, dice) {
        draft.update_order_status(order, &OrderContent::roll(dice, 0));
    }
    if let Some(order) = new.first() {
        draft.insert_event(*order, pick(dice, &EVENT_KINDS), moment(dice));
    }
    draft.roll_back();
}
