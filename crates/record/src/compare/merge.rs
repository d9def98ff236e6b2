//! Two streams of rows in one order, merged: which rows are equal, which differ, which one side lacks. Pure, and in
//! the memory of two rows.
//!
//! The rule it protects: a row is called missing only because the other side is past its place, so the order is
//! checked at every row. Where rows do not come in strictly rising order of their keys, nothing is claimed.
//! Rows are compared as COPY's text, byte by byte; equal bytes are the common case and cost one comparison.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use cutover_clients::pg::copy::unescape;
use cutover_model::canonical::key_hash;
use cutover_model::comparison::{RowCounts, RowDifference, RowDifferenceKind};

use crate::RecordError;

/// A stream of rows in COPY's text.
pub(super) trait Rows {
    /// Goes to the next row; false after the last.
    fn advance(&mut self) -> Result<bool, RecordError>;
    /// The current row, without its line break.
    fn row(&self) -> &[u8];
}

/// How values of a key column are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyOrder {
    /// By number.
    Integer,
    /// By the bytes of the text.
    Bytes,
}

/// What the fields of a row are: first the key, then the other values. Without a key the row is one field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Names and orders of the key's columns.
    pub(super) key: Vec<(String, KeyOrder)>,
    /// Names of the other columns.
    pub(super) values: Vec<String>,
}

/// What a merge came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merged {
    pub(super) counts: RowCounts,
    /// Why nothing can be claimed; what was reported before is void.
    pub(super) void: Option<String>,
}

/// Takes what differs.
pub(super) type Found<'f> = &'f mut dyn FnMut(RowDifference) -> Result<(), RecordError>;

/// Merges two streams.
pub(super) struct Merge<'m> {
    /// `schema.name`.
    pub(super) table: &'m str,
    /// The fields of a row.
    pub(super) layout: &'m Layout,
    /// Rows without key are shown as they are, not as a hash.
    pub(super) show_rows: bool,
}

/// What the two rows at hand are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The same bytes.
    Equal,
    /// One key, other bytes.
    Different,
    /// Only the left side has this one.
    Left,
    /// Only the right side has this one.
    Right,
}

/// Places of rows in the order, as texts whose bytes are in the order of the keys.
#[derive(Default)]
struct Places {
    /// Of the last row that was dealt with.
    floor: Vec<u8>,
    /// Of the row that comes next.
    next: Vec<u8>,
    /// Of the row on the right, while the two are compared.
    right: Vec<u8>,
}

impl Merge<'_> {
    /// Reads both to their ends.
    pub(super) fn run(
        &self,
        left: &mut dyn Rows,
        right: &mut dyn Rows,
        found: Found<'_>,
    ) -> Result<Merged, RecordError> {
        let mut merged = Merged {
            counts: RowCounts::default(),
            void: None,
        };
        let counts = &mut merged.counts;
        let (mut pending, mut places) = (Pending(None), Places::default());
        let (mut on_left, mut on_right) = (left.advance()?, right.advance()?);
        while on_left || on_right {
            let one = on_left.then(|| left.row());
            let two = on_right.then(|| right.row());
            let Some(step) = self.step(one, two, &mut places) else {
                merged.void = Some(self.disorder(one, two));
                return Ok(merged);
            };
            match step {
                Step::Equal => counts.equal += 1,
                Step::Different => counts.different += 1,
                Step::Left => counts.missing_right += 1,
                Step::Right => counts.missing_left += 1,
            }
            if step != Step::Equal {
                pending.put(self.difference(step, one, two), found)?;
            }
            if step != Step::Right {
                counts.left += 1;
                on_left = left.advance()?;
            }
            if step != Step::Left {
                counts.right += 1;
                on_right = right.advance()?;
            }
        }
        pending.flush(found)?;
        Ok(merged)
    }

    /// What comes next; `None` if the rows do not come in the order that was asked for.
    fn step(&self, left: Option<&[u8]>, right: Option<&[u8]>, at: &mut Places) -> Option<Step> {
        let same = left == right;
        if let Some(row) = left {
            self.place(row, &mut at.next)?;
        }
        if let (Some(row), false) = (right, same) {
            self.place(row, &mut at.right)?;
        }
        let step = match (left, right) {
            _ if same => Step::Equal,
            (_, None) => Step::Left,
            (None, _) => Step::Right,
            (Some(_), Some(_)) => match at.next.cmp(&at.right) {
                Ordering::Less => Step::Left,
                Ordering::Greater => Step::Right,
                Ordering::Equal if self.layout.key.is_empty() => Step::Equal,
                Ordering::Equal => Step::Different,
            },
        };
        if step == Step::Right {
            std::mem::swap(&mut at.next, &mut at.right);
        }
        let rises = match at.next.cmp(&at.floor) {
            Ordering::Greater => true,
            // Without a key, equal rows may follow each other.
            Ordering::Equal => self.layout.key.is_empty(),
            Ordering::Less => false,
        };
        std::mem::swap(&mut at.floor, &mut at.next);
        rises.then_some(step)
    }

    /// The place of a row in the order; `None` if its key is none.
    fn place(&self, row: &[u8], place: &mut Vec<u8>) -> Option<()> {
        place.clear();
        if self.layout.key.is_empty() {
            append_text(row, place);
            return Some(());
        }
        let mut rest = row;
        for (_, order) in &self.layout.key {
            let field = next_field(&mut rest);
            if field == b"\\N" {
                return None;
            }
            match order {
                // With the sign turned over, the bytes are in the order of the numbers.
                KeyOrder::Integer => {
                    let ordered = integer(field)?.cast_unsigned() ^ (1 << 63);
                    place.extend_from_slice(&ordered.to_be_bytes());
                }
                // No text of PostgreSQL holds a zero byte, so a shorter one comes before a longer one.
                KeyOrder::Bytes => {
                    append_text(field, place);
                    place.push(0);
                }
            }
        }
        Some(())
    }

    fn disorder(&self, left: Option<&[u8]>, right: Option<&[u8]>) -> String {
        if self.layout.key.is_empty() {
            return "rows do not come in rising order of their text, so nothing can be said about them"
                .to_owned();
        }
        let words = |row: Option<&[u8]>| {
            row.map_or_else(
                || "the end".to_owned(),
                |row| format!("{:?}", self.key(row)),
            )
        };
        format!(
            "keys do not come in strictly rising order (at {} on the left, {} on the right), so nothing can be said \
             about its rows",
            words(left),
            words(right)
        )
    }

    fn key(&self, row: &[u8]) -> BTreeMap<String, String> {
        let fields = row.split(|byte| *byte == b'\t');
        let names = self.layout.key.iter().map(|(name, _)| name.clone());
        names.zip(fields.map(shown)).collect()
    }

    fn difference(&self, step: Step, left: Option<&[u8]>, right: Option<&[u8]>) -> RowDifference {
        let kind = match step {
            Step::Left => RowDifferenceKind::MissingRight,
            Step::Right => RowDifferenceKind::MissingLeft,
            Step::Equal | Step::Different => RowDifferenceKind::Different,
        };
        let row = if step == Step::Right { right } else { left };
        let row = row.unwrap_or_default();
        let content = self.layout.key.is_empty().then(|| {
            let text = shown(row);
            if self.show_rows {
                text
            } else {
                format!("{:016x}", key_hash(self.table, &text))
            }
        });
        let columns = match (step, left, right) {
            (Step::Different, Some(left), Some(right)) => self.differing(left, right),
            _ => Vec::new(),
        };
        RowDifference {
            table: self.table.to_owned(),
            kind,
            key: self.key(row),
            content,
            count: 1,
            columns,
        }
    }

    fn differing(&self, left: &[u8], right: &[u8]) -> Vec<String> {
        let skip = self.layout.key.len();
        let left = left.split(|byte| *byte == b'\t').skip(skip);
        let right = right.split(|byte| *byte == b'\t').skip(skip);
        (self.layout.values.iter().zip(left.zip(right)))
            .filter(|(_, (left, right))| left != right)
            .map(|(name, _)| name.clone())
            .collect()
    }
}

/// The last difference, while equal rows without key that follow are counted into it.
struct Pending(Option<RowDifference>);

impl Pending {
    fn put(&mut self, next: RowDifference, found: Found<'_>) -> Result<(), RecordError> {
        if let Some(last) = &mut self.0
            && next.content.is_some()
            && (&last.content, last.kind) == (&next.content, next.kind)
        {
            last.count += 1;
            return Ok(());
        }
        self.flush(found)?;
        self.0 = Some(next);
        Ok(())
    }

    fn flush(&mut self, found: Found<'_>) -> Result<(), RecordError> {
        self.0.take().map_or(Ok(()), found)
    }
}

fn next_field<'r>(rest: &mut &'r [u8]) -> &'r [u8] {
    let row = *rest;
    let end = row.iter().position(|byte| *byte == b'\t');
    let (field, left) = match end {
        Some(end) => (row.get(..end), row.get(end + 1..)),
        None => (Some(row), None),
    };
    *rest = left.unwrap_or_default();
    field.unwrap_or_default()
}

fn append_text(field: &[u8], place: &mut Vec<u8>) {
    if field.contains(&b'\\') {
        place.extend_from_slice(&unescape(field));
    } else {
        place.extend_from_slice(field);
    }
}

fn integer(field: &[u8]) -> Option<i64> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn shown(field: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(field)).into_owned()
}

#[cfg(test)]
mod tests;
