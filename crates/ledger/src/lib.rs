//! The run folder on disk: ledgers as Parquet, evidence as JSON, manifest as TOML, findings as
//! Parquet.
//!
//! Recorders and the workload write here, the audit and people's own tools read. A ledger is a
//! folder:
//!
//! ```text
//! committed/ ledger.json                   written last: the ledger is whole and has so many rows
//!            bucket=00/part-00000.parquet  snappy, at most 65,536 rows, field names as columns
//! ```
//!
//! The rules it protects: a row that `sync` reported durable is there after a power cut, exactly
//! once; a file that was being written is never read (`.tmp`); a ledger that was not finished, is
//! damaged, is newer or is not ours is told apart and never read as if it were whole.

mod background;
mod columns;
mod document;
mod error;
mod findings;
mod format;
mod part;
mod reader;
mod rows;
mod story;
mod survey;
mod writer;

pub use background::Syncing;
pub use document::{read_evidence, read_manifest, write_evidence, write_manifest};
pub use error::LedgerError;
pub use findings::{FindingsWriter, read_findings, write_findings};
pub use reader::{read_changes, read_columns, read_stored};
pub use story::read_story;
pub use survey::{Content, Survey, survey};
pub use writer::{ChangeWriter, StoredWriter, TransactionWriter};

/// Buckets of a rehearsal's ledgers. A bucket is what the audit judges at a time, in bounded
/// memory: about 100,000 committed changes of one bucket fit. More buckets cost about 0.15 s each.
pub const DEFAULT_BUCKETS: u16 = 4;

/// Rows of a ledger's bucket that are judged at a time without much memory (about 100 bytes each).
const BUCKET_ROWS: u64 = 720_000;

/// Buckets for ledgers of so many rows.
pub fn buckets_for(rows: u64) -> u16 {
    let wanted = u16::try_from(rows / BUCKET_ROWS + 1).unwrap_or(u16::MAX);
    wanted.max(DEFAULT_BUCKETS)
}
