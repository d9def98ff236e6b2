//! How far a recorder is, told a few times a second to whoever listens.
//!
//! The rule it protects: progress costs nothing that could be noticed, so a clock is asked only when a whole batch was
//! counted, and what is counted gets its words only when they are told.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cutover_model::{EventKind, EventSink};

/// The shortest time between two tellings.
const EVERY: Duration = Duration::from_millis(250);

/// Tells.
pub(crate) struct Pace<'e> {
    events: &'e EventSink,
    /// When it was told last, and the number then.
    last: Mutex<(Instant, u64)>,
}

impl Pace<'_> {
    /// From now on.
    pub(crate) fn begin(events: &EventSink) -> Pace<'_> {
        Pace {
            events,
            last: Mutex::new((Instant::now(), 0)),
        }
    }

    /// So far, of so many if that is known.
    pub(crate) fn reached(&self, done: u64, total: Option<u64>, what: impl FnOnce() -> String) {
        self.reached_at(Instant::now(), (done, total), what);
    }

    fn reached_at(
        &self,
        now: Instant,
        (done, total): (u64, Option<u64>),
        what: impl FnOnce() -> String,
    ) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now.saturating_duration_since(last.0);
        // Of several threads one may come late with a number that is behind.
        if since < EVERY || done < last.1 {
            return;
        }
        let rate = (done - last.1) as f64 / since.as_secs_f64();
        *last = (now, done);
        self.events.emit(EventKind::Progress {
            what: what(),
            done,
            total,
            rate: Some(rate),
            lag_bytes: None,
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn it_is_told_a_few_times_a_second_with_what_came_since_then() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let copy = told.clone();
        let sink = EventSink::new(move |kind| copy.lock().unwrap().push(kind));
        let pace = Pace::begin(&sink);
        let begun = pace.last.lock().unwrap().0;
        let at = |milliseconds, done| {
            let now = begun + Duration::from_millis(milliseconds);
            pace.reached_at(now, (done, Some(1_000)), || {
                format!("rows at {milliseconds}")
            });
        };
        at(10, 1);
        at(500, 100);
        at(600, 150);
        at(1_000, 90);
        at(1_500, 400);
        let progress = |what: &str, done, rate| EventKind::Progress {
            what: what.to_owned(),
            done,
            total: Some(1_000),
            rate: Some(rate),
            lag_bytes: None,
        };
        let expected = [
            progress("rows at 500", 100, 200.0),
            progress("rows at 1500", 400, 300.0),
        ];
        assert_eq!(*told.lock().unwrap(), expected);
    }
}
