//! Work on a running system outside of a runbook: a connector put in place and looked at, its offsets, slot and
//! publication.
//!
//! Stands beside the engine and uses the same hands: what a step of a plan does to an offset is done here by the same
//! functions. The rule it protects: doing it twice is doing it once, and what is taken away is kept first.

pub mod alter;
pub mod connector;
pub mod description;
pub mod offsets;
pub mod setup;
mod undo;
