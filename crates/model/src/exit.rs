//! Exit codes: part of the interface, never renumbered.

use crate::verdict::Verdict;

/// What the process tells its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// The verdict is pass, or a rehearsal that expects losses found exactly those.
    Pass = 0,
    /// A defect of cutover itself.
    Internal = 1,
    /// Wrong arguments or configuration.
    Usage = 2,
    /// A precondition does not hold; nothing was changed.
    Refused = 3,
    /// An invariant is violated.
    Violated = 4,
    /// Inconclusive.
    Unknown = 5,
    /// A remote system, or a package registry, cannot be reached.
    Unreachable = 6,
    /// Authentication or privilege.
    Denied = 7,
    /// Another run holds the lock.
    Locked = 8,
    /// Interrupted by Ctrl-C.
    Interrupted = 130,
    /// Terminated by SIGTERM.
    Terminated = 143,
}

impl ExitCode {
    /// The code of a bare verdict.
    pub fn of(verdict: Verdict) -> ExitCode {
        match verdict {
            Verdict::Pass => ExitCode::Pass,
            Verdict::Unknown => ExitCode::Unknown,
            Verdict::Fail => ExitCode::Violated,
        }
    }

    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }
}
