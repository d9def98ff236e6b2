//! Runbooks: pure functions from facts to a plan. Nothing here waits, reads or writes.
//!
//! One file per upgrade kind. In each, what people do (baseline, improved by nobody) stands beside what is proven.

mod base_backup;
mod blue_green;
mod crash;
mod dump_restore;
mod minor;
mod pg_upgrade;
mod promotion;
mod restart;
mod restore;
mod restore_repaired;
mod rollback;
mod worker_crash;

use cutover_model::plan::RunbookClass;

use crate::error::UpgradeError;
use crate::facts::Facts;
use crate::plan::Plan;
use crate::preflight::Way;
use crate::steps::Step;

/// A runbook by name.
#[derive(Debug)]
pub struct Strategy {
    /// Stable name: the upgrade kind, then what tells this runbook from others of the kind.
    pub name: &'static str,
    /// One line.
    pub title: &'static str,
    /// Baseline or proven.
    pub class: RunbookClass,
    /// The steps without facts, for printing before anything exists.
    pub steps: fn(target: &str) -> Vec<Step>,
    /// What the facts must be; an error names the one that is not.
    pub accepts: fn(facts: &Facts) -> Result<(), String>,
}

/// Every runbook, in display order.
pub const ALL: &[Strategy] = &[
    restart::PROVEN,
    restart::RUNNING,
    crash::PROVEN,
    crash::RUNNING,
    minor::PROVEN,
    minor::BACK,
    minor::PAUSED,
    pg_upgrade::PROVEN,
    pg_upgrade::LINK,
    pg_upgrade::CLONE,
    pg_upgrade::TRUST_SLOT,
    pg_upgrade::DOCUMENTED,
    pg_upgrade::UNDRAINED,
    pg_upgrade::FIVE_SECONDS,
    pg_upgrade::KEPT_OFFSET,
    pg_upgrade::WHEN_NEEDED,
    restore::PROVEN,
    restore::DROPPED_SLOT,
    restore_repaired::PROVEN,
    restore::REQUEST,
    restore::OFFSETS_DELETED,
    restore::WRONG_CONFIG,
    restore::WHEN_NEEDED,
    restore::UNARCHIVED_REQUEST,
    restore::UNARCHIVED_PROVEN,
    restore::IMMEDIATE_REQUEST,
    restore::IMMEDIATE_PROVEN,
    restore::TIME_REQUEST,
    restore::TIME_PROVEN,
    base_backup::PROVEN,
    base_backup::OPENED,
    dump_restore::PROVEN,
    dump_restore::BASELINE,
    blue_green::PROVEN,
    blue_green::EARLY_SLOT,
    blue_green::KEPT_OFFSET,
    blue_green::FIVE_SECONDS,
    promotion::PROVEN,
    promotion::FAILOVER_SLOT,
    promotion::LATE_SLOT,
    rollback::PROVEN,
    rollback::KEPT_OFFSET,
    worker_crash::PROVEN,
    worker_crash::REWOUND,
    worker_crash::RUNNING,
];

/// Finds a runbook.
pub fn by_name(name: &str) -> Option<&'static Strategy> {
    ALL.iter().find(|strategy| strategy.name == name)
}

impl Strategy {
    /// The plan for a target version, before any fact is known.
    pub fn outline(&self, target: &str) -> Plan {
        Plan::new(self.name, self.title, self.class, (self.steps)(target))
    }

    /// Whether this runbook can lead from one version to another at all. Known before any server exists.
    pub fn suits(&self, from: &str, to: &str) -> Result<(), String> {
        let steps = (self.steps)(to);
        let has = |wanted: fn(&Step) -> bool| steps.iter().any(wanted);
        if has(|step| *step == Step::ReturnToOld) {
            // Wherever it came from, it goes back to there.
            return Ok(());
        }
        if has(|step| {
            matches!(
                step,
                Step::UpgradeCluster { .. } | Step::CreateServer { .. }
            )
        }) {
            newer_major(from, to)?;
        } else if self.name == minor::BACK.name {
            one_major(from, to)?;
        } else {
            same_major(from, to)?;
        }
        let on_standby = |step: &Step| matches!(step, Step::SlotOnStandby | Step::SlotOnSide);
        if has(on_standby) && major(from) < 16 {
            return Err(format!(
                "PostgreSQL {from} makes no logical slot on a standby (16 and newer do)"
            ));
        }
        if has(|step| *step == Step::SyncSlot) && major(from) < 17 {
            return Err(format!(
                "PostgreSQL {from} has no failover slots (17 and newer do)"
            ));
        }
        Ok(())
    }

    /// The plan for these facts; refused if a precondition does not hold.
    pub fn plan(&self, facts: &Facts, target: &str) -> Result<Plan, UpgradeError> {
        self.suits(&facts.server.version, target)
            .and_then(|()| (self.accepts)(facts))
            .map_err(|reason| UpgradeError::Refused(format!("{}: {reason}", self.name)))?;
        Ok(self.outline(target))
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
fn major(version: &str) -> u32 {
    let text = version.split('.').next().unwrap_or(version);
    text.parse().unwrap_or(0)
}

/// The same major version.
fn one_major(from: &str, target: &str) -> Result<(), String> {
    if major(from) == major(target) {
        return Ok(());
    }
    Err(format!(
        "{from} → {target} is another major version: a data directory cannot be opened by it"
    ))
}

/// The same major version, and not an older minor one.
fn same_major(from: &str, target: &str) -> Result<(), String> {
    one_major(from, target)?;
    let minor = |version: &str| -> u32 {
        let text = version.split('.').nth(1);
        text.and_then(|text| text.parse().ok()).unwrap_or(u32::MAX)
    };
    if minor(target) < minor(from) {
        return Err(format!("{from} → {target} is a downgrade"));
    }
    Ok(())
}

/// A newer major version.
fn newer_major(from: &str, target: &str) -> Result<(), String> {
    match major(target).cmp(&major(from)) {
        std::cmp::Ordering::Greater => Ok(()),
        std::cmp::Ordering::Equal => Err(format!(
            "{from} → {target} stays inside one major version: nothing but the programs has to change"
        )),
        std::cmp::Ordering::Less => Err(format!("{from} → {target} is a downgrade")),
    }
}

/// The first step of every proven runbook that makes a second cluster.
fn preflight(target: &str, way: Way) -> Step {
    Step::Preflight {
        version: target.into(),
        way,
    }
}

/// A baseline begins whatever the facts are, as people do.
fn anything(_: &Facts) -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_this_folder_has_runbooks_in_the_list_and_no_name_is_used_twice() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/strategies");
        for entry in std::fs::read_dir(folder).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            let kind = file.trim_end_matches(".rs").replace('_', "-");
            let listed = ALL.iter().any(|known| known.name.starts_with(&kind));
            assert!(file == "mod.rs" || listed, "{file}");
        }
        let mut names: Vec<&str> = ALL.iter().map(|known| known.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn a_saved_plan_reads_back_and_is_still_the_same() {
        for strategy in ALL {
            let plan = strategy.outline("16.14");
            let text = serde_json::to_string(&plan).unwrap();
            assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
    }

    #[test]
    fn a_pair_that_a_kind_cannot_do_is_refused_with_the_reason() {
        let why = |name: &str, from, to| by_name(name).unwrap().suits(from, to).unwrap_err();
        assert!(why("pg-upgrade-proven", "18.4", "16.14").contains("downgrade"));
        assert!(why("pg-upgrade-proven", "16.2", "16.14").contains("one major version"));
        assert!(why("minor-proven", "16.14", "16.2").contains("downgrade"));
        assert!(why("minor-proven", "16.14", "18.4").contains("another major"));
        assert!(why("minor-back", "18.4", "16.14").contains("another major"));
        assert!(
            by_name("minor-back")
                .unwrap()
                .suits("16.14", "16.2")
                .is_ok()
        );
        assert!(why("promotion-failover-slot", "16.14", "16.14").contains("failover slots"));
        assert!(why("promotion-proven", "15", "15").contains("on a standby"));
        assert!(why("restore-repaired", "15", "15").contains("on a standby"));
        assert!(by_name("minor-proven").unwrap().suits("17.9", "17").is_ok());
    }

    #[test]
    fn a_baseline_proves_nothing() {
        for strategy in ALL {
            if strategy.class == RunbookClass::Baseline {
                let runbook = strategy.outline("18.4").runbook();
                assert!(
                    runbook.steps.iter().all(|step| step.proof.is_none()),
                    "{}",
                    strategy.name
                );
            }
        }
    }

    #[test]
    fn a_proven_runbook_looks_for_what_is_in_the_way_before_it_makes_a_second_cluster() {
        for strategy in ALL {
            let steps = (strategy.steps)("18.4");
            let makes = |step: &Step| {
                matches!(
                    step,
                    Step::PrepareCluster { .. }
                        | Step::CreateServer { .. }
                        | Step::CreateStandby { .. }
                        | Step::RestoreBackup { .. }
                        | Step::OpenBaseBackup
                )
            };
            let looks = matches!(steps.first(), Some(Step::Preflight { .. }));
            let expected = strategy.class == RunbookClass::Proven && steps.iter().any(makes);
            assert_eq!(looks, expected, "{}", strategy.name);
        }
    }

    /// What every proven runbook of a planned upgrade has in common.
    #[test]
    fn a_proven_runbook_drains_before_the_switch_and_proves_the_stream_at_its_end() {
        for strategy in ALL {
            if strategy.class == RunbookClass::Baseline {
                continue;
            }
            let steps = (strategy.steps)("18.4");
            let at = |wanted: &Step| steps.iter().position(|step| step == wanted);
            assert_eq!(steps.last(), Some(&Step::RoundTrip), "{}", strategy.name);
            assert!(!steps.contains(&Step::PauseConnector), "{}", strategy.name);
            if steps.contains(&Step::CrashServer) || steps.contains(&Step::CrashWorker) {
                continue;
            }
            // Its first half is what people do.
            if steps.contains(&Step::CaptureGap) {
                continue;
            }
            let drain = at(&Step::DrainProof).unwrap();
            for later in [
                Step::StopConnector,
                Step::NoteCut,
                Step::StopServer,
                Step::Promote,
            ] {
                let after = at(&later).is_none_or(|found| found > drain);
                assert!(after, "{}", strategy.name);
            }
            if let (Some(rewrite), Some(resume)) =
                (at(&Step::RewriteOffset), at(&Step::ResumeConnector))
            {
                assert!(at(&Step::SetUpReplication).unwrap() < rewrite && rewrite < resume);
            }
            if let (Some(resume), Some(start)) =
                (at(&Step::ResumeConnector), at(&Step::StartApplication))
            {
                assert!(resume < start, "{}", strategy.name);
            }
        }
    }
    /// What a repair must not do: begin anything before it knows the gap, or go on at the late slot before what is in
    /// front of it has been delivered.
    #[test]
    fn a_repair_delivers_the_gap_before_it_goes_on_behind_it() {
        let steps = (by_name("restore-repaired").unwrap().steps)("17");
        let at = |wanted: Step| steps.iter().position(|step| *step == wanted).unwrap();
        let order = [
            Step::StopBetween,
            Step::StartApplication,
            Step::SetUpReplication,
            Step::CaptureGap,
            Step::CreateSideServer,
            Step::SlotOnSide,
            Step::OpenSide,
            Step::PointToSide,
            Step::DeliverGap,
            Step::StopConnector,
            Step::RewriteOffset,
            Step::RepointConnector,
            Step::ResumeConnector,
            Step::DiscardSide,
        ];
        let places: Vec<usize> = order.into_iter().map(at).collect();
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(steps.last(), Some(&Step::RoundTrip));
    }
}
