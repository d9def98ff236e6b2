//! Stopping the connector between two transactions while the application works.
//!
//! A connector that is stopped under load stands anywhere, also inside events that share a position, from where no
//! version goes on exactly (`boundary`). So the published tables are held against writes for a moment: what was
//! committed before is delivered, nothing comes after it, and the connector is stopped there. Writers wait about a
//! second and none is refused.
//!
//! The rule it protects: nobody waits for a connector that lags. It has caught up before the tables are held, and what
//! takes too long lets go of them.

use std::time::{Duration, Instant};

use cutover_clients::pg::hold::{hold_tables, release_tables};
use cutover_clients::pg::marker::emit_message;
use cutover_clients::pg::pending::{Pending, pending};
use cutover_clients::pg::{Client, connect_admin};
use cutover_clients::wait::{Poll, WaitError, until, within};

use super::connector;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::fence::MarkerWatch;

/// How long one try to get the tables may keep writers waiting. Below `deadlock_timeout` (1 s by default), so that in a
/// deadlock with a writer it is the try that ends.
const TRY: Duration = Duration::from_millis(500);
/// How long writers have for themselves between two tries.
const BETWEEN: Duration = Duration::from_secs(1);
/// How long the last changes may take to be delivered, and then the connector to stop, while writers wait.
const PATIENCE: Duration = Duration::from_secs(5);

/// Stops the connector where nothing stands at its offset.
pub(super) async fn stop(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.primary()).await?;
    let held = hold(cutover, &client).await?;
    connector::stop(cutover).await?;
    let stopped = within(PATIENCE, connector::prove_stopped(cutover)).await;
    if stopped.is_some() {
        // The offset may be that of the marker, which ends where the next record begins. That must not be a change: it
        // would be taken for delivered (docs/anomalies.md, A-023).
        emit_message(&client, &cutover.stream.marker_prefix, "apart").await?;
    }
    release_tables(&client).await?;
    let waited = held.since.elapsed().as_secs_f64();
    let tables = held.tables;
    match stopped {
        Some(seen) => {
            let seen = seen?;
            Ok(format!(
                "{seen}; {tables} tables were held, writers waited at most {waited:.2} s"
            ))
        }
        None => Ok(format!(
            "stop requested; not seen within {} s, so the {tables} tables were let go",
            PATIENCE.as_secs()
        )),
    }
}

/// Tables that are held against writes.
struct Held {
    tables: usize,
    since: Instant,
}

/// Holds the published tables once everything before is delivered.
async fn hold(cutover: &Cutover, client: &Client) -> Result<Held, UpgradeError> {
    let mut left = Pending::default();
    let what = "the published tables, free of writers for a moment";
    let waited = until(what, cutover.deadlines.writers, BETWEEN, async || {
        // Nobody waits for what is delivered here.
        let deadline = cutover.deadlines.drain;
        let mut watch = MarkerWatch::send(cutover).await?;
        watch.delivered(cutover, deadline).await?;
        let since = Instant::now();
        let publication = &cutover.stream.publication;
        let Some(tables) = hold_tables(client, publication, TRY).await? else {
            left = pending(client, &cutover.primary().database).await?;
            let seen = left.lines().join("; ");
            return Ok(Poll::NotYet(format!("others are busy with them: {seen}")));
        };
        if last_delivered(cutover).await? {
            return Ok(Poll::Ready(Held { tables, since }));
        }
        release_tables(client).await?;
        left = Pending::default();
        Ok::<_, UpgradeError>(Poll::NotYet("the connector lags".into()))
    });
    match waited.await {
        Err(WaitError::TimedOut { seconds, .. }) if !left.is_empty() => {
            Err(UpgradeError::Pending {
                seconds,
                pending: left,
            })
        }
        held => Ok(held?),
    }
}

/// Whether what was committed until now is delivered before the writers' patience ends.
async fn last_delivered(cutover: &Cutover) -> Result<bool, UpgradeError> {
    let mut watch = MarkerWatch::send(cutover).await?;
    let waited = watch.delivered(cutover, PATIENCE).await;
    match waited {
        Ok(_) => Ok(true),
        Err(UpgradeError::NotSeen { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
