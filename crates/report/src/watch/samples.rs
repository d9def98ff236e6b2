//! A report that a watch could bring, for the tests of the views.

use cutover_model::Lsn;
use cutover_model::connector::{ConnectorState, Health, ServerPlace, TaskState};
use cutover_model::watch::{
    Liveness, WATCH_FORMAT, WatchEvent, WatchHistory, WatchPoint, WatchReport, WatchState,
    WatchedLag, WatchedMarkers, WatchedOffset, WatchedSlot, WatchedTopic,
};

/// A stream that does not deliver, with names that mean harm.
pub fn watch() -> WatchReport {
    WatchReport {
        format: WATCH_FORMAT.into(),
        time: "2026-01-01T00:00:00.000Z".into(),
        look_seconds: 0.1,
        state: WatchState::Alert,
        connector: Some(ConnectorState {
            name: "c\u{1b}[2J<b>".into(),
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
        server: Some(ServerPlace {
            address: "u@h:5432/d".into(),
            version: "17.1".into(),
            system_id: "7".into(),
            timeline: 1,
            end: Lsn(0x200).into(),
        }),
        slots: vec![slot("s", true), slot("\"} 1\n<b>", false)],
        offset: Some(WatchedOffset {
            reached: Lsn(0x300).into(),
            time: Some("2026-01-01T00:00:00Z".into()),
            behind_server_bytes: Some(-256),
            ahead_of_slot_bytes: Some(512),
        }),
        lag: Some(WatchedLag {
            bytes: 256,
            seconds: Some(3.0),
            at_least: true,
        }),
        markers: markers(),
        topics: vec![WatchedTopic {
            name: "p.public.<b>".into(),
            end_offset: 40,
            per_second: Some(5.0),
        }],
        topics_left_out: 0,
        alerts: vec![cutover_model::doctor::Diagnosis {
            code: "CUT-WATCH-010".into(),
            severity: cutover_model::Severity::Error,
            subject: "markers in topic p.message".into(),
            evidence: "a marker has not come out".into(),
            remedy: "cutover doctor".into(),
        }],
        not_looked_at: vec![cutover_model::doctor::NotLookedAt {
            part: "Kafka".into(),
            why: "no answer\u{1b}".into(),
            code: Some("KAFKA-X".into()),
        }],
        exit_code: 3,
    }
}

/// The same with what was seen before.
pub fn watch_told() -> crate::watch::Told {
    let points = (0..50).map(|number| WatchPoint {
        at: f64::from(number),
        lag_bytes: Some(f64::from(number) * 100.0),
        retained_bytes: (number != 20).then_some(384.0),
        marker_seconds: Some(0.4),
        per_second: Some(5.0),
    });
    crate::watch::Told {
        report: Some(watch()),
        history: WatchHistory {
            points: points.collect(),
            events: vec![WatchEvent {
                at: 40.0,
                time: "2026-01-01T00:00:00.000Z".into(),
                severity: cutover_model::Severity::Error,
                text: "CUT-WATCH-010 <b>\u{1b}".into(),
            }],
            looks: 50,
        },
    }
}

fn slot(name: &str, of_connector: bool) -> WatchedSlot {
    WatchedSlot {
        name: name.into(),
        kind: "logical".into(),
        database: Some("d".into()),
        of_connector,
        active: true,
        wal_status: Some("reserved".into()),
        restart: Some(Lsn(0x80).into()),
        confirmed: Some(Lsn(0x100).into()),
        retained_bytes: Some(384),
        lag_bytes: Some(256),
        safe_bytes: Some(4096),
        invalidation: None,
        inactive_since: None,
    }
}

fn markers() -> WatchedMarkers {
    WatchedMarkers {
        liveness: Liveness::Missing,
        topic: Some("p.message".into()),
        interval_seconds: Some(10.0),
        late_after_seconds: Some(8.0),
        written: 3,
        arrived: 1,
        skipped: 0,
        skipped_lately: false,
        delay_seconds: Some(0.4),
        waiting_seconds: Some(8.5),
        position: Some(Lsn(0x1f0).into()),
        failure: None,
    }
}
