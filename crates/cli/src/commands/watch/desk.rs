//! Where looks and markers come together: the newest report, and what was seen before it.

use cutover_model::watch::{WatchReport, WatchedMarkers};
use cutover_report::Look;
use cutover_report::watch::Told;
use cutover_report::watch::lines::{event, line};
use cutover_upgrade::watch::{Limits, Past, Sample, assess, history};

/// All of it.
pub struct Desk {
    /// What is shown.
    pub told: Told,
    limits: Limits,
    past: Past,
    sample: Option<Sample>,
    markers: WatchedMarkers,
    /// Events that the newest report brought.
    new_events: usize,
}

impl Desk {
    /// An empty one.
    pub fn new(limits: Limits) -> Desk {
        Desk {
            told: Told::default(),
            limits,
            past: Past::default(),
            sample: None,
            markers: WatchedMarkers::default(),
            new_events: 0,
        }
    }

    /// Markers as they were judged last.
    pub fn markers(&self) -> &WatchedMarkers {
        &self.markers
    }

    /// A new look.
    pub fn take(&mut self, sample: Sample, markers: &WatchedMarkers) {
        self.past.note(&sample);
        let at = sample.at;
        self.sample = Some(sample);
        self.judge(markers, (at, true));
    }

    /// Markers prove something else: the last look is judged again.
    pub fn judge_again(&mut self, markers: &WatchedMarkers) {
        let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
        self.judge(markers, (now, false));
    }

    fn judge(&mut self, markers: &WatchedMarkers, at: (f64, bool)) {
        self.markers = markers.clone();
        let Some(sample) = &self.sample else {
            return;
        };
        let mut report = assess(sample, &self.past, markers, &self.limits);
        if !at.1 {
            report.time = now_text();
        }
        let before: Option<WatchReport> = self.told.report.take();
        self.new_events = history::add(&mut self.told.history, before.as_ref(), &report, at);
        self.told.report = Some(report);
    }

    /// Lines about the newest report: what changed, and the look itself if it was one.
    pub fn news(&self, looked: bool, look: Look) -> String {
        let events = &self.told.history.events;
        let new = &events[events.len().saturating_sub(self.new_events)..];
        let mut text: String = new.iter().map(|one| event(one, look) + "\n").collect();
        if let Some(report) = self.told.report.as_ref().filter(|_| looked) {
            text.push_str(&(line(report, look) + "\n"));
        }
        text
    }
}

fn now_text() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
