//! From the rows of a check to findings.
//!
//! Checks write an LSN inside `detail` as `lsn#` and the number, since SQL has no portable way to
//! PostgreSQL's own form; here it becomes `X/Y`.

use cutover_model::{Finding, FindingKind, Lsn};
use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int32Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;

use crate::error::AuditError;

/// The columns of every check's result, in the order of the SQL.
pub(crate) const COLUMNS: [(&str, DataType); 12] = [
    ("kind", DataType::Utf8),
    ("incarnation", DataType::Int32),
    ("relation", DataType::Utf8),
    ("key", DataType::Utf8),
    ("op", DataType::Utf8),
    ("revision", DataType::Int64),
    ("lsn", DataType::Int64),
    ("xid", DataType::Int64),
    ("topic", DataType::Utf8),
    ("partition", DataType::Int32),
    ("record_offset", DataType::Int64),
    ("detail", DataType::Utf8),
];

/// A batch of a check's result, read row by row.
pub(crate) struct Rows {
    columns: Vec<ArrayRef>,
    count: usize,
}

impl Rows {
    pub(crate) fn new(batch: &RecordBatch) -> Result<Rows, AuditError> {
        let column = |(name, data_type): &(&str, DataType)| {
            let array = batch
                .column_by_name(name)
                .ok_or_else(|| AuditError::Row(format!("it has no column '{name}'")))?;
            cast(array, data_type)
                .map_err(|error| AuditError::Row(format!("column '{name}': {error}")))
        };
        Ok(Rows {
            columns: COLUMNS.iter().map(column).collect::<Result<_, _>>()?,
            count: batch.num_rows(),
        })
    }

    /// The findings of the batch; `check` names who found them.
    pub(crate) fn findings<'a>(
        &'a self,
        check: impl Fn(usize) -> String + 'a,
    ) -> impl Iterator<Item = Result<Finding, AuditError>> + 'a {
        (0..self.count).map(move |row| self.finding(check(row), row))
    }

    fn finding(&self, check: String, row: usize) -> Result<Finding, AuditError> {
        let kind = self.text(0, row).unwrap_or_default();
        let kind = FindingKind::from_name(&kind)
            .ok_or_else(|| AuditError::Row(format!("{check} calls a finding '{kind}'")))?;
        Ok(Finding {
            check,
            kind,
            incarnation: self.int(1, row),
            relation: self.text(2, row).unwrap_or_default(),
            key: self.text(3, row),
            op: self.text(4, row),
            revision: self.long(5, row),
            lsn: self.long(6, row),
            xid: self.long(7, row),
            topic: self.text(8, row),
            partition: self.int(9, row),
            record_offset: self.long(10, row),
            detail: with_lsns(&self.text(11, row).unwrap_or_default()),
        })
    }

    fn column(&self, column: usize, row: usize) -> Option<&ArrayRef> {
        self.columns.get(column).filter(|array| array.is_valid(row))
    }

    fn text(&self, column: usize, row: usize) -> Option<String> {
        let array = self.column(column, row)?.as_string_opt::<i32>()?;
        Some(array.value(row).to_owned())
    }

    fn int(&self, column: usize, row: usize) -> Option<i32> {
        let array = self.column(column, row)?.as_primitive_opt::<Int32Type>()?;
        Some(array.value(row))
    }

    fn long(&self, column: usize, row: usize) -> Option<i64> {
        let array = self.column(column, row)?.as_primitive_opt::<Int64Type>()?;
        Some(array.value(row))
    }
}

/// `lsn#4466944` → `0/442900`.
fn with_lsns(detail: &str) -> String {
    let mut pieces = detail.split("lsn#");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let digits = piece
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(piece.len());
        let (number, rest) = piece.split_at(digits);
        match number.parse::<u64>() {
            Ok(number) => text.push_str(&Lsn(number).to_string()),
            Err(_) => text.push_str(number),
        }
        text.push_str(rest);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsns_inside_a_detail_take_postgresqls_form() {
        assert_eq!(with_lsns("a"), "a");
        assert_eq!(
            with_lsns("u at lsn#4294967296 in t, c at lsn#255"),
            "u at 1/0 in t, c at 0/FF"
        );
        assert_eq!(with_lsns("lsn#x"), "x");
    }
}
