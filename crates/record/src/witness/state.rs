//! What the witness thread and its owner share.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cutover_model::Lsn;

/// Where a witness stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WitnessStatus {
    /// A stream is open.
    pub connected: bool,
    /// Everything before it has arrived.
    pub received: Lsn,
    /// Everything before it is durable in the ledger, and confirmed to the server.
    pub durable: Lsn,
    /// Rows written.
    pub changes: u64,
    /// The last marker seen, and its position.
    pub last_marker: Option<(String, Lsn)>,
    /// Why it is not reading just now; it tries again by itself.
    pub waiting: Option<String>,
    /// Why it has ended.
    pub error: Option<String>,
}

/// What one transaction brings into the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Position of its COMMIT.
    pub commit: Lsn,
    /// Captured changes.
    pub changes: u32,
    /// Records: a change each, and a tombstone for each keyed delete.
    pub records: u32,
}

/// The changes of one transaction that share one position. More than one: rows that one COPY wrote into one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The position.
    pub lsn: Lsn,
    /// Position of the transaction's COMMIT.
    pub commit: Lsn,
    /// How many.
    pub changes: u32,
}

/// Places kept; the oldest are forgotten.
const PLACES_MAX: usize = 1 << 16;

/// Tallies kept: 16 MiB of them. A witness that saw more transactions cannot tell what is at stake.
const TALLIES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
struct State {
    status: WitnessStatus,
    tallies: Vec<Tally>,
    places: VecDeque<Place>,
    overflowed: bool,
    markers: HashMap<String, Lsn>,
    stop: bool,
}

/// Shared state; every lock is held for a few instructions only.
#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    stopped: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> WitnessStatus {
        self.lock().status.clone()
    }

    pub(super) fn marker(&self, token: &str) -> Option<Lsn> {
        self.lock().markers.get(token).copied()
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut WitnessStatus)) {
        change(&mut self.lock().status);
    }

    /// A marker may arrive twice (after a reconnect); its place is the same.
    pub(super) fn add_marker(&self, token: String, lsn: Lsn) {
        let mut state = self.lock();
        state.markers.insert(token.clone(), lsn);
        state.status.last_marker = Some((token, lsn));
    }

    /// Adds one change of a transaction; changes of one transaction come together.
    pub(super) fn count(&self, commit: Lsn, records: u32) {
        let mut state = self.lock();
        let full = state.tallies.len() >= TALLIES_MAX;
        match state.tallies.last_mut() {
            Some(last) if last.commit == commit => {
                last.changes += 1;
                last.records += records;
            }
            _ if full => state.overflowed = true,
            _ => state.tallies.push(Tally {
                commit,
                changes: 1,
                records,
            }),
        }
    }

    /// Notes where one change stands; changes come in the order of the stream.
    pub(super) fn place(&self, lsn: Lsn, commit: Lsn) {
        let places = &mut self.lock().places;
        match places.back_mut() {
            Some(last) if (last.lsn, last.commit) == (lsn, commit) => last.changes += 1,
            _ => places.push_back(Place {
                lsn,
                commit,
                changes: 1,
            }),
        }
        if places.len() > PLACES_MAX {
            places.pop_front();
        }
    }

    pub(super) fn places(&self) -> Vec<Place> {
        self.lock().places.iter().copied().collect()
    }

    /// Every transaction so far, in commit order; `None` if there were too many to keep.
    pub(super) fn tallies(&self) -> Option<Vec<Tally>> {
        let state = self.lock();
        (!state.overflowed).then(|| state.tallies.clone())
    }

    pub(super) fn request_stop(&self) {
        self.lock().stop = true;
        self.stopped.notify_all();
    }

    pub(super) fn stopping(&self) -> bool {
        self.lock().stop
    }

    /// Waits for `pause`, or shorter if a stop is requested; tells whether one is.
    pub(super) fn wait_for_stop(&self, pause: Duration) -> bool {
        let state = self.lock();
        let waited = self
            .stopped
            .wait_timeout_while(state, pause, |state| !state.stop);
        waited.map_or_else(
            |poisoned| poisoned.into_inner().0.stop,
            |(state, _)| state.stop,
        )
    }
}
