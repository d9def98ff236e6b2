//! Records what the tables hold: the stored ledger.
//!
//! All tables are read in one REPEATABLE READ transaction, hence from one snapshot, through COPY, row by row.

use std::pin::pin;

use bytes::{Buf, BytesMut};
use cutover_clients::pg::copy::unescape;
use cutover_clients::pg::{self, PgAddress, PgError};
use cutover_ledger::StoredWriter;
use cutover_model::canonical::Canonical;
use cutover_model::table::quote_identifier;
use cutover_model::{StoredRow, TableShape};
use futures_util::TryStreamExt;

use crate::RecordError;
use crate::canonical::{from_text, row_image};

/// Writes every row of these tables, all from one snapshot; gives their number.
///
/// # Errors
/// The server, the ledger, or a row that does not fit its table's shape.
pub async fn record_tables(
    address: &PgAddress,
    shapes: &[TableShape],
    incarnation: i32,
    writer: &mut StoredWriter,
) -> Result<u64, RecordError> {
    let client = pg::connect(address, "cutover-tables").await?;
    let failed = |what: &str| {
        let what = what.to_owned();
        move |source| PgError::Sql { what, source }
    };
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed("opening a snapshot of the tables"))?;
    let mut rows = 0;
    for shape in shapes {
        let what = format!("reading table {}", shape.relation);
        let stream = client
            .copy_out(&copy_command(shape))
            .await
            .map_err(failed(&what))?;
        let mut stream = pin!(stream);
        let mut pending = BytesMut::new();
        while let Some(chunk) = stream.try_next().await.map_err(failed(&what))? {
            pending.extend_from_slice(&chunk);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line = pending.split_to(end);
                pending.advance(1);
                writer.append(&stored_row(shape, incarnation, &line)?)?;
                rows += 1;
            }
        }
    }
    client
        .batch_execute("COMMIT")
        .await
        .map_err(failed("closing the snapshot of the tables"))?;
    Ok(rows)
}

fn copy_command(shape: &TableShape) -> String {
    let columns: Vec<String> = shape
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    format!(
        "COPY (SELECT {} FROM {}) TO STDOUT",
        columns.join(", "),
        shape.relation.quoted()
    )
}

fn stored_row(shape: &TableShape, incarnation: i32, line: &[u8]) -> Result<StoredRow, RecordError> {
    let broken =
        |what: &str| RecordError::Shape(format!("a row of table {} {what}", shape.relation));
    let mut values = Vec::with_capacity(shape.columns.len());
    if !shape.columns.is_empty() {
        let mut columns = shape.columns.iter();
        for field in line.split(|byte| *byte == b'\t') {
            let column = columns
                .next()
                .ok_or_else(|| broken("has more values than columns"))?;
            values.push(match field {
                b"\\N" => Canonical::Null,
                field => match String::from_utf8(unescape(field)) {
                    Ok(text) => from_text(column, &text),
                    Err(_) => Canonical::NotCompared("text that is not UTF-8".to_owned()),
                },
            });
        }
    }
    if values.len() != shape.columns.len() {
        return Err(broken("has fewer values than columns"));
    }
    let image = row_image(shape, &values);
    Ok(StoredRow {
        incarnation,
        relation: shape.relation.to_string(),
        key: image.key,
        key_hash: image.key_hash,
        image: image.hash,
        revision: image.revision,
    })
}

#[cfg(test)]
mod tests {
    use cutover_model::{Column, Relation, ReplicaIdentity};

    use super::*;

    #[test]
    fn a_null_and_the_text_of_its_escape_are_two_things() {
        let shape = TableShape {
            relation: Relation::new("public", "t"),
            columns: vec![Column {
                name: "a".into(),
                type_oid: 25,
                type_modifier: -1,
                key: false,
            }],
            replica_identity: ReplicaIdentity::Full,
        };
        let row = |line: &[u8]| stored_row(&shape, 0, line).unwrap();
        assert_ne!(row(b"\\N").image, row(b"\\\\N").image);
        assert!(stored_row(&shape, 0, b"a\tb").is_err());
    }
}
