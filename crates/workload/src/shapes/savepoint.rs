//! A transaction of which a part is taken back: the part must not be published, the rest must.

use super::{Shape, has_orders, orders_for, some};
use crate::content::{Dice, EVENT_KINDS, OrderContent, moment, pick};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "savepoint",
    weight: 50,
    first_session_only: false,
    possible: has_orders,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let mut orders = some(&own.orders, dice, 2);
    let kept = orders
        .pop()
        .map(|order| draft.update_order_amount(order, &OrderContent::roll(dice, 0)));
    draft.savepoint();
    // The kept row is touched inside the part that is taken back, too: its last published state
    // must be the one from before the savepoint.
    if let Some(order) = kept {
        draft.update_order_status(order, &OrderContent::roll(dice, 0));
    }
    draft.insert_orders(&orders_for(own, dice, 1));
    draft.rollback_to_savepoint();
    if let Some(order) = orders.pop() {
        draft.insert_event(order, pick(dice, &EVENT_KINDS), moment(dice));
    }
}
