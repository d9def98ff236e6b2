//! Who acts on the infrastructure: the lab in a rehearsal; a person, a hook or an operator in production.
//!
//! The engine never starts a process or copies a file itself. Every method returns what was done, in one line,
//! for the journal; each must be safe to call again after it has succeeded.

use cutover_clients::pg::PgAddress;

use crate::error::UpgradeError;

/// Which of the two servers. An upgrade in place has only [`Side::Old`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The server that the stream comes from.
    Old,
    /// The server that takes over.
    New,
}

/// Actions outside PostgreSQL's SQL, Kafka and Connect's REST.
#[expect(
    async_fn_in_trait,
    reason = "the engine runs on one task; no implementation needs Send"
)]
pub trait Hands {
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
    /// Makes the application use a server.
    async fn move_application(&mut self, side: Side) -> Result<String, UpgradeError>;
    /// No change of the captured database can be committed on the old side any more: whoever watches it
    /// independently reads it to the end now.
    async fn close_incarnation(&mut self) -> Result<String, UpgradeError>;
    /// The new side exists and nothing that counts has been written to it: whoever watches it
    /// independently must be in place when this returns.
    async fn open_incarnation(&mut self) -> Result<String, UpgradeError>;
    /// The connector does not write: notes the end offsets of its topics, which tell later whose an event is.
    async fn note_cut(&mut self) -> Result<String, UpgradeError>;
}
