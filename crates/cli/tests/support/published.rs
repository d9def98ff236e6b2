//! Whether what the real program prints as JSON is what `docs/schema` publishes.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::agree::agree;

/// Where schemas are.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema")
}

/// The schema of a format, `cutover.gap/1` in `gap-1.schema.json`.
pub fn schema(format: &str) -> Value {
    let name = format.strip_prefix("cutover.").unwrap().replace('/', "-");
    let path = folder().join(format!("{name}.schema.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(schema["title"], format);
    schema
}

/// It has the keys, types and words of the schema that its format names.
pub fn fits(value: &Value) {
    let format = value["format"].as_str().unwrap();
    let schema = schema(format);
    agree(&schema, &schema, value, format);
}
