//! Seeded changes to bytes: what a broken disk, a wrong schema or somebody with bad intentions would make of them.

/// A small, stable random generator: what was found once is found again.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// 0..bound, and 0 for an empty range.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % (bound.max(1) as u64)).unwrap()
    }
}

/// No input grows beyond this.
const LONGEST: usize = 64 * 1024;

/// Texts that readers of JSON, numbers, times and Avro trip over.
const WORDS: &[&[u8]] = &[
    b"null",
    b"{",
    b"}",
    b"[[[[[[[[[[[[[[[[",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b",",
    b":",
    b"\"before\":null,",
    b"\"after\":{},",
    b"\"op\":\"d\",",
    b"\"lsn\":9223372036854775807",
    b"\"lsn\":-1",
    b"\"scale\":-20000,",
    b"1e999999999",
    b"1e-19999",
    b"-9223372036854775808",
    b"18446744073709551616",
    b"0.00000000000000000000000000000001",
    b"NaN",
    b"-Infinity",
    b"infinity",
    b" BC",
    b"+00",
    b"294277-01-01",
    b"24:00:60.9999999",
    b"__debezium_unavailable_value",
    b"\xC3\x28",
    b"\xEF\xBB\xBF",
    b"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"\x7F\xFF\xFF\xFF",
    b"\x80\x00\x00\x00",
    b"\xFF\xFF\xFF\xFF",
    b"\x00\x00\x00\x00",
];

/// Values that stand where another one stood in a JSON text, which stays one.
const VALUES: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "9223372036854775807",
    "18446744073709551616",
    "1e400",
    "1e-19999",
    "0.10",
    "\"\"",
    "\"d\"",
    "\"r\"",
    "\"m\"",
    "\"NaN\"",
    "\"-Infinity\"",
    "\"\\u0000\\ud83d\\ude00\"",
    "\"AA==\"",
    "\"gA==\"",
    "\"-4713-11-24T24:00:00Z\"",
    "\"+294277-01-01T00:00:00.1234567Z\"",
    "\"__debezium_unavailable_value\"",
    "[]",
    "[null,[1],\"x\"]",
    "{}",
    "{\"scale\":-20000,\"value\":\"fw==\"}",
    "{\"scale\":20001,\"value\":\"\"}",
    "{\"id\":1,\"id\":2}",
];

/// One to eight changes; `other` is spliced in now and then. A third of the inputs stay what they are but for values,
/// so that they get past the first look.
pub fn mutated(original: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = original.to_vec();
    let gently = dice.below(3) == 0;
    for _ in 0..=dice.below(8) {
        if !(gently && another_value(&mut bytes, dice)) {
            one(&mut bytes, other, dice);
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// Puts another value behind one of the colons; `false` where there is none.
fn another_value(bytes: &mut Vec<u8>, dice: &mut Dice) -> bool {
    let colons: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] == b':').collect();
    let Some(colon) = colons.get(dice.below(colons.len())).copied() else {
        return false;
    };
    let ends = |byte: &u8| matches!(byte, b',' | b'}' | b']');
    let rest = &bytes[colon + 1..];
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let value = VALUES[dice.below(VALUES.len())].bytes();
    bytes.splice(colon + 1..colon + 1 + length, value);
    true
}

fn one(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.below(bytes.len());
    match dice.below(9) {
        0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
        1 if !bytes.is_empty() => bytes[at] = [0, 1, 0x7F, 0x80, 0xFF, b'"', b'0'][dice.below(7)],
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..(at + 1 + dice.below(32)).min(bytes.len()).max(at))),
        4 => insert(bytes, at, WORDS[dice.below(WORDS.len())]),
        5 => {
            let end = (at + dice.below(256)).min(bytes.len());
            let again = bytes[at.min(end)..end].to_vec();
            for _ in 0..=dice.below(4) {
                insert(bytes, at, &again);
            }
        }
        6 => {
            let from = dice.below(other.len());
            let end = (from + dice.below(512)).min(other.len());
            insert(bytes, at, &other[from..end]);
        }
        7 => {
            // The same byte very often: depth, or a number without end.
            let byte = [b'[', b'{', b'9', b'0', b'a', 0xFF, 0x02][dice.below(7)];
            insert(bytes, at, &vec![byte; dice.below(20_000)]);
        }
        _ => {
            let chance: Vec<u8> = (0..dice.below(16))
                .map(|_| (dice.next() & 0xFF) as u8)
                .collect();
            insert(bytes, at, &chance);
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, more: &[u8]) {
    let at = at.min(bytes.len());
    bytes.splice(at..at, more.iter().copied());
}
