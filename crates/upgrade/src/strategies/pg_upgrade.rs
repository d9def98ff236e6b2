//! A major upgrade by pg_upgrade. Below 17 it drops logical slots without a word; from 17 on it carries them
//! over, at a new position, if nothing at all was committed after what they confirmed. In both cases the log of
//! the new cluster begins far ahead of the old offset, so the offset is rewritten.
//!
//! Baselines: the procedure of Debezium's documentation with and without proof of the drain; the script that
//! waits five seconds and drops the slot; the old offset kept; and `when_needed`, which the connector's own error
//! message advises.

use cutover_model::plan::RunbookClass;

use super::{Strategy, anything, flows, preflight};
use crate::preflight::Way;
use crate::steps::{Step, Transfer};

/// Pg_upgrade with copied files, each step proven.
pub(super) const PROVEN: Strategy = Strategy {
    name: "pg-upgrade-proven",
    title: "pg_upgrade with copied files, each step proven",
    class: RunbookClass::Proven,
    steps: copy,
    accepts: flows,
};

/// Pg_upgrade with hard links, each step proven.
pub(super) const LINK: Strategy = Strategy {
    name: "pg-upgrade-link",
    title: "pg_upgrade with hard links, each step proven",
    class: RunbookClass::Proven,
    steps: link,
    accepts: flows,
};

/// Pg_upgrade with cloned files, each step proven.
pub(super) const CLONE: Strategy = Strategy {
    name: "pg-upgrade-clone",
    title: "pg_upgrade with cloned files, each step proven",
    class: RunbookClass::Proven,
    steps: clone,
    accepts: flows,
};

/// Pg_upgrade that carries the slot over, one start trusts it instead of an offset rewrite.
pub(super) const TRUST_SLOT: Strategy = Strategy {
    name: "pg-upgrade-trust-slot",
    title: "pg_upgrade that carries the slot over, one start with trust_slot, each step proven",
    class: RunbookClass::Proven,
    steps: trust_slot,
    accepts: flows,
};

/// Pg_upgrade as the documentation of Debezium has it, drain looked at.
pub(super) const DOCUMENTED: Strategy = Strategy {
    name: "pg-upgrade-documented",
    title: "pg_upgrade as the documentation of Debezium has it, drain looked at",
    class: RunbookClass::Baseline,
    steps: documented,
    accepts: anything,
};

/// The documented procedure without a look at the drain.
pub(super) const UNDRAINED: Strategy = Strategy {
    name: "pg-upgrade-undrained",
    title: "the documented procedure without a look at the drain",
    class: RunbookClass::Baseline,
    steps: undrained,
    accepts: anything,
};

/// Wait five seconds, drop the slot, delete the offset.
pub(super) const FIVE_SECONDS: Strategy = Strategy {
    name: "pg-upgrade-five-seconds",
    title: "wait five seconds, drop the slot, delete the offset",
    class: RunbookClass::Baseline,
    steps: five_seconds,
    accepts: anything,
};

/// Pg_upgrade, slot made again, the old offset kept.
pub(super) const KEPT_OFFSET: Strategy = Strategy {
    name: "pg-upgrade-kept-offset",
    title: "pg_upgrade, slot made again, the old offset kept",
    class: RunbookClass::Baseline,
    steps: kept_offset,
    accepts: anything,
};

/// Pg_upgrade, then snapshot.mode=when_needed as the error advises.
pub(super) const WHEN_NEEDED: Strategy = Strategy {
    name: "pg-upgrade-when-needed",
    title: "pg_upgrade, then snapshot.mode=when_needed as the error advises",
    class: RunbookClass::Baseline,
    steps: when_needed,
    accepts: anything,
};

fn proven(target: &str, transfer: Transfer) -> Vec<Step> {
    let version: String = target.into();
    let way = match transfer {
        Transfer::Copy => Way::UpgradeCopy,
        Transfer::Link => Way::UpgradeLink,
        Transfer::Clone => Way::UpgradeClone,
    };
    vec![
        preflight(target, way),
        Step::CaptureState,
        Step::RoundTrip,
        Step::PrepareCluster {
            version: version.clone(),
            transfer,
        },
        Step::StopApplication,
        Step::QuietServer,
        Step::DrainProof,
        Step::StopConnector,
        Step::NoteCut,
        Step::StopServer,
        Step::UpgradeCluster { version, transfer },
        Step::SetUpReplication,
        Step::RepointConnector,
        Step::RewriteOffset,
        Step::ResumeConnector,
        Step::RoundTrip,
        Step::StartApplication,
        Step::RoundTrip,
    ]
}

fn copy(target: &str) -> Vec<Step> {
    proven(target, Transfer::Copy)
}

fn link(target: &str) -> Vec<Step> {
    proven(target, Transfer::Link)
}

fn clone(target: &str) -> Vec<Step> {
    proven(target, Transfer::Clone)
}

/// No offset is touched: where Connect cannot change it and nobody wants to write to its topic. The option is for one
/// start only, so it is taken out while the application works again.
fn trust_slot(target: &str) -> Vec<Step> {
    let rewritten = proven(target, Transfer::Copy).into_iter();
    let mut steps: Vec<Step> = rewritten
        .filter(|step| *step != Step::RewriteOffset)
        .flat_map(|step| match step {
            Step::RepointConnector => vec![Step::TrustSlot, step],
            other => vec![other],
        })
        .collect();
    steps.extend([
        Step::StopConnector,
        Step::DistrustSlot,
        Step::ResumeConnector,
        Step::RoundTrip,
    ]);
    steps
}

/// What the baselines share: the old cluster becomes the new one.
fn upgrade(target: &str) -> [Step; 3] {
    let (version, transfer): (String, _) = (target.into(), Transfer::Copy);
    [
        Step::PrepareCluster {
            version: version.clone(),
            transfer,
        },
        Step::StopServer,
        Step::UpgradeCluster { version, transfer },
    ]
}

/// Stop writers, let the connector drain and look at it, delete it but keep the offsets topic, drop the slot,
/// upgrade, make the slot before writes, another connector name, `no_data`.
fn documented(target: &str) -> Vec<Step> {
    let mut steps = vec![
        Step::CaptureState,
        Step::StopApplication,
        Step::AwaitDelivery,
        Step::DeleteConnector,
        Step::NoteCut,
        Step::DropSlot,
    ];
    steps.extend(upgrade(target));
    steps.extend([
        Step::SetUpReplication,
        Step::DeployConnector {
            snapshot_mode: Some("no_data".into()),
            rename: true,
        },
        Step::StartApplication,
    ]);
    steps
}

fn undrained(target: &str) -> Vec<Step> {
    let looked = documented(target).into_iter();
    looked.filter(|step| *step != Step::AwaitDelivery).collect()
}

fn five_seconds(target: &str) -> Vec<Step> {
    let mut steps = vec![
        Step::CaptureState,
        Step::StopApplication,
        Step::Wait { seconds: 5 },
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::DeleteOffsets,
        Step::DeleteConnector,
        Step::NoteCut,
        Step::DropSlot,
    ];
    steps.extend(upgrade(target));
    steps.extend([
        Step::SetUpReplication,
        Step::DeployConnector {
            snapshot_mode: Some("no_data".into()),
            rename: false,
        },
        Step::StartApplication,
    ]);
    steps
}

/// Drained with care, so that pg_upgrade does not refuse; only the offset is left as it is.
fn kept_offset(target: &str) -> Vec<Step> {
    let mut steps = vec![
        Step::CaptureState,
        Step::StopApplication,
        Step::QuietServer,
        Step::AwaitDelivery,
        Step::StopConnector,
        Step::LetConnectorStop,
        Step::NoteCut,
    ];
    steps.extend(upgrade(target));
    steps.extend([
        Step::SetUpReplication,
        Step::StartApplication,
        Step::RepointConnector,
        Step::ResumeConnector,
    ]);
    steps
}

fn when_needed(target: &str) -> Vec<Step> {
    let mut steps = kept_offset(target);
    steps.truncate(steps.len() - 2);
    steps.extend([
        Step::LetTimePass,
        Step::DeployConnector {
            snapshot_mode: Some("when_needed".into()),
            rename: false,
        },
        Step::ResumeConnector,
    ]);
    steps
}
