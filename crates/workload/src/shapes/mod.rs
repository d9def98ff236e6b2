//! Transaction shapes: one file each, all pure.
//!
//! To add one: write `shapes/<name>.rs` with a `SHAPE`, and register it in [`ALL`]. A shape only
//! picks rows and writes down what to do with them; what changes that causes is worked out by
//! [`Draft`].

mod bulk_copy;
mod bulk_copy_wide;
mod copy_orders;
mod customer_update;
mod delete_rows;
mod held_open;
mod key_update;
mod mixed;
mod multi_row_insert;
mod new_customer_orders;
mod order_status;
mod purge;
mod rolled_back;
mod savepoint;

use rand::RngExt;
use rand::seq::index::sample;
use serde::Deserialize;

use crate::content::{Dice, OrderContent};
use crate::plan::Draft;
use crate::rows::{OwnRows, Row, Rows};

/// A kind of transaction.
pub struct Shape {
    /// Name in code and tests.
    pub name: &'static str,
    /// How often, relative to the others; 0 means only when the generator needs it.
    pub weight: u32,
    /// Only the first session does it.
    pub first_session_only: bool,
    /// Whether the session has the rows that it needs.
    pub possible: fn(&OwnRows) -> bool,
    /// Writes one transaction down.
    pub write: fn(&OwnRows, &mut Dice, &mut Draft),
}

/// Every shape. Weights add up to about 1000; a transaction causes about three changes on average.
pub const ALL: [&Shape; 14] = [
    &new_customer_orders::SHAPE,
    &order_status::SHAPE,
    &customer_update::SHAPE,
    &delete_rows::SHAPE,
    &key_update::SHAPE,
    &multi_row_insert::SHAPE,
    &copy_orders::SHAPE,
    &rolled_back::SHAPE,
    &savepoint::SHAPE,
    &mixed::SHAPE,
    &held_open::SHAPE,
    &purge::SHAPE,
    &bulk_copy::SHAPE,
    &bulk_copy_wide::SHAPE,
];

/// Rows of one table that a session keeps alive at most; above it, it clears up first. Bounds our
/// memory and the tables, however long the load runs.
pub const ROWS_KEPT_MAX: usize = 4_000;

/// Copies loads among the transactions of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Copies {
    /// Rows of ordinary size, many on a page.
    Narrow,
    /// Rows so large that a page holds only a few.
    Wide,
}

/// One transaction in so many is a bulk load, where the load asks for them.
const COPY_EVERY: u32 = 25;

/// Picks the shape of the next transaction.
pub(crate) fn choose(own: &OwnRows, dice: &mut Dice, copies: Option<Copies>) -> &'static Shape {
    if purge::needed(own) {
        return &purge::SHAPE;
    }
    if let Some(copies) = copies
        && dice.random_range(0..COPY_EVERY) == 0
    {
        return match copies {
            Copies::Narrow => &bulk_copy::SHAPE,
            Copies::Wide => &bulk_copy_wide::SHAPE,
        };
    }
    let candidates = || {
        ALL.into_iter().filter(|shape| {
            (own.session == 0 || !shape.first_session_only) && (shape.possible)(own)
        })
    };
    let total: u32 = candidates().map(|shape| shape.weight).sum();
    let mut ticket = dice.random_range(0..total.max(1));
    for shape in candidates() {
        if ticket < shape.weight {
            return shape;
        }
        ticket -= shape.weight;
    }
    &new_customer_orders::SHAPE
}

fn always(_: &OwnRows) -> bool {
    true
}

fn has_customers(own: &OwnRows) -> bool {
    !own.customers.is_empty()
}

fn has_orders(own: &OwnRows) -> bool {
    !own.orders.is_empty()
}

/// Different rows, at most `count`.
fn some(rows: &Rows, dice: &mut Dice, count: usize) -> Vec<Row> {
    let rows = rows.as_slice();
    sample(dice, rows.len(), count.min(rows.len()))
        .into_iter()
        .map(|place| rows[place])
        .collect()
}

fn one(rows: &Rows, dice: &mut Dice) -> Option<Row> {
    some(rows, dice, 1).pop()
}

/// Orders for one of the session's customers.
fn orders_for(own: &OwnRows, dice: &mut Dice, count: usize) -> Vec<OrderContent> {
    let customer = one(&own.customers, dice).map_or(own.next.customer, |row| row.id);
    (0..count)
        .map(|_| OrderContent::roll(dice, customer))
        .collect()
}
