//! Between rows and Arrow columns: one list of columns per row type serves writing, reading and the
//! schema, so the three cannot drift apart.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, Int32Builder, Int64Array, Int64Builder, RecordBatch,
    StringArray, StringBuilder,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::error::LedgerError;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Int,
    Long,
}

/// A column: name, what it holds, whether it may be empty.
pub(crate) type ColumnSpec = (&'static str, Kind, bool);

/// A row type that has a Parquet form.
pub(crate) trait Record: Sized + 'static {
    /// Name of the rows' format, e.g. `cutover.changes/1`.
    const FORMAT: &'static str;
    /// Columns in file order.
    const COLUMNS: &'static [ColumnSpec];
    /// Columns that came later: a file without them is an older one, and they are empty.
    const ADDED: &'static [&'static str] = &[];
    /// Columns whose values hardly ever repeat in a part: looking for repetitions only takes time.
    const VARIED: &'static [&'static str] = &[];
    /// Appends the row's cells in the order of `COLUMNS`.
    fn write(&self, columns: &mut Columns);
    /// Takes the row's cells in the order of `COLUMNS`.
    fn read(cells: &mut Cells<'_>) -> Result<Self, String>;
}

/// Arrow schema of a row type.
pub(crate) fn schema<R: Record>() -> SchemaRef {
    let field = |(name, kind, nullable): &ColumnSpec| {
        let data_type = match kind {
            Kind::Text => DataType::Utf8,
            Kind::Int => DataType::Int32,
            Kind::Long => DataType::Int64,
        };
        Field::new(*name, data_type, *nullable)
    };
    Arc::new(Schema::new(
        R::COLUMNS.iter().map(field).collect::<Vec<_>>(),
    ))
}

enum Values {
    Text(StringBuilder),
    Int(Int32Builder),
    Long(Int64Builder),
}

/// A column under construction. Most columns of a ledger are empty from end to end, so cells without a value are only
/// counted until there is one.
struct Builder {
    values: Values,
    empty: usize,
}

impl Builder {
    fn new(kind: Kind) -> Builder {
        let values = match kind {
            Kind::Text => Values::Text(StringBuilder::new()),
            Kind::Int => Values::Int(Int32Builder::new()),
            Kind::Long => Values::Long(Int64Builder::new()),
        };
        Builder { values, empty: 0 }
    }

    /// Puts the counted cells where they belong.
    fn settle(&mut self) {
        match &mut self.values {
            Values::Text(values) => values.append_nulls(self.empty),
            Values::Int(values) => values.append_nulls(self.empty),
            Values::Long(values) => values.append_nulls(self.empty),
        }
        self.empty = 0;
    }

    fn finish(&mut self) -> ArrayRef {
        self.settle();
        match &mut self.values {
            Values::Text(values) => Arc::new(values.finish()),
            Values::Int(values) => Arc::new(values.finish()),
            Values::Long(values) => Arc::new(values.finish()),
        }
    }
}

/// Rows under construction. A cell of the wrong kind is not taken, which makes the columns unequal
/// in length, which `finish` refuses: a mistake in a `Record` is an error, never a wrong file.
pub(crate) struct Columns {
    schema: SchemaRef,
    builders: Vec<Builder>,
    next: usize,
    rows: usize,
}

impl Columns {
    pub(crate) fn new<R: Record>() -> Columns {
        let builder = |(_, kind, _): &ColumnSpec| Builder::new(*kind);
        Columns {
            schema: schema::<R>(),
            builders: R::COLUMNS.iter().map(builder).collect(),
            next: 0,
            rows: 0,
        }
    }

    pub(crate) fn push<R: Record>(&mut self, row: &R) {
        self.next = 0;
        row.write(self);
        self.rows += 1;
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The next cell's column, ready for a value; `None` if there is none to be put down.
    #[inline]
    fn next(&mut self, is_there: bool) -> Option<&mut Values> {
        let builder = self.builders.get_mut(self.next)?;
        self.next += 1;
        if !is_there {
            builder.empty += 1;
            return None;
        }
        if builder.empty > 0 {
            builder.settle();
        }
        Some(&mut builder.values)
    }

    #[inline]
    pub(crate) fn text(&mut self, value: Option<&str>) {
        if let (Some(Values::Text(values)), Some(value)) = (self.next(value.is_some()), value) {
            values.append_value(value);
        }
    }

    #[inline]
    pub(crate) fn int(&mut self, value: Option<i32>) {
        if let (Some(Values::Int(values)), Some(value)) = (self.next(value.is_some()), value) {
            values.append_value(value);
        }
    }

    #[inline]
    pub(crate) fn long(&mut self, value: Option<i64>) {
        if let (Some(Values::Long(values)), Some(value)) = (self.next(value.is_some()), value) {
            values.append_value(value);
        }
    }

    /// Takes the rows out; the builders are empty afterwards.
    pub(crate) fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        RecordBatch::try_new(
            Arc::clone(&self.schema),
            self.builders.iter_mut().map(Builder::finish).collect(),
        )
    }
}

enum Column<'a> {
    Text(&'a StringArray),
    Int(&'a Int32Array),
    Long(&'a Int64Array),
    /// The file is older than the column.
    Older,
}

/// One batch, read row by row.
pub(crate) struct Cells<'a> {
    columns: Vec<Column<'a>>,
    next: usize,
    row: usize,
}

impl<'a> Cells<'a> {
    /// The batch's columns by name, whatever their order; further columns of a file are ignored.
    pub(crate) fn new<R: Record>(
        batch: &'a RecordBatch,
        path: &Path,
    ) -> Result<Cells<'a>, LedgerError> {
        let mut columns = Vec::with_capacity(R::COLUMNS.len());
        for (name, kind, _) in R::COLUMNS {
            if R::ADDED.contains(name) && batch.column_by_name(name).is_none() {
                columns.push(Column::Older);
                continue;
            }
            let column = batch
                .column_by_name(name)
                .and_then(|array| match kind {
                    Kind::Text => array.as_string_opt::<i32>().map(Column::Text),
                    Kind::Int => array.as_primitive_opt::<Int32Type>().map(Column::Int),
                    Kind::Long => array.as_primitive_opt::<Int64Type>().map(Column::Long),
                })
                .ok_or_else(|| {
                    LedgerError::damaged(path, format!("no {kind:?} column '{name}'"))
                })?;
            columns.push(column);
        }
        Ok(Cells {
            columns,
            next: 0,
            row: 0,
        })
    }

    pub(crate) fn row<R: Record>(&mut self, row: usize) -> Result<R, String> {
        self.row = row;
        self.next = 0;
        R::read(self)
    }

    fn step(&mut self) -> Option<&Column<'a>> {
        self.next += 1;
        self.columns.get(self.next - 1)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let row = self.row;
        match self.step() {
            Some(Column::Text(array)) if array.is_valid(row) => Some(array.value(row)),
            _ => None,
        }
    }

    pub(crate) fn int(&mut self) -> Option<i32> {
        let row = self.row;
        match self.step() {
            Some(Column::Int(array)) if array.is_valid(row) => Some(array.value(row)),
            _ => None,
        }
    }

    pub(crate) fn long(&mut self) -> Option<i64> {
        let row = self.row;
        match self.step() {
            Some(Column::Long(array)) if array.is_valid(row) => Some(array.value(row)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use cutover_model::{ChangeRow, Op};

    use super::*;

    #[test]
    fn a_file_without_a_later_column_is_an_older_one_and_any_other_lack_is_damage() {
        let mut columns = Columns::new::<ChangeRow>();
        let mut row = ChangeRow::new(0, "public.orders", Op::Create);
        (row.compensation, row.time_ms) = (Some("gap-1".into()), Some(7));
        columns.push(&row);
        let whole = columns.finish().unwrap();
        let without = |name: &str| {
            let kept: Vec<usize> = (0..whole.num_columns())
                .filter(|index| whole.schema().field(*index).name() != name)
                .collect();
            whole.project(&kept).unwrap()
        };
        let older = without("compensation");
        let mut cells = Cells::new::<ChangeRow>(&older, Path::new("x")).unwrap();
        let read = cells.row::<ChangeRow>(0).unwrap();
        assert_eq!((read.compensation, read.time_ms), (None, Some(7)));
        assert!(Cells::new::<ChangeRow>(&without("before"), Path::new("x")).is_err());
    }
}
