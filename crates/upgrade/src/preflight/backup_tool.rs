//! pgBackRest must know the server's major version: it reads the control file by itself, and one that is too old
//! ends with `unexpected control version = … and catalog version = …`.
//!
//! Source of the table: pgBackRest's release notes (`doc/xml/release` of its repository), where each major has the
//! release that added it; 2.45 refusing 16 was also seen here.

use super::{Check, Finding, PreflightFacts};

pub(super) const CHECK: Check = Check {
    name: "backup_tool",
    look,
};

/// PostgreSQL's major version, and the first pgBackRest that knows it.
const KNOWN_FROM: [(u32, [u32; 3]); 6] = [
    (13, [2, 30, 0]),
    (14, [2, 34, 0]),
    (15, [2, 39, 0]),
    (16, [2, 46, 0]),
    (17, [2, 53, 1]),
    (18, [2, 55, 0]),
];

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    let tool = facts.new.backup_tool.as_deref();
    tool.and_then(|tool| backup_tool_knows(tool, facts.old.major))
        .into_iter()
        .collect()
}

/// What is wrong with this pgBackRest for a server of this major version, if anything is.
pub fn backup_tool_knows(tool: &str, major: u32) -> Option<Finding> {
    let number = |text: &str| text.parse::<u32>().ok();
    let mut parts = tool.split('.').map(number);
    let mut next = || parts.next().map_or(Some(0), |part| part);
    let version = match (next(), next(), next()) {
        (Some(first), Some(second), Some(third)) => [first, second, third],
        _ => {
            return Some(Finding::warns(
                "PRE-BACKUP-002",
                format!("'{tool}' is no version of pgBackRest that is known here"),
                "look whether it supports the server's version",
            ));
        }
    };
    let known = KNOWN_FROM.iter().find(|(known, _)| *known == major);
    let Some((_, [first, second, third])) = known else {
        return Some(Finding::warns(
            "PRE-BACKUP-002",
            format!("which pgBackRest knows PostgreSQL {major} is not known here; this is {tool}"),
            "look into pgBackRest's release notes",
        ));
    };
    let from = if *third == 0 {
        format!("{first}.{second}")
    } else {
        format!("{first}.{second}.{third}")
    };
    (version < [*first, *second, *third]).then(|| {
        Finding::refuses(
            "PRE-BACKUP-001",
            format!(
                "pgBackRest {tool} does not know PostgreSQL {major}; {from} is the first that does"
            ),
            format!(
                "install pgBackRest {from} or later, on the server and where the repository is"
            ),
        )
    })
}
