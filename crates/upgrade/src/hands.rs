//! Who acts on the infrastructure: the lab in a rehearsal; a person, a hook or an operator in production.
//!
//! The engine never starts a process or copies a file itself. Every method returns what was done, in one line,
//! for the journal; each must be safe to call again after it has succeeded.

use cutover_clients::pg::PgAddress;
use cutover_model::Lsn;
use serde::{Deserialize, Serialize};

use crate::error::UpgradeError;
use crate::predict::{AroundFacts, OffsetFacts};
use crate::preflight::{NewSide, Way};
use crate::steps::{Feed, RestoreTarget, Transfer};

/// Which of the servers. An upgrade in place has only [`Side::Old`]; one beside both is there for a repair only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The server that the stream comes from.
    Old,
    /// The server that takes over.
    New,
    /// A server beside them that has the log of both up to some point: it delivers what neither can.
    Beside,
}

/// What passes the gate through which a side server gets its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// One more log file than until now.
    Further,
    /// Everything.
    Wide,
}

/// Actions outside PostgreSQL's SQL, Kafka and Connect's REST.
#[expect(
    async_fn_in_trait,
    reason = "the engine runs on one task; no implementation needs Send"
)]
pub trait Hands {
    /// What there is for a second cluster: programs, room, and what an empty server of these programs answers. Leaves
    /// nothing behind.
    async fn survey(&mut self, version: &str, way: Way) -> Result<NewSide, UpgradeError>;
    /// A step was applied and is proven next: for whoever has something to do at that moment.
    async fn applied(&mut self, _step: &str) -> Result<(), UpgradeError> {
        Ok(())
    }
    /// Stops a server in its fast mode. Returns the seconds it took.
    async fn stop_server(&mut self, side: Side) -> Result<f64, UpgradeError>;
    /// Puts the programs of another minor version under the same data directory; the server is stopped.
    async fn swap_binaries(&mut self, version: &str) -> Result<String, UpgradeError>;
    /// Starts a server and waits until it answers. Returns the seconds it took.
    async fn start_server(&mut self, side: Side) -> Result<f64, UpgradeError>;
    /// Makes an empty server of a version, with the roles that the stream and the writers need.
    async fn create_server(&mut self, version: &str) -> Result<PgAddress, UpgradeError>;
    /// Dumps the captured database of the old server.
    async fn dump_database(&mut self) -> Result<String, UpgradeError>;
    /// Restores the dump into the new server.
    async fn restore_database(&mut self) -> Result<String, UpgradeError>;
    /// Administrator's address of a side, if that server is there: for whoever goes on with a plan that was broken
    /// off, since an address holds a password and is not written down.
    fn address(&self, side: Side) -> Option<PgAddress>;
    /// Ends a server as a crash does: no checkpoint, no word to its clients. Returns the seconds it took.
    async fn crash_server(&mut self, side: Side) -> Result<f64, UpgradeError>;
    /// Makes an empty cluster of a version that fits the old one, and lets pg_upgrade check both.
    async fn prepare_cluster(
        &mut self,
        version: &str,
        transfer: Transfer,
    ) -> Result<String, UpgradeError>;
    /// Runs pg_upgrade from the stopped old cluster into the prepared one and starts that.
    async fn upgrade_cluster(
        &mut self,
        transfer: Transfer,
    ) -> Result<(PgAddress, String), UpgradeError>;
    /// Makes a standby of the old server and starts it.
    async fn create_standby(&mut self, feed: Feed) -> Result<PgAddress, UpgradeError>;
    /// Takes a full backup of the old server.
    async fn back_up(&mut self) -> Result<String, UpgradeError>;
    /// Restores the backup into a new server, up to a target, and opens it as a primary. `moment` is for
    /// [`RestoreTarget::Time`].
    async fn restore_backup(
        &mut self,
        target: RestoreTarget,
        moment: Option<&str>,
    ) -> Result<(PgAddress, String), UpgradeError>;
    /// Restores the backup into a third server, a standby that follows the archive onto the new server's timeline
    /// through a gate: it gets the backup's own log and no later file yet. Replay ends before the record at `until`;
    /// then the server opens by itself. It does not archive.
    async fn create_side_server(&mut self, _until: Lsn) -> Result<PgAddress, UpgradeError> {
        Err(UpgradeError::hands("make a side server", "nobody here can"))
    }
    /// Lets the side server have more of the log.
    async fn open_gate(&mut self, _gate: Gate) -> Result<String, UpgradeError> {
        Err(UpgradeError::hands("open the gate", "nobody here can"))
    }
    /// Stops and forgets the side server; nothing that counts was written to it.
    async fn discard_side(&mut self) -> Result<String, UpgradeError> {
        Err(UpgradeError::hands(
            "remove the side server",
            "nobody here can",
        ))
    }
    /// Copies the running old server and opens the copy as a primary of its own.
    async fn open_base_backup(&mut self) -> Result<(PgAddress, String), UpgradeError>;
    /// Copies the old database's schema, without rows, into the new server.
    async fn copy_schema(&mut self) -> Result<String, UpgradeError>;
    /// Stops and forgets the new server; nothing that counts was written to it.
    async fn discard_new(&mut self) -> Result<String, UpgradeError>;
    /// Back to the old server: it runs afterwards, and the application is to use it.
    async fn return_to_old(&mut self) -> Result<String, UpgradeError>;
    /// Committed changes that are not in Kafka and that a slot beginning at this position of the new server will not
    /// deliver, if somebody who watches independently can tell.
    async fn at_stake(&mut self, slot_begins: Lsn) -> Option<u64>;
    /// The application works on for a while: time passes between the steps of people.
    async fn let_time_pass(&mut self) -> Result<String, UpgradeError>;
    /// Makes the application use a server.
    async fn move_application(&mut self, side: Side) -> Result<String, UpgradeError>;
    /// No change of the captured database can be committed on the old side any more: whoever watches it
    /// independently reads it to the end now.
    async fn close_incarnation(&mut self) -> Result<String, UpgradeError>;
    /// Writes on the old side will go on after all: whoever watched it to its end must be in place again when this
    /// returns.
    async fn resume_incarnation(&mut self) -> Result<(), UpgradeError>;
    /// The new side exists and nothing that counts has been written to it: whoever watches it
    /// independently must be in place when this returns.
    async fn open_incarnation(&mut self) -> Result<String, UpgradeError>;
    /// The connector does not write: notes the end offsets of its topics, which tell later whose an event is.
    async fn note_cut(&mut self) -> Result<String, UpgradeError>;
    /// Kills Kafka Connect's worker. Says where the stored offset stood then.
    async fn crash_worker(&mut self) -> Result<String, UpgradeError>;
    /// Starts the worker; returns the seconds until it serves.
    async fn start_worker(&mut self) -> Result<f64, UpgradeError>;
    /// Which committed and delivered events stand around a stored offset. Only who watches independently can tell.
    async fn around(&mut self, _offset: &OffsetFacts) -> Option<AroundFacts> {
        None
    }
}
