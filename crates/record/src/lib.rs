//! Recorders: they write the committed ledger ([`witness`]), the published one ([`topics`]) and the stored one
//! ([`tables`]). Beside them, the stored rows of two databases are compared ([`compare`]).
//!
//! All three bring values to the same canonical form ([`canonical`]), so that a row hashes to the same number
//! wherever it was read. Memory stays bounded whatever the size of a topic, a transaction or a table.

mod alterations;
mod binary_rows;
pub mod canonical;
pub mod compare;
mod cuts;
pub mod decode;
mod error;
mod notes;
mod pace;
mod printed;
mod schemas;
pub mod tables;
pub mod topics;
pub mod witness;

pub use alterations::Alterations;
pub use error::RecordError;
pub use notes::Notes;
