//! A JSON object taken apart without copying: names and the exact text of each value.
//!
//! Numbers stay text until the column's type is known; a detour over `f64` would round what it compares. An object
//! with two members of one name is refused: readers differ in which of the two they take.

mod outline;
mod split;
mod words;

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

pub use outline::Outline;
use split::split;

/// Members of an object in the order they stand there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields<'a> {
    members: Vec<Member<'a>>,
    /// Objects among the values, by place, as far as they were taken apart on the way.
    inside: Vec<(usize, Fields<'a>)>,
    /// Places, up to [`PLAIN_MAX`], of values that are known to be strings that stand for themselves.
    plain: u64,
}

const PLAIN_MAX: usize = u64::BITS as usize;

/// A name, and the exact text of its value.
type Member<'a> = (Cow<'a, str>, &'a str);

/// A JSON text that is an object, null, or something else.
#[derive(Debug, Clone)]
pub(crate) enum Shape<'a> {
    Object(Fields<'a>),
    Null,
    Other(&'a str),
}

impl<'a> Fields<'a> {
    pub(crate) fn parse(json: &'a str) -> Result<Shape<'a>, String> {
        let text = json.trim_start();
        if text.starts_with('{') {
            if let Some(members) = quickly(text) {
                return Ok(Shape::Object(Fields::of(members)));
            }
            let members = parsed(text).map_err(|error| no_json(&error))?;
            return Ok(Shape::Object(Fields::of(members)));
        }
        let value: &RawValue = serde_json::from_str(text).map_err(|error| no_json(&error))?;
        Ok(match value.get() {
            "null" => Shape::Null,
            other => Shape::Other(other),
        })
    }

    /// As [`Fields::parse`], of one of many objects that look alike.
    pub(crate) fn parse_like(json: &'a str, outline: &mut Outline) -> Result<Shape<'a>, String> {
        if let Some(fields) = like(json, outline) {
            return Ok(Shape::Object(fields));
        }
        let shape = Fields::parse(json)?;
        if let Shape::Object(fields) = &shape {
            outline.learn(fields);
        }
        Ok(shape)
    }

    fn of(members: Vec<Member<'a>>) -> Fields<'a> {
        Fields {
            members,
            ..Fields::default()
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        let name = name.as_bytes();
        let named = |(key, _): &Member<'_>| words::same(key.as_bytes(), name);
        self.members.iter().position(named)
    }

    /// The text of a member; a member that is `null` counts as there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.place(name).map(|place| self.members[place].1)
    }

    /// A member that is neither missing nor null, taken apart. It can be had once.
    pub(crate) fn take(&mut self, name: &str) -> Option<Result<Shape<'a>, String>> {
        let place = self.place(name)?;
        if let Some(at) = self.inside.iter().position(|(of, _)| *of == place) {
            return Some(Ok(Shape::Object(self.inside.swap_remove(at).1)));
        }
        let value = Some(self.members[place].1).filter(|value| *value != "null")?;
        Some(Fields::parse(value))
    }

    /// As [`Fields::get`], looking at a likely place first.
    pub(crate) fn get_near(&self, place: usize, name: &str) -> Option<&'a str> {
        self.near(place, name).map(|(value, _)| value)
    }

    /// The same, and whether the value is known to be a string that stands for itself.
    pub(crate) fn near(&self, place: usize, name: &str) -> Option<(&'a str, bool)> {
        match self.members.get(place) {
            Some((key, value)) if words::same(key.as_bytes(), name.as_bytes()) => {
                let plain = place < PLAIN_MAX && self.plain >> place & 1 == 1;
                Some((value, plain))
            }
            _ => Some((self.get(name)?, false)),
        }
    }

    /// A member that is neither missing nor null.
    pub(crate) fn present(&self, name: &str) -> Option<&'a str> {
        self.get(name).filter(|value| *value != "null")
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn string(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.get(name)?)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }
}

thread_local! {
    /// Objects until the next one that is split both ways.
    static UNTIL_CHECK: Cell<u32> = const { Cell::new(0) };
    /// The parser saw something else than [`split`] did: from there on only the parser counts.
    static DISTRUSTED: Cell<bool> = const { Cell::new(false) };
}

/// One object in so many is split both ways.
const CHECK_EVERY: u32 = 1024;

/// What there is to say once an object was found that the parser reads otherwise.
pub(super) fn distrust() -> Option<String> {
    let said = "a record was read otherwise by the JSON parser than by the quick splitting of objects, so what was \
                read before it may be wrong; every later record went through the parser";
    DISTRUSTED.get().then(|| said.to_owned())
}

/// The members without the parser, if that can be trusted with this object.
fn quickly(text: &str) -> Option<Vec<Member<'_>>> {
    if DISTRUSTED.get() {
        return None;
    }
    let members = split(text)?;
    let members: Vec<Member<'_>> = members
        .into_iter()
        .map(|(name, value)| (Cow::Borrowed(name), value))
        .collect();
    (!twice(&members) && confirmed(text, &members)).then_some(members)
}

/// As [`quickly`], by an outline. No name stands twice in what follows it.
fn like<'a>(text: &'a str, outline: &mut Outline) -> Option<Fields<'a>> {
    if DISTRUSTED.get() {
        return None;
    }
    let (fields, end) = outline.object(text, 0)?;
    if end != text.len() || !confirmed(text, &fields.members) {
        return None;
    }
    for (place, inside) in &fields.inside {
        if !confirmed(fields.members[*place].1, &inside.members) {
            return None;
        }
    }
    outline.look_inside(&fields);
    Some(fields)
}

/// Whether the parser gives these members, too: asked for one object in [`CHECK_EVERY`].
fn confirmed(text: &str, members: &[Member<'_>]) -> bool {
    let until = UNTIL_CHECK.get();
    if until > 0 {
        UNTIL_CHECK.set(until - 1);
        return true;
    }
    UNTIL_CHECK.set(CHECK_EVERY - 1);
    let same = parsed(text).is_ok_and(|parsed| parsed == members);
    DISTRUSTED.set(!same);
    same
}

/// The members by the parser.
fn parsed(text: &str) -> Result<Vec<Member<'_>>, serde_json::Error> {
    let Members(members) = serde_json::from_str(text)?;
    Ok(members)
}

/// What stands between the quotation marks of a JSON string.
pub(crate) fn between(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// The value of a JSON string.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    let inside = between(json);
    if let Some(text) = inside.filter(|text| words::special(text.as_bytes()).is_none()) {
        return Some(Cow::Borrowed(text));
    }
    serde_json::from_str::<Text<'_>>(json)
        .ok()
        .map(|text| text.0)
}

/// As [`string`], with `room` for what has to be put together. `None` if it takes a parser to tell.
pub(crate) fn short_string<'t>(json: &'t str, room: &'t mut String) -> Option<&'t str> {
    let mut rest = between(json)?;
    room.clear();
    while let Some(place) = words::special(rest.as_bytes()) {
        let (head, tail) = rest.split_at_checked(place)?;
        room.push_str(head);
        let mut escape = tail.strip_prefix('\\')?.chars();
        room.push(match escape.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            itself @ ('"' | '\\' | '/') => itself,
            _ => return None,
        });
        rest = escape.as_str();
    }
    if room.is_empty() {
        return Some(rest);
    }
    room.push_str(rest);
    Some(room)
}

/// Up to so many members, looking at all pairs is cheaper than a set.
const PAIRS_MAX: usize = 48;
const TWICE: &str = "two members of one name";

fn twice(members: &[Member<'_>]) -> bool {
    if members.len() > PAIRS_MAX {
        let mut seen = HashSet::with_capacity(members.len());
        return !members.iter().all(|(name, _)| seen.insert(name.as_ref()));
    }
    let before = |place: usize| members[..place].iter();
    let known = |(place, (name, _)): (usize, &(Cow<'_, str>, _))| {
        before(place).any(|(other, _)| other == name)
    };
    members.iter().enumerate().any(known)
}

fn no_json(error: &serde_json::Error) -> String {
    // The category and place only: the message could quote row values.
    let column = error.column();
    match error.classify() {
        Category::Data => format!("a JSON object with {TWICE} (ends at column {column})"),
        _ => format!("no valid JSON (column {column})"),
    }
}

#[derive(serde::Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Members<'a>(Vec<Member<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Text(name)) = map.next_key()? {
                    let value: &RawValue = map.next_value()?;
                    members.push((name, value.get()));
                }
                match twice(&members) {
                    true => Err(A::Error::custom(TWICE)),
                    false => Ok(Members(members)),
                }
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_parser_reads_otherwise_is_said_and_from_then_on_only_the_parser_counts() {
        // Brackets that do not match; the quick way counts them only.
        let broken = "{\"a\":[1}}";
        let plain = "{\"a\":1}";
        UNTIL_CHECK.set(1);
        assert!(matches!(Fields::parse(plain), Ok(Shape::Object(_))));
        assert_eq!(distrust(), None);
        assert!(Fields::parse(broken).is_err());
        assert!(distrust().is_some_and(|said| said.contains("read otherwise")));
        assert!(Fields::parse(broken).is_err());
        assert!(matches!(Fields::parse(plain), Ok(Shape::Object(_))));
        DISTRUSTED.set(false);
        UNTIL_CHECK.set(0);
    }

    #[test]
    fn strings_are_put_together_as_the_parser_does_or_left_to_it() {
        let mut room = String::new();
        let strings = [
            "\"\"",
            "\"plain\"",
            "\"\\\"\"",
            "\"a\\nb\\\\ and a long tail é東\"",
            "\"\\/\\b\\f\\r\\t\"",
        ];
        for json in strings {
            let expected = serde_json::from_str::<String>(json).unwrap();
            assert_eq!(short_string(json, &mut room), Some(expected.as_str()));
        }
        for json in [
            "\"\\u00e9\"",
            "\"\u{1}\"",
            "\"a\"b\"",
            "\"\\\"",
            "1",
            "\"",
            "\"\\x\"",
        ] {
            assert_eq!(short_string(json, &mut room), None, "{json}");
        }
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_in_small_objects_and_in_large_ones() {
        for members in [2, 3, PAIRS_MAX, PAIRS_MAX + 1, 500] {
            let list = |last: &str| {
                let mut names: Vec<String> =
                    (1..members).map(|n| format!("\"c{n}\":{n}")).collect();
                names.push(format!("\"{last}\":0"));
                format!("{{{}}}", names.join(","))
            };
            assert!(Fields::parse(&list("c0")).is_ok(), "{members}");
            // The same name, spelt with an escape.
            for last in ["c1", "\\u00631"] {
                let why = Fields::parse(&list(last)).err().unwrap();
                assert!(why.contains(TWICE), "{members}: {why}");
            }
        }
        assert!(Fields::parse("{\"a\":1,").is_err_and(|why| why.starts_with("no valid JSON")));
    }
}
