//! Whether a ledger is whole: `ledger.json` against what the folder really holds.

use std::fs;
use std::path::{Path, PathBuf};

use cutover_model::{ChangeRow, StoredRow, TransactionRow};
use serde::{Deserialize, Serialize};

use crate::columns::Record;
use crate::document;
use crate::error::LedgerError;
use crate::format;
use crate::part;

/// Format of `ledger.json`.
pub(crate) const LEDGER_FORMAT: &str = "cutover.ledger/1";

/// Which row type a ledger holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Attempted, committed or published changes.
    Changes,
    /// Stored rows.
    Stored,
    /// The connector's own account of transactions.
    Transactions,
}

impl Content {
    pub(crate) fn format(self) -> &'static str {
        match self {
            Content::Changes => ChangeRow::FORMAT,
            Content::Stored => StoredRow::FORMAT,
            Content::Transactions => TransactionRow::FORMAT,
        }
    }
}

/// `ledger.json`: written last, so its presence says that the ledger is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) format: String,
    pub(crate) content: String,
    pub(crate) buckets: u16,
    pub(crate) rows: u64,
}

pub(crate) fn summary_path(folder: &Path) -> PathBuf {
    folder.join("ledger.json")
}

pub(crate) fn bucket_folder(folder: &Path, bucket: u16) -> PathBuf {
    folder.join(format!("bucket={bucket:02}"))
}

/// What a whole ledger holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Number of buckets.
    pub buckets: u16,
    /// Rows in all.
    pub rows: u64,
    /// Files of each bucket in writing order; empty for a bucket without rows.
    pub parts: Vec<Vec<PathBuf>>,
    /// Rows of each bucket.
    pub rows_of: Vec<u64>,
}

/// Looks a ledger over by its footers. An unfinished ledger, or one that lost files, is an error.
pub fn survey(folder: &Path, content: Content) -> Result<Survey, LedgerError> {
    if !folder.is_dir() {
        return Err(LedgerError::incomplete(folder, "there is no such ledger"));
    }
    let summary_path = summary_path(folder);
    let Some(text) = document::read_text(&summary_path)? else {
        return Err(LedgerError::incomplete(
            folder,
            "recording it was never finished (no ledger.json)",
        ));
    };
    let value: serde_json::Value = document::json(&summary_path, &text)?;
    let named = value.get("format").and_then(|format| format.as_str());
    format::check(&summary_path, named, LEDGER_FORMAT)?;
    let summary: Summary = serde_json::from_value(value)
        .map_err(|error| LedgerError::damaged(&summary_path, error))?;
    format::check(&summary_path, Some(&summary.content), content.format())?;
    let (mut parts, mut rows_of) = (Vec::new(), Vec::new());
    for bucket in 0..summary.buckets {
        let files = list_parts(&bucket_folder(folder, bucket))?;
        let mut rows = 0;
        for file in &files {
            rows += part::count(file, content.format())?;
        }
        parts.push(files);
        rows_of.push(rows);
    }
    let rows = rows_of.iter().sum();
    if rows != summary.rows {
        let reason = format!(
            "it was finished with {} rows and holds {rows}",
            summary.rows
        );
        return Err(LedgerError::incomplete(folder, reason));
    }
    Ok(Survey {
        buckets: summary.buckets,
        rows,
        parts,
        rows_of,
    })
}

/// The finished files of one bucket, in writing order.
pub(crate) fn list_parts(bucket: &Path) -> Result<Vec<PathBuf>, LedgerError> {
    if !bucket.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(bucket).map_err(LedgerError::io("list", bucket))? {
        let path = entry.map_err(LedgerError::io("list", bucket))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "parquet")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
