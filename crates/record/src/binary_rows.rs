//! Rows of COPY in its binary form, to rows of the stored ledger without memory for each value.
//!
//! PostgreSQL's binary forms are read for the types that nearly every column has; a table with any other column is read
//! as text. Numbers and times arrive as numbers then, and nothing is escaped, so neither the server nor we make and
//! take apart texts that nobody looks at. The rule it protects: a value gets the same canonical text as from its
//! printed form; real tests hold the two against each other.

mod value;

use cutover_model::canonical::{Canonical, ColumnMark};
use cutover_model::{Column, StoredRow, TableShape};

use crate::RecordError;
use crate::canonical::{Assembling, Typed, change_key_hash, left_out, row_image};
use crate::notes::Notes;
use crate::printed;
pub(crate) use value::Form;

const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xFF\r\n\0";

/// One column, as its values are read.
struct Field {
    form: Form,
    mark: ColumnMark,
}

/// Reads the rows of one table, one after the other into the same row.
pub(crate) struct BinaryRows<'s> {
    shape: &'s TableShape,
    fields: Vec<Field>,
    begun: bool,
    ended: bool,
    assembling: Assembling,
    room: String,
    row: StoredRow,
}

/// What a row brings for one value: `None` is NULL.
type Value<'a> = Option<&'a [u8]>;

impl<'s> BinaryRows<'s> {
    /// `None` if some column has to be read as text.
    pub(crate) fn of(shape: &'s TableShape, incarnation: i32) -> Option<BinaryRows<'s>> {
        let field = |column: &Column| {
            let compared = left_out(column).is_none();
            Some(Field {
                form: Form::of(&Typed::of(column)).filter(|_| compared)?,
                mark: ColumnMark::new(&column.name),
            })
        };
        if shape.content_lost.is_some() {
            return None;
        }
        let fields: Option<Vec<Field>> = shape.columns.iter().map(field).collect();
        Some(BinaryRows {
            shape,
            fields: fields.filter(|fields| !fields.is_empty())?,
            begun: false,
            ended: false,
            assembling: Assembling::default(),
            room: String::new(),
            row: StoredRow {
                incarnation,
                relation: shape.relation.to_string(),
                key: None,
                key_hash: 0,
                image: None,
                revision: None,
            },
        })
    }

    /// The row that was read last.
    pub(crate) fn row(&self) -> &StoredRow {
        &self.row
    }

    /// Reads the next row off the bytes; false when there is none left in them.
    ///
    /// # Errors
    /// The bytes are not what the server says they are.
    pub(crate) fn next(
        &mut self,
        bytes: &mut &[u8],
        notes: &mut Notes,
    ) -> Result<bool, RecordError> {
        if !self.begun {
            *bytes = header(bytes).ok_or_else(|| self.broken("a header that is not COPY's"))?;
            self.begun = true;
        }
        if bytes.is_empty() {
            return Ok(false);
        }
        let count = take::<2>(bytes).map(i16::from_be_bytes);
        if count == Some(-1) && bytes.is_empty() && !self.ended {
            self.ended = true;
            return Ok(false);
        }
        let expected = usize::try_from(count.unwrap_or_default()) == Ok(self.fields.len());
        if self.ended || !expected {
            return Err(self.broken("a row with another number of values than columns"));
        }
        let row = *bytes;
        if self.quickly(bytes).is_none() {
            *bytes = row;
            self.slowly(bytes, notes)?;
        }
        Ok(true)
    }

    /// All rows came, to the end of the COPY.
    ///
    /// # Errors
    /// They did not.
    pub(crate) fn finish(&self) -> Result<(), RecordError> {
        match self.ended {
            true => Ok(()),
            false => Err(self.broken("no end")),
        }
    }

    /// `None` for a row that is cut short or has a value that is not understood; then the row means nothing.
    fn quickly(&mut self, bytes: &mut &[u8]) -> Option<()> {
        self.assembling.begin(self.row.key.take());
        for (field, column) in self.fields.iter().zip(&self.shape.columns) {
            let text = match field_of(bytes)? {
                Some(bytes) => Some(field.form.text(bytes, &mut self.room)?),
                None => None,
            };
            self.assembling.add(column, &field.mark, text);
        }
        let version = self.assembling.finish();
        (self.row.key, self.row.image) = (version.key, version.hash);
        self.row.revision = version.revision;
        let (key, image) = (self.row.key.as_deref(), self.row.image);
        self.row.key_hash = change_key_hash(&self.row.relation, key, None, image);
        Some(())
    }

    fn slowly(&mut self, bytes: &mut &[u8], notes: &mut Notes) -> Result<(), RecordError> {
        let mut values = Vec::with_capacity(self.fields.len());
        for (field, column) in self.fields.iter().zip(&self.shape.columns) {
            let value = field_of(bytes).ok_or_else(|| self.broken("a row that is cut short"))?;
            values.push(
                match value.map(|bytes| field.form.text(bytes, &mut self.room)) {
                    None => Canonical::Null,
                    Some(Some(text)) => Canonical::Text(text.to_owned()),
                    Some(None) => Canonical::NotCompared(field.form.why(column.type_oid)),
                },
            );
        }
        let image = row_image(self.shape, &values);
        let whole = printed::whole(self.shape, &values, notes);
        self.row.key = image.key;
        self.row.key_hash = image.key_hash;
        self.row.image = image.hash.filter(|_| whole);
        self.row.revision = image.revision;
        Ok(())
    }

    fn broken(&self, what: &str) -> RecordError {
        RecordError::Shape(format!("COPY of table {} has {what}", self.shape.relation))
    }
}

/// What comes behind COPY's header.
fn header(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(SIGNATURE)?;
    // The upper half of the flags names what a reader must know; there is nothing of the kind.
    let flags = u32::from_be_bytes(take(&mut rest)?);
    let more = usize::try_from(i32::from_be_bytes(take(&mut rest)?)).ok()?;
    (flags >> 16 == 0).then(|| rest.get(more..)).flatten()
}

fn field_of<'a>(bytes: &mut &'a [u8]) -> Option<Value<'a>> {
    let length = i32::from_be_bytes(take(bytes)?);
    if length == -1 {
        return Some(None);
    }
    let (value, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
    *bytes = rest;
    Some(Some(value))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use cutover_model::{Relation, ReplicaIdentity};

    use super::*;
    use crate::canonical::oid;
    use crate::tables::stored_row;

    fn shape(columns: &[(&str, u32, bool)]) -> TableShape {
        let column = |(name, type_oid, key): &(&str, u32, bool)| Column {
            name: (*name).to_owned(),
            type_oid: *type_oid,
            type_modifier: -1,
            key: *key,
            ..Column::default()
        };
        TableShape {
            relation: Relation::new("public", "t"),
            columns: columns.iter().map(column).collect(),
            replica_identity: ReplicaIdentity::Full,
            content_lost: None,
            unclear_key: false,
        }
    }

    fn header_bytes() -> Vec<u8> {
        [&SIGNATURE[..], &[0; 8]].concat()
    }

    fn row_bytes(values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = (values.len() as i16).to_be_bytes().to_vec();
        for value in values {
            let length = value.map_or(-1, |value| value.len() as i32);
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(value.unwrap_or_default());
        }
        bytes
    }

    const COLUMNS: [(&str, u32, bool); 4] = [
        ("id", oid::INT8, true),
        ("note", oid::TEXT, false),
        ("revision", oid::INT4, false),
        ("name\"", oid::VARCHAR, true),
    ];

    #[test]
    fn rows_are_those_of_the_printed_form() {
        let shape = shape(&COLUMNS);
        let rows = [
            (
                row_bytes(&[
                    Some(&7_i64.to_be_bytes()),
                    Some(b"a\tb\\\n"),
                    None,
                    Some("é\"".as_bytes()),
                ]),
                "7\ta\\tb\\\\\\n\t\\N\té\"",
            ),
            (
                row_bytes(&[
                    Some(&(-1_i64).to_be_bytes()),
                    None,
                    Some(&5_i32.to_be_bytes()),
                    Some(b""),
                ]),
                "-1\t\\N\t5\t",
            ),
        ];
        let mut bytes = header_bytes();
        for (row, _) in &rows {
            bytes.extend_from_slice(row);
        }
        let (mut reader, mut notes) = (BinaryRows::of(&shape, 3).unwrap(), Notes::default());
        let mut rest = bytes.as_slice();
        for (_, printed) in rows {
            assert!(reader.next(&mut rest, &mut notes).unwrap());
            let expected = stored_row(&shape, 3, printed.as_bytes(), &mut notes).unwrap();
            assert_eq!(*reader.row(), expected);
        }
        assert!(!reader.next(&mut rest, &mut notes).unwrap());
        assert!(reader.finish().is_err(), "the end has not come");
        let mut end = &(-1_i16).to_be_bytes()[..];
        assert!(!reader.next(&mut end, &mut notes).unwrap());
        assert!(reader.finish().is_ok() && notes == Notes::default());
    }

    #[test]
    fn a_value_that_is_not_understood_leaves_the_row_without_image_and_is_named() {
        let shape = shape(&COLUMNS);
        let (mut reader, mut notes) = (BinaryRows::of(&shape, 0).unwrap(), Notes::default());
        let row = row_bytes(&[Some(&7_i64.to_be_bytes()), Some(b"\xFF"), None, Some(b"x")]);
        let bytes = [header_bytes(), row].concat();
        assert!(reader.next(&mut bytes.as_slice(), &mut notes).unwrap());
        let printed = b"7\t\xFF\t\\N\tx";
        let mut other = Notes::default();
        assert_eq!(
            *reader.row(),
            stored_row(&shape, 0, printed, &mut other).unwrap()
        );
        assert_eq!(reader.row().image, None);
        assert_eq!(notes, other);
        assert!(!notes.not_compared.is_empty());
    }

    #[test]
    fn bytes_that_are_no_copy_are_refused_wherever_they_break_off() {
        let shape = shape(&COLUMNS);
        let row = row_bytes(&[Some(&7_i64.to_be_bytes()), Some(b"a"), None, Some(b"x")]);
        let whole = [header_bytes(), row].concat();
        for length in 0..whole.len() {
            let mut reader = BinaryRows::of(&shape, 0).unwrap();
            let mut bytes = &whole[..length];
            let read = reader.next(&mut bytes, &mut Notes::default());
            assert_eq!(read.is_ok(), length == header_bytes().len(), "{length}");
            assert!(reader.finish().is_err());
        }
        let short = row_bytes(&[None]);
        let mut reader = BinaryRows::of(&shape, 0).unwrap();
        let bytes = [header_bytes(), short].concat();
        assert!(
            reader
                .next(&mut bytes.as_slice(), &mut Notes::default())
                .is_err()
        );
    }

    #[test]
    fn a_table_with_any_other_column_is_read_as_text() {
        let able = |columns: &[(&str, u32, bool)]| BinaryRows::of(&shape(columns), 0).is_some();
        assert!(able(&COLUMNS));
        assert!(!able(&[]));
        assert!(!able(&[("a", oid::TEXT, false), ("b", 99_999, false)]));
        assert!(!able(&[("a", oid::INTERVAL, false)]), "not settled");
        assert!(
            !able(&[("a", oid::CHAR, false)]),
            "printed with escapes of its own"
        );
        let mut generated = shape(&COLUMNS);
        generated.columns[1].generated = true;
        assert!(BinaryRows::of(&generated, 0).is_none());
    }
}
