//! The live parts of one scenario: servers, load, witnesses, and what they have noted so far.

use std::sync::{Arc, Mutex};

use cutover_clients::pg::facts::{ServerFacts, server_facts};
use cutover_clients::pg::publication::table_shapes;
use cutover_clients::pg::recovery::{fork_point, recovery_end};
use cutover_clients::pg::slots::{create_slot, drop_slot};
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_clients::wait::{Poll, until};
use cutover_ledger::ChangeWriter;
use cutover_model::evidence::{IncarnationEvidence, WitnessEvidence};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{Lsn, Relation, RunFolder, TableShape};
use cutover_record::Notes;
use cutover_record::topics::{ConverterModes, settle};
use cutover_record::witness::{Place, Tally, Witness, WitnessConfig};
use cutover_upgrade::Side;
use cutover_upgrade::fence::Marker;

use crate::error::RehearseError;

/// Slot of the witness. Its own, so that nothing the connector does can hide from it.
pub const WITNESS_SLOT: &str = "cutover_witness";

/// How long a witness may need to read up to a marker.
const CATCH_UP: std::time::Duration = std::time::Duration::from_secs(60);

/// The witness of one incarnation.
pub struct Watched {
    facts: ServerFacts,
    from: Lsn,
    witness: Option<Witness>,
    through: Lsn,
    complete: bool,
    address: PgAddress,
    side: Side,
    kept_before: Option<Lsn>,
    forked_at: Option<Lsn>,
    tallies: Option<Vec<Tally>>,
    /// The witness before this one of the same life: it was read to its end, and then it went on.
    earlier: Option<Earlier>,
}

/// What a witness left to the next one of the same life.
struct Earlier {
    complete: bool,
    tallies: Option<Vec<Tally>>,
}

/// All witnesses of a run; they share one ledger.
pub struct Witnesses {
    publication: String,
    marker_prefix: String,
    writer: Option<Arc<Mutex<ChangeWriter>>>,
    watched: Vec<Watched>,
    /// Where the server that is watched next leaves the log of the life before it.
    fork: Option<Lsn>,
    /// What the connector is told to publish, which settles what is compared.
    modes: ConverterModes,
    notes: Notes,
    problems: Vec<String>,
}

impl Witnesses {
    /// Makes the committed ledger.
    pub fn create(
        run: &RunFolder,
        buckets: u16,
        publication: &str,
        marker_prefix: &str,
    ) -> Result<Witnesses, RehearseError> {
        let writer = ChangeWriter::create(&run.ledger(LedgerKind::Committed), buckets)?;
        Ok(Witnesses {
            publication: publication.into(),
            marker_prefix: marker_prefix.into(),
            writer: Some(Arc::new(Mutex::new(writer))),
            watched: Vec::new(),
            fork: None,
            modes: ConverterModes::default(),
            notes: Notes::default(),
            problems: Vec::new(),
        })
    }

    /// Says how the connector is told to publish values. Before the first server is watched.
    pub fn expect(&mut self, modes: ConverterModes) {
        self.modes = modes;
    }

    /// Begins to watch a server. When this returns, whatever is committed there will be seen.
    pub async fn open(
        &mut self,
        address: &PgAddress,
        tables: &[Relation],
        side: Side,
    ) -> Result<(i32, Vec<TableShape>), RehearseError> {
        let client = connect_admin(address).await?;
        let facts = server_facts(&client).await?;
        let mut shapes = table_shapes(&client, tables).await?;
        settle(&mut shapes, &self.modes);
        let from = create_slot(&client, WITNESS_SLOT, "pgoutput").await?;
        let incarnation = i32::try_from(self.watched.len()).unwrap_or(i32::MAX);
        let config = WitnessConfig {
            address: address.clone(),
            slot: WITNESS_SLOT.into(),
            publication: self.publication.clone(),
            incarnation,
            shapes: shapes.clone(),
            marker_prefix: self.marker_prefix.clone(),
        };
        let Some(writer) = self.writer.clone() else {
            return Err(RehearseError::Load(
                "the committed ledger is closed already".into(),
            ));
        };
        let witness = Witness::start(config, writer)?;
        self.watched.push(Watched {
            facts,
            from,
            witness: Some(witness),
            through: from,
            complete: false,
            address: address.clone(),
            side,
            kept_before: None,
            forked_at: self.fork.take(),
            tallies: None,
            earlier: None,
        });
        Ok((incarnation, shapes))
    }

    /// Goes on watching the newest life, of this side, where its witness was stopped. Nothing may have been
    /// committed in between. Nothing to do if it is watched.
    pub async fn reopen(&mut self, side: Side, shapes: &[TableShape]) -> Result<(), RehearseError> {
        let incarnation = self.newest();
        let (publication, marker_prefix) = (self.publication.clone(), self.marker_prefix.clone());
        let (Some(watched), Some(writer)) = (self.watched.last_mut(), self.writer.clone()) else {
            return Ok(());
        };
        if watched.side != side || watched.witness.is_some() {
            return Ok(());
        }
        let client = connect_admin(&watched.address).await?;
        create_slot(&client, WITNESS_SLOT, "pgoutput").await?;
        let config = WitnessConfig {
            address: watched.address.clone(),
            slot: WITNESS_SLOT.into(),
            publication,
            incarnation,
            shapes: shapes.to_vec(),
            marker_prefix,
        };
        let (complete, tallies) = (watched.complete, watched.tallies.take());
        watched.earlier = Some(Earlier { complete, tallies });
        watched.complete = false;
        watched.witness = Some(Witness::start(config, writer)?);
        Ok(())
    }

    /// A life to which nothing was written ends as if it had never been.
    pub async fn forget(&mut self, side: Side) -> Result<(), RehearseError> {
        if self.watched.len() < 2 || !self.watches(side) {
            return Ok(());
        }
        let newest = self.watched.pop();
        if let Some(witness) = newest.and_then(|watched| watched.witness) {
            stop(witness).await?;
        }
        self.fork = None;
        if let Some(before) = self.watched.last_mut() {
            before.kept_before = None;
        }
        Ok(())
    }

    /// Waits until the first witness that still reads has passed a marker, stops it and drops its slot.
    pub async fn close(&mut self, marker: &Marker) -> Result<String, RehearseError> {
        let open = self
            .watched
            .iter_mut()
            .find(|watched| watched.witness.is_some());
        let Some(watched) = open else {
            return Ok("the witness has ended already".into());
        };
        let Some(witness) = watched.witness.take() else {
            return Ok("no witness".into());
        };
        let every = std::time::Duration::from_millis(20);
        let seen = until("the witness at the marker", CATCH_UP, every, async || {
            let status = witness.status();
            if let Some(error) = status.error {
                return Err(cutover_record::RecordError::Witness(error));
            }
            let waiting = status.waiting.unwrap_or_default();
            let state = format!("received up to {} {waiting}", status.received);
            Ok(witness
                .saw_marker(&marker.token)
                .map_or(Poll::NotYet(state), Poll::Ready))
        })
        .await;
        let earlier = watched.earlier.take();
        let complete_before = earlier.as_ref().is_none_or(|earlier| earlier.complete);
        watched.tallies = match earlier {
            None => witness.tallies(),
            Some(before) => before
                .tallies
                .zip(witness.tallies())
                .map(|(before, now)| [before, now].concat()),
        };
        let end = stop(witness).await?;
        watched.through = end.through;
        self.notes.add(end.notes);
        watched.complete = seen.is_ok() && complete_before;
        // Another life's witness knows the tables as they were altered, and would hash other columns.
        self.problems.extend(end.alterations.sentences());
        if end.out_of_scope > 0 {
            let count = end.out_of_scope;
            self.problems.push(format!(
                "the publication carried {count} changes of tables that nobody recorded"
            ));
        }
        // The witness must never be why an upgrade is refused, nor keep WAL after the run.
        let client = connect_admin(&watched.address).await?;
        drop_slot(&client, WITNESS_SLOT).await?;
        Ok(match seen {
            Ok(lsn) => format!("the witness has everything up to {lsn}"),
            Err(error) => format!("the witness is incomplete: {error}"),
        })
    }

    /// The newest life's changes by position, in the order of the stream; the oldest may be forgotten.
    pub fn places(&self) -> Vec<Place> {
        let newest = self.watched.last();
        let witness = newest.and_then(|watched| watched.witness.as_ref());
        witness.map_or_else(Vec::new, Witness::places)
    }

    /// Waits until the newest life's witness has read the log up to a position of it.
    pub async fn reach(&self, lsn: Lsn) -> Result<(), RehearseError> {
        let newest = self.watched.last();
        let Some(witness) = newest.and_then(|watched| watched.witness.as_ref()) else {
            return Err(RehearseError::Load("nobody watches the server".into()));
        };
        let every = std::time::Duration::from_millis(20);
        until(
            "the witness at the end of the log",
            CATCH_UP,
            every,
            async || {
                let received = witness.status().received;
                Ok(if received >= lsn {
                    Poll::Ready(())
                } else {
                    Poll::NotYet(format!("received up to {received}"))
                })
            },
        )
        .await
        .map_err(RehearseError::waited)
    }

    /// Index of the newest incarnation.
    pub fn newest(&self) -> i32 {
        i32::try_from(self.watched.len()).unwrap_or(i32::MAX) - 1
    }

    /// Side of the server whose witness is closed next.
    pub fn open_side(&self) -> Option<Side> {
        self.open_life().map(|(_, side)| side)
    }

    /// Index and side of the life whose witness is closed next.
    pub fn open_life(&self) -> Option<(i32, Side)> {
        let reads = |watched: &Watched| watched.witness.is_some();
        let index = self.watched.iter().position(reads)?;
        Some((i32::try_from(index).ok()?, self.watched.get(index)?.side))
    }

    /// Side of the server that is or was a life.
    pub fn side_of(&self, incarnation: i32) -> Option<Side> {
        let index = usize::try_from(incarnation).ok()?;
        self.watched.get(index).map(|watched| watched.side)
    }

    /// Whether the server of a side is watched already.
    pub fn watches(&self, side: Side) -> bool {
        let newest = self.watched.last();
        newest.is_some_and(|watched| watched.side == side && watched.witness.is_some())
    }

    /// What the newest life committed at or after a position is no part of the database any more.
    pub fn discard_newest(&mut self, from: Lsn) {
        if let Some(watched) = self.watched.last_mut() {
            watched.kept_before = Some(from);
        }
    }

    /// A server that takes over may lack the end of the life before it: after a restore to an earlier point the
    /// timelines part there, and a copy that was opened has what its log held. Compares positions of one system
    /// identifier only, up to the point where both share their log.
    pub async fn left_behind(&mut self, address: &PgAddress) -> Result<Option<Lsn>, RehearseError> {
        let client = connect_admin(address).await?;
        let now = server_facts(&client).await?.incarnation;
        let Some(watched) = self.watched.last_mut() else {
            return Ok(None);
        };
        let before = watched.facts.incarnation;
        if before.system_id != now.system_id || watched.kept_before.is_some() {
            return Ok(None);
        }
        let shared = if before.timeline == now.timeline {
            Some(recovery_end(&client).await?)
        } else {
            self.fork = fork_point(&client, now.timeline, before.timeline).await?;
            self.fork
        };
        // A witness that still reads may see more; what was read to its end may have ended before.
        let reads = watched.witness.is_some();
        watched.kept_before = shared.filter(|end| reads || *end < watched.through);
        Ok(watched.kept_before)
    }

    /// Committed changes that are not among the `delivered` records and lie before the position at which a slot of
    /// the newest life begins. `None` if that cannot be told: one life only, or more transactions than are kept.
    ///
    /// Every earlier life is read to its end, and records come in commit order: so what is missing is its tail, and
    /// of the newest life what is delivered is its beginning.
    pub async fn at_stake(&self, delivered: u64, slot_begins: Lsn) -> Option<u64> {
        let (newest, earlier) = self.watched.split_last()?;
        if earlier.is_empty() {
            return None;
        }
        let mut tail = Vec::new();
        for watched in earlier {
            let kept = |tally: &Tally| watched.kept_before.is_none_or(|end| tally.commit < end);
            let tallies = watched.tallies.as_ref()?;
            tail.extend(tallies.iter().map(|tally| (*tally, kept(tally))));
        }
        let expected: u64 = tail.iter().map(|(tally, _)| u64::from(tally.records)).sum();
        let mut missing = expected.saturating_sub(delivered);
        let mut changes = 0;
        for (tally, kept) in tail.iter().rev() {
            if missing == 0 {
                break;
            }
            missing = missing.saturating_sub(tally.records.into());
            changes += u64::from(tally.changes) * u64::from(*kept);
        }
        let witness = newest.witness.as_ref()?;
        let every = std::time::Duration::from_millis(20);
        until("the witness at the slot", CATCH_UP, every, async || {
            let received = witness.status().received;
            let seen = format!("received up to {received}");
            Ok::<_, RehearseError>(if received >= slot_begins {
                Poll::Ready(())
            } else {
                Poll::NotYet(seen)
            })
        })
        .await
        .ok()?;
        // What was delivered beyond the earlier lives is of the newest one.
        let mut delivered = delivered.saturating_sub(expected);
        for tally in witness.tallies()?.iter() {
            let records = u64::from(tally.records);
            if delivered >= records {
                delivered -= records;
            } else if tally.commit < slot_begins {
                delivered = 0;
                changes += u64::from(tally.changes);
            }
        }
        Some(changes)
    }

    /// Whether the last witness saw a marker.
    pub fn complete(&self) -> bool {
        self.watched.last().is_some_and(|watched| watched.complete)
    }

    /// An error of a witness that is still reading.
    pub fn error(&self) -> Option<String> {
        let live = self
            .watched
            .iter()
            .filter_map(|watched| watched.witness.as_ref());
        live.filter_map(|witness| witness.status().error).next()
    }

    /// Content that the witnesses did not compare.
    pub fn notes(&self) -> Notes {
        self.notes.clone()
    }

    /// What the witnesses could not record, in plain words.
    pub fn problems(&self) -> Vec<String> {
        self.problems.clone()
    }

    /// What the evidence says of the incarnations.
    pub fn evidence(&self, last_version: Option<&str>) -> Vec<IncarnationEvidence> {
        let newest = self.watched.len().saturating_sub(1);
        let describe = |(index, watched): (usize, &Watched)| {
            let then = &watched.facts.version;
            let label = match last_version {
                Some(now) if index == newest && now != then => {
                    format!("PostgreSQL {then}, later {now}")
                }
                _ => format!("PostgreSQL {then}"),
            };
            IncarnationEvidence {
                incarnation: watched.facts.incarnation,
                label,
                kept_before: watched.kept_before.filter(|end| *end < watched.through),
                forked_at: watched.forked_at,
                witness: Some(WitnessEvidence {
                    slot: WITNESS_SLOT.into(),
                    from: watched.from,
                    through: watched.through,
                    complete: watched.complete,
                }),
            }
        };
        self.watched.iter().enumerate().map(describe).collect()
    }

    /// Stops whatever still reads and closes the ledger.
    pub async fn finish(&mut self) -> Result<(), RehearseError> {
        for watched in &mut self.watched {
            if let Some(witness) = watched.witness.take() {
                let end = stop(witness).await?;
                watched.through = end.through;
                self.notes.add(end.notes);
            }
        }
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let Ok(writer) = Arc::try_unwrap(writer) else {
            return Err(RehearseError::Load(
                "a witness still writes while its ledger is closed".into(),
            ));
        };
        writer
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .finish()?;
        Ok(())
    }
}

/// Stopping joins the witness's thread, so it must not run on the async threads.
async fn stop(witness: Witness) -> Result<cutover_record::witness::WitnessEnd, RehearseError> {
    let stopped = tokio::task::spawn_blocking(move || witness.stop()).await;
    match stopped {
        Ok(end) => Ok(end?),
        Err(panic) => Err(RehearseError::Load(format!("the witness failed: {panic}"))),
    }
}
