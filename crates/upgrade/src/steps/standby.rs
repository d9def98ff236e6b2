//! A standby takes over. The connector's slot is made on the standby *before* its promotion (PostgreSQL 16 and
//! newer) and survives it, so the same stored offset goes on without a gap, a snapshot or a rewrite. With the
//! connector attached to the unpromoted standby the gap is even proven closed before the point of no return.
//!
//! What can break it: rows of the catalogue that the new slot still needs are pruned on the old primary, and the new
//! slot is invalidated while the standby replays that. The old connector's slot protects them only as far as it stands
//! still: while the connector reads it, it moves on and lets go of them (docs/anomalies.md, A-021). So before the new
//! slot is made, a guard is made on the old primary: a slot that nobody reads and that moves nowhere. It also holds the
//! log, so the way from here to the promotion should be short.

use std::time::Duration;

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::{current_lsn, server_facts};
use cutover_clients::pg::recovery::{fork_point, log_snapshot, promote as pg_promote, switch_wal};
use cutover_clients::pg::replication::ReplicationStream;
use cutover_clients::pg::slots::{create_slot, drop_slot, slot};
use cutover_clients::pg::{Client, PgError};
use cutover_clients::wait::{Poll, until, within};

use super::Feed;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::{Hands, Side};

/// How long one try to make the slot may take before the primary is asked for another list of transactions.
const SLOT_TRY: Duration = Duration::from_millis(500);
/// How many tries there are.
const SLOT_TRIES: u32 = 120;

pub(super) async fn create<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
    feed: Feed,
) -> Result<String, UpgradeError> {
    let address = hands.create_standby(feed).await?;
    let port = address.port;
    cutover.new = Some(address);
    cutover.seen.archive_fed = feed == Feed::Archive;
    Ok(format!("a standby follows on port {port}"))
}

/// The slot on the old primary that keeps what the standby's slot needs.
const GUARD: &str = "cutover_guard";

/// Removes the guard, if it is there.
pub(super) async fn drop_guard(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(&cutover.old).await?;
    drop_slot(&client, GUARD).await?;
    Ok(format!("slot {GUARD} is not there"))
}

/// The slot on a standby needs lists of running transactions in the log that it replays, one after the other until
/// whatever was open at the first has ended: the primary is asked for them until the slot is there.
pub(super) async fn make_slot(cutover: &Cutover) -> Result<String, UpgradeError> {
    let name = cutover.stream.slot.clone();
    let standby = connect_admin(cutover.target()).await?;
    if slot(&standby, &name).await?.is_some() {
        return Ok(format!("slot {name} is on the standby already"));
    }
    let primary = connect_admin(cutover.primary()).await?;
    let guarded = if cutover.seen.proven {
        if slot(&primary, GUARD).await?.is_none() {
            create_slot(&primary, GUARD, "pgoutput").await?;
        }
        format!(", guarded by {GUARD} on the old server")
    } else {
        String::new()
    };
    let address = cutover.target().clone();
    let patience = SLOT_TRY * SLOT_TRIES;
    let making = tokio::task::spawn_blocking(move || {
        ReplicationStream::open(&address)?.create_slot(&name, patience)
    });
    tokio::pin!(making);
    for _ in 0..SLOT_TRIES {
        log_snapshot(&primary).await?;
        if cutover.seen.archive_fed {
            // An archive gets whole log files only.
            switch_wal(&primary).await?;
        }
        if let Some(made) = within(SLOT_TRY, &mut making).await {
            let made = made.map_err(|panic| UpgradeError::Disproved(panic.to_string()))?;
            return Ok(format!("made at {} on the standby{guarded}", made?));
        }
    }
    Err(UpgradeError::NotSeen {
        what: format!("slot {} on the standby", cutover.stream.slot),
        seconds: SLOT_TRY.as_secs_f64() * f64::from(SLOT_TRIES),
        last: "it waits for a moment without older transactions in the log".into(),
    })
}

/// The stored offset must lie at or behind what the slot on the standby begins with: from there on nothing is
/// missing. The connector still reads on the old server and moves it there.
pub(super) async fn prove_slot(cutover: &Cutover) -> Result<String, UpgradeError> {
    let standby = connect_admin(cutover.target()).await?;
    let name = &cutover.stream.slot;
    let poll = cutover.deadlines.poll;
    let what = "a stored offset that the standby's slot can serve";
    let proof = until(what, cutover.deadlines.drain, poll, async || {
        let found = slot(&standby, name).await?;
        let Some(found) = found else {
            return Err(UpgradeError::Disproved(format!(
                "slot {name} is not on the standby"
            )));
        };
        if found.wal_status.as_deref() == Some("lost") {
            return Err(UpgradeError::Disproved(format!(
                "slot {name} on the standby is invalidated"
            )));
        }
        let offset = cutover.connect.offsets(&cutover.stream.connector).await?;
        let offset = offset.as_ref().and_then(StoredOffset::lsn);
        let seen = format!(
            "slot confirmed to {}, stored offset {}",
            text(found.confirmed_flush),
            text(offset)
        );
        let served = found.confirmed_flush.is_some() && found.confirmed_flush <= offset;
        Ok(if served {
            Poll::Ready(seen)
        } else {
            Poll::NotYet(seen)
        })
    });
    Ok(proof.await?)
}

fn text(lsn: Option<cutover_model::Lsn>) -> String {
    lsn.map_or_else(|| "-".into(), |lsn| lsn.to_string())
}

/// A failover slot is copied by the standby itself (PostgreSQL 17 and newer).
pub(super) async fn sync_slot(cutover: &Cutover) -> Result<String, UpgradeError> {
    let standby = connect_admin(cutover.target()).await?;
    let name = &cutover.stream.slot;
    let poll = cutover.deadlines.poll;
    let what = "the standby's copy of the failover slot";
    let seen = until(what, cutover.deadlines.drain, poll, async || {
        let found = slot(&standby, name).await?;
        Ok::<_, UpgradeError>(match found {
            Some(found) if synced(&standby, name).await? => Poll::Ready(format!(
                "copied, confirmed to {}",
                text(found.confirmed_flush)
            )),
            Some(_) => Poll::NotYet("copied, but not ready for a failover".into()),
            None => Poll::NotYet("not there".into()),
        })
    });
    Ok(seen.await?)
}

/// A copy that is still temporary does not survive a promotion.
async fn synced(standby: &Client, name: &str) -> Result<bool, UpgradeError> {
    let row = standby
        .query_one(
            "SELECT coalesce(bool_and(synced AND NOT temporary), false)
             FROM pg_replication_slots WHERE slot_name = $1",
            &[&name],
        )
        .await
        .map_err(|source| PgError::Sql {
            what: "looking at the copied slot".into(),
            source,
        })?;
    Ok(row.get(0))
}

/// Everything that the old server wrote until writes were refused.
pub(super) async fn catch_up(cutover: &Cutover) -> Result<String, UpgradeError> {
    let standby = connect_admin(cutover.target()).await?;
    let primary = connect_admin(cutover.primary()).await?;
    let end = current_lsn(&primary).await?;
    if cutover.seen.archive_fed {
        switch_wal(&primary).await?;
    }
    let poll = cutover.deadlines.poll;
    until(
        "the standby at the end of the log",
        cutover.deadlines.drain,
        poll,
        async || {
            let now = current_lsn(&standby).await?;
            Ok::<_, UpgradeError>(if now >= end {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("at {now} of {end}"))
            })
        },
    )
    .await?;
    Ok(format!("the standby has replayed everything up to {end}"))
}

pub(super) async fn promote<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    if server_facts(&client).await?.in_recovery {
        pg_promote(&client).await?;
    }
    cutover.primary = Side::New;
    cutover.seen.archive_fed = false;
    let opened = hands.open_incarnation().await?;
    let facts = server_facts(&client).await?;
    Ok(format!("promoted: {}; {opened}", facts.incarnation))
}

/// The timelines part behind everything that the old server committed.
pub(super) async fn prove_promoted(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let facts = server_facts(&client).await?;
    if facts.in_recovery {
        return Err(UpgradeError::Disproved(
            "the server is still in recovery".into(),
        ));
    }
    let before = cutover.before()?.server.incarnation;
    let fork = fork_point(&client, facts.incarnation.timeline, before.timeline).await?;
    let last = cutover.seen.last_write;
    if facts.incarnation.system_id != before.system_id || fork.is_none() || fork < last {
        return Err(UpgradeError::Disproved(format!(
            "the timelines part at {}, the last write of the old server was before {}",
            text(fork),
            text(last)
        )));
    }
    match slot(&client, &cutover.stream.slot).await? {
        Some(slot) if slot.wal_status.as_deref() != Some("lost") => Ok(format!(
            "timeline {} parts at {}, the last write was before {}; the slot is at {}",
            facts.incarnation.timeline,
            text(fork),
            text(last),
            text(slot.confirmed_flush)
        )),
        found => Err(UpgradeError::Disproved(format!(
            "the connector's slot did not survive the promotion: {found:?}"
        ))),
    }
}
