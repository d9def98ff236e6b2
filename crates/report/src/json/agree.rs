//! Whether a JSON value has exactly the keys of its schema, and allowed types and words. For tests: those of this
//! crate, and those that look at what the real program prints.

use std::collections::BTreeSet;

use serde_json::Value;

/// Walks value and schema together: same keys, allowed types, allowed words.
pub fn agree(root: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = resolved(root, schema, value, place);
    type_fits(schema, value, place);
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        assert!(
            words.contains(value),
            "{place}: {value} is none of {words:?}"
        );
    }
    if let Some(word) = schema.get("const") {
        assert_eq!(word, value, "{place}");
    }
    match value {
        Value::Object(fields) => object_agrees(root, schema, fields, place),
        Value::Array(items) => {
            for item in items {
                agree(root, &schema["items"], item, &format!("{place}[]"));
            }
        }
        _ => {}
    }
}

fn object_agrees(
    root: &Value,
    schema: &Value,
    fields: &serde_json::Map<String, Value>,
    place: &str,
) {
    if let Some(values) = schema
        .get("additionalProperties")
        .filter(|more| more.is_object())
    {
        for (name, value) in fields {
            agree(root, values, value, &format!("{place}.{name}"));
        }
        return;
    }
    let properties = schema["properties"].as_object().unwrap();
    let written: BTreeSet<&String> = fields.keys().collect();
    let described: BTreeSet<&String> = properties.keys().collect();
    assert_eq!(written, described, "keys of {place}");
    let required: BTreeSet<&str> = schema["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    assert_eq!(
        required,
        written.iter().map(|name| name.as_str()).collect(),
        "{place}"
    );
    for (name, value) in fields {
        agree(root, &properties[name], value, &format!("{place}.{name}"));
    }
}

/// Follows `$ref`, and picks the alternative of `oneOf` by its `type` word or by null.
fn resolved<'s>(root: &'s Value, schema: &'s Value, value: &Value, place: &str) -> &'s Value {
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let pointer = target.strip_prefix('#').unwrap();
        let found = root
            .pointer(pointer)
            .unwrap_or_else(|| panic!("{place}: no {target}"));
        return resolved(root, found, value, place);
    }
    let Some(choices) = schema.get("oneOf").and_then(Value::as_array) else {
        return schema;
    };
    let chosen = choices.iter().find(|choice| {
        let choice = choice
            .get("$ref")
            .map_or(*choice, |_| resolved(root, choice, value, place));
        match value.get("type") {
            Some(word) => choice.pointer("/properties/type/const") == Some(word),
            None => (choice["type"] == "null") == value.is_null(),
        }
    });
    let chosen = chosen.unwrap_or_else(|| panic!("{place}: no alternative fits {value}"));
    resolved(root, chosen, value, place)
}

fn type_fits(schema: &Value, value: &Value, place: &str) {
    let allowed: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one.as_str()],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        other => panic!("{place}: type is {other}"),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let number = is == "integer" && allowed.contains(&"number");
    assert!(
        number || allowed.contains(&is),
        "{place} is {is}, allowed {allowed:?}"
    );
}
