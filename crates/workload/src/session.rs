//! One writer: keeps a connection to wherever the load is to write, runs its sequence of
//! transactions, and accounts for each of them.
//!
//! A writer never gives up because of a server: what is refused or cut off is tried again, with the
//! same content, until the load is paused or stopped. It is the application whose upgrade is being
//! rehearsed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_clients::wait;
use cutover_model::{Classified, Outcome};
use tokio::sync::watch;

use crate::attempts::{AttemptsSender, Settled, rows};
use crate::connection::{Connection, NoConnection, Target};
use crate::error::WorkloadError;
use crate::load::{Phase, Shared};
use crate::plan::{Intent, Plan, Turn};
use crate::resolve::{Asker, LostCommit, Resolution, resolve};
use crate::revision::ATTEMPTS_MAX;
use crate::rows::OwnRows;
use crate::sequence;
use crate::tables::Table;
use crate::transaction::{self, Ending, Limits, Ran};

/// Before the first new try of a refused writer; the wait doubles up to [`RETRY_MAX`].
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_millis(200);

/// A load that finds rows of an earlier one goes on this far above the newest of them: the earlier
/// load's last transactions may have left no row, and their revisions must not be used again.
const NUMBERS_SKIPPED: u64 = 1000;

/// A session that disagrees with the server so often in a row has no business writing to it.
const DISAGREEMENTS_MAX: u32 = 3;

/// One writer session.
pub(crate) struct Session {
    shared: Arc<Shared>,
    phase: watch::Receiver<Phase>,
    targets: watch::Receiver<Option<Target>>,
    attempts: AttemptsSender,
    connection: Option<Connection>,
    own: OwnRows,
    /// The incarnation that `own` was read from; `None` when it must be read anew.
    known_from: Option<i32>,
    turn: Turn,
    admitted: bool,
    disagreements: u32,
    retry: Duration,
}

impl Session {
    pub fn new(
        index: u16,
        shared: Arc<Shared>,
        targets: watch::Receiver<Option<Target>>,
        attempts: AttemptsSender,
    ) -> Session {
        Session {
            phase: shared.phase.subscribe(),
            shared,
            targets,
            attempts,
            connection: None,
            own: OwnRows::empty(index),
            known_from: None,
            turn: Turn {
                session: index,
                number: 0,
                attempt: 0,
            },
            admitted: false,
            disagreements: 0,
            retry: RETRY_FIRST,
        }
    }

    /// Writes until the load stops.
    pub async fn run(mut self) -> Result<(), WorkloadError> {
        while self.may_write().await {
            if self.ready().await? {
                wait::pause(self.shared.pace.turn(Instant::now())).await;
                self.take_turn().await?;
            } else {
                self.refused().await;
            }
        }
        Ok(())
    }

    /// Waits while the load is paused; false when it stops.
    async fn may_write(&mut self) -> bool {
        let goes_on = |phase: &Phase| !matches!(phase, Phase::Pause | Phase::Rest);
        let phase = self.phase.wait_for(goes_on).await;
        phase.is_ok_and(|phase| *phase == Phase::Run)
    }

    async fn refused(&mut self) {
        self.shared.meter.refused(Instant::now());
        wait::pause(self.retry).await;
        self.retry = (self.retry * 2).min(RETRY_MAX);
    }

    /// A connection to the current target, with the session's rows known as they are there.
    async fn ready(&mut self) -> Result<bool, WorkloadError> {
        let Some(target) = self.targets.borrow_and_update().clone() else {
            self.connection = None;
            return Ok(false);
        };
        let usable = self.connection.as_ref().is_some_and(|connection| {
            connection.target == target && !connection.client.is_closed()
        });
        if !usable {
            self.connection = None;
            let role = self.shared.config.role.as_deref();
            match Connection::open(&target, self.turn.session, role).await {
                Ok(connection) if self.shared.is_expected(&target, &connection.identity) => {
                    self.connection = Some(connection);
                }
                // Somebody else's server under a known address: to write there would put its
                // changes under the wrong incarnation. The target will be renewed.
                Ok(_) | Err(NoConnection::NotNow) => return Ok(false),
                Err(NoConnection::Error(source)) => return self.turned_away(source),
            }
        }
        if self.known_from == Some(target.incarnation) {
            return Ok(true);
        }
        self.read_own_rows(&target).await
    }

    /// A server that never let us in and never will is the user's mistake; any other will be tried
    /// again.
    fn turned_away(&self, source: cutover_clients::pg::PgError) -> Result<bool, WorkloadError> {
        if self.admitted || source.permanence() == cutover_model::Permanence::Transient {
            return Ok(false);
        }
        Err(WorkloadError::Server {
            session: self.turn.session,
            source,
        })
    }

    async fn read_own_rows(&mut self, target: &Target) -> Result<bool, WorkloadError> {
        let Some(connection) = &self.connection else {
            return Ok(false);
        };
        for table in Table::ALL {
            match connection.own_rows(self.turn.session, table).await {
                Ok(rows) => self.own.adopt(table, rows),
                Err(source) => {
                    self.connection = None;
                    return self.turned_away(source);
                }
            }
        }
        if !self.admitted
            && let Some(newest) = self.own.newest_number()
        {
            self.turn.number = newest + NUMBERS_SKIPPED;
        }
        self.admitted = true;
        self.known_from = Some(target.incarnation);
        Ok(true)
    }

    /// One transaction, unless the load was paused meanwhile.
    async fn take_turn(&mut self) -> Result<(), WorkloadError> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        // First counted as busy, then looked: so whoever paused the load and sees nobody busy is
        // right.
        self.shared.meter.busy(1);
        if *self.phase.borrow_and_update() != Phase::Run {
            self.shared.meter.busy(-1);
            self.connection = Some(connection);
            return Ok(());
        }
        let config = &self.shared.config;
        let plan = sequence::plan_with_copies(config.seed, self.turn, &self.own, config.copies);
        let hold = self
            .shared
            .config
            .held_transaction_seconds
            .clamp(0.0, 3600.0);
        let limits = Limits {
            hold: Duration::from_secs_f64(hold),
            phase: &mut self.phase.clone(),
        };
        let ran = transaction::run(&mut connection, &plan, limits).await;
        self.shared.meter.busy(-1);
        let place = (connection.target.clone(), connection.identity);
        if ran.usable {
            self.connection = Some(connection);
        }
        self.settle(plan, ran, place).await
    }

    /// Accounts for a transaction and decides what comes next.
    async fn settle(
        &mut self,
        plan: Plan,
        ran: Ran,
        (target, identity): (Target, cutover_model::Incarnation),
    ) -> Result<(), WorkloadError> {
        let mut settled = Settled {
            incarnation: target.incarnation,
            session: self.turn.session,
            xid: ran.xid,
            outcome: Outcome::Failed,
            resolution: None,
        };
        match ran.ending {
            Ending::Committed => {
                self.shared.meter.acknowledged(Instant::now());
                settled.outcome = Outcome::Ok;
                self.disagreements = 0;
                self.retry = RETRY_FIRST;
                self.record(&plan, &settled).await
            }
            Ending::RolledBack => self.record(&plan, &settled).await,
            Ending::Refused => {
                // A session keeps the read-only default that it was opened with, even after the
                // freeze has ended: only a new one can find out.
                self.connection = None;
                self.refused().await;
                Ok(())
            }
            Ending::Failed => {
                self.record(&plan, &settled).await?;
                self.refused().await;
                Ok(())
            }
            Ending::Disagreed(what) => {
                self.record(&plan, &settled).await?;
                self.disagreed(&plan, what)
            }
            Ending::Broken(source) => {
                self.record(&plan, &settled).await?;
                Err(WorkloadError::Statement {
                    session: self.turn.session,
                    number: plan.number,
                    shape: plan.shape,
                    source,
                })
            }
            Ending::CommitLost(xid) => {
                let lost = LostCommit {
                    xid,
                    target,
                    identity,
                    proof: plan.proof(),
                };
                let resolution = self.find_out(&lost).await;
                settled.resolution = resolution.text();
                settled.outcome = resolution.outcome();
                self.record(&plan, &settled).await
            }
        }
    }

    async fn find_out(&mut self, lost: &LostCommit) -> Resolution {
        self.shared.meter.refused(Instant::now());
        let asker = Asker {
            session: self.turn.session,
            role: self.shared.config.role.as_deref(),
            targets: self.targets.clone(),
            phase: self.phase.clone(),
        };
        let resolution = resolve(lost, asker).await;
        if resolution == Resolution::Unresolved {
            self.shared.events.warning(format!(
                "load session {}: the outcome of transaction {} (xid {}) cannot be found out",
                self.turn.session, self.turn.number, lost.xid
            ));
        }
        resolution
    }

    /// Writes the ledger rows, then moves on in the sequence as the outcome says.
    async fn record(&mut self, plan: &Plan, settled: &Settled) -> Result<(), WorkloadError> {
        let ledger_rows = rows(plan, settled, &self.shared.config.captured);
        let surviving = plan.changes.iter().filter(|change| change.survives).count();
        self.shared
            .meter
            .recorded(ledger_rows.len(), surviving, settled.outcome);
        if !self.attempts.record(ledger_rows).await {
            // Why is known to the thread that wrote; `Load::stop` asks it.
            return Err(WorkloadError::LedgerThread);
        }
        match settled.outcome {
            Outcome::Ok => {
                self.own.apply(&plan.changes);
                self.next_number(plan);
            }
            Outcome::Failed if plan.intent == Intent::Rollback => self.next_number(plan),
            Outcome::Failed => {
                self.turn.attempt += 1;
                if self.turn.attempt >= ATTEMPTS_MAX {
                    self.next_number(plan);
                }
            }
            Outcome::Unknown => {
                self.known_from = None;
                self.next_number(plan);
            }
        }
        Ok(())
    }

    fn next_number(&mut self, plan: &Plan) {
        self.own.skip_to(plan.next);
        self.turn.number += 1;
        self.turn.attempt = 0;
    }

    /// The server's rows are not ours: read them anew, and give up only if that does not help.
    fn disagreed(&mut self, plan: &Plan, what: String) -> Result<(), WorkloadError> {
        self.known_from = None;
        self.disagreements += 1;
        self.shared.meter.refused(Instant::now());
        self.shared.events.warning(format!(
            "load session {}: {what}; reading its rows anew",
            self.turn.session
        ));
        if self.disagreements < DISAGREEMENTS_MAX {
            return Ok(());
        }
        Err(WorkloadError::Disagreement {
            session: self.turn.session,
            number: plan.number,
            what,
        })
    }
}
