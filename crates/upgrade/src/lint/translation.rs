//! A configuration of one version of Debezium, for another: what was renamed is renamed, what has no equivalent is
//! taken out and said.
//!
//! Sources: as for the rules. The rule it protects: a change that behaves differently is marked as not exact; and the
//! result that is shown holds no secret, while the one that is linted is whole.

use cutover_clients::secret::holds_secret;
use cutover_model::lint::{Change, Translation};

use super::options::{SINCE, STRATEGIES_SINCE};
use super::{Config, unwrap};
use crate::predict::DebeziumVersion;
use crate::predict::settings::{SEEK_OPTION, STRATEGY_OPTION};
use crate::predict::versions;

struct Work {
    config: Config,
    from: DebeziumVersion,
    to: DebeziumVersion,
    changes: Vec<Change>,
}

/// Translates; gives the whole configuration, and what may be shown of it.
pub fn translate(
    config: &Config,
    from: DebeziumVersion,
    to: DebeziumVersion,
) -> (Config, Translation) {
    let mut work = Work {
        config: config.clone(),
        from,
        to,
        changes: Vec::new(),
    };
    work.server_name();
    work.snapshot_mode();
    work.deletes();
    work.flushing();
    work.seeking();
    work.publication();
    work.too_new();
    let (withheld, shown): (Config, Config) = work
        .config
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .partition(|(name, value)| holds_secret(name, value));
    let withheld: Vec<String> = withheld.into_keys().collect();
    let translation = Translation {
        from: from.to_string(),
        to: to.to_string(),
        config: shown,
        withheld,
        changes: work.changes,
    };
    (work.config, translation)
}

impl Work {
    fn word(&self, option: &str) -> Option<String> {
        let value = self.config.get(option)?.trim().to_lowercase();
        (!value.is_empty()).then_some(value)
    }

    /// Sets, or with `None` removes, an option.
    fn change(&mut self, option: &str, after: Option<&str>, why: &str, exact: bool) {
        let before = match after {
            Some(value) => self.config.insert(option.to_owned(), value.to_owned()),
            None => self.config.remove(option),
        };
        if before.as_deref() != after {
            self.changes.push(Change {
                option: option.to_owned(),
                before,
                after: after.map(str::to_owned),
                why: why.to_owned(),
                exact,
            });
        }
    }

    fn server_name(&mut self) {
        let Some(name) = self.config.get("database.server.name").cloned() else {
            return;
        };
        if !self.config.contains_key("topic.prefix") {
            self.change("topic.prefix", Some(&name), "its name since 2.0", true);
        }
        self.change("database.server.name", None, "an option of 1.x", true);
    }

    fn snapshot_mode(&mut self) {
        let row = versions::ALL.iter().find(|row| row.covers(self.to));
        let modes = row.map_or::<&[&str], _>(&[], |row| row.snapshot_modes);
        let Some(mode) = self.word("snapshot.mode") else {
            return;
        };
        let knows = |mode: &str| modes.contains(&mode);
        match mode.as_str() {
            "never" if knows("no_data") => {
                self.change("snapshot.mode", Some("no_data"), "its name since 2.6", true);
            }
            "no_data" if !knows("no_data") => {
                self.change("snapshot.mode", Some("never"), "its name before 2.6", true);
            }
            "when_needed" if !knows("when_needed") => {
                let why =
                    "when_needed came with 2.6; initial reads tables only when there is no offset";
                self.change("snapshot.mode", Some("initial"), why, false);
            }
            // What only its owner can rewrite stays, and the lint of the result names it.
            _ => {}
        }
    }

    fn deletes(&mut self) {
        for prefix in unwrap::prefixes(&self.config) {
            let new = format!("{prefix}{}", unwrap::NEW);
            let [tombstones, handling] = unwrap::OLD.map(|option| format!("{prefix}{option}"));
            if self.to >= unwrap::OLD_UNTIL {
                if self.from < unwrap::OLD_UNTIL && !self.config.contains_key(&new) {
                    self.merge_deletes(&new, &tombstones, &handling);
                }
                self.change(&tombstones, None, "removed in 3.2", true);
                self.change(&handling, None, "removed in 3.2", true);
            } else if self.to < unwrap::NEW_SINCE {
                self.split_deletes(&new, &tombstones, &handling);
            }
        }
    }

    /// The old defaults drop both the delete and its tombstone; the new default keeps a tombstone.
    fn merge_deletes(&mut self, new: &str, tombstones: &str, handling: &str) {
        let dropped = self.word(tombstones).is_none_or(|value| value != "false");
        let handling = self.word(handling).unwrap_or_else(|| "drop".into());
        let (mode, exact) = match (handling.as_str(), dropped) {
            ("drop", true) => ("drop", true),
            ("drop", false) | ("none", true) => ("tombstone", true),
            ("rewrite", true) => ("rewrite", true),
            ("rewrite", false) => ("rewrite-with-tombstone", true),
            _ => ("tombstone", false),
        };
        let why = if exact {
            "one option instead of drop.tombstones and delete.handling.mode; the same records as before"
        } else {
            "one option instead of two; before, each delete gave two records without value, now it gives one"
        };
        self.change(new, Some(mode), why, exact);
    }

    fn split_deletes(&mut self, new: &str, tombstones: &str, handling: &str) {
        let given = self.word(new);
        if given.is_none() && self.from < unwrap::OLD_UNTIL {
            return;
        }
        let mode = given.unwrap_or_else(|| "tombstone".into());
        let (old, keep, exact) = match mode.as_str() {
            "drop" => ("drop", "true", true),
            "tombstone" => ("none", "true", true),
            "rewrite" => ("rewrite", "true", true),
            "rewrite-with-tombstone" => ("rewrite", "false", true),
            _ => ("none", "true", false),
        };
        self.change(new, None, "came with 2.5", exact);
        self.change(handling, Some(old), "the form before 2.5", exact);
        self.change(tombstones, Some(keep), "the form before 2.5", exact);
    }

    fn flushing(&mut self) {
        const OLD: &str = "flush.lsn.source";
        const NEW: &str = "lsn.flush.mode";
        if self.to >= STRATEGIES_SINCE {
            if let Some(old) = self.word(OLD) {
                if !self.config.contains_key(NEW) {
                    let mode = if old == "false" {
                        "manual"
                    } else {
                        "connector"
                    };
                    self.change(NEW, Some(mode), "its name since 3.4", true);
                }
                self.change(OLD, None, "deprecated since 3.4", true);
            }
        } else if let Some(mode) = self.word(NEW) {
            let exact = mode != "connector_and_driver";
            let old = if mode == "manual" { "false" } else { "true" };
            if self.from >= STRATEGIES_SINCE {
                self.change(OLD, Some(old), "its name before 3.4", exact);
            }
            self.change(NEW, None, "came with 3.4", exact);
        }
    }

    fn seeking(&mut self) {
        let seek = self.word(SEEK_OPTION);
        let strategy = self.word(STRATEGY_OPTION);
        if self.to >= STRATEGIES_SINCE {
            if let Some(seek) = seek {
                if strategy.is_none() {
                    let value = if seek == "true" {
                        "trust_offset"
                    } else {
                        "no_validation"
                    };
                    self.change(STRATEGY_OPTION, Some(value), "its name since 3.4", true);
                }
                self.change(SEEK_OPTION, None, "deprecated since 3.4", true);
            }
            return;
        }
        let Some(strategy) = strategy else {
            return;
        };
        let plain = matches!(strategy.as_str(), "no_validation" | "trust_offset");
        let why = if plain {
            "came with 3.4"
        } else {
            "came with 3.4; no earlier version trusts the slot"
        };
        let exact = plain || self.from < STRATEGIES_SINCE;
        self.change(STRATEGY_OPTION, None, why, exact);
        if strategy == "trust_offset"
            && self.from >= STRATEGIES_SINCE
            && self.to >= DebeziumVersion(2, 5, 0)
        {
            self.change(SEEK_OPTION, Some("true"), "the form before 3.4", true);
        }
    }

    fn publication(&mut self) {
        const OPTION: &str = "publication.autocreate.mode";
        let unknown = self.to < DebeziumVersion(3, 0, 0);
        if unknown && self.word(OPTION).is_some_and(|mode| mode == "no_tables") {
            let why = "no_tables came with 3.0; the publication must exist before the start";
            self.change(OPTION, Some("disabled"), why, false);
        }
    }

    fn too_new(&mut self) {
        for (option, since) in SINCE {
            if self.to < since {
                // Where the source version ignored it as well, nothing changes by leaving it out.
                let exact = self.from < since;
                self.change(option, None, &format!("came with {since}"), exact);
            }
        }
    }
}
