//! Whether the file system clones files (`FICLONE`; XFS and Btrfs do, ext4 does not). pg_upgrade looks only when it is
//! run, and its `--check` of a cluster that is up already says so too late for a plan to change its mind.

use super::{Check, Finding, PreflightFacts, Way};

pub(super) const CHECK: Check = Check {
    name: "clone",
    look,
};

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    match &facts.new.clone_refused {
        Some(reason) if facts.way == Way::UpgradeClone => vec![Finding::refuses(
            "PRE-CLONE-001",
            reason.clone(),
            "use a file system with reflinks (XFS, Btrfs), or let pg_upgrade copy or link the files",
        )],
        _ => Vec::new(),
    }
}
