//! Writing a ledger: rows go to their bucket, buckets to part files.
//!
//! Memory is bounded by [`HELD_ROWS`] rows over all buckets, beside the parts on their way to the
//! disk: when they are reached, the fullest bucket writes its part (a table without key lies in
//! one bucket, so buckets fill unevenly).
//! `sync` makes every row durable at once; so that frequent calls do not leave thousands of tiny
//! files, a small part stays open in memory and the next `sync` replaces its file, by rename, with
//! a longer one that begins with the same rows. Files are written by a thread of the ledger's own
//! ([`crate::background`]), so a failure may show one call later than its cause; never after
//! `sync` or `finish`.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use cutover_model::canonical::key_hash;
use cutover_model::change::bucket_by_hash;
use cutover_model::{ChangeRow, StoredRow, TransactionRow};

use crate::background::{Part, PartThread, Syncing};
use crate::columns::{Columns, Record};
use crate::document;
use crate::error::LedgerError;
use crate::part::GROUP_ROWS;
use crate::survey::{LEDGER_FORMAT, Summary, bucket_folder, list_parts, summary_path};

/// Rows in memory at most, 150 to 300 bytes each. With many buckets it is what decides how large a part becomes, and
/// parts of a few hundred rows cost more to open than to read.
const HELD_ROWS: usize = 393_216;
/// Rows of a bucket that are turned into a batch: strings stop growing their buffers beyond it.
const BATCH_ROWS: usize = 4_096;
/// A synced part of this size is closed for good; smaller ones are rewritten by the next sync.
const SYNCED_PART_ROWS: usize = 4_096;

struct BucketPart {
    folder: PathBuf,
    index: u32,
    columns: Columns,
    batches: Vec<RecordBatch>,
    batch_rows: usize,
    dirty: bool,
}

impl BucketPart {
    fn held(&self) -> usize {
        self.batch_rows + self.columns.rows()
    }

    fn seal(&mut self) -> Result<(), LedgerError> {
        if self.columns.rows() > 0 {
            let batch = self
                .columns
                .finish()
                .map_err(|error| LedgerError::damaged(&self.folder, error))?;
            self.batch_rows += batch.num_rows();
            self.batches.push(batch);
        }
        Ok(())
    }

    /// The whole part, if it has rows that are not on disk. The rows stay in memory until `close`.
    fn unwritten(&mut self) -> Result<Option<Part>, LedgerError> {
        self.seal()?;
        let part = self.dirty.then(|| Part {
            folder: self.folder.clone(),
            index: self.index,
            batches: self.batches.clone(),
        });
        self.dirty = false;
        Ok(part)
    }

    /// The next row begins a new part.
    fn close(&mut self) {
        self.index += 1;
        self.batches.clear();
        self.batch_rows = 0;
    }
}

struct LedgerWriter<R> {
    folder: PathBuf,
    buckets: Vec<BucketPart>,
    parts: PartThread,
    rows: u64,
    held: usize,
    row: std::marker::PhantomData<fn(&R)>,
}

impl<R: Record> LedgerWriter<R> {
    fn create(folder: &Path, buckets: u16) -> Result<Self, LedgerError> {
        fs::create_dir_all(folder).map_err(LedgerError::io("create", folder))?;
        let buckets = buckets.max(1);
        let mut parts = Vec::new();
        for number in 0..buckets {
            let part_folder = bucket_folder(folder, number);
            if !list_parts(&part_folder)?.is_empty() || summary_path(folder).exists() {
                return Err(LedgerError::Exists {
                    path: folder.to_owned(),
                });
            }
            parts.push(BucketPart {
                folder: part_folder,
                index: 0,
                columns: Columns::new::<R>(),
                batches: Vec::new(),
                batch_rows: 0,
                dirty: false,
            });
        }
        Ok(LedgerWriter {
            folder: folder.to_owned(),
            buckets: parts,
            parts: PartThread::new(folder),
            rows: 0,
            held: 0,
            row: std::marker::PhantomData,
        })
    }

    /// Relation and hash of the key decide on the bucket.
    fn append(&mut self, row: &R, relation: &str, of_key: Option<i64>) -> Result<(), LedgerError> {
        let count = u16::try_from(self.buckets.len()).unwrap_or(u16::MAX);
        let number = usize::from(bucket_by_hash(relation, of_key, count));
        let Some(part) = self.buckets.get_mut(number) else {
            return Err(LedgerError::damaged(&self.folder, "a row without bucket"));
        };
        part.columns.push(row);
        part.dirty = true;
        self.rows += 1;
        self.held += 1;
        if part.columns.rows() >= BATCH_ROWS {
            part.seal()?;
        }
        if part.held() >= GROUP_ROWS {
            self.shed(number)?;
        } else if self.held >= HELD_ROWS {
            let places = 0..self.buckets.len();
            let fullest = places.max_by_key(|place| self.buckets[*place].held());
            self.shed(fullest.unwrap_or(number))?;
        }
        Ok(())
    }

    /// Writes a bucket's part for good.
    fn shed(&mut self, number: usize) -> Result<(), LedgerError> {
        let part = &mut self.buckets[number];
        self.held -= part.held();
        let unwritten = part.unwritten()?;
        part.close();
        self.parts.write::<R>(unwritten.into_iter().collect())
    }

    /// Hands every row over that is not on its way yet.
    fn hand_over(&mut self) -> Result<(), LedgerError> {
        let mut parts = Vec::new();
        for part in &mut self.buckets {
            parts.extend(part.unwritten()?);
            if part.held() >= SYNCED_PART_ROWS {
                self.held -= part.held();
                part.close();
            }
        }
        self.parts.write::<R>(parts)
    }

    fn sync(&mut self) -> Result<(), LedgerError> {
        self.hand_over()?;
        self.parts.settle()
    }

    fn finish(mut self) -> Result<u64, LedgerError> {
        self.sync()?;
        let summary = Summary {
            format: LEDGER_FORMAT.to_owned(),
            content: R::FORMAT.to_owned(),
            buckets: u16::try_from(self.buckets.len()).unwrap_or(u16::MAX),
            rows: self.rows,
        };
        document::write_json(&summary_path(&self.folder), &summary)?;
        Ok(self.rows)
    }
}

/// Writes a ledger of changes (attempted, committed or published).
pub struct ChangeWriter(LedgerWriter<ChangeRow>);

impl ChangeWriter {
    /// Starts a new ledger in `folder` (made if missing). A folder that holds a ledger already is
    /// refused; unfinished `.tmp` files are ignored and overwritten.
    pub fn create(folder: &Path, buckets: u16) -> Result<ChangeWriter, LedgerError> {
        Ok(ChangeWriter(LedgerWriter::create(folder, buckets)?))
    }

    /// Takes one row. It is durable after the next `sync` or `finish`, maybe sooner.
    pub fn append(&mut self, row: &ChangeRow) -> Result<(), LedgerError> {
        let of_key = row.key.is_some().then_some(row.key_hash);
        self.0.append(row, &row.relation, of_key)
    }

    /// Makes everything appended so far durable. Costs one small file with two fsyncs per bucket
    /// that has new rows, so call it when something waits for it (about once a second), not per
    /// row.
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        self.0.sync()
    }

    /// Begins to make everything durable that was appended so far, and does not wait for it: whoever reads a stream
    /// goes on reading. [`ChangeWriter::is_synced`] tells when it is done.
    pub fn begin_sync(&mut self) -> Result<Syncing, LedgerError> {
        self.0.hand_over()?;
        self.0.parts.promise()
    }

    /// Whether what was begun is done.
    ///
    /// # Errors
    /// It failed: nothing of it counts as durable.
    pub fn is_synced(&mut self, syncing: &Syncing) -> Result<bool, LedgerError> {
        self.0.parts.kept(syncing)
    }

    /// Rows appended so far.
    pub fn rows(&self) -> u64 {
        self.0.rows
    }

    /// Makes everything durable and marks the ledger as whole; gives its number of rows.
    pub fn finish(self) -> Result<u64, LedgerError> {
        self.0.finish()
    }
}

/// Writes the ledger of stored rows.
pub struct StoredWriter(LedgerWriter<StoredRow>);

impl StoredWriter {
    /// As [`ChangeWriter::create`].
    pub fn create(folder: &Path, buckets: u16) -> Result<StoredWriter, LedgerError> {
        Ok(StoredWriter(LedgerWriter::create(folder, buckets)?))
    }

    /// As [`ChangeWriter::append`].
    pub fn append(&mut self, row: &StoredRow) -> Result<(), LedgerError> {
        let of_key = row.key.is_some().then_some(row.key_hash);
        self.0.append(row, &row.relation, of_key)
    }

    /// As [`ChangeWriter::sync`].
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        self.0.sync()
    }

    /// Rows appended so far.
    pub fn rows(&self) -> u64 {
        self.0.rows
    }

    /// As [`ChangeWriter::finish`].
    pub fn finish(self) -> Result<u64, LedgerError> {
        self.0.finish()
    }
}

/// Writes the ledger of the connector's own account of transactions.
pub struct TransactionWriter(LedgerWriter<TransactionRow>);

impl TransactionWriter {
    /// As [`ChangeWriter::create`].
    pub fn create(folder: &Path, buckets: u16) -> Result<TransactionWriter, LedgerError> {
        Ok(TransactionWriter(LedgerWriter::create(folder, buckets)?))
    }

    /// As [`ChangeWriter::append`].
    pub fn append(&mut self, row: &TransactionRow) -> Result<(), LedgerError> {
        self.0.append(row, "", Some(key_hash("", &row.tx_id)))
    }

    /// As [`ChangeWriter::finish`].
    pub fn finish(self) -> Result<u64, LedgerError> {
        self.0.finish()
    }
}
