//! Reading a whole ledger, row by row, bucket by bucket.

use std::path::{Path, PathBuf};

use cutover_model::{ChangeRow, StoredRow};

use crate::columns::Record;
use crate::error::LedgerError;
use crate::part::PartRows;
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
