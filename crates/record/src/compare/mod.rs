//! The stored rows of two databases, compared exactly: table by table, both sides read at once in one order and merged.
//!
//! ```text
//! left  snapshot ──COPY … ORDER BY key──┐
//!                                       ├─ merge: equal, different, missing ──► every differing row
//! right snapshot ──COPY … ORDER BY key──┘
//! ```
//! Each side is read in one snapshot, however many tables there are; the two snapshots are not of one moment, so who
//! compares while one side is written to sees that as differences. Memory is that of a few rows. The rule it protects:
//! what was not compared is named, and then the verdict is no pass.

mod catalogue;
mod merge;
mod pairing;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use cutover_clients::pg::PgAddress;
use cutover_clients::pg::copy::{CopyRows, Snapshot};
use cutover_model::comparison::{
    COMPARE_FORMAT, ComparedBy, ComparedSide, Comparison, RowCounts, RowDifference,
    TableComparison, TableState,
};
use cutover_model::{EventSink, ExitCode, Verdict};

use crate::RecordError;
use crate::pace::Pace;
use catalogue::{StoredTable, tables};
use merge::{Merge, Merged, Rows};
use pairing::{Pair, pair};

/// What names of objects inside values depend on.
const SETTINGS: [(&str, &str); 2] = [
    ("search_path", "pg_catalog"),
    ("quote_all_identifiers", "off"),
];

/// What to compare.
#[derive(Debug, Clone)]
pub struct CompareConfig {
    /// The one database.
    pub left: PgAddress,
    /// The other database.
    pub right: PgAddress,
    /// Tables, as `schema.name`; all of both sides if there are none.
    pub tables: Vec<String>,
    /// Show rows without key as they are, instead of a hash of their content.
    pub show_rows: bool,
}

/// Takes the rows that differ, as they are found.
pub trait Differences {
    /// One more.
    ///
    /// # Errors
    /// It could not be kept.
    fn add(&mut self, difference: &RowDifference) -> std::io::Result<()>;

    /// Those of a table that were added last are void.
    ///
    /// # Errors
    /// They could not be taken back.
    fn withdraw(&mut self, table: &str) -> std::io::Result<()>;
}

/// Compares. Blocks, so it belongs to a thread that may.
///
/// # Errors
/// A server cannot be reached or refuses, a table that was asked for is on neither side, or differences cannot be kept.
pub fn compare(
    config: &CompareConfig,
    differences: &mut dyn Differences,
) -> Result<Comparison, RecordError> {
    compare_telling(config, differences, &EventSink::none())
}

/// The same with progress.
///
/// # Errors
/// As [`compare`].
pub fn compare_telling(
    config: &CompareConfig,
    differences: &mut dyn Differences,
    events: &EventSink,
) -> Result<Comparison, RecordError> {
    let pace = Pace::begin(events);
    let mut sides = Sides {
        left: Snapshot::open(&config.left, &SETTINGS)?,
        right: Snapshot::open(&config.right, &SETTINGS)?,
        show_rows: config.show_rows,
        progress: Progress::new(&pace),
    };
    let left = by_name(tables(&mut sides.left)?);
    let right = by_name(tables(&mut sides.right)?);
    let mut names: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    choose(&mut names, &config.tables)?;
    let mut compared = Vec::new();
    sides.progress.tables = names.len();
    for name in names {
        sides.progress.table += 1;
        let alone = |state, side| nothing(name, state, &format!("only the {side} side has it"));
        compared.push(match (left.get(name), right.get(name)) {
            (Some(one), Some(two)) => sides.table(one, two, differences)?,
            (Some(_), None) => alone(TableState::MissingRight, "left"),
            (None, _) => alone(TableState::MissingLeft, "right"),
        });
    }
    let side = |address: &PgAddress, snapshot: &Snapshot| ComparedSide {
        address: address.to_string(),
        server_version: snapshot.server_version().to_owned(),
    };
    let left = side(&config.left, &sides.left);
    let right = side(&config.right, &sides.right);
    Ok(conclude((left, right), compared))
}

fn by_name(tables: Vec<StoredTable>) -> BTreeMap<String, StoredTable> {
    let name = |table: &StoredTable| table.relation.to_string();
    tables
        .into_iter()
        .map(|table| (name(&table), table))
        .collect()
}

/// Keeps those that were asked for.
fn choose(names: &mut BTreeSet<&String>, wanted: &[String]) -> Result<(), RecordError> {
    if let Some(absent) = wanted.iter().find(|wanted| !names.contains(wanted)) {
        return Err(RecordError::NoTable(absent.clone()));
    }
    names.retain(|name| wanted.is_empty() || wanted.contains(name));
    Ok(())
}

/// Rows between two looks at the clock.
const PROGRESS_EVERY: u64 = 4_096;

/// How far it is.
struct Progress<'p> {
    pace: &'p Pace<'p>,
    /// The table that is read, from 1, and how many there are.
    table: usize,
    tables: usize,
    /// Rows read, of both sides.
    rows: Cell<u64>,
}

impl Progress<'_> {
    fn new<'p>(pace: &'p Pace<'p>) -> Progress<'p> {
        Progress {
            pace,
            table: 0,
            tables: 0,
            rows: Cell::new(0),
        }
    }

    fn one_more(&self) {
        let rows = self.rows.get() + 1;
        self.rows.set(rows);
        if rows.is_multiple_of(PROGRESS_EVERY) {
            let what = || {
                format!(
                    "rows of both sides, table {} of {}",
                    self.table, self.tables
                )
            };
            self.pace.reached(rows, None, what);
        }
    }
}

/// Rows of one side, counted.
struct Counted<'c> {
    rows: CopyRows<'c>,
    progress: &'c Progress<'c>,
}

impl Rows for Counted<'_> {
    fn advance(&mut self) -> Result<bool, RecordError> {
        self.progress.one_more();
        Ok(self.rows.advance()?)
    }

    fn row(&self) -> &[u8] {
        self.rows.row()
    }
}

/// Both databases, each in its snapshot.
struct Sides<'p> {
    left: Snapshot,
    right: Snapshot,
    show_rows: bool,
    progress: Progress<'p>,
}

impl Sides<'_> {
    fn table(
        &mut self,
        one: &StoredTable,
        two: &StoredTable,
        differences: &mut dyn Differences,
    ) -> Result<TableComparison, RecordError> {
        let table = one.relation.to_string();
        let Some(pair) = pair(one, two) else {
            let reason = "the two have no column in common";
            return Ok(nothing(&table, TableState::NotCompared, reason));
        };
        let merged = self.read(&table, &pair, differences)?;
        Ok(conclude_table(table, pair, merged))
    }

    fn read(
        &mut self,
        table: &str,
        pair: &Pair,
        differences: &mut dyn Differences,
    ) -> Result<Merged, RecordError> {
        let what = |side: &str| format!("reading table {table} on the {side}");
        // Both servers begin before either is read.
        let left = self.left.copy(&pair.left_query, &what("left"))?;
        let right = self.right.copy(&pair.right_query, &what("right"))?;
        let progress = &self.progress;
        let counted = |rows| Counted { rows, progress };
        let (mut left, mut right) = (counted(left), counted(right));
        let merge = Merge {
            table,
            layout: &pair.layout,
            show_rows: self.show_rows,
        };
        let kept = |source| RecordError::Differences { source };
        let merged = merge.run(&mut left, &mut right, &mut |difference| {
            differences.add(&difference).map_err(kept)
        })?;
        if merged.void.is_some() {
            differences.withdraw(table).map_err(kept)?;
            // What is left of the answers is read, so that the snapshots serve the next table.
            while left.advance()? {}
            while right.advance()? {}
        }
        Ok(merged)
    }
}

fn nothing(table: &str, state: TableState, reason: &str) -> TableComparison {
    TableComparison {
        table: table.to_owned(),
        state,
        by: ComparedBy::Nothing,
        key: Vec::new(),
        columns: Vec::new(),
        rows: RowCounts::default(),
        reasons: vec![reason.to_owned()],
    }
}

fn conclude_table(table: String, pair: Pair, merged: Merged) -> TableComparison {
    let by = if pair.layout.key.is_empty() {
        ComparedBy::Content
    } else {
        ComparedBy::Key
    };
    let state = match &merged.void {
        Some(_) => TableState::NotCompared,
        None if merged.counts.differ() => TableState::Different,
        None if !pair.left_out.is_empty() => TableState::NotCompared,
        None => TableState::Equal,
    };
    let mut reasons: Vec<String> = merged.void.iter().cloned().collect();
    reasons.extend(pair.left_out);
    reasons.extend(pair.notes);
    TableComparison {
        table,
        state,
        by,
        key: pair.layout.key.into_iter().map(|(name, _)| name).collect(),
        columns: pair.columns,
        rows: if merged.void.is_some() {
            RowCounts::default()
        } else {
            merged.counts
        },
        reasons,
    }
}

fn conclude(sides: (ComparedSide, ComparedSide), tables: Vec<TableComparison>) -> Comparison {
    let verdict = |table: &TableComparison| match table.state {
        TableState::Equal => Verdict::Pass,
        TableState::NotCompared => Verdict::Unknown,
        TableState::Different | TableState::MissingLeft | TableState::MissingRight => Verdict::Fail,
    };
    let worst = tables.iter().map(verdict).max();
    let mut reasons = Vec::new();
    if worst.is_none() {
        reasons.push("neither side has a table".to_owned());
    }
    let verdict = worst.unwrap_or(Verdict::Unknown);
    Comparison {
        format: COMPARE_FORMAT.to_owned(),
        verdict,
        exit_code: ExitCode::of(verdict).number(),
        left: sides.0,
        right: sides.1,
        reasons,
        tables,
    }
}
