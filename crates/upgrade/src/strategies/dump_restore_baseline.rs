//! Major upgrade by dump and restore as people's runbooks have it (baseline): the connector is paused, the
//! database dumped and restored into a new server, slot, publication and replica identity made again by hand,
//! the connector pointed to the new server and resumed with its old offset.
//!
//! The new server counts its log from the beginning, so the old offset lies *ahead* of it. PostgreSQL accepts
//! START_REPLICATION at a position in the future and sends nothing until its log has passed it; the connector
//! shows RUNNING. Whatever is committed until then is never delivered. None of the steps checks anything.

use cutover_model::plan::RunbookClass;

use super::{Strategy, major};
use crate::facts::Facts;
use crate::plan::Plan;
use crate::steps::Step;

/// The entry of `ALL`.
pub(super) const STRATEGY: Strategy = Strategy {
    name: "dump-restore-baseline",
    title: "dump and restore into another major, offset kept, as runbooks have it",
    outline,
    accepts,
};

fn outline(target: &str) -> Plan {
    let steps = vec![
        Step::CaptureState,
        Step::PauseConnector,
        Step::StopApplication,
        Step::CreateServer {
            version: target.into(),
        },
        Step::DumpDatabase,
        Step::RestoreDatabase,
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::ResumeConnector,
        // A paused connector keeps its old task until it is resumed, and that task then publishes what it had
        // queued: only now, before anything new is written, can whose record is whose be told.
        Step::NoteCut,
        Step::StartApplication,
    ];
    Plan::new(STRATEGY.name, STRATEGY.title, RunbookClass::Baseline, steps)
}

fn accepts(facts: &Facts, target: &str) -> Result<(), String> {
    let from = &facts.server.version;
    if major(from) == major(target) {
        return Err(format!("{from} → {target} stays inside one major version"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_baseline_keeps_the_old_offset_and_checks_nothing() {
        let runbook = outline("18.4").runbook();
        assert!(runbook.steps.iter().all(|step| step.proof.is_none()));
        assert!(
            runbook
                .steps
                .iter()
                .any(|step| step.step == "resume-connector")
        );
        assert!(
            !runbook
                .steps
                .iter()
                .any(|step| step.step.contains("offset"))
        );
    }
}
