//! The four counts by which people usually check a stream, beside the answer that events give.

use serde::{Deserialize, Serialize};

use crate::verdict::Verdict;

/// Which count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NaiveQuestion {
    /// As many messages as rows?
    RowCount,
    /// Is each key in the topic once?
    DuplicateKeys,
    /// Is each LSN in the topic once?
    LsnUnique,
    /// Are there snapshot reads?
    OperationTypes,
}

impl NaiveQuestion {
    /// All four, in the order in which they are shown.
    pub const ALL: [NaiveQuestion; 4] = [
        NaiveQuestion::RowCount,
        NaiveQuestion::DuplicateKeys,
        NaiveQuestion::LsnUnique,
        NaiveQuestion::OperationTypes,
    ];

    /// As a question.
    pub fn words(self) -> &'static str {
        match self {
            NaiveQuestion::RowCount => "as many messages as rows?",
            NaiveQuestion::DuplicateKeys => "each key once?",
            NaiveQuestion::LsnUnique => "each LSN once?",
            NaiveQuestion::OperationTypes => "no snapshot reads?",
        }
    }
}

/// One count of one table, and what it is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NaiveCount {
    /// Which.
    pub question: NaiveQuestion,
    /// `schema.table`.
    pub relation: String,
    /// What was counted, in words.
    pub counted: String,
    /// What people conclude from it: pass or fail.
    pub concluded: Verdict,
    /// The verdict of the check that asks the question event by event.
    pub verdict: Verdict,
    /// Why the count misleads; `None` where both say the same.
    #[serde(default)]
    pub misleads: Option<String>,
}
