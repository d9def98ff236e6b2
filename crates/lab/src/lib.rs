//! Real processes: where the parts come from, how they start, how they end.
//!
//! In the flow: `rehearse` and `cutover lab` ask for a [`stack::Stack`]; the stack asks [`fetch`]
//! for each part of the [`catalog`], leases [`ports`], and starts the [`services`] through the one
//! [`spawn`]er. Nothing here is simulated, nothing listens beyond loopback, nothing runs as root,
//! and nothing outlives its owner: a child is told by the kernel when cutover dies, even by `kill
//! -9`.
//!
//! ```text
//! <cache>/ parts/<component>-<version>/{…,ready.toml} wheels/ m2/ locks/ logs/   shared by runs
//! <state>/ ports/<port> folders/<name>/{lock,<service>/…} lab.json lab.pid       one life each
//! ```

pub mod catalog;
pub mod disk;
pub mod error;
pub mod fetch;
pub mod home;
pub mod host;
pub mod log;
pub mod ports;
pub mod privilege;
pub mod services;
pub mod spawn;
pub mod stack;
pub mod state;

pub use catalog::{Component, Part};
pub use error::LabError;
pub use fetch::PartDir;
pub use home::Home;
pub use stack::{Stack, StackSpec};
