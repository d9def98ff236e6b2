//! An object split by the outline of the one before it: topics hold millions of objects with the same names in the
//! same order, so the names need not be looked for again, nor whether one stands twice.
//!
//! The objects inside are split on the way, instead of being looked through once for their end and once more for their
//! members. The rule it protects: an outline decides nothing. An object that does not follow it is split as if there
//! was none; what is split by it is on the sample that the parser checks, like everything else.

use std::borrow::Cow;

use super::split::{string_end, value_end};
use super::words::same;
use super::{Fields, PLAIN_MAX, Shape};

/// Names of the members of the last object, in order.
#[derive(Debug, Default)]
pub struct Outline {
    members: Vec<Known>,
    /// How well it serves.
    luck: i32,
}

#[derive(Debug)]
struct Known {
    /// Its name as it stands in front of a value: `"name":`.
    name: Box<str>,
    /// Of the object that is its value.
    inside: Option<Box<Outline>>,
}

const LUCK_MAX: i32 = 256;
/// What an object costs that does not follow the outline.
const MISS: i32 = 16;

impl Outline {
    /// The object that begins here, and the place behind it; `None` if it does not follow the outline.
    pub(super) fn object<'a>(
        &mut self,
        json: &'a str,
        begin: usize,
    ) -> Option<(Fields<'a>, usize)> {
        if self.members.is_empty() {
            return None;
        }
        let bytes = json.as_bytes();
        let mut fields = Fields {
            members: Vec::with_capacity(self.members.len()),
            ..Fields::default()
        };
        let (mut at, mut before) = (begin, b'{');
        for (place, known) in self.members.iter_mut().enumerate() {
            let value = at + 1 + known.name.len();
            let name = bytes.get(at + 1..value)?;
            if *bytes.get(at)? != before || !same(name, known.name.as_bytes()) {
                return None;
            }
            before = b',';
            let inside = match &mut known.inside {
                Some(outline) if *bytes.get(value)? == b'{' => outline.object(json, value),
                _ => None,
            };
            let end = match inside {
                Some((inside, end)) => {
                    fields.inside.push((place, inside));
                    end
                }
                None if *bytes.get(value)? == b'"' => {
                    let (end, plain) = string_end(bytes, value + 1)?;
                    fields.plain |= u64::from(plain && place < PLAIN_MAX) << (place % PLAIN_MAX);
                    end
                }
                None => value_end(bytes, value)?,
            };
            let name = json.get(at + 2..value - 2)?;
            let member = (Cow::Borrowed(name), json.get(value..end)?);
            fields.members.push(member);
            at = end;
        }
        if *bytes.get(at)? != b'}' {
            return None;
        }
        self.luck = LUCK_MAX.min(self.luck + 1);
        Some((fields, at + 1))
    }

    /// Takes the outline of an object that was split without it.
    pub(super) fn learn(&mut self, fields: &Fields<'_>) {
        // Where objects differ all the time, learning costs more than it saves.
        if self.luck < -LUCK_MAX {
            self.members.clear();
            return;
        }
        self.luck -= MISS;
        let known = |(name, _): &(Cow<'_, str>, &str)| match name {
            Cow::Borrowed(name) => Some(Known {
                name: format!("\"{name}\":").into(),
                inside: None,
            }),
            Cow::Owned(_) => None,
        };
        // A name with an escape in it is written in more than one way.
        let members: Option<Vec<Known>> = fields.members.iter().map(known).collect();
        self.members = members.unwrap_or_default();
    }

    /// Learns what the objects inside look like, as far as they were not split.
    pub(super) fn look_inside(&mut self, fields: &Fields<'_>) {
        for (place, (_, value)) in fields.members.iter().enumerate() {
            let split = || fields.inside.iter().any(|(of, _)| *of == place);
            if value.starts_with('{')
                && !split()
                && let Some(known) = self.members.get_mut(place)
                && let Ok(Shape::Object(inside)) = Fields::parse(value)
            {
                known.inside.get_or_insert_default().learn(&inside);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<'a>(json: &'a str, outline: &mut Outline) -> Fields<'a> {
        match Fields::parse_like(json, outline) {
            Ok(Shape::Object(fields)) => fields,
            other => panic!("{json}: {other:?}"),
        }
    }

    #[test]
    fn objects_that_follow_the_outline_are_split_to_the_same_members_as_without() {
        let objects = [
            r#"{"a":1,"b":{"c":"x","d":null},"e":[1,2]}"#,
            r#"{"a":22,"b":{"c":"\"}","d":3},"e":{}}"#,
            r#"{"a":null,"b":null,"e":[]}"#,
            r#"{"a":0,"b":{"c":1},"e":{"f":1}}"#,
            r#"{"a":0,"b":{"d":1,"c":1},"e":{"f":1}}"#,
            r#"{"a":0,"e":1}"#,
            r#"{"a":0,"b":1,"e":2,"f":3}"#,
            "{}",
            r#"{"\u0061":0,"b":1,"e":2,"f":3}"#,
            r#"{ "a": 0 }"#,
        ];
        let mut outline = Outline::default();
        for first in objects {
            for second in objects {
                // Learns the one, its inside, and meets the other.
                for json in [first, first, second, second] {
                    let fields = parse(json, &mut outline);
                    let Ok(Shape::Object(plain)) = Fields::parse(json) else {
                        panic!("{json}");
                    };
                    assert_eq!(fields.members, plain.members, "{json}");
                    for (place, inside) in &fields.inside {
                        let value = fields.members[*place].1;
                        let Ok(Shape::Object(plain)) = Fields::parse(value) else {
                            panic!("{value}");
                        };
                        assert_eq!(inside.members, plain.members, "{value}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_follows_is_split_inside_too_and_damage_is_found_as_without() {
        let json = r#"{"a":{"b":1},"c":"x"}"#;
        let mut outline = Outline::default();
        for _ in 0..3 {
            parse(json, &mut outline);
        }
        assert_eq!(parse(json, &mut outline).inside.len(), 1);
        let damaged = [
            r#"{"a":{"b":1},"c":"x"}}"#,
            r#"{"a":{"b":1},"c":"x"} "#,
            r#"{"a":{"b":1},"c":"x""#,
            r#"{"a":{"b":1,"c":"x"}"#,
            r#"{"a":{"b":},"c":"x"}"#,
            r#"{"a":{"b":1},"c":x}"#,
            r#"{"a":{"b":1},"a":2}"#,
            r#"{"a":{"b":01},"c":2}"#,
        ];
        for json in damaged {
            let with = Fields::parse_like(json, &mut outline).map(|_| ());
            let without = Fields::parse(json).map(|_| ());
            assert_eq!(with, without, "{json}");
        }
    }

    #[test]
    fn where_every_object_differs_nothing_is_learned_any_more() {
        let mut outline = Outline::default();
        for number in 0..100 {
            parse(&format!("{{\"m{number}\":1}}"), &mut outline);
        }
        assert!(outline.members.is_empty());
    }
}
