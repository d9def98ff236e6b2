//! Finds out what became of a COMMIT that was never answered.
//!
//! Only the incarnation that the transaction ran on can tell: ids are reused by every other one, so
//! an answer from elsewhere would be worse than none. It is asked as soon as it answers again; if
//! the load has moved on and the old server stays silent, the outcome remains unknown.
//!
//! Two questions are asked, since one is not enough. `pg_xact_status` says whether the transaction
//! is over, but an id whose log was lost in a crash is given out again, and then the status is that
//! of somebody else's transaction (seen with immediate restarts under load). So "committed" only
//! counts if the session's own rows show it: nobody else writes them, and every revision is unique.

use std::time::{Duration, Instant};

use cutover_clients::wait;
use cutover_model::{Incarnation, Outcome};
use tokio::sync::watch;

use crate::connection::{Connection, NoConnection, Target, TransactionStatus};
use crate::load::Phase;
use crate::plan::Proof;

/// The longest that a session waits for an answer.
const DEADLINE: Duration = Duration::from_secs(600);
/// After the load was told to stop.
const STOP_DEADLINE: Duration = Duration::from_secs(10);
/// For the old server, after the load moved to another incarnation.
const OLD_SERVER_DEADLINE: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_millis(50);

/// A COMMIT without an answer.
pub(crate) struct LostCommit {
    /// The full id.
    pub xid: u64,
    /// Where it was sent.
    pub target: Target,
    /// Who was there.
    pub identity: Incarnation,
    /// The row that shows whether it was committed.
    pub proof: Option<Proof>,
}

/// What was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// It was committed.
    Committed,
    /// It was rolled back.
    Aborted,
    /// The server lost it, id and all, in a crash.
    LostInCrash,
    /// Another transaction has its id by now and committed; this one was lost in a crash.
    IdReused,
    /// Nobody can tell.
    Unresolved,
}

impl Resolution {
    /// The outcome for the ledger.
    pub fn outcome(self) -> Outcome {
        match self {
            Resolution::Committed => Outcome::Ok,
            Resolution::Aborted | Resolution::LostInCrash | Resolution::IdReused => Outcome::Failed,
            Resolution::Unresolved => Outcome::Unknown,
        }
    }

    /// How it was found out, for the ledger.
    pub fn text(self) -> Option<String> {
        let text = match self {
            Resolution::Committed => "pg_xact_status: committed, and its rows are there",
            Resolution::Aborted => "pg_xact_status: aborted",
            Resolution::LostInCrash => "pg_xact_status: id not given out yet after a crash",
            Resolution::IdReused => "its rows are not there: id used again after a crash",
            Resolution::Unresolved => return None,
        };
        Some(text.to_owned())
    }
}

/// Who asks, and what may cut the asking short.
pub(crate) struct Asker<'a> {
    /// Writer session.
    pub session: u16,
    /// Role to take on.
    pub role: Option<&'a str>,
    /// Where the load writes now.
    pub targets: watch::Receiver<Option<Target>>,
    /// Phase of the load.
    pub phase: watch::Receiver<Phase>,
}

/// Asks until there is an answer or a deadline has passed.
pub(crate) async fn resolve(lost: &LostCommit, mut asker: Asker<'_>) -> Resolution {
    let mut deadline = Instant::now() + DEADLINE;
    let (mut stopping, mut moved) = (false, false);
    loop {
        if !stopping && *asker.phase.borrow_and_update() == Phase::Stop {
            stopping = true;
            deadline = deadline.min(Instant::now() + STOP_DEADLINE);
        }
        let current = asker.targets.borrow_and_update().clone();
        let elsewhere = |now: &Target| now.incarnation != lost.target.incarnation;
        if !moved && current.as_ref().is_some_and(elsewhere) {
            moved = true;
            deadline = deadline.min(Instant::now() + OLD_SERVER_DEADLINE);
        }
        // The same incarnation may have moved to another address (a minor upgrade on another port).
        let place = current
            .filter(|_| !moved)
            .unwrap_or_else(|| lost.target.clone());
        match ask(lost, &place, &asker).await {
            Some(answer) => return answer,
            None if Instant::now() >= deadline => return Resolution::Unresolved,
            None => wait::pause(EVERY).await,
        }
    }
}

/// One try. `None` means: not yet.
async fn ask(lost: &LostCommit, place: &Target, asker: &Asker<'_>) -> Option<Resolution> {
    let connection = match Connection::open(place, asker.session, asker.role).await {
        Ok(connection) => connection,
        Err(NoConnection::Error(_) | NoConnection::NotNow) => return None,
    };
    if connection.identity != lost.identity {
        return None;
    }
    match connection.transaction_status(lost.xid).await.ok()? {
        TransactionStatus::Aborted => Some(Resolution::Aborted),
        TransactionStatus::NotGivenOut => Some(Resolution::LostInCrash),
        TransactionStatus::InProgress => None,
        TransactionStatus::Forgotten => Some(Resolution::Unresolved),
        TransactionStatus::Committed => match &lost.proof {
            None => Some(Resolution::Unresolved),
            Some(proof) => {
                let there = connection.has_row(proof.table, proof.row).await.ok()?;
                Some(if there == proof.there_if_committed {
                    Resolution::Committed
                } else {
                    Resolution::IdReused
                })
            }
        },
    }
}
