//! A bulk load, for loads that ask for one: up to 240 orders in one COPY. The server logs the rows of one page
//! together, sixty and more of them, and all of these share one LSN.

use rand::RngExt;

use super::{Shape, always, orders_for};
use crate::content::Dice;
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "bulk-copy",
    weight: 0,
    first_session_only: false,
    possible: always,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    // A transaction can hold 256 changes.
    let count = dice.random_range(160..=240);
    draft.copy_orders(&orders_for(own, dice, count));
}
