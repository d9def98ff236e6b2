//! What a report of a run says, before it is a page or a document: both formats tell the same.
//!
//! The rules it protects: row values (keys and revisions) are told only when asked for, and a number that was not
//! measured is absent instead of zero.

pub mod moments;
pub mod steps;
pub mod veil;
pub mod words;

pub use moments::Timeline;
pub use veil::{Values, Veil};
