//! Carries a Debezium change stream across one PostgreSQL upgrade: facts → strategy → plan → engine.
//!
//! Production code: the same engine drives a rehearsal and a real cutover. What differs is who acts on the
//! infrastructure, and that is behind [`hands::Hands`]. Facts are read once ([`facts`]), a strategy turns them
//! into a plan without any I/O ([`strategies`]), the engine executes the plan step by step ([`engine`]) and
//! writes what it is about to do, and what came of it, to the journal before going on ([`journal`]).
//!
//! Two parts look before anything runs: [`mod@predict`] says what a connector will do when it starts, [`lint`] what
//! is wrong with its configuration. One comes after everything: [`gap`] shows what a stream and its database have
//! apart, and closes what can be closed exactly.
//!
//! The rule it protects: in a proven runbook no step begins before the post-condition of the one before it has
//! been *seen*, on the server, in the stored offset, or in Kafka. A connector that says RUNNING proves nothing.

pub mod cutover;
pub mod doctor;
pub mod engine;
pub mod error;
pub mod facts;
pub mod fence;
pub mod gap;
pub mod hands;
pub mod journal;
pub mod lint;
pub mod observe;
pub mod operate;
pub mod plan;
pub mod predict;
pub mod preflight;
pub mod saved;
pub mod standing;
pub mod start;
pub mod steps;
pub mod strategies;
pub mod watch;

pub use cutover::{Cutover, Deadlines, Stream};
pub use error::UpgradeError;
pub use hands::{Hands, Side};
pub use plan::Plan;
pub use predict::{PredictionFacts, predict};
