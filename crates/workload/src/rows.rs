//! What one session knows of its own rows: identity and revision of each, nothing else.
//!
//! The generator picks rows from here, so it must be exactly what the server holds. It advances
//! only when a transaction's outcome is known to be `ok`, and is read anew from the server whenever
//! that knowledge is lost (an outcome nobody can tell, or another incarnation).

use std::collections::HashMap;

use cutover_model::Op;

use crate::plan::PlannedChange;
use crate::revision::{number_of, own_ids};
use crate::tables::Table;

/// One row: its identity (order id for events) and its current revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Row {
    /// Primary key, or `order_id` in the table without one.
    pub id: i64,
    /// Revision of its last change.
    pub revision: i64,
}

/// The rows of one table in an order that depends on their history alone, with fast lookup.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    rows: Vec<Row>,
    places: HashMap<i64, usize>,
    by_revision: bool,
}

impl Rows {
    fn of(table: Table, rows: Vec<Row>) -> Rows {
        let mut all = Rows {
            by_revision: !table.keyed(),
            ..Rows::default()
        };
        for row in rows {
            all.insert(row);
        }
        all
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in pick order.
    pub fn as_slice(&self) -> &[Row] {
        &self.rows
    }

    /// A keyed row is found by identity; an event by its revision, which is unique and never
    /// reused.
    fn name(&self, row: Row) -> i64 {
        if self.by_revision {
            row.revision
        } else {
            row.id
        }
    }

    fn insert(&mut self, row: Row) {
        self.places.insert(self.name(row), self.rows.len());
        self.rows.push(row);
    }

    fn remove(&mut self, row: Row) {
        let Some(place) = self.places.remove(&self.name(row)) else {
            return;
        };
        self.rows.swap_remove(place);
        if let Some(moved) = self.rows.get(place) {
            self.places.insert(self.name(*moved), place);
        }
    }

    fn replace(&mut self, old: Row, new: Row) {
        let Some(place) = self.places.remove(&self.name(old)) else {
            return;
        };
        self.rows[place] = new;
        self.places.insert(self.name(new), place);
    }

    fn same_content(&self, sorted: &[Row]) -> bool {
        let mut mine = self.rows.clone();
        mine.sort_unstable();
        mine == sorted
    }
}

/// One session's rows in all tables, and the next identities it will give out.
#[derive(Debug, Clone)]
pub struct OwnRows {
    /// The owner.
    pub session: u16,
    /// `public.customers`.
    pub customers: Rows,
    /// `public.orders`.
    pub orders: Rows,
    /// `public.order_events`.
    pub events: Rows,
    /// Identities not given out yet; they never go back, even after a rollback that nobody could
    /// confirm.
    pub next: NextIds,
}

/// The next identity for each keyed table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextIds {
    /// Next customer id.
    pub customer: i64,
    /// Next order id.
    pub order: i64,
}

impl OwnRows {
    /// A session that has written nothing yet.
    pub fn empty(session: u16) -> OwnRows {
        let first = own_ids(session).0;
        OwnRows {
            session,
            customers: Rows::of(Table::Customers, Vec::new()),
            orders: Rows::of(Table::Orders, Vec::new()),
            events: Rows::of(Table::OrderEvents, Vec::new()),
            next: NextIds {
                customer: first,
                order: first,
            },
        }
    }

    /// The rows of one table.
    pub fn table(&self, table: Table) -> &Rows {
        match table {
            Table::Customers => &self.customers,
            Table::Orders => &self.orders,
            Table::OrderEvents => &self.events,
        }
    }

    fn table_mut(&mut self, table: Table) -> &mut Rows {
        match table {
            Table::Customers => &mut self.customers,
            Table::Orders => &mut self.orders,
            Table::OrderEvents => &mut self.events,
        }
    }

    /// Takes over the changes of a committed transaction.
    pub fn apply(&mut self, changes: &[PlannedChange]) {
        for change in changes.iter().filter(|change| change.survives) {
            let new = Row {
                id: change.id,
                revision: change.revision,
            };
            let old = Row {
                id: change.id,
                revision: change.previous.unwrap_or(change.revision),
            };
            let rows = self.table_mut(change.table);
            match change.op {
                Op::Create => rows.insert(new),
                Op::Update => rows.replace(old, new),
                Op::Delete => rows.remove(old),
                _ => (),
            }
        }
    }

    /// Never gives out an identity below these again.
    pub fn skip_to(&mut self, next: NextIds) {
        self.next.customer = self.next.customer.max(next.customer);
        self.next.order = self.next.order.max(next.order);
    }

    /// Takes over what the server holds. Rows that are as expected keep their pick order, so that a
    /// move to a new server that lost nothing does not change what the session does next.
    pub fn adopt(&mut self, table: Table, mut rows: Vec<Row>) {
        rows.sort_unstable();
        let above = rows.iter().map(|row| row.id + 1).max().unwrap_or(0);
        if self.table(table).same_content(&rows) {
            return;
        }
        match table {
            Table::Customers => self.next.customer = self.next.customer.max(above),
            Table::Orders => self.next.order = self.next.order.max(above),
            Table::OrderEvents => (),
        }
        *self.table_mut(table) = Rows::of(table, rows);
    }

    /// Number of the newest transaction that left a row; a load that is started again goes on after
    /// it.
    pub fn newest_number(&self) -> Option<u64> {
        Table::ALL
            .into_iter()
            .flat_map(|table| self.table(table).as_slice())
            .map(|row| number_of(row.revision))
            .max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, revision: i64) -> Row {
        Row { id, revision }
    }

    #[test]
    fn rows_read_back_unchanged_keep_their_pick_order() {
        let mut own = OwnRows::empty(0);
        own.adopt(Table::Orders, vec![row(1, 10), row(2, 11), row(3, 12)]);
        own.orders.remove(row(1, 10));
        let before = own.orders.as_slice().to_vec();
        assert_eq!(before, [row(3, 12), row(2, 11)]);
        own.adopt(Table::Orders, vec![row(2, 11), row(3, 12)]);
        assert_eq!(own.orders.as_slice(), before);
    }

    #[test]
    fn rows_that_a_new_server_lost_are_forgotten_but_their_identities_are_not_reused() {
        let mut own = OwnRows::empty(0);
        own.adopt(Table::Orders, vec![row(1, 10), row(9, 11)]);
        own.adopt(Table::Orders, vec![row(1, 10)]);
        assert_eq!(own.orders.as_slice(), [row(1, 10)]);
        assert_eq!(own.next.order, 10);
    }
}
