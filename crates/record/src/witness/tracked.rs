//! A captured table as the stream describes it, matched with the shape that was read when recording began.

use cutover_clients::pg::pgoutput::{Cell, RelationColumn};
use cutover_model::TableShape;
use cutover_model::canonical::Canonical;

use crate::canonical::null;
use crate::notes::Notes;
use crate::{RecordError, printed};

/// A table whose columns in the stream have their places in its shape.
pub(super) struct Tracked {
    shape: TableShape,
    name: String,
    /// For each column of the shape its place in the stream's tuples; `None` for one that the stream
    /// does not have: the server computes it, or it went away.
    places: Vec<Option<usize>>,
    /// Columns of the stream.
    streamed: usize,
    key_in_identity: bool,
    content: bool,
}

/// Values of a row in the order of the shape.
pub(super) struct Values {
    values: Vec<Canonical>,
}

/// Why the log does not have a value.
const UNCHANGED: &str = "the log does not repeat a large value that an update leaves alone";

impl Values {
    pub(super) fn as_slice(&self) -> &[Canonical] {
        &self.values
    }
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
            let place = streamed
                .iter()
                .position(|streamed| streamed.name == column.name);
            let identity = place.is_some_and(|place| streamed[place].identity);
            key_in_identity &= identity || !column.key;
            places.push(place);
        }
        Tracked {
            name: shape.relation.to_string(),
            shape: shape.clone(),
            places,
            streamed: streamed.len(),
            key_in_identity,
            content,
        }
    }

    /// Its rows can be compared.
    pub(super) fn has_content(&self) -> bool {
        self.content
    }

    pub(super) fn shape(&self) -> &TableShape {
        &self.shape
    }

    /// `schema.table`.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A key tuple holds the whole primary key (with REPLICA IDENTITY USING INDEX it need not).
    pub(super) fn key_in_identity(&self) -> bool {
        self.key_in_identity
    }

    /// Canonical values of a tuple; large values that were not sent are taken from `fallback`.
    pub(super) fn values<'a>(
        &self,
        tuple: &[Cell<'a>],
        fallback: Option<&[Cell<'a>]>,
        notes: &mut Notes,
    ) -> Result<Values, RecordError> {
        if tuple.len() != self.streamed {
            return Err(RecordError::Shape(format!(
                "table {}: {} values for {} columns",
                self.name,
                tuple.len(),
                self.streamed
            )));
        }
        let mut values = Vec::with_capacity(tuple.len());
        for (column, place) in self.shape.columns.iter().zip(&self.places) {
            let of = |tuple: &[Cell<'a>]| place.and_then(|place| tuple.get(place).copied());
            let mut cell = of(tuple).unwrap_or(Cell::Null);
            if cell == Cell::Unchanged {
                cell = fallback.and_then(of).unwrap_or(Cell::Unchanged);
            }
            values.push(match cell {
                Cell::Null => null(column),
                Cell::Text(bytes) => printed::value(&self.shape, column, bytes, notes),
                Cell::Binary(_) => Canonical::NotCompared("binary form".to_owned()),
                Cell::Unchanged => Canonical::NotCompared(UNCHANGED.to_owned()),
            });
        }
        Ok(Values { values })
    }
}
