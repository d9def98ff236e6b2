//! One rehearsal: scenario + lab + load + recorders + upgrade + audit.
//!
//! `runner` reads top-down as the phases of a rehearsal: servers up, stream running, load on, runbook, load
//! on, fence, ledgers, verdict. Everything real: no server is simulated. The rule it protects: a run that did
//! not go to its end is never judged better than unknown, and nothing is left running.

mod breakable;
mod broken_off;
pub mod connector;
pub mod drive;
pub mod error;
pub mod event_log;
pub mod existing;
mod gap;
pub mod generate;
pub mod judge;
pub mod lab_hands;
pub mod lock;
mod machine;
pub mod matrix;
mod origins;
pub mod recording;
mod repeat;
pub mod request;
pub mod roster;
pub mod runner;
mod sampler;
pub mod scenario;
pub mod scene;
mod sequences;
pub mod servers;
mod shipped;
pub mod stage;
pub mod standing;
mod survey;
mod takeover;
pub mod trouble;
pub mod worker;
pub mod world;

pub use error::RehearseError;
pub use runner::{Ended, Options, rehearse};
pub use scenario::Scenario;
