//! Room for a second cluster. A copy, a standby or a restore takes as much as the old one has; hard links and clones
//! share the old files and need little more than a new catalogue. Files of one plan that go to one file system
//! need their room there together.

use std::collections::BTreeMap;

use super::{Check, Finding, Place, PreflightFacts, Purpose, Way};

pub(super) const CHECK: Check = Check { name: "disk", look };

/// A new cluster without rows: the template databases, a first log, what initdb and pg_upgrade write besides.
const EMPTY_CLUSTER: u64 = 256 << 20;
/// The catalogue of one more database.
const CATALOGUE: u64 = 16 << 20;

/// Bytes that the plan writes for a purpose.
fn needed(facts: &PreflightFacts, purpose: Purpose) -> u64 {
    let old = &facts.old;
    // Files grow while they are copied, and a tenth is what a busy hour is allowed.
    let rows = old.bytes + old.bytes / 10;
    match (purpose, facts.way) {
        (Purpose::Old, _) => 0,
        (Purpose::New, Way::UpgradeLink | Way::UpgradeClone) => {
            EMPTY_CLUSTER + CATALOGUE * u64::from(old.databases)
        }
        (Purpose::New, Way::Standby | Way::Restore | Way::Copy) => {
            EMPTY_CLUSTER + rows + old.wal_bytes
        }
        (Purpose::New, _) => EMPTY_CLUSTER + rows,
        // Compressed, and without indexes: never more than the database itself.
        (Purpose::Dump, _) => old.bytes,
        (Purpose::Repository, _) => rows + old.wal_bytes,
    }
}

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    if facts.new.place(Purpose::New).is_none() {
        let need = needed(facts, Purpose::New);
        return vec![Finding::warns(
            "PRE-DISK-002",
            format!(
                "the free room for the new cluster is not known; it needs {}",
                size(need)
            ),
            "look at the file system of the new data directory",
        )];
    }
    let mut systems: BTreeMap<u64, Vec<&Place>> = BTreeMap::new();
    for place in &facts.new.places {
        systems.entry(place.file_system).or_default().push(place);
    }
    let mut findings: Vec<Finding> = systems
        .values()
        .filter_map(|places| too_small(facts, places))
        .collect();
    findings.extend(across(facts));
    findings
}

/// All that goes to one file system.
fn too_small(facts: &PreflightFacts, places: &[&Place]) -> Option<Finding> {
    let need: u64 = places
        .iter()
        .map(|place| needed(facts, place.purpose))
        .sum();
    let smallest = places.iter().min_by_key(|place| place.free_bytes)?;
    if need <= smallest.free_bytes {
        return None;
    }
    let parts: Vec<String> = places
        .iter()
        .map(|place| (place, needed(facts, place.purpose)))
        .filter(|(_, need)| *need > 0)
        .map(|(place, need)| format!("{} for {}", size(need), place.path.display()))
        .collect();
    let link = if facts.way == Way::UpgradeCopy {
        ", or let pg_upgrade link or clone the files"
    } else {
        ""
    };
    Some(Finding::refuses(
        "PRE-DISK-001",
        format!(
            "{} are free and {} are needed ({}); the databases have {}",
            size(smallest.free_bytes),
            size(need),
            parts.join(", "),
            size(facts.old.bytes)
        ),
        format!("make room, or give the new cluster another file system{link}"),
    ))
}

/// Neither a hard link nor a clone leads to another file system.
fn across(facts: &PreflightFacts) -> Option<Finding> {
    if !matches!(facts.way, Way::UpgradeLink | Way::UpgradeClone) {
        return None;
    }
    let old = facts.new.place(Purpose::Old)?;
    let new = facts.new.place(Purpose::New)?;
    (old.file_system != new.file_system).then(|| {
        Finding::refuses(
            "PRE-LINK-001",
            format!(
                "{} and {} are on different file systems: files can be neither linked nor cloned",
                old.path.display(),
                new.path.display()
            ),
            "put the new cluster beside the old one, or let pg_upgrade copy the files",
        )
    })
}

/// Bytes for people.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20)];
    for (unit, one) in UNITS {
        if bytes >= one {
            return format!("{:.1} {unit}", bytes as f64 / one as f64);
        }
    }
    format!("{} KiB", bytes.div_ceil(1024))
}
