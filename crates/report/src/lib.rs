//! How a run is shown: one file per format, each a pure function of what `model` defines.
//!
//! Last stop of the flow: events and results come in, text goes out; nothing here measures, judges or waits.
//! The rule it protects: text that came from a database, a topic or a server can never steer the reader's
//! terminal or break a report, because every value passes through [`text`] first.

pub mod comparison;
pub mod configuration;
pub mod connector;
pub mod doctor;
mod error;
pub mod explain;
pub mod failure;
pub mod gap;
pub mod json;
pub mod junit;
pub mod lint;
pub mod look;
pub mod markdown;
pub mod matrix;
mod naive;
mod narration;
pub mod offsets;
#[cfg(test)]
mod operation_samples;
pub mod page;
pub mod prediction;
pub mod progress;
pub mod runbook;
pub mod setup;
pub mod telling;
pub mod terminal;
pub mod text;
pub mod watch;

pub use error::ReportError;
pub use json::to_json;
pub use junit::to_junit;
pub use look::Look;
pub use markdown::to_markdown;
pub use page::page;
pub use progress::Progress;
pub use telling::Values;
pub use terminal::closing_screen;

#[cfg(test)]
mod samples;
