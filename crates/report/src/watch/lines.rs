//! A watch as lines: one for each look, and one for each thing that changed. For pipes, logs and small screens.

use cutover_model::lint::Severity;
use cutover_model::watch::{WatchEvent, WatchReport, WatchState};

use super::figures;
use crate::look::Look;
use crate::text::{clipped, foreign, wrapped};

/// Evidence and remedies are to be copied.
const LONGEST: usize = 4_000;

/// The state in capitals, with its colour.
pub(super) fn word(state: WatchState, look: Look) -> String {
    let word = state.to_string().to_uppercase();
    match state {
        WatchState::Alive => look.good(&word),
        WatchState::NotProven | WatchState::Warning | WatchState::Unknown => look.doubtful(&word),
        WatchState::Alert => look.bad(&word),
    }
}

/// One look in one line, without line break.
pub fn line(report: &WatchReport, look: Look) -> String {
    let own = report.slots.iter().find(|slot| slot.of_connector);
    format!(
        "{} {} connector {}; lag {}; kept {}; marker {}; {}",
        report.time,
        word(report.state, look),
        foreign(&figures::connector(report)),
        figures::lag(report.lag.as_ref()),
        figures::size(own.and_then(|slot| slot.retained_bytes)),
        figures::markers(&report.markers),
        figures::flow_told(report),
    )
}

/// Something that changed, in one line.
pub fn event(event: &WatchEvent, look: Look) -> String {
    let word = event.severity.to_string();
    let word = match event.severity {
        Severity::Error => look.bad(&word),
        Severity::Warning => look.doubtful(&word),
        Severity::Note => word,
    };
    format!("{} {word} {}", event.time, clipped(&event.text, LONGEST))
}

/// One look in full, with alerts and remedies.
pub fn whole(report: &WatchReport, look: Look) -> String {
    let mut text = String::new();
    let mut tell = |name: &str, words: &str| {
        let first = format!("{name:<10} ");
        let rest = " ".repeat(first.len());
        text.push_str(&(wrapped(words, &first, &rest, look.width) + "\n"));
    };
    if let Some(connector) = &report.connector {
        let told = format!("{} {}", connector.name, figures::connector(report));
        tell("connector", &foreign(&told));
    }
    if let Some(server) = &report.server {
        let told = format!(
            "{}, PostgreSQL {}, timeline {}, log ends at {}",
            server.address, server.version, server.timeline, server.end.lsn
        );
        tell("server", &foreign(&told));
    }
    for slot in &report.slots {
        let told = format!(
            "{}{}, {}, {}, kept {}, not confirmed {}, safe {}",
            slot.name,
            if slot.of_connector {
                " (the connector's)"
            } else {
                ""
            },
            if slot.active { "in use" } else { "not in use" },
            slot.wal_status.as_deref().unwrap_or(figures::UNKNOWN),
            figures::size(slot.retained_bytes),
            figures::size(slot.lag_bytes.and_then(|bytes| i64::try_from(bytes).ok())),
            figures::size(slot.safe_bytes),
        );
        tell("slot", &foreign(&told));
    }
    tell("offset", &figures::offset(report.offset.as_ref()));
    tell("lag", &figures::lag(report.lag.as_ref()));
    tell("marker", &figures::markers(&report.markers));
    for topic in &report.topics {
        let rate = topic
            .per_second
            .map_or_else(String::new, |rate| format!(", {}", crate::text::rate(rate)));
        tell(
            "topic",
            &foreign(&format!("{}, end {}{rate}", topic.name, topic.end_offset)),
        );
    }
    for alert in &report.alerts {
        let told = format!("{} {}: {}", alert.code, alert.subject, alert.evidence);
        tell(&alert.severity.to_string(), &clipped(&told, LONGEST));
        let remedy = format!("remedy: {}", alert.remedy);
        tell("", &clipped(&remedy, LONGEST));
    }
    for part in &report.not_looked_at {
        tell(
            "not seen",
            &clipped(&format!("{}: {}", part.part, part.why), LONGEST),
        );
    }
    text + &format!("{}\n", word(report.state, look))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::samples::watch;

    #[test]
    fn a_look_is_one_line_and_hostile_names_stay_text() {
        let told = line(&watch(), Look::PLAIN);
        assert_eq!(
            told,
            "2026-01-01T00:00:00.000Z ALERT connector running, task 0 RUNNING; lag 256 B, more than 3.0 s; kept 384 B; \
             marker MISSING for 8.5 s; 5.0/s"
        );
        let all = whole(&watch(), Look::PLAIN);
        assert!(
            all.contains("\\u{1b}[2J") && !all.contains('\u{1b}'),
            "{all}"
        );
        assert!(
            all.contains("remedy: cutover doctor") && all.ends_with("ALERT\n"),
            "{all}"
        );
        assert!(all.contains("AHEAD of the server's end"), "{all}");
    }
}
