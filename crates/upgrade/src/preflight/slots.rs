//! Slots of the old server: whether there is room for those that the plan makes, and what takes away one that stands
//! still. The connector's slot stands still from the connector's stop to its resume, and the guard of a standby's slot
//! all the time; a plan that loses one stops and is taken back, so this only warns.

use super::{Check, Finding, PreflightFacts, Way};

pub(super) const CHECK: Check = Check {
    name: "slots",
    look,
};

fn look(facts: &PreflightFacts) -> Vec<Finding> {
    let room = room(facts).into_iter();
    room.chain(taken_away(facts)).collect()
}

/// The guard of a standby's slot and the standby's own, or those of a subscription and of its two copying workers.
fn room(facts: &PreflightFacts) -> Option<Finding> {
    let more = match facts.way {
        Way::Standby => 2,
        Way::Restore => 1,
        Way::Logical => 3,
        _ => 0,
    };
    let limit = facts.old.settings.get("max_replication_slots")?;
    let limit: u32 = limit.parse().ok()?;
    let used = facts.old.slots;
    (used + more > limit).then(|| {
        Finding::refuses(
            "PRE-SLOT-001",
            format!("{used} of {limit} replication slots of the old server are taken, and {more} more are needed"),
            format!(
                "set max_replication_slots = {} or more and restart, or drop slots that nobody reads",
                used + more
            ),
        )
    })
}

/// Settings that invalidate a slot, with their unit and the value that turns them off.
const TAKES_AWAY: [(&str, &str, &str); 2] = [
    ("max_slot_wal_keep_size", "MB", "-1"),
    ("idle_replication_slot_timeout", "s", "0"),
];

fn taken_away(facts: &PreflightFacts) -> impl Iterator<Item = Finding> {
    TAKES_AWAY.into_iter().filter_map(|(name, unit, off)| {
        let value = facts.old.settings.get(name)?;
        (value != off).then(|| {
            Finding::warns(
                "PRE-SLOT-002",
                format!("{name} is {value} {unit} on the old server: a slot that stands still may be lost"),
                format!("ALTER SYSTEM SET {name} = '{off}' until the switch is done"),
            )
        })
    })
}
