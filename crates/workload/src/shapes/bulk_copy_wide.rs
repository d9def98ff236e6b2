//! A bulk load of large rows, for loads that ask for one: a page holds three or four of them, so only so many share an
//! LSN.

use rand::RngExt;

use super::{Shape, always, orders_for};
use crate::content::Dice;
use crate::plan::Draft;
use crate::rows::OwnRows;

/// Letters of a note: a row of this size is neither compressed nor moved out of its page.
const NOTE: usize = 1_700;

pub(super) const SHAPE: Shape = Shape {
    name: "bulk-copy-wide",
    weight: 0,
    first_session_only: false,
    possible: always,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let count = dice.random_range(40..=60);
    let mut orders = orders_for(own, dice, count);
    for order in &mut orders {
        let letters = (0..NOTE).map(|_| char::from(dice.random_range(b'a'..=b'z')));
        order.note = Some(letters.collect());
    }
    draft.copy_orders(&orders);
}
