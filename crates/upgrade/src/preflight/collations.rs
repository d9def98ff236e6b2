//! What sorts by ICU needs programs that are built with it: `pg_upgrade --check` does not look, and the upgrade then
//! dies while it restores the schema.

use super::{Check, Finding, PreflightFacts};

pub(super) const CHECK: Check = Check {
    name: "collations",
    look,
};

/// How many are named; a database may have hundreds.
const NAMED_MAX: usize = 5;

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    let used = &facts.old.icu;
    let Some(reason) = &facts.new.server.icu_refused else {
        return Vec::new();
    };
    if used.is_empty() {
        return Vec::new();
    }
    let mut named = used[..used.len().min(NAMED_MAX)].join(", ");
    if used.len() > NAMED_MAX {
        named.push_str(&format!(" and {} more", used.len() - NAMED_MAX));
    }
    let version = &facts.new.version;
    vec![Finding::refuses(
        "PRE-COLLATION-001",
        format!(
            "ICU is used by {named}; PostgreSQL {version} here makes no ICU collation: {reason}"
        ),
        format!("install a PostgreSQL {version} that is built with ICU"),
    )]
}
