//! Transaction metadata (`provide.transaction.metadata`): what a change says of its transaction, and the BEGIN and
//! END records of the transaction topic.
//!
//! The connector's name of a transaction is taken as it is: older versions write the transaction id, newer ones more.

use std::borrow::Cow;

use cutover_clients::kafka::Record;
use cutover_model::{ChangeRow, TransactionMark, TransactionRow};
use serde::Deserialize;

use super::Decoded;
use super::added::{Fact, Said};
use super::fields::{Fields, Shape};

/// Where a change stands in its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    id: String,
    order: Option<i64>,
    table_order: Option<i64>,
}

impl Place {
    /// From the `transaction` block of an envelope; `None` without one.
    pub(super) fn of_envelope(fields: &Fields<'_>) -> Option<Place> {
        let Ok(Shape::Object(block)) = Fields::parse(fields.present("transaction")?) else {
            return None;
        };
        Some(Place {
            id: block.string("id")?.into_owned(),
            order: block.integer("total_order"),
            table_order: block.integer("data_collection_order"),
        })
    }

    /// From what was added to a flat row.
    pub(super) fn of_flat(said: &Said<'_>) -> Option<Place> {
        Some(Place {
            id: said.text(Fact::Transaction)?.into_owned(),
            order: said.integer(Fact::Order),
            table_order: said.integer(Fact::TableOrder),
        })
    }

    pub(super) fn note(&self, row: &mut ChangeRow) {
        row.tx_id = Some(self.id.clone());
        row.tx_order = self.order;
        row.tx_table_order = self.table_order;
    }
}

/// What an END says of one table.
#[derive(Debug, Deserialize)]
struct Table<'a> {
    #[serde(borrow)]
    data_collection: Cow<'a, str>,
    event_count: i64,
}

/// Reads a record of the transaction topic.
pub(super) fn read(
    payload: &Shape<'_>,
    record: &Record<'_>,
    incarnation: i32,
) -> Result<Decoded, String> {
    let Shape::Object(fields) = payload else {
        return Err("the payload of a transaction record is no object".to_owned());
    };
    let id = fields
        .string("id")
        .ok_or("a transaction record without id")?;
    let row = |mark, relation: Option<&str>, events| TransactionRow {
        incarnation,
        tx_id: id.clone().into_owned(),
        mark,
        relation: relation.map(str::to_owned),
        events,
        topic: record.topic.to_owned(),
        partition: record.partition,
        record_offset: record.offset,
    };
    let rows = match fields.string("status").as_deref() {
        Some("BEGIN") => vec![row(TransactionMark::Begin, None, None)],
        Some("END") => {
            let mut rows = vec![row(
                TransactionMark::End,
                None,
                fields.integer("event_count"),
            )];
            let tables = fields.present("data_collections").unwrap_or("[]");
            let tables: Vec<Table<'_>> = serde_json::from_str(tables)
                .map_err(|_| "an END whose data_collections are of another form")?;
            rows.extend(tables.iter().map(|table| {
                let (name, events) = (table.data_collection.as_ref(), table.event_count);
                row(TransactionMark::Count, Some(name), Some(events))
            }));
            rows
        }
        _ => return Err("a transaction record that is neither BEGIN nor END".to_owned()),
    };
    Ok(Decoded::Transaction(rows))
}
