//! How the connector was told to write values. Without an inline schema the payload does not say it itself:
//! `"BBo="` is a number under one setting and a text under another, so the settings are read, never guessed.

use std::collections::BTreeMap;

use cutover_clients::registry::RegistryAddress;
use serde_json::{Map, Value};

use super::added::Added;
use super::changed::{Changed, changed};
use super::framing::Part;
use super::names::FieldNames;
use super::routes::{Route, routes};
use super::topic::BesideNames;

/// `decimal.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decimal {
    /// Unscaled two's complement bytes in base64; a struct with its scale where the column has none.
    #[default]
    Precise,
    /// Decimal text.
    String,
    /// A double, which keeps 15 digits.
    Double,
}

/// `time.precision.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TimePrecision {
    /// Milliseconds up to precision 3, microseconds above.
    #[default]
    Adaptive,
    /// As adaptive, but times of day always in microseconds.
    AdaptiveTimeMicroseconds,
    /// Kafka Connect's own types: milliseconds, whatever the column holds.
    Connect,
    /// ISO 8601 texts.
    IsoString,
    /// Always microseconds.
    Microseconds,
    /// Always nanoseconds.
    Nanoseconds,
}

/// `binary.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Binary {
    /// Bytes, which the JSON converter writes as base64.
    #[default]
    Bytes,
    /// Base64 text.
    Base64,
    /// Base64 text with the URL alphabet.
    Base64UrlSafe,
    /// Hexadecimal text.
    Hex,
}

/// `interval.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Intervals {
    /// A number of microseconds, for which a month has 30.4375 days.
    #[default]
    Numeric,
    /// `P1Y2M3DT4H5M6.7S`.
    String,
}

/// `hstore.handling.mode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hstores {
    /// JSON, as text.
    #[default]
    Json,
    /// A map.
    Map,
}

/// What stands in for an unchanged TOAST value unless the connector is told otherwise.
pub(crate) const PLACEHOLDER: &str = "__debezium_unavailable_value";

/// The settings that change how a value looks, and where its schema is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConverterModes {
    /// `decimal.handling.mode`.
    pub decimal: Decimal,
    /// `time.precision.mode`.
    pub time_precision: TimePrecision,
    /// `binary.handling.mode`.
    pub binary: Binary,
    /// `interval.handling.mode`.
    pub intervals: Intervals,
    /// `hstore.handling.mode`.
    pub hstores: Hstores,
    /// `include.unknown.datatypes`: what PostgreSQL prints of a type that Debezium does not know is published as bytes.
    pub unknown_types: bool,
    /// `money.fraction.digits`.
    pub money_scale: i64,
    /// `unavailable.value.placeholder`: stands in for an unchanged TOAST value.
    pub placeholder: String,
    /// What the flattening transformation adds to rows and headers.
    pub added: Added,
    /// Other names of topics that hold no changes.
    pub beside: BesideNames,
    /// `field.name.adjustment.mode`.
    pub field_names: FieldNames,
    /// Registry of the keys' schemas.
    pub key_registry: Option<RegistryAddress>,
    /// Registry of the values' schemas.
    pub value_registry: Option<RegistryAddress>,
    /// What transformations make of topics' names, in their order.
    pub routes: Vec<Route>,
    /// Transformations that may do more to a record than is followed, in words.
    pub unfollowed: Vec<String>,
    /// Values that settings change, which are not compared.
    pub changed: Vec<Changed>,
    /// Settings by which records have other keys than their tables, in words.
    pub other_keys: Vec<String>,
    /// Settings that were given but are not known; each one is a problem of the recording.
    pub unknown: Vec<String>,
}

impl Default for ConverterModes {
    fn default() -> ConverterModes {
        ConverterModes {
            decimal: Decimal::default(),
            time_precision: TimePrecision::default(),
            binary: Binary::default(),
            intervals: Intervals::default(),
            hstores: Hstores::default(),
            unknown_types: false,
            money_scale: 2,
            placeholder: PLACEHOLDER.to_owned(),
            added: Added::default(),
            beside: BesideNames::default(),
            field_names: FieldNames::default(),
            key_registry: None,
            value_registry: None,
            routes: Vec::new(),
            unfollowed: Vec::new(),
            changed: Vec::new(),
            other_keys: Vec::new(),
            unknown: Vec::new(),
        }
    }
}

impl ConverterModes {
    /// With another address for the registry, if the connector has one.
    #[must_use]
    pub fn with_registry(mut self, registry: Option<&RegistryAddress>) -> ConverterModes {
        if let Some(registry) = registry {
            for part in [&mut self.key_registry, &mut self.value_registry] {
                *part = part.as_ref().map(|_| registry.clone());
            }
        }
        self
    }

    /// Reads the settings out of a connector's configuration; what is not set has Debezium's default.
    pub fn from_connector_config(config: &Map<String, Value>) -> ConverterModes {
        let (routes, mut unfollowed) = routes(config);
        unfollowed.extend(left_out(config));
        let (changed, other_keys) = changed(config);
        let mut modes = ConverterModes {
            key_registry: registry(config, Part::Key),
            value_registry: registry(config, Part::Value),
            added: Added::of_config(config),
            beside: BesideNames::of_config(config),
            routes,
            unfollowed,
            changed,
            other_keys,
            ..ConverterModes::default()
        };
        for (key, value) in config {
            let Some(value) = value.as_str() else {
                continue;
            };
            let word = value.trim().to_ascii_lowercase();
            let known = match key.as_str() {
                "decimal.handling.mode" => decimal(&word).map(|mode| modes.decimal = mode),
                "time.precision.mode" => time(&word).map(|mode| modes.time_precision = mode),
                "binary.handling.mode" => binary(&word).map(|mode| modes.binary = mode),
                "interval.handling.mode" => intervals(&word).map(|mode| modes.intervals = mode),
                "hstore.handling.mode" => hstores(&word).map(|mode| modes.hstores = mode),
                "include.unknown.datatypes" => word
                    .parse()
                    .ok()
                    .map(|include| modes.unknown_types = include),
                "money.fraction.digits" => {
                    word.parse().ok().map(|digits| modes.money_scale = digits)
                }
                "unavailable.value.placeholder" if !word.starts_with("hex:") => {
                    modes.placeholder = value.to_owned();
                    Some(())
                }
                "unavailable.value.placeholder" => None,
                "field.name.adjustment.mode" => {
                    field_names(&word).map(|mode| modes.field_names = mode)
                }
                // Names of schemas are not looked at, only names of types, which are never adjusted.
                "schema.name.adjustment.mode" => field_names(&word).map(|_| ()),
                _ => Some(()),
            };
            if known.is_none() {
                modes.unknown.push(format!("{key}={value}"));
            }
        }
        modes
    }
}

/// The options of a connector's configuration that decide how its records look. The rest may hold secrets and is
/// left out.
pub fn record_options(config: &Map<String, Value>) -> BTreeMap<String, String> {
    const WHOLE: [&str; 19] = [
        "binary.handling.mode",
        "decimal.handling.mode",
        "field.name.adjustment.mode",
        "heartbeat.topics.prefix",
        "hstore.handling.mode",
        "include.unknown.datatypes",
        "interval.handling.mode",
        "notification.sink.topic.name",
        "key.converter",
        "money.fraction.digits",
        "schema.name.adjustment.mode",
        "signal.kafka.topic",
        "time.precision.mode",
        "tombstones.on.delete",
        "topic.heartbeat.prefix",
        "topic.transaction",
        "transforms",
        "unavailable.value.placeholder",
        "value.converter",
    ];
    const OF_TRANSFORMS: [&str; 14] = [
        ".type",
        ".add.fields",
        ".add.fields.prefix",
        ".add.headers",
        ".add.headers.prefix",
        ".delete.handling.mode",
        ".delete.tombstone.handling.mode",
        ".drop.tombstones",
        ".predicate",
        ".regex",
        ".replacement",
        ".route.by.field",
        ".topic.regex",
        ".topic.replacement",
    ];
    let decides = |name: &str| {
        let of_transform = || OF_TRANSFORMS.iter().any(|suffix| name.ends_with(suffix));
        WHOLE.contains(&name) || (name.starts_with("transforms.") && of_transform())
    };
    let mut options: BTreeMap<String, String> = config
        .iter()
        .filter(|(name, _)| decides(name))
        .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect();
    for part in [Part::Key, Part::Value] {
        // Without credentials, which an address may hold.
        if let Some(address) = registry(config, part) {
            options.insert(registry_option(part), address.shown());
        }
    }
    options
}

/// Settings by which records are not published at all, or in topics of other names, in words.
fn left_out(config: &Map<String, Value>) -> Vec<String> {
    let option = |name: &str| config.get(name).and_then(Value::as_str).map(str::trim);
    let mut all = Vec::new();
    let skipped = option("skipped.operations").unwrap_or_default();
    if skipped
        .split(',')
        .any(|letter| matches!(letter.trim(), "c" | "u" | "d"))
    {
        all.push(format!(
            "skipped.operations={skipped}: such changes are not published"
        ));
    }
    let usual = [
        ("topic.delimiter", "."),
        (
            "topic.naming.strategy",
            "io.debezium.schema.SchemaTopicNamingStrategy",
        ),
    ];
    for (name, usual) in usual {
        if let Some(other) = option(name).filter(|value| *value != usual) {
            all.push(format!(
                "{name}={other} is not followed: records may be in topics of other names"
            ));
        }
    }
    all
}

/// The option that says where a converter's registry is.
pub fn registry_option(part: Part) -> String {
    format!("{}.converter.schema.registry.url", part.name())
}

fn registry(config: &Map<String, Value>, part: Part) -> Option<RegistryAddress> {
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let address = RegistryAddress::parse(text(&registry_option(part))?);
    let user_info = format!("{}.converter.basic.auth.user.info", part.name());
    Some(match text(&user_info) {
        Some(user_info) => address.with_credentials(user_info),
        None => address,
    })
}

fn field_names(word: &str) -> Option<FieldNames> {
    Some(match word {
        "none" => FieldNames::Same,
        "avro" => FieldNames::Avro,
        "avro_unicode" => FieldNames::AvroUnicode,
        _ => return None,
    })
}

fn decimal(word: &str) -> Option<Decimal> {
    Some(match word {
        "precise" => Decimal::Precise,
        "string" => Decimal::String,
        "double" => Decimal::Double,
        _ => return None,
    })
}

fn intervals(word: &str) -> Option<Intervals> {
    Some(match word {
        "numeric" => Intervals::Numeric,
        "string" => Intervals::String,
        _ => return None,
    })
}

fn hstores(word: &str) -> Option<Hstores> {
    Some(match word {
        "json" => Hstores::Json,
        "map" => Hstores::Map,
        _ => return None,
    })
}

fn time(word: &str) -> Option<TimePrecision> {
    Some(match word {
        "adaptive" => TimePrecision::Adaptive,
        "adaptive_time_microseconds" => TimePrecision::AdaptiveTimeMicroseconds,
        "connect" => TimePrecision::Connect,
        "isostring" => TimePrecision::IsoString,
        "microseconds" => TimePrecision::Microseconds,
        "nanoseconds" => TimePrecision::Nanoseconds,
        _ => return None,
    })
}

fn binary(word: &str) -> Option<Binary> {
    Some(match word {
        "bytes" => Binary::Bytes,
        "base64" => Binary::Base64,
        "base64-url-safe" => Binary::Base64UrlSafe,
        "hex" => Binary::Hex,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_an_unknown_one_is_told() {
        let config = serde_json::json!({
            "decimal.handling.mode": "string", "time.precision.mode": "connect",
            "binary.handling.mode": "rot13",
        });
        let modes = ConverterModes::from_connector_config(config.as_object().unwrap());
        assert_eq!(modes.decimal, Decimal::String);
        assert_eq!(modes.time_precision, TimePrecision::Connect);
        assert_eq!(modes.unknown, ["binary.handling.mode=rot13"]);
    }

    #[test]
    fn a_registry_is_found_for_each_half_and_kept_without_its_credentials() {
        let config = serde_json::json!({
            "key.converter.schema.registry.url": "http://u:p@h:1/apis,http://i:2",
            "value.converter.schema.registry.url": "http://h:1",
            "value.converter.basic.auth.user.info": "me:secret",
            "value.converter": "io.confluent.connect.avro.AvroConverter",
            "field.name.adjustment.mode": "avro_unicode",
            "schema.name.adjustment.mode": "avro",
        });
        let config = config.as_object().unwrap();
        let modes = ConverterModes::from_connector_config(config);
        assert_eq!(modes.field_names, FieldNames::AvroUnicode);
        assert!(modes.unknown.is_empty() && modes.value_registry.is_some());
        let kept = record_options(config);
        assert_eq!(
            kept["key.converter.schema.registry.url"],
            "http://h:1/apis,http://i:2"
        );
        assert!(!format!("{kept:?}{modes:?}").contains("secret"));
        assert!(kept.contains_key("value.converter"));
        assert_eq!(
            ConverterModes::from_connector_config(&Map::new()).key_registry,
            None
        );
    }
}
