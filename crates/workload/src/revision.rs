//! Numbers that make rows and changes of the load tellable: who owns which identities, and how a
//! revision is put together.
//!
//! A revision is `session | transaction | attempt | place`, so it is unique over all sessions and
//! attempts, rises with every change of a row, depends on nothing but the seed's sequence, and
//! stays below 2^53 (some JSON readers know no larger whole numbers).

/// Most sessions that a load can have.
pub const SESSIONS_MAX: u16 = 500;

/// Changes that one transaction can hold.
pub(crate) const CHANGES_MAX: usize = 1 << PLACE_BITS;

const PLACE_BITS: u32 = 8;
const ATTEMPT_BITS: u32 = 8;
const NUMBER_BITS: u32 = 28;
const IDS_PER_SESSION: i64 = 10_000_000_000;

/// Tries of one transaction that can be told apart. Only tries that reached the server count.
pub(crate) const ATTEMPTS_MAX: u32 = 1 << ATTEMPT_BITS;

/// First and one-past-last identity that a session may give to its rows.
pub(crate) fn own_ids(session: u16) -> (i64, i64) {
    let first = i64::from(session) * IDS_PER_SESSION;
    (first + 1, first + IDS_PER_SESSION)
}

/// The revision of one change.
pub(crate) fn revision(session: u16, number: u64, attempt: u32, place: usize) -> i64 {
    let mask = |value: u64, bits: u32| value & ((1 << bits) - 1);
    let mut value = u64::from(session);
    value = (value << NUMBER_BITS) | mask(number, NUMBER_BITS);
    value = (value << ATTEMPT_BITS) | mask(u64::from(attempt), ATTEMPT_BITS);
    value = (value << PLACE_BITS) | mask(place as u64, PLACE_BITS);
    value.cast_signed()
}

/// Number of the transaction that a revision was made by.
pub(crate) fn number_of(revision: i64) -> u64 {
    (revision.cast_unsigned() >> (ATTEMPT_BITS + PLACE_BITS)) & ((1 << NUMBER_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_rise_with_place_attempt_and_transaction_and_stay_exact_in_json() {
        let steps = [
            revision(3, 7, 0, 0),
            revision(3, 7, 0, 255),
            revision(3, 7, 1, 0),
            revision(3, 8, 0, 0),
            revision(4, 0, 0, 0),
        ];
        assert!(steps.is_sorted_by(|a, b| a < b));
        let largest = revision(SESSIONS_MAX, (1 << NUMBER_BITS) - 1, 255, 255);
        assert!(largest < 1 << 53);
        assert_eq!(number_of(revision(9, 123_456, 5, 6)), 123_456);
    }

    #[test]
    fn sessions_never_share_an_identity() {
        for session in 0..SESSIONS_MAX {
            assert!(own_ids(session).1 < own_ids(session + 1).0);
        }
    }
}
