//! Records what the tables hold: the stored ledger.
//!
//! All tables are read in one REPEATABLE READ transaction, hence from one snapshot, through COPY, row by row: in its
//! binary form where every column's type is one that nearly every column has, else in its text form.

use cutover_clients::pg::PgAddress;
use cutover_clients::pg::copy::{CopyForm, Snapshot, unescape};
use cutover_ledger::StoredWriter;
use cutover_model::table::quote_identifier;
use cutover_model::{EventSink, StoredRow, TableShape};
use tokio::sync::mpsc::Sender;

use crate::binary_rows::BinaryRows;
use crate::canonical::{null, row_image};
use crate::notes::Notes;
use crate::pace::Pace;
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
    let writer = (writer, &EventSink::none());
    record_tables_at((address, None), shapes, incarnation, writer).await
}

/// The same, from a snapshot that another session holds under this name, if there is one, and with progress.
///
/// # Errors
/// As [`record_tables`].
pub async fn record_tables_at(
    (address, held): (&PgAddress, Option<&str>),
    shapes: &[TableShape],
    incarnation: i32,
    (writer, events): (&mut StoredWriter, &EventSink),
) -> Result<TablesEnd, RecordError> {
    let pace = Pace::begin(events);
    let (sender, mut receiver) = tokio::sync::mpsc::channel(CHUNKS_AHEAD);
    let (address, commands) = (address.clone(), commands(shapes));
    let held = held.map(str::to_owned);
    // Receiving goes on while rows are hashed and written.
    let reading = tokio::task::spawn_blocking(move || {
        let snapshot = match held {
            Some(name) => Snapshot::open_at(&address, &name)?,
            None => Snapshot::open(&address, &[])?,
        };
        read(snapshot, &commands, &sender)
    });
    let mut recorded = TablesEnd::default();
    let mut quick: Option<(usize, BinaryRows<'_>)> = None;
    while let Some((place, chunk)) = receiver.recv().await {
        let chunk: Vec<u8> = chunk;
        pace.reached(recorded.rows, None, || {
            format!("rows, table {} of {}", place + 1, shapes.len())
        });
        if quick.as_ref().is_none_or(|(known, _)| *known != place) {
            finish(quick.as_ref())?;
            quick = BinaryRows::of(&shapes[place], incarnation).map(|rows| (place, rows));
        }
        let notes = &mut recorded.notes;
        if let Some((_, rows)) = &mut quick {
            let mut rest = chunk.as_slice();
            while rows.next(&mut rest, notes)? {
                writer.append(rows.row())?;
                recorded.rows += 1;
            }
            continue;
        }
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            writer.append(&stored_row(&shapes[place], incarnation, line, notes)?)?;
            recorded.rows += 1;
        }
    }
    // The receiver has ended, so the reader has: with everything read, or with why not.
    let read = reading.await;
    read.map_err(|panic| RecordError::Thread(panic.to_string()))??;
    finish(quick.as_ref())?;
    Ok(recorded)
}

/// Nothing of a table may be missing that the server has not said is missing.
fn finish(rows: Option<&(usize, BinaryRows<'_>)>) -> Result<(), RecordError> {
    rows.map_or(Ok(()), |(_, rows)| rows.finish())
}

/// Bytes of rows that are handed on at a time, and how often before the reader waits.
const CHUNK: usize = 256 * 1024;
const CHUNKS_AHEAD: usize = 4;

/// A table's place among those asked for, and whole rows of it.
type Chunk = (usize, Vec<u8>);

/// What is asked, and how.
struct Command {
    query: String,
    what: String,
    form: CopyForm,
}

fn commands(shapes: &[TableShape]) -> Vec<Command> {
    let command = |shape: &TableShape| Command {
        query: query(shape),
        what: format!("reading table {}", shape.relation),
        form: match BinaryRows::of(shape, 0) {
            Some(_) => CopyForm::Binary,
            None => CopyForm::Text,
        },
    };
    shapes.iter().map(command).collect()
}

/// Reads all tables from one snapshot. Ends without an error when nobody takes rows any more.
fn read(
    mut snapshot: Snapshot,
    commands: &[Command],
    sender: &Sender<Chunk>,
) -> Result<(), RecordError> {
    for (place, command) in commands.iter().enumerate() {
        let mut rows = snapshot.copy_as(command.form, &command.query, &command.what)?;
        let mut chunk = Vec::with_capacity(CHUNK);
        while rows.advance()? {
            chunk.extend_from_slice(rows.line());
            if chunk.len() >= CHUNK {
                let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
                if sender.blocking_send((place, full)).is_err() {
                    return Ok(());
                }
            }
        }
        if !chunk.is_empty() && sender.blocking_send((place, chunk)).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn query(shape: &TableShape) -> String {
    let columns: Vec<String> = shape
        .columns
        .iter()
        .map(|column| quote_identifier(&column.name))
        .collect();
    format!(
        "SELECT {} FROM {}",
        columns.join(", "),
        shape.relation.quoted()
    )
}

/// The row of a line, whatever is in it.
pub(crate) fn stored_row(
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
                ..Column::default()
            }],
            replica_identity: ReplicaIdentity::Full,
            content_lost: None,
            unclear_key: false,
        };
        let row = |line: &[u8]| stored_row(&shape, 0, line, &mut Notes::default()).unwrap();
        assert_ne!(row(b"\\N").image, row(b"\\\\N").image);
        assert!(stored_row(&shape, 0, b"a\tb", &mut Notes::default()).is_err());
    }
}
