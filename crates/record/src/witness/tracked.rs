//! A captured table as the stream describes it, matched with the shape that was read when recording began; its tuples
//! become row versions with key and hash.
//!
//! Values come in their types' binary form where every column that is compared has one that is read here, since making
//! texts is most of what a server does for a stream, and else as text. The rule it protects: a value gets the same
//! canonical text in both; real tests hold them against each other.

use cutover_clients::pg::pgoutput::{Cell, RelationColumn};
use cutover_model::canonical::{Canonical, ColumnMark};
use cutover_model::{Column, TableShape};

use crate::binary_rows::Form;
use crate::canonical::{Assembling, Typed, Version, left_out, null, row_image};
use crate::notes::Notes;
use crate::{RecordError, printed};

/// A table whose columns in the stream have their places in its shape.
pub(super) struct Tracked {
    shape: TableShape,
    name: String,
    /// In the order of the shape.
    places: Vec<Place>,
    /// Columns of the stream.
    streamed: usize,
    key_in_identity: bool,
    content: bool,
    /// Every column is in the stream and is compared.
    whole: bool,
}

/// Where one column of the shape is in the stream.
struct Place {
    /// `None` for one that the stream does not have: the server computes it, or it went away.
    at: Option<usize>,
    /// How its values are sent if they are not sent as text.
    form: Option<Form>,
    mark: ColumnMark,
}

/// What was noticed so far, and room that is used again from row to row.
#[derive(Default)]
pub(super) struct Work {
    pub(super) notes: Notes,
    assembling: Assembling,
    text: String,
}

/// Why the log does not have a value.
const UNCHANGED: &str = "the log does not repeat a large value that an update leaves alone";

/// Whether every value of these tables can be read in its binary form, as far as it is compared.
pub(super) fn all_binary(shapes: &[TableShape]) -> bool {
    let read = |column: &Column| {
        left_out(column).is_some() && !column.key || Form::of(&Typed::of(column)).is_some()
    };
    shapes.iter().flat_map(|shape| &shape.columns).all(read)
}

impl Tracked {
    /// With `content` false the table was altered, and its rows cannot be compared any more.
    pub(super) fn new(
        shape: &TableShape,
        streamed: &[RelationColumn<'_>],
        content: bool,
    ) -> Tracked {
        let mut places = Vec::with_capacity(shape.columns.len());
        let mut key_in_identity = true;
        for column in &shape.columns {
            let at = streamed
                .iter()
                .position(|streamed| streamed.name == column.name);
            let streamed = at.map(|at| &streamed[at]);
            let identity = streamed.is_some_and(|streamed| streamed.identity);
            key_in_identity &= identity || !column.key;
            places.push(Place {
                at,
                form: streamed.and_then(|streamed| form(column, streamed)),
                mark: ColumnMark::new(&column.name),
            });
        }
        let compared = |column: &Column| left_out(column).is_none();
        Tracked {
            name: shape.relation.to_string(),
            streamed: streamed.len(),
            key_in_identity,
            content,
            whole: content
                && shape.content_lost.is_none()
                && !places.is_empty()
                && shape.columns.iter().all(compared)
                && places.iter().all(|place| place.at.is_some()),
            places,
            shape: shape.clone(),
        }
    }

    /// `schema.table`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A row version; large values that were not sent are taken from `fallback`.
    ///
    /// # Errors
    /// The tuple is not one of this table.
    pub(super) fn side<'a>(
        &self,
        tuple: &[Cell<'a>],
        fallback: Option<&[Cell<'a>]>,
        work: &mut Work,
    ) -> Result<Version, RecordError> {
        if tuple.len() == self.streamed
            && let Some(side) = self.quickly(tuple, work)
        {
            return Ok(side);
        }
        let values = self.values(tuple, fallback, work)?;
        let image = row_image(&self.shape, &values);
        let whole = self.content && printed::whole(&self.shape, &values, &mut work.notes);
        Ok(Version {
            key: image.key,
            hash: image.hash.filter(|_| whole),
            revision: image.revision,
        })
    }

    /// What a tuple of the replica identity alone tells: the key, if it holds the whole of it (with REPLICA IDENTITY
    /// USING INDEX it need not).
    ///
    /// # Errors
    /// As [`Tracked::side`].
    pub(super) fn key_side(
        &self,
        tuple: &[Cell<'_>],
        work: &mut Work,
    ) -> Result<Version, RecordError> {
        let values = self.values(tuple, None, work)?;
        let key = self
            .key_in_identity
            .then(|| row_image(&self.shape, &values).key);
        Ok(Version {
            key: key.flatten(),
            ..Version::default()
        })
    }

    /// A row that has every value, in binary form, without memory for each.
    fn quickly(&self, tuple: &[Cell<'_>], work: &mut Work) -> Option<Version> {
        if !self.whole {
            return None;
        }
        work.assembling.begin(None);
        for (column, place) in self.shape.columns.iter().zip(&self.places) {
            let text = match *tuple.get(place.at?)? {
                Cell::Null => None,
                Cell::Binary(bytes) => Some(place.form?.text(bytes, &mut work.text)?),
                Cell::Text(_) | Cell::Unchanged => return None,
            };
            work.assembling.add(column, &place.mark, text);
        }
        Some(work.assembling.finish())
    }

    /// Canonical values of a tuple in the order of the shape.
    fn values<'a>(
        &self,
        tuple: &[Cell<'a>],
        fallback: Option<&[Cell<'a>]>,
        work: &mut Work,
    ) -> Result<Vec<Canonical>, RecordError> {
        if tuple.len() != self.streamed {
            return Err(RecordError::Shape(format!(
                "table {}: {} values for {} columns",
                self.name,
                tuple.len(),
                self.streamed
            )));
        }
        let mut values = Vec::with_capacity(self.places.len());
        for (column, place) in self.shape.columns.iter().zip(&self.places) {
            let of = |tuple: &[Cell<'a>]| place.at.and_then(|at| tuple.get(at).copied());
            let mut cell = of(tuple).unwrap_or(Cell::Null);
            if cell == Cell::Unchanged {
                cell = fallback.and_then(of).unwrap_or(Cell::Unchanged);
            }
            values.push(match cell {
                Cell::Null => null(column),
                Cell::Text(bytes) => printed::value(&self.shape, column, bytes, &mut work.notes),
                Cell::Binary(bytes) => binary(column, place.form, bytes, &mut work.text),
                Cell::Unchanged => Canonical::NotCompared(UNCHANGED.to_owned()),
            });
        }
        Ok(values)
    }
}

/// How a column's values are sent in binary form. What stands in the stream decides: an integer may have become wider
/// since the table was described.
fn form(column: &Column, streamed: &RelationColumn<'_>) -> Option<Form> {
    match column.type_oid == streamed.type_oid {
        true => Form::of(&Typed::of(column)),
        false => Form::of(&Typed::built_in(streamed.type_oid)),
    }
}

fn binary(column: &Column, form: Option<Form>, bytes: &[u8], room: &mut String) -> Canonical {
    if let Some(why) = left_out(column) {
        return Canonical::NotCompared(why);
    }
    let Some(form) = form else {
        return Canonical::NotCompared("binary form".to_owned());
    };
    match form.text(bytes, room) {
        Some(text) => Canonical::Text(text.to_owned()),
        None => Canonical::NotCompared(form.why(column.type_oid)),
    }
}
