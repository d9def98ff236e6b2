//! Which topic a record goes to: the name that Debezium gives it, and what transformations make of that.
//!
//! The rule it protects: a transformation that may route or drop records and is not followed is named, so that what
//! nobody looked into is not taken for lost.

use cutover_model::Relation;
use regex::Regex;
use serde_json::{Map, Value};

use super::modes::ConverterModes;
use super::placing::topic_part;

/// Kafka's own and Debezium's, with the options that say what they do. A class may also be named by its last part
/// alone. Debezium's adds a member to keys, so that rows of several tables have several keys; no table has it.
const ROUTERS: [(&str, &str, &str); 2] = [
    ("RegexRouter", "regex", "replacement"),
    ("ByLogicalTableRouter", "topic.regex", "topic.replacement"),
];
/// Those that change what a record holds, its headers or its partition, and neither drop it nor send it elsewhere.
const STAY: [&str; 27] = [
    "ByteBufferConverter",
    "Cast$Key",
    "Cast$Value",
    "ExtractField$Key",
    "ExtractField$Value",
    "HoistField$Key",
    "HoistField$Value",
    "ValueToKey",
    "DropHeaders",
    "ExtractChangedRecordState",
    "ExtractNewRecordState",
    "Flatten$Key",
    "Flatten$Value",
    "HeaderToValue",
    "InsertField$Key",
    "InsertField$Value",
    "InsertHeader",
    "MaskField$Key",
    "MaskField$Value",
    "PartitionRouting",
    "ReplaceField$Key",
    "ReplaceField$Value",
    "SetSchemaMetadata$Key",
    "SetSchemaMetadata$Value",
    "TimestampConverter$Key",
    "TimestampConverter$Value",
    "TimezoneConverter",
];

/// A topic whose whole name matches gets the replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    regex: String,
    replacement: String,
}

impl Route {
    fn compiled(&self) -> Option<Compiled> {
        let found = Regex::new(&self.regex).ok()?;
        Some(Compiled {
            whole: Regex::new(&format!("^(?:{})$", self.regex)).ok()?,
            replacement: rust_replacement(&self.replacement, found.captures_len() - 1),
            found,
        })
    }
}

struct Compiled {
    /// Java asks first whether the whole name matches, and then replaces the first match.
    whole: Regex,
    found: Regex,
    replacement: String,
}

/// Names the topics of one connector.
pub struct Router<'a> {
    prefix: &'a str,
    routes: Vec<Compiled>,
}

impl<'a> Router<'a> {
    /// For the connector's `topic.prefix`.
    pub fn new(prefix: &'a str, modes: &ConverterModes) -> Router<'a> {
        Router {
            prefix,
            routes: modes.routes.iter().filter_map(Route::compiled).collect(),
        }
    }

    /// The topic of a table's records.
    pub fn of_table(&self, relation: &Relation) -> String {
        self.of(&topic_part(&relation.to_string()))
    }

    /// Where records of Debezium's topic `prefix.name` end up.
    pub(super) fn of(&self, name: &str) -> String {
        self.routed(format!("{}.{name}", self.prefix))
    }

    /// Where heartbeats end up, whose topics begin otherwise.
    pub(super) fn of_heartbeats(&self, begin: &str) -> String {
        self.routed(format!("{begin}.{}", self.prefix))
    }

    fn routed(&self, name: String) -> String {
        self.routes.iter().fold(name, |name, route| {
            if !route.whole.is_match(&name) {
                return name;
            }
            let routed = route.found.replace(&name, route.replacement.as_str());
            let routed = routed.into_owned();
            // A topic must have a name: without one, a record stays where it was.
            if routed.is_empty() { name } else { routed }
        })
    }
}

/// A transformation of a connector.
pub(super) struct Transformation<'a> {
    pub(super) name: &'a str,
    pub(super) class: &'a str,
    /// The last part of its class, by which it may be named alone.
    pub(super) last: &'a str,
}

/// Those of a connector, in its order.
pub(super) fn transformations(
    config: &Map<String, Value>,
) -> impl Iterator<Item = Transformation<'_>> {
    let option = |name: &str| config.get(name).and_then(Value::as_str);
    let named = option("transforms").unwrap_or_default().split(',');
    let names = named.map(str::trim).filter(|name| !name.is_empty());
    names.map(move |name| {
        let class = option(&format!("transforms.{name}.type")).unwrap_or_default();
        Transformation {
            name,
            class,
            last: class.rsplit('.').next().unwrap_or_default(),
        }
    })
}

/// The routes of a connector, in its order, and what is not followed, in words.
pub(super) fn routes(config: &Map<String, Value>) -> (Vec<Route>, Vec<String>) {
    let option = |name: &str| config.get(name).and_then(Value::as_str);
    let (mut routes, mut unknown) = (Vec::new(), Vec::new());
    for Transformation { name, class, last } in transformations(config) {
        let of = |part: &str| option(&format!("transforms.{name}.{part}"));
        let router = ROUTERS.iter().find(|(class, _, _)| *class == last);
        let route = router.and_then(|(_, regex, replacement)| {
            Some(Route {
                regex: of(regex)?.to_owned(),
                replacement: of(replacement)?.to_owned(),
            })
        });
        let route = route.filter(|route| of("predicate").is_none() && route.compiled().is_some());
        if let Some(route) = route {
            routes.push(route);
        } else if !STAY.contains(&last) || of("route.by.field").is_some() {
            unknown.push(format!(
                "transformation '{name}' ({class}) is not followed: it may drop records or send them to other topics"
            ));
        }
    }
    (routes, unknown)
}

/// Java's `$1x` is group 1 and an x; here it has to be `${1}x`. `\` takes the next character as it is.
fn rust_replacement(java: &str, groups: usize) -> String {
    let mut rust = String::new();
    let mut rest = java.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => match rest.next() {
                Some('$') => rust.push_str("$$"),
                other => rust.extend(other),
            },
            '$' => {
                let mut number = String::new();
                while let Some(digit) = rest.peek().filter(|digit| digit.is_ascii_digit()) {
                    let longer = format!("{number}{digit}");
                    // As many digits as there are groups for.
                    if !number.is_empty() && longer.parse::<usize>().is_ok_and(|one| one > groups) {
                        break;
                    }
                    number = longer;
                    rest.next();
                }
                match number.is_empty() {
                    // `${name}`, which both write alike.
                    true => rust.push('$'),
                    false => rust.push_str(&format!("${{{number}}}")),
                }
            }
            other => rust.push(other),
        }
    }
    rust
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(config: Value) -> (Vec<Route>, Vec<String>) {
        routes(config.as_object().unwrap())
    }

    #[test]
    fn topics_are_renamed_as_java_does() {
        let (routes, unknown) = of(json!({
            "transforms": "unwrap, drop,all",
            "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
            "transforms.drop.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.drop.regex": "([^.]+)\\.([^.]+)\\.([^.]+)",
            "transforms.drop.replacement": "$3",
            "transforms.all.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.all.regex": "orders_(\\d+)",
            "transforms.all.replacement": "orders$10\\$",
        }));
        assert!(unknown.is_empty(), "{unknown:?}");
        let modes = ConverterModes {
            routes,
            ..ConverterModes::default()
        };
        let to = |prefix, name| Router::new(prefix, &modes).of(name);
        assert_eq!(to("p", "public.customers"), "customers");
        assert_eq!(to("p", "public.orders_7"), "orders70$");
        assert_eq!(to("p", "message"), "p.message");
        assert_eq!(to("x.p", "public.orders"), "x.p.public.orders");
    }

    #[test]
    fn many_tables_in_one_topic_are_followed_as_debezium_routes_them() {
        let (routes, unknown) = of(json!({
            "transforms": "one", "transforms.one.type": "io.debezium.transforms.ByLogicalTableRouter",
            "transforms.one.topic.regex": "(.*)customers_shard_(.*)",
            "transforms.one.topic.replacement": "$1customers_all",
            "transforms.one.key.field.name": "shard",
        }));
        assert!(unknown.is_empty(), "{unknown:?}");
        let modes = ConverterModes {
            routes,
            ..ConverterModes::default()
        };
        let to = |name| Router::new("p", &modes).of(name);
        assert_eq!(to("public.customers_shard_7"), "p.public.customers_all");
        assert_eq!(to("public.orders"), "p.public.orders");
        // Without the options that it needs it is not followed.
        let (_, unknown) = of(json!({
            "transforms": "one", "transforms.one.type": "ByLogicalTableRouter", "transforms.one.regex": ".*",
        }));
        assert_eq!(unknown.len(), 1);
    }

    #[test]
    fn a_replacement_that_leaves_no_name_leaves_the_topic() {
        let (routes, _) = of(json!({
            "transforms": "r", "transforms.r.type": "RegexRouter",
            "transforms.r.regex": "(x?).*", "transforms.r.replacement": "$1",
        }));
        let modes = ConverterModes {
            routes,
            ..ConverterModes::default()
        };
        assert_eq!(Router::new("p", &modes).of("public.t"), "p.public.t");
    }

    #[test]
    fn what_is_not_followed_is_named() {
        for (option, value) in [
            ("transforms.r.predicate", "only_some"),
            ("transforms.r.regex", "(?=ahead)"),
        ] {
            let mut config = json!({
                "transforms": "r", "transforms.r.type": "org.apache.kafka.connect.transforms.RegexRouter",
                "transforms.r.regex": "a", "transforms.r.replacement": "b",
            });
            config[option] = value.into();
            let (routes, unknown) = of(config);
            assert!(routes.is_empty() && unknown.len() == 1, "{option}");
        }
        let (_, unknown) = of(json!({
            "transforms": "o", "transforms.o.type": "io.debezium.transforms.outbox.EventRouter",
        }));
        assert!(
            unknown.len() == 1 && unknown[0].contains("'o'"),
            "{unknown:?}"
        );
    }
}
