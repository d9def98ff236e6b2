//! A watch as a screen of a terminal: a head that is always there, and one of four panes below it, which scrolls.
//!
//! A pure function of what is known, where the reader is, and how large the screen is; nothing is told by colour alone.

use cutover_model::lint::Severity;
use cutover_model::watch::{WatchPoint, WatchReport, WatchState};

use super::{Told, figures};
use crate::look::Look;
use crate::text::{bytes, foreign, rate, safe, seconds};

/// What stands below the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pane {
    /// What is wrong, and the curves.
    #[default]
    Overview,
    /// Slots of the server.
    Slots,
    /// Topics of the stream.
    Topics,
    /// What changed.
    Events,
}

impl Pane {
    /// Every pane, from left to right.
    pub const ALL: [Pane; 4] = [Pane::Overview, Pane::Slots, Pane::Topics, Pane::Events];

    fn name(self) -> &'static str {
        match self {
            Pane::Overview => "overview",
            Pane::Slots => "slots",
            Pane::Topics => "topics",
            Pane::Events => "events",
        }
    }
}

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reader {
    /// The pane.
    pub pane: Pane,
    /// Lines that are scrolled past.
    pub scrolled: usize,
}

impl Reader {
    /// One pane to the right or to the left, round about.
    pub fn turn(&mut self, right: bool) {
        let all = Pane::ALL;
        let at = all.iter().position(|pane| *pane == self.pane).unwrap_or(0);
        let step = if right { 1 } else { all.len() - 1 };
        self.pane = all[(at + step) % all.len()];
        self.scrolled = 0;
    }
}

/// How a line is emphasised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Plain,
    Strong,
    Good,
    Doubtful,
    Bad,
}

type Line = (Tone, String);

/// Heads and feet.
const AROUND: usize = 8;

/// The screen, a text for each of `height` rows at most, each at most as wide as the look says. Keeps `reader` from
/// scrolling past the end.
pub fn screen(told: &Told, reader: &mut Reader, look: Look, height: usize) -> Vec<String> {
    let mut lines = match &told.report {
        Some(report) => head(report),
        None => vec![(
            Tone::Strong,
            "cutover watch: the first look is under way".to_owned(),
        )],
    };
    lines.push((Tone::Plain, tabs(reader.pane)));
    let body = match &told.report {
        None => Vec::new(),
        Some(report) => match reader.pane {
            Pane::Overview => overview(told, report, look.width),
            Pane::Slots => slots(report),
            Pane::Topics => topics(report),
            Pane::Events => events(told),
        },
    };
    let room = height.saturating_sub(lines.len() + 1).max(1);
    reader.scrolled = reader.scrolled.min(body.len().saturating_sub(room));
    let below = body.len().saturating_sub(reader.scrolled + room);
    lines.extend(body.into_iter().skip(reader.scrolled).take(room));
    lines.truncate(height.saturating_sub(1));
    while lines.len() + 1 < height.min(AROUND) {
        lines.push((Tone::Plain, String::new()));
    }
    let more = if below > 0 {
        format!("  {below} more lines below")
    } else {
        String::new()
    };
    lines.push((
        Tone::Plain,
        format!("q quit  left/right pane  up/down scroll{more}"),
    ));
    lines
        .into_iter()
        .map(|(tone, text)| painted(tone, &cut(&text, look.width), look))
        .collect()
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(width.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

fn painted(tone: Tone, text: &str, look: Look) -> String {
    match tone {
        Tone::Plain => text.to_owned(),
        Tone::Strong => look.bold(text),
        Tone::Good => look.good(text),
        Tone::Doubtful => look.doubtful(text),
        Tone::Bad => look.bad(text),
    }
}

fn head(report: &WatchReport) -> Vec<Line> {
    let tone = match report.state {
        WatchState::Alive => Tone::Good,
        WatchState::Alert => Tone::Bad,
        _ => Tone::Doubtful,
    };
    let name = report
        .connector
        .as_ref()
        .map_or("no connector", |connector| connector.name.as_str());
    let own = report.slots.iter().find(|slot| slot.of_connector);
    let slot = own.map_or_else(
        || "not seen".to_owned(),
        |slot| {
            format!(
                "{}, {}, {}, kept {}, safe {}",
                slot.name,
                if slot.active { "in use" } else { "NOT in use" },
                slot.wal_status.as_deref().unwrap_or(figures::UNKNOWN),
                figures::size(slot.retained_bytes),
                figures::size(slot.safe_bytes)
            )
        },
    );
    let plain = |label: &str, words: &str| (Tone::Plain, format!("{label:<10}{}", foreign(words)));
    vec![
        (
            tone,
            format!(
                "{}  {}",
                report.state.to_string().to_uppercase(),
                report.time
            ),
        ),
        plain(
            "connector",
            &format!("{name}: {}", figures::connector(report)),
        ),
        plain("slot", &slot),
        plain("offset", &figures::offset(report.offset.as_ref())),
        plain(
            "lag",
            &format!(
                "{}; records {}",
                figures::lag(report.lag.as_ref()),
                figures::flow_told(report)
            ),
        ),
        plain("marker", &figures::markers(&report.markers)),
    ]
}

fn tabs(pane: Pane) -> String {
    let name = |one: &Pane| {
        if *one == pane {
            format!("[{}]", one.name())
        } else {
            format!(" {} ", one.name())
        }
    };
    Pane::ALL.iter().map(name).collect::<Vec<_>>().join(" ")
}

fn tone(severity: Severity) -> Tone {
    match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Doubtful,
        Severity::Note => Tone::Plain,
    }
}

type Curve = (
    &'static str,
    fn(&WatchPoint) -> Option<f64>,
    fn(f64) -> String,
);

/// The curves of the overview.
const CURVES: [Curve; 4] = [
    ("lag", |point| point.lag_bytes, |value| bytes(value as u64)),
    (
        "kept",
        |point| point.retained_bytes,
        |value| bytes(value as u64),
    ),
    ("marker", |point| point.marker_seconds, seconds),
    ("records", |point| point.per_second, rate),
];

fn overview(told: &Told, report: &WatchReport, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for alert in &report.alerts {
        let words = format!(
            "{} {} {}: {}",
            alert.severity, alert.code, alert.subject, alert.evidence
        );
        lines.push((tone(alert.severity), safe(&words)));
        lines.push((Tone::Plain, safe(&format!("  remedy: {}", alert.remedy))));
    }
    for part in &report.not_looked_at {
        let words = format!("not seen: {}: {}", part.part, part.why);
        lines.push((Tone::Doubtful, safe(&words)));
    }
    if lines.is_empty() {
        lines.push((Tone::Plain, "nothing was found".to_owned()));
    }
    for (name, read, shown) in CURVES {
        let values: Vec<Option<f64>> = told.history.points.iter().map(read).collect();
        let highest = values.iter().flatten().copied().reduce(f64::max);
        let room = width.saturating_sub(32).clamp(8, 200);
        let bars = bars(&values, room, highest.unwrap_or(0.0));
        let highest = highest.map_or_else(|| figures::UNKNOWN.to_owned(), shown);
        lines.push((Tone::Plain, format!("{name:<10}{bars} highest {highest}")));
    }
    lines
}

const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The newest values as bars; a dot where nothing was seen.
fn bars(values: &[Option<f64>], room: usize, highest: f64) -> String {
    let from = values.len().saturating_sub(room);
    let bar = |value: &Option<f64>| match value {
        None => '·',
        Some(value) if highest > 0.0 => STEPS[((value / highest * 7.0).round() as usize).min(7)],
        Some(_) => STEPS[0],
    };
    values[from..].iter().map(bar).collect()
}

fn slots(report: &WatchReport) -> Vec<Line> {
    let mut lines = vec![(
        Tone::Strong,
        format!(
            "{:<28}{:<8}{:<12}{:>12}{:>12}{:>12}",
            "slot", "in use", "status", "kept", "lag", "safe"
        ),
    )];
    lines.extend(report.slots.iter().map(|slot| {
        let lag = slot.lag_bytes.and_then(|bytes| i64::try_from(bytes).ok());
        let lost = slot.wal_status.as_deref() == Some("lost");
        let tone = if lost { Tone::Bad } else { Tone::Plain };
        let words = format!(
            "{:<28}{:<8}{:<12}{:>12}{:>12}{:>12}{}",
            foreign(&slot.name),
            if slot.active { "yes" } else { "no" },
            slot.wal_status.as_deref().unwrap_or(figures::UNKNOWN),
            figures::size(slot.retained_bytes),
            figures::size(lag),
            figures::size(slot.safe_bytes),
            slot.invalidation
                .as_ref()
                .map_or_else(String::new, |why| format!("  {}", safe(why))),
        );
        (tone, words)
    }));
    lines
}

fn topics(report: &WatchReport) -> Vec<Line> {
    let mut lines = vec![(
        Tone::Strong,
        format!("{:>14}{:>14}  topic", "end", "records"),
    )];
    lines.extend(report.topics.iter().map(|topic| {
        let pace = topic
            .per_second
            .map_or_else(|| figures::UNKNOWN.to_owned(), rate);
        let end = crate::text::count(topic.end_offset);
        (
            Tone::Plain,
            format!("{end:>14}{pace:>14}  {}", foreign(&topic.name)),
        )
    }));
    if report.topics_left_out > 0 {
        let words = format!("{} more topics are not counted", report.topics_left_out);
        lines.push((Tone::Doubtful, words));
    }
    lines
}

fn events(told: &Told) -> Vec<Line> {
    let newest_first = told.history.events.iter().rev();
    let line = |event: &cutover_model::watch::WatchEvent| {
        let words = format!("{} {} {}", event.time, event.severity, event.text);
        (tone(event.severity), safe(&words))
    };
    let mut lines: Vec<Line> = newest_first.map(line).collect();
    if lines.is_empty() {
        lines.push((Tone::Plain, "nothing has changed so far".to_owned()));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::samples::watch_told;

    fn shown(reader: &mut Reader, width: usize, height: usize) -> Vec<String> {
        let look = Look {
            width,
            ..Look::PLAIN
        };
        screen(&watch_told(), reader, look, height)
    }

    #[test]
    fn every_size_of_screen_is_kept_to_and_nothing_steers_the_terminal() {
        for width in [1, 20, 80, 300] {
            for height in [1, 3, 10, 50] {
                for pane in Pane::ALL {
                    let mut reader = Reader { pane, scrolled: 7 };
                    let lines = shown(&mut reader, width, height);
                    assert!(lines.len() <= height.max(1), "{width}x{height} {pane:?}");
                    for line in lines {
                        assert!(line.chars().count() <= width, "{line}");
                        assert!(!line.contains(|one: char| one.is_control()), "{line:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn without_colour_every_state_is_a_word() {
        let lines = shown(&mut Reader::default(), 200, 30);
        assert!(lines[0].starts_with("ALERT  2026-"), "{lines:?}");
        let all = lines.join("\n");
        for word in [
            "error CUT-WATCH-010",
            "MISSING for 8.5 s",
            "AHEAD of",
            "[overview]",
        ] {
            assert!(all.contains(word), "{word}: {all}");
        }
    }

    #[test]
    fn what_was_never_seen_has_no_highest() {
        let mut told = watch_told();
        for point in &mut told.history.points {
            point.marker_seconds = None;
        }
        let lines = screen(&told, &mut Reader::default(), Look::PLAIN, 50);
        let curve = lines.iter().find(|line| line.starts_with("marker    ·"));
        assert!(curve.unwrap().ends_with(" highest -"), "{lines:?}");
    }

    #[test]
    fn keys_turn_panes_round_about_and_scrolling_ends_at_the_end() {
        let mut reader = Reader::default();
        reader.turn(false);
        assert_eq!(reader.pane, Pane::Events);
        reader.turn(true);
        assert_eq!(reader.pane, Pane::Overview);
        reader.scrolled = 1_000;
        shown(&mut reader, 80, 10);
        assert!(reader.scrolled < 1_000);
    }

    #[test]
    fn bars_show_the_newest_and_a_hole_is_a_dot() {
        let values = [Some(9.0), Some(0.0), None, Some(8.0)];
        assert_eq!(bars(&values, 3, 8.0), "▁·█");
    }
}
