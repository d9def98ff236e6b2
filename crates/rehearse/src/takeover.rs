//! What the lab notes when another server takes over: who watches it, what of the life before it lacks, and where its
//! records begin in the topics.

use std::time::Duration;

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::slots::slot;
use cutover_clients::wait::{Poll, until};
use cutover_upgrade::{Hands, Side, UpgradeError};

use crate::error::RehearseError;
use crate::lab_hands::LabHands;
use crate::recording::{Cut, acknowledged, topic_ends};

/// How long the connector may need to let go of the old server, and its topics to come to rest.
const SETTLE: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

impl LabHands {
    /// Begins to watch a server that takes over, and finds out what of the life before it lacks.
    pub(super) async fn witness_in_place(&mut self, side: Side) -> Result<String, UpgradeError> {
        let act = |error| UpgradeError::hands("place the witness", error);
        if self.witnesses.watches(side) {
            return Ok("the witness is in place".into());
        }
        let address = self.servers.admin_address(side).map_err(act)?;
        let left_behind = self.witnesses.left_behind(&address).await.map_err(act)?;
        let opened = self
            .witnesses
            .open(&address, &self.stream.tables, side)
            .await;
        let (incarnation, shapes) = opened.map_err(act)?;
        let alike = shapes.len() == self.shapes.len() && { shapes.iter().zip(&self.shapes) }
            .all(|(new, old)| new.is_like(old));
        if !alike {
            self.problem(
                "the new server's tables, or their replica identity, differ from the old ones"
                    .into(),
            );
        }
        // A stopped connector has its cut noted already; for a paused one it is filled in later.
        self.cut_is_open = self.noted.is_none();
        self.cuts
            .push((incarnation, self.noted.take().unwrap_or_default()));
        Ok(match left_behind {
            None => "the witness is in place".into(),
            Some(fork) => format!(
                "the witness is in place; what the old server committed from {fork} on is not here"
            ),
        })
    }

    /// The new server goes, and so do its witness and what was noted of its records: nothing that counts was written.
    pub(super) async fn discard_new_life(&mut self) -> Result<String, UpgradeError> {
        let act = |error| UpgradeError::hands("remove the new server", error);
        self.forget_new_life().await.map_err(act)?;
        self.servers.discard_new().await.map_err(act)
    }

    async fn forget_new_life(&mut self) -> Result<(), RehearseError> {
        self.witnesses.forget(Side::New).await?;
        let newest = self.witnesses.newest();
        self.cuts.retain(|(life, _)| *life <= newest);
        Ok(())
    }

    /// The old server's witness, read to its end already, goes on. Nobody could write in between.
    pub(super) async fn resume_old_life(&mut self) -> Result<(), UpgradeError> {
        // What was noted of the topics belongs to the plan that is taken back.
        (self.noted, self.cut_is_open) = (None, false);
        // The new server itself may be removed later than writes are allowed again.
        let act = |error| UpgradeError::hands("watch the old server again", error);
        self.forget_new_life().await.map_err(act)?;
        let again = self.witnesses.reopen(Side::Old, &self.shapes).await;
        again.map_err(act)
    }

    /// A crash leaves nobody time to read the old server's log to its end. The machine may be lost in the field;
    /// here its log is read once more, for the proof only, while the application has nowhere to write.
    pub(super) async fn read_out_what_crashed(&mut self) -> Result<(), UpgradeError> {
        let act = |error| UpgradeError::hands("read out the crashed server", error);
        if self.witnesses.open_side() != Some(Side::Old)
            || self.servers.is_running(Side::Old).await.map_err(act)?
        {
            return Ok(());
        }
        self.target.send_replace(None);
        self.servers.start(Side::Old).await.map_err(act)?;
        if let Some(load) = self.load.clone() {
            // Whose COMMIT was never answered asks the server now.
            until(
                "the end of every session's transaction",
                SETTLE,
                LOOK,
                async || {
                    let busy = load.stats().busy_sessions;
                    Ok::<_, UpgradeError>(if busy == 0 {
                        Poll::Ready(())
                    } else {
                        Poll::NotYet(format!("{busy} sessions are busy"))
                    })
                },
            )
            .await?;
        }
        self.close_incarnation().await?;
        self.servers.stop(Side::Old).await.map_err(act)?;
        Ok(())
    }

    /// After a new server has taken over: waits until the connector has let go of the old one.
    pub(super) async fn old_reader_gone(&mut self) -> Result<(), UpgradeError> {
        let act = |error| UpgradeError::hands("look at the old slot", error);
        if self.cuts.is_empty() || !self.servers.is_running(Side::Old).await.map_err(act)? {
            return Ok(());
        }
        let address = self.servers.admin_address(Side::Old);
        let address =
            address.map_err(|error| UpgradeError::hands("look at the old slot", error))?;
        let client = connect_admin(&address).await?;
        until(
            "the connector leaving the old server",
            SETTLE,
            LOOK,
            async || {
                let reader = slot(&client, &self.stream.slot)
                    .await?
                    .and_then(|slot| slot.active_pid);
                Ok::<_, UpgradeError>(match reader {
                    Some(pid) => Poll::NotYet(format!("process {pid} reads the old slot")),
                    None => Poll::Ready(()),
                })
            },
        )
        .await?;
        Ok(())
    }

    /// End offsets that a second look, and a third, confirm: a task that stops still hands over what it holds.
    /// Should something come later all the same, the audit names it interleaved; it cannot pass unseen.
    pub(super) async fn settled_ends(&self) -> Result<Cut, UpgradeError> {
        let mut seen: Vec<Cut> = Vec::new();
        let settled = until("settled end offsets", SETTLE, LOOK, async || {
            let ends = topic_ends(&self.kafka, &self.stream).await;
            let ends = ends.map_err(|error| UpgradeError::hands("note the end offsets", error))?;
            seen.retain(|before| *before == ends);
            seen.push(ends.clone());
            let state = format!("{} equal looks", seen.len());
            Ok::<_, UpgradeError>(if seen.len() >= 3 {
                Poll::Ready(ends)
            } else {
                Poll::NotYet(state)
            })
        });
        Ok(settled.await?)
    }

    /// Notes how far the connector's slot of a life is confirmed. A server that does not run tells nothing: what the
    /// evidence lacks then, the audit says.
    pub(super) async fn note_acknowledged(
        &mut self,
        incarnation: i32,
        side: Side,
    ) -> Result<(), UpgradeError> {
        let act = |error| UpgradeError::hands("note the slot's position", error);
        if !self.servers.is_running(side).await.map_err(act)? {
            return Ok(());
        }
        let address = self.servers.admin_address(side).map_err(act)?;
        let noted = acknowledged(&address, &self.kafka, &self.stream, incarnation).await;
        self.acknowledged.extend(noted.map_err(act)?);
        Ok(())
    }

    /// Notes where the sequences of the newest life begin, before the application writes to it.
    pub(super) async fn note_sequences(&mut self, side: Side) -> Result<(), UpgradeError> {
        let life = self.witnesses.newest();
        let address = self.servers.admin_address(side);
        let address =
            address.map_err(|error| UpgradeError::hands("look at the sequences", error))?;
        self.sequences
            .begins(life, &connect_admin(&address).await?)
            .await
    }

    /// Notes the end offsets of the topics, at which the connector has come to rest.
    pub(super) async fn note_ends(&mut self) -> Result<String, UpgradeError> {
        self.old_reader_gone().await?;
        let life = self.ending_life();
        if let Some(side) = self.witnesses.side_of(life) {
            self.note_acknowledged(life, side).await?;
        }
        let ends = self.settled_ends().await?;
        if let Some(before) = self.noted.replace(ends.clone())
            && before != ends
        {
            return Err(UpgradeError::Disproved(
                "the topics grew after their end offsets were noted".into(),
            ));
        }
        let records: i64 = ends.values().sum();
        let partitions = ends.len();
        if std::mem::take(&mut self.cut_is_open)
            && let Some((_, cut)) = self.cuts.last_mut()
        {
            *cut = ends;
        }
        Ok(format!("{records} records in {partitions} partitions"))
    }

    /// The life whose records end at the cut that is being noted.
    pub(super) fn ending_life(&self) -> i32 {
        self.witnesses.newest() - i32::from(self.cut_is_open)
    }
}
