//! Takes Confluent's frame off a record: fetches the schema of its id, and turns the datum into JSON.
//!
//! A schema never changes under its id, so it is asked for once. What the registry says of an id (none, another
//! language, no valid schema) makes every record of that id undecoded, with the reason. A registry that does not
//! answer says nothing: reading ends there with its error, and nothing is concluded.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use cutover_clients::registry::{Registered, RegistryError};
use cutover_model::canonical::{Canonical, RowHasher};

use super::Unread;
use super::avro_schema::AvroSchema;
use super::avro_text;
use super::fields::Fields;
use super::framing::{Part, Unframed};
use super::layout::Schema;

/// Where schemas come from.
pub trait SchemaSource {
    /// The schema of an id; `None` if nobody knows a registry for this half of the records.
    fn schema(&mut self, part: Part, id: u32) -> Option<Result<Option<Registered>, RegistryError>>;
}

/// Bytes of a record may claim any id; more of them than this are not remembered at a time.
const IDS_MAX: usize = 10_000;

/// The registry as far as it has been asked.
#[derive(Default)]
pub(super) struct Schemas {
    source: Option<Box<dyn SchemaSource>>,
    known: HashMap<(Part, u32), Known>,
    /// Hashes of schemas that the registry must have, since it had them once.
    expected: BTreeMap<String, String>,
    /// Hashes of schemas that records were read with.
    used: BTreeMap<String, String>,
}

/// A schema, or why its records are not decoded.
type Known = Result<Rc<Compiled>, String>;

struct Compiled {
    avro: AvroSchema,
    schema: Rc<Schema>,
}

impl Schemas {
    pub(super) fn ask(&mut self, source: Box<dyn SchemaSource>) {
        self.source = Some(source);
    }

    pub(super) fn expect(&mut self, hashes: BTreeMap<String, String>) {
        self.expected = hashes;
    }

    pub(super) fn used(&self) -> &BTreeMap<String, String> {
        &self.used
    }

    /// Reads a datum; its JSON goes into `text`.
    pub(super) fn unframe<'a>(
        &mut self,
        (part, id): (Part, u32),
        datum: &[u8],
        text: &'a mut String,
    ) -> Result<Unframed<'a>, Unread> {
        let known = match self.known.get(&(part, id)) {
            Some(known) => known.clone(),
            None => self.fetch(part, id)?,
        };
        let compiled = known?;
        text.clear();
        avro_text::write(&compiled.avro, datum, text)
            .map_err(|why| format!("schema {id}: {why}"))?;
        Ok(Unframed {
            schema: Some(Rc::clone(&compiled.schema)),
            payload: Fields::parse(text)?,
            avro: true,
        })
    }

    fn fetch(&mut self, part: Part, id: u32) -> Result<Known, Unread> {
        let source = self.source.as_mut();
        let answer = source.and_then(|source| source.schema(part, id));
        let known = match answer {
            Some(Ok(Some(registered))) => self.checked((part, id), &registered),
            Some(Ok(None)) if id == 0 => Err(
                "the registry has no schema 0; records with ids of 8 bytes look like this, which are not decoded"
                    .to_owned(),
            ),
            Some(Ok(None)) => Err(format!("the registry has no schema {id}")),
            Some(Err(error)) => return Err(Unread::Registry(Box::new(error))),
            None => Err(format!(
                "framed for a schema registry (schema {id}), and the connector's configuration names none for its {}s",
                part.name()
            )),
        };
        if self.known.len() >= IDS_MAX {
            self.known.clear();
        }
        self.known.insert((part, id), known.clone());
        Ok(known)
    }

    /// Compiles a schema, unless another one stood under its id before.
    fn checked(&mut self, (part, id): (Part, u32), registered: &Registered) -> Known {
        let compiled = Rc::new(compile(id, registered)?);
        let (name, hash) = (format!("{}/{id}", part.name()), hash(&registered.text));
        if self
            .expected
            .get(&name)
            .is_some_and(|expected| *expected != hash)
        {
            return Err(format!(
                "the registry has another schema {id} than when the run was recorded"
            ));
        }
        self.used.insert(name, hash);
        Ok(compiled)
    }
}

fn hash(text: &str) -> String {
    let mut hasher = RowHasher::default();
    hasher.column("schema", &Canonical::Text(text.to_owned()));
    format!("{:016x}", hasher.finish())
}

fn compile(id: u32, registered: &Registered) -> Result<Compiled, String> {
    let language = match registered.kind.as_str() {
        "AVRO" => None,
        "PROTOBUF" => Some("Protobuf"),
        "JSON" => Some("JSON Schema"),
        other => Some(other),
    };
    if let Some(language) = language {
        return Err(format!("{language} (schema {id}), not decoded"));
    }
    if registered.refers {
        return Err(format!("schema {id} refers to other schemas, not decoded"));
    }
    let avro =
        AvroSchema::compile(&registered.text).map_err(|why| format!("schema {id}: {why}"))?;
    let schema = Rc::new(Schema::of(avro.node(), avro.names_types()));
    Ok(Compiled { avro, schema })
}
