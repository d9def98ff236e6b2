//! What is wrong with a connector's configuration for one version of Debezium, and the same configuration for another
//! version.
//!
//! Pure: configuration in, lints out. [`ALL`] lists the rules; each has a code that is never reused, and looks at one
//! subject. [`translate`] rewrites what was renamed between two versions and says where no equivalent exists.
//! The rule it protects: Debezium ignores an option that it does not know, so an old configuration changes its meaning
//! in silence; here it is said.

mod deletes;
mod options;
mod rules;
mod snapshots;
mod translation;
pub(crate) mod unwrap;

use std::collections::BTreeMap;

use cutover_model::lint::{LINT_FORMAT, Lint, LintReport, Severity};
use cutover_model::{ReplicaIdentity, TableShape};

pub use deletes::of_deletes;
pub use translation::translate;

use crate::predict::DebeziumVersion;

/// A configuration as Connect has it.
pub type Config = BTreeMap<String, String>;

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// The version it is to run on.
    pub version: DebeziumVersion,
    /// The captured tables, if they are known.
    pub tables: Option<&'a [TableShape]>,
}

/// One rule.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable code.
    pub code: &'static str,
    /// What it is about, for the list of rules.
    pub about: &'static str,
    check: fn(&Subject) -> Vec<Found>,
}

/// What a rule found.
#[derive(Debug)]
struct Found {
    severity: Severity,
    option: String,
    message: String,
    remedy: String,
}

/// Every rule, by code.
pub const ALL: [Rule; 20] = [
    Rule {
        code: "CUT-LINT-001",
        about: "connector.class is not Debezium's PostgreSQL connector",
        check: rules::connector_class,
    },
    Rule {
        code: "CUT-LINT-002",
        about: "topic.prefix is missing, or database.server.name of 1.x is still there",
        check: rules::topic_prefix,
    },
    Rule {
        code: "CUT-LINT-003",
        about: "snapshot.mode has a value that the version does not know",
        check: snapshots::unknown_mode,
    },
    Rule {
        code: "CUT-LINT-004",
        about: "snapshot.mode=never is on its way out",
        check: snapshots::old_name,
    },
    Rule {
        code: "CUT-LINT-005",
        about: "snapshot.mode reads everything again after a restore",
        check: snapshots::reads_again,
    },
    Rule {
        code: "CUT-LINT-006",
        about: "ExtractNewRecordState has options that 3.2 removed",
        check: unwrap::removed,
    },
    Rule {
        code: "CUT-LINT-007",
        about: "ExtractNewRecordState has options that came with 2.5",
        check: unwrap::too_new,
    },
    Rule {
        code: "CUT-LINT-008",
        about: "an option is newer than the version and is ignored",
        check: options::too_new,
    },
    Rule {
        code: "CUT-LINT-009",
        about: "an option has a new name",
        check: options::renamed,
    },
    Rule {
        code: "CUT-LINT-010",
        about: "the slot is moved to the offset at a start",
        check: options::seeking,
    },
    Rule {
        code: "CUT-LINT-011",
        about: "offset.mismatch.strategy has an unknown value, or trusts the slot",
        check: options::strategy,
    },
    Rule {
        code: "CUT-LINT-012",
        about: "positions are not confirmed by the connector alone",
        check: options::flushing,
    },
    Rule {
        code: "CUT-LINT-013",
        about: "the publication may be made or altered by the connector",
        check: rules::publication,
    },
    Rule {
        code: "CUT-LINT-014",
        about: "no heartbeats",
        check: rules::heartbeat,
    },
    Rule {
        code: "CUT-LINT-015",
        about: "the slot is dropped when the connector stops",
        check: rules::slot_dropped,
    },
    Rule {
        code: "CUT-LINT-016",
        about: "the decoding plug-in is not pgoutput",
        check: rules::plugin,
    },
    Rule {
        code: "CUT-LINT-017",
        about: "a table's replica identity leaves out old rows",
        check: rules::replica_identity,
    },
    Rule {
        code: "CUT-LINT-018",
        about: "snapshot.mode=initial_only never streams",
        check: snapshots::never_streams,
    },
    Rule {
        code: "CUT-LINT-019",
        about: "numbers are rounded, so events and rows cannot be compared",
        check: rules::rounding,
    },
    Rule {
        code: "CUT-LINT-020",
        about: "the position check at a start is switched off",
        check: options::check_off,
    },
];

/// Applies every rule; the worst first, then by code.
pub fn lint(subject: &Subject) -> Vec<Lint> {
    let found = ALL.iter().flat_map(|rule| {
        let found = (rule.check)(subject).into_iter();
        found.map(|one| Lint {
            code: rule.code.to_owned(),
            severity: one.severity,
            option: one.option,
            message: one.message,
            remedy: one.remedy,
        })
    });
    let mut lints: Vec<Lint> = found.collect();
    lints.sort_by(|one, other| (other.severity, &one.code).cmp(&(one.severity, &other.code)));
    lints
}

/// Lints a configuration for the version it was written for, or translates it and lints the translation.
pub fn report(
    config: &Config,
    version: DebeziumVersion,
    to: Option<DebeziumVersion>,
) -> LintReport {
    let target = to.unwrap_or(version);
    let (config, translation) = match to {
        Some(to) => {
            let (translated, shown) = translate(config, version, to);
            (translated, Some(shown))
        }
        None => (config.clone(), None),
    };
    let subject = Subject {
        config: &config,
        version: target,
        tables: None,
    };
    LintReport {
        format: LINT_FORMAT.to_owned(),
        debezium: target.to_string(),
        lints: lint(&subject),
        translation,
    }
}

impl Subject<'_> {
    /// The value as Debezium reads words: trimmed, in lower case, absent when empty.
    fn word(&self, option: &str) -> Option<String> {
        let value = self.config.get(option)?.trim().to_lowercase();
        (!value.is_empty()).then_some(value)
    }

    fn is(&self, option: &str, value: &str) -> bool {
        self.word(option).is_some_and(|word| word == value)
    }
}

impl Found {
    fn new(
        severity: Severity,
        option: &str,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Found {
        Found {
            severity,
            option: option.to_owned(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }
}

/// Whether UPDATE and DELETE of the table carry what identifies the row.
fn identifies(table: &TableShape) -> bool {
    match table.replica_identity {
        ReplicaIdentity::Full | ReplicaIdentity::Index => true,
        ReplicaIdentity::Default => table.columns.iter().any(|column| column.key),
        ReplicaIdentity::Nothing => false,
    }
}

#[cfg(test)]
mod tests;
