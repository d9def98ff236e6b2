//! Somebody signs up and orders: one customer, one to three orders, a statement each.

use rand::RngExt;

use super::{Shape, always};
use crate::content::{CustomerContent, Dice, OrderContent};
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "new-customer-orders",
    weight: 120,
    first_session_only: false,
    possible: always,
    write,
};

fn write(_: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let customer = draft.insert_customer(CustomerContent::roll(dice));
    for _ in 0..dice.random_range(1..=3) {
        draft.insert_orders(&[OrderContent::roll(dice, customer.id)]);
    }
}
