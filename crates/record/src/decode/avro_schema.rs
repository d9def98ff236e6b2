//! An Avro schema, compiled once: what stands where in the bytes, and what Kafka Connect called it.
//!
//! Connect's own types travel as attributes beside Avro's (`connect.name`, `connect.parameters`), on primitive types
//! too. The rule it protects: a schema comes from outside, so its text is bounded where it is fetched, its depth is
//! bounded by the JSON parser, and a name that refers to itself costs nothing here; the reader bounds what it does.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Map, Value};

use super::layout::Node;

/// Index of a type in its schema.
pub(super) type Place = usize;

/// What the bytes of a type are.
#[derive(Debug)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Fixed(usize),
    Enum(Vec<String>),
    Array(Place),
    Map(Place),
    Union(Vec<Place>),
    Record(Vec<(String, Place)>),
    /// A name whose record is still being read; none is left once a schema is compiled.
    Begun,
}

/// A type with what Connect says of it.
#[derive(Debug)]
pub(super) struct Type {
    pub(super) kind: Kind,
    name: Option<String>,
    parameters: BTreeMap<String, String>,
}

/// A compiled schema.
#[derive(Debug)]
pub(super) struct AvroSchema {
    pub(super) types: Vec<Type>,
    pub(super) root: Place,
    /// Some type carries Connect's attributes, so a type without them has none.
    connect: bool,
}

impl AvroSchema {
    /// Compiles the text of a schema. The reasons quote names at most.
    pub(super) fn compile(text: &str) -> Result<AvroSchema, String> {
        let json = serde_json::from_str(text).map_err(|_| wrong("it is no JSON"))?;
        let mut compiler = Compiler::default();
        let root = compiler.place(&json, "")?;
        Ok(AvroSchema {
            types: compiler.types,
            root,
            connect: compiler.connect,
        })
    }

    /// The same as a Connect schema, as deep as rows are read: an envelope's row stands below its `after`.
    pub(super) fn node(&self) -> Node {
        let mut root = self.shallow(self.root);
        let Kind::Record(members) = &self.types[self.value(self.root)].kind else {
            return root;
        };
        for (name, place) in members {
            let mut node = self.shallow(*place);
            if name == "after"
                && let Kind::Record(columns) = &self.types[self.value(*place)].kind
            {
                let columns = columns.iter();
                node.fields = columns
                    .map(|(name, place)| self.shallow(*place).called(name))
                    .collect();
            }
            root.fields.push(node.called(name));
        }
        root
    }

    /// Whether the schema names Connect's types. Without them a number may be anything.
    pub(super) fn names_types(&self) -> bool {
        self.connect
    }

    /// What an optional type is when it is there.
    fn value(&self, place: Place) -> Place {
        let Kind::Union(branches) = &self.types[place].kind else {
            return place;
        };
        let there = |place: &&Place| !matches!(self.types[**place].kind, Kind::Null);
        let mut there = branches.iter().filter(there);
        match (there.next(), there.next()) {
            (Some(only), None) => *only,
            _ => place,
        }
    }

    fn shallow(&self, place: Place) -> Node {
        let found = &self.types[self.value(place)];
        let kind = match &found.kind {
            Kind::Null | Kind::Begun => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int32",
            Kind::Long => "int64",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes | Kind::Fixed(_) => "bytes",
            Kind::Text | Kind::Enum(_) => "string",
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
            Kind::Record(_) => "struct",
        };
        let items = match found.kind {
            // One level: an array of arrays does not come from PostgreSQL, and a type may contain itself.
            Kind::Array(place) if !matches!(self.types[place].kind, Kind::Array(_)) => {
                Some(Box::new(self.shallow(place)))
            }
            _ => None,
        };
        Node {
            kind: kind.to_owned(),
            name: found.name.clone(),
            parameters: found.parameters.clone(),
            items,
            ..Node::default()
        }
    }
}

#[derive(Default)]
struct Compiler {
    types: Vec<Type>,
    named: HashMap<String, Place>,
    connect: bool,
}

impl Compiler {
    fn place(&mut self, json: &Value, space: &str) -> Result<Place, String> {
        match json {
            Value::String(word) => self.word(word, space, &Map::new()),
            Value::Array(branches) => {
                let places: Result<Vec<Place>, String> = branches
                    .iter()
                    .map(|branch| match branch {
                        Value::Array(_) => Err(wrong("a union stands in a union")),
                        branch => self.place(branch, space),
                    })
                    .collect();
                Ok(self.push(Kind::Union(places?), &Map::new()))
            }
            Value::Object(attributes) => match attributes.get("type") {
                Some(Value::String(word)) => self.word(word, space, attributes),
                Some(inner @ (Value::Object(_) | Value::Array(_))) => self.place(inner, space),
                _ => Err(wrong("a type does not say what it is")),
            },
            _ => Err(wrong("a type is neither word, list nor object")),
        }
    }

    /// A type by its word, with the attributes of the object that it stands in.
    fn word(
        &mut self,
        word: &str,
        space: &str,
        attributes: &Map<String, Value>,
    ) -> Result<Place, String> {
        let kind = match word {
            "null" => Kind::Null,
            "boolean" => Kind::Boolean,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "bytes" => Kind::Bytes,
            "string" => Kind::Text,
            "array" => Kind::Array(self.inner(attributes, "items", space)?),
            "map" => Kind::Map(self.inner(attributes, "values", space)?),
            "record" | "error" | "enum" | "fixed" => {
                return self.definition(word, space, attributes);
            }
            name => {
                let full = full_name(name, space);
                let known = self.named.get(&full).or_else(|| self.named.get(name));
                return known
                    .copied()
                    .ok_or_else(|| wrong(&format!("type '{name}' is not defined in it")));
            }
        };
        Ok(self.push(kind, attributes))
    }

    fn inner(
        &mut self,
        attributes: &Map<String, Value>,
        name: &str,
        space: &str,
    ) -> Result<Place, String> {
        let inner = attributes.get(name);
        let inner = inner.ok_or_else(|| wrong(&format!("a type has no '{name}'")))?;
        self.place(inner, space)
    }

    fn definition(
        &mut self,
        word: &str,
        space: &str,
        attributes: &Map<String, Value>,
    ) -> Result<Place, String> {
        let text = |name: &str| attributes.get(name).and_then(Value::as_str);
        let name = text("name").ok_or_else(|| wrong("a named type has no name"))?;
        let full = full_name(name, text("namespace").unwrap_or(space));
        let place = self.push(Kind::Begun, attributes);
        if self.named.insert(full.clone(), place).is_some() {
            return Err(wrong(&format!("type '{full}' is defined twice")));
        }
        let kind = match word {
            "enum" => Kind::Enum(symbols(attributes)?),
            "fixed" => {
                let size = attributes.get("size").and_then(Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                Kind::Fixed(size.ok_or_else(|| wrong("a fixed type has no size"))?)
            }
            _ => {
                let own_space = full.rsplit_once('.').map_or("", |(space, _)| space);
                Kind::Record(self.members(attributes, own_space)?)
            }
        };
        self.types[place].kind = kind;
        Ok(place)
    }

    fn members(
        &mut self,
        attributes: &Map<String, Value>,
        space: &str,
    ) -> Result<Vec<(String, Place)>, String> {
        let fields = attributes.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or_else(|| wrong("a record has no fields"))?;
        let mut members = Vec::with_capacity(fields.len());
        for field in fields {
            let name = field.get("name").and_then(Value::as_str);
            let name = name.ok_or_else(|| wrong("a field has no name"))?;
            let inner = field.get("type");
            let inner = inner.ok_or_else(|| wrong(&format!("field '{name}' has no type")))?;
            members.push((name.to_owned(), self.place(inner, space)?));
        }
        Ok(members)
    }

    fn push(&mut self, kind: Kind, attributes: &Map<String, Value>) -> Place {
        let text = |name: &str| attributes.get(name).and_then(Value::as_str);
        self.connect |= attributes.keys().any(|name| name.starts_with("connect."));
        let logical = text("logicalType");
        let name = text("connect.name").or_else(|| logical.and_then(connect_type));
        let mut parameters = BTreeMap::new();
        if let Some(Value::Object(of_connect)) = attributes.get("connect.parameters") {
            for (name, value) in of_connect {
                if let Some(value) = value.as_str() {
                    parameters.insert(name.clone(), value.to_owned());
                }
            }
        }
        if logical == Some("decimal") && !parameters.contains_key("scale") {
            let scale = attributes.get("scale").and_then(Value::as_i64).unwrap_or(0);
            parameters.insert("scale".to_owned(), scale.to_string());
        }
        self.types.push(Type {
            kind,
            name: name.map(str::to_owned),
            parameters,
        });
        self.types.len() - 1
    }
}

fn symbols(attributes: &Map<String, Value>) -> Result<Vec<String>, String> {
    let symbols = attributes.get("symbols").and_then(Value::as_array);
    let symbols = symbols.ok_or_else(|| wrong("an enum has no symbols"))?;
    let texts: Option<Vec<String>> = symbols
        .iter()
        .map(|symbol| symbol.as_str().map(str::to_owned))
        .collect();
    texts.ok_or_else(|| wrong("a symbol of an enum is no text"))
}

fn full_name(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() {
        name.to_owned()
    } else {
        format!("{space}.{name}")
    }
}

/// Connect's name of a type that Avro itself has.
fn connect_type(logical: &str) -> Option<&'static str> {
    Some(match logical {
        "timestamp-millis" | "local-timestamp-millis" => "Timestamp",
        "timestamp-micros" | "local-timestamp-micros" => "MicroTimestamp",
        "timestamp-nanos" | "local-timestamp-nanos" => "NanoTimestamp",
        "time-millis" => "Time",
        "time-micros" => "MicroTime",
        _ => return None,
    })
}

fn wrong(why: &str) -> String {
    format!("no valid Avro schema: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_s_names_are_found_on_every_kind_of_type() {
        let schema = AvroSchema::compile(
            r#"{"type":"record","name":"Envelope","namespace":"p.t","fields":[
                {"name":"before","default":null,"type":["null",{"type":"record","name":"Value","fields":[
                    {"name":"n","type":["null",{"type":"bytes","scale":2,"precision":64,"connect.version":1,
                        "connect.parameters":{"scale":"2"},
                        "connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}]},
                    {"name":"ts","type":{"type":"long","connect.name":"io.debezium.time.MicroTimestamp"}}],
                    "connect.name":"p.t.Value"}]},
                {"name":"after","type":["null","Value"]}],
                "connect.name":"p.t.Envelope"}"#,
        )
        .unwrap();
        let root = schema.node();
        assert_eq!(
            (root.kind.as_str(), root.name.as_deref()),
            ("struct", Some("p.t.Envelope"))
        );
        let row = root.member("after").unwrap();
        let decimal = row.member("n").unwrap();
        assert_eq!(decimal.kind, "bytes");
        assert_eq!(decimal.parameters["scale"], "2");
        let stamp = row.member("ts").unwrap();
        assert_eq!(
            stamp.name.as_deref(),
            Some("io.debezium.time.MicroTimestamp")
        );
        assert!(schema.names_types());
        assert!(!AvroSchema::compile("\"long\"").unwrap().names_types());
    }

    #[test]
    fn what_is_no_schema_is_told() {
        let deep = format!("{}\"long\"{}", "[".repeat(5000), "]".repeat(5000));
        let record = |fields: &str| format!(r#"{{"type":"record","name":"R","fields":{fields}}}"#);
        let wrong = [
            String::new(),
            "7".to_owned(),
            "{}".to_owned(),
            "\"strange\"".to_owned(),
            "[[\"null\"]]".to_owned(),
            deep,
            r#"{"type":"record","fields":[]}"#.to_owned(),
            r#"{"type":"record","name":"R"}"#.to_owned(),
            record(r#"[{"type":"long"}]"#),
            record(r#"[{"name":"a"}]"#),
            record(r#"[{"name":"a","type":"S"}]"#),
            record(r#"[{"name":"a","type":{"type":"enum","name":"R","symbols":["x"]}}]"#),
            r#"{"type":"enum","name":"E","symbols":[1]}"#.to_owned(),
            r#"{"type":"fixed","name":"F","size":-1}"#.to_owned(),
            r#"{"type":"array"}"#.to_owned(),
        ];
        for text in wrong {
            let reason = AvroSchema::compile(&text).unwrap_err();
            assert!(reason.starts_with("no valid Avro schema: "), "{reason}");
        }
    }

    #[test]
    fn a_record_may_contain_itself() {
        let schema = AvroSchema::compile(
            r#"{"type":"record","name":"a.b.R","fields":[
                {"name":"next","type":["null","R"]},{"name":"all","type":{"type":"array","items":"a.b.R"}}]}"#,
        )
        .unwrap();
        assert_eq!(schema.node().member("next").unwrap().kind, "struct");
    }
}
