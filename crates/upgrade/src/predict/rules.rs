//! The rules up to the point where the stream begins, in the order in which a starting connector comes to them:
//! configuration, server, unfinished snapshot, slot, position check, snapshot. What is about positions in the stream is
//! in `position`.
//!
//! Sources: the connector's source by release tag (see `versions`), and what real connectors 2.4.0, 3.6.3 and 3.7.0 did
//! (the table in this module's tests). The rule it protects: outcome, reason and version range are stated together.

use cutover_model::{LosesOn, Lsn, PredictedOutcome};

use super::facts::{Kinship, OffsetFacts, SlotFacts};
use super::settings::{AUTOCREATE_OPTION, SnapshotMode};
use super::versions::{Behaviour, OnFailure, PositionCheck};
use super::{Case, Draft, position};

/// The first PostgreSQL that decodes on a standby.
const DECODES_IN_RECOVERY: u32 = 16;

type Rule = fn(&Case) -> Option<Draft>;

/// In the order in which the connector comes to them; the first that applies decides.
const RULES: [Rule; 9] = [
    standby_too_old,
    alters_a_standby,
    snapshot_only,
    unfinished_snapshot,
    lost_slot,
    failed_position_check,
    snapshot_now,
    slot_in_use,
    slot_made_now,
];

/// Applies the rules.
pub(super) fn decide(case: &Case) -> Draft {
    let decided = RULES.iter().find_map(|rule| rule(case));
    decided.unwrap_or_else(|| position::decide(case))
}

/// What is true besides the rule that decided: whose log the offset counts, options without effect, a WARN.
pub(super) fn asides(case: &Case) -> Vec<String> {
    let mut asides = Vec::new();
    if case.facts.offset.is_some() {
        asides.push(case.kinship_words());
    }
    if case.check_fails() && case.behaviour.check_failure == OnFailure::Warned {
        asides.push(format!(
            "{} notices ('Last recorded offset is no longer available on the server') with a WARN and goes on",
            case.behaviour.range()
        ));
    }
    let status = case
        .facts
        .slot
        .as_ref()
        .and_then(|slot| slot.wal_status.as_deref());
    if status == Some("unreserved") {
        asides.push("the slot's log is unreserved: the next checkpoint may remove it".into());
    }
    asides.extend(case.settings.notes.iter().cloned());
    asides
}

/// The configuration is not valid for this version; Connect does not start the connector.
pub(super) fn rejected(
    option: &str,
    value: &str,
    allowed: &[&str],
    behaviour: &'static Behaviour,
) -> Draft {
    let allowed = allowed.join(", ");
    let range = behaviour.range();
    Draft::refuses(true)
        .because(format!(
            "{range} does not know {option}={value}; it knows {allowed}"
        ))
        .remedy(vec![format!("set {option} to one of {allowed}")])
        .message(format!("Invalid value {value} for configuration {option}"))
}

/// Before 16 a standby cannot decode its log.
fn standby_too_old(case: &Case) -> Option<Draft> {
    let server = &case.facts.server;
    let digits = server.version.split(|it: char| !it.is_ascii_digit()).next();
    let major = digits.and_then(|digits| digits.parse::<u32>().ok())?;
    if !server.in_recovery || major >= DECODES_IN_RECOVERY {
        return None;
    }
    let draft = Draft::refuses(true)
        .because(format!(
            "the server is in recovery, and PostgreSQL {} cannot decode there; 16 is the first that can",
            server.version
        ))
        .remedy(vec!["promote the server, or start the connector after recovery has ended".into()]);
    Some(draft.message("logical decoding cannot be used while in recovery"))
}

/// `filtered` sets the tables of its publication at each start, and a standby takes no such statement. Measured with
/// 2.4.0: connector and task stay RUNNING, and every ten seconds it is tried again.
fn alters_a_standby(case: &Case) -> Option<Draft> {
    let mode = case.facts.options.get(AUTOCREATE_OPTION)?;
    if !case.facts.server.in_recovery || !mode.eq_ignore_ascii_case("filtered") {
        return None;
    }
    let draft = Draft::refuses(true)
        .because(
            "the server is in recovery, and publication.autocreate.mode=filtered alters the publication at each \
             start: it is tried for ever, and connector and task show RUNNING meanwhile",
        )
        .remedy(vec![format!("set {AUTOCREATE_OPTION}=disabled; the publication is there")]);
    Some(draft.message("cannot execute ALTER PUBLICATION in a read-only transaction"))
}

/// `initial_only` reads the tables and never streams.
fn snapshot_only(case: &Case) -> Option<Draft> {
    if case.settings.snapshot != SnapshotMode::InitialOnly {
        return None;
    }
    let unfinished = case
        .facts
        .offset
        .as_ref()
        .is_none_or(|offset| offset.in_snapshot);
    let draft = if unfinished {
        Draft::new(PredictedOutcome::Resnapshots, true, LosesOn::Never)
    } else {
        Draft::new(PredictedOutcome::Skips, true, LosesOn::Never)
    };
    Some(
        draft
            .because("snapshot.mode=initial_only (all versions): the stream is never opened, the slot stays as it is")
            .remedy(vec!["set a snapshot.mode that streams".into()]),
    )
}

/// The offset was stored in the middle of a snapshot.
fn unfinished_snapshot(case: &Case) -> Option<Draft> {
    case.facts
        .offset
        .as_ref()
        .filter(|offset| offset.in_snapshot)?;
    let reason = "the offset was stored in the middle of the initial snapshot";
    if case.settings.snapshot != SnapshotMode::NoData {
        let draft = Draft::new(PredictedOutcome::Resnapshots, false, LosesOn::Never);
        return Some(draft.because(format!("{reason}: every version reads all tables again")));
    }
    let draft = Draft::refuses(true)
        .because(format!(
            "{reason}, and snapshot.mode forbids to read them again (all versions)"
        ))
        .remedy(vec!["set snapshot.mode=initial and start again".into()]);
    Some(draft.message(
        "The connector previously stopped while taking a snapshot, but now the connector is configured to never allow \
         snapshots.",
    ))
}

/// The server has removed what the slot needs.
fn lost_slot(case: &Case) -> Option<Draft> {
    let slot = case.facts.slot.as_ref()?;
    let lost = slot.wal_status.as_deref() == Some("lost");
    if !lost && slot.restart_lsn.is_some() {
        return None;
    }
    let end = if slot.restart_lsn.is_none() {
        "it has no restart_lsn any more, so a starting connector asks for it every two seconds for half an hour and \
         fails then"
    } else {
        "connector and task say RUNNING and retry for ever ('can no longer get changes from replication slot')"
    };
    let draft = Draft::skips_for_good()
        .because(format!("the slot is lost (wal_status {}): {end} (seen with 2.4.0 and 3.6.3)", status(slot)))
        .because("what it held is gone from this server's log; a rewritten offset does not bring it back")
        .remedy(vec![case.drop_slot(), case.create_slot(), case.close_gap()]);
    Some(draft)
}

fn status(slot: &SlotFacts) -> &str {
    slot.wal_status.as_deref().unwrap_or("not given")
}

/// 2.6 and newer compare the slot with the offset; from 3.2 on a misfit ends the task.
fn failed_position_check(case: &Case) -> Option<Draft> {
    let offset = case.facts.offset.as_ref().filter(|_| case.check_fails())?;
    if case.settings.snapshot == SnapshotMode::WhenNeeded {
        let draft = Draft::new(PredictedOutcome::Resnapshots, false, LosesOn::Start)
            .because(case.misfit(offset))
            .because(
                "snapshot.mode=when_needed answers that by reading every row again: changes between are gone, and \
                 deletes of that time never arrive (measured: 67 rows again, 36 events lost, 4 ghost rows)",
            );
        return Some(draft.remedy(vec![case.no_snapshot()]));
    }
    if case.behaviour.check_failure == OnFailure::Warned {
        return None;
    }
    let kept = case.facts.slot.is_some();
    let mut draft = Draft::refuses(kept && case.facts.at_stake.unwrap_or(0) == 0)
        .because(case.misfit(offset))
        .message(
            "The connector is trying to read change stream starting at PostgresOffsetContext [...], but this is no \
             longer available on the server. Reconfigure the connector to use a snapshot mode when needed.",
        )
        .because("the connector's state stays RUNNING; the task is FAILED")
        .because(match case.facts.at_stake {
            Some(0) => "nothing is lost: no captured change lies before the slot".to_owned(),
            Some(count) => format!("{count} committed changes lie before the slot and are not in it"),
            None => "whether anything was committed before the slot began is not proven".to_owned(),
        });
    draft = if kept {
        draft.remedy(case.rewrite_to_slot())
    } else {
        let step =
            "then rewrite the offset to the new slot's confirmed_flush_lsn and resume".to_owned();
        draft.remedy(vec![case.stop(), case.create_slot(), step])
    };
    Some(match case.facts.at_stake {
        Some(0) => draft,
        _ => draft.remedy(vec![case.close_gap()]),
    })
}

/// Tables are read before the stream begins.
fn snapshot_now(case: &Case) -> Option<Draft> {
    let mode = case.settings.snapshot;
    let first = case.facts.offset.is_none();
    let reason = match mode {
        SnapshotMode::Always => {
            "snapshot.mode=always reads all tables at each start, offset or not"
        }
        SnapshotMode::Initial if first => {
            "snapshot.mode=initial, and there is no offset: all tables are read"
        }
        SnapshotMode::WhenNeeded if first => {
            "snapshot.mode=when_needed, and there is no offset: all tables are read"
        }
        _ => return None,
    };
    let slot = case.facts.slot.as_ref();
    let first_life = first && slot.is_none();
    let loses_on = if first_life {
        LosesOn::Never
    } else {
        LosesOn::Start
    };
    let mut draft = Draft::new(PredictedOutcome::Resnapshots, false, loses_on)
        .because(format!("{reason} (all versions)"));
    if !first_life {
        draft = draft
            .because("the stream goes on at the snapshot: changes before it come as rows, deletes do not come at all")
            .remedy(vec![case.no_snapshot()]);
    }
    if slot.is_some_and(|slot| slot.active) {
        draft =
            draft.because("after the snapshot it fails, because somebody else reads from the slot");
    }
    Some(draft)
}

/// Only one reader at a time.
fn slot_in_use(case: &Case) -> Option<Draft> {
    case.facts.slot.as_ref().filter(|slot| slot.active)?;
    let draft = Draft::refuses(true)
        .because(
            "somebody else reads from the slot: every version tries again (slot.max.retries times, 6 by default, \
             slot.retry.delay.ms apart, 10 s by default) and fails then",
        )
        .remedy(vec![case.find_reader()]);
    Some(draft.message("replication slot is active for PID"))
}

/// A missing slot that nothing complains about is made at the end of the log.
fn slot_made_now(case: &Case) -> Option<Draft> {
    if case.facts.slot.is_some() {
        return None;
    }
    let range = case.behaviour.range();
    let end = case.facts.server.current_lsn;
    let unchecked = case.behaviour.check != PositionCheck::Absent && !case.settings.checks;
    let why = if unchecked {
        ", since the options switch its check off,"
    } else {
        ""
    };
    let made = match &case.facts.offset {
        Some(offset) => format!(
            "there is no slot: {range}{why} makes one at the end of the log ({end}) and goes on there, whatever \
             the offset ({}) says",
            offset.start()
        ),
        None => format!(
            "there is neither offset nor slot, and no snapshot is allowed: the stream begins at the end of the log \
             ({end})"
        ),
    };
    let made = Draft::because(
        match case.facts.at_stake {
            Some(0) => Draft::resumes(),
            _ => Draft::skips_for_good(),
        },
        made,
    );
    Some(match case.facts.at_stake {
        Some(0) => made.because("no captured change is undelivered, so nothing is passed over"),
        known => made
            .because(match known {
                Some(count) => format!("{count} committed changes before that are in no slot"),
                None => {
                    "what was committed before that is in no slot, and nobody is told".to_owned()
                }
            })
            .remedy(vec![case.create_slot(), case.close_gap()]),
    })
}

impl Case<'_> {
    /// The comparison that this version makes fails.
    pub(super) fn check_fails(&self) -> bool {
        let Some(offset) = self
            .facts
            .offset
            .as_ref()
            .filter(|offset| !offset.in_snapshot)
        else {
            return false;
        };
        let check = self.behaviour.check;
        if check == PositionCheck::Absent || !self.settings.checks {
            return false;
        }
        let Some(slot) = &self.facts.slot else {
            return true;
        };
        let (Some(restart), Some(stored)) = (slot.restart_lsn, self.checked(offset)) else {
            return false;
        };
        match check {
            PositionCheck::Absent => false,
            PositionCheck::BelowCommit => restart >= stored,
            PositionCheck::AtMostCommit | PositionCheck::AtMostProcessed => restart > stored,
        }
    }

    /// The position of the offset that the check looks at.
    fn checked(&self, offset: &OffsetFacts) -> Option<Lsn> {
        match self.behaviour.check {
            PositionCheck::AtMostProcessed => offset.lsn_proc,
            _ => offset.commit(),
        }
    }

    fn misfit(&self, offset: &OffsetFacts) -> String {
        let range = self.behaviour.range();
        let Some(slot) = &self.facts.slot else {
            return format!(
                "there is no slot, and {range} makes none for a connector that has an offset"
            );
        };
        let name = match self.behaviour.check {
            PositionCheck::AtMostProcessed => "lsn_proc",
            _ => "lsn_commit",
        };
        let show = |lsn: Option<Lsn>| lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
        format!(
            "the slot's restart_lsn {} is ahead of the offset's {name} {}: {range} compares these two and nothing else",
            show(slot.restart_lsn),
            show(self.checked(offset))
        )
    }

    /// The slot stands where this very offset made it stand: Debezium confirms the last commit that it has stored.
    fn confirmed_by_offset(&self) -> bool {
        let commit = self
            .facts
            .offset
            .as_ref()
            .and_then(|offset| offset.lsn_commit);
        let slot = self.facts.slot.as_ref();
        commit.is_some() && slot.is_some_and(|slot| slot.confirmed_flush_lsn == commit)
    }

    fn kinship_words(&self) -> String {
        let server = &self.facts.server;
        let here = format!("system {} timeline {}", server.system_id, server.timeline);
        let home = self
            .facts
            .offset
            .as_ref()
            .and_then(|offset| offset.server.as_ref());
        let there = home.map_or_else(String::new, |home| {
            format!("system {} timeline {}", home.system_id, home.timeline)
        });
        match self.facts.kinship() {
            Kinship::Same => format!(
                "offset and server are of the same life ({here}), so their positions compare"
            ),
            Kinship::OtherTimeline => format!(
                "the offset is of {there}, the server of {here}: positions compare only up to where the timelines part"
            ),
            Kinship::OtherSystem => format!(
                "the offset is of {there}, the server is {here}: their positions mean different places, and Debezium \
                 compares them all the same"
            ),
            Kinship::Unknown if self.confirmed_by_offset() => {
                "the slot's confirmed position is the offset's own last commit, so the two belong together".to_owned()
            }
            Kinship::Unknown => format!(
                "not proven: whose log the offset counts (Debezium does not store it); it was taken for one of {here}, \
                 and if it is another's, what was committed here up to it is skipped"
            ),
        }
    }
}
