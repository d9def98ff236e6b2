//! Live numbers of the load, and the windows in which writes were refused.
//!
//! A window is what an application would have felt: from the last acknowledged COMMIT before a
//! refusal to the first one after it, over all sessions together. Every number is measured, none is
//! derived from the plan.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cutover_model::Outcome;

use crate::attempts::now_ms;

/// Windows kept; of more than these, the shortest are forgotten.
const WINDOWS_MAX: usize = 200;
const RATE_OVER: Duration = Duration::from_secs(2);
const RATE_SAMPLES_MAX: usize = 20_000;

/// The load so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadStats {
    /// Change rows in the attempted ledger.
    pub attempted_changes: u64,
    /// Those of them with outcome `ok`.
    pub committed_changes: u64,
    /// Transactions committed.
    pub committed_transactions: u64,
    /// Transactions rolled back, by plan or by trouble.
    pub failed_transactions: u64,
    /// Transactions whose outcome nobody could tell.
    pub unknown_transactions: u64,
    /// Tries that were turned away or cut off.
    pub refused: u64,
    /// Committed per second, over the last two seconds.
    pub transactions_per_second: f64,
    /// The last acknowledged COMMIT.
    pub last_ok: Option<Instant>,
    /// Sessions inside a transaction right now; 0 after `pause` means that the load is quiet.
    pub busy_sessions: u16,
    /// Why the load ended by itself, if it did.
    pub error: Option<String>,
}

/// One stretch in which writes were refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RefusalWindow {
    /// Wall clock of the last COMMIT before it, epoch milliseconds.
    pub from_ms: i64,
    /// Wall clock of its first refusal, epoch milliseconds.
    pub first_refusal_ms: i64,
    /// From the last COMMIT before to the first after.
    pub seconds: f64,
    /// Tries that failed in it.
    pub refusals: u64,
    /// A COMMIT ended it; false when the load was paused or stopped first.
    pub ended: bool,
}

#[derive(Debug, Clone, Copy)]
struct OpenWindow {
    from: Instant,
    from_ms: i64,
    first_refusal_ms: i64,
    refusals: u64,
}

#[derive(Debug, Default)]
struct Numbers {
    stats: LoadStats,
    recent: VecDeque<Instant>,
    /// Where a window that opens now begins: the last COMMIT, unless the load was paused since.
    window_base: Option<Instant>,
    interrupted: bool,
    open: Option<OpenWindow>,
    windows: Vec<RefusalWindow>,
}

/// Shared by all sessions.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Numbers>);

impl Meter {
    fn numbers(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A COMMIT was acknowledged just now.
    pub fn acknowledged(&self, now: Instant) {
        let mut numbers = self.numbers();
        numbers.close(now, true);
        numbers.stats.last_ok = numbers.stats.last_ok.max(Some(now));
        numbers.window_base = numbers.stats.last_ok;
        numbers.recent.push_back(now);
        numbers.forget_old(now);
    }

    /// A try was turned away or cut off.
    pub fn refused(&self, now: Instant) {
        let mut numbers = self.numbers();
        numbers.stats.refused += 1;
        if numbers.interrupted {
            return;
        }
        let from = numbers.window_base.unwrap_or(now);
        let open = numbers.open.get_or_insert_with(|| {
            let (first_refusal_ms, since) = (now_ms(), now.saturating_duration_since(from));
            let since = i64::try_from(since.as_millis()).unwrap_or(0);
            OpenWindow {
                from,
                from_ms: first_refusal_ms - since,
                first_refusal_ms,
                refusals: 0,
            }
        });
        open.refusals += 1;
    }

    /// Nobody tries any more, so nothing is refused: an open window ends here, and the next one
    /// does not reach back before this.
    pub fn interrupted(&self, now: Instant) {
        let mut numbers = self.numbers();
        numbers.close(now, false);
        numbers.window_base = None;
        numbers.interrupted = true;
    }

    /// Sessions try again.
    pub fn resumed(&self) {
        self.numbers().interrupted = false;
    }

    /// A transaction is in the ledger.
    pub fn recorded(&self, changes: usize, surviving: usize, outcome: Outcome) {
        let mut numbers = self.numbers();
        let stats = &mut numbers.stats;
        stats.attempted_changes += changes as u64;
        match outcome {
            Outcome::Ok => {
                stats.committed_transactions += 1;
                stats.committed_changes += surviving as u64;
            }
            Outcome::Failed => stats.failed_transactions += 1,
            Outcome::Unknown => stats.unknown_transactions += 1,
        }
    }

    /// A session begins (+1) or leaves (-1) a transaction.
    pub fn busy(&self, difference: i16) {
        let mut numbers = self.numbers();
        let busy = &mut numbers.stats.busy_sessions;
        *busy = busy.saturating_add_signed(difference);
    }

    /// The load ended by itself.
    pub fn failed(&self, why: String) {
        self.numbers().stats.error.get_or_insert(why);
    }

    /// The numbers now.
    pub fn stats(&self, now: Instant) -> LoadStats {
        let mut numbers = self.numbers();
        numbers.forget_old(now);
        let mut stats = numbers.stats.clone();
        stats.transactions_per_second = numbers.recent.len() as f64 / RATE_OVER.as_secs_f64();
        stats
    }

    /// Closed windows, in time order.
    pub fn windows(&self) -> Vec<RefusalWindow> {
        self.numbers().windows.clone()
    }
}

impl Numbers {
    fn close(&mut self, now: Instant, ended: bool) {
        let Some(open) = self.open.take() else {
            return;
        };
        self.windows.push(RefusalWindow {
            from_ms: open.from_ms,
            first_refusal_ms: open.first_refusal_ms,
            seconds: now.saturating_duration_since(open.from).as_secs_f64(),
            refusals: open.refusals,
            ended,
        });
        if self.windows.len() > WINDOWS_MAX {
            let shortest = self
                .windows
                .iter()
                .enumerate()
                .min_by(|(_, a), (_, b)| a.seconds.total_cmp(&b.seconds))
                .map(|(place, _)| place);
            if let Some(place) = shortest {
                self.windows.remove(place);
            }
        }
    }

    fn forget_old(&mut self, now: Instant) {
        while self.recent.front().is_some_and(|first| {
            now.saturating_duration_since(*first) > RATE_OVER
                || self.recent.len() > RATE_SAMPLES_MAX
        }) {
            self.recent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reaches_from_the_last_commit_before_to_the_first_after() {
        let meter = Meter::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        meter.acknowledged(at(0));
        meter.acknowledged(at(100));
        meter.refused(at(400));
        meter.refused(at(900));
        meter.acknowledged(at(1100));
        let windows = meter.windows();
        assert_eq!(windows.len(), 1);
        assert!((windows[0].seconds - 1.0).abs() < 1e-6);
        let before_refusal = windows[0].first_refusal_ms - windows[0].from_ms;
        assert_eq!(before_refusal, 300);
        assert_eq!((windows[0].refusals, windows[0].ended), (2, true));
    }

    #[test]
    fn time_spent_paused_is_no_refusal() {
        let meter = Meter::default();
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        meter.acknowledged(at(0));
        meter.refused(at(200));
        meter.interrupted(at(300));
        meter.refused(at(400));
        meter.resumed();
        meter.refused(at(60_000));
        meter.acknowledged(at(60_500));
        let seconds: Vec<_> = meter
            .windows()
            .iter()
            .map(|window| window.seconds)
            .collect();
        assert!((seconds[0] - 0.3).abs() < 1e-6 && (seconds[1] - 0.5).abs() < 1e-6);
        assert!(!meter.windows()[0].ended);
    }

    #[test]
    fn only_the_longest_windows_are_kept_however_often_writes_are_refused() {
        let meter = Meter::default();
        let start = Instant::now();
        for step in 0..1000_u64 {
            let length = if step == 500 { 900 } else { 1 };
            meter.acknowledged(start + Duration::from_secs(step));
            meter.refused(start + Duration::from_secs(step));
            let end = Duration::from_secs(step) + Duration::from_millis(length);
            meter.acknowledged(start + end);
        }
        let windows = meter.windows();
        assert_eq!(windows.len(), WINDOWS_MAX);
        assert!(windows.iter().any(|window| window.seconds > 0.89));
    }
}
