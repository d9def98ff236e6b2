//! Looking through text eight bytes at a time, since every byte of every record is looked at.
//!
//! A word is read with its first byte lowest, and a mark is the high bit of a byte. The marks may be wrong above the
//! lowest one, which alone is used.

/// Eight bytes; `None` near the end.
fn word(bytes: &[u8], at: usize) -> Option<u64> {
    let eight = bytes.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_le_bytes(*eight))
}

const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Marks bytes that are this one.
fn equal(word: u64, byte: u8) -> u64 {
    let differing = word ^ each(byte);
    differing.wrapping_sub(each(1)) & !differing & each(0x80)
}

/// Marks what does not stand for itself inside a string: its end, escapes, control characters.
fn special_marks(word: u64) -> u64 {
    let control = word.wrapping_sub(each(0x20)) & !word & each(0x80);
    equal(word, b'"') | equal(word, b'\\') | control
}

/// Marks what is no digit.
fn other_than_digits(word: u64) -> u64 {
    let digits = word ^ each(b'0');
    (digits.wrapping_add(each(0x76)) | digits) & each(0x80)
}

/// Which of the eight bytes the lowest mark is at; 8 if there is none.
fn first(marks: u64) -> usize {
    marks.trailing_zeros() as usize / 8
}

/// Whether two texts are the same: names of members mostly, which are too short for what a call costs.
#[inline]
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    let length = one.len();
    if length != other.len() {
        return false;
    }
    if length > 16 {
        return one == other;
    }
    // The first and the last eight bytes overlap, or there are not so many.
    match (word(one, 0), word(other, 0)) {
        (Some(head), Some(head_of_other)) => {
            head == head_of_other && word(one, length - 8) == word(other, length - 8)
        }
        _ => one.iter().eq(other),
    }
}

/// How many digits stand here.
pub(super) fn digits(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(word) = word(bytes, at) {
        let before = first(other_than_digits(word));
        at += before;
        if before < 8 {
            return at - from;
        }
    }
    let rest = bytes.get(at..).unwrap_or_default();
    let more = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    at + more - from
}

/// Place of the first byte that does not stand for itself inside a string.
pub(super) fn special(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = word(bytes, at) {
        let before = first(special_marks(word));
        at += before;
        if before < 8 {
            return Some(at);
        }
    }
    let is_special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    let rest = bytes.get(at..)?;
    rest.iter().position(is_special).map(|place| at + place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_the_same_if_each_byte_is() {
        let text = b"0123456789abcdefghij";
        for length in 0..text.len() {
            assert!(same(&text[..length], &text[..length]));
            assert!(!same(&text[..length], &text[..length + 1]));
            for place in 0..length {
                let mut other = text[..length].to_vec();
                other[place] ^= 0x80;
                assert!(!same(&text[..length], &other), "{place} of {length}");
            }
        }
    }

    /// Every byte at every place of a text with every other byte before and behind it.
    #[test]
    fn words_see_what_looking_at_each_byte_sees() {
        for byte in 0..=u8::MAX {
            for length in 0..20 {
                for place in 0..length {
                    for around in [b'0', b'a', b'"', 0x1F, 0x20, 0x80, 0xFF, b'/', b':'] {
                        let mut bytes = vec![around; length];
                        bytes[place] = byte;
                        let plain = |byte: &u8| *byte >= 0x20 && !b"\"\\".contains(byte);
                        let expected = bytes.iter().position(|byte| !plain(byte));
                        assert_eq!(special(&bytes), expected, "{bytes:?}");
                        let run = bytes.iter().take_while(|byte| byte.is_ascii_digit());
                        assert_eq!(digits(&bytes, 0), run.count(), "{bytes:?}");
                    }
                }
            }
        }
    }
}
