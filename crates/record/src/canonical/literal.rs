//! Values made of other values, as PostgreSQL prints them: arrays, ranges, hstore.
//!
//! What is printed inside is handed on as text; nothing is looked up and nothing is guessed.

use std::collections::BTreeMap;

use serde_json::Value;

/// Arrays have at most six dimensions.
const DEPTH_MAX: usize = 6;

/// An array taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Array {
    /// Elements in canonical form; `Value::Null` where there is none.
    pub(crate) elements: Value,
    /// It does not begin at 1.
    pub(crate) bounds: bool,
}

/// Takes `{1,NULL,"a b"}`, `{{1},{2}}` or `[0:1]={1,2}` apart, each element through `element`.
pub(crate) fn array(text: &str, element: &dyn Fn(&str) -> Option<String>) -> Option<Array> {
    let (bounds, body) = match text.strip_prefix('[') {
        Some(rest) => (true, &text[rest.find("]={")? + 3..]),
        None => (false, text),
    };
    let mut reader = Reader {
        rest: body,
        element,
    };
    let elements = reader.level(0)?;
    reader.rest.is_empty().then_some(Array { elements, bounds })
}

struct Reader<'a> {
    rest: &'a str,
    element: &'a dyn Fn(&str) -> Option<String>,
}

impl Reader<'_> {
    fn level(&mut self, depth: usize) -> Option<Value> {
        self.skip('{').filter(|()| depth < DEPTH_MAX)?;
        let mut items = Vec::new();
        if self.skip('}').is_some() {
            return Some(Value::Array(items));
        }
        loop {
            items.push(match self.rest.chars().next()? {
                '{' => self.level(depth + 1)?,
                '"' => Value::String((self.element)(&self.quoted()?)?),
                _ => self.bare()?,
            });
            if self.skip('}').is_some() {
                return Some(Value::Array(items));
            }
            self.skip(',')?;
        }
    }

    fn skip(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn quoted(&mut self) -> Option<String> {
        let (text, rest) = quoted(self.rest)?;
        self.rest = rest;
        Some(text)
    }

    fn bare(&mut self) -> Option<Value> {
        let end = self.rest.find([',', '}'])?;
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word {
            "" => None,
            "NULL" => Some(Value::Null),
            word => (self.element)(word).map(Value::String),
        }
    }
}

/// A text in double quotes, with `\` in front of quotes and backslashes, or the quote doubled; and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    let inside = text.get(1..)?;
    while let Some((place, letter)) = chars.next() {
        match letter {
            '\\' => out.push(chars.next()?.1),
            '"' if inside.get(place + 1..)?.starts_with('"') => {
                chars.next();
                out.push('"');
            }
            '"' => return Some((out, inside.get(place + 1..)?)),
            other => out.push(other),
        }
    }
    None
}

/// Takes `["a","b")`, `(,5]` or `empty` apart and puts it together again with each bound in canonical form.
pub(crate) fn range(text: &str, bound: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    if text == "empty" {
        return Some(text.to_owned());
    }
    let opening = text
        .chars()
        .next()
        .filter(|letter| "[(".contains(*letter))?;
    let closing = text
        .chars()
        .last()
        .filter(|letter| "])".contains(*letter))?;
    let inside = text.get(1..text.len() - 1)?;
    let (lower, rest) = one_bound(inside)?;
    let (upper, rest) = one_bound(rest.strip_prefix(',')?)?;
    if !rest.is_empty() {
        return None;
    }
    let canonical = |text: Option<String>| match text {
        Some(text) => bound(&text),
        None => Some(String::new()),
    };
    Some(format!(
        "{opening}{},{}{closing}",
        canonical(lower)?,
        canonical(upper)?
    ))
}

fn one_bound(text: &str) -> Option<(Option<String>, &str)> {
    if text.starts_with('"') {
        let (bound, rest) = quoted(text)?;
        return Some((Some(bound), rest));
    }
    let (bound, rest) = text.split_at(text.find(',').unwrap_or(text.len()));
    Some(((!bound.is_empty()).then(|| bound.to_owned()), rest))
}

/// `"a"=>"1", "b"=>NULL` as pairs.
pub(crate) fn hstore(text: &str) -> Option<BTreeMap<String, Option<String>>> {
    let mut pairs = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (key, behind) = quoted(rest)?;
        let behind = behind.strip_prefix("=>")?;
        let (value, behind) = match behind.strip_prefix("NULL") {
            Some(behind) => (None, behind),
            None => quoted(behind).map(|(value, behind)| (Some(value), behind))?,
        };
        if pairs.insert(key, value).is_some() {
            return None;
        }
        rest = match behind.strip_prefix(", ") {
            Some("") => return None,
            Some(next) => next,
            None if behind.is_empty() => behind,
            None => return None,
        };
    }
    Some(pairs)
}

/// The one text of these pairs: a JSON object, sorted by key.
pub(crate) fn pairs_text(pairs: &BTreeMap<String, Option<String>>) -> String {
    let value = |value: &Option<String>| value.clone().map_or(Value::Null, Value::String);
    let members = pairs
        .iter()
        .map(|(key, text)| format!("{}:{}", Value::from(key.as_str()), value(text)));
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn arrays_are_taken_apart() {
        let table = [
            ("{}", "[]", false),
            ("{1,NULL,3}", "[\"1\",null,\"3\"]", false),
            (
                "{\"NULL\",\"\",\"q\\\"z\\\\\",\"b,c\"}",
                r#"["NULL","","q\"z\\","b,c"]"#,
                false,
            ),
            ("{{1,2},{NULL,4}}", "[[\"1\",\"2\"],[null,\"4\"]]", false),
            ("[0:1]={4,5}", "[\"4\",\"5\"]", true),
            ("[1:1][2:3]={{4,5}}", "[[\"4\",\"5\"]]", true),
        ];
        for (text, wanted, bounds) in table {
            let got = array(text, &same).unwrap();
            assert_eq!(
                (got.elements.to_string().as_str(), got.bounds),
                (wanted, bounds),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_array_is_not_understood() {
        let deep = format!("{}1{}", "{".repeat(7), "}".repeat(7));
        for text in [
            "", "{", "{1", "{1,}", "{,}", "1", "{1}}", "{\"a}", "[0:1={1}", "{1}x", &deep,
        ] {
            assert_eq!(array(text, &same), None, "{text}");
        }
        assert_eq!(array("{1}", &|_| None), None);
    }

    #[test]
    fn ranges_keep_their_borders_and_hstores_lose_their_order() {
        let upper = |text: &str| Some(text.to_uppercase());
        let table = [
            ("empty", "empty"),
            ("(,)", "(,)"),
            ("[a,b)", "[A,B)"),
            ("(,\"x,\"\"y\"]", "(,X,\"Y]"),
        ];
        for (text, wanted) in table {
            assert_eq!(range(text, &upper).as_deref(), Some(wanted), "{text}");
        }
        for text in ["", "[", "[a]", "[a,b", "[a,b,c]", "a,b"] {
            assert_eq!(range(text, &upper), None, "{text}");
        }
        let pairs = hstore(r#""b"=>"1", "a"=>NULL, "x y"=>"q\"z\\""#).unwrap();
        assert_eq!(pairs_text(&pairs), r#"{"a":null,"b":"1","x y":"q\"z\\"}"#);
        assert_eq!(pairs_text(&hstore("").unwrap()), "{}");
        for text in [
            "a=>1",
            "\"a\"",
            "\"a\"=>\"1\",",
            "\"a\"=>NULL, ",
            "\"a\"=>NULL, \"a\"=>NULL",
        ] {
            assert_eq!(hstore(text), None, "{text}");
        }
    }
}
