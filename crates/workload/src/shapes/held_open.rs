//! A transaction that stays open for seconds while others commit around it. It begins before a
//! cutover and commits in the middle of it, or is cut off: the case that restart positions exist
//! for.

use super::{Shape, has_orders, orders_for, some};
use crate::content::{Dice, EVENT_KINDS, OrderContent, moment, pick};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "held-open",
    weight: 4,
    first_session_only: true,
    possible: has_orders,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let mut orders = some(&own.orders, dice, 2);
    if let Some(order) = orders.pop() {
        draft.update_order_status(order, &OrderContent::roll(dice, 0));
    }
    draft.insert_orders(&orders_for(own, dice, 1));
    draft.hold();
    if let Some(order) = orders.pop() {
        let order = draft.update_order_amount(order, &OrderContent::roll(dice, 0));
        draft.insert_event(order, pick(dice, &EVENT_KINDS), moment(dice));
    }
}
