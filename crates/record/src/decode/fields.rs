//! A JSON object taken apart without copying: names and the exact text of each value.
//!
//! Numbers stay text until the column's type is known; a detour over `f64` would round what it compares. An object
//! with two members of one name is refused: readers differ in which of the two they take.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

/// Members of an object in the order they stand there.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

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
            let fields = serde_json::from_str(text).map_err(|error| no_json(&error))?;
            return Ok(Shape::Object(fields));
        }
        let value: &RawValue = serde_json::from_str(text).map_err(|error| no_json(&error))?;
        Ok(match value.get() {
            "null" => Shape::Null,
            other => Shape::Other(other),
        })
    }

    /// The text of a member; a member that is `null` counts as there.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let member = self.0.iter().find(|(key, _)| key == name);
        member.map(|(_, value)| value.get())
    }

    /// As [`Fields::get`], looking at a likely place first.
    pub(crate) fn get_near(&self, place: usize, name: &str) -> Option<&'a str> {
        match self.0.get(place) {
            Some((key, value)) if key == name => Some(value.get()),
            _ => self.get(name),
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
        self.0.iter().map(|(name, _)| name.as_ref())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The value of a JSON string.
pub(crate) fn string(json: &str) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(json)
        .ok()
        .map(|text| text.0)
}

/// Up to so many members, looking at all pairs is cheaper than a set.
const PAIRS_MAX: usize = 48;
const TWICE: &str = "two members of one name";

fn twice(members: &[(Cow<'_, str>, &RawValue)]) -> bool {
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

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'a>, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some(Text(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                match twice(&members) {
                    true => Err(A::Error::custom(TWICE)),
                    false => Ok(Fields(members)),
                }
            }
        }
        deserializer.deserialize_map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
