//! Orders are deleted, now and then an event or a customer with them. One statement per row, since
//! a statement that deletes several does not say in which order.

use rand::RngExt;

use super::{Shape, has_orders, one, some};
use crate::content::Dice;
use crate::plan::Draft;
use crate::rows::OwnRows;

/// Fewer customers than this are left alone, so that orders always find one.
const CUSTOMERS_KEPT_MIN: usize = 20;

pub(super) const SHAPE: Shape = Shape {
    name: "delete-rows",
    weight: 110,
    first_session_only: false,
    possible: has_orders,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let count = dice.random_range(1..=2);
    for order in some(&own.orders, dice, count) {
        draft.delete_order(order);
    }
    if dice.random_bool(0.3)
        && let Some(event) = one(&own.events, dice)
    {
        draft.delete_event(event);
    }
    if dice.random_bool(0.2)
        && own.customers.len() > CUSTOMERS_KEPT_MIN
        && let Some(customer) = one(&own.customers, dice)
    {
        draft.delete_customer(customer);
    }
}
