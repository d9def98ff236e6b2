//! Samples, and what is said of them.

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::facts::ServerFacts;
use cutover_clients::pg::slots::Slot;
use cutover_model::connector::TaskState;
use cutover_model::doctor::NotLookedAt;
use cutover_model::{ExitCode, Incarnation};
use serde_json::json;

use super::*;
use crate::watch::look::StreamNames;

const LIMITS: Limits = Limits {
    lag_seconds: 60.0,
    retained_bytes: 1 << 30,
};

/// Everything as it should be; the log ends at 0x200, the slot is confirmed to 0x100.
pub fn healthy() -> Sample {
    let slot = |name: &str| SlotDetail {
        slot: Slot {
            name: name.into(),
            plugin: "pgoutput".into(),
            active: true,
            active_pid: Some(7),
            restart_lsn: Some(Lsn(0x80)),
            confirmed_flush: Some(Lsn(0x100)),
            wal_status: Some("reserved".into()),
            failover: false,
        },
        kind: "logical".into(),
        database: Some("d".into()),
        temporary: false,
        retained_bytes: Some(0x180),
        safe_bytes: None,
        invalidation: None,
        inactive_since: None,
    };
    Sample {
        at: 100.0,
        time: "2026-01-01T00:00:00.000Z".into(),
        seconds: 0.1,
        names: Some(StreamNames {
            slot: "s".into(),
            prefix: "p".into(),
        }),
        connector: Some(ConnectorState {
            name: "c".into(),
            health: Health::Running,
            state: Some("RUNNING".into()),
            trace: None,
            tasks: vec![TaskState {
                id: 0,
                state: "RUNNING".into(),
                trace: None,
            }],
            code: None,
        }),
        offset: Some(StoredOffset {
            partition: json!({"server": "p"}),
            offset: json!({"lsn": 0x180, "ts_usec": 1_700_000_000_000_000_i64})
                .as_object()
                .unwrap()
                .clone(),
        }),
        server: Some((
            "u@h:1/d".into(),
            ServerFacts {
                version: "17.1".into(),
                version_num: 170_001,
                incarnation: Incarnation {
                    system_id: 7,
                    timeline: 1,
                    database_oid: 5,
                },
                current_lsn: Lsn(0x200),
                in_recovery: false,
                wal_level: "logical".into(),
            },
        )),
        slots: vec![slot("other"), slot("s")],
        topics: Some([("p.public.t".to_owned(), 40)].into()),
        topics_left_out: 0,
        unreached: None,
        not_looked_at: Vec::new(),
    }
}

/// Judged without markers and with no past but itself.
pub fn report_of(sample: &Sample) -> WatchReport {
    judged(sample, &WatchedMarkers::default())
}

fn judged(sample: &Sample, markers: &WatchedMarkers) -> WatchReport {
    let mut past = Past::default();
    past.note(sample);
    assess(sample, &past, markers, &LIMITS)
}

fn codes(report: &WatchReport) -> Vec<&str> {
    report.alerts.iter().map(|one| one.code.as_str()).collect()
}

fn markers(liveness: Liveness) -> WatchedMarkers {
    WatchedMarkers {
        liveness,
        topic: Some("p.message".into()),
        interval_seconds: Some(10.0),
        late_after_seconds: Some(8.0),
        written: 3,
        waiting_seconds: (liveness == Liveness::Missing).then_some(8.5),
        ..WatchedMarkers::default()
    }
}

#[test]
fn without_markers_nothing_found_is_not_alive() {
    let report = report_of(&healthy());
    assert_eq!(report.state, WatchState::NotProven);
    assert_eq!(codes(&report), Vec::<&str>::new());
    assert_eq!(report.exit_code, 0);
    assert_eq!(
        judged(&healthy(), &markers(Liveness::Proven)).state,
        WatchState::Alive
    );
    assert_eq!(
        judged(&healthy(), &markers(Liveness::Waiting)).state,
        WatchState::NotProven
    );
}

#[test]
fn figures_of_slot_offset_and_lag_are_those_of_one_server() {
    let report = report_of(&healthy());
    assert_eq!(report.slots[0].name, "s");
    assert_eq!(report.slots[0].lag_bytes, Some(0x100));
    let offset = report.offset.as_ref().unwrap();
    assert_eq!(
        (offset.behind_server_bytes, offset.ahead_of_slot_bytes),
        (Some(0x80), Some(0x80))
    );
    assert_eq!(offset.time.as_deref(), Some("2023-11-14T22:13:20Z"));
    let lag = report.lag.as_ref().unwrap();
    assert_eq!((lag.bytes, lag.seconds), (0x100, None));
    assert_eq!(report.topics[0].per_second, None);
}

#[test]
fn running_and_in_use_with_an_overdue_marker_is_an_alert() {
    let report = judged(&healthy(), &markers(Liveness::Missing));
    assert_eq!(report.state, WatchState::Alert);
    assert_eq!(codes(&report), ["CUT-WATCH-010"]);
    let evidence = &report.alerts[0].evidence;
    assert!(
        evidence.contains("8.5 s ago") && evidence.contains("running, its slot is in use"),
        "{evidence}"
    );
    // Where it is looked for nobody answers: it may be there.
    let mut sample = healthy();
    sample.not_looked_at.push(NotLookedAt {
        part: "Kafka".into(),
        why: "no answer within 5 s".into(),
        code: Some("KAFKA-UNREACHABLE-001".into()),
    });
    let report = judged(&sample, &markers(Liveness::Missing));
    let evidence = &report.alerts[0].evidence;
    assert_eq!(report.state, WatchState::Alert);
    assert!(
        evidence.contains("is not known") && !evidence.contains("does not deliver"),
        "{evidence}"
    );
    let mut skipped = markers(Liveness::Proven);
    skipped.skipped_lately = true;
    skipped.skipped = 1;
    assert_eq!(codes(&judged(&healthy(), &skipped)), ["CUT-WATCH-011"]);
    let report = judged(&healthy(), &markers(Liveness::NotWritten));
    assert_eq!(
        (report.state, codes(&report)),
        (WatchState::Unknown, vec!["CUT-WATCH-012"])
    );
}

#[test]
fn an_offset_beyond_the_log_is_found_without_a_marker() {
    let mut sample = healthy();
    let offset = sample.offset.as_mut().unwrap();
    offset.offset.insert("lsn".into(), json!(0x1000));
    let report = report_of(&sample);
    assert_eq!(codes(&report), ["CUT-WATCH-030"]);
    assert!(report.alerts[0].evidence.contains("3584 bytes before"));
}

#[test]
fn slots_that_are_gone_lost_unread_or_near_it_are_told() {
    let with = |change: &dyn Fn(&mut SlotDetail)| {
        let mut sample = healthy();
        change(&mut sample.slots[1]);
        let report = report_of(&sample);
        let codes: Vec<String> = codes(&report)
            .iter()
            .map(|code| (*code).to_owned())
            .collect();
        (report.state, codes.join(" "))
    };
    let status = |word: &str, slot: &mut SlotDetail| slot.slot.wal_status = Some(word.into());
    assert_eq!(
        with(&|slot| status("lost", slot)),
        (WatchState::Alert, "CUT-WATCH-020".into())
    );
    assert_eq!(
        with(&|slot| slot.invalidation = Some("idle_timeout".into())).1,
        "CUT-WATCH-020"
    );
    assert_eq!(
        with(&|slot| status("unreserved", slot)),
        (WatchState::Alert, "CUT-WATCH-023".into())
    );
    assert_eq!(
        with(&|slot| status("extended", slot)),
        (WatchState::Warning, "CUT-WATCH-023".into())
    );
    assert_eq!(
        with(&|slot| slot.slot.active = false),
        (WatchState::Warning, "CUT-WATCH-022".into())
    );
    assert_eq!(
        with(&|slot| slot.retained_bytes = Some(2 << 30)).1,
        "CUT-WATCH-041"
    );
    assert_eq!(
        with(&|slot| slot.slot.name = "renamed".into()),
        (WatchState::Alert, "CUT-WATCH-021".into())
    );
}

#[test]
fn a_connector_that_does_not_run_is_told_as_bad_as_it_is() {
    for (health, state, code) in [
        (Health::TaskFailed, WatchState::Alert, "CONNECT-TASK-001"),
        (Health::Failed, WatchState::Alert, "CONNECT-FAILED-001"),
        (Health::Absent, WatchState::Alert, "CONNECT-CONNECTOR-001"),
        (Health::Stopped, WatchState::Warning, "CUT-WATCH-001"),
        (Health::Paused, WatchState::Warning, "CUT-WATCH-001"),
        (
            Health::Unsettled,
            WatchState::Warning,
            "CONNECT-UNSETTLED-001",
        ),
    ] {
        let mut sample = healthy();
        sample.connector.as_mut().unwrap().health = health;
        let report = report_of(&sample);
        assert_eq!((report.state, codes(&report)), (state, vec![code]));
    }
}

#[test]
fn a_part_that_is_silent_makes_the_state_unknown_and_hides_no_alert() {
    let silent = || NotLookedAt {
        part: "Kafka".into(),
        why: "no answer".into(),
        code: None,
    };
    let mut sample = healthy();
    sample.not_looked_at.push(silent());
    let report = judged(&sample, &markers(Liveness::Proven));
    assert_eq!((report.state, report.exit_code), (WatchState::Unknown, 5));
    sample.unreached = Some(ExitCode::Denied);
    let report = judged(&sample, &markers(Liveness::Proven));
    assert_eq!((report.state, report.exit_code), (WatchState::Unknown, 7));
    sample.slots.clear();
    let report = judged(&sample, &markers(Liveness::Proven));
    assert_eq!((report.state, report.exit_code), (WatchState::Alert, 3));
    // A server that is silent has no slots, and that is no missing slot.
    sample.server = None;
    assert_eq!(codes(&report_of(&sample)), Vec::<&str>::new());
}

#[test]
fn lag_in_seconds_is_the_age_of_the_oldest_byte_that_is_not_confirmed() {
    let mut past = Past::default();
    let at = |at: f64, end: u64| {
        let mut sample = healthy();
        sample.at = at;
        sample.server.as_mut().unwrap().1.current_lsn = Lsn(end);
        sample
    };
    for (when, end) in [(100.0, 0x80), (110.0, 0x100), (120.0, 0x180)] {
        past.note(&at(when, end));
    }
    let last = at(200.0, 0x200);
    past.note(&last);
    let report = assess(&last, &past, &WatchedMarkers::default(), &LIMITS);
    let lag = report.lag.as_ref().unwrap();
    assert_eq!((lag.seconds, lag.at_least), (Some(90.0), false));
    assert_eq!(codes(&report), ["CUT-WATCH-040"]);
    assert_eq!(past.age(Lsn(0x200), 200.0), Some((0.0, false)));
    assert_eq!(past.age(Lsn(0x40), 200.0), Some((100.0, true)));
    // Another life of the database: what was noted of the old log says nothing.
    let mut other = at(210.0, 0x200);
    other.server.as_mut().unwrap().1.incarnation.timeline = 2;
    past.note(&other);
    assert_eq!(past.age(Lsn(0x100), 210.0), None);
}

#[test]
fn rates_of_topics_are_of_the_last_two_looks_and_a_topic_that_was_made_again_has_none() {
    let mut past = Past::default();
    let at = |at: f64, end: u64| {
        let mut sample = healthy();
        sample.at = at;
        sample.topics = Some([("p.public.t".to_owned(), end)].into());
        sample
    };
    past.note(&at(100.0, 40));
    past.note(&at(104.0, 60));
    assert_eq!(past.rate("p.public.t"), Some(5.0));
    assert_eq!(past.rate("absent"), None);
    past.note(&at(108.0, 3));
    assert_eq!(past.rate("p.public.t"), None);
}
