//! Names of columns as they stand in a payload. Avro allows letters, digits and `_` in names, so Debezium and the
//! converters put something else in the place of what PostgreSQL allows beyond that.
//!
//! Each rule is followed from the column to the name, never back: several columns could have become one name. The
//! rule it protects: a member belongs to one column; where two claim it, neither gets it.

/// `field.name.adjustment.mode`: what Debezium does to names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FieldNames {
    /// Nothing.
    #[default]
    Same,
    /// `_` for what Avro does not allow, and before a digit at the beginning.
    Avro,
    /// `_u` and the UTF-16 unit for what Avro does not allow, and for `_` itself.
    AvroUnicode,
}

impl FieldNames {
    /// The name of a column's member.
    pub(super) fn of(self, column: &str) -> String {
        match self {
            FieldNames::Same => column.to_owned(),
            FieldNames::Avro => underscores(column),
            FieldNames::AvroUnicode => unicode(column),
        }
    }
}

fn legal(unit: u16, first: bool) -> Option<char> {
    let letter = char::from(u8::try_from(unit).ok()?);
    let legal = letter.is_ascii_alphabetic() || (!first && letter.is_ascii_digit());
    legal.then_some(letter)
}

/// Java looks at UTF-16 units, so a letter beyond the first plane becomes two.
fn underscores(column: &str) -> String {
    let mut name = String::with_capacity(column.len());
    for (place, unit) in column.encode_utf16().enumerate() {
        match legal(unit, place == 0) {
            Some(letter) => name.push(letter),
            None => {
                name.push('_');
                name.extend(legal(unit, false));
            }
        }
    }
    name
}

fn unicode(column: &str) -> String {
    let mut name = String::with_capacity(column.len());
    for (place, unit) in column.encode_utf16().enumerate() {
        match legal(unit, place == 0) {
            Some(letter) => name.push(letter),
            // Three digits stay three.
            None if unit <= 0xFF => name.push_str(&format!("_u00{unit:x}")),
            None => name.push_str(&format!("_u{unit:x}")),
        }
    }
    name
}

/// What Confluent's converters do with `scrub.invalid.names`: the name as in a URL, then `_` for what is not allowed.
fn scrubbed(column: &str) -> String {
    let mut name = String::with_capacity(column.len());
    for byte in column.bytes() {
        if byte.is_ascii_alphanumeric() {
            name.push(char::from(byte));
        } else if b".-*_ ".contains(&byte) {
            name.push('_');
        } else {
            name.push_str(&format!("_{byte:02X}"));
        }
    }
    if name.starts_with(|letter: char| letter.is_ascii_digit()) {
        name.insert(0, 'x');
    }
    name
}

/// The member of each column among the members of a row that has a schema; a column without one keeps its own name,
/// which is not there then.
pub(super) fn members(columns: &[&str], is_member: impl Fn(&str) -> bool) -> Vec<String> {
    let rules = [
        |column: &str| FieldNames::Same.of(column),
        |column: &str| FieldNames::Avro.of(column),
        |column: &str| FieldNames::AvroUnicode.of(column),
        scrubbed,
    ];
    let mut found: Vec<Option<String>> = vec![None; columns.len()];
    for rule in rules {
        let claimed: Vec<String> = found.iter().flatten().cloned().collect();
        let open = |place: usize| found[place].is_none();
        let claims: Vec<(usize, String)> = (0..columns.len())
            .filter(|place| open(*place))
            .map(|place| (place, rule(columns[place])))
            .filter(|(_, name)| is_member(name) && !claimed.contains(name))
            .collect();
        for (place, name) in &claims {
            let alone = claims.iter().filter(|(_, other)| other == name).count() == 1;
            found[*place] = alone.then(|| name.clone());
        }
    }
    let names = found.into_iter().zip(columns);
    names
        .map(|(found, column)| found.unwrap_or_else(|| (*column).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_adjusted_as_debezium_adjusts_them() {
        let cases = [
            ("plain_1", "plain_1", "plain_u005f1"),
            ("my-col", "my_col", "my_u002dcol"),
            ("a.b c", "a_b_c", "a_u002eb_u0020c"),
            ("1st", "_1st", "_u0031st"),
            ("größe", "gr__e", "gr_u00f6_u00dfe"),
            ("Ω", "_", "_u3a9"),
            ("日", "_", "_u65e5"),
            ("😀x", "__x", "_ud83d_ude00x"),
            ("_", "_", "_u005f"),
        ];
        for (column, avro, unicode) in cases {
            assert_eq!(FieldNames::Avro.of(column), avro);
            assert_eq!(FieldNames::AvroUnicode.of(column), unicode);
            assert_eq!(FieldNames::Same.of(column), column);
        }
        assert_eq!(scrubbed("1 a-b.ö"), "x1_a_b__C3_B6");
    }

    fn of(columns: &[&str], there: &[&str]) -> Vec<String> {
        members(columns, |name| there.contains(&name))
    }

    #[test]
    fn each_member_belongs_to_one_column() {
        assert_eq!(of(&["id", "my-col"], &["id", "my_col"]), ["id", "my_col"]);
        assert_eq!(of(&["a_b", "c"], &["a_u005fb", "c"]), ["a_u005fb", "c"]);
        assert_eq!(of(&["1a"], &["x1a"]), ["x1a"]);
        // The name itself goes before what another would become.
        assert_eq!(of(&["a-b", "a_b"], &["a_b"]), ["a-b", "a_b"]);
        // Two would become it, so it is neither's.
        assert_eq!(of(&["a-b", "a.b"], &["a_b"]), ["a-b", "a.b"]);
        assert_eq!(of(&["x"], &[]), ["x"]);
    }
}
