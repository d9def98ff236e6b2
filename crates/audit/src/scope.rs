//! What can be asked of a stream that was recorded in part: of its states without a witness, or of a window without
//! its tables (`Evidence::scope`).
//!
//! Stands beside the verdict. The rule it protects: what was not recorded on purpose is no shortcoming of the verdict,
//! but it is said, and nothing is claimed of it; without a witness it lowers the proof level too.

use cutover_model::evidence::Scope;
use cutover_model::run_folder::LedgerKind;

use crate::checks::{Check, KEYED_STATE, Of};

/// Whether a ledger belongs to such a recording.
pub(crate) fn has(scope: Scope, kind: LedgerKind) -> bool {
    match scope {
        Scope::Run => true,
        Scope::States => matches!(kind, LedgerKind::Published | LedgerKind::Stored),
        Scope::Window => matches!(kind, LedgerKind::Committed | LedgerKind::Published),
    }
}

/// Whether a check is asked of such a recording.
pub(crate) fn asks(scope: Scope, check: &Check) -> bool {
    let of = match check.of {
        Of::Any => true,
        Of::Planned => scope != Scope::States,
        Of::Records => scope == Scope::States,
    };
    of && check.reads.iter().all(|kind| has(scope, *kind))
}

/// Whether something that was left out keeps a check from passing. Where each change was compared with its record,
/// a state that could not be is no doubt of its own.
pub(crate) fn doubts(scope: Scope, what: &str) -> bool {
    scope == Scope::States || what != KEYED_STATE
}

/// What such a recording says nothing of, for people.
pub(crate) fn silent_on(scope: Scope) -> Option<&'static str> {
    match scope {
        Scope::Run => None,
        Scope::States => Some(
            "no witness: it was judged what the records come to, not whether every change in between is among them; \
             of transactions, only the two halves of a changed key were looked at",
        ),
        Scope::Window => Some(
            "a window: the changes between two moments were judged, not what the tables and topics held before; of \
             transactions, only the two halves of a changed key were looked at",
        ),
    }
}
