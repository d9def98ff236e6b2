//! What becomes of deletes on their way into the topics, from a connector's options: by its own
//! `tombstones.on.delete`, and by `ExtractNewRecordState`, whose options and defaults depend on the version. A delete
//! without value is as good as one with it if headers tell its operation and its position.
//!
//! The rule it protects: a run is judged by what its connector was told to write. What the transformation takes away
//! on purpose is neither lost nor a missing tombstone; but nothing is proven of it either.

use cutover_model::evidence::Deletes;
use cutover_record::decode::headers_tell_deletes;

use super::{Config, unwrap};
use crate::predict::DebeziumVersion;

/// What a connector of a version leaves of deletes, and whether a tombstone is written for each of a keyed row.
pub fn of_deletes(config: &Config, version: DebeziumVersion) -> (Deletes, bool) {
    let word = |option: &str| config.get(option).map(|value| value.trim().to_lowercase());
    let written = word("tombstones.on.delete").is_none_or(|on| on != "false");
    let prefixes = unwrap::prefixes(config);
    let mut left = (Deletes::Recorded, written);
    for prefix in &prefixes {
        let option = |name: &str| word(&format!("{prefix}{name}"));
        let new = option(unwrap::NEW).filter(|_| version >= unwrap::NEW_SINCE);
        let (deletes, keeps) = match new {
            Some(mode) => of_mode(&mode),
            None if version >= unwrap::OLD_UNTIL => of_mode("tombstone"),
            None => of_old_options(option),
        };
        let told = headers_tell_deletes(|name| config.get(&format!("{prefix}{name}")).cloned());
        left = match (deletes, left.0) {
            // It stands for both, and nothing follows it.
            (Deletes::TombstoneOnly, Deletes::Recorded) if told => (Deletes::Recorded, false),
            // The delete itself becomes the record without value; whether the connector wrote one does not matter.
            (Deletes::TombstoneOnly, Deletes::Recorded) => (deletes, true),
            (_, Deletes::Recorded) => (deletes, keeps && left.1),
            _ => left,
        };
    }
    match left {
        // Nothing of the delete itself is left, but the connector's own tombstone is.
        (Deletes::Dropped, true) => (Deletes::TombstoneOnly, true),
        left => left,
    }
}

/// Deletes, and whether the connector's own tombstones pass, by `delete.tombstone.handling.mode`.
fn of_mode(mode: &str) -> (Deletes, bool) {
    match mode {
        "drop" => (Deletes::Dropped, false),
        "rewrite" => (Deletes::Recorded, false),
        "rewrite-with-tombstone" => (Deletes::Recorded, true),
        // `tombstone`, the default, and `delete-to-tombstone`.
        _ => (Deletes::TombstoneOnly, false),
    }
}

/// The same by the two options before it, whose defaults drop both.
fn of_old_options(option: impl Fn(&str) -> Option<String>) -> (Deletes, bool) {
    let [tombstones, handling] = unwrap::OLD;
    let keeps = option(tombstones).is_some_and(|dropped| dropped == "false");
    let deletes = match option(handling).as_deref() {
        Some("rewrite") => Deletes::Recorded,
        Some("none") => Deletes::TombstoneOnly,
        _ => Deletes::Dropped,
    };
    (deletes, keeps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: &str, options: &[(&str, &str)]) -> (Deletes, bool) {
        let options = options
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()));
        of_deletes(&options.collect(), version.parse().unwrap())
    }

    fn flattened(version: &str, options: &[(&str, &str)]) -> (Deletes, bool) {
        let named: Vec<(String, &str)> = options
            .iter()
            .map(|(name, value)| (format!("transforms.unwrap.{name}"), *value))
            .collect();
        let mut all = vec![
            ("transforms", "route, unwrap"),
            (
                "transforms.route.type",
                "org.apache.kafka.connect.transforms.RegexRouter",
            ),
            (
                "transforms.unwrap.type",
                "io.debezium.transforms.ExtractNewRecordState",
            ),
        ];
        all.extend(named.iter().map(|(name, value)| (name.as_str(), *value)));
        of(version, &all)
    }

    const NEW: &str = "delete.tombstone.handling.mode";
    use Deletes::{Dropped, Recorded, TombstoneOnly};

    #[test]
    fn without_the_transformation_only_the_connectors_own_option_counts() {
        assert_eq!(of("3.7.0", &[]), (Recorded, true));
        assert_eq!(
            of("2.4.0", &[("tombstones.on.delete", "true")]),
            (Recorded, true)
        );
        assert_eq!(
            of("3.7.0", &[("tombstones.on.delete", " FALSE ")]),
            (Recorded, false)
        );
    }

    #[test]
    fn one_option_decides_from_2_5_on() {
        for version in ["2.5.0", "3.0.0", "3.7.0"] {
            for (mode, left) in [
                ("drop", (Dropped, false)),
                ("tombstone", (TombstoneOnly, true)),
                ("rewrite", (Recorded, false)),
                ("rewrite-with-tombstone", (Recorded, true)),
                ("delete-to-tombstone", (TombstoneOnly, true)),
            ] {
                assert_eq!(flattened(version, &[(NEW, mode)]), left, "{version} {mode}");
            }
        }
        assert_eq!(
            flattened("3.7.0", &[]),
            (TombstoneOnly, true),
            "the default"
        );
        // The old names are not known any more, so the default holds.
        let old = [
            ("drop.tombstones", "false"),
            ("delete.handling.mode", "rewrite"),
        ];
        assert_eq!(flattened("3.2.0", &old), (TombstoneOnly, true));
    }

    #[test]
    fn a_delete_without_value_is_a_delete_where_its_headers_tell_which() {
        let of = |mode, headers| flattened("3.7.0", &[(NEW, mode), ("add.headers", headers)]);
        for mode in ["tombstone", "delete-to-tombstone"] {
            assert_eq!(of(mode, "op,source.lsn"), (Recorded, false), "{mode}");
            assert_eq!(of(mode, "op"), (TombstoneOnly, true), "{mode}");
        }
        assert_eq!(of("drop", "op,lsn"), (Dropped, false));
        assert_eq!(of("rewrite-with-tombstone", "op,lsn"), (Recorded, true));
        for (drops, left) in [
            ("true", (Recorded, false)),
            ("false", (TombstoneOnly, true)),
        ] {
            let old = [
                ("drop.tombstones", drops),
                ("delete.handling.mode", "none"),
                ("add.headers", "op,lsn:position"),
            ];
            assert_eq!(flattened("3.0.0", &old), left, "{drops}");
        }
    }

    #[test]
    fn two_options_decided_before_and_go_on_until_3_2() {
        for version in ["2.4.0", "2.5.0", "3.0.0"] {
            for (drops, mode, left) in [
                ("true", "drop", (Dropped, false)),
                ("false", "drop", (TombstoneOnly, true)),
                ("true", "none", (TombstoneOnly, true)),
                ("false", "none", (TombstoneOnly, true)),
                ("true", "rewrite", (Recorded, false)),
                ("false", "rewrite", (Recorded, true)),
            ] {
                let options = [("drop.tombstones", drops), ("delete.handling.mode", mode)];
                assert_eq!(flattened(version, &options), left, "{version} {options:?}");
            }
            assert_eq!(
                flattened(version, &[]),
                (Dropped, false),
                "{version}: the defaults"
            );
        }
        // 2.4 does not know the new option.
        let new = [(NEW, "rewrite-with-tombstone")];
        assert_eq!(flattened("2.4.0", &new), (Dropped, false));
    }

    #[test]
    fn a_connector_that_writes_no_tombstones_has_none_to_keep() {
        let off = ("tombstones.on.delete", "false");
        let unwrap = [
            off,
            ("transforms", "u"),
            (
                "transforms.u.type",
                "io.debezium.transforms.ExtractNewRecordState$Value",
            ),
            (
                "transforms.u.delete.tombstone.handling.mode",
                "rewrite-with-tombstone",
            ),
        ];
        assert_eq!(of("3.7.0", &unwrap), (Recorded, false));
    }
}
