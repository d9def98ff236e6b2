//! What the preflight judges by. The old side is asked by SQL, the new side by whoever acts on the infrastructure:
//! before the plan runs there is nothing on the new side but programs and room.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover_clients::pg::pending::PreparedTransaction;

use super::Way;

/// Everything that is known.
#[derive(Debug, Clone, PartialEq)]
pub struct PreflightFacts {
    /// How the second cluster comes about.
    pub way: Way,
    /// The server that is there.
    pub old: OldSide,
    /// What is there for the second one.
    pub new: NewSide,
    /// How long the switch waits for transactions that have written.
    pub writers_seconds: f64,
}

/// The running server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OldSide {
    /// Major version.
    pub major: u32,
    /// Bytes of all databases.
    pub bytes: u64,
    /// Bytes of `pg_wal`.
    pub wal_bytes: u64,
    /// Databases that can be connected to.
    pub databases: u32,
    /// Extensions in use.
    pub extensions: Vec<Extension>,
    /// What sorts by ICU: collations that are used, databases that default to it.
    pub icu: Vec<String>,
    /// Prepared transactions.
    pub prepared: Vec<PreparedTransaction>,
    /// Settings that both sides must agree on.
    pub settings: BTreeMap<String, String>,
    /// Logical slots.
    pub logical_slots: u32,
    /// Slots of both kinds.
    pub slots: u32,
}

/// An extension of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it is used; empty on the new side.
    pub database: String,
}

/// What there is for the new server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewSide {
    /// Version of the programs.
    pub version: String,
    /// Programs that the plan needs and that are not there.
    pub missing_programs: Vec<String>,
    /// Where files will go, as far as that is known.
    pub places: Vec<Place>,
    /// Why files cannot be cloned there; `None` if they can, or nobody asked.
    pub clone_refused: Option<String>,
    /// What an empty server of the new programs answers.
    pub server: NewServer,
    /// Version of the backup tool, where the plan uses one.
    pub backup_tool: Option<String>,
}

/// What an empty server of the new programs, with the new side's settings, answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewServer {
    /// Extensions that it could make.
    pub extensions: Vec<Extension>,
    /// Why it makes no ICU collation; `None` if it does.
    pub icu_refused: Option<String>,
    /// Settings that both sides must agree on.
    pub settings: BTreeMap<String, String>,
}

/// What a place is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The old cluster's data.
    Old,
    /// The new cluster's data.
    New,
    /// The dump.
    Dump,
    /// The backup tool's repository.
    Repository,
}

/// A folder and the room that its file system has left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is for.
    pub purpose: Purpose,
    /// The folder.
    pub path: PathBuf,
    /// Which file system it is on; equal for places that share their room.
    pub file_system: u64,
    /// Bytes that are free for the servers' user.
    pub free_bytes: u64,
}

impl NewSide {
    /// The place for a purpose.
    pub fn place(&self, purpose: Purpose) -> Option<&Place> {
        self.places.iter().find(|place| place.purpose == purpose)
    }
}
