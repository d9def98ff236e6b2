//! The stored rows of two databases, compared: what was compared, and every row that differs. Computed by `record`,
//! shown by `report`.
//!
//! The rule it protects: what was not compared is named, and then nothing is called equal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// Format name.
pub const COMPARE_FORMAT: &str = "cutover.compare/1";

/// The result of a comparison, without the differing rows: those may be many and follow one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// [`COMPARE_FORMAT`].
    pub format: String,
    /// Pass: every row is equal. Fail: rows differ. Unknown: none differs, and something was not compared.
    pub verdict: Verdict,
    /// Exit code of the command.
    pub exit_code: u8,
    /// The one database.
    pub left: ComparedSide,
    /// The other database.
    pub right: ComparedSide,
    /// What is true of all tables together.
    pub reasons: Vec<String>,
    /// Every table of either side, in name order.
    pub tables: Vec<TableComparison>,
}

/// A database that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedSide {
    /// `user@host:port/database`.
    pub address: String,
    /// Version of the server.
    pub server_version: String,
}

/// How a table compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableState {
    /// Every row has an equal one on the other side.
    Equal,
    /// Rows differ.
    Different,
    /// Only the right side has the table.
    MissingLeft,
    /// Only the left side has the table.
    MissingRight,
    /// No row differs as far as it could be compared; what could not be is in the reasons.
    NotCompared,
}

/// What identifies a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedBy {
    /// The primary key.
    Key,
    /// The whole row: there is no common primary key, so equal rows are counted.
    Content,
    /// Nothing was read.
    Nothing,
}

/// Numbers of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows read on the left side.
    pub left: u64,
    /// Rows read on the right side.
    pub right: u64,
    /// Rows that are equal on both.
    pub equal: u64,
    /// Keys on both sides with other content.
    pub different: u64,
    /// Rows that only the right side has.
    pub missing_left: u64,
    /// Rows that only the left side has.
    pub missing_right: u64,
}

impl RowCounts {
    /// Whether any row differs.
    pub fn differ(&self) -> bool {
        self.different + self.missing_left + self.missing_right > 0
    }
}

/// One table of either side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableComparison {
    /// `schema.name`.
    pub table: String,
    /// How it compares.
    pub state: TableState,
    /// What identified its rows.
    pub by: ComparedBy,
    /// Columns of the key.
    pub key: Vec<String>,
    /// Columns that were compared.
    pub columns: Vec<String>,
    /// Numbers of rows.
    pub rows: RowCounts,
    /// What was not compared, and what is worth knowing.
    pub reasons: Vec<String>,
}

/// How a row differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowDifferenceKind {
    /// Only the right side has it.
    MissingLeft,
    /// Only the left side has it.
    MissingRight,
    /// Both have the key, with other content.
    Different,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDifference {
    /// `schema.name`.
    pub table: String,
    /// How it differs.
    pub kind: RowDifferenceKind,
    /// The key, column by column; empty for a row without key.
    pub key: BTreeMap<String, String>,
    /// A row without key: hash of its content, 16 hexadecimal digits.
    pub content: Option<String>,
    /// How many such rows are missing; 1 for a row with a key.
    pub count: u64,
    /// Columns that differ.
    pub columns: Vec<String>,
}
