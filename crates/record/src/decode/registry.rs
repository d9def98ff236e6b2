//! Takes Confluent's frame off a record: fetches the schema of its id, and turns the datum into JSON.
//!
//! A schema never changes under its id, so it is asked for once. What the registry says of an id (none, another
//! language, no valid schema) makes every record of that id undecoded, with the reason. A registry that does not
//! answer says nothing: reading ends there with its error, and nothing is concluded.

use std::collections::HashMap;
use std::rc::Rc;

use cutover_clients::registry::{Registered, RegistryError};

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
            Some(Ok(Some(registered))) => compile(id, &registered).map(Rc::new),
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
