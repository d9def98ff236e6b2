//! Everything in one transaction: a row that is born, changed and moved in it, a row changed twice,
//! a row born and deleted, and changes in all three tables.

use rand::RngExt;

use super::{Shape, has_orders, one, orders_for, some};
use crate::content::{CustomerContent, Dice, EVENT_KINDS, OrderContent, moment, pick};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "mixed",
    weight: 80,
    first_session_only: false,
    possible: has_orders,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    if let Some(customer) = one(&own.customers, dice) {
        let once = draft.update_customer(customer, &CustomerContent::roll(dice));
        draft.update_customer(once, &CustomerContent::roll(dice));
    }
    if let Some(order) = draft.insert_orders(&orders_for(own, dice, 1)).pop() {
        let changed = draft.update_order_amount(order, &OrderContent::roll(dice, 0));
        let event = draft.insert_event(changed, "created", moment(dice));
        if dice.random_bool(0.3) {
            draft.delete_event(event);
        }
        match dice.random_range(0..4) {
            0 => drop(draft.update_order_key(changed)),
            1 => draft.delete_order(changed),
            _ => (),
        }
    }
    if let Some(event) = one(&own.events, dice) {
        draft.update_event(event, pick(dice, &EVENT_KINDS));
    }
    for order in some(&own.orders, dice, 1) {
        draft.delete_order(order);
    }
}
