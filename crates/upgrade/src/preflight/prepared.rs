//! Prepared transactions. An application that commits in two phases always has some, and the switch waits for them;
//! one that nobody finished for longer than that wait is left over and would stop the switch for certain. pg_upgrade
//! refuses a cluster that has any.

use super::{Check, Finding, PreflightFacts};

pub(super) const CHECK: Check = Check {
    name: "prepared",
    look,
};

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    let wait = facts.writers_seconds;
    let finding = |left: &cutover_clients::pg::pending::PreparedTransaction| {
        if facts.way.upgrades() {
            Finding::refuses(
                "PRE-PREPARED-001",
                format!(
                    "{left} is there, and pg_upgrade --check refuses a cluster with prepared transactions"
                ),
                left.remedy(),
            )
        } else if left.age_seconds > wait {
            Finding::refuses(
                "PRE-PREPARED-001",
                format!("{left} is older than the {wait:.0} s that the switch waits for it"),
                left.remedy(),
            )
        } else {
            Finding::warns(
                "PRE-PREPARED-002",
                format!(
                    "{left} is there; the switch waits for it for {wait:.0} s, then it refuses"
                ),
                format!("none if its coordinator ends it; else {}", left.remedy()),
            )
        }
    };
    facts.old.prepared.iter().map(finding).collect()
}
