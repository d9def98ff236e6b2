//! Decodes records of Debezium topics into change rows: what the payload holds, and nothing that it does not.
//!
//! ```text
//! JSON ─► framing (inline schema off) ──────────────────────────┐
//! Avro ─► framing ─► registry ─► avro_text (the same as JSON) ──┴─► json_envelope | json_flat ─► row ─► ChangeRow
//! ```
//! Which of the forms a record has is seen from the record itself, since a connector's converters can be
//! changed in the middle of a topic. A record that cannot be decoded is an answer, with the reason; row values
//! never are part of it.

mod added;
mod avro_schema;
mod avro_text;
mod changed;
mod cloud_event;
mod composed;
mod decoded;
mod encoding;
mod fields;
mod found;
mod framing;
mod json_envelope;
mod json_flat;
mod layout;
mod modes;
mod names;
mod older;
mod placeholder;
mod placing;
mod registry;
pub mod rewrite;
mod routes;
mod row;
mod shown;
mod topic;
mod transaction;
mod value;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use cutover_clients::kafka::Record;
use cutover_model::{Op, ReplicaIdentity, TableShape};

use crate::notes::Notes;
use added::Said;
pub use added::{headers_tell_deletes, op_field};
pub use changed::{Changed, changed_key};
use decoded::Unread;
pub use decoded::{Change, Decoded, Message, Rows, TopicKind};
pub use encoding::settle;
pub use fields::Outline;
use fields::{Fields, Shape};
use found::{Facts, Found, RowPlace};
pub use framing::Part;
use framing::{Form, Frame, Framing, Unframed};
pub use json_envelope::take_apart;
use layout::{Layout, Schema};
pub use modes::{
    Binary, ConverterModes, Decimal, Hstores, Intervals, TimePrecision, record_options,
    registry_option,
};
pub use names::FieldNames;
use older::Held;
use placing::{place, rows_are_there, rows_are_told_apart};
pub use registry::SchemaSource;
use registry::Schemas;
pub use routes::{Route, Router};
use row::{Reading, Room, Row};
use topic::{Beside, Topic};

/// Decodes the records of one connector's topics.
pub struct Decoder<'a> {
    shapes: &'a [TableShape],
    modes: &'a ConverterModes,
    relations: Vec<Rc<str>>,
    /// Topic of each table.
    names: Vec<String>,
    beside: Beside,
    /// Layout of each table by the connector's settings, for payloads without schema.
    plain: Vec<Rc<Layout>>,
    topics: HashMap<String, Box<Topic>>,
    /// The topic that the last record was of, since most often the next one is, too. It is not in `topics`.
    recent: Option<(String, Box<Topic>)>,
    schemas: Schemas,
    room: Room,
    notes: Notes,
}

impl<'a> Decoder<'a> {
    /// A decoder for the topics below `prefix` (the connector's `topic.prefix`).
    pub fn new(prefix: &str, shapes: &'a [TableShape], modes: &'a ConverterModes) -> Decoder<'a> {
        let mut notes = Notes::default();
        for setting in &modes.unknown {
            notes.problem(format!("connector setting {setting} is not understood"));
        }
        let router = Router::new(prefix, modes);
        let of_table = |shape: &TableShape| router.of_table(&shape.relation);
        Decoder {
            shapes,
            modes,
            names: shapes.iter().map(of_table).collect(),
            beside: Beside::new(prefix, &modes.beside, &router),
            relations: shapes
                .iter()
                .map(|shape| shape.relation.to_string().into())
                .collect(),
            plain: shapes
                .iter()
                .map(|shape| Rc::new(Layout::plain(shape, modes)))
                .collect(),
            topics: HashMap::new(),
            recent: None,
            schemas: Schemas::default(),
            room: Room::default(),
            notes,
        }
    }

    /// With a registry for what is framed for one.
    #[must_use]
    pub fn with_schemas(mut self, source: Box<dyn SchemaSource>) -> Decoder<'a> {
        self.schemas.ask(source);
        self
    }

    /// With the hashes of schemas that an earlier reading used: another schema under the same id is refused.
    #[must_use]
    pub fn expecting(mut self, schemas: BTreeMap<String, String>) -> Decoder<'a> {
        self.schemas.expect(schemas);
        self
    }

    /// Hashes of the schemas that records were read with, for [`Decoder::expecting`].
    pub fn used_schemas(&self) -> &BTreeMap<String, String> {
        self.schemas.used()
    }

    /// Takes rows back that are done with: the memory that they hold is used for the next ones.
    pub fn take_back(&mut self, rows: &mut Rows) {
        self.room.take_back(rows);
    }

    /// What was noticed so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// What a topic is for.
    pub fn kind(&self, topic: &str) -> TopicKind {
        match self.names.iter().position(|name| name == topic) {
            Some(index) => TopicKind::Changes(index),
            None => self.beside.kind(topic),
        }
    }

    /// Whether records of several tables go to this topic.
    pub fn is_shared(&self, topic: &str) -> bool {
        self.names.iter().filter(|known| *known == topic).count() > 1
    }

    /// Decodes one record. Never fails: what cannot be decoded says why.
    pub fn decode(&mut self, record: &Record<'_>, incarnation: i32) -> Decoded {
        let (name, mut topic) = self.topic(record.topic);
        let decoded = match topic.kind {
            TopicKind::Heartbeats | TopicKind::Signals => Ok(Decoded::Skipped),
            TopicKind::Transactions => self.transaction(&mut topic, record, incarnation),
            _ => self.record(&mut topic, record, incarnation),
        };
        self.recent = Some((name, topic));
        self.notes.problems.extend(fields::distrust());
        decoded.unwrap_or_else(|unread| match unread {
            Unread::Undecoded(why) => Decoded::Undecoded(why),
            Unread::Registry(error) => Decoded::Unknown(error),
        })
    }

    /// Takes out what is known of a topic.
    fn topic(&mut self, name: &str) -> (String, Box<Topic>) {
        match self.recent.take() {
            Some(recent) if recent.0 == name => return recent,
            Some((other, topic)) => drop(self.topics.insert(other, topic)),
            None => {}
        }
        let known = self.topics.remove(name);
        let topic =
            known.unwrap_or_else(|| Box::new(Topic::new(self.kind(name), self.is_shared(name))));
        (name.to_owned(), topic)
    }

    /// Takes the frame off one half of a record. What is not JSON becomes JSON in `text`.
    fn unframe<'b>(
        &mut self,
        framing: &mut Framing,
        (part, bytes): (Part, &'b [u8]),
        record: &Record<'_>,
        text: &'b mut String,
    ) -> Result<Unframed<'b>, Unread> {
        match Frame::of(part, bytes, record)? {
            Frame::None => Ok(framing.unframe(bytes)?),
            Frame::Schema(id, datum) => self.schemas.unframe((part, id), datum, text),
        }
    }

    fn transaction(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        incarnation: i32,
    ) -> Result<Decoded, Unread> {
        let value = record.value;
        let value = value.ok_or_else(|| "no value in the transaction topic".to_owned())?;
        let mut text = String::new();
        let half = (Part::Value, value);
        let unframed = self.unframe(&mut topic.values, half, record, &mut text)?;
        Ok(transaction::read(&unframed.payload, record, incarnation)?)
    }

    fn record(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        incarnation: i32,
    ) -> Result<Decoded, Unread> {
        let Some(value) = record.value else {
            return self.tombstone(topic, record, incarnation);
        };
        let mut text = String::new();
        let half = (Part::Value, value);
        let Unframed {
            schema,
            payload,
            avro,
        } = self.unframe(&mut topic.values, half, record, &mut text)?;
        let mut fields = match payload {
            Shape::Object(fields) => fields,
            Shape::Null => return self.tombstone(topic, record, incarnation),
            Shape::Other(_) => return Err("the payload is no object".to_owned().into()),
        };
        let form = Form::of(schema.is_some(), avro);
        if json_envelope::is_envelope(&fields) {
            if let Some((prefix, content, lsn)) = json_envelope::message(&fields) {
                return self.message(&prefix, &content, lsn);
            }
            let (source, facts) = json_envelope::read(&mut fields)?;
            let index = match (source.schema.as_deref(), source.table.as_deref()) {
                (Some(schema), Some(table)) => self.find(topic, schema, table)?,
                _ => self.by_topic(topic)?,
            };
            let format = form.envelope();
            let found = Found {
                index,
                schema,
                fields,
                facts,
                format,
            };
            return self.change(topic, record, incarnation, found);
        }
        if cloud_event::is_one(&fields) {
            return Err(cloud_event::NOT_DECODED.to_owned().into());
        }
        let said = Said {
            added: &self.modes.added,
            row: Some(&fields),
            record,
        };
        let facts = json_flat::read(&fields, &said)?;
        let index = self.told(topic, &said)?;
        let format = form.flat();
        let found = Found {
            index,
            schema,
            fields,
            facts,
            format,
        };
        self.change(topic, record, incarnation, found)
    }

    fn change(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        incarnation: i32,
        found: Found<'_>,
    ) -> Result<Decoded, Unread> {
        let Found { index, facts, .. } = &found;
        topic.seen(*index, facts.op, record.partition);
        let shapes = self.shapes;
        let shape = &shapes[*index];
        let relation = Rc::clone(&self.relations[*index]);
        rows_are_there(facts, shape, &mut self.notes)?;
        let layout = self.layout(found.schema.as_deref(), *index);
        let flat =
            matches!(facts.after, RowPlace::Whole) || matches!(facts.before, RowPlace::Whole);
        let reading = Reading {
            shape,
            relation: &relation,
            layout: &layout,
            modes: self.modes,
            added: flat.then_some(&self.modes.added),
        };
        // With any other identity the old row holds its key only; Debezium fills up with null, "" and 0.
        let old_row = shape.replica_identity == ReplicaIdentity::Full;
        let older = shape.may_be_older(facts.xid);
        let (before, after) = (found.row(&facts.before), found.row(&facts.after));
        // What an older record holds need not be of the columns that have these names now: it is no problem there, and
        // says nothing of other records.
        let mut aside = older.then(|| (Notes::default(), Held::default()));
        let notes = match &mut aside {
            Some((other, _)) => other,
            None => &mut self.notes,
        };
        let mut read = |row: &Fields<'_>| reading.row(row, &mut self.room, notes);
        let (old, new) = (before.map(&mut read), after.map(&mut read));
        let op = facts.op.unwrap_or(Op::Update);
        let mut row = self.room.row(incarnation, &relation, op);
        Row::note(old.as_ref().filter(|_| old_row), new.as_ref(), &mut row);
        if let Some(new) = new.filter(|_| shape.has_history()) {
            let place = (record.partition, *index);
            let held = match &mut aside {
                Some((_, alone)) => alone,
                None => &mut topic.held,
            };
            let allowed = held.allow(place, shape, &new.lacks, &mut self.notes);
            row.filled = new.filled.filter(|_| allowed);
        }
        if let Some((other, _)) = aside {
            self.notes.columns_of(other);
            older::set_aside(&mut row);
        }
        row.lsn = facts.lsn;
        row.xid = facts.xid;
        if let Some(place) = &facts.transaction {
            place.note(&mut row);
        }
        rows_are_told_apart(facts, shape, &mut self.notes);
        let key = match row.op {
            Op::Truncate => None,
            _ => {
                let of_row = || reading.key_of_row(after.or(before)?);
                self.key(topic, record, *index, &of_row)?
            }
        };
        place(&mut row, record, key);
        Ok(Decoded::Change(Change {
            has_lsn: row.lsn.is_some(),
            has_op: facts.op.is_some(),
            format: found.format,
            row,
        }))
    }

    fn tombstone(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        incarnation: i32,
    ) -> Result<Decoded, Unread> {
        if topic.kind == TopicKind::Messages {
            return Err("a record without value in the message topic"
                .to_owned()
                .into());
        }
        let said = Said {
            added: &self.modes.added,
            row: None,
            record,
        };
        if let Some(facts) = json_flat::delete(&said)? {
            let found = Found {
                index: self.told(topic, &said)?,
                schema: None,
                fields: Fields::default(),
                facts,
                format: "delete without value, told by its headers",
            };
            return self.change(topic, record, incarnation, found);
        }
        // It comes right behind the delete, in the same partition.
        let index = match topic.deleted.remove(&record.partition) {
            Some(last) => last,
            None => self
                .by_topic(topic)
                .map_err(|reason| format!("tombstone: {reason}"))?,
        };
        // Debezium writes a tombstone after the delete of a row without key, too: it has no key either.
        let key = self.key(topic, record, index, &|| None)?;
        let relation = Rc::clone(&self.relations[index]);
        let mut row = self.room.row(incarnation, &relation, Op::Tombstone);
        place(&mut row, record, key);
        Ok(Decoded::Tombstone(row))
    }

    /// Canonical key text: of the record key, or, if a transformation dropped it, of the row (which is told).
    fn key(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        index: usize,
        of_row: &dyn Fn() -> Option<String>,
    ) -> Result<Option<String>, Unread> {
        let shape = &self.shapes[index];
        if !shape.has_key() {
            return Ok(None);
        }
        let mut text = String::new();
        let (schema, payload) = match record.key {
            Some(bytes) => {
                let half = (Part::Key, bytes);
                let unframed = self.unframe(&mut topic.keys, half, record, &mut text);
                let Unframed {
                    schema, payload, ..
                } = unframed.map_err(Unread::of_key)?;
                (schema, payload)
            }
            None => (None, Shape::Null),
        };
        let layout = self.layout(schema.as_deref(), index);
        let relation = Rc::clone(&self.relations[index]);
        let reading = Reading {
            shape,
            relation: &relation,
            layout: &layout,
            modes: self.modes,
            added: None,
        };
        let why = match payload {
            Shape::Object(fields) => match reading.key(&fields, &mut self.room) {
                Ok(key) => return Ok(Some(key)),
                Err(why) => why,
            },
            Shape::Other(json) => return Ok(Some(reading.bare_key(json)?)),
            Shape::Null => "records have no key although the table has one".to_owned(),
        };
        let Some(key) = of_row() else {
            return Err(why.into());
        };
        self.notes.problem(format!("{relation}: {why}"));
        Ok(Some(key))
    }

    fn layout(&self, schema: Option<&Schema>, index: usize) -> Rc<Layout> {
        match schema {
            Some(schema) => schema.layout(index, &self.shapes[index], self.modes),
            None => Rc::clone(&self.plain[index]),
        }
    }

    fn find(&self, topic: &Topic, schema: &str, table: &str) -> Result<usize, String> {
        let same = |index: usize| {
            let relation = &self.shapes[index].relation;
            relation.schema == schema && relation.name == table
        };
        if let Some(last) = topic.last.filter(|last| same(*last)) {
            return Ok(last);
        }
        (0..self.shapes.len())
            .find(|index| same(*index))
            .ok_or_else(|| format!("{schema}.{table} is not among the captured tables"))
    }

    /// The table that a record without envelope names, else the one whose topic it is in.
    fn told(&self, topic: &Topic, said: &Said<'_>) -> Result<usize, String> {
        match said.relation() {
            Some((schema, table)) => self.find(topic, &schema, &table),
            None => self.by_topic(topic),
        }
    }

    fn by_topic(&self, topic: &Topic) -> Result<usize, String> {
        match topic.kind {
            TopicKind::Changes(index) if !topic.shared => Ok(index),
            TopicKind::Changes(_) => Err(
                "records of several tables go to this topic, and the payload does not \
                 tell which one it is of"
                    .to_owned(),
            ),
            _ => topic.last.ok_or_else(|| {
                "neither the payload nor the topic's name tells which table it is of".to_owned()
            }),
        }
    }

    fn message(&self, prefix: &str, content: &str, lsn: Option<i64>) -> Result<Decoded, Unread> {
        let content = value::message_content(content, self.modes.binary)
            .ok_or_else(|| "the message's content is not in binary.handling.mode".to_owned())?;
        Ok(Decoded::Message(Message {
            prefix: prefix.to_owned(),
            content,
            lsn,
        }))
    }
}

#[cfg(test)]
mod tests;
