//! What must hold before a plan may change anything: facts of both sides in, findings out, and nothing is read here.
//!
//! Runs as the first step of every proven runbook that makes a second cluster or restores one. What pg_upgrade,
//! pg_restore or a recovery would stumble over half way, with writers refused already, is found while everything
//! still runs. One file per subject; each looks at all facts, so that a refusal names everything that is in the way
//! and not only the first thing.
//!
//! The rule it protects: a plan that is refused has changed nothing, and whoever reads the refusal needs no second
//! one to learn what else is missing.

mod backup_tool;
mod clone;
mod collations;
mod disk;
mod extensions;
mod facts;
mod prepared;
mod programs;
mod settings;
mod slots;

use serde::{Deserialize, Serialize};

pub use backup_tool::backup_tool_knows;
pub use facts::{Extension, NewServer, NewSide, OldSide, Place, PreflightFacts, Purpose};
pub use settings::LOOKED_AT as SETTINGS;

/// How the second cluster comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// `pg_upgrade --copy`.
    UpgradeCopy,
    /// `pg_upgrade --link`.
    UpgradeLink,
    /// `pg_upgrade --clone`.
    UpgradeClone,
    /// Dump and restore.
    Dump,
    /// Logical replication.
    Logical,
    /// A standby that streams.
    Standby,
    /// A backup that is taken and restored.
    Restore,
    /// A copy of the running server.
    Copy,
}

impl Way {
    /// `pg_upgrade` in any of its modes.
    pub fn upgrades(self) -> bool {
        matches!(
            self,
            Way::UpgradeCopy | Way::UpgradeLink | Way::UpgradeClone
        )
    }

    /// The new server replays the old one's log.
    pub fn is_physical(self) -> bool {
        matches!(self, Way::Standby | Way::Restore | Way::Copy)
    }
}

/// What a finding means for the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The plan does not begin.
    Refuses,
    /// The plan begins; somebody should know.
    Warns,
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Severity::Refuses => "refuses",
            Severity::Warns => "warns",
        })
    }
}

/// One thing that is in the way, or that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Stable code.
    pub code: String,
    /// What it means for the plan.
    pub severity: Severity,
    /// What was seen, with the names and figures that show it.
    pub evidence: String,
    /// What to do about it.
    pub remedy: String,
}

impl Finding {
    fn refuses(code: &str, evidence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding::new(code, Severity::Refuses, evidence, remedy)
    }

    fn warns(code: &str, evidence: impl Into<String>, remedy: impl Into<String>) -> Finding {
        Finding::new(code, Severity::Warns, evidence, remedy)
    }

    fn new(
        code: &str,
        severity: Severity,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            code: code.into(),
            severity,
            evidence: evidence.into(),
            remedy: remedy.into(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Finding {
            code,
            severity,
            evidence,
            remedy,
        } = self;
        write!(f, "{code} {severity}: {evidence}; remedy: {remedy}")
    }
}

/// One subject.
#[derive(Debug)]
pub struct Check {
    /// Called like its file.
    pub name: &'static str,
    /// Looks at the facts.
    look: fn(&PreflightFacts) -> Vec<Finding>,
}

/// Every subject, in display order.
pub const ALL: &[Check] = &[
    programs::CHECK,
    disk::CHECK,
    clone::CHECK,
    extensions::CHECK,
    collations::CHECK,
    settings::CHECK,
    slots::CHECK,
    backup_tool::CHECK,
    prepared::CHECK,
];

/// Every finding, those that refuse before those that warn.
pub fn preflight(facts: &PreflightFacts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = ALL.iter().flat_map(|check| (check.look)(facts)).collect();
    findings.sort_by_key(|finding| finding.severity);
    findings
}

/// Findings as lines of a message.
pub fn lines(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests;
