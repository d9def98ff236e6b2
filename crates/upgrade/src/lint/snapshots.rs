//! Rules about `snapshot.mode`. The modes of each version are those of the prediction's table, so lint and prediction
//! cannot disagree.

use cutover_model::Severity::{Error, Note, Warning};

use super::{Found, Subject};
use crate::predict::versions::{self, Behaviour};

const OPTION: &str = "snapshot.mode";

fn behaviour(subject: &Subject) -> Option<&'static Behaviour> {
    versions::ALL.iter().find(|row| row.covers(subject.version))
}

pub(super) fn unknown_mode(subject: &Subject) -> Vec<Found> {
    let (Some(mode), Some(behaviour)) = (subject.word(OPTION), behaviour(subject)) else {
        return Vec::new();
    };
    let modes = behaviour.snapshot_modes;
    if modes.contains(&mode.as_str()) {
        return Vec::new();
    }
    let same = match mode.as_str() {
        "never" => Some("no_data"),
        "no_data" => Some("never"),
        _ => None,
    };
    let remedy = same.map_or_else(
        || format!("use one of {}", modes.join(", ")),
        |same| format!("set snapshot.mode={same}, which does the same in this version"),
    );
    let message = format!("{} refuses '{mode}'", behaviour.range());
    vec![Found::new(Error, OPTION, message, remedy)]
}

pub(super) fn old_name(subject: &Subject) -> Vec<Found> {
    let both = behaviour(subject).is_some_and(|behaviour| {
        behaviour.snapshot_modes.contains(&"never") && behaviour.snapshot_modes.contains(&"no_data")
    });
    if !both || !subject.is(OPTION, "never") {
        return Vec::new();
    }
    let message = "'never' is an alias of no_data from 2.6 to 3.2, and gone in 3.3";
    vec![Found::new(
        Note,
        OPTION,
        message,
        "set snapshot.mode=no_data",
    )]
}

pub(super) fn reads_again(subject: &Subject) -> Vec<Found> {
    let mode = subject.word(OPTION).unwrap_or_else(|| "initial".into());
    let (severity, message) = match mode.as_str() {
        "always" => (
            Warning,
            "always: every start reads all tables again, offset or not",
        ),
        "when_needed" => (
            Warning,
            "when_needed: a position that only looks lost (every pg_upgrade does that) reads all tables again; changes \
             between are gone, and deletes never arrive",
        ),
        "initial" => (
            Note,
            "initial (the default): if the offset is missing after a restore, all tables are read again and every row \
             is delivered a second time",
        ),
        _ => return Vec::new(),
    };
    let remedy = "for the start after an upgrade or restore use no_data (never before 2.6) on a slot made in time";
    vec![Found::new(severity, OPTION, message, remedy)]
}

pub(super) fn never_streams(subject: &Subject) -> Vec<Found> {
    if !subject.is(OPTION, "initial_only") {
        return Vec::new();
    }
    let message = "initial_only: tables are read once and no change is ever streamed";
    vec![Found::new(
        Error,
        OPTION,
        message,
        "use a mode that streams",
    )]
}
