//! The witness: an independent reader of the log that writes the committed ledger.
//!
//! It follows a slot of its own, so that an error of the connector cannot hide from it. One witness belongs to one
//! incarnation of the database. It survives restarts of the server (a minor step keeps the incarnation):
//! after a lost connection it goes on from its durable position and writes no change twice. It never confirms a
//! position to the server before the ledger has it on disk, and it confirms at once when the server asks, for a
//! server that shuts down waits for exactly that.

mod assembly;
mod reader;
mod state;
#[cfg(test)]
mod tests;
mod tracked;

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cutover_clients::pg::PgAddress;
use cutover_clients::pg::replication::ReplicationStream;
use cutover_ledger::ChangeWriter;
use cutover_model::{Lsn, TableShape};

use crate::{Alterations, Notes, RecordError};
use reader::Reader;
use state::Shared;

pub use state::{Place, Tally, WitnessStatus};

/// What to witness.
#[derive(Debug, Clone)]
pub struct WitnessConfig {
    /// The server; the address stays the same over a restart.
    pub address: PgAddress,
    /// Logical slot with the `pgoutput` plugin, made before the first write that counts, or to be made.
    pub slot: String,
    /// Publication.
    pub publication: String,
    /// Index into `Evidence::incarnations`, written into every row.
    pub incarnation: i32,
    /// The captured tables. Changes of other tables in the publication are counted and left out.
    pub shapes: Vec<TableShape>,
    /// Prefix of the logical messages that are markers.
    pub marker_prefix: String,
}

/// How a witness ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessEnd {
    /// Everything committed before this position is in the ledger, durably.
    pub through: Lsn,
    /// Rows written.
    pub changes: u64,
    /// Changes of tables that are not in the configuration.
    pub out_of_scope: u64,
    /// Content that was not compared.
    pub notes: Notes,
    /// What became of the tables meanwhile.
    pub alterations: Alterations,
}

/// A running witness. Dropping it stops it without waiting; [`Witness::stop`] tells how it ended.
#[derive(Debug)]
pub struct Witness {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<WitnessEnd, RecordError>>>,
}

impl Witness {
    /// Attaches to the slot and starts reading in a thread. Blocks until the slot is attached, usually a few ms.
    ///
    /// # Errors
    /// The server cannot be reached or refuses; later losses of the connection are waited out instead.
    pub fn start(
        config: WitnessConfig,
        writer: Arc<Mutex<ChangeWriter>>,
    ) -> Result<Witness, RecordError> {
        let stream = ReplicationStream::open(&config.address)?;
        Witness::on(stream, config, false, writer)
    }

    /// The same on a slot that it makes, and that the server removes with its session, however that ends: a lost
    /// connection ends the witness. Gives the slot's first position too; everything committed after it is seen. Blocks
    /// while transactions that have written go on, for as long as `patience`.
    ///
    /// # Errors
    /// As [`Witness::start`], or somebody has written and does not end (SQLSTATE 55P03).
    pub fn start_temporary(
        config: WitnessConfig,
        writer: Arc<Mutex<ChangeWriter>>,
        patience: Duration,
    ) -> Result<(Witness, Lsn), RecordError> {
        let mut stream = ReplicationStream::open(&config.address)?;
        let from = stream.create_temporary_slot(&config.slot, patience)?;
        Ok((Witness::on(stream, config, true, writer)?, from))
    }

    fn on(
        stream: ReplicationStream,
        config: WitnessConfig,
        temporary: bool,
        writer: Arc<Mutex<ChangeWriter>>,
    ) -> Result<Witness, RecordError> {
        let shared = Arc::new(Shared::default());
        let name = format!("witness-{}", config.incarnation);
        let told = Arc::clone(&shared);
        let (reader, stream) = Reader::attach(stream, config, temporary, writer, told)?;
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || reader.run(stream))
            .map_err(RecordError::NoThread)?;
        Ok(Witness {
            shared,
            thread: Some(thread),
        })
    }

    /// Where it stands.
    pub fn status(&self) -> WitnessStatus {
        self.shared.status()
    }

    /// What every transaction so far brings into the topics, in commit order; `None` if there were too many to keep.
    pub fn tallies(&self) -> Option<Vec<Tally>> {
        self.shared.tallies()
    }

    /// The newest transactions' changes by position, in the order of the stream.
    pub fn places(&self) -> Vec<Place> {
        self.shared.places()
    }

    /// Position of the marker with this token, once everything before it is in the ledger.
    pub fn saw_marker(&self, token: &str) -> Option<Lsn> {
        self.shared.marker(token)
    }

    /// Stops at the next transaction boundary, makes the ledger durable, confirms it and lets go of the slot.
    /// Blocks for that long; works as well while the server is down.
    ///
    /// # Errors
    /// Why the witness ended early, if it did; or that it stopped with half a transaction written.
    pub fn stop(mut self) -> Result<WitnessEnd, RecordError> {
        self.shared.request_stop();
        let Some(thread) = self.thread.take() else {
            return Err(RecordError::Thread("was joined already".to_owned()));
        };
        thread
            .join()
            .map_err(|_| RecordError::Thread("the witness broke off".to_owned()))?
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.shared.request_stop();
    }
}
