//! Curves and events of a watch. Pure code, bounded: the older half of the points is thinned when there are too many.

use std::collections::BTreeSet;

use cutover_model::lint::Severity;
use cutover_model::watch::{WatchEvent, WatchHistory, WatchPoint, WatchReport};

const POINTS_MAX: usize = 1_600;
const EVENTS_MAX: usize = 200;

/// Adds a report. `before` is the one before it; with `looked` false it is a new judgement of the same look, which
/// makes events and no point. `at` is seconds since 1970.
pub fn add(
    history: &mut WatchHistory,
    before: Option<&WatchReport>,
    report: &WatchReport,
    (at, looked): (f64, bool),
) -> usize {
    let events = events(before, report, at);
    let added = events.len();
    history.events.extend(events);
    let many = history.events.len().saturating_sub(EVENTS_MAX);
    history.events.drain(..many);
    if looked {
        history.looks += 1;
        history.points.push(point(report, at));
        if history.points.len() > POINTS_MAX {
            thin(&mut history.points);
        }
    }
    added.min(EVENTS_MAX)
}

/// Of each two points in the older half the first goes.
fn thin(points: &mut Vec<WatchPoint>) {
    let half = points.len() / 2;
    let mut number = 0;
    points.retain(|_| {
        number += 1;
        number > half || number % 2 == 0
    });
}

fn point(report: &WatchReport, at: f64) -> WatchPoint {
    let own = report.slots.iter().find(|slot| slot.of_connector);
    let markers = &report.markers;
    let rates: Vec<f64> = report
        .topics
        .iter()
        .filter_map(|topic| topic.per_second)
        .collect();
    WatchPoint {
        at,
        lag_bytes: report.lag.as_ref().map(|lag| lag.bytes as f64),
        retained_bytes: own
            .and_then(|slot| slot.retained_bytes)
            .map(|kept| kept as f64),
        marker_seconds: match (markers.delay_seconds, markers.waiting_seconds) {
            (Some(delay), Some(waiting)) => Some(delay.max(waiting)),
            (one, other) => one.or(other),
        },
        per_second: (!rates.is_empty()).then(|| rates.iter().sum()),
    }
}

/// What is different from the report before.
fn events(before: Option<&WatchReport>, report: &WatchReport, at: f64) -> Vec<WatchEvent> {
    let mut all = Vec::new();
    let mut tell = |severity: Severity, text: String| {
        all.push(WatchEvent {
            at,
            time: report.time.clone(),
            severity,
            text,
        });
    };
    let keys = |report: &WatchReport| -> BTreeSet<(String, String)> {
        let alerts = report.alerts.iter();
        alerts
            .map(|one| (one.code.clone(), one.subject.clone()))
            .collect()
    };
    let had = before.map(keys).unwrap_or_default();
    for alert in &report.alerts {
        if !had.contains(&(alert.code.clone(), alert.subject.clone())) {
            let text = format!("{} {}: {}", alert.code, alert.subject, alert.evidence);
            tell(alert.severity, text);
        }
    }
    let has = keys(report);
    for (code, subject) in had.difference(&has) {
        tell(Severity::Note, format!("{code} {subject}: over"));
    }
    let Some(before) = before else {
        return all;
    };
    let silent = |report: &WatchReport| -> BTreeSet<String> {
        let parts = report.not_looked_at.iter();
        parts.map(|part| part.part.clone()).collect()
    };
    for part in report.not_looked_at.iter() {
        if !silent(before).contains(&part.part) {
            tell(
                Severity::Warning,
                format!("{} does not answer: {}", part.part, part.why),
            );
        }
    }
    for part in silent(before).difference(&silent(report)) {
        tell(Severity::Note, format!("{part} answers again"));
    }
    if let (Some(was), Some(is)) = (&before.server, &report.server)
        && (&was.system_id, was.timeline) != (&is.system_id, is.timeline)
    {
        tell(
            Severity::Warning,
            format!(
                "another life of the database: {} on timeline {} became {} on timeline {}",
                was.system_id, was.timeline, is.system_id, is.timeline
            ),
        );
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::assess::tests::{healthy, report_of};
    use cutover_model::watch::WatchState;

    #[test]
    fn alerts_begin_and_end_once() {
        let mut history = WatchHistory::default();
        let fine = report_of(&healthy());
        let mut broken = healthy();
        broken.slots.clear();
        let broken = report_of(&broken);
        assert_eq!(broken.state, WatchState::Alert);
        assert_eq!(add(&mut history, None, &fine, (1.0, true)), 0);
        assert_eq!(add(&mut history, Some(&fine), &broken, (2.0, true)), 1);
        assert_eq!(add(&mut history, Some(&broken), &broken, (3.0, true)), 0);
        assert_eq!(add(&mut history, Some(&broken), &fine, (4.0, true)), 1);
        let texts: Vec<&str> = history
            .events
            .iter()
            .map(|event| event.text.as_str())
            .collect();
        assert!(texts[0].starts_with("CUT-WATCH-021 slot s:"), "{texts:?}");
        assert_eq!(texts[1], "CUT-WATCH-021 slot s: over");
        assert_eq!((history.points.len(), history.looks), (4, 4));
        assert_eq!(history.points[1].lag_bytes, None);
    }

    #[test]
    fn points_are_bounded_and_the_newest_stay_whole() {
        let mut history = WatchHistory::default();
        let report = report_of(&healthy());
        for number in 0..10_000 {
            add(
                &mut history,
                Some(&report),
                &report,
                (f64::from(number), true),
            );
        }
        assert!(history.points.len() <= POINTS_MAX);
        let newest: Vec<f64> = history
            .points
            .iter()
            .rev()
            .take(500)
            .map(|one| one.at)
            .collect();
        assert!(
            newest
                .windows(2)
                .all(|two| (two[0] - two[1] - 1.0).abs() < 1e-9)
        );
        assert_eq!(history.looks, 10_000);
    }
}
