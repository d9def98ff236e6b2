//! Programs that the plan calls must be where the plan expects them, all of them, before the first is called.

use super::{Check, Finding, PreflightFacts};

pub(super) const CHECK: Check = Check {
    name: "programs",
    look,
};

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    let missing = &facts.new.missing_programs;
    if missing.is_empty() {
        return Vec::new();
    }
    let evidence = format!("these programs are not there: {}", missing.join(", "));
    let remedy = format!(
        "install the server and client programs of PostgreSQL {}, and keep those of the old version",
        facts.new.version
    );
    vec![Finding::refuses("PRE-PROGRAM-001", evidence, remedy)]
}
