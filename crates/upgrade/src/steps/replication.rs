//! Slot, publication and replica identity: made again on a new server, looked at after a restart.

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::freeze::writes_frozen;
use cutover_clients::pg::pending::pending;
use cutover_clients::pg::publication::{
    create_publication, publication_tables, set_replica_identity_full,
};
use cutover_clients::pg::slots::{Slot, create_slot, drop_slot, slot};
use cutover_clients::wait::{Poll, until};
use cutover_model::Lsn;

use super::offset;
use crate::cutover::Cutover;
use crate::error::UpgradeError;

/// Idempotent: says what it found and what it made.
pub(super) async fn set_up(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let stream = &cutover.stream;
    let publication = match publication_tables(&client, &stream.publication).await? {
        Some(tables) => format!("publication found with {} tables", tables.len()),
        None => {
            create_publication(&client, &stream.publication, &stream.tables).await?;
            "publication made".into()
        }
    };
    for table in &stream.tables {
        set_replica_identity_full(&client, table).await?;
    }
    let slot = match slot(&client, &stream.slot).await? {
        Some(_) => "slot found".into(),
        None => format!(
            "slot made at {}",
            create_slot(&client, &stream.slot, "pgoutput").await?
        ),
    };
    Ok(format!("{publication}; replica identity full; {slot}"))
}

/// As scripts do it: whatever it still holds is gone.
pub(super) async fn drop(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.reader()).await?;
    let name = &cutover.stream.slot;
    let poll = cutover.deadlines.poll;
    // A slot that is read cannot be dropped; whoever tries does so until the reader is gone.
    let what = format!("a free slot {name}");
    until(&what, cutover.deadlines.connector, poll, async || {
        let found = slot(&client, name).await?;
        let pid = found.and_then(|slot| slot.active_pid);
        Ok::<_, UpgradeError>(match pid {
            Some(pid) => Poll::NotYet(format!("process {pid} reads it")),
            None => Poll::Ready(drop_slot(&client, name).await?),
        })
    })
    .await?;
    Ok(format!("slot {name} dropped"))
}

/// A slot that was lost while nothing could be committed is made again where the log ends: everything before that is in
/// Kafka, by the proof of the drain, so nothing is missing and nothing comes twice. Without that proof, with another
/// server in place, or with writers active it is left as it is.
///
/// The connector must be STOPPED, for its offset is rewritten too.
pub(super) async fn renew_lost(cutover: &mut Cutover) -> Result<Option<String>, UpgradeError> {
    let Some(drained) = cutover.seen.drained else {
        return Ok(None);
    };
    if cutover.new.is_some() {
        return Ok(None);
    }
    let client = connect_admin(&cutover.old).await?;
    let name = cutover.stream.slot.clone();
    let found = slot(&client, &name).await?;
    let lost = found.is_none_or(|slot| slot.wal_status.as_deref() == Some("lost"));
    if !lost || !writes_frozen(&client, &cutover.old.database).await? {
        return Ok(None);
    }
    if !pending(&client, &cutover.old.database).await?.is_empty() {
        return Ok(None);
    }
    drop_slot(&client, &name).await?;
    let made = create_slot(&client, &name, "pgoutput").await?;
    let rewritten = offset::rewrite(cutover).await?;
    Ok(Some(format!(
        "slot {name} was lost after everything up to {drained} was delivered, and nothing was committed since: made \
         again at {made}; {rewritten}"
    )))
}

/// Nothing of what is committed from now on can escape the slot. One that somebody else is still making shows as in
/// use until it is done.
pub(super) async fn prove_set_up(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let name = &cutover.stream.slot;
    let poll = cutover.deadlines.poll;
    let what = format!("slot {name} being ready");
    let ready = until(
        &what,
        cutover.deadlines.connector,
        poll,
        async || match slot(&client, name).await? {
            Some(slot) if slot.wal_status.as_deref() == Some("lost") => Err(
                UpgradeError::Disproved(format!("slot {name} is invalidated")),
            ),
            Some(Slot {
                active: false,
                confirmed_flush: Some(at),
                ..
            }) => Ok(Poll::Ready(format!("slot {name} waits at {at}"))),
            found => Ok(Poll::NotYet(format!("{found:?}"))),
        },
    );
    Ok(ready.await?)
}

/// After a restart in place. LSNs compare here because the incarnation is compared first.
pub(super) async fn verify_slot(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let facts = server_facts(&client).await?;
    let before = cutover.before()?.server.incarnation;
    if facts.incarnation != before {
        return Err(UpgradeError::Disproved(format!(
            "this is not the same database: {before} before, {} now",
            facts.incarnation
        )));
    }
    let name = &cutover.stream.slot;
    let Some(slot) = slot(&client, name).await? else {
        return Err(UpgradeError::Disproved(format!("slot {name} is gone")));
    };
    if slot.wal_status.as_deref() == Some("lost") {
        return Err(UpgradeError::Disproved(format!(
            "slot {name} is invalidated"
        )));
    }
    let offset = cutover.connect.offsets(&cutover.stream.connector).await?;
    let offset = offset.as_ref().and_then(StoredOffset::lsn);
    let resumes = Resume {
        slot: &slot,
        offset,
        drained: cutover.seen.drained,
    };
    let state = resumes
        .check(facts.current_lsn)
        .map_err(UpgradeError::Disproved)?;
    Ok(format!("{before}; {state}"))
}

/// Where the stream goes on after a restart in place: at the *stored offset*, because that is the position
/// the connector asks the server for. `confirmed_flush_lsn` decides only if it is ahead of that.
struct Resume<'a> {
    slot: &'a Slot,
    offset: Option<Lsn>,
    drained: Option<Lsn>,
}

impl Resume<'_> {
    /// Says where the stream goes on, or why that would lose or repeat events.
    fn check(&self, server: Lsn) -> Result<String, String> {
        let text = |lsn: Option<Lsn>| lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
        let (offset, drained) = (self.offset, self.drained);
        if offset.is_none() || offset < drained {
            return Err(format!(
                "the stored offset {} is behind the drain marker {}: events would come again",
                text(offset),
                text(drained)
            ));
        }
        if offset > Some(server) {
            return Err(format!(
                "the stored offset {} is ahead of the server ({server}): events would be skipped",
                text(offset)
            ));
        }
        if self.slot.restart_lsn > offset {
            return Err(format!(
                "the slot starts at {}, after the stored offset {}: the connector would refuse",
                text(self.slot.restart_lsn),
                text(offset)
            ));
        }
        if self.slot.confirmed_flush > offset {
            return Err(format!(
                "the slot is confirmed to {}, ahead of the stored offset {}: what lies between would be \
                 skipped",
                text(self.slot.confirmed_flush),
                text(offset)
            ));
        }
        let confirmed = text(self.slot.confirmed_flush);
        // Below 17 a clean shutdown does not save an advance of confirmed_flush_lsn (docs/anomalies.md, A-001).
        let fell_back = if self.slot.confirmed_flush < drained {
            format!(", which fell back to {confirmed} at the shutdown")
        } else {
            String::new()
        };
        let name = &self.slot.name;
        Ok(format!(
            "goes on at the stored offset {} of slot {name}{fell_back}",
            text(offset)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(restart: u64, confirmed: u64) -> Slot {
        Slot {
            name: "s".into(),
            plugin: "pgoutput".into(),
            active: false,
            active_pid: None,
            restart_lsn: Some(Lsn(restart)),
            confirmed_flush: Some(Lsn(confirmed)),
            wal_status: Some("reserved".into()),
            failover: false,
        }
    }

    fn check(slot: &Slot, offset: u64, drained: u64, server: u64) -> Result<String, String> {
        let (offset, drained) = (Some(Lsn(offset)), Some(Lsn(drained)));
        Resume {
            slot,
            offset,
            drained,
        }
        .check(Lsn(server))
    }

    #[test]
    fn a_slot_that_fell_back_is_harmless_while_the_offset_holds() {
        let text = check(&slot(10, 20), 100, 100, 110).unwrap();
        assert!(text.contains("fell back"), "{text}");
    }

    #[test]
    fn an_offset_behind_the_drain_or_ahead_of_the_server_is_not_accepted() {
        assert!(check(&slot(10, 100), 90, 100, 110).is_err());
        assert!(check(&slot(10, 100), 120, 100, 110).is_err());
        assert!(check(&slot(101, 101), 100, 100, 110).is_err());
        assert!(check(&slot(10, 105), 100, 100, 110).is_err());
    }
}
