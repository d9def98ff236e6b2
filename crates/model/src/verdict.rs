//! Verdicts and proof levels (`docs/guarantees.md`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The judgement of a run. Ordered: the worst of all checks counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every check ran, had its input, and found nothing.
    Pass,
    /// Something that was needed is missing: a check, a ledger, a fence. Never exit code 0.
    Unknown,
    /// An invariant is violated, and the evidence is named.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Pass => "pass",
            Verdict::Unknown => "unknown",
            Verdict::Fail => "fail",
        })
    }
}

/// How much was proven. Higher is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProofLevel {
    /// Counts only.
    P0,
    /// State fold: the published log folded per key gives the stored rows.
    P1,
    /// Identities from the payload.
    P2,
    /// P2 and an independent witness.
    P3,
    /// P3, fences on every partition, and transaction metadata or complete witness ordinals.
    P4,
}

impl fmt::Display for ProofLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_verdict_wins_and_unknown_is_worse_than_pass() {
        assert!(Verdict::Pass < Verdict::Unknown && Verdict::Unknown < Verdict::Fail);
        let checks = [Verdict::Pass, Verdict::Unknown, Verdict::Pass];
        assert_eq!(checks.into_iter().max(), Some(Verdict::Unknown));
    }
}
