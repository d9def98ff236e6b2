//! Extensions of the old databases must be known to the new programs. pg_upgrade looks for their libraries only, a
//! restored dump stumbles over the first that is missing. Another *version* is no obstacle: a dump names none, and
//! pg_upgrade carries the old one over; but its functions may then call what the new library does not have.

use super::{Check, Finding, PreflightFacts};

pub(super) const CHECK: Check = Check {
    name: "extensions",
    look,
};

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    let known = &facts.new.server.extensions;
    let version = &facts.new.version;
    let mut findings = Vec::new();
    for used in &facts.old.extensions {
        let (name, old, database) = (&used.name, &used.version, &used.database);
        let offered: Vec<&str> = known
            .iter()
            .filter(|extension| extension.name == *name)
            .map(|extension| extension.version.as_str())
            .collect();
        if offered.is_empty() {
            findings.push(Finding::refuses(
                "PRE-EXTENSION-001",
                format!(
                    "database {database} uses extension {name} {old}, which PostgreSQL {version} here does not have"
                ),
                format!("install {name} for PostgreSQL {version}, or drop it where it is not used"),
            ));
        } else if !offered.contains(&old.as_str()) {
            findings.push(Finding::warns(
                "PRE-EXTENSION-002",
                format!(
                    "database {database} uses extension {name} {old}; PostgreSQL {version} here has {}",
                    offered.join(", ")
                ),
                format!("after the switch: ALTER EXTENSION {name} UPDATE"),
            ));
        }
    }
    findings
}
