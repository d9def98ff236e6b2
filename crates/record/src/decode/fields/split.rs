//! A JSON object split into members without a parser, for objects as converters write them: no blanks, no escapes in
//! names. Anything else is `None`, and the parser decides.
//!
//! Inside a JSON string every quotation mark is escaped, so strings are gone through from one byte that does not stand
//! for itself to the next, and brackets count only between strings. What this does not see (brackets that do not match
//! inside a value that nobody takes apart) is seen when the value is read. The rule it protects: it never gives members
//! that the parser would not; [`super`] checks that on a sample.

use super::words::{digits, special};

/// Members with the exact text of their values, in order.
pub(super) fn split(json: &str) -> Option<Vec<(&str, &str)>> {
    let bytes = json.as_bytes();
    let inside = bytes.strip_prefix(b"{")?;
    let mut members = Vec::with_capacity(16);
    if inside == b"}" {
        return Some(members);
    }
    let mut at = 1;
    loop {
        let open = at;
        let close = name_end(bytes, open)?;
        if *bytes.get(close + 1)? != b':' {
            return None;
        }
        let begin = close + 2;
        let end = value_end(bytes, begin)?;
        members.push((json.get(open + 1..close)?, json.get(begin..end)?));
        match *bytes.get(end)? {
            b',' => at = end + 1,
            b'}' if end + 1 == bytes.len() => return Some(members),
            _ => return None,
        }
    }
}

/// Place of the quotation mark that ends a name without escapes.
fn name_end(bytes: &[u8], open: usize) -> Option<usize> {
    if *bytes.get(open)? != b'"' {
        return None;
    }
    let name = bytes.get(open + 1..)?;
    let length = name
        .iter()
        .position(|byte| *byte == b'"' || *byte == b'\\' || *byte < 0x20)?;
    (*name.get(length)? == b'"').then_some(open + 1 + length)
}

/// The place behind a value.
pub(super) fn value_end(bytes: &[u8], begin: usize) -> Option<usize> {
    match *bytes.get(begin)? {
        b'"' => string_end(bytes, begin + 1).map(|(end, _)| end),
        b'{' | b'[' => nested_end(bytes, begin),
        b't' => word_end(bytes, begin, b"true"),
        b'f' => word_end(bytes, begin, b"false"),
        b'n' => word_end(bytes, begin, b"null"),
        _ => number_end(bytes, begin),
    }
}

fn word_end(bytes: &[u8], begin: usize, word: &[u8]) -> Option<usize> {
    bytes
        .get(begin..)?
        .starts_with(word)
        .then_some(begin + word.len())
}

/// The place behind the string whose content begins here, and whether that stands for itself, without escapes.
pub(super) fn string_end(bytes: &[u8], begin: usize) -> Option<(usize, bool)> {
    let (mut at, mut plain) = (begin, true);
    loop {
        at += special(bytes.get(at..)?)?;
        match *bytes.get(at)? {
            b'"' => return Some((at + 1, plain)),
            b'\\' => plain = false,
            // A control character, which no string of JSON holds.
            _ => return None,
        }
        at += match *bytes.get(at + 1)? {
            b'u' => {
                let digits = bytes.get(at + 2..at + 6)?;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(6)?
            }
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 2,
            _ => return None,
        };
    }
}

/// The place behind an object or array.
fn nested_end(bytes: &[u8], begin: usize) -> Option<usize> {
    let (mut at, mut depth) = (begin, 0_u32);
    loop {
        match *bytes.get(at)? {
            b'"' => {
                (at, _) = string_end(bytes, at + 1)?;
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            // Deeper than the parser goes, and nothing that a converter writes.
            _ if depth > 100 => return None,
            _ => {}
        }
        at += 1;
    }
}

/// The place behind a number as JSON has them.
fn number_end(bytes: &[u8], begin: usize) -> Option<usize> {
    let digits = |from: usize| digits(bytes, from);
    let whole = begin + usize::from(*bytes.get(begin)? == b'-');
    let length = digits(whole);
    if length == 0 || (length > 1 && *bytes.get(whole)? == b'0') {
        return None;
    }
    let mut at = whole + length;
    if bytes.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        at = (fraction > 0).then_some(at + 1 + fraction)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits(at + 1 + sign);
        at = (exponent > 0).then_some(at + 1 + sign + exponent)?;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::super::parsed;
    use super::*;

    const OBJECTS: [&str; 8] = [
        "{}",
        r#"{"a":1}"#,
        r#"{"a":-1.5e+10,"b":null,"c":true,"d":false,"e":0}"#,
        r#"{"a":"x","b":"","c":"\"}{\\","d":"\u00e9\n","é":"é東"}"#,
        r#"{"a":{"b":{"c":"}"},"d":[1,"]",{"e":[]}]},"f":[],"g":{}}"#,
        r#"{"before":null,"after":{"id":1,"t":"a,\"b\":{"},"source":{"lsn":5,"x":[1]},"op":"c","ts_ms":17}"#,
        r#"{"a":0.10,"b":1E5,"c":123456789012345678901234567890}"#,
        r#"{"a":"\\","b":"\\\"","c":"\/"}"#,
    ];

    #[test]
    fn objects_as_converters_write_them_are_split_as_the_parser_does() {
        for json in OBJECTS {
            let members = split(json).unwrap_or_else(|| panic!("{json}"));
            let theirs = parsed(json).unwrap();
            let theirs: Vec<(&str, &str)> = theirs
                .iter()
                .map(|(name, value)| (name.as_ref(), *value))
                .collect();
            assert_eq!(members, theirs);
        }
    }

    /// Every byte of every object taken away, doubled and replaced: what is split, the parser splits the same way,
    /// unless the damage is inside a value that is read later.
    #[test]
    fn damaged_objects_are_never_split_otherwise_than_the_parser_does() {
        let (mut same, mut later) = (0, 0);
        for json in OBJECTS {
            for place in (0..json.len()).filter(|place| json.is_char_boundary(*place)) {
                let next = json[place..].chars().next().unwrap().len_utf8();
                let (head, tail) = (&json[..place], &json[place + next..]);
                let mut damaged = vec![format!("{head}{tail}"), head.to_owned()];
                for other in [
                    "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "0", "-", "x", "\n",
                ] {
                    damaged.push(format!("{head}{other}{tail}"));
                    damaged.push(format!("{head}{other}{}", &json[place..]));
                }
                for text in damaged {
                    let Some(members) = split(&text) else {
                        continue;
                    };
                    match parsed(&text) {
                        Ok(theirs) => {
                            same += 1;
                            let theirs = theirs.iter().map(|(name, value)| (name.as_ref(), *value));
                            assert_eq!(members, theirs.collect::<Vec<_>>(), "{text}");
                        }
                        // Some value is none, or a name stands twice: reading or the check of names tells.
                        Err(_) => {
                            later += 1;
                            let read =
                                |value: &str| serde_json::from_str::<serde_json::Value>(value);
                            let mut names: Vec<&str> =
                                members.iter().map(|(name, _)| *name).collect();
                            names.sort_unstable();
                            let twice = names.windows(2).any(|pair| pair[0] == pair[1]);
                            let broken = members.iter().any(|(_, value)| read(value).is_err());
                            assert!(twice || broken, "{text}");
                        }
                    }
                }
            }
        }
        assert!(same > 200 && later > 0, "{same} {later}");
    }
}
