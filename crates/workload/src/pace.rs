//! The rate of the load, over all sessions together.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A load that fell behind makes up for at most this much; it must not answer a refusal with a
/// flood.
const BEHIND_MAX: Duration = Duration::from_millis(50);

/// Hands out turns at even distances.
#[derive(Debug)]
pub(crate) struct Pace {
    distance: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub fn per_second(turns: u32) -> Pace {
        Pace {
            distance: Duration::from_secs(1) / turns.max(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Takes the next turn and says how long it is away.
    pub fn turn(&self, now: Instant) -> Duration {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(BEHIND_MAX).unwrap_or(now);
        let turn = (*next).max(earliest);
        *next = turn + self.distance;
        turn.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_evenly_spaced_and_a_standstill_is_not_made_up_for() {
        let pace = Pace::per_second(100);
        let start = Instant::now();
        let waits: Vec<_> = (0..5).map(|_| pace.turn(start)).collect();
        assert!(waits[4] >= Duration::from_millis(39) && waits[4] <= Duration::from_millis(40));

        let later = start + Duration::from_secs(60);
        let at_once = (0..100).take_while(|_| pace.turn(later).is_zero()).count();
        assert!(at_once <= 6, "{at_once} transactions in one burst");
    }
}
