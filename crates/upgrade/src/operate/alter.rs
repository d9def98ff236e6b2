//! Changes a stored offset: to the slot's position, to a position that is named, away, or back to what it was.
//!
//! The rules it protects: the connector is STOPPED; what was stored is on disk before it is replaced; the position is
//! one that slot and server can serve; and what was written is read back. What is stored for a position says
//! `cutover_clients::connect::offset_at`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::{Connect, StoredOffset, offset_at};
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::PgAddress;
use cutover_clients::wait::{Poll, until};
use cutover_model::connector::{Health, OFFSETS_FORMAT, OffsetChange, OffsetsReport};
use cutover_model::{ExitCode, Lsn};
use serde_json::{Map, Value, json};

use super::offsets::{Beside, compared, decoded, health};
use super::undo::Undo;
use crate::error::UpgradeError;
use crate::start::Starting;
use crate::steps::offset::OffsetPlace;

const READ_BACK: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What the offset is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The position of the connector's slot.
    Slot,
    /// A position: every transaction that commits before it counts as delivered.
    At(Lsn),
    /// None.
    Nothing,
    /// What it was before the newest change, or before that of a file.
    Before {
        /// The file.
        file: Option<PathBuf>,
        /// Also if the connector has stored another offset since.
        discard_newer: bool,
    },
}

/// Where everything is.
pub struct Altering<'a> {
    /// The worker.
    pub connect: &'a Connect,
    /// The connector.
    pub connector: &'a str,
    /// Kafka, for a worker that cannot change offsets itself.
    pub kafka: Option<Arc<Kafka>>,
    /// The worker's offsets topic.
    pub offsets_topic: Option<&'a str>,
    /// The server.
    pub postgres: Option<&'a PgAddress>,
    /// Where offsets from before are kept.
    pub undo_folder: &'a Path,
    /// Also to a position before the stored one, although both may be of one log.
    pub may_repeat: bool,
}

type Fields = Map<String, Value>;

impl Altering<'_> {
    /// Changes the offset, or with `apply` false says what would be changed.
    pub async fn alter(&self, wanted: &Wanted, apply: bool) -> Result<OffsetsReport, UpgradeError> {
        let name = self.connector;
        let starting = Starting::find(self.connect.clone(), Some(name)).await?;
        // Says no for any other class: its offsets are not understood here.
        starting.version().await?;
        let fares = health(self.connect, name).await?;
        if fares != Health::Stopped {
            return Err(UpgradeError::NotStopped {
                connector: name.to_owned(),
                health: fares,
            });
        }
        let before = self.connect.offsets(name).await?;
        let partition = match &before {
            Some(before) => before.partition.clone(),
            None => json!({ "server": starting.option("topic.prefix").unwrap_or_default() }),
        };
        let beside = match self.postgres {
            Some(address) => Some(Beside::read(address, &starting).await?),
            None => None,
        };
        let (partition, after) =
            self.target(wanted, partition, before.as_ref(), beside.as_ref())?;
        let stored = |offset: &Fields| StoredOffset {
            partition: partition.clone(),
            offset: offset.clone(),
        };
        let after_stored = after.as_ref().map(stored);
        let mut change = OffsetChange {
            before: before.as_ref().map(decoded),
            after: after_stored.as_ref().map(decoded),
            applied: false,
            way: None,
            undo: None,
        };
        if apply && before.as_ref().map(|before| &before.offset) != after.as_ref() {
            let mut undo = Undo::new(name, self.connect.shown(), &partition);
            undo.before = before.map(|before| before.offset);
            undo.after.clone_from(&after);
            change.undo = Some(undo.save(self.undo_folder)?.display().to_string());
            change.way = Some(self.store(&partition, after.as_ref()).await?);
            change.applied = true;
        }
        let now = self.connect.offsets(name).await?;
        let shown = if apply {
            now.as_ref()
        } else {
            after_stored.as_ref()
        };
        Ok(OffsetsReport {
            format: OFFSETS_FORMAT.to_owned(),
            connector: name.to_owned(),
            health: fares,
            offsets: now.iter().map(decoded).collect(),
            compared: compared(shown, beside.as_ref()),
            prediction: match &beside {
                Some(beside) => beside.predict(&starting, shown).await,
                None => None,
            },
            slot: beside.as_ref().map(Beside::slot_place),
            server: beside.as_ref().map(Beside::server_place),
            change: Some(change),
            exit_code: ExitCode::Pass.number(),
        })
    }

    /// Partition and offset that are wanted.
    fn target(
        &self,
        wanted: &Wanted,
        partition: Value,
        before: Option<&StoredOffset>,
        beside: Option<&Beside>,
    ) -> Result<(Value, Option<Fields>), UpgradeError> {
        match wanted {
            Wanted::Nothing => Ok((partition, None)),
            Wanted::Slot => {
                let beside = beside.ok_or_else(|| {
                    UpgradeError::Refused(
                        "the slot's position is asked of PostgreSQL: say where it is".into(),
                    )
                })?;
                let position = slot_position(beside)?;
                self.repeats_nothing(position, before, Some(beside))?;
                Ok((partition, Some(offset_at(position))))
            }
            Wanted::At(position) => {
                if let Some(beside) = beside {
                    can_be_served(*position, beside)?;
                }
                self.repeats_nothing(*position, before, beside)?;
                Ok((partition, Some(offset_at(*position))))
            }
            Wanted::Before {
                file,
                discard_newer,
            } => {
                let file = match file {
                    Some(file) => file.clone(),
                    None => Undo::newest(self.undo_folder, self.connector)?,
                };
                let undo = Undo::read(&file)?;
                if undo.connector != self.connector {
                    return Err(UpgradeError::Refused(format!(
                        "{} is of connector {}",
                        file.display(),
                        undo.connector
                    )));
                }
                let now = before.map(|before| &before.offset);
                if now != undo.after.as_ref() && now != undo.before.as_ref() && !discard_newer {
                    return Err(UpgradeError::MovedOn {
                        connector: self.connector.to_owned(),
                        file: file.display().to_string(),
                    });
                }
                Ok((undo.partition, undo.before))
            }
        }
    }

    /// Going back delivers again what lies between. An offset beyond the end of the log is certainly of another one,
    /// and says nothing; of any other it cannot be told.
    fn repeats_nothing(
        &self,
        position: Lsn,
        before: Option<&StoredOffset>,
        beside: Option<&Beside>,
    ) -> Result<(), UpgradeError> {
        let Some(reached) = before.and_then(StoredOffset::reached) else {
            return Ok(());
        };
        let foreign = beside.is_some_and(|beside| reached > beside.server.current_lsn);
        // The offset of a position reaches up to it, so setting it twice goes back by nothing.
        if position >= reached || foreign || self.may_repeat {
            return Ok(());
        }
        Err(UpgradeError::WouldRepeat { position, reached })
    }

    async fn store(
        &self,
        partition: &Value,
        offset: Option<&Fields>,
    ) -> Result<String, UpgradeError> {
        let place = OffsetPlace {
            connect: self.connect,
            connector: self.connector,
            kafka: self.kafka.as_ref(),
            topic: self.offsets_topic,
        };
        let way = place.store(partition, offset).await?;
        let what = format!("the offset of {} as it was written", self.connector);
        let read = until(&what, READ_BACK, LOOK_EVERY, async || {
            let stored = self.connect.offsets(self.connector).await?;
            let stored = stored.map(|stored| stored.offset);
            Ok::<_, UpgradeError>(if stored.as_ref() == offset {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("{stored:?}"))
            })
        });
        read.await?;
        Ok(way)
    }
}

/// Where the slot stands, if the connector could read from it.
fn slot_position(beside: &Beside) -> Result<Lsn, UpgradeError> {
    let name = &beside.slot_name;
    let refused = |why: String| Err(UpgradeError::Refused(why));
    let Some(slot) = &beside.slot else {
        return refused(format!(
            "slot {name} is not there: `cutover setup` makes it"
        ));
    };
    if slot.is_lost() {
        return refused(format!(
            "slot {name} is lost: the server no longer holds what it promised"
        ));
    }
    if let Some(pid) = slot.active_pid {
        return refused(format!(
            "process {pid} reads slot {name}, so its position moves: end that reader first"
        ));
    }
    match slot.confirmed_flush {
        Some(position) => Ok(position),
        None => refused(format!(
            "slot {name} has no position: it is no logical slot"
        )),
    }
}

/// A position beyond the log would make the connector pass over everything up to it; one before the slot's cannot be
/// sent.
fn can_be_served(position: Lsn, beside: &Beside) -> Result<(), UpgradeError> {
    let end = beside.server.current_lsn;
    if position > end {
        return Err(UpgradeError::Refused(format!(
            "{position} is ahead of the server's log, which ends at {end}: everything up to there would be passed over"
        )));
    }
    let begin = slot_position(beside)?;
    if position < begin {
        return Err(UpgradeError::Refused(format!(
            "{position} is before {begin}, from which slot {} begins to send: what lies between would be missing",
            beside.slot_name
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::offsets::tests::{beside, stored};

    fn altering(connect: &Connect, may_repeat: bool) -> Altering<'_> {
        Altering {
            connect,
            connector: "c",
            kafka: None,
            offsets_topic: None,
            postgres: None,
            undo_folder: Path::new("."),
            may_repeat,
        }
    }

    /// The log ends at 0x200.
    #[test]
    fn an_offset_goes_back_only_if_it_is_of_another_log_or_it_is_asked_for() {
        let connect = Connect::new("http://127.0.0.1:1");
        let refused = |reached: u64, wanted: u64, may_repeat: bool| {
            let before = stored(json!({"lsn": reached, "lsn_commit": reached}));
            let altering = altering(&connect, may_repeat);
            let beside = beside(Some(0x100));
            altering
                .repeats_nothing(Lsn(wanted), Some(&before), Some(&beside))
                .is_err()
        };
        assert!(refused(0x180, 0x100, false));
        assert!(!refused(0x180, 0x100, true));
        assert!(!refused(0x100, 0x180, false));
        assert!(!refused(0x300, 0x100, false));
        // What was set to a position can be set to it again.
        let again = StoredOffset {
            partition: json!({"server": "a"}),
            offset: offset_at(Lsn(0x180)),
        };
        let altering = altering(&connect, false);
        assert!(
            altering
                .repeats_nothing(Lsn(0x180), Some(&again), None)
                .is_ok()
        );
    }

    #[test]
    fn a_position_is_one_that_slot_and_log_can_serve() {
        let beside = beside(Some(0x100));
        assert!(can_be_served(Lsn(0x300), &beside).is_err());
        assert!(can_be_served(Lsn(0x80), &beside).is_err());
        assert!(can_be_served(Lsn(0x180), &beside).is_ok());
    }
}
