//! What is wrong with a connector's configuration for one version of Debezium, and what a translation changed.
//! Computed by `upgrade`, shown by `report`.
//!
//! The rule it protects: values of options that hold secrets are not in these types, so they cannot be shown.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Format name.
pub const LINT_FORMAT: &str = "cutover.lint/1";

/// How bad a lint is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Loses or repeats events in situations that an upgrade brings about.
    Warning,
    /// This version does not accept it, or does something else than it says.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        })
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lint {
    /// Stable code, `CUT-LINT-0NN`.
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// The option it is about.
    pub option: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// One option that a translation changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Option.
    pub option: String,
    /// Value before; absent when the option is new.
    pub before: Option<String>,
    /// Value afterwards; absent when the option is gone.
    pub after: Option<String>,
    /// Why, and whether anything behaves differently afterwards.
    pub why: String,
    /// The new configuration does exactly what the old one did.
    pub exact: bool,
}

/// A configuration for another version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Translation {
    /// Version of Debezium that the configuration was written for.
    pub from: String,
    /// Version that it is for now.
    pub to: String,
    /// The new configuration, without options that hold secrets.
    pub config: BTreeMap<String, String>,
    /// Options that hold secrets: taken over as they are, not shown.
    pub withheld: Vec<String>,
    /// What was changed.
    pub changes: Vec<Change>,
}

/// The result of a lint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LintReport {
    /// [`LINT_FORMAT`].
    pub format: String,
    /// Version of Debezium that the lints are about.
    pub debezium: String,
    /// What is wrong, worst first.
    pub lints: Vec<Lint>,
    /// The configuration for another version, if one was asked for; the lints are about that one then.
    pub translation: Option<Translation>,
}

impl LintReport {
    /// The worst severity, if there is any lint.
    pub fn worst(&self) -> Option<Severity> {
        self.lints.iter().map(|lint| lint.severity).max()
    }
}
