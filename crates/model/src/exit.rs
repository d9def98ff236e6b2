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
    /// Every code, in the order of the numbers.
    pub const ALL: [ExitCode; 11] = [
        ExitCode::Pass,
        ExitCode::Internal,
        ExitCode::Usage,
        ExitCode::Refused,
        ExitCode::Violated,
        ExitCode::Unknown,
        ExitCode::Unreachable,
        ExitCode::Denied,
        ExitCode::Locked,
        ExitCode::Interrupted,
        ExitCode::Terminated,
    ];

    /// The code with this number.
    pub fn numbered(number: u8) -> Option<ExitCode> {
        ExitCode::ALL
            .into_iter()
            .find(|code| code.number() == number)
    }

    /// What the file system's refusal means for a path that the user named: it is the wrong one (2), or the machine
    /// does not let us use it (3). Neither is ever a defect of cutover.
    pub fn of_io(error: &std::io::Error) -> ExitCode {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::IsADirectory
            | ErrorKind::InvalidFilename
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidData => ExitCode::Usage,
            _ => ExitCode::Refused,
        }
    }

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
