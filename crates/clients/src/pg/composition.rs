//! What the types of captured columns are made of, as the catalogue says: enums, domains, arrays, ranges, and the types
//! of extensions, whose oids tell nothing outside their database.
//!
//! The rule it protects: a column whose type is not understood is known as such, by its name, before a row is read.

use std::collections::HashMap;

use cutover_model::{TypeForm, ValueType};
use tokio_postgres::{Client, Row};

use super::PgError;

/// Types below this oid are built in and the same everywhere.
const FIRST_OWN_OID: u32 = 16_384;
/// A domain of an array of domains of …; nobody writes more.
const DEPTH_MAX: u32 = 16;

const TYPES: &str = "
WITH RECURSIVE needed (oid) AS (
  SELECT unnest($1::oid[])
  UNION
  SELECT part.oid
  FROM needed
  JOIN pg_type t ON t.oid = needed.oid
  LEFT JOIN pg_range r ON r.rngtypid = t.oid
  CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem), (r.rngsubtype)) AS part (oid)
  WHERE part.oid <> 0
)
SELECT t.oid, t.typname::text, t.typtype::text, t.typbasetype, t.typtypmod, r.rngsubtype,
       CASE WHEN t.typcategory = 'A' AND t.typlen = -1 AND t.oid NOT IN (22, 30) THEN t.typelem END
FROM needed
JOIN pg_type t ON t.oid = needed.oid
LEFT JOIN pg_range r ON r.rngtypid = t.oid";

/// A row of the catalogue.
pub(super) struct Described {
    name: String,
    letter: String,
    base: u32,
    modifier: i32,
    subtype: Option<u32>,
    element: Option<u32>,
}

/// The types of the columns (each row's fifth value), and what these are made of.
pub(super) async fn of_columns(
    client: &Client,
    columns: &[Row],
) -> Result<HashMap<u32, Described>, PgError> {
    let mut oids: Vec<u32> = columns.iter().filter_map(|row| row.get(4)).collect();
    oids.sort_unstable();
    oids.dedup();
    let rows = client.query(TYPES, &[&oids]).await;
    let rows = rows.map_err(PgError::sql("reading the types of captured columns"))?;
    let described = |row: &Row| {
        let described = Described {
            name: row.get(1),
            letter: row.get(2),
            base: row.get(3),
            modifier: row.get(4),
            subtype: row.get(5),
            element: row.get(6),
        };
        (row.get(0), described)
    };
    Ok(rows.iter().map(described).collect())
}

/// The type of a column; `None` if its oid says it all.
pub(super) fn made_of(types: &HashMap<u32, Described>, oid: u32) -> Option<Box<ValueType>> {
    let found = assembled(types, oid, 0)?;
    let plain = oid < FIRST_OWN_OID && found.form == TypeForm::Base;
    (!plain).then(|| Box::new(found))
}

fn assembled(types: &HashMap<u32, Described>, oid: u32, depth: u32) -> Option<ValueType> {
    let found = types.get(&oid).filter(|_| depth < DEPTH_MAX)?;
    let part = |oid: u32| assembled(types, oid, depth + 1).map(Box::new);
    let form = match (found.letter.as_str(), found.element) {
        ("d", _) => TypeForm::Domain(part(found.base)?),
        ("e", _) => TypeForm::Enum,
        ("c", _) => TypeForm::Composite,
        ("r", _) => TypeForm::Range(part(found.subtype?)?),
        ("m", _) => TypeForm::Multirange,
        (_, Some(element)) => TypeForm::Array(part(element)?),
        _ => TypeForm::Base,
    };
    Some(ValueType {
        oid,
        modifier: found.modifier,
        name: found.name.clone(),
        form,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types() -> HashMap<u32, Described> {
        let row = |name: &str, letter: &str, base, modifier, element| Described {
            name: name.into(),
            letter: letter.into(),
            base,
            modifier,
            subtype: None,
            element,
        };
        HashMap::from([
            (20, row("int8", "b", 0, -1, None)),
            (1016, row("_int8", "b", 0, -1, Some(20))),
            (20_000, row("ids", "d", 1016, 7, None)),
            (20_001, row("hstore", "b", 0, -1, None)),
            (20_002, row("self", "d", 20_002, -1, None)),
        ])
    }

    #[test]
    fn a_type_is_taken_apart_down_to_what_is_built_in() {
        let types = types();
        assert_eq!(made_of(&types, 20), None);
        assert_eq!(made_of(&types, 99), None);
        let ids = made_of(&types, 20_000).unwrap();
        let TypeForm::Domain(base) = &ids.form else {
            panic!("{ids:?}");
        };
        assert_eq!((ids.modifier, base.name.as_str()), (7, "_int8"));
        assert!(matches!(&base.form, TypeForm::Array(element) if element.oid == 20));
        assert_eq!(made_of(&types, 20_001).unwrap().form, TypeForm::Base);
    }

    #[test]
    fn a_catalogue_that_goes_round_in_a_circle_is_left_alone() {
        assert_eq!(made_of(&types(), 20_002), None);
    }
}
