//! Claims about real processes: servers from the cache of this machine, started, killed and ended
//! for real.
//!
//! One binary, one test at a time: whoever holds a [`support::Place`] has the machine. The first
//! run fetches what the cache lacks.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod real_containers;
mod real_fetch;
mod real_kafka;
mod real_postgres;
mod real_processes;
mod real_stack;
mod real_versions;
mod support;
