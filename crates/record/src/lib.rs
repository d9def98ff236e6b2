//! Recorders: they write the committed ledger ([`witness`]), the published one ([`topics`]) and the stored one
//! ([`tables`]).
//!
//! All three bring values to the same canonical form ([`canonical`]), so that a row hashes to the same number
//! wherever it was read. Memory stays bounded whatever the size of a topic, a transaction or a table.

pub mod canonical;
mod cuts;
pub mod decode;
mod error;
mod notes;
mod printed;
mod schemas;
pub mod tables;
pub mod topics;
pub mod witness;

pub use error::RecordError;
pub use notes::Notes;
