//! Claims about what a merge says of two streams, and that it says nothing where their order proves nothing.

use super::*;

/// Rows that are there from the start.
struct Lines(std::vec::IntoIter<Vec<u8>>, Vec<u8>);

impl Lines {
    fn of(text: &str) -> Lines {
        let rows: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().to_vec()).collect();
        Lines(rows.into_iter(), Vec::new())
    }
}

impl Rows for Lines {
    fn advance(&mut self) -> Result<bool, RecordError> {
        let next = self.0.next();
        self.1 = next.clone().unwrap_or_default();
        Ok(next.is_some())
    }

    fn row(&self) -> &[u8] {
        &self.1
    }
}

fn layout(key: &[(&str, KeyOrder)], values: &[&str]) -> Layout {
    Layout {
        key: key
            .iter()
            .map(|(name, order)| ((*name).to_owned(), *order))
            .collect(),
        values: values.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn merged(layout: &Layout, left: &str, right: &str) -> (Merged, Vec<String>) {
    let mut said = Vec::new();
    let merge = Merge {
        table: "public.t",
        layout,
        show_rows: true,
    };
    let mut found = |difference: RowDifference| {
        let RowDifference {
            kind,
            key,
            content,
            count,
            columns,
            ..
        } = difference;
        let key: Vec<String> = key.into_values().collect();
        let what = content.unwrap_or_else(|| key.join("/"));
        said.push(format!("{kind:?} {what} x{count} {}", columns.join(",")));
        Ok(())
    };
    let merged = merge.run(&mut Lines::of(left), &mut Lines::of(right), &mut found);
    (merged.unwrap(), said)
}

#[test]
fn every_row_that_differs_is_named_with_its_key_and_columns() {
    let layout = layout(&[("id", KeyOrder::Integer)], &["a", "b"]);
    let left = "-5\tx\ty\n1\tx\ty\n2\tx\ty\n10\tx\t\\N\n11\tx\ty";
    let right = "-7\tn\tn\n1\tx\ty\n2\tq\ty\n10\tx\t\n12\tx\ty";
    let (merged, said) = merged(&layout, left, right);
    assert_eq!(merged.void, None);
    assert_eq!(
        said,
        [
            "MissingLeft -7 x1 ",
            "MissingRight -5 x1 ",
            "Different 2 x1 a",
            "Different 10 x1 b",
            "MissingRight 11 x1 ",
            "MissingLeft 12 x1 ",
        ]
    );
    let counts = RowCounts {
        left: 5,
        right: 5,
        equal: 1,
        different: 2,
        missing_left: 2,
        missing_right: 2,
    };
    assert_eq!(merged.counts, counts);
}

#[test]
fn keys_of_several_columns_are_compared_column_by_column_and_unescaped() {
    let two = [("a", KeyOrder::Bytes), ("n", KeyOrder::Integer)];
    let layout = layout(&two, &["v"]);
    // "a" comes before "a\tb" although COPY writes a backslash there, and "a", 10 before "ab", 2.
    let left = "a\t2\tx\na\t10\tx\na\\tb\t1\tx\nab\t2\tx";
    let right = "a\t10\tx\na\\tb\t1\ty\nab\t2\tx";
    let (merged, said) = merged(&layout, left, right);
    assert_eq!(merged.void, None);
    assert_eq!(said, ["MissingRight a/2 x1 ", "Different a\tb/1 x1 v"]);
}

#[test]
fn rows_without_key_are_counted() {
    let layout = layout(&[], &[]);
    let (merged, said) = merged(&layout, "a\na\na\nb\nc", "a\nb\nb\nb\nc");
    assert_eq!(merged.void, None);
    assert_eq!(said, ["MissingRight a x2 ", "MissingLeft b x2 "]);
    assert_eq!(merged.counts.equal, 3);
}

#[test]
fn without_the_promised_order_nothing_is_claimed() {
    let numbers = layout(&[("id", KeyOrder::Integer)], &[]);
    let texts = layout(&[("id", KeyOrder::Bytes)], &[]);
    let content = layout(&[], &[]);
    for (layout, left, right) in [
        (&numbers, "1\n3\n2", "1\n3\n2"),
        (&numbers, "1\n2\n2", "1\n2\n3"),
        (&numbers, "1\n\\N", "1\n2"),
        (&numbers, "1\nx", "1\n2"),
        (&numbers, "5\n6", "4\n3"),
        (&texts, "b\nB", "b\nc"),
        (&content, "b\na", "b"),
    ] {
        let (merged, _) = merged(layout, left, right);
        assert!(merged.void.is_some(), "{left:?} {right:?}");
    }
}

/// A slow model: a map of each side.
#[test]
fn a_merge_says_what_two_maps_say() {
    use std::collections::BTreeMap;

    let layout = layout(&[("id", KeyOrder::Integer)], &["v"]);
    let mut dice = 7_u64;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for _ in 0..500 {
        let mut side = || -> BTreeMap<i64, u64> {
            let rows = roll(12);
            (0..rows)
                .map(|_| (roll(16).cast_signed() - 8, roll(2)))
                .collect()
        };
        let (left, right) = (side(), side());
        let text = |side: &BTreeMap<i64, u64>| {
            let rows: Vec<String> = side.iter().map(|(id, v)| format!("{id}\t{v}")).collect();
            rows.join("\n")
        };
        let (merged, said) = merged(&layout, &text(&left), &text(&right));
        let mut wanted = Vec::new();
        for id in -8..8 {
            match (left.get(&id), right.get(&id)) {
                (Some(one), Some(two)) if one != two => {
                    wanted.push(format!("Different {id} x1 v"));
                }
                (Some(_), None) => wanted.push(format!("MissingRight {id} x1 ")),
                (None, Some(_)) => wanted.push(format!("MissingLeft {id} x1 ")),
                _ => {}
            }
        }
        assert_eq!(said, wanted);
        assert_eq!(merged.void, None);
        assert_eq!(merged.counts.left, left.len() as u64);
        assert_eq!(merged.counts.right, right.len() as u64);
    }
}
