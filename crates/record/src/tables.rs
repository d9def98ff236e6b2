//! Records what the tables hold: the stored ledger.
//!
//! All tables are read in one REPEATABLE READ transaction, hence from one snapshot, through COPY, row by row.

use std::pin::pin;

use bytes::{Buf, BytesMut};
use cutover_clients::pg::{self, PgAddress, PgError};
use cutover_ledger::StoredWriter;
use cutover_model::table::quote_identifier;
use cutover_model::{StoredRow, TableShape};
use futures_util::TryStreamExt;

use crate::canonical::{null, row_image};
use crate::notes::Notes;
use crate::{RecordError, printed};

/// What was recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablesEnd {
    /// Number of rows.
    pub rows: u64,
    /// What was noticed.
    pub notes: Notes,
}

/// Writes every row of these tables, all from one snapshot.
///
/// # Errors
/// The server, the ledger, or a row that does not fit its table's shape.
pub async fn record_tables(
    address: &PgAddress,
    shapes: &[TableShape],
    incarnation: i32,
    writer: &mut StoredWriter,
) -> Result<TablesEnd, RecordError> {
    let client = pg::connect(address, "cutover-tables").await?;
    let failed = |what: &str| {
        let what = what.to_owned();
        move |source| PgError::Sql { what, source }
    };
    client
        .batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(failed("opening a snapshot of the tables"))?;
    let mut recorded = TablesEnd::default();
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
                writer.append(&stored_row(shape, incarnation, &line, &mut recorded.notes)?)?;
                recorded.rows += 1;
            }
        }
    }
    client
        .batch_execute("COMMIT")
        .await
        .map_err(failed("closing the snapshot of the tables"))?;
    Ok(recorded)
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

fn stored_row(
    shape: &TableShape,
    incarnation: i32,
    line: &[u8],
    notes: &mut Notes,
) -> Result<StoredRow, RecordError> {
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
                b"\\N" => null(column),
                field => printed::value(shape, column, &unescape(field), notes),
            });
        }
    }
    if values.len() != shape.columns.len() {
        return Err(broken("has fewer values than columns"));
    }
    let image = row_image(shape, &values);
    let whole = printed::whole(shape, &values, notes);
    Ok(StoredRow {
        incarnation,
        relation: shape.relation.to_string(),
        key: image.key,
        key_hash: image.key_hash,
        image: image.hash.filter(|_| whole),
        revision: image.revision,
    })
}

/// Takes COPY's backslash escapes back.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.iter();
    while let Some(byte) = rest.next() {
        if *byte != b'\\' {
            bytes.push(*byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'v') => 11,
            Some(other) => *other,
            None => b'\\',
        });
    }
    bytes
}

#[cfg(test)]
mod tests {
    use cutover_model::{Column, Relation, ReplicaIdentity};

    use super::*;

    #[test]
    fn escapes_of_copy_are_taken_back() {
        assert_eq!(
            unescape(b"a\\tb\\\\c\\n\\r\\b\\f\\v"),
            b"a\tb\\c\n\r\x08\x0c\x0b"
        );
        assert_eq!(unescape(b"plain"), b"plain");
    }

    #[test]
    fn a_null_and_the_text_of_its_escape_are_two_things() {
        let shape = TableShape {
            relation: Relation::new("public", "t"),
            columns: vec![Column {
                name: "a".into(),
                type_oid: 25,
                type_modifier: -1,
                key: false,
                ..Column::default()
            }],
            replica_identity: ReplicaIdentity::Full,
        };
        let row = |line: &[u8]| stored_row(&shape, 0, line, &mut Notes::default()).unwrap();
        assert_ne!(row(b"\\N").image, row(b"\\\\N").image);
        assert!(stored_row(&shape, 0, b"a\tb", &mut Notes::default()).is_err());
    }
}
