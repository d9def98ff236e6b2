//! Watches a stream that is there already: slots, lag, stored offset, markers, connector and topics.
//!
//! Eyes and markers are at the edge ([`look`], [`markers`]); what they bring is a [`Sample`] and a state of markers,
//! and everything that is said about it is computed from these two and from what was seen before ([`mod@assess`],
//! [`history`]). Nothing is changed but for markers, and those are written on consent only.
//!
//! The rule it protects: `RUNNING` is no proof. A stream is alive if a marker written into the log came out in Kafka.

pub mod assess;
pub mod history;
pub mod ledger;
pub mod look;
pub mod markers;
pub mod past;

pub use assess::{Limits, assess};
pub use look::{Eyes, Sample};
pub use markers::{MarkerSettings, Markers};
pub use past::Past;
