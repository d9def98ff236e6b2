//! Reading a whole ledger, row by row, bucket by bucket.

use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use cutover_model::{ChangeRow, StoredRow};

use crate::columns::Record;
use crate::error::LedgerError;
use crate::part::{self, PartRows};
use crate::survey::{Content, survey};

struct LedgerRows<R> {
    files: std::vec::IntoIter<PathBuf>,
    current: Option<PartRows<R>>,
}

impl<R: Record> Iterator for LedgerRows<R> {
    type Item = Result<R, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.current.as_mut().and_then(Iterator::next) {
                return Some(row);
            }
            match PartRows::open(&self.files.next()?) {
                Ok(rows) => self.current = Some(rows),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

fn rows<R: Record>(folder: &Path, content: Content) -> Result<LedgerRows<R>, LedgerError> {
    let files: Vec<PathBuf> = survey(folder, content)?
        .parts
        .into_iter()
        .flatten()
        .collect();
    Ok(LedgerRows {
        files: files.into_iter(),
        current: None,
    })
}

/// Every row of a finished ledger of changes. Rows of one key come in the order they were appended.
pub fn read_changes(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<ChangeRow, LedgerError>> + use<>, LedgerError> {
    rows::<ChangeRow>(folder, Content::Changes)
}

/// Every row of a finished ledger of stored rows.
pub fn read_stored(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<StoredRow, LedgerError>> + use<>, LedgerError> {
    rows::<StoredRow>(folder, Content::Stored)
}

/// Some columns of one file of a ledger, batch by batch, in the order of the file. For whoever compares many rows and
/// needs few of their columns. A column that came later than the file is left out.
pub fn read_columns(
    file: &Path,
    content: Content,
    columns: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch, LedgerError>> + use<>, LedgerError> {
    let reader = part::open_columns(file, content.format(), columns)?;
    let path = file.to_owned();
    Ok(reader.map(move |batch| batch.map_err(|error| LedgerError::damaged(&path, error))))
}
