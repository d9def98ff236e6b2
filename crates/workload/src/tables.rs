//! The three tables of the load (`schema.sql`), as the generator names them.
//!
//! The only place that knows their names, keys and statement texts. Statements are constant texts
//! with parameters, so that a session prepares each once per connection; values travel as text
//! where the driver has no type of its own (numeric, jsonb, uuid, dates), and the server casts
//! them.

use cutover_model::Relation;
use cutover_model::canonical::{Canonical, key_hash, key_text, keyless_hash};

/// Init SQL of the load: tables, index, replica identity. Safe to run twice.
pub const SCHEMA_SQL: &str = include_str!("schema.sql");

/// Columns of `public.orders` in COPY and INSERT order.
pub(crate) const ORDER_COLUMNS: &str =
    "id, customer_id, status, amount, quantity, note, placed, due, tracking, revision";

pub(crate) const INSERT_CUSTOMER: &str = "insert into public.customers \
    (id, name, email, city, tier, balance, active, profile, created, revision) values \
    ($1::int8, $2::text, $3::text, $4::text, $5::text, $6::text::numeric, $7::bool, \
    $8::text::jsonb, $9::text::timestamptz, $10::int8)";
pub(crate) const UPDATE_CUSTOMER: &str = "update public.customers set tier = $2::text, \
    balance = balance + $3::text::numeric, active = $4::bool, profile = $5::text::jsonb, \
    revision = $6::int8 where id = $1::int8";
pub(crate) const DELETE_CUSTOMER: &str = "delete from public.customers where id = $1::int8";
pub(crate) const UPDATE_ORDER_STATUS: &str = "update public.orders set status = $2::text, \
    due = $3::text::date, tracking = $4::text::uuid, revision = $5::int8 where id = $1::int8";
pub(crate) const UPDATE_ORDER_AMOUNT: &str = "update public.orders set amount = $2::text::numeric, \
    quantity = $3::int8::int4, note = $4::text, revision = $5::int8 where id = $1::int8";
pub(crate) const UPDATE_ORDER_KEY: &str =
    "update public.orders set id = $2::int8, revision = $3::int8 where id = $1::int8";
pub(crate) const DELETE_ORDER: &str = "delete from public.orders where id = $1::int8";
pub(crate) const INSERT_EVENT: &str = "insert into public.order_events \
    (order_id, kind, at, revision) values ($1::int8, $2::text, $3::text::timestamp, $4::int8)";
pub(crate) const UPDATE_EVENT: &str = "update public.order_events set kind = $3::text, \
    revision = $4::int8 where order_id = $1::int8 and revision = $2::int8";
pub(crate) const DELETE_EVENT: &str =
    "delete from public.order_events where order_id = $1::int8 and revision = $2::int8";

/// Reads one session's rows back: identity and revision, in a fixed order.
pub(crate) fn read_own_rows(table: Table) -> &'static str {
    match table {
        Table::Customers => {
            "select id, revision from public.customers where id >= $1 and id < $2 order by id"
        }
        Table::Orders => {
            "select id, revision from public.orders where id >= $1 and id < $2 order by id"
        }
        Table::OrderEvents => {
            "select order_id, revision from public.order_events \
             where order_id >= $1 and order_id < $2 order by revision"
        }
    }
}

/// Looks for one version of a row.
pub(crate) fn find_row(table: Table) -> &'static str {
    match table {
        Table::Customers => "select 1 from public.customers where id = $1 and revision = $2",
        Table::Orders => "select 1 from public.orders where id = $1 and revision = $2",
        Table::OrderEvents => {
            "select 1 from public.order_events where order_id = $1 and revision = $2"
        }
    }
}

/// Text of a multi-row INSERT into orders. Sizes are few, so each text is prepared once per
/// connection.
pub(crate) fn insert_orders(rows: usize) -> String {
    let mut text = format!("insert into public.orders ({ORDER_COLUMNS}) values ");
    for row in 0..rows {
        let cell = |column: usize| row * 10 + column;
        if row > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!(
            "(${}::int8, ${}::int8, ${}::text, ${}::text::numeric, ${}::int8::int4, ${}::text, \
             ${}::text::timestamptz, ${}::text::date, ${}::text::uuid, ${}::int8)",
            cell(1),
            cell(2),
            cell(3),
            cell(4),
            cell(5),
            cell(6),
            cell(7),
            cell(8),
            cell(9),
            cell(10),
        ));
    }
    text
}

/// Text of the COPY into orders.
pub(crate) fn copy_orders() -> String {
    format!("copy public.orders ({ORDER_COLUMNS}) from stdin")
}

/// One table of the load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// `public.customers`.
    Customers,
    /// `public.orders`.
    Orders,
    /// `public.order_events`, which has no primary key.
    OrderEvents,
}

impl Table {
    /// Every table.
    pub const ALL: [Table; 3] = [Table::Customers, Table::Orders, Table::OrderEvents];

    /// Schema and name.
    pub fn relation(self) -> Relation {
        let name = match self {
            Table::Customers => "customers",
            Table::Orders => "orders",
            Table::OrderEvents => "order_events",
        };
        Relation::new("public", name)
    }

    /// Whether rows have a primary key.
    pub fn keyed(self) -> bool {
        self != Table::OrderEvents
    }

    /// Canonical key text of a row; `None` for the table without key.
    pub fn key(self, id: i64) -> Option<String> {
        self.keyed()
            .then(|| key_text(&[("id", &Canonical::Text(id.to_string()))]))
    }

    /// Key hash as the ledger has it. Row images are not known to the load, so all changes of the
    /// table without key share one hash; `revision` tells them apart.
    pub fn key_hash(self, key: Option<&str>) -> i64 {
        let relation = self.relation().to_string();
        match key {
            Some(key) => key_hash(&relation, key),
            None => keyless_hash(&relation, None, None),
        }
    }
}

/// The tables that the load writes to, for publications and recorders.
pub fn relations() -> Vec<Relation> {
    Table::ALL.into_iter().map(Table::relation).collect()
}

/// Those of them that have a primary key.
pub fn keyed_relations() -> Vec<Relation> {
    let keyed = Table::ALL.into_iter().filter(|table| table.keyed());
    keyed.map(Table::relation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_the_canonical_text_that_recorders_write() {
        assert_eq!(Table::Orders.key(42).as_deref(), Some("{\"id\":\"42\"}"));
        assert_eq!(Table::OrderEvents.key(42), None);
    }

    #[test]
    fn schema_makes_every_table_and_gives_it_full_replica_identity() {
        for relation in relations() {
            assert!(SCHEMA_SQL.contains(&format!("create table if not exists {relation} (")));
            let full = SCHEMA_SQL
                .lines()
                .any(|line| line.starts_with(&format!("alter table {relation} ")));
            assert!(full, "{relation}");
        }
    }

    #[test]
    fn multi_row_insert_numbers_its_parameters_row_by_row() {
        let text = insert_orders(3);
        assert!(text.contains("($21::int8") && text.contains("$30::int8)"));
        assert!(!text.contains("$31"));
    }
}
