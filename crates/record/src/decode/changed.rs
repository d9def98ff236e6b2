//! Settings and transformations that publish something else than a row's values, or keys other than the table's: masks,
//! truncated and excluded columns, converters of one's own, transformations of values.
//!
//! The rule it protects: what a connector was told to change is not held against it. Such a column is left out by name
//! before the first row is read, and the rest of the row is still compared.

use cutover_model::{Column, Relation, TableShape};
use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value};

use super::routes::{Transformation, transformations};

/// Transformations of values.
const OF_VALUES: [&str; 5] = [
    "Cast$Value",
    "MaskField$Value",
    "ReplaceField$Value",
    "TimestampConverter$Value",
    "TimezoneConverter",
];
/// Transformations after which a key names no row any more.
const OF_KEYS: [&str; 4] = [
    "Cast$Key",
    "MaskField$Key",
    "ReplaceField$Key",
    "TimestampConverter$Key",
];
/// Options whose value names columns. The end of some is a salt, so only this much of a name is ever shown.
const OF_COLUMNS: [&str; 4] = [
    "column.mask.hash.",
    "column.mask.with.",
    "column.truncate.to.",
    "column.exclude.list",
];
const INCLUDED: &str = "column.include.list";

/// Values that a setting changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// Why a column is left out.
    why: String,
    /// Names `schema.table.column`, as Debezium matches them; nothing for every column.
    names: Option<Names>,
    /// Keys are changed with it.
    keys_too: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    patterns: String,
    /// What does not match is meant.
    others: bool,
}

impl Names {
    /// Each pattern must match the whole name, in small letters or large ones.
    fn compiled(&self) -> Compiled {
        let pattern = |pattern: &str| {
            let whole = format!("^(?:{})$", pattern.trim());
            let built = RegexBuilder::new(&whole).case_insensitive(true).build();
            built.ok()
        };
        Compiled {
            patterns: self.patterns.split(',').map(pattern).collect(),
            others: self.others,
        }
    }
}

struct Compiled {
    /// Nothing where Java knows a pattern that our library does not: it may mean any column.
    patterns: Vec<Option<Regex>>,
    others: bool,
}

impl Compiled {
    fn hit(&self, name: &str) -> bool {
        let matches = |pattern: &Option<Regex>| {
            let regex = pattern.as_ref();
            regex.map_or(!self.others, |regex| regex.is_match(name))
        };
        self.patterns.iter().any(matches) != self.others
    }
}

/// The settings, ready to be asked of many columns.
pub(super) struct Rules<'a>(Vec<(&'a str, Option<Compiled>)>);

impl<'a> Rules<'a> {
    pub(super) fn of(changed: impl IntoIterator<Item = &'a Changed>) -> Rules<'a> {
        let rule = |one: &'a Changed| (one.why.as_str(), one.names.as_ref().map(Names::compiled));
        Rules(changed.into_iter().map(rule).collect())
    }

    /// Why a column cannot be compared.
    pub(super) fn why(&self, table: &Relation, column: &Column) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let name = format!("{}.{}.{}", table.schema, table.name, column.name);
        let hit = |(_, names): &&(&str, Option<Compiled>)| {
            names.as_ref().is_none_or(|names| names.hit(&name))
        };
        self.0.iter().find(hit).map(|(why, _)| (*why).to_owned())
    }
}

/// What the settings change: values, and keys in words.
pub(super) fn changed(config: &Map<String, Value>) -> (Vec<Changed>, Vec<String>) {
    let (mut values, mut keys) = (Vec::new(), Vec::new());
    for (name, value) in config {
        let Some(value) = value.as_str().filter(|value| !value.trim().is_empty()) else {
            continue;
        };
        let begins = |begin: &&&str| name.starts_with(**begin);
        if let Some(shown) = OF_COLUMNS.iter().find(begins) {
            let shown = shown.trim_end_matches('.');
            values.push(Changed {
                why: format!("{shown} changes it or leaves it out"),
                names: Some(Names {
                    patterns: value.to_owned(),
                    others: false,
                }),
                // What is excluded is published in keys all the same.
                keys_too: !shown.ends_with(".list"),
            });
        } else if name == INCLUDED {
            values.push(Changed {
                why: format!("{INCLUDED} leaves it out"),
                names: Some(Names {
                    patterns: value.to_owned(),
                    others: true,
                }),
                keys_too: false,
            });
        } else if matches!(name.as_str(), "converters" | "post.processors") {
            values.push(everything(format!(
                "{name}={value} may publish another value"
            )));
        } else if name == "message.key.columns" {
            keys.push(format!("{name}={value}"));
        }
    }
    for Transformation { name, class, last } in transformations(config) {
        if OF_VALUES.contains(&last) {
            values.push(everything(format!(
                "transformation '{name}' ({class}) may publish another value"
            )));
        } else if OF_KEYS.contains(&last) {
            keys.push(format!("transformation '{name}' ({class})"));
        }
    }
    (values, keys)
}

fn everything(why: String) -> Changed {
    Changed {
        why,
        names: None,
        keys_too: false,
    }
}

/// A key that the settings change by naming one of its columns: table, column and why.
pub fn changed_key(
    shapes: &[TableShape],
    changed: &[Changed],
) -> Option<(Relation, String, String)> {
    let rules = Rules::of(changed.iter().filter(|one| one.keys_too));
    shapes.iter().find_map(|shape| {
        let mut keys = shape.columns.iter().filter(|column| column.key);
        keys.find_map(|column| {
            let why = rules.why(&shape.relation, column)?;
            Some((shape.relation.clone(), column.name.clone(), why))
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: Value) -> (Vec<Changed>, Vec<String>) {
        changed(config.as_object().unwrap())
    }

    fn hit(config: Value, column: &str) -> Option<String> {
        let column = Column {
            name: column.to_owned(),
            ..Column::default()
        };
        Rules::of(&read(config).0).why(&Relation::new("public", "t"), &column)
    }

    #[test]
    fn columns_are_named_as_debezium_names_them_and_salts_are_not_repeated() {
        let masked = json!({"column.mask.hash.SHA-256.with.salt.hunter2": "public.T.mail, x.y.z"});
        let why = hit(masked.clone(), "mail").unwrap();
        assert!(why.starts_with("column.mask.hash ") && !why.contains("hunter2"));
        assert_eq!(hit(masked, "mails"), None);
        let pattern = json!({"column.truncate.to.20.chars": "public[.].*[.](a|b)"});
        assert!(hit(pattern.clone(), "b").is_some() && hit(pattern, "c").is_none());
        let included = json!({"column.include.list": "public.t.(id|n)"});
        assert!(hit(included.clone(), "other").is_some() && hit(included, "n").is_none());
        let java_only = json!({"column.exclude.list": "public\\.t\\.(?>a)"});
        assert!(hit(java_only, "anything").is_some());
        assert_eq!(hit(json!({"column.exclude.list": " "}), "a"), None);
    }

    #[test]
    fn converters_and_transformations_may_change_every_value_or_the_key() {
        let smt = |class: &str| json!({"transforms": "x", "transforms.x.type": class});
        assert!(hit(json!({"converters": "iso"}), "a").is_some());
        assert!(
            hit(
                smt("org.apache.kafka.connect.transforms.MaskField$Value"),
                "a"
            )
            .is_some()
        );
        assert_eq!(
            hit(smt("io.debezium.transforms.ExtractNewRecordState"), "a"),
            None
        );
        let (values, keys) = read(smt("org.apache.kafka.connect.transforms.MaskField$Key"));
        assert!(values.is_empty() && keys.len() == 1);
        assert_eq!(
            read(json!({"message.key.columns": "public.t:a"})).1.len(),
            1
        );
    }
}
