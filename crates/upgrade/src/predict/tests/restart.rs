//! Starts in the middle of a stream, as they were measured: the worker was killed or stopped at the place that the
//! facts describe, and every event was counted afterwards (Debezium 3.6.3 and 3.7.0 on Kafka Connect 4.3.1).

use super::*;

/// The offset is the event of this number at a position that `all` committed changes share; Kafka has `some` of them.
fn shared(version: &str, number: u64, (some, all): (u64, u64)) -> PredictionFacts {
    let mut facts = facts(version, "initial");
    let offset = facts.offset.as_mut().unwrap();
    offset.message_type = Some("INSERT".into());
    offset.events_processed = (version == "3.7.0").then_some(number);
    facts.around = Some(AroundFacts {
        committed_here: all,
        delivered_here: some,
        begins_here: false,
        false_match: 0,
        delivered_beyond: 0,
    });
    facts
}

fn beginning(mut facts: PredictionFacts) -> PredictionFacts {
    facts.around.as_mut().unwrap().begins_here = true;
    facts
}

/// The offset stands behind a COMMIT, where a transaction that began before has its third change.
fn interleaved(version: &str) -> PredictionFacts {
    let mut facts = shared(version, 0, (0, 1));
    let offset = facts.offset.as_mut().unwrap();
    offset.message_type = Some("COMMIT".into());
    offset.events_processed = None;
    offset.lsn_commit = Some(offset.lsn);
    facts.around.as_mut().unwrap().false_match = 3;
    facts
}

#[test]
fn versions_without_a_count_lose_the_rest_of_the_page() {
    let facts = shared("3.6.3", 13, (13, 69));
    assert_eq!(said(&facts), (Skips, false, Start));
    let told = told(&facts);
    assert!(told.because[0].contains("56 of them"), "{told:?}");
    assert!(told.remedy[1].contains("12031"), "{told:?}");
    let whole = shared("3.6.3", 69, (69, 69));
    assert_eq!(said(&whole), (Resumes, true, Never));
}

#[test]
fn versions_with_a_count_find_their_place() {
    assert_eq!(said(&shared("3.7.0", 65, (65, 70))), (Resumes, true, Never));
    // Kafka is ahead of the stored offset: at least once.
    assert_eq!(said(&shared("3.7.0", 38, (54, 70))), (Repeats, true, Never));
}

#[test]
fn a_count_of_one_is_not_used() {
    assert_eq!(
        said(&beginning(shared("3.7.0", 1, (1, 4)))),
        (Skips, false, Start)
    );
    assert_eq!(said(&shared("3.7.0", 1, (1, 4))), (Skips, false, Start));
}

#[test]
fn half_a_changed_key_counts_as_delivered_in_every_version() {
    for version in ["3.6.3", "3.7.0"] {
        let mut facts = shared(version, 1, (1, 2));
        facts.offset.as_mut().unwrap().message_type = Some("UPDATE".into());
        assert_eq!(said(&facts), (Skips, false, Start), "{version}");
        facts.around.as_mut().unwrap().delivered_here = 2;
        assert_eq!(said(&facts), (Resumes, true, Never), "{version}");
    }
}

#[test]
fn a_begin_at_the_same_position_is_counted_as_an_event() {
    let facts = beginning(shared("3.7.0", 20, (20, 24)));
    assert_eq!(said(&facts), (Repeats, true, Never));
    assert!(told(&facts).because[0].contains("1 come again"));
}

#[test]
fn the_end_of_a_commit_is_taken_for_a_change_before_3_7() {
    assert_eq!(said(&interleaved("3.6.3")), (Skips, false, Start));
    assert_eq!(said(&interleaved("3.7.0")), (Resumes, true, Never));
}

#[test]
fn an_offset_that_was_moved_back_brings_the_transaction_again() {
    let mut facts = shared("3.6.3", 0, (0, 0));
    let offset = facts.offset.as_mut().unwrap();
    offset.message_type = None;
    offset.lsn = lsn("0/2FFF");
    offset.lsn_proc = Some(lsn("0/2FFF"));
    offset.lsn_commit = Some(lsn("0/3000"));
    facts.slot = Some(slot("0/1F00", "0/3000"));
    assert_eq!(said(&facts), (Resumes, true, Never));
    facts.around.as_mut().unwrap().delivered_beyond = 84;
    assert_eq!(said(&facts), (Repeats, true, Never));
}

/// A change can stand before the slot's position if its transaction commits behind it.
#[test]
fn an_offset_inside_a_later_transaction_is_not_behind_the_slot() {
    let mut facts = facts("3.6.3", "initial");
    facts.offset = Some(offset("0/3000", "0/3800", Some(("7", 1))));
    facts.slot = Some(slot("0/1F00", "0/3800"));
    assert_eq!(said(&facts), (Resumes, true, Never));
    facts.slot = Some(slot("0/1F00", "0/3900"));
    assert_eq!(said(&facts), (Skips, false, Start));
}
