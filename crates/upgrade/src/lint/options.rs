//! Rules about options that came, went or were renamed, and about options that decide where a stream goes on.
//!
//! Source: the connector's option definitions by release tag. What an option does to positions was measured with
//! 2.4.0, 3.6.3 and 3.7.0.

use cutover_model::Severity::{Error, Note, Warning};

use super::{Found, Subject};
use crate::predict::DebeziumVersion;
use crate::predict::settings::{SEEK_OPTION, STRATEGIES, STRATEGY_OPTION};

/// First version with `offset.mismatch.strategy` and `lsn.flush.mode`.
pub(super) const STRATEGIES_SINCE: DebeziumVersion = DebeziumVersion(3, 4, 0);

/// Options and the first release that knows them. Earlier ones ignore them.
pub(super) const SINCE: [(&str, DebeziumVersion); 8] = [
    ("flush.lsn.source", DebeziumVersion(2, 1, 0)),
    (SEEK_OPTION, DebeziumVersion(2, 5, 0)),
    ("read.only", DebeziumVersion(2, 7, 0)),
    ("slot.failover", DebeziumVersion(3, 0, 5)),
    ("publish.via.partition.root", DebeziumVersion(3, 2, 0)),
    ("lsn.flush.timeout.ms", DebeziumVersion(3, 2, 0)),
    (STRATEGY_OPTION, STRATEGIES_SINCE),
    ("lsn.flush.mode", STRATEGIES_SINCE),
];

pub(super) fn too_new(subject: &Subject) -> Vec<Found> {
    let ignored = SINCE
        .iter()
        .filter(|(option, since)| subject.config.contains_key(*option) && subject.version < *since);
    let mut found: Vec<Found> = ignored
        .map(|(option, since)| {
            let message = format!("came with {since}; this version ignores it");
            Found::new(
                Warning,
                option,
                message,
                "remove it, so that nobody relies on it",
            )
        })
        .collect();
    let bare = SEEK_OPTION.trim_start_matches("internal.");
    if subject.config.contains_key(bare) {
        let message =
            format!("Debezium reads it only as {SEEK_OPTION}; under this name it has no effect");
        found.push(Found::new(Warning, bare, message, "remove it"));
    }
    found
}

pub(super) fn renamed(subject: &Subject) -> Vec<Found> {
    if subject.version < STRATEGIES_SINCE {
        return Vec::new();
    }
    let names = [
        ("flush.lsn.source", "lsn.flush.mode"),
        (SEEK_OPTION, STRATEGY_OPTION),
    ];
    let old = names
        .iter()
        .filter(|(old, _)| subject.config.contains_key(*old));
    old.map(|(old, new)| {
        let message =
            format!("deprecated since 3.4 in favour of {new}, which wins if both are set");
        Found::new(
            Note,
            old,
            message,
            format!("use {new}; `cutover lint --to` gives the value"),
        )
    })
    .collect()
}

pub(super) fn seeking(subject: &Subject) -> Vec<Found> {
    let why = "at a start the slot is moved to the stored offset, and the server clamps that to the end of its log: \
               with an offset of another server everything in the slot is gone at once";
    let v = subject.version;
    if DebeziumVersion(2, 1, 0) <= v && v < DebeziumVersion(2, 5, 0) {
        if subject.is("flush.lsn.source", "false") {
            return Vec::new();
        }
        let message = format!("this version always does it: {why}; a stop does it again");
        let remedy = "copy the slot (pg_copy_logical_replication_slot) before the first start after an upgrade";
        return vec![Found::new(Warning, "slot.name", message, remedy)];
    }
    let asked = subject.is(SEEK_OPTION, "true") && v >= DebeziumVersion(2, 5, 0);
    let strategy = subject
        .word(STRATEGY_OPTION)
        .filter(|_| v >= STRATEGIES_SINCE);
    let option = match strategy.as_deref() {
        Some("trust_offset" | "trust_greater_lsn") => STRATEGY_OPTION,
        None if asked => SEEK_OPTION,
        _ => return Vec::new(),
    };
    let remedy =
        "leave it at its default for the start after an upgrade, and rewrite the offset instead";
    vec![Found::new(Warning, option, why, remedy)]
}

pub(super) fn strategy(subject: &Subject) -> Vec<Found> {
    let Some(value) = subject
        .word(STRATEGY_OPTION)
        .filter(|_| subject.version >= STRATEGIES_SINCE)
    else {
        return Vec::new();
    };
    if !STRATEGIES.contains(&value.as_str()) {
        let message = format!("no version knows the value '{value}'");
        let remedy = format!("use one of {}", STRATEGIES.join(", "));
        return vec![Found::new(Error, STRATEGY_OPTION, message, remedy)];
    }
    if value != "trust_slot" && value != "trust_greater_lsn" {
        return Vec::new();
    }
    let message = format!(
        "{value}: when the slot is ahead of the offset, what lies between is skipped without a check"
    );
    let remedy = "use it for one start, after the proof that nothing lies between";
    vec![Found::new(Warning, STRATEGY_OPTION, message, remedy)]
}

pub(super) fn flushing(subject: &Subject) -> Vec<Found> {
    let mode = subject
        .word("lsn.flush.mode")
        .filter(|_| subject.version >= STRATEGIES_SINCE);
    let manual = "the slot is confirmed by somebody else: until then the server keeps all log, and what is confirmed \
                  too early is lost";
    let driver = "the JDBC driver confirms positions beyond the stored offset: a restart can find the slot ahead of it \
                  and refuse";
    let (option, message) = match mode.as_deref() {
        Some("connector_and_driver") => ("lsn.flush.mode", driver),
        Some("manual") => ("lsn.flush.mode", manual),
        None if subject.is("flush.lsn.source", "false") => ("flush.lsn.source", manual),
        _ => return Vec::new(),
    };
    vec![Found::new(
        Warning,
        option,
        message,
        "leave it to the connector, the default, during an upgrade",
    )]
}

pub(super) fn check_off(subject: &Subject) -> Vec<Found> {
    const OPTION: &str = "internal.log.position.check.enable";
    if !subject.is(OPTION, "false") || subject.version < DebeziumVersion(2, 6, 1) {
        return Vec::new();
    }
    let message =
        "a start no longer compares slot and offset: a slot made too late is used in silence";
    vec![Found::new(Warning, OPTION, message, "remove it")]
}
