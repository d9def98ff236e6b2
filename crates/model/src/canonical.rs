//! Hashes of canonical values: what makes a row from pgoutput, from COPY and from a JSON converter equal.
//!
//! A recorder brings each value to one text per type (see `record::canonical`) and feeds it here. Hashes are
//! xxh3 (64 bit, stable across machines and versions), stored as signed numbers because every SQL engine has
//! those. Two different images of *one* key and LSN collide once in 2^64; values never leave the recorder.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A value in canonical form.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Canonical {
    /// SQL NULL.
    Null,
    /// The one text of the value (numbers without trailing zeros, times as microseconds, bytes as hex, …).
    Text(String),
    /// The value is there but this type or encoding cannot be compared yet; carries why, for the report.
    NotCompared(String),
}

/// Collects one row image, column by column, and gives its hash.
///
/// A column that is not comparable leaves the hash alone but is remembered: a row is then equal *as far as it
/// was compared*, and `Evidence` lists the column.
#[derive(Debug, Default)]
pub struct RowHasher {
    /// Everything that is hashed. Hashing it at once is several times faster than piece by piece.
    bytes: Vec<u8>,
}

const IMAGE_SEED: u64 = 0x696d_6167_6531;
const KEY_SEED: u64 = 0x6b65_7931;

impl RowHasher {
    /// Adds a column. Order matters: always the table's attribute order.
    /// Lengths are part of the hash, so ("ab","c") and ("a","bc") differ.
    pub fn column(&mut self, name: &str, value: &Canonical) {
        match value {
            Canonical::Null => self.part(name, 0, ""),
            Canonical::Text(text) => self.part(name, 1, text),
            Canonical::NotCompared(_) => {}
        }
    }

    /// Adds a column with a text that is canonical already.
    pub fn text(&mut self, name: &str, text: &str) {
        self.part(name, 1, text);
    }

    /// Begins another row.
    #[inline]
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// As [`RowHasher::text`], of a column whose mark was made before.
    #[inline]
    pub fn marked(&mut self, mark: &ColumnMark, text: &str) {
        let bytes = &mut self.bytes;
        match &mark.0 {
            // So many bytes at once are two moves, a number that is not known before is a call.
            Mark::Short(padded, length) => {
                let behind = bytes.len() + length;
                bytes.extend_from_slice(padded);
                bytes.truncate(behind);
            }
            Mark::Long(whole) => bytes.extend_from_slice(whole),
        }
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }

    fn part(&mut self, name: &str, tag: u8, text: &str) {
        let bytes = &mut self.bytes;
        bytes.reserve(17 + name.len() + text.len());
        push_mark(bytes, name, tag);
        bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }

    /// The hash of the row.
    #[inline]
    pub fn finish(&self) -> i64 {
        xxh3_64_with_seed(&self.bytes, IMAGE_SEED).cast_signed()
    }
}

/// What stands before each value of one column that is not null. Whoever reads millions of rows makes it once.
#[derive(Debug, Clone)]
pub struct ColumnMark(Mark);

#[derive(Debug, Clone)]
enum Mark {
    /// With zeros behind it, and its length.
    Short([u8; SHORT_MARK], usize),
    Long(Vec<u8>),
}

/// Length of the mark of a column whose name has 23 bytes.
const SHORT_MARK: usize = 32;

impl ColumnMark {
    /// Of the column of this name.
    pub fn new(name: &str) -> ColumnMark {
        let mut whole = Vec::new();
        push_mark(&mut whole, name, 1);
        let mut padded = [0; SHORT_MARK];
        ColumnMark(match padded.get_mut(..whole.len()) {
            Some(bytes) => {
                bytes.copy_from_slice(&whole);
                Mark::Short(padded, whole.len())
            }
            None => Mark::Long(whole),
        })
    }
}

fn push_mark(bytes: &mut Vec<u8>, name: &str, tag: u8) {
    bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(tag);
}

/// Key text of a row: a JSON object of canonical texts in key column order, e.g. `{"id":"42"}`.
pub fn key_text(columns: &[(&str, &Canonical)]) -> String {
    let mut text = String::new();
    for (name, value) in columns {
        push_key(
            &mut text,
            name,
            match value {
                Canonical::Text(value) => Some(value),
                Canonical::Null | Canonical::NotCompared(_) => None,
            },
        );
    }
    text.push_str(if text.is_empty() { "{}" } else { "}" });
    text
}

/// Appends a member to a key text that begins with the first and lacks only the closing bracket.
pub fn push_key(text: &mut String, name: &str, value: Option<&str>) {
    text.push(if text.is_empty() { '{' } else { ',' });
    push_json(text, name);
    text.push(':');
    match value {
        Some(value) => push_json(text, value),
        None => text.push_str("null"),
    }
}

/// Appends a JSON string.
#[inline]
fn push_json(text: &mut String, value: &str) {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if value.bytes().all(plain) {
        text.push('"');
        text.push_str(value);
        text.push('"');
    } else {
        text.push_str(&serde_json::Value::from(value).to_string());
    }
}

/// Hash of relation and key text.
#[inline]
pub fn key_hash(relation: &str, key: &str) -> i64 {
    let (relation, key) = (relation.as_bytes(), key.as_bytes());
    let hash = |bytes: &[u8]| xxh3_64_with_seed(bytes, KEY_SEED).cast_signed();
    let mut short = [0; SHORT_KEY];
    let length = relation.len() + key.len() + 1;
    match short.get_mut(..length) {
        // Most are short, and every row has one: no memory is asked for then.
        Some(bytes) => {
            let (head, tail) = bytes.split_at_mut(relation.len());
            head.copy_from_slice(relation);
            tail[1..].copy_from_slice(key);
            hash(bytes)
        }
        None => hash(&[relation, &[0], key].concat()),
    }
}

/// Bytes of relation and key that are put together without asking for memory.
const SHORT_KEY: usize = 128;

/// Stands in for the key hash in change rows of a table without key: its changes are told apart by content.
pub fn keyless_hash(relation: &str, before: Option<i64>, after: Option<i64>) -> i64 {
    let side = |image: Option<i64>| image.map_or_else(|| "-".to_owned(), |hash| hash.to_string());
    key_hash(relation, &format!("{}>{}", side(before), side(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(columns: &[(&str, Canonical)]) -> i64 {
        let mut hasher = RowHasher::default();
        for (name, value) in columns {
            hasher.column(name, value);
        }
        hasher.finish()
    }

    #[test]
    fn column_borders_null_and_names_are_part_of_the_image() {
        let text = |value: &str| Canonical::Text(value.into());
        let one = hash(&[("a", text("ab")), ("b", text("c"))]);
        assert_ne!(one, hash(&[("a", text("a")), ("b", text("bc"))]));
        assert_ne!(hash(&[("a", text(""))]), hash(&[("a", Canonical::Null)]));
        assert_ne!(hash(&[("a", text("1"))]), hash(&[("b", text("1"))]));
        assert_eq!(one, hash(&[("a", text("ab")), ("b", text("c"))]));
    }

    /// Values from another implementation of xxh3.
    #[test]
    fn hashes_are_stable_across_versions_because_ledgers_are_kept() {
        let text = |value: &str| Canonical::Text(value.into());
        let long = "x".repeat(1000);
        let one = [("id", text("1"))];
        let two = [("id", text("1")), ("n", Canonical::Null)];
        assert_eq!(hash(&one), 6_242_031_176_374_577_166);
        assert_eq!(hash(&two), 6_435_709_694_329_058_758);
        assert_eq!(hash(&[("a", text(&long))]), -7_792_471_333_983_144_901);
        assert_eq!(hash(&[]), -1_973_575_447_786_476_153);
        assert_eq!(
            key_hash("public.orders", "{\"id\":\"1\"}"),
            key_hash("public.orders", "{\"id\":\"1\"}")
        );
        assert_ne!(key_hash("a", "bc"), key_hash("ab", "c"));
    }

    #[test]
    fn what_is_prepared_or_short_hashes_as_everything_else_does() {
        for name in ["", "é", &"n".repeat(23), &"n".repeat(24), &"n".repeat(63)] {
            let mut marked = RowHasher::default();
            marked.marked(&ColumnMark::new("id"), "1");
            marked.marked(&ColumnMark::new(name), "x");
            let text = |text: &str| Canonical::Text(text.into());
            assert_eq!(
                marked.finish(),
                hash(&[("id", text("1")), (name, text("x"))])
            );
        }
        for length in [0, 1, 100, SHORT_KEY - 2, SHORT_KEY - 1, SHORT_KEY, 1_000] {
            let key = "k".repeat(length);
            let whole = format!("r\0{key}");
            let expected = xxh3_64_with_seed(whole.as_bytes(), KEY_SEED).cast_signed();
            assert_eq!(key_hash("r", &key), expected, "{length}");
        }
    }

    #[test]
    fn key_text_is_json_whatever_the_value() {
        let hostile = Canonical::Text("\"},{\"".into());
        let text = key_text(&[("id", &hostile), ("n", &Canonical::Null)]);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["id"], "\"},{\"");
    }
}
