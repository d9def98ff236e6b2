//! Freeze and release of writes, and the application as a whole.
//!
//! Writes are refused by the database (`default_transaction_read_only`), because that holds through a restart
//! and for every client that does not override it on purpose; the writers' sessions are ended, because an open
//! transaction does not notice a changed default.

use std::time::Duration;

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::current_lsn;
use cutover_clients::pg::freeze::{freeze_writes, release_writes, writes_frozen};
use cutover_clients::pg::pending::{Pending, pending};
use cutover_clients::wait::{Poll, WaitError, pause, until};

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::Hands;

pub(super) async fn freeze(cutover: &Cutover) -> Result<String, UpgradeError> {
    let address = cutover.primary();
    let client = connect_admin(address).await?;
    let ended = freeze_writes(&client, &address.database, &cutover.stream.writer_role).await?;
    Ok(format!(
        "database {} refuses writes of new sessions; {ended} old sessions ended",
        address.database
    ))
}

pub(super) async fn prove_frozen(cutover: &Cutover) -> Result<String, UpgradeError> {
    let address = cutover.primary();
    let client = connect_admin(address).await?;
    if !writes_frozen(&client, &address.database).await? {
        return Err(UpgradeError::Disproved(format!(
            "database {} still lets new sessions write",
            address.database
        )));
    }
    writers_ended(cutover).await?;
    Ok("new sessions are read-only; no client transaction has written, none is prepared".into())
}

/// Waits until nobody can commit a change any more. An open transaction of another role, and a prepared one of any, do
/// not notice the freeze: each has its time to end, and those that do not are named.
async fn writers_ended(cutover: &Cutover) -> Result<(), UpgradeError> {
    let address = cutover.primary();
    let client = connect_admin(address).await?;
    let (deadline, poll) = (cutover.deadlines.writers, cutover.deadlines.poll);
    let mut left = Pending::default();
    let what = "the end of every transaction that has written";
    let waited = until(what, deadline, poll, async || {
        left = pending(&client, &address.database).await?;
        Ok::<_, UpgradeError>(if left.is_empty() {
            Poll::Ready(())
        } else {
            Poll::NotYet(left.lines().join("; "))
        })
    });
    match waited.await {
        Err(WaitError::TimedOut { seconds, .. }) if !left.is_empty() => {
            Err(UpgradeError::Pending {
                seconds,
                pending: left,
            })
        }
        ended => Ok(ended?),
    }
}

pub(super) async fn release(cutover: &Cutover) -> Result<String, UpgradeError> {
    let address = cutover.primary();
    let client = connect_admin(address).await?;
    release_writes(&client, &address.database, &cutover.stream.writer_role).await?;
    Ok(format!("database {} accepts writes", address.database))
}

/// Lets the application write on the old server again. Whoever watched it to its end goes on before that.
pub(super) async fn undo<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    // That nobody watches costs the proof. It must not cost the application its database.
    let watched = hands.resume_incarnation().await;
    cutover.seen.refused = false;
    let client = connect_admin(&cutover.old).await?;
    release_writes(&client, &cutover.old.database, &cutover.stream.writer_role).await?;
    let database = &cutover.old.database;
    Ok(match watched {
        Ok(()) => format!("database {database} accepts writes"),
        Err(error) => {
            format!(
                "database {database} accepts writes, and nobody watches what is written: {error}"
            )
        }
    })
}

pub(super) async fn prove_released(cutover: &Cutover) -> Result<String, UpgradeError> {
    let address = cutover.primary();
    let client = connect_admin(address).await?;
    if writes_frozen(&client, &address.database).await? {
        return Err(UpgradeError::Disproved(format!(
            "database {} still refuses writes",
            address.database
        )));
    }
    Ok("new sessions may write".into())
}

pub(super) async fn stop<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let frozen = freeze(cutover).await?;
    if cutover.seen.proven {
        // Whoever watches the old side reads it to its end now: nothing may be committed after that.
        writers_ended(cutover).await?;
    }
    let address = cutover.primary();
    cutover.seen.last_write = Some(current_lsn(&connect_admin(address).await?).await?);
    let closed = hands.close_incarnation().await?;
    Ok(format!("{frozen}; {closed}"))
}

/// What scripts do instead of looking.
pub(super) async fn wait(seconds: u32) -> Result<String, UpgradeError> {
    pause(Duration::from_secs(seconds.into())).await;
    Ok(format!("{seconds} s have passed; nothing was looked at"))
}

/// The freeze may have come along: pg_upgrade, a standby and a restore carry the database's settings.
pub(super) async fn start_on_new<H: Hands>(
    cutover: &Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let address = cutover.primary();
    let client = connect_admin(address).await?;
    let frozen = writes_frozen(&client, &address.database).await?;
    let moved = hands.move_application(cutover.primary).await?;
    if frozen {
        let released = release(cutover).await?;
        return Ok(format!("{moved}; {released}"));
    }
    Ok(moved)
}
