//! Clearing up: once a session has as many rows as it may keep, it deletes some before it goes on.

use super::{ROWS_KEPT_MAX, Shape, has_orders, some};
use crate::content::Dice;
use crate::plan::Draft;
use crate::rows::OwnRows;

const ROWS_PER_TURN: usize = 6;

pub(super) const SHAPE: Shape = Shape {
    name: "purge",
    weight: 0,
    first_session_only: false,
    possible: has_orders,
    write,
};

/// Whether any table of the session is over its bound.
pub(super) fn needed(own: &OwnRows) -> bool {
    [&own.customers, &own.orders, &own.events]
        .into_iter()
        .any(|rows| rows.len() > ROWS_KEPT_MAX)
}

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    if own.orders.len() > ROWS_KEPT_MAX {
        for order in some(&own.orders, dice, ROWS_PER_TURN) {
            draft.delete_order(order);
        }
    }
    if own.events.len() > ROWS_KEPT_MAX {
        for event in some(&own.events, dice, ROWS_PER_TURN) {
            draft.delete_event(event);
        }
    }
    if own.customers.len() > ROWS_KEPT_MAX {
        for customer in some(&own.customers, dice, ROWS_PER_TURN) {
            draft.delete_customer(customer);
        }
    }
}
