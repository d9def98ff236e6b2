//! The judgement: SQL checks over the ledgers of a run, findings, verdict and proof level.
//!
//! Reads a run folder and nothing else (no network, no clock), so a saved run is judged again
//! anywhere with the same result. Runs bucket by bucket in bounded memory; writes
//! `findings.parquet`.
//! The rules it protects: the worst of all checks counts, and a check that crashed, lacked its
//! input or never ran is `unknown`, never `pass`.
//!
//! What can be awaited from outside is boxed here: the body of an `async fn` is compiled into every program that polls
//! it, and these hold all of the engine.

pub mod checks;
pub mod gap;
pub mod verdict;

mod acquit;
mod bucket;
mod engine;
mod error;
mod gather;
mod judge;
mod naive;
mod ranking;
mod scope;
mod script;
mod survey;
mod transactions;
mod uncompared;

pub use error::AuditError;
pub use judge::{Judgement, judge, judge_every_row, judge_telling};
pub use naive::naive;
pub use script::script;
