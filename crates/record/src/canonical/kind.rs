//! What kind of value a column holds, whatever its type is called: domains are looked through, arrays know their
//! elements, types of extensions are known by their names.

use cutover_model::{Column, TypeForm, ValueType};

use super::oid;

/// A type, with what its values may be made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Typed<'a> {
    pub(crate) oid: u32,
    /// As in `pg_attribute.atttypmod`.
    pub(crate) modifier: i32,
    pub(crate) made_of: Option<&'a ValueType>,
}

/// How values of a type are brought to one text.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind<'a> {
    Bool,
    Integer,
    Float4,
    Float8,
    Numeric,
    Money,
    /// The text that PostgreSQL prints is the value, and Debezium knows the type.
    Text,
    Uuid,
    Bytes,
    Date,
    Time,
    ZonedTime,
    Stamp,
    ZonedStamp,
    Interval,
    /// As many bits as the modifier says.
    Bits,
    /// Up to as many.
    VaryingBits,
    Point,
    Hstore,
    /// A range of instants, whose text depends on the session's zone.
    ZonedRange,
    Array(Typed<'a>),
    /// As `Text`, of a type that Debezium does not know.
    Printed,
    /// Debezium publishes something of its own, which is not read.
    Foreign(&'static str),
}

impl<'a> Typed<'a> {
    /// The type of a column's values, without the domains around it.
    pub(crate) fn of(column: &'a Column) -> Typed<'a> {
        let typed = Typed {
            oid: column.type_oid,
            modifier: column.type_modifier,
            made_of: column.made_of.as_deref(),
        };
        typed.without_domains()
    }

    /// A built-in type without modifier.
    pub(crate) fn built_in(type_oid: u32) -> Typed<'static> {
        Typed {
            oid: type_oid,
            modifier: -1,
            made_of: None,
        }
    }

    fn without_domains(mut self) -> Typed<'a> {
        while let Some(ValueType {
            form: TypeForm::Domain(base),
            modifier,
            ..
        }) = self.made_of
        {
            self = Typed {
                oid: base.oid,
                modifier: *modifier,
                made_of: Some(base),
            };
        }
        self
    }

    /// A domain as the element of an array, which Debezium does not look into.
    pub(crate) fn is_domain(&self) -> bool {
        let form = self.made_of.map(|made_of| &made_of.form);
        matches!(form, Some(TypeForm::Domain(_)))
    }

    pub(crate) fn kind(&self) -> Kind<'a> {
        match self.made_of.map(|made_of| (&made_of.form, made_of)) {
            Some((TypeForm::Enum, _)) => Kind::Text,
            Some((TypeForm::Array(element), _)) => Kind::Array(Typed {
                oid: element.oid,
                modifier: self.modifier,
                made_of: Some(element),
            }),
            Some((TypeForm::Composite | TypeForm::Multirange, _)) => Kind::Printed,
            Some((TypeForm::Domain(_), _)) => self.without_domains().kind(),
            Some((TypeForm::Base, made_of)) if made_of.oid >= oid::FIRST_OWN => {
                extension(&made_of.name)
            }
            Some((TypeForm::Base | TypeForm::Range(_), _)) | None => built_in(self.oid),
        }
    }
}

fn extension(name: &str) -> Kind<'static> {
    match name {
        "citext" | "ltree" => Kind::Text,
        "hstore" => Kind::Hstore,
        "geometry" | "geography" => Kind::Foreign("published as a structure that is not read"),
        "vector" | "halfvec" | "sparsevec" => Kind::Foreign("published as a list of numbers"),
        "isbn" => Kind::Foreign("not known of how it is published"),
        _ => Kind::Printed,
    }
}

fn built_in(type_oid: u32) -> Kind<'static> {
    match type_oid {
        oid::BOOL => Kind::Bool,
        oid::INT2 | oid::INT4 | oid::INT8 | oid::OID => Kind::Integer,
        oid::NUMERIC => Kind::Numeric,
        oid::FLOAT4 => Kind::Float4,
        oid::FLOAT8 => Kind::Float8,
        oid::MONEY => Kind::Money,
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR => Kind::Text,
        oid::JSON | oid::JSONB | oid::XML | oid::TSVECTOR => Kind::Text,
        oid::INET | oid::CIDR | oid::MACADDR | oid::MACADDR8 => Kind::Text,
        oid::INT4RANGE | oid::INT8RANGE | oid::NUMRANGE | oid::TSRANGE | oid::DATERANGE => {
            Kind::Text
        }
        oid::TSTZRANGE => Kind::ZonedRange,
        oid::UUID => Kind::Uuid,
        oid::BYTEA => Kind::Bytes,
        oid::DATE => Kind::Date,
        oid::TIME => Kind::Time,
        oid::TIMETZ => Kind::ZonedTime,
        oid::TIMESTAMP => Kind::Stamp,
        oid::TIMESTAMPTZ => Kind::ZonedStamp,
        oid::INTERVAL => Kind::Interval,
        oid::BIT => Kind::Bits,
        oid::VARBIT => Kind::VaryingBits,
        oid::POINT => Kind::Point,
        oid::LSEG | oid::PATH | oid::BOX | oid::POLYGON | oid::LINE | oid::CIRCLE => {
            Kind::Foreign("published as a structure that is not read")
        }
        oid::INT2VECTOR | oid::OIDVECTOR => Kind::Foreign("published as an empty array"),
        _ => Kind::Printed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made_of(oid: u32, modifier: i32, name: &str, form: TypeForm) -> ValueType {
        ValueType {
            oid,
            modifier,
            name: name.into(),
            form,
        }
    }

    fn column(made_of: ValueType, modifier: i32) -> Column {
        Column {
            name: "c".into(),
            type_oid: made_of.oid,
            type_modifier: modifier,
            made_of: Some(Box::new(made_of)),
            ..Column::default()
        }
    }

    #[test]
    fn domains_are_looked_through_and_give_the_modifier() {
        let numeric = made_of(oid::NUMERIC, -1, "numeric", TypeForm::Base);
        let inner = made_of(
            20_000,
            655_366,
            "price",
            TypeForm::Domain(Box::new(numeric)),
        );
        let outer = made_of(
            20_001,
            -1,
            "positive",
            TypeForm::Domain(Box::new(inner.clone())),
        );
        let column = column(outer, -1);
        let typed = Typed::of(&column);
        assert!(matches!(typed.kind(), Kind::Numeric));
        assert_eq!((typed.oid, typed.modifier), (oid::NUMERIC, 655_366));
    }

    #[test]
    fn arrays_know_their_elements_and_extensions_their_names() {
        let numeric = made_of(oid::NUMERIC, -1, "numeric", TypeForm::Base);
        let array = made_of(1231, -1, "_numeric", TypeForm::Array(Box::new(numeric)));
        let column = column(array, 327_686);
        let Kind::Array(element) = Typed::of(&column).kind() else {
            panic!("no array");
        };
        assert!(matches!(element.kind(), Kind::Numeric) && !element.is_domain());
        assert_eq!(element.modifier, 327_686);
        let kinds = [
            ("citext", "Text"),
            ("hstore", "Hstore"),
            ("cube", "Printed"),
            ("vector", "Foreign(\"published as a list of numbers\")"),
        ];
        for (name, wanted) in kinds {
            let column = self::column(made_of(20_000, -1, name, TypeForm::Base), -1);
            assert_eq!(format!("{:?}", Typed::of(&column).kind()), wanted);
        }
    }
}
