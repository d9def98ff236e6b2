//! One version of a row, put together value by value as it is read, without memory for each.
//!
//! For rows of which every column is compared and every value is there; any other goes through
//! [`row_image`](super::row_image). The rule it protects: both give the same hash and the same key.

use cutover_model::Column;
use cutover_model::canonical::{Canonical, ColumnMark, RowHasher, push_key};

/// Most key texts have room in so many bytes.
const KEY_BYTES: usize = 48;

/// What the ledgers hold of one version of a row.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) key: Option<String>,
    /// `None` when not every value is there.
    pub(crate) hash: Option<i64>,
    pub(crate) revision: Option<i64>,
}

/// Room for one version after the other.
#[derive(Default)]
pub(crate) struct Assembling {
    hasher: RowHasher,
    version: Version,
}

impl Assembling {
    /// Begins another row. `key` is the text of one that is done with, if there is one, whose memory is used again.
    pub(crate) fn begin(&mut self, key: Option<String>) {
        self.hasher.clear();
        self.version.revision = None;
        self.version.key = key.map(|mut key| {
            key.clear();
            key
        });
    }

    /// Adds a value in canonical form; always in the table's attribute order.
    pub(crate) fn add(&mut self, column: &Column, mark: &ColumnMark, text: Option<&str>) {
        match text {
            Some(text) => self.hasher.marked(mark, text),
            None => self.hasher.column(&column.name, &Canonical::Null),
        }
        if column.key {
            let empty = || String::with_capacity(KEY_BYTES);
            let key = self.version.key.get_or_insert_with(empty);
            push_key(key, &column.name, text);
        }
        if column.name == "revision" {
            self.version.revision = text.and_then(|text| text.parse().ok());
        }
    }

    /// The whole of it.
    pub(crate) fn finish(&mut self) -> Version {
        let mut version = std::mem::take(&mut self.version);
        version.hash = Some(self.hasher.finish());
        version.key = version.key.filter(|key| !key.is_empty()).map(|mut key| {
            key.push('}');
            key
        });
        version
    }
}
