//! A gap that is there already: the server was restored without care, it is in use again, and the connector's slot
//! was made on it too late. What is missing lies in one log: from the stored offset to the fork on the old server's
//! timeline, from there to the late slot on the new one's. Nobody can read it where the log is used; so the backup is
//! restored once more, beside both servers, as a standby that replays that log and opens exactly where the late slot
//! begins. With a slot that begins before the stored offset it serves the old offset as if nothing had happened.
//!
//! The slot cannot be made in the past. A standby that gets its log through a gate is in the past: the gate is opened
//! file by file until replay has come to a list of running transactions (PostgreSQL writes one every 15 seconds), and
//! that must be before the stored offset. `pg_create_logical_replication_slot()` would hold up the very replay that it
//! waits for (docs/anomalies.md, A-014), hence the replication command.
//!
//! Why comparing is safe: the fork is read from the history file, the stored offset lies at or before it, the late
//! slot at or after it; a standby that follows to that slot has this log and no other. What can break it: rows of the
//! catalogue that the side server's slot needs are pruned in the log that it replays. Then PostgreSQL invalidates the
//! slot, that is seen, and only a comparison of states is left (`cutover gap close`). See
//! docs/decisions/0011-a-gap-is-read-from-a-third-server.md.

use std::time::Duration;

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::facts::{current_lsn, server_facts};
use cutover_clients::pg::marker::emit_message;
use cutover_clients::pg::recovery::{
    archived, fork_point, log_snapshot, running_transactions, switch_wal, wal_file,
};
use cutover_clients::pg::replication::ReplicationStream;
use cutover_clients::pg::settings::setting;
use cutover_clients::pg::slots::{Slot, slot};
use cutover_clients::pg::{Client, PgError, connect_admin};
use cutover_clients::wait::{Poll, pause, until, within};
use cutover_model::Lsn;
use tokio::task::JoinHandle;

use super::{connector, drain, offset};
use crate::cutover::{Cutover, Gap};
use crate::error::UpgradeError;
use crate::hands::{Gate, Hands, Side};

/// Lists of running transactions that a slot can need at most, each after the end of all that the one before names.
const LISTS: u32 = 3;

/// Between two looks at the side server: longer than a standby waits before it asks for a file again.
const ROUND: Duration = Duration::from_millis(500);

/// So many rounds without progress, and replay has ended or hangs.
const ROUNDS_MAX: u32 = 120;

/// So many rounds at a standstill behind the stored offset, and no slot will come.
const ROUNDS_BEHIND: u32 = 10;

/// How long the command that makes the slot may wait.
const SLOT_PATIENCE: Duration = Duration::from_secs(3600);

/// The header that stands between two records where a page begins.
const PAGE_HEADER: u64 = 64;

/// What to do when the log cannot be read from the stored offset on.
const ONLY_COMPARISON: &str = "only a comparison of states is left (cutover gap close)";

/// A rehearsal is shorter than 15 seconds; so the lists are asked for, each in a log file of its own.
pub(super) async fn log_transactions(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.primary()).await?;
    let poll = cutover.deadlines.poll;
    for _ in 0..LISTS {
        log_snapshot(&client).await?;
        switch_wal(&client).await?;
        let (_, next) = running_transactions(&client).await?;
        let what = "the end of every transaction that the list names";
        until(what, cutover.deadlines.drain, poll, async || {
            let (oldest, _) = running_transactions(&client).await?;
            Ok::<_, UpgradeError>(if oldest >= next {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("transaction {oldest} is open"))
            })
        })
        .await?;
    }
    Ok(format!(
        "{LISTS} lists of running transactions are in the log"
    ))
}

/// Where everything before is in Kafka, by the offset of a connector that is not running.
async fn delivered(cutover: &Cutover) -> Result<(Option<StoredOffset>, Lsn), UpgradeError> {
    let stored = cutover.connect.offsets(&cutover.stream.connector).await?;
    let at = stored.as_ref().and_then(|offset| {
        let all = [offset.lsn(), offset.lsn_proc()];
        all.into_iter().flatten().min()
    });
    match at {
        Some(at) => Ok((stored, at)),
        None => Err(UpgradeError::Refused(format!(
            "there is no stored offset, so nobody knows where the gap begins; {ONLY_COMPARISON}"
        ))),
    }
}

/// Notes the gap. What taking back restores is from here on what is found now: the offset that the connector was left
/// with, and its configuration, pointed to the new server: Connect refuses one whose server does not answer.
pub(super) async fn capture(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    let server = server_facts(&client).await?;
    let name = &cutover.stream.slot;
    let late = slot(&client, name).await?;
    let Some(until) = late.and_then(|slot| slot.confirmed_flush) else {
        return Err(UpgradeError::Refused(format!(
            "slot {name} is not there: nothing on the new server bounds the gap"
        )));
    };
    let (stored, from) = delivered(cutover).await?;
    let (then, now) = (cutover.seen.offset_of, server.incarnation);
    let fork = match then {
        Some(then) if then.system_id == now.system_id => {
            fork_point(&client, now.timeline, then.timeline).await?
        }
        _ => None,
    };
    let Some(fork) = fork else {
        return Err(UpgradeError::Refused(format!(
            "the new server's log does not continue the one that the offset counts; {ONLY_COMPARISON}"
        )));
    };
    if from > fork {
        return Err(UpgradeError::Refused(format!(
            "the stored offset {from} lies behind the fork {fork}: Kafka has events that the database does not have; \
             {ONLY_COMPARISON}"
        )));
    }
    let mut config = cutover.connect.config(&cutover.stream.connector).await?;
    if let Some(config) = &mut config {
        connector::write_address(config, cutover.target());
    }
    let before = cutover.seen.before.as_mut().ok_or_else(|| {
        UpgradeError::Refused("the plan has not captured the state before changing it".into())
    })?;
    before.offset = stored;
    cutover.seen.connector_config = config;
    cutover.seen.gap = Some(Gap { from, fork, until });
    Ok(format!(
        "missing: from the stored offset {from} to the fork {fork}, and from there to the slot's {until}"
    ))
}

pub(super) async fn prove_captured(cutover: &Cutover) -> Result<String, UpgradeError> {
    let gap = cutover.gap()?;
    let client = connect_admin(cutover.target()).await?;
    let late = slot(&client, &cutover.stream.slot).await?;
    let waits = late.as_ref().is_some_and(|slot| {
        !slot.active && !is_lost(slot) && slot.confirmed_flush == Some(gap.until)
    });
    if waits && gap.from <= gap.fork && gap.fork <= gap.until {
        return Ok(format!(
            "one log leads from {} over {} to {}, where the slot waits",
            gap.from, gap.fork, gap.until
        ));
    }
    Err(UpgradeError::Disproved(format!(
        "the gap is {gap:?}, the slot that should bound it {late:?}"
    )))
}

fn is_lost(slot: &Slot) -> bool {
    slot.wal_status.as_deref() == Some("lost")
}

/// The side server needs the first record of the new server's log that it must not replay: to know where to stop.
async fn archive_beyond(cutover: &Cutover, position: Lsn) -> Result<String, UpgradeError> {
    let client = connect_admin(cutover.target()).await?;
    if setting(&client, "archive_mode").await? == "off" {
        return Err(UpgradeError::Refused(format!(
            "the new server does not archive its log, so nobody else can replay it up to {position}; \
             {ONLY_COMPARISON}"
        )));
    }
    let last = emit_message(&client, &cutover.stream.marker_prefix, "beyond").await?;
    let wanted = wal_file(&client, last).await?;
    switch_wal(&client).await?;
    let poll = cutover.deadlines.poll;
    let what = format!("log file {wanted} in the archive");
    until(&what, cutover.deadlines.drain, poll, async || {
        let (newest, failed) = archived(&client).await?;
        // A history file has another form of name, and comes before the first log file of its timeline.
        let there = newest
            .as_ref()
            .is_some_and(|newest| newest.len() == wanted.len() && *newest >= wanted);
        Ok::<_, UpgradeError>(if there {
            Poll::Ready(())
        } else {
            Poll::NotYet(format!("newest {newest:?}, failed {failed:?}"))
        })
    })
    .await?;
    Ok(wanted)
}

pub(super) async fn create<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let until = cutover.gap()?.until;
    let wanted = archive_beyond(cutover, until).await?;
    let address = hands.create_side_server(until).await?;
    let port = address.port;
    cutover.side = Some(address);
    Ok(format!(
        "the archive holds {wanted}; the side server on port {port} will end its replay at {until}"
    ))
}

/// Where the side server's slot is made in the background, and how replay gets on meanwhile.
struct Making {
    command: Option<JoinHandle<Result<Lsn, PgError>>>,
    replayed: Option<Lsn>,
    still: u32,
}

impl Making {
    /// Lets a round pass; an error of the command ends everything.
    async fn round(&mut self) -> Result<(), UpgradeError> {
        let Some(command) = &mut self.command else {
            pause(ROUND).await;
            return Ok(());
        };
        if let Some(made) = within(ROUND, command).await {
            self.command = None;
            made.map_err(|panic| UpgradeError::Disproved(panic.to_string()))??;
        }
        Ok(())
    }

    /// Rounds since replay has come to where it is.
    fn standing_still(&mut self, now: Lsn) -> u32 {
        self.still = match self.replayed.replace(now) {
            Some(before) if before == now => self.still + 1,
            _ => 0,
        };
        self.still
    }
}

/// Opens the gate as far as the slot needs it.
pub(super) async fn make_slot<H: Hands>(
    cutover: &Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let from = cutover.gap()?.from;
    let address = cutover.address(Side::Beside)?.clone();
    let side = connect_admin(&address).await?;
    let name = cutover.stream.slot.clone();
    let mut making = Making {
        command: None,
        replayed: None,
        still: 0,
    };
    loop {
        let found = slot(&side, &name).await?;
        // One that is still being made shows as in use, whoever makes it: a driver before this one, too.
        if let Some(Slot {
            active: false,
            confirmed_flush: Some(at),
            ..
        }) = &found
        {
            return Ok(format!("slot {name} made at {at} on the side server"));
        }
        if found.is_none() && making.command.is_none() {
            let (address, name) = (address.clone(), name.clone());
            making.command = Some(tokio::task::spawn_blocking(move || {
                ReplicationStream::open(&address)?.create_slot(&name, SLOT_PATIENCE)
            }));
        }
        making.round().await?;
        let now = current_lsn(&side).await?;
        let still = making.standing_still(now);
        if now >= from && still >= ROUNDS_BEHIND {
            return Err(UpgradeError::Disproved(format!(
                "replay is at {now}, behind the stored offset {from}, and no slot could begin before: the log between \
                 holds no usable list of running transactions; {ONLY_COMPARISON}"
            )));
        }
        if still >= ROUNDS_MAX {
            return Err(UpgradeError::NotSeen {
                what: format!("slot {name} on the side server"),
                seconds: ROUND.as_secs_f64() * f64::from(ROUNDS_MAX),
                last: format!("replay stands still at {now}, the stored offset is {from}"),
            });
        }
        // What is replayed before the slot has its beginning is not for the slot: the gate waits for it.
        let begun = found.is_some_and(|slot| slot.restart_lsn.is_some());
        if begun && still > 0 && now < from {
            hands.open_gate(Gate::Further).await?;
        }
    }
}

/// The connector will ask for the stored offset, and the server begins where the slot does if that is later.
pub(super) async fn prove_slot(cutover: &Cutover) -> Result<String, UpgradeError> {
    let from = cutover.gap()?.from;
    let side = connect_admin(cutover.address(Side::Beside)?).await?;
    let made = usable(&side, &cutover.stream.slot).await?;
    if made <= from {
        return Ok(format!(
            "the slot begins at {made}, the stored offset is {from}"
        ));
    }
    Err(UpgradeError::Disproved(format!(
        "the side server's slot begins at {made}, after the stored offset {from}: the log before the offset holds no \
         usable list of running transactions; {ONLY_COMPARISON}"
    )))
}

/// Where the slot begins, if it can be read from.
async fn usable(client: &Client, name: &str) -> Result<Lsn, UpgradeError> {
    match slot(client, name).await? {
        Some(found) if is_lost(&found) => Err(UpgradeError::Disproved(format!(
            "slot {name} on the side server is invalidated: the log prunes rows of the catalogue that it needs; \
             {ONLY_COMPARISON}"
        ))),
        Some(Slot {
            confirmed_flush: Some(at),
            ..
        }) => Ok(at),
        found => Err(UpgradeError::Disproved(format!(
            "slot {name} on the side server: {found:?}"
        ))),
    }
}

/// Replays to the late slot; there the server opens by itself.
pub(super) async fn open<H: Hands>(
    cutover: &Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let gap = cutover.gap()?;
    let opened = hands.open_gate(Gate::Wide).await?;
    let side = connect_admin(cutover.address(Side::Beside)?).await?;
    let mut replay = Making {
        command: None,
        replayed: None,
        still: 0,
    };
    loop {
        let facts = server_facts(&side).await?;
        if !facts.in_recovery {
            return Ok(format!(
                "{opened}; the side server is open: {}",
                facts.incarnation
            ));
        }
        usable(&side, &cutover.stream.slot).await?;
        let now = current_lsn(&side).await?;
        if replay.standing_still(now) >= ROUNDS_MAX {
            return Err(UpgradeError::NotSeen {
                what: "the side server out of recovery".into(),
                seconds: ROUND.as_secs_f64() * f64::from(ROUNDS_MAX),
                last: format!(
                    "replay stands still at {now}, it is to end at {}",
                    gap.until
                ),
            });
        }
        replay.round().await?;
    }
}

/// The side server has left the new server's timeline where the late slot begins: before that nothing is left out,
/// behind it nothing is repeated.
pub(super) async fn prove_open(cutover: &Cutover) -> Result<String, UpgradeError> {
    let gap = cutover.gap()?;
    let side = connect_admin(cutover.address(Side::Beside)?).await?;
    let new = server_facts(&connect_admin(cutover.target()).await?).await?;
    let facts = server_facts(&side).await?;
    let (now, parent) = (facts.incarnation, new.incarnation);
    let left = fork_point(&side, now.timeline, parent.timeline).await?;
    let begins = usable(&side, &cutover.stream.slot).await?;
    let to_the_end = left
        .is_some_and(|left| left <= gap.until && gap.until.0.saturating_sub(left.0) <= PAGE_HEADER);
    let same = now.system_id == parent.system_id && !facts.in_recovery;
    let seen = format!(
        "timeline {} left timeline {} at {}, the late slot begins at {}; the slot here begins at {begins}",
        now.timeline,
        parent.timeline,
        left.map_or_else(|| "-".into(), |left| left.to_string()),
        gap.until
    );
    if same && to_the_end && begins <= gap.from {
        return Ok(seen);
    }
    Err(UpgradeError::Disproved(seen))
}

/// The marker is written on the side server after it has opened, so what is before it is everything up to the late
/// slot. From here on taking back must not deliver that again: the offset to go back to is the one stored now.
pub(super) async fn prove_delivered(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    connector::prove_running(cutover).await?;
    let seen = drain::round_trip(cutover).await?;
    let stored = cutover.connect.offsets(&cutover.stream.connector).await?;
    if let Some(before) = &mut cutover.seen.before {
        before.offset = stored;
    }
    Ok(seen)
}

/// Stops the connector. An offset behind the late slot counts the side server's own log; everything before the slot is
/// in Kafka then, and the slot's position says so in the new server's log.
pub(super) async fn stop_delivering(cutover: &Cutover) -> Result<String, UpgradeError> {
    connector::stop(cutover).await?;
    connector::prove_stopped(cutover).await?;
    let until = cutover.gap()?.until;
    let (_, at) = delivered(cutover).await?;
    if at <= until {
        return Ok(format!(
            "stopped; the offset {at} is one of the log that is missing"
        ));
    }
    let way = offset::store_position(cutover, until).await?;
    Ok(format!(
        "stopped; the offset {at} of the side server is now {until}, {way}"
    ))
}

/// Stops the connector and points it to the new server, where nothing starts it.
pub(super) async fn point_back(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    connector::stop(cutover).await?;
    connector::prove_stopped(cutover).await?;
    connector::restore_config(cutover).await
}

pub(super) async fn discard<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let gone = hands.discard_side().await?;
    cutover.side = None;
    if cutover.reader == Side::Beside {
        cutover.reader = Side::New;
    }
    Ok(gone)
}
