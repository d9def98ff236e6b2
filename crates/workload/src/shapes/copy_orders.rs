//! Twenty to fifty orders by COPY. The server logs them page by page, so several changes share one
//! LSN: the reason why an LSN is no identity.

use rand::RngExt;

use super::{Shape, always, orders_for};
use crate::content::Dice;
use crate::plan::Draft;
use crate::rows::OwnRows;

pub(super) const SHAPE: Shape = Shape {
    name: "copy-orders",
    weight: 12,
    first_session_only: false,
    possible: always,
    write,
};

fn write(own: &OwnRows, dice: &mut Dice, draft: &mut Draft) {
    let count = dice.random_range(20..=50);
    draft.copy_orders(&orders_for(own, dice, count));
}
