//! Claims about places in the stream, without servers.

use super::*;

fn place(lsn: u64, commit: u64, changes: u32) -> Place {
    Place {
        lsn: Lsn(lsn),
        commit: Lsn(commit),
        changes,
    }
}

/// A transaction of one change; one that began before it and goes on right behind its COMMIT, which ends at 130;
/// a COPY of two pages.
fn places() -> Vec<Place> {
    vec![
        place(110, 120, 1),
        place(100, 150, 2),
        place(130, 150, 1),
        place(140, 150, 1),
        place(160, 300, 70),
        place(200, 300, 40),
    ]
}

fn offset(lsn: u64, counted: Option<u64>) -> OffsetFacts {
    OffsetFacts {
        lsn: Lsn(lsn),
        lsn_proc: None,
        lsn_commit: None,
        server: None,
        in_snapshot: false,
        message_type: Some("INSERT".into()),
        events_processed: counted,
    }
}

fn around(delivered: u64, all: u64) -> AroundFacts {
    AroundFacts {
        committed_here: all,
        delivered_here: delivered,
        begins_here: false,
        false_match: 0,
        delivered_beyond: 0,
    }
}

#[test]
fn rows_of_one_page_share_a_position_and_the_first_page_is_where_the_transaction_begins() {
    let find = |lsn| {
        let here = Here::find(&places(), Lsn(lsn));
        (here.changes, here.first)
    };
    assert_eq!(find(160), (70, true));
    assert_eq!(find(200), (40, false));
    assert_eq!(find(199), (0, false));
}

#[test]
fn only_a_transaction_that_began_before_the_position_can_be_found_falsely() {
    assert_eq!(false_match(&places(), Lsn(130)), 3);
    assert_eq!(false_match(&places(), Lsn(160)), 0);
    assert_eq!(false_match(&places(), Lsn(400)), 0);
}

#[test]
fn the_moment_is_judged_by_what_was_left_behind() {
    let shared = Moment::SharedPosition;
    let old = offset(160, None);
    assert!(fits(shared, &old, &around(13, 70), true));
    assert!(!fits(shared, &old, &around(70, 70), true));
    let counted = offset(160, Some(20));
    assert!(fits(shared, &counted, &around(20, 70), true));
    assert!(!fits(shared, &counted, &around(20, 70), false));
    assert!(fits(shared, &counted, &around(70, 70), false));
    let first = offset(160, Some(1));
    assert!(!fits(shared, &first, &around(1, 70), true));
    assert!(fits(Moment::FirstOfShared, &first, &around(1, 70), true));
}
