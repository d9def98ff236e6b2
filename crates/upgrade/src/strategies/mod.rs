//! Runbooks: pure functions from facts to a plan. Nothing here waits, reads or writes.

mod dump_restore_baseline;
mod dump_restore_proven;
mod minor_proven;

use crate::error::UpgradeError;
use crate::facts::Facts;
use crate::plan::Plan;

/// A runbook by name.
#[derive(Debug)]
pub struct Strategy {
    /// Stable name.
    pub name: &'static str,
    /// One line.
    pub title: &'static str,
    /// The plan without facts, for printing before anything exists.
    pub outline: fn(target: &str) -> Plan,
    /// What the facts must be; an error names the one that is not.
    pub accepts: fn(facts: &Facts, target: &str) -> Result<(), String>,
}

/// Every runbook, in display order.
pub const ALL: &[Strategy] = &[
    minor_proven::STRATEGY,
    dump_restore_baseline::STRATEGY,
    dump_restore_proven::STRATEGY,
];

/// Finds a runbook.
pub fn by_name(name: &str) -> Option<&'static Strategy> {
    ALL.iter().find(|strategy| strategy.name == name)
}

impl Strategy {
    /// The plan for these facts; refused if a precondition does not hold.
    pub fn plan(&self, facts: &Facts, target: &str) -> Result<Plan, UpgradeError> {
        (self.accepts)(facts, target)
            .map_err(|reason| UpgradeError::Refused(format!("{}: {reason}", self.name)))?;
        Ok((self.outline)(target))
    }
}

/// What every proven runbook needs to begin: a primary, and a stream that flows.
fn flows(facts: &Facts) -> Result<(), String> {
    if facts.server.in_recovery {
        return Err("the server is a standby".into());
    }
    if !facts.connector_running {
        return Err("the connector or a task of it is not RUNNING".into());
    }
    let slot = facts
        .slot
        .as_ref()
        .ok_or("the connector's slot does not exist")?;
    if slot.wal_status.as_deref() == Some("lost") {
        return Err("the connector's slot is invalidated (wal_status lost)".into());
    }
    facts
        .offset
        .as_ref()
        .ok_or("the connector has no stored offset")?;
    facts
        .publication
        .as_ref()
        .ok_or("the publication does not exist")?;
    Ok(())
}

/// The major version of `16.14` is `16`.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_this_folder_is_in_the_list() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/strategies");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "mod.rs")
            .map(|name| name.trim_end_matches(".rs").replace('_', "-"))
            .collect();
        files.sort();
        let mut names: Vec<String> = ALL.iter().map(|strategy| strategy.name.into()).collect();
        names.sort();
        assert_eq!(files, names);
    }

    #[test]
    fn a_saved_plan_reads_back_and_is_still_the_same() {
        for strategy in ALL {
            let plan = (strategy.outline)("16.14");
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
    }
}
