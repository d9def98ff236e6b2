//! One record as the broker holds it. Timestamp, key and headers are evidence too, so nothing is dropped.

/// A record, borrowed from the fetch buffer.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Topic.
    pub topic: &'a str,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since the epoch, by producer or broker as the topic is set up.
    pub timestamp_ms: Option<i64>,
    /// Key.
    pub key: Option<&'a [u8]>,
    /// Value; `None` is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers in order.
    pub headers: Vec<(&'a str, Option<&'a [u8]>)>,
}

impl Record<'_> {
    /// Content of the first header of this name as text; empty if it has none.
    pub fn header_text(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| String::from_utf8_lossy(value.unwrap_or_default()).into_owned())
    }

    /// Whether there is a header of this name.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| *key == name)
    }
}
