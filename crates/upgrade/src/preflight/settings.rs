//! Settings of the new server. Without `wal_level=logical` and a free slot the stream cannot go on there; and a server
//! that replays another one's log must not have less room for its transactions than that one
//! (`recovery aborted because of insufficient parameter settings`).

use super::{Check, Finding, PreflightFacts};

pub(super) const CHECK: Check = Check {
    name: "settings",
    look,
};

/// What must not be less on a server that replays, as PostgreSQL's documentation of hot standby lists it.
const NOT_LESS: [&str; 5] = [
    "max_connections",
    "max_worker_processes",
    "max_wal_senders",
    "max_prepared_transactions",
    "max_locks_per_transaction",
];

/// Every setting that is looked at, on both sides.
pub const LOOKED_AT: [&str; 9] = [
    "max_slot_wal_keep_size",
    "idle_replication_slot_timeout",
    "wal_level",
    "max_replication_slots",
    NOT_LESS[0],
    NOT_LESS[1],
    NOT_LESS[2],
    NOT_LESS[3],
    NOT_LESS[4],
];

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    let new = &facts.new.server.settings;
    let mut findings = Vec::new();
    if let Some(level) = new.get("wal_level").filter(|level| *level != "logical") {
        findings.push(Finding::refuses(
            "PRE-SETTING-001",
            format!("the new server would have wal_level = {level}"),
            "set wal_level = logical for the new server",
        ));
    }
    let number = |name: &str| new.get(name).and_then(|text| text.parse::<u64>().ok());
    // Below 17 none is carried over, and one has to be made; from 17 on all of them come along.
    let carried = facts.way.upgrades() && facts.old.major >= 17;
    let slots = if carried { facts.old.logical_slots } else { 1 };
    if let Some(room) = number("max_replication_slots").filter(|room| *room < slots.into()) {
        findings.push(Finding::refuses(
            "PRE-SETTING-002",
            format!(
                "the new server would have max_replication_slots = {room}, and {slots} are needed"
            ),
            format!("set max_replication_slots = {slots} or more for the new server"),
        ));
    }
    findings.extend(NOT_LESS.iter().filter_map(|name| less(facts, name)));
    findings
}

/// A limit that is lower than on the old server.
fn less(facts: &PreflightFacts, name: &str) -> Option<Finding> {
    let of = |settings: &std::collections::BTreeMap<String, String>| {
        settings.get(name).and_then(|text| text.parse::<u64>().ok())
    };
    let (old, new) = (of(&facts.old.settings)?, of(&facts.new.server.settings)?);
    if new >= old {
        return None;
    }
    let evidence = format!("{name} is {old} on the old server and would be {new} on the new one");
    let remedy = format!("set {name} = {old} or more for the new server");
    Some(if facts.way.is_physical() {
        Finding::refuses("PRE-SETTING-003", evidence, remedy)
    } else {
        Finding::warns("PRE-SETTING-004", evidence, remedy)
    })
}
