//! Finding the place again inside one life of the server. The connector compares the stored position with that of each
//! event the server sends once more, and a position is no identity: rows that COPY writes into one page share one, and
//! the position after a COMMIT can be that of a change in a transaction that began before.
//!
//! Sources: `WalPositionLocator` at the tags v3.6.1 and v3.7.0.Alpha2, the classes of 3.6.3 and 3.7.0, and measurements
//! with both. Comparing positions is allowed: offset and events are of the same log, or this is not asked.

use cutover_model::{LosesOn, PredictedOutcome};

use super::facts::{AroundFacts, OffsetFacts};
use super::versions::COUNTS_EVENTS;
use super::{Case, Draft};

/// Decides where the facts tell what stands around the offset.
pub(super) fn decide(case: &Case, offset: &OffsetFacts) -> Option<Draft> {
    let around = case.facts.around.as_ref()?;
    if offset.message_type.as_deref() == Some("COMMIT") {
        return false_match(case, offset, around);
    }
    if around.committed_here == 0 {
        return again(offset, around);
    }
    let one_position = offset.lsn_commit == Some(offset.lsn);
    if one_position && offset.message_type.is_none() && offset.events_processed.is_none() {
        return written_by_hand(offset, around);
    }
    if around.committed_here == 1 {
        return None;
    }
    if offset.message_type.as_deref() == Some("UPDATE") {
        return key_update(case, offset, around);
    }
    match offset.events_processed {
        Some(processed) if case.version >= COUNTS_EVENTS => {
            Some(counted(case, offset, around, processed))
        }
        _ => lost(case, offset, around),
    }
}

/// No event stands at the position: the first transaction that commits after the last COMMIT is sent whole.
fn again(offset: &OffsetFacts, around: &AroundFacts) -> Option<Draft> {
    let (count, commit) = (around.delivered_beyond, offset.lsn_commit?);
    (count > 0).then(|| {
        Draft::new(PredictedOutcome::Repeats, true, LosesOn::Never).because(format!(
            "no event stands at the offset {}: the stream goes on with the first transaction that commits after \
             {commit}, and Kafka has {count} changes from there on",
            offset.lsn
        ))
    })
}

/// Somebody wrote the offset, and events stand at that very position: they are taken for delivered.
fn written_by_hand(offset: &OffsetFacts, around: &AroundFacts) -> Option<Draft> {
    let missing = around.committed_here.saturating_sub(around.delivered_here);
    // Where a transaction begins, BEGIN is recognised and nothing of it is passed over.
    if missing == 0 || around.begins_here {
        return None;
    }
    Some(
        Draft::skips_for_good()
            .because(format!(
                "{missing} events that are not in Kafka stand exactly at the written offset {}: they are taken for \
                 delivered, and with them what their transaction wrote before (all versions)",
                offset.lsn
            ))
            .remedy(vec![format!(
                "before it starts: write lsn and lsn_proc one byte less ({})",
                offset.lsn.just_before()
            )]),
    )
}

/// The position after a COMMIT is taken for that of a change.
fn false_match(case: &Case, offset: &OffsetFacts, around: &AroundFacts) -> Option<Draft> {
    if around.false_match == 0 || case.version >= COUNTS_EVENTS {
        return None;
    }
    let (lsn, count) = (offset.lsn, around.false_match);
    Some(
        Draft::skips_for_good()
            .because(format!(
                "the offset stands behind a COMMIT at {lsn}, and the next transaction began before and \
                 has a change at that very position: Debezium before 3.7.0 takes that for the last \
                 event it has delivered, and {count} events of the transaction are passed over"
            ))
            .remedy(vec![case.stop(), deliver_again(offset)]),
    )
}

/// A changed key is one message and several records: delete, tombstone and new row. No version counts records.
fn key_update(case: &Case, offset: &OffsetFacts, around: &AroundFacts) -> Option<Draft> {
    let missing = around.committed_here.saturating_sub(around.delivered_here);
    (missing > 0).then(|| {
        Draft::skips_for_good()
            .because(format!(
                "the offset {} is that of a changed key, and Kafka has the delete of the old one, not \
                 the new row: the message counts as delivered (all versions)",
                offset.lsn
            ))
            .remedy(vec![case.stop(), deliver_again(offset)])
    })
}

/// Versions that keep the position only: the next event at another position is where they go on.
fn lost(case: &Case, offset: &OffsetFacts, around: &AroundFacts) -> Option<Draft> {
    let missing = around.committed_here.saturating_sub(around.delivered_here);
    if missing == 0 {
        return None;
    }
    let (lsn, all) = (offset.lsn, around.committed_here);
    Some(
        Draft::skips_for_good()
            .because(format!(
                "{all} events share the offset's position {lsn} and {missing} of them are not in Kafka: Debezium \
                 before 3.7.0 goes on at the next position"
            ))
            .remedy(vec![case.stop(), deliver_again(offset)]),
    )
}

/// Versions that count the events of one position. A count of one is not used, and a BEGIN at the same position is
/// counted as an event when the counted ones are passed over.
fn counted(case: &Case, offset: &OffsetFacts, around: &AroundFacts, processed: u64) -> Draft {
    let (lsn, all) = (offset.lsn, around.committed_here);
    let missing = all.saturating_sub(around.delivered_here);
    if processed <= 1 && missing > 0 {
        return Draft::skips_for_good()
            .because(format!(
                "{all} events share the offset's position {lsn} and {missing} of them are not in Kafka: of a \
                 position with one delivered event Debezium 3.7 passes over the rest"
            ))
            .remedy(vec![case.stop(), deliver_again(offset)]);
    }
    let begin = u64::from(around.begins_here);
    let again = around.delivered_here.saturating_sub(processed) + begin;
    if processed <= 1 || again == 0 {
        return Draft::resumes().because(format!(
            "{all} events share the offset's position {lsn}; {processed} are counted as delivered, and Kafka has {}",
            around.delivered_here
        ));
    }
    let why = if begin == 1 {
        "; the transaction's BEGIN stands there too and is counted as one of them"
    } else {
        ""
    };
    Draft::new(PredictedOutcome::Repeats, true, LosesOn::Never).because(format!(
        "{all} events share the offset's position {lsn}; {processed} are counted as delivered, Kafka has {}{why}: \
         {again} come again",
        around.delivered_here
    ))
}

/// A position between two bytes of a record is that of no event: nothing is matched, and the first transaction that
/// commits after the last delivered COMMIT is sent from its beginning.
fn deliver_again(offset: &OffsetFacts) -> String {
    let Some(commit) = offset.lsn_commit else {
        return "rewrite the offset to the slot's confirmed_flush_lsn".into();
    };
    format!(
        "before it starts: write lsn and lsn_proc = {}, lsn_commit = {} (one byte before the last COMMIT, and that), \
         without messageType and lsn_events_processed: the transaction is delivered again from its beginning",
        commit.just_before().0,
        commit.0
    )
}
