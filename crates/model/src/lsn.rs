//! Places in a write-ahead log, and whose log it is.
//!
//! An LSN alone names nothing: pg_upgrade, a dump, a restore all start LSNs anew (or use them twice), so
//! positions compare only inside one [`Incarnation`]. Comparing LSNs of two incarnations is the mistake
//! behind most silent losses; the types keep them apart.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A log sequence number: a byte position in one server's write-ahead log.
///
/// Text form is PostgreSQL's own `X/Y` (two hexadecimal halves). Debezium stores the same number in decimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Lsn(pub u64);

/// Records of the log begin at multiples of this many bytes.
const RECORD_ALIGNMENT: u64 = 8;

impl Lsn {
    /// PostgreSQL's "no position" (`0/0`).
    pub const INVALID: Lsn = Lsn(0);

    /// The position as a signed number, the form that ledgers and Debezium's offsets use.
    /// No real LSN reaches 2^63, so nothing is lost.
    pub fn as_i64(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Reads the signed form back; a negative number is no LSN.
    pub fn from_i64(value: i64) -> Option<Lsn> {
        u64::try_from(value).ok().map(Lsn)
    }

    /// One byte before: a position inside the record that ends here, so that of no record, and of no change.
    pub fn just_before(self) -> Lsn {
        Lsn(self.0.saturating_sub(1))
    }

    /// Whether no record begins after this position and before `later`, of the same log: records begin at multiples
    /// of eight (PostgreSQL aligns them to MAXALIGN, which is 8 on every 64-bit machine).
    pub fn adjoins(self, later: Lsn) -> bool {
        self <= later && later.0 - self.0 < RECORD_ALIGNMENT
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}/{:X}", self.0 >> 32, self.0 & 0xFFFF_FFFF)
    }
}

/// The text was not of the form `X/Y`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is not an LSN of the form X/Y (two hexadecimal numbers)")]
pub struct LsnParseError(String);

impl FromStr for Lsn {
    type Err = LsnParseError;

    fn from_str(text: &str) -> Result<Lsn, LsnParseError> {
        let bad = || LsnParseError(text.to_owned());
        let (high, low) = text.split_once('/').ok_or_else(bad)?;
        let half = |part: &str| {
            let digits = !part.is_empty() && part.len() <= 8;
            let hexadecimal = part.bytes().all(|byte| byte.is_ascii_hexdigit());
            if digits && hexadecimal {
                u64::from_str_radix(part, 16).map_err(|_| bad())
            } else {
                Err(bad())
            }
        };
        Ok(Lsn(half(high)? << 32 | half(low)?))
    }
}

impl Serialize for Lsn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lsn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Lsn, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// One life of a database. A crash restart and a minor upgrade keep it; every other upgrade kind changes it.
///
/// A plain file copy opened twice has the same triple: content is then the last evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Incarnation {
    /// `pg_control_system().system_identifier`. Written as text, since JSON readers round at 2^53.
    #[serde(with = "u64_text")]
    pub system_id: u64,
    /// `pg_control_checkpoint().timeline_id`.
    pub timeline: u32,
    /// `pg_database.oid` of the captured database.
    pub database_oid: u32,
}

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "system {} timeline {} database {}",
            self.system_id, self.timeline, self.database_oid
        )
    }
}

/// A position that can be compared: an LSN together with the life it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Position {
    /// Whose write-ahead log.
    pub incarnation: Incarnation,
    /// Where in it.
    pub lsn: Lsn,
}

impl PartialOrd for Position {
    /// Positions of two incarnations have no order: `None`.
    fn partial_cmp(&self, other: &Position) -> Option<std::cmp::Ordering> {
        (self.incarnation == other.incarnation).then(|| self.lsn.cmp(&other.lsn))
    }
}

mod u64_text {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lsn_text_is_postgresqls_own() {
        for text in ["0/0", "0/16B3748", "16/B374D848", "FFFFFFFF/FFFFFFFF"] {
            assert_eq!(text.parse::<Lsn>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn no_record_begins_within_a_records_alignment() {
        let at = Lsn(0x70A_5490);
        assert!(at.just_before().adjoins(at) && at.adjoins(at));
        assert!(!Lsn(at.0 - 8).adjoins(at));
        assert!(!at.adjoins(at.just_before()));
        assert_eq!(Lsn::INVALID.just_before(), Lsn::INVALID);
    }

    #[test]
    fn what_is_no_lsn_is_refused() {
        for text in [
            "",
            "/",
            "1",
            "1/",
            "/1",
            "0/0/0",
            "g/1",
            "0/+1",
            "0/ 1",
            "123456789/0",
        ] {
            assert!(text.parse::<Lsn>().is_err(), "{text}");
        }
    }

    #[test]
    fn positions_of_two_lives_do_not_compare() {
        let old = Incarnation {
            system_id: 1,
            timeline: 1,
            database_oid: 5,
        };
        let new = Incarnation {
            system_id: 2,
            ..old
        };
        let at = |incarnation, lsn| Position {
            incarnation,
            lsn: Lsn(lsn),
        };
        assert!(at(old, 1) < at(old, 2));
        assert_eq!(at(old, 1).partial_cmp(&at(new, 2)), None);
    }
}
