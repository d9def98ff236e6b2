//! An order gets another primary key, which Kafka sees as a delete and a create; sometimes it is
//! changed right after, under its new key.

use rand::RngExt;

use super::{Shape, has_orders, one};
use crate::content::{Dice, OrderContent};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "key-update",
    weight: 50,
    first_session_only: false,
    possible: has_orders,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    if let Some(order) = one(&own.orders, dice) {
        let renamed = draft.update_order_key(order);
        if dice.random_bool(0.3) {
            draft.update_order_amount(renamed, &OrderContent::roll(dice, 0));
        }
    }
}
