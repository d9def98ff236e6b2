//! What the recorders and the audit do per second on this machine: `cutover bench`.
//!
//! Each figure stands beside a known tool's, or a library's, on the same input in the same run, since seconds alone
//! say more about the machine than about the program. Nothing here is a test: a busy machine would make it red.

mod audit;
mod compare;
pub mod envelopes;
mod error;
mod figure;
mod page;
mod parse;
mod server;
mod tables;
mod topics;
mod witness;

pub use audit::audit;
pub use compare::{CompareBench, compare};
pub use error::BenchError;
pub use figure::{BENCH_FORMAT, Bench, Figure, peak_bytes};
pub use page::{PageBench, page};
pub use parse::parse;
pub use tables::{TablesBench, tables};
pub use topics::{TopicsBench, topics};
pub use witness::{WitnessBench, witness};
