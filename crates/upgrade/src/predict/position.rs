//! Where the stream begins, and what that leaves out: stored offset against slot against end of the log.
//!
//! Comparing these numbers is allowed here because Debezium and PostgreSQL do nothing else; whether they count the
//! same log is looked at separately (`Kinship`), since it decides what the outcome means. Sources: the connector's
//! source by release tag; PostgreSQL, which accepts START_REPLICATION at a position ahead of its log and sends nothing
//! until then, moves one below `confirmed_flush_lsn` up in silence, and clamps `pg_replication_slot_advance` to the end
//! of the log; and measurements with 2.4.0, 3.6.3 and 3.7.0.

use cutover_model::{LosesOn, Lsn, PredictedOutcome};

use super::facts::{Kinship, OffsetFacts};
use super::versions::Seek;
use super::{Case, Draft, restart};

/// Decides for a start that reaches the stream, on a slot that exists and is free.
pub(super) fn decide(case: &Case) -> Draft {
    let slot = case.facts.slot.as_ref().and_then(|slot| slot.begin());
    // A slot without any position was decided as lost before.
    let begin = slot.unwrap_or(Lsn::INVALID);
    let Some(offset) = &case.facts.offset else {
        return without_offset(case, begin);
    };
    let stream = Stream {
        case,
        offset,
        begin,
        end: case.facts.server.current_lsn,
    };
    if let Some(draft) = stream.seek_fails() {
        return draft;
    }
    if stream.reach() > stream.end {
        return stream.ahead();
    }
    let behind = stream.offset.start() < begin && !stream.at_the_slot();
    if behind && !stream.inside_later_transaction() {
        return stream.below_the_slot();
    }
    stream.inside()
}

/// Streaming begins at the slot's own position.
fn without_offset(case: &Case, begin: Lsn) -> Draft {
    let because = format!(
        "there is no offset and no snapshot is allowed: the stream begins at the slot's {begin}"
    );
    goes_on(case, begin).because(format!("{because} (all versions)"))
}

/// The stream goes on at a position that both sides agree on. What can still be wrong: it was delivered before, it
/// was never a change of this server, or something lies before it.
fn goes_on(case: &Case, at: Lsn) -> Draft {
    if let Some(count) = case.facts.at_stake.filter(|count| *count > 0) {
        return Draft::skips_for_good()
            .because(format!(
                "{count} committed changes lie before {at} and are not in Kafka"
            ))
            .remedy(vec![case.close_gap()]);
    }
    if let Some(delivered) = case.facts.delivered.filter(|delivered| *delivered > at) {
        return Draft::new(PredictedOutcome::Repeats, true, LosesOn::Never)
            .because(format!(
                "Kafka has every event up to {delivered}, and the stream goes on at {at}"
            ))
            .remedy(vec![case.stop(), case.rewrite(delivered), case.resume()]);
    }
    if case.facts.server.subscribed && !case.settings.native_only {
        return Draft::new(PredictedOutcome::Repeats, false, LosesOn::Never)
            .because(
                "a subscription brings the captured tables' rows into this database, and \
                 slot.stream.params lacks origin=none: what was copied and applied since the slot \
                 exists is published as new (measured: 277 events twice)",
            )
            .remedy(vec![
                "set slot.stream.params=origin=none (PostgreSQL 16 and newer)".into(),
            ]);
    }
    Draft::resumes()
}

/// Offset, slot and log of one start.
struct Stream<'a> {
    case: &'a Case<'a>,
    offset: &'a OffsetFacts,
    begin: Lsn,
    end: Lsn,
}

impl Stream<'_> {
    fn range(&self) -> String {
        self.case.behaviour.range()
    }

    /// The offset was written for the slot's position: right at it, or right before, where no record begins.
    fn at_the_slot(&self) -> bool {
        self.offset.start().adjoins(self.begin)
    }

    /// The position that the log must have passed before anything is delivered: the one asked for, and the COMMIT
    /// that must be surpassed.
    fn reach(&self) -> Lsn {
        let start = self.offset.start();
        self.offset
            .commit()
            .map_or(start, |commit| commit.max(start))
    }

    /// `pg_replication_slot_advance` is called with the last COMMIT.
    fn target(&self) -> Lsn {
        self.offset.commit().unwrap_or(self.offset.lsn)
    }

    fn seeks(&self) -> bool {
        let ahead = self.offset.start() > self.begin;
        self.case.settings.seeks && (self.case.behaviour.seek != Seek::ByStrategyWhenAhead || ahead)
    }

    /// The server refuses to move a slot backwards.
    fn seek_fails(&self) -> Option<Draft> {
        let refused =
            self.seeks() && self.target() < self.begin && self.case.settings.seek_is_fatal;
        refused.then(|| {
            let (target, begin) = (self.target(), self.begin);
            Draft::refuses(self.case.facts.at_stake.unwrap_or(0) == 0)
                .because(format!(
                    "{} moves the slot to the offset's last commit {target} at the start; the slot is at {begin}, and \
                     the server does not move it back",
                    self.range()
                ))
                .message(format!("Cannot seek to the last known offset '{target}' on replication slot"))
                .remedy(self.case.rewrite_to_slot())
        })
    }

    /// The offset is ahead of the server's log.
    fn ahead(&self) -> Draft {
        let (reach, end) = (self.reach(), self.end);
        let server = &self.case.facts.server;
        let kinship = self.case.facts.kinship();
        let replays_it = matches!(kinship, Kinship::Same | Kinship::OtherTimeline);
        if server.in_recovery && replays_it {
            return Draft::resumes()
                .because(format!(
                    "the server has replayed up to {end} and the offset is {reach}: the connector waits until replay \
                     has passed it, and what is between was delivered by the server whose log this is"
                ))
                .because("not proven: recovery could end before that position; then everything up to it is skipped");
        }
        if self.seeks() {
            return self.ahead_and_seeking();
        }
        let mut draft = Draft::new(PredictedOutcome::Skips, true, LosesOn::PassingTheOffset)
            .because(format!(
                "the offset {reach} is ahead of the server's log, which ends at {end}: no version of Debezium notices; \
                 the server accepts the position and sends nothing until its log has passed it"
            ))
            .because(format!(
                "{} with these options leaves the slot at {} meanwhile, so everything is still in it until the log \
                 passes {reach}; connector and task say RUNNING",
                self.range(),
                self.begin
            ));
        if self.case.settings.strategy == Some("trust_slot") {
            draft = draft.because(
                "trust_slot changes nothing: it only acts when the slot is ahead of the offset",
            );
        }
        draft.remedy(self.case.rewrite_to_slot())
    }

    fn ahead_and_seeking(&self) -> Draft {
        let (reach, end, begin) = (self.reach(), self.end, self.begin);
        let held = begin < end;
        let loses_on = if held { LosesOn::Start } else { LosesOn::Stop };
        let how = match self.case.settings.strategy {
            Some(strategy) => format!("{} with offset.mismatch.strategy={strategy}", self.range()),
            None => format!("{} with these options", self.range()),
        };
        let lost = if held {
            format!("everything from {begin} to {end} is gone from the slot at once")
        } else {
            format!("the slot is there already ({begin})")
        };
        Draft::new(PredictedOutcome::Skips, false, loses_on)
            .because(format!(
                "the offset {reach} is ahead of the server's log, which ends at {end}: nothing is sent until the log \
                 has passed it, connector and task say RUNNING"
            ))
            .because(format!(
                "{how} moves the slot to the offset at the start, and the server clamps that to the end of its log: \
                 {lost}"
            ))
            .because("a stop moves the slot again: stopping the stuck connector destroys what came in since the start")
            .remedy(self.case.rewrite_to_slot())
            .remedy(vec![self.case.copy_slot()])
    }

    /// The slot is at or before the last COMMIT that was delivered, and the offset is a change that was written before
    /// it, in a transaction that commits after it: nothing lies between.
    fn inside_later_transaction(&self) -> bool {
        let same = self.case.facts.kinship() == Kinship::Same;
        same && self
            .offset
            .lsn_commit
            .is_some_and(|commit| commit >= self.begin)
    }

    /// The slot begins after the offset.
    fn below_the_slot(&self) -> Draft {
        let (start, begin) = (self.offset.start(), self.begin);
        let trusts_slot = matches!(
            self.case.settings.strategy,
            Some("trust_slot" | "trust_greater_lsn")
        );
        let how = if trusts_slot {
            format!(
                "{} goes on at the slot's {begin}, as the strategy says",
                self.range()
            )
        } else {
            let said = if self.seeks() {
                "the connector says so with a WARN ('Cannot seek to the last known offset') and goes on"
            } else {
                "nothing checks that in this case"
            };
            format!(
                "the offset {start} is behind the slot's confirmed_flush_lsn {begin}: the server moves the start up to \
                 it in silence ({}; {said})",
                self.range()
            )
        };
        let same = self.case.facts.kinship() == Kinship::Same;
        match self.case.facts.at_stake {
            Some(0) => goes_on(self.case, begin)
                .because(how)
                .because("no captured change lies between the two, so nothing is passed over"),
            Some(_) => goes_on(self.case, begin).because(how),
            None if same && self.case.settings.driver_confirms => goes_on(self.case, begin)
                .because(how)
                .because(
                    "with lsn.flush.mode=connector_and_driver the driver confirms positions beyond the offset once \
                     everything it received is flushed; that is how the slot can be ahead inside one life",
                ),
            None => Draft::skips_for_good()
                .because(how)
                .because(format!(
                    "whether a captured change was committed between what was delivered and {begin} is not proven; \
                     if there is none, it resumes"
                ))
                .remedy(vec![self.case.close_gap()]),
        }
    }

    /// The offset lies between the slot's position and the end of the log.
    fn inside(&self) -> Draft {
        let (start, begin, end) = (self.offset.start(), self.begin, self.end);
        // At the slot's own position nothing lies between, whoever's number it is.
        let rewritten = self.at_the_slot();
        let fits = if rewritten {
            format!(
                "the offset {start} is where the slot begins ({begin}): the stream goes on there (all versions)"
            )
        } else if start < begin {
            format!(
                "the offset {start} is a change of a transaction that commits after the slot's {begin}: the server \
                 sends the transaction again from its beginning (all versions)"
            )
        } else {
            format!(
                "the offset {start} lies between the slot's {begin} and the end of the log {end}: the stream goes \
                 on at the offset (all versions), and a slot that is behind repeats nothing"
            )
        };
        let foreign = match (self.case.facts.kinship(), self.case.facts.server.fork_lsn) {
            (Kinship::OtherSystem, _) => !rewritten,
            (Kinship::OtherTimeline, Some(fork)) => start > fork && !rewritten,
            _ => false,
        };
        if foreign && self.case.facts.at_stake != Some(0) {
            return self.foreign();
        }
        if let Some(draft) = restart::decide(self.case, self.offset) {
            return draft.because(fits);
        }
        let mut draft = goes_on(self.case, start).because(fits);
        if start == begin && self.offset.message_type.is_none() {
            draft = draft.because(format!(
                "not proven: that no change begins exactly at {begin}; one that does is taken for delivered, with \
                 all that its transaction wrote before. An offset one byte less rules that out"
            ));
        }
        match (self.case.facts.kinship(), self.case.facts.server.fork_lsn) {
            (Kinship::OtherTimeline, None) if !rewritten => draft.because(
                "not proven: the timelines may have parted before the offset (server.fork_lsn is not given); then what \
                 the new one committed up to the offset is skipped",
            ),
            (Kinship::OtherTimeline, Some(fork)) if !rewritten => {
                draft.because(format!("the timelines part at {fork}, so up to there both have the same log"))
            }
            _ => draft,
        }
    }

    /// The number happens to lie inside the log of another server.
    fn foreign(&self) -> Draft {
        let (start, begin) = (self.offset.start(), self.begin);
        Draft::skips_for_good()
            .because(format!(
                "the offset {start} counts another log and only happens to lie inside this one: the stream goes on \
                 there, and what this server committed from {begin} to {start} is passed over (all versions)"
            ))
            .because("the slot follows as soon as the stream runs; before that a rewritten offset still helps")
            .remedy(self.case.rewrite_to_slot())
    }
}
