//! Which markers were written and which came back. Pure code; times are seconds since 1970.
//!
//! Markers of one prefix go to one partition in the order of the log, so a later one that came back means that the
//! earlier ones were passed over: the connector skipped a stretch of the log.

use std::collections::VecDeque;

use cutover_model::Lsn;
use cutover_model::watch::{Liveness, WatchedMarkers};

/// Markers that are waited for at most; of more, the oldest and the newest are kept.
const WAITING_MAX: usize = 200;

/// A skip counts as lately for so many intervals.
const LATELY: f64 = 30.0;

/// One that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Text that tells it from every other marker.
    pub token: String,
    /// Its position.
    pub lsn: Lsn,
    /// When.
    pub at: f64,
}

/// All of a watch.
#[derive(Debug, Clone, Default)]
pub struct MarkerLedger {
    interval: f64,
    late_after: f64,
    topic: String,
    waiting: VecDeque<Written>,
    written: u64,
    arrived: u64,
    skipped: u64,
    skipped_at: Option<f64>,
    delay: Option<f64>,
    newest: Option<Lsn>,
    write_failure: Option<String>,
    read_failure: Option<String>,
}

impl MarkerLedger {
    /// An empty one.
    pub fn new(interval: f64, late_after: f64, topic: &str) -> MarkerLedger {
        MarkerLedger {
            interval,
            late_after,
            topic: topic.to_owned(),
            ..MarkerLedger::default()
        }
    }

    /// One was written.
    pub fn wrote(&mut self, marker: Written) {
        self.written += 1;
        self.newest = Some(marker.lsn);
        self.write_failure = None;
        if self.waiting.len() >= WAITING_MAX {
            self.waiting.remove(WAITING_MAX / 2);
        }
        self.waiting.push_back(marker);
    }

    /// One could not be written.
    pub fn not_written(&mut self, why: String) {
        self.write_failure = Some(why);
    }

    /// Looking for them failed, or did not.
    pub fn looked(&mut self, failure: Option<String>) {
        self.read_failure = failure;
    }

    /// Those that are waited for, the oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Written> {
        self.waiting.iter()
    }

    /// These came back, in one look at the whole stretch since the look before.
    pub fn came_back(&mut self, tokens: &[String], now: f64) {
        let is_back = |marker: &Written| tokens.contains(&marker.token);
        let Some(last) = self.waiting.iter().rposition(is_back) else {
            return;
        };
        for marker in self.waiting.drain(..=last) {
            if tokens.contains(&marker.token) {
                self.arrived += 1;
                self.delay = Some((now - marker.at).max(0.0));
            } else {
                self.skipped += 1;
                self.skipped_at = Some(now);
            }
        }
    }

    /// What they prove now.
    pub fn state(&self, now: f64) -> WatchedMarkers {
        let waiting = self
            .waiting
            .front()
            .map(|marker| (now - marker.at).max(0.0));
        let overdue = waiting.is_some_and(|waiting| waiting >= self.late_after);
        let liveness = match (overdue, self.arrived, &self.write_failure) {
            (true, _, _) => Liveness::Missing,
            (_, _, Some(_)) => Liveness::NotWritten,
            (_, 0, None) => Liveness::Waiting,
            _ => Liveness::Proven,
        };
        let skipped_for = self.skipped_at.map(|at| now - at);
        WatchedMarkers {
            liveness,
            topic: Some(self.topic.clone()),
            interval_seconds: Some(self.interval),
            late_after_seconds: Some(self.late_after),
            written: self.written,
            arrived: self.arrived,
            skipped: self.skipped,
            skipped_lately: skipped_for.is_some_and(|age| age <= LATELY * self.interval),
            delay_seconds: self.delay,
            waiting_seconds: waiting,
            position: self.newest.map(Into::into),
            failure: self
                .write_failure
                .clone()
                .or_else(|| self.read_failure.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> MarkerLedger {
        MarkerLedger::new(10.0, 8.0, "p.message")
    }

    fn marker(number: u64, at: f64) -> Written {
        Written {
            token: format!("m{number}"),
            lsn: Lsn(number * 16),
            at,
        }
    }

    #[test]
    fn a_marker_that_comes_back_proves_and_one_that_is_overdue_disproves() {
        let mut all = ledger();
        assert_eq!(all.state(0.0).liveness, Liveness::Waiting);
        all.wrote(marker(1, 0.0));
        assert_eq!(all.state(7.9).liveness, Liveness::Waiting);
        assert_eq!(all.state(8.0).liveness, Liveness::Missing);
        all.came_back(&["m1".into()], 9.0);
        let state = all.state(9.0);
        assert_eq!(
            (state.liveness, state.delay_seconds, state.arrived),
            (Liveness::Proven, Some(9.0), 1)
        );
        assert_eq!(state.waiting_seconds, None);
    }

    /// The bar: a stream that stops right after a marker came back is found before two intervals are over.
    #[test]
    fn a_stream_that_stops_is_found_within_two_intervals() {
        let mut all = ledger();
        all.wrote(marker(1, 0.0));
        all.came_back(&["m1".into()], 0.1);
        all.wrote(marker(2, 10.0));
        assert_eq!(all.state(17.9).liveness, Liveness::Proven);
        assert_eq!(all.state(18.0).liveness, Liveness::Missing);
    }

    #[test]
    fn a_later_marker_tells_that_an_earlier_one_was_passed_over() {
        let mut all = ledger();
        for (number, at) in [(1, 0.0), (2, 10.0), (3, 20.0)] {
            all.wrote(marker(number, at));
        }
        all.came_back(&["m2".into()], 21.0);
        let state = all.state(21.0);
        assert_eq!((state.skipped, state.arrived), (1, 1));
        assert!(state.skipped_lately);
        assert_eq!(state.waiting_seconds, Some(1.0));
        all.came_back(&["m3".into()], 22.0);
        assert!(!all.state(21.0 + 301.0).skipped_lately);
        assert_eq!(all.state(400.0).skipped, 1);
    }

    #[test]
    fn what_cannot_be_written_is_no_proof() {
        let mut all = ledger();
        all.wrote(marker(1, 0.0));
        all.came_back(&["m1".into()], 0.1);
        all.not_written("read only".into());
        let state = all.state(10.0);
        assert_eq!(state.liveness, Liveness::NotWritten);
        assert_eq!(state.failure.as_deref(), Some("read only"));
    }

    #[test]
    fn what_is_waited_for_is_bounded_and_the_oldest_is_kept() {
        let mut all = ledger();
        for number in 0..1_000 {
            all.wrote(marker(number, number as f64));
        }
        assert_eq!(all.waiting().count(), WAITING_MAX);
        assert_eq!(all.state(1_000.0).waiting_seconds, Some(1_000.0));
        assert_eq!(all.waiting().last().unwrap().token, "m999");
    }
}
