//! Waiting for the old side to come to rest after a switch: the connector lets go of the old server, and the topics
//! stop growing. Part of [`LabHands`]; the end offsets noted here say later whose a record is.

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::slots::slot;
use cutover_clients::wait::{Poll, until};
use cutover_upgrade::{Side, UpgradeError};

use crate::lab_hands::{LOOK, LabHands, SETTLE};
use crate::recording::{Cut, change_topic_ends};

impl LabHands {
    /// After a new server has taken over: waits until the connector has let go of the old one.
    pub(crate) async fn old_reader_gone(&mut self) -> Result<(), UpgradeError> {
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
    pub(crate) async fn settled_ends(&self) -> Result<Cut, UpgradeError> {
        let mut seen: Vec<Cut> = Vec::new();
        let settled = until("settled end offsets", SETTLE, LOOK, async || {
            let ends = change_topic_ends(&self.kafka, &self.stream).await;
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
}
