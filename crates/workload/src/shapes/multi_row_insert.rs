//! Several orders in one INSERT.

use rand::RngExt;

use super::{Shape, always, orders_for};
use crate::content::Dice;
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "multi-row-insert",
    weight: 60,
    first_session_only: false,
    possible: always,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let count = dice.random_range(3..=8);
    draft.insert_orders(&orders_for(own, dice, count));
}
