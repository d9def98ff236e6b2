//! Hashes of canonical values: what makes a row from pgoutput, from COPY and from a JSON converter equal.
//!
//! A recorder brings each value to one text per type (see `record::canonical`) and feeds it here. Hashes are
//! xxh3 (64 bit, stable across machines and versions), stored as signed numbers because every SQL engine has
//! those. Two different images of *one* key and LSN collide once in 2^64; values never leave the recorder.

use xxhash_rust::xxh3::{Xxh3, xxh3_64_with_seed};

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
pub struct RowHasher {
    state: Xxh3,
}

impl Default for RowHasher {
    fn default() -> RowHasher {
        RowHasher {
            state: Xxh3::with_seed(IMAGE_SEED),
        }
    }
}

const IMAGE_SEED: u64 = 0x696d_6167_6531;
const KEY_SEED: u64 = 0x6b65_7931;

impl RowHasher {
    /// Adds a column. Order matters: always the table's attribute order.
    /// Lengths are part of the hash, so ("ab","c") and ("a","bc") differ.
    pub fn column(&mut self, name: &str, value: &Canonical) {
        let (tag, text) = match value {
            Canonical::Null => (0_u8, ""),
            Canonical::Text(text) => (1, text.as_str()),
            Canonical::NotCompared(_) => return,
        };
        self.state.update(&(name.len() as u64).to_le_bytes());
        self.state.update(name.as_bytes());
        self.state.update(&[tag]);
        self.state.update(&(text.len() as u64).to_le_bytes());
        self.state.update(text.as_bytes());
    }

    /// The hash of the row.
    pub fn finish(&self) -> i64 {
        self.state.digest().cast_signed()
    }
}

/// Key text of a row: a JSON object of canonical texts in key column order, e.g. `{"id":"42"}`.
pub fn key_text(columns: &[(&str, &Canonical)]) -> String {
    let mut text = String::from("{");
    for (index, (name, value)) in columns.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(*name).to_string());
        text.push(':');
        match value {
            Canonical::Text(value) => {
                text.push_str(&serde_json::Value::from(value.as_str()).to_string());
            }
            Canonical::Null | Canonical::NotCompared(_) => text.push_str("null"),
        }
    }
    text.push('}');
    text
}

/// Hash of relation and key text.
pub fn key_hash(relation: &str, key: &str) -> i64 {
    let mut bytes = Vec::with_capacity(relation.len() + key.len() + 1);
    bytes.extend_from_slice(relation.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(key.as_bytes());
    xxh3_64_with_seed(&bytes, KEY_SEED).cast_signed()
}

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

    #[test]
    fn hashes_are_stable_across_versions_because_ledgers_are_kept() {
        assert_eq!(
            key_hash("public.orders", "{\"id\":\"1\"}"),
            key_hash("public.orders", "{\"id\":\"1\"}")
        );
        assert_ne!(key_hash("a", "bc"), key_hash("ab", "c"));
    }

    #[test]
    fn key_text_is_json_whatever_the_value() {
        let hostile = Canonical::Text("\"},{\"".into());
        let text = key_text(&[("id", &hostile), ("n", &Canonical::Null)]);
        let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["id"], "\"},{\"");
    }
}
