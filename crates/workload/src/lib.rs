//! The load of a rehearsal: several writer sessions, seeded and rate-controlled, that never stop
//! trying while the database under them is being upgraded, and that account for every change they
//! attempted.
//!
//! Stands at the head of the chain; what it writes is the attempted ledger. The rule it protects:
//! each row of that ledger says exactly what became of one change. So sessions own disjoint rows,
//! COMMIT is sent only when the transaction's id is known, and an unanswered COMMIT is resolved by
//! the incarnation it was sent to.
//!
//! Generator (pure): [`shapes`] → [`plan`] from [`rows`] and [`content`], in the order of
//! [`sequence`]. Writers: `session` → `transaction` → `resolve`, numbers in [`stats`], ledger in
//! `attempts`.

mod attempts;
mod connection;
pub mod content;
mod error;
pub mod ground;
mod load;
mod pace;
pub mod plan;
mod resolve;
mod revision;
pub mod rows;
pub mod sequence;
mod session;
pub mod shapes;
pub mod stats;
mod tables;
mod transaction;

pub use connection::Target;
pub use error::WorkloadError;
pub use load::{Load, LoadConfig, LoadEnd, LoadWatch};
pub use revision::SESSIONS_MAX;
pub use stats::{LoadStats, RefusalWindow};
pub use tables::{SCHEMA_SQL, Table, keyed_relations, relations};
