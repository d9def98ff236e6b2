//! Rules about the transformation `ExtractNewRecordState`, whose options for deletes changed twice: 2.5 brought
//! `delete.tombstone.handling.mode`, 3.2 removed `drop.tombstones` and `delete.handling.mode`. A removed option is
//! ignored, so deletes change their form without a word.
//!
//! Source: the transformation's option definitions and both delete strategies at the tags 2.4.2, 2.5.4, 3.1.3, 3.2.7.

use cutover_model::Severity::Error;

use super::{Config, Found, Subject};
use crate::predict::DebeziumVersion;

/// The options that 3.2 removed.
pub(super) const OLD: [&str; 2] = ["drop.tombstones", "delete.handling.mode"];
/// The option that came with 2.5.
pub(crate) const NEW: &str = "delete.tombstone.handling.mode";
/// First version with [`NEW`].
pub(super) const NEW_SINCE: DebeziumVersion = DebeziumVersion(2, 5, 0);
/// First version without [`OLD`].
pub(super) const OLD_UNTIL: DebeziumVersion = DebeziumVersion(3, 2, 0);

/// `transforms.NAME.` of every transformation of this class, in the order in which they are applied.
pub(crate) fn prefixes(config: &Config) -> Vec<String> {
    let names = config
        .get("transforms")
        .map_or("", String::as_str)
        .split(',');
    let prefixes = names.map(|name| format!("transforms.{}.", name.trim()));
    let ours = prefixes.filter(|prefix| {
        let class = config.get(&format!("{prefix}type"));
        class.is_some_and(|class| {
            class
                .trim()
                .starts_with("io.debezium.transforms.ExtractNewRecordState")
        })
    });
    ours.collect()
}

fn present(subject: &Subject, options: &[&str]) -> Vec<String> {
    let all = prefixes(subject.config).into_iter();
    let named = all.flat_map(|prefix| {
        options
            .iter()
            .map(move |option| format!("{prefix}{option}"))
    });
    named
        .filter(|option| subject.config.contains_key(option))
        .collect()
}

pub(super) fn removed(subject: &Subject) -> Vec<Found> {
    if subject.version < OLD_UNTIL {
        return Vec::new();
    }
    let found = present(subject, &OLD).into_iter().map(|option| {
        let message = "removed in 3.2 and ignored since: deletes silently take the form of the new default, one \
                       tombstone each";
        let remedy = format!("replace it by {NEW}; `cutover lint --to` gives the value with the same effect");
        Found::new(Error, &option, message, remedy)
    });
    found.collect()
}

pub(super) fn too_new(subject: &Subject) -> Vec<Found> {
    if subject.version >= NEW_SINCE {
        return Vec::new();
    }
    let found = present(subject, &[NEW]).into_iter().map(|option| {
        let message = "came with 2.5; this version ignores it and drops deletes and tombstones";
        Found::new(
            Error,
            &option,
            message,
            format!("use {} instead", OLD.join(" and ")),
        )
    });
    found.collect()
}
