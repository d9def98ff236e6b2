//! The nouns of cutover: what every other crate talks about.
//!
//! Stands at the bottom of the crate graph. Nothing here does I/O, waits, or knows a wire format; a value
//! defined here can be written to a run folder and read again, on another machine, by a later version.
//! The rule it protects: one word, one type, everywhere (`ARCHITECTURE.md` §"Words").

pub mod canonical;
pub mod change;
pub mod comparison;
pub mod configuration;
pub mod connector;
pub mod doctor;
pub mod event;
pub mod evidence;
pub mod exit;
pub mod failure;
pub mod finding;
pub mod gap;
pub mod lint;
pub mod lsn;
pub mod matrix;
pub mod naive;
pub mod plan;
pub mod prediction;
pub mod result;
pub mod run_folder;
pub mod setup;
pub mod story;
pub mod table;
pub mod verdict;
pub mod watch;

pub use change::{ChangeRow, Half, Op, Outcome, StoredRow, TransactionMark, TransactionRow};
pub use event::{EventKind, EventSink, RunEvent};
pub use evidence::Evidence;
pub use exit::ExitCode;
pub use failure::{Classified, Failure, Permanence};
pub use finding::{Finding, FindingKind};
pub use lint::{Lint, LintReport, Severity};
pub use lsn::{Incarnation, Lsn, Position};
pub use prediction::{LosesOn, PredictedOutcome, Prediction};
pub use run_folder::RunFolder;
pub use story::RunStory;
pub use table::{
    Column, Comparison, Fill, Relation, ReplicaIdentity, TableShape, TypeForm, ValueType,
};
pub use verdict::{ProofLevel, Verdict};
