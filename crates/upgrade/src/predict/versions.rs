//! What each version of Debezium does at a start, as data: one row of [`ALL`] is a range of versions that behave the
//! same. The rules read the row and know no version numbers.
//!
//! Source of the rows: the connector's source at every release tag from 2.0.0 to 3.7.0.Alpha2 (methods
//! `validateLogPosition`, `validateAndLoadSchemaHistory` and `startStreaming`). Of 2.4.0, 3.6.3 and 3.7.0 the rows were
//! also measured with real connectors. The rule it protects: a version outside the table is refused, not guessed.

use std::fmt;
use std::str::FromStr;

use crate::error::UpgradeError;

/// A release of Debezium. Previews (Alpha, Beta, CR) are not in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DebeziumVersion(pub u16, pub u16, pub u16);

/// From here on the offset says how many events of one position were delivered, and a COMMIT's end is not taken for the
/// position of a change.
pub(super) const COUNTS_EVENTS: DebeziumVersion = DebeziumVersion(3, 7, 0);

/// The last release of a minor version, whichever that is.
const LAST: u16 = u16::MAX;

impl fmt::Display for DebeziumVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.2 == LAST {
            write!(f, "{}.{}", self.0, self.1)
        } else {
            write!(f, "{}.{}.{}", self.0, self.1, self.2)
        }
    }
}

impl FromStr for DebeziumVersion {
    type Err = UpgradeError;

    fn from_str(text: &str) -> Result<DebeziumVersion, UpgradeError> {
        let refused = |reason: &'static str| UpgradeError::DebeziumVersion {
            version: text.to_owned(),
            reason,
        };
        let plain = text.strip_suffix(".Final").unwrap_or(text);
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| part.parse::<u16>().ok()).flatten()
        };
        let parts: Vec<Option<u16>> = plain.split('.').map(number).collect();
        let version = match parts.as_slice() {
            [Some(major), Some(minor), Some(patch)] => DebeziumVersion(*major, *minor, *patch),
            [Some(_), Some(_)] => {
                return Err(refused("is no release: the third number is missing"));
            }
            _ => return Err(refused("is no release of the form 3.6.3 or 3.6.3.Final")),
        };
        // The series 2 ended with 2.7; a row that goes from 2.6 to 3.1 must not invent a 2.8.
        let existed = version.0 != 2 || version.1 <= 7;
        let inside = existed && ALL.iter().any(|row| row.covers(version));
        inside
            .then_some(version)
            .ok_or_else(|| refused("is not known here"))
    }
}

/// When the connector moves the slot to the stored offset with `pg_replication_slot_advance`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    /// It does not.
    Never,
    /// At every start.
    Always,
    /// With `internal.slot.seek.to.known.offset.on.start=true`.
    OptIn,
    /// With `offset.mismatch.strategy` trust_offset or trust_greater_lsn.
    ByStrategy,
    /// The same, but only if the offset is ahead of the slot.
    ByStrategyWhenAhead,
}

/// What becomes of a start whose seek the server refuses, or whose position check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The task fails.
    Fatal,
    /// A line in the worker's log, and on it goes.
    Warned,
}

/// Whether the connector compares the slot's `restart_lsn` with its offset before it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PositionCheck {
    /// It does not; a missing slot is made silently.
    Absent,
    /// `restart_lsn` must be below `lsn_commit`.
    BelowCommit,
    /// `restart_lsn` must be at or below `lsn_commit`.
    AtMostCommit,
    /// `restart_lsn` must be at or below `lsn_proc`.
    AtMostProcessed,
}

/// One range of versions that behave the same at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// First version.
    pub from: DebeziumVersion,
    /// Last version.
    pub to: DebeziumVersion,
    /// When it moves the slot.
    pub seek: Seek,
    /// When the server refuses to.
    pub seek_failure: OnFailure,
    /// What it compares.
    pub check: PositionCheck,
    /// When slot and offset do not fit, or there is no slot. `Warned` also means: a missing slot is made.
    pub check_failure: OnFailure,
    /// Values of `snapshot.mode`.
    pub snapshot_modes: &'static [&'static str],
}

impl Behaviour {
    /// Whether the version is in the range.
    pub fn covers(&self, version: DebeziumVersion) -> bool {
        self.from <= version && version <= self.to
    }

    /// Knows `offset.mismatch.strategy`.
    pub fn knows_strategies(&self) -> bool {
        matches!(self.seek, Seek::ByStrategy | Seek::ByStrategyWhenAhead)
    }

    /// `Debezium 2.1.3 to 2.4`.
    pub fn range(&self) -> String {
        let (from, to) = (self.from, self.to);
        let whole = from.2 == 0 && to.2 == LAST;
        if whole && (from.0, from.1) == (to.0, to.1) {
            return format!("Debezium {}.{}", from.0, from.1);
        }
        if whole {
            return format!("Debezium {}.{} to {to}", from.0, from.1);
        }
        format!("Debezium {from} to {to}")
    }
}

const MODES_2_0: &[&str] = &["always", "initial", "initial_only", "never", "custom"];
const MODES_2_6: &[&str] = &[
    "always",
    "initial",
    "initial_only",
    "never",
    "no_data",
    "when_needed",
    "configuration_based",
    "custom",
];
const MODES_3_3: &[&str] = &[
    "always",
    "initial",
    "initial_only",
    "no_data",
    "when_needed",
    "configuration_based",
    "custom",
];

/// All ranges, oldest first, without a hole.
pub const ALL: [Behaviour; 9] = [
    Behaviour {
        from: DebeziumVersion(2, 0, 0),
        to: DebeziumVersion(2, 0, LAST),
        seek: Seek::Never,
        seek_failure: OnFailure::Warned,
        check: PositionCheck::Absent,
        check_failure: OnFailure::Warned,
        snapshot_modes: MODES_2_0,
    },
    Behaviour {
        from: DebeziumVersion(2, 1, 0),
        to: DebeziumVersion(2, 1, 2),
        seek: Seek::Always,
        seek_failure: OnFailure::Fatal,
        check: PositionCheck::Absent,
        check_failure: OnFailure::Warned,
        snapshot_modes: MODES_2_0,
    },
    Behaviour {
        from: DebeziumVersion(2, 1, 3),
        to: DebeziumVersion(2, 4, LAST),
        seek: Seek::Always,
        seek_failure: OnFailure::Warned,
        check: PositionCheck::Absent,
        check_failure: OnFailure::Warned,
        snapshot_modes: MODES_2_0,
    },
    Behaviour {
        from: DebeziumVersion(2, 5, 0),
        to: DebeziumVersion(2, 5, LAST),
        seek: Seek::OptIn,
        seek_failure: OnFailure::Fatal,
        check: PositionCheck::Absent,
        check_failure: OnFailure::Warned,
        snapshot_modes: MODES_2_0,
    },
    Behaviour {
        from: DebeziumVersion(2, 6, 0),
        to: DebeziumVersion(3, 1, LAST),
        seek: Seek::OptIn,
        seek_failure: OnFailure::Fatal,
        check: PositionCheck::BelowCommit,
        check_failure: OnFailure::Warned,
        snapshot_modes: MODES_2_6,
    },
    Behaviour {
        from: DebeziumVersion(3, 2, 0),
        to: DebeziumVersion(3, 2, LAST),
        seek: Seek::OptIn,
        seek_failure: OnFailure::Fatal,
        check: PositionCheck::AtMostCommit,
        check_failure: OnFailure::Fatal,
        snapshot_modes: MODES_2_6,
    },
    Behaviour {
        from: DebeziumVersion(3, 3, 0),
        to: DebeziumVersion(3, 3, LAST),
        seek: Seek::OptIn,
        seek_failure: OnFailure::Fatal,
        check: PositionCheck::AtMostCommit,
        check_failure: OnFailure::Fatal,
        snapshot_modes: MODES_3_3,
    },
    Behaviour {
        from: DebeziumVersion(3, 4, 0),
        to: DebeziumVersion(3, 5, LAST),
        seek: Seek::ByStrategy,
        seek_failure: OnFailure::Fatal,
        check: PositionCheck::AtMostProcessed,
        check_failure: OnFailure::Fatal,
        snapshot_modes: MODES_3_3,
    },
    Behaviour {
        from: DebeziumVersion(3, 6, 0),
        to: DebeziumVersion(3, 7, LAST),
        seek: Seek::ByStrategyWhenAhead,
        seek_failure: OnFailure::Fatal,
        check: PositionCheck::AtMostProcessed,
        check_failure: OnFailure::Fatal,
        snapshot_modes: MODES_3_3,
    },
];

/// `2.0.0 to 3.7`.
pub fn known_range() -> String {
    let [first, .., last] = &ALL;
    format!("{} to {}", first.from, last.to)
}

/// How a version behaves.
pub fn behaviour(version: DebeziumVersion) -> Result<&'static Behaviour, UpgradeError> {
    let found = ALL.iter().find(|row| row.covers(version));
    found.ok_or_else(|| UpgradeError::DebeziumVersion {
        version: version.to_string(),
        reason: "is not known here",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ranges_follow_each_other_without_a_hole() {
        for pair in ALL.windows(2) {
            let (end, next) = (pair[0].to, pair[1].from);
            let same_minor = end.2 != LAST && next == DebeziumVersion(end.0, end.1, end.2 + 1);
            let next_minor = end.2 == LAST && next == DebeziumVersion(end.0, end.1 + 1, 0);
            let next_major = end == DebeziumVersion(2, 7, LAST) && next == DebeziumVersion(3, 0, 0);
            assert!(same_minor || next_minor || next_major, "{end} {next}");
        }
    }

    #[test]
    fn releases_are_known_and_nothing_else_is() {
        for text in ["2.0.0", "2.4.0.Final", "3.0.8", "3.6.3", "3.7.0.Final"] {
            assert!(text.parse::<DebeziumVersion>().is_ok(), "{text}");
        }
        for text in [
            "1.9.7",
            "2.8.0",
            "3.8.0",
            "4.0.0",
            "3.6",
            "3.7.0.Alpha1",
            "",
            "a.b.c",
            "3.6.+1",
        ] {
            assert!(text.parse::<DebeziumVersion>().is_err(), "{text}");
        }
        assert_eq!(known_range(), "2.0.0 to 3.7");
    }

    #[test]
    fn ranges_are_named_as_people_name_them() {
        let range = |text: &str| behaviour(text.parse().unwrap()).unwrap().range();
        assert_eq!(range("2.1.1"), "Debezium 2.1.0 to 2.1.2");
        assert_eq!(range("2.4.0"), "Debezium 2.1.3 to 2.4");
        assert_eq!(range("2.5.4"), "Debezium 2.5");
        assert_eq!(range("2.7.4"), "Debezium 2.6 to 3.1");
        assert_eq!(range("3.6.3"), "Debezium 3.6 to 3.7");
    }
}
