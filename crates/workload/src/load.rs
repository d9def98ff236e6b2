//! The load as its caller sees it: start, pause, resume, stop, and live numbers.
//!
//! ```text
//! sessions ──SQL──► target (a watch channel says where)
//!    │ outcome of each transaction, in order
//!    ▼
//! bounded queue ──► one thread ──► attempted ledger
//! ```

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cutover_clients::wait;
use cutover_ledger::ChangeWriter;
use cutover_model::{EventSink, Failure, Incarnation, Relation};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::attempts::{self, AttemptsEnd};
use crate::connection::Target;
use crate::error::WorkloadError;
use crate::pace::Pace;
use crate::revision::SESSIONS_MAX;
use crate::session::Session;
use crate::shapes::Copies;
use crate::stats::{LoadStats, Meter, RefusalWindow};

/// Longer than any session may take to resolve what is open and end.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// What the load is like.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadConfig {
    /// Same seed, same sequence of transactions in every session.
    pub seed: u64,
    /// Writer sessions, 1 to [`SESSIONS_MAX`].
    pub sessions: u16,
    /// Transactions per second, all sessions together.
    pub transactions_per_second: u32,
    /// How long the first session's held-open transactions stay open.
    pub held_transaction_seconds: f64,
    /// Role to take on (`SET ROLE`) after connecting; `None` keeps the login's.
    pub role: Option<String>,
    /// Captured tables. Every table is written to; changes of the others are not noted in the
    /// ledger, because no other ledger knows of them.
    pub captured: Vec<Relation>,
    /// Copies loads among the transactions, if any.
    pub copies: Option<Copies>,
}

impl Default for LoadConfig {
    fn default() -> LoadConfig {
        LoadConfig {
            seed: 1,
            sessions: 6,
            transactions_per_second: 400,
            held_transaction_seconds: 3.0,
            role: None,
            captured: crate::tables::relations(),
            copies: None,
        }
    }
}

/// What sessions may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Write.
    Run,
    /// Begin nothing new, and let what is held open stay open.
    Rest,
    /// Begin nothing new.
    Pause,
    /// End.
    Stop,
}

/// What all sessions share.
pub(crate) struct Shared {
    /// Settings.
    pub config: LoadConfig,
    /// Rate.
    pub pace: Pace,
    /// Numbers.
    pub meter: Meter,
    /// Listeners.
    pub events: EventSink,
    /// Run, pause or stop.
    pub phase: watch::Sender<Phase>,
    identities: Mutex<HashMap<i32, Incarnation>>,
    failure: Mutex<Option<WorkloadError>>,
}

impl Shared {
    /// Whether the server that answered is the one that this target's index has stood for so far.
    pub fn is_expected(&self, target: &Target, identity: &Incarnation) -> bool {
        let mut known = self
            .identities
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.entry(target.incarnation).or_insert(*identity) == identity
    }

    /// Ends the load because of an error; the first one counts.
    fn fail(&self, error: WorkloadError) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_none() {
            let text = Failure::of(&error).message;
            self.events.warning(text.clone());
            self.meter.failed(text);
            *failure = Some(error);
        }
        drop(failure);
        self.phase.send_replace(Phase::Stop);
    }

    /// Changes the phase, if it is one of these.
    fn change(&self, from: &[Phase], to: Phase) {
        self.phase.send_if_modified(|phase| {
            let changes = from.contains(phase);
            if changes {
                *phase = to;
            }
            changes
        });
    }

    fn pause(&self) {
        self.change(&[Phase::Run, Phase::Rest], Phase::Pause);
        self.meter.interrupted(Instant::now());
    }

    fn resume(&self) {
        self.meter.resumed();
        self.change(&[Phase::Pause, Phase::Rest], Phase::Run);
    }

    fn take_failure(&self) -> Option<WorkloadError> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// A running load. Dropping it stops the sessions without waiting for them.
pub struct Load {
    shared: Arc<Shared>,
    sessions: Vec<JoinHandle<()>>,
    ledger: Option<AttemptsEnd>,
}

/// Looks at a load from elsewhere.
#[derive(Clone)]
pub struct LoadWatch(Arc<Shared>);

impl LoadWatch {
    /// Numbers so far.
    pub fn stats(&self) -> LoadStats {
        self.0.meter.stats(Instant::now())
    }

    /// Begins no more transactions; one that is held open stays open.
    pub fn rest(&self) {
        self.0.change(&[Phase::Run], Phase::Rest);
        self.0.meter.interrupted(Instant::now());
    }

    /// As [`Load::pause`].
    pub fn pause(&self) {
        self.0.pause();
    }

    /// As [`Load::resume`].
    pub fn resume(&self) {
        self.0.resume();
    }
}

/// How a load ended.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadEnd {
    /// Final numbers.
    pub stats: LoadStats,
    /// The longest of `windows`.
    pub refused_write_seconds: f64,
    /// Stretches in which writes were refused, in time order.
    pub windows: Vec<RefusalWindow>,
    /// Transactions whose outcome stayed unknown.
    pub unresolved: u64,
    /// Rows in the attempted ledger, all durable.
    pub ledger_rows: u64,
}

impl Load {
    /// Starts all sessions on the current Tokio runtime. They write as soon as `target` names a
    /// server, and move when it names another; while it holds `None` there is nowhere to write and
    /// they keep trying.
    pub fn start(
        config: LoadConfig,
        target: watch::Receiver<Option<Target>>,
        ledger: ChangeWriter,
        events: EventSink,
    ) -> Load {
        let shared = Arc::new(Shared {
            pace: Pace::per_second(config.transactions_per_second),
            meter: Meter::default(),
            events,
            phase: watch::Sender::new(Phase::Run),
            identities: Mutex::default(),
            failure: Mutex::default(),
            config,
        });
        let mut load = Load {
            shared: Arc::clone(&shared),
            sessions: Vec::new(),
            ledger: None,
        };
        match attempts::start(ledger) {
            Ok((sender, end)) => {
                load.ledger = Some(end);
                for index in 0..shared.config.sessions.clamp(1, SESSIONS_MAX) {
                    let shared = Arc::clone(&shared);
                    let session =
                        Session::new(index, Arc::clone(&shared), target.clone(), sender.clone());
                    load.sessions.push(tokio::spawn(async move {
                        if let Err(error) = session.run().await {
                            shared.fail(error);
                        }
                    }));
                }
            }
            Err(error) => shared.fail(error),
        }
        load
    }

    /// A look at it that can be kept elsewhere.
    pub fn watch(&self) -> LoadWatch {
        LoadWatch(Arc::clone(&self.shared))
    }

    /// The numbers now.
    pub fn stats(&self) -> LoadStats {
        self.shared.meter.stats(Instant::now())
    }

    /// Refusal windows that are over.
    pub fn windows(&self) -> Vec<RefusalWindow> {
        self.shared.meter.windows()
    }

    /// Begins no more transactions; open ones end now. Quiet when `stats().busy_sessions` is 0.
    pub fn pause(&self) {
        self.shared.pause();
    }

    /// Goes on where the sessions stopped.
    pub fn resume(&self) {
        self.shared.resume();
    }

    /// Ends every session, after its open transaction and whatever outcome it still has to find out
    /// (under a deadline), and makes the ledger durable.
    ///
    /// # Errors
    /// The error that ended the load, a session that does not end, or a ledger that cannot be
    /// finished.
    pub async fn stop(mut self) -> Result<LoadEnd, WorkloadError> {
        self.shared.phase.send_replace(Phase::Stop);
        self.shared.meter.interrupted(Instant::now());
        let deadline = Instant::now() + STOP_DEADLINE;
        let mut not_ended = 0;
        for session in &mut self.sessions {
            let left = deadline.saturating_duration_since(Instant::now());
            if wait::within(left, &mut *session).await.is_none() {
                session.abort();
                not_ended += 1;
            }
        }
        let written = match self.ledger.take() {
            Some(end) => end.wait().await,
            None => Err(WorkloadError::LedgerThread),
        };
        let failure = self.shared.take_failure();
        let ledger_rows = match (written, failure) {
            // Sessions only see that the ledger takes no more; the cause is the thread's.
            (Err(cause), Some(WorkloadError::LedgerThread) | None) => return Err(cause),
            (_, Some(failure)) => return Err(failure),
            (Ok(rows), None) => rows,
        };
        if not_ended > 0 {
            return Err(WorkloadError::NotEnded {
                sessions: not_ended,
                seconds: STOP_DEADLINE.as_secs(),
            });
        }
        let stats = self.stats();
        let windows = self.windows();
        Ok(LoadEnd {
            refused_write_seconds: windows
                .iter()
                .map(|window| window.seconds)
                .fold(0.0, f64::max),
            windows,
            unresolved: stats.unknown_transactions,
            ledger_rows,
            stats,
        })
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.shared.phase.send_replace(Phase::Stop);
    }
}
