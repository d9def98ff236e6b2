//! `findings.parquet`: every finding of a run, whole or not there at all.

use std::path::{Path, PathBuf};

use cutover_model::Finding;

use crate::columns::{self, Columns};
use crate::error::LedgerError;
use crate::part::{PartFile, PartRows};

/// Findings in memory at most while writing.
const BATCH_ROWS: usize = 4_096;

/// Writes findings one by one; the file appears when `finish` returns.
pub struct FindingsWriter {
    path: PathBuf,
    file: PartFile,
    columns: Columns,
    rows: u64,
}

impl FindingsWriter {
    /// Starts a file; an older one stays until `finish`.
    pub fn create(path: &Path) -> Result<FindingsWriter, LedgerError> {
        Ok(FindingsWriter {
            path: path.to_owned(),
            file: PartFile::create::<Finding>(path, columns::schema::<Finding>())?,
            columns: Columns::new::<Finding>(),
            rows: 0,
        })
    }

    /// Takes one finding.
    pub fn append(&mut self, finding: &Finding) -> Result<(), LedgerError> {
        self.columns.push(finding);
        self.rows += 1;
        if self.columns.rows() >= BATCH_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), LedgerError> {
        let batch = self
            .columns
            .finish()
            .map_err(|error| LedgerError::damaged(&self.path, error))?;
        self.file.write(&batch)
    }

    /// Makes the file durable and gives it its name; gives the number of findings.
    pub fn finish(mut self) -> Result<u64, LedgerError> {
        self.flush()?;
        self.file.finish()?;
        Ok(self.rows)
    }
}

/// Writes findings in the given order.
pub fn write_findings(
    path: &Path,
    findings: &mut dyn Iterator<Item = Finding>,
) -> Result<u64, LedgerError> {
    let mut writer = FindingsWriter::create(path)?;
    for finding in findings {
        writer.append(&finding)?;
    }
    writer.finish()
}

/// Reads findings in the order they were written.
pub fn read_findings(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Finding, LedgerError>> + use<>, LedgerError> {
    if !path.is_file() {
        return Err(LedgerError::incomplete(path, "the run was not judged yet"));
    }
    PartRows::<Finding>::open(path)
}
