//! The columns of a bucket that tell whether a key is clean, as plain rows. Texts become numbers, so that rows are
//! small and compare fast.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use cutover_ledger::{Content, LedgerError, read_columns};
use datafusion::arrow::array::{Array, AsArray, Int32Array, Int64Array, StringArray};
use datafusion::arrow::datatypes::{Int32Type, Int64Type};
use datafusion::arrow::record_batch::RecordBatch;

/// A key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Thread {
    pub(super) relation: u32,
    pub(super) key_hash: i64,
}

/// A committed change.
#[derive(Debug)]
pub(super) struct Committed {
    pub(super) thread: Thread,
    pub(super) incarnation: i32,
    pub(super) commit_lsn: i64,
    ordinal: i64,
    pub(super) lsn: i64,
    pub(super) before: Option<i64>,
    pub(super) after: Option<i64>,
    pub(super) revision: Option<i64>,
    pub(super) op: u8,
    /// Logical replication brought it, it is no change of its own.
    pub(super) transported: bool,
    /// It is a change, with LSN, commit LSN and ordinal.
    pub(super) placed: bool,
}

impl Committed {
    pub(super) fn place(&self) -> (Thread, i32, i64, i64) {
        (self.thread, self.incarnation, self.commit_lsn, self.ordinal)
    }
}

/// A published record.
#[derive(Debug)]
pub(super) struct Published {
    pub(super) thread: Thread,
    pub(super) incarnation: i32,
    /// Topic, by number, and partition.
    pub(super) home: (u32, i32),
    offset: i64,
    pub(super) lsn: Option<i64>,
    pub(super) before: Option<i64>,
    pub(super) after: Option<i64>,
    pub(super) revision: Option<i64>,
    pub(super) op: u8,
    /// A repair wrote it.
    backfill: bool,
}

impl Published {
    pub(super) fn place(&self) -> (Thread, (u32, i32), i64) {
        (self.thread, self.home, self.offset)
    }

    pub(super) fn is_change(&self) -> bool {
        matches!(self.op, b'c' | b'u' | b'd')
    }

    /// A change or a tombstone of the connector.
    pub(super) fn is_plain(&self) -> bool {
        !self.backfill && (self.is_change() || self.op == b'x')
    }
}

/// A stored row.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) thread: Thread,
    pub(super) image: Option<i64>,
    pub(super) revision: Option<i64>,
}

/// Numbers for texts, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Names {
    names: Vec<String>,
    numbers: HashMap<String, u32>,
}

impl Names {
    pub(super) fn all(&self) -> &[String] {
        &self.names
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// Numbers of a column whose texts mostly repeat the one before.
struct Last<'a> {
    column: &'a StringArray,
    text: &'a str,
    number: Option<u32>,
}

impl<'a> Last<'a> {
    fn of(column: &'a StringArray) -> Last<'a> {
        Last {
            column,
            text: "",
            number: None,
        }
    }

    fn number(&mut self, row: usize, names: &mut Names) -> u32 {
        let text = self.column.value(row);
        match self.number {
            Some(number) if text == self.text => number,
            _ => {
                let number = names.number(text);
                (self.text, self.number) = (text, Some(number));
                number
            }
        }
    }
}

/// A batch whose columns are looked up by name.
struct Table<'a> {
    batch: &'a RecordBatch,
    file: &'a Path,
}

impl<'a> Table<'a> {
    fn text(&self, name: &str) -> Result<&'a StringArray, LedgerError> {
        let column = self.batch.column_by_name(name);
        let column = column.and_then(|column| column.as_string_opt::<i32>());
        column.ok_or_else(|| self.lacks(name))
    }

    fn long(&self, name: &str) -> Result<&'a Int64Array, LedgerError> {
        let column = self.batch.column_by_name(name);
        let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
        column.ok_or_else(|| self.lacks(name))
    }

    fn int(&self, name: &str) -> Result<&'a Int32Array, LedgerError> {
        let column = self.batch.column_by_name(name);
        let column = column.and_then(|column| column.as_primitive_opt::<Int32Type>());
        column.ok_or_else(|| self.lacks(name))
    }

    fn lacks(&self, name: &str) -> LedgerError {
        LedgerError::Damaged {
            path: self.file.to_owned(),
            reason: format!("it has no column '{name}' of the right type"),
        }
    }
}

fn known(column: &Int64Array, row: usize) -> Option<i64> {
    column.is_valid(row).then(|| column.value(row))
}

fn letter(column: &StringArray, row: usize) -> u8 {
    column.value(row).as_bytes().first().copied().unwrap_or(0)
}

/// The files of a bucket. Room is made for all of its rows at once: making more of it on the way would hold up to
/// three times as much at one moment.
pub(super) struct Files<'a> {
    pub(super) paths: &'a [PathBuf],
    pub(super) rows: usize,
}

pub(super) fn committed(
    files: Files<'_>,
    names: &mut Names,
) -> Result<Vec<Committed>, LedgerError> {
    const COLUMNS: &[&str] = &[
        "relation",
        "key_hash",
        "incarnation",
        "commit_lsn",
        "ordinal",
        "lsn",
        "before",
        "after",
        "revision",
        "op",
        "origin",
    ];
    let mut rows = Vec::with_capacity(files.rows);
    for file in files.paths {
        for batch in read_columns(file, Content::Changes, COLUMNS)? {
            let batch = &batch?;
            let table = Table { batch, file };
            let mut relations = Last::of(table.text("relation")?);
            let (keys, lives) = (table.long("key_hash")?, table.int("incarnation")?);
            let (commits, ordinals) = (table.long("commit_lsn")?, table.long("ordinal")?);
            let (befores, afters) = (table.long("before")?, table.long("after")?);
            let (lsns, revisions) = (table.long("lsn")?, table.long("revision")?);
            let (ops, origins) = (table.text("op")?, table.text("origin")?);
            for row in 0..batch.num_rows() {
                let place = [commits, ordinals, lsns];
                let op = letter(ops, row);
                rows.push(Committed {
                    thread: Thread {
                        relation: relations.number(row, names),
                        key_hash: keys.value(row),
                    },
                    incarnation: lives.value(row),
                    commit_lsn: commits.value(row),
                    ordinal: ordinals.value(row),
                    lsn: lsns.value(row),
                    before: known(befores, row),
                    after: known(afters, row),
                    revision: known(revisions, row),
                    op,
                    transported: origins.is_valid(row),
                    placed: place.iter().all(|column| column.is_valid(row))
                        && matches!(op, b'c' | b'u' | b'd'),
                });
            }
        }
    }
    Ok(rows)
}

pub(super) fn published(
    files: Files<'_>,
    names: &mut Names,
) -> Result<Vec<Published>, LedgerError> {
    const COLUMNS: &[&str] = &[
        "relation",
        "key_hash",
        "incarnation",
        "topic",
        "partition",
        "record_offset",
        "lsn",
        "before",
        "after",
        "revision",
        "op",
        "compensation",
    ];
    let mut topics = Names::default();
    let mut rows = Vec::with_capacity(files.rows);
    for file in files.paths {
        for batch in read_columns(file, Content::Changes, COLUMNS)? {
            let batch = &batch?;
            let table = Table { batch, file };
            let mut relations = Last::of(table.text("relation")?);
            let mut homes = Last::of(table.text("topic")?);
            let (keys, lives) = (table.long("key_hash")?, table.int("incarnation")?);
            let (partitions, offsets) = (table.int("partition")?, table.long("record_offset")?);
            let (befores, afters) = (table.long("before")?, table.long("after")?);
            let (lsns, revisions) = (table.long("lsn")?, table.long("revision")?);
            let ops = table.text("op")?;
            // A ledger from before repairs were marked has no such column.
            let repairs = table.text("compensation").ok();
            for row in 0..batch.num_rows() {
                rows.push(Published {
                    thread: Thread {
                        relation: relations.number(row, names),
                        key_hash: keys.value(row),
                    },
                    incarnation: lives.value(row),
                    home: (homes.number(row, &mut topics), partitions.value(row)),
                    offset: offsets.value(row),
                    lsn: known(lsns, row),
                    before: known(befores, row),
                    after: known(afters, row),
                    revision: known(revisions, row),
                    op: letter(ops, row),
                    backfill: repairs.is_some_and(|repairs| repairs.is_valid(row)),
                });
            }
        }
    }
    Ok(rows)
}

pub(super) fn stored(files: Files<'_>, names: &mut Names) -> Result<Vec<Stored>, LedgerError> {
    const COLUMNS: &[&str] = &["relation", "key_hash", "image", "revision"];
    let mut rows = Vec::with_capacity(files.rows);
    for file in files.paths {
        for batch in read_columns(file, Content::Stored, COLUMNS)? {
            let batch = &batch?;
            let table = Table { batch, file };
            let mut relations = Last::of(table.text("relation")?);
            let (keys, images) = (table.long("key_hash")?, table.long("image")?);
            let revisions = table.long("revision")?;
            for row in 0..batch.num_rows() {
                rows.push(Stored {
                    thread: Thread {
                        relation: relations.number(row, names),
                        key_hash: keys.value(row),
                    },
                    image: known(images, row),
                    revision: known(revisions, row),
                });
            }
        }
    }
    Ok(rows)
}
