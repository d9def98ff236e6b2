//! pg_upgrade: the old cluster is kept quiet after the drain, then its files become the new cluster's.
//!
//! From 17 on pg_upgrade carries logical slots over, but only if no transaction that took an id ended after what
//! they confirmed. A commit of autovacuum is enough to be refused, and so is an application that is refused its
//! writes and rolls back, over and over (docs/anomalies.md, A-013): so after the drain neither may be there. Below
//! 17 slots are dropped without a word.

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::freeze::{end_sessions, limit_sessions};
use cutover_clients::pg::settings::{alter_system, autovacuum_workers, setting};
use cutover_clients::wait::{Poll, until};

use super::Transfer;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::{Hands, Side};

const AUTOVACUUM: &str = "autovacuum";

pub(super) async fn quiet(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(&cutover.old).await?;
    alter_system(&client, AUTOVACUUM, Some("off")).await?;
    let role = &cutover.stream.writer_role;
    limit_sessions(&client, role, 0).await?;
    Ok(format!("autovacuum is off, role {role} gets no session"))
}

pub(super) async fn prove_quiet(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(&cutover.old).await?;
    let poll = cutover.deadlines.poll;
    let what = "the end of every autovacuum worker and every writer's session";
    until(what, cutover.deadlines.drain, poll, async || {
        let workers = autovacuum_workers(&client).await?;
        let sessions = end_sessions(&client, &cutover.stream.writer_role).await?;
        let state = setting(&client, AUTOVACUUM).await?;
        let seen = format!("{workers} workers, {sessions} sessions, autovacuum = {state}");
        let quiet = workers == 0 && sessions == 0 && state == "off";
        Ok::<_, UpgradeError>(if quiet {
            Poll::Ready(())
        } else {
            Poll::NotYet(seen)
        })
    })
    .await?;
    Ok("no autovacuum worker and no writer's session is there".into())
}

/// What was noted before anything was changed is put back. On the old server both settings, on the new one the
/// writers' limit only: settings of ALTER SYSTEM stay behind in pg_upgrade, roles come along.
pub(super) async fn unquiet(cutover: &Cutover) -> Result<String, UpgradeError> {
    if cutover.seen.autovacuum.is_none() && cutover.seen.writer_limit.is_none() {
        return Ok("nothing was changed".into());
    }
    let client = connect_admin(cutover.primary()).await?;
    if let Some(before) = &cutover.seen.autovacuum
        && cutover.primary == Side::Old
    {
        alter_system(&client, AUTOVACUUM, before.as_deref()).await?;
    }
    if let Some(limit) = cutover.seen.writer_limit {
        limit_sessions(&client, &cutover.stream.writer_role, limit).await?;
    }
    Ok("autovacuum's setting and the writers' sessions are what they were".into())
}

/// Runs pg_upgrade on the stopped old cluster and starts the new one. Writes stay refused: pg_upgrade carries the
/// database's own settings over.
pub(super) async fn upgrade<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
    transfer: Transfer,
) -> Result<String, UpgradeError> {
    let (address, said) = hands.upgrade_cluster(transfer).await?;
    let port = address.port;
    cutover.new = Some(address);
    cutover.primary = Side::New;
    let opened = hands.open_incarnation().await?;
    unquiet(cutover).await?;
    Ok(format!(
        "{said}; the new server is on port {port}; {opened}"
    ))
}
