//! A line of COPY to a row of the stored ledger without an allocation for each value: for what most values are, a text
//! that is canonical as the server prints it.
//!
//! It gives exactly what `tables::stored_row` gives, or nothing, and then that one reads the line: a test holds the two
//! against each other.

use cutover_model::canonical::{Canonical, RowHasher, push_key};
use cutover_model::{Column, StoredRow, TableShape};

use crate::canonical::{change_key_hash, from_text, oid};

/// Reads the lines of one table, one after the other into the same row.
pub(crate) struct QuickRow<'s> {
    shape: &'s TableShape,
    /// Every column is of a type that is known to be read the same way here.
    able: bool,
    hasher: RowHasher,
    key: String,
    row: StoredRow,
}

impl<'s> QuickRow<'s> {
    pub(crate) fn new(shape: &'s TableShape, incarnation: i32) -> QuickRow<'s> {
        QuickRow {
            shape,
            able: !shape.columns.is_empty() && shape.columns.iter().all(is_plain),
            hasher: RowHasher::default(),
            key: String::new(),
            row: StoredRow {
                incarnation,
                relation: shape.relation.to_string(),
                key: None,
                key_hash: 0,
                image: None,
                revision: None,
            },
        }
    }

    /// The row that was read last.
    pub(crate) fn row(&self) -> &StoredRow {
        &self.row
    }

    /// Reads a line; false if it is not as most lines are, and then the row means nothing.
    pub(crate) fn read(&mut self, line: &[u8]) -> bool {
        let line = match std::str::from_utf8(line) {
            Ok(line) if self.able => line,
            _ => return false,
        };
        self.hasher.clear();
        self.key.clear();
        self.row.revision = None;
        let mut fields = line.split('\t');
        for column in &self.shape.columns {
            let taken = fields.next().and_then(|field| self.take(column, field));
            if taken.is_none() {
                return false;
            }
        }
        if fields.next().is_some() {
            return false;
        }
        self.row.image = Some(self.hasher.finish());
        self.row.key = if self.key.is_empty() {
            None
        } else {
            self.key.push('}');
            // The text of the row before it is used again.
            let mut text = self.row.key.take().unwrap_or_default();
            text.clone_from(&self.key);
            Some(text)
        };
        let (key, image) = (self.row.key.as_deref(), self.row.image);
        self.row.key_hash = change_key_hash(&self.row.relation, key, None, image);
        true
    }

    /// Takes one value in; `None` if it is escaped, or not understood.
    fn take(&mut self, column: &Column, field: &str) -> Option<()> {
        let canonical;
        let text = if field == "\\N" {
            None
        } else if field.contains('\\') {
            return None;
        } else if is_canonical(column.type_oid, field) {
            Some(field)
        } else {
            canonical = from_text(column, field);
            match &canonical {
                Canonical::Text(text) => Some(text.as_str()),
                _ => return None,
            }
        };
        match text {
            Some(text) => self.hasher.text(&column.name, text),
            None => self.hasher.column(&column.name, &Canonical::Null),
        }
        if column.key {
            push_key(&mut self.key, &column.name, text);
        }
        if column.name == "revision" {
            self.row.revision = text.and_then(|text| text.parse().ok());
        }
        Some(())
    }
}

/// Whether a column's values are compared, and by nothing but their text: asked with a sample of its type.
fn is_plain(column: &Column) -> bool {
    let sample = match column.type_oid {
        oid::BOOL => "t",
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID | oid::NUMERIC | oid::FLOAT4 | oid::FLOAT8 => {
            "1"
        }
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR => "x",
        oid::JSON | oid::JSONB => "{}",
        oid::UUID => "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        oid::BYTEA => "\\x",
        oid::DATE => "1970-01-01",
        oid::TIME => "00:00:00",
        oid::TIMESTAMP => "1970-01-01 00:00:00",
        oid::TIMESTAMPTZ => "1970-01-01 00:00:00+00",
        _ => return false,
    };
    matches!(from_text(column, sample), Canonical::Text(_))
}

/// Whether the canonical form of a value is its text as it stands. False where looking closer is needed.
fn is_canonical(type_oid: u32, text: &str) -> bool {
    match type_oid {
        oid::TEXT | oid::VARCHAR => true,
        oid::BOOL => matches!(text, "t" | "f"),
        oid::INT2 | oid::INT4 | oid::INT8 => {
            // Up to 18 digits no number is too large.
            let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
            let first = digits.first().copied().unwrap_or_default();
            (b'1'..=b'9').contains(&first)
                && digits.len() <= 18
                && digits.iter().all(u8::is_ascii_digit)
        }
        oid::UUID => text.bytes().all(|byte| !byte.is_ascii_uppercase()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use cutover_model::{Relation, ReplicaIdentity};

    use super::*;
    use crate::notes::Notes;
    use crate::tables::stored_row;

    const TYPES: [(u32, &[&str]); 10] = [
        (
            oid::INT8,
            &[
                "0",
                "-0",
                "007",
                "-17",
                "9223372036854775807",
                "123456789012345678",
                "x",
                "",
                "-",
                "+1",
            ],
        ),
        (oid::INT4, &["1", "-2147483648", "\\N"]),
        (
            oid::TEXT,
            &["", "a b", "é東", "a\\tb", "\\\\N", "\\N", "{\"x\": 1}"],
        ),
        (oid::VARCHAR, &["x", "\"quoted\""]),
        (oid::BOOL, &["t", "f", "true"]),
        (
            oid::UUID,
            &[
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            ],
        ),
        (oid::NUMERIC, &["1.50", "NaN", "0.000", "x"]),
        (oid::FLOAT8, &["1e+21", "-0", "NaN"]),
        (
            oid::TIMESTAMPTZ,
            &[
                "2026-01-01 00:00:00+00",
                "infinity",
                "2026-01-01 00:00:00+02",
            ],
        ),
        (oid::DATE, &["0001-01-01 BC", "2026-02-29x"]),
    ];

    #[test]
    fn tables_with_other_types_are_left_to_the_slow_way() {
        let column = |type_oid| Column {
            name: "a".into(),
            type_oid,
            type_modifier: -1,
            key: false,
            ..Column::default()
        };
        let shape = |columns| TableShape {
            relation: Relation::new("public", "t"),
            columns,
            replica_identity: ReplicaIdentity::Full,
        };
        let reads = |columns, line: &[u8]| QuickRow::new(&shape(columns), 0).read(line);
        assert!(reads(vec![column(oid::TEXT)], b"x"));
        assert!(!reads(vec![column(oid::TEXT), column(99_999)], b"x\tx"));
        assert!(!reads(vec![], b""));
    }

    #[test]
    fn every_line_is_read_as_the_slow_way_reads_it_or_not_at_all() {
        let mut quickly = 0;
        for keyed in 0..TYPES.len() {
            for round in 0..40 {
                let column = |(place, (type_oid, _)): (usize, &(u32, &[&str]))| Column {
                    name: if place == 0 {
                        "revision".to_owned()
                    } else {
                        format!("c\"{place}")
                    },
                    type_oid: *type_oid,
                    type_modifier: -1,
                    key: place == keyed || place == round % 11,
                    ..Column::default()
                };
                let shape = TableShape {
                    relation: Relation::new("public", "t"),
                    columns: TYPES.iter().enumerate().map(column).collect(),
                    replica_identity: ReplicaIdentity::Full,
                };
                let value = |(place, (_, texts)): (usize, &(u32, &[&'static str]))| {
                    texts[(round * (place + 1) + keyed) % texts.len()]
                };
                let values: Vec<&str> = TYPES.iter().enumerate().map(value).collect();
                let plain: Vec<&str> = values
                    .iter()
                    .map(|text| {
                        if text.len() > 2 && text.contains('\\') {
                            ""
                        } else {
                            *text
                        }
                    })
                    .collect();
                let mut quick = QuickRow::new(&shape, 3);
                for line in [values.join("\t"), plain.join("\t")] {
                    if quick.read(line.as_bytes()) {
                        quickly += 1;
                        assert_eq!(
                            *quick.row(),
                            stored_row(&shape, 3, line.as_bytes(), &mut Notes::default()).unwrap(),
                            "{line}"
                        );
                    }
                }
                for broken in ["1\t2", ""] {
                    assert!(!quick.read(broken.as_bytes()), "{broken}");
                }
                assert!(!quick.read(b"\xff"));
            }
        }
        assert!(quickly > 30, "{quickly}");
    }
}
