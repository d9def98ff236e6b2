//! The comparison of two databases' stored rows, for people and as JSON, piece by piece: the rows that differ may be
//! more than memory holds, so each is one line, and the pieces in their order are the whole.
//!
//! The rule it protects: every name and key is escaped; a row's other values are never shown.

use cutover_model::Verdict;
use cutover_model::comparison::{
    ComparedBy, Comparison, RowDifference, RowDifferenceKind, TableComparison, TableState,
};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{counted, foreign, safe, wrapped};

/// One table as text: a line, and one for each reason.
pub fn table(table: &TableComparison, look: Look) -> String {
    let name = foreign(&table.table);
    let head = match table.state {
        TableState::Equal => format!("{}     {name}", look.good("equal")),
        TableState::Different => format!("{}   {name}", look.bad("DIFFERS")),
        TableState::MissingLeft | TableState::MissingRight => {
            format!("{}   {name}", look.bad("MISSING"))
        }
        TableState::NotCompared => format!("{}   {name}", look.doubtful("UNKNOWN")),
    };
    let rows = &table.rows;
    let by = match table.by {
        ComparedBy::Key => format!(", by key ({})", foreign(&table.key.join(", "))),
        ComparedBy::Content => ", by content".to_owned(),
        ComparedBy::Nothing => String::new(),
    };
    let mut text = head + &by;
    if table.by != ComparedBy::Nothing {
        let left = counted(rows.left, "row");
        text.push_str(&format!(
            ": {left} left, {} right",
            counted(rows.right, "row")
        ));
    }
    if rows.differ() {
        text.push_str(&format!(
            "; {} different, {} missing left, {} missing right",
            rows.different, rows.missing_left, rows.missing_right
        ));
    }
    text.push('\n');
    for reason in &table.reasons {
        text.push_str(&wrapped(
            &foreign(reason),
            "          ",
            "            ",
            look.width,
        ));
        text.push('\n');
    }
    text
}

/// One row that differs as a line of text.
pub fn difference(row: &RowDifference) -> String {
    let kind = match row.kind {
        RowDifferenceKind::MissingLeft => "missing left ",
        RowDifferenceKind::MissingRight => "missing right",
        RowDifferenceKind::Different => "different    ",
    };
    let key: Vec<String> = row
        .key
        .iter()
        .map(|(name, value)| format!("{}={}", safe(name), safe(value)))
        .collect();
    let mut text = format!("  {kind} {}", key.join(" "));
    if let Some(content) = &row.content {
        text.push_str(&format!("row {} x{}", safe(content), row.count));
    }
    if !row.columns.is_empty() {
        let columns: Vec<String> = row.columns.iter().map(|name| safe(name)).collect();
        text.push_str(&format!(": {}", columns.join(", ")));
    }
    text + "\n"
}

/// What it all comes to.
pub fn closing(comparison: &Comparison, look: Look) -> String {
    let sum = |part: fn(&TableComparison) -> u64| comparison.tables.iter().map(part).sum::<u64>();
    let differing =
        sum(|table| table.rows.different + table.rows.missing_left + table.rows.missing_right);
    let tables = counted(comparison.tables.len() as u64, "table");
    let rows = counted(sum(|table| table.rows.equal), "equal row");
    let word = match comparison.verdict {
        Verdict::Pass => look.good("EQUAL"),
        Verdict::Unknown => look.doubtful("UNKNOWN"),
        Verdict::Fail => look.bad("DIFFERENT"),
    };
    let mut text = format!(
        "{word}: {tables}, {rows}, {} that {}\n",
        counted(differing, "row"),
        if differing == 1 { "differs" } else { "differ" }
    );
    for side in [("left", &comparison.left), ("right", &comparison.right)] {
        let (name, side) = side;
        text.push_str(&format!(
            "  {name:<6} {} (PostgreSQL {})\n",
            safe(&side.address),
            safe(&side.server_version)
        ));
    }
    for reason in &comparison.reasons {
        text.push_str(&format!("  {}\n", foreign(reason)));
    }
    text
}

/// The JSON object up to its list of rows.
///
/// # Errors
/// A defect of ours.
pub fn head_json(comparison: &Comparison) -> Result<String, ReportError> {
    let whole = serde_json::to_string_pretty(comparison).map_err(ReportError::Json)?;
    let open = whole.strip_suffix("\n}").unwrap_or(&whole);
    Ok(format!("{open},\n  \"differences\": ["))
}

/// One row of the list, the comma before it included.
///
/// # Errors
/// A defect of ours.
pub fn difference_json(row: &RowDifference, first: bool) -> Result<String, ReportError> {
    let comma = if first { "" } else { "," };
    let row = serde_json::to_string(row).map_err(ReportError::Json)?;
    Ok(format!("    {comma}{row}"))
}

/// The end of the JSON object.
pub const TAIL_JSON: &str = "  ]\n}\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn tables_rows_and_closing_are_shown_without_escape_sequences() {
        let (comparison, rows) = samples::comparison();
        let mut text: String = comparison
            .tables
            .iter()
            .map(|one| table(one, Look::PLAIN))
            .collect();
        text.extend(rows.iter().map(difference));
        text.push_str(&closing(&comparison, Look::PLAIN));
        let expected = "\
DIFFERS   public.orders, by key (id): 3 rows left, 2 rows right; \
1 different, 0 missing left, 1 missing right
UNKNOWN   public.log, by content: 0 rows left, 0 rows right
          column x is only on the left
  different     id=7\\u{1b}[1m: amount, name
  missing right id=9
DIFFERENT: 2 tables, 1 equal row, 2 rows that differ
  left   u@old:5432/d (PostgreSQL 15.18)
  right  u@new:5432/d (PostgreSQL 17.11)
";
        assert_eq!(text, expected);
    }
}
