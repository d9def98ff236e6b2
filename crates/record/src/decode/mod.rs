//! Decodes records of Debezium topics into change rows: what the payload holds, and nothing that it does not.
//!
//! ```text
//! bytes ─► framing (inline schema off) ─► json_envelope | json_flat ─► row (value by value) ─► ChangeRow
//! ```
//! Which of the forms a record has is seen from the record itself, since a connector's converters can be
//! changed in the middle of a topic. A record that cannot be decoded is an answer, with the reason; row values
//! never are part of it.

mod encoding;
mod fields;
mod framing;
mod json_envelope;
mod json_flat;
mod modes;
pub mod rewrite;
mod row;
mod transaction;
mod value;

use std::collections::HashMap;
use std::rc::Rc;

use cutover_clients::kafka::Record;
use cutover_model::{ChangeRow, Half, Op, ReplicaIdentity, TableShape, TransactionRow, change};

pub use modes::{Binary, ConverterModes, Decimal, TimePrecision, record_options};
pub use row::Notes;

use crate::canonical::change_key_hash;
use encoding::Encoding;
use fields::{Fields, Shape};
use framing::{Framing, Schema, Unframed};
use row::{Reading, Row, rows_are_there};

/// What a topic is for, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// Changes of one table, by index into the shapes.
    Changes(usize),
    /// Logical decoding messages (`<prefix>.message`).
    Messages,
    /// Heartbeats.
    Heartbeats,
    /// Transaction metadata (`<prefix>.transaction`).
    Transactions,
    /// Any other name; a change record in it must name its table itself.
    Unknown,
}

/// What a record turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded {
    /// A change.
    Change(Box<Change>),
    /// A tombstone, as a row of the ledger.
    Tombstone(Box<ChangeRow>),
    /// A logical decoding message.
    Message(Message),
    /// A BEGIN or an END of transaction metadata, as rows of its ledger.
    Transaction(Vec<TransactionRow>),
    /// A heartbeat.
    Skipped,
    /// Not decoded, and why.
    Undecoded(String),
}

/// A change record.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The row of the ledger.
    pub row: ChangeRow,
    /// The record carried its LSN.
    pub has_lsn: bool,
    /// The record carried its operation letter.
    pub has_op: bool,
    /// Payload form, e.g. `debezium envelope, json without schema`.
    pub format: &'static str,
}

/// What `pg_logical_emit_message` wrote, as the connector published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Prefix.
    pub prefix: String,
    /// Content.
    pub content: Vec<u8>,
    /// Position of the message.
    pub lsn: Option<i64>,
}

/// What a payload says of a change, whatever its form.
struct Facts<'a> {
    op: Option<Op>,
    lsn: Option<i64>,
    xid: Option<i64>,
    transaction: Option<transaction::Place>,
    before: RowPlace<'a>,
    after: RowPlace<'a>,
}

/// Where a row stands in the payload.
enum RowPlace<'a> {
    /// Nowhere: there is no such row (before an insert, after a delete).
    Absent,
    /// There was one, but the payload does not have it.
    Unknown,
    /// In an object of its own.
    Own(Fields<'a>),
    /// The payload itself is the row.
    Whole,
}

struct Topic {
    kind: TopicKind,
    keys: Framing,
    values: Framing,
    /// Table of the last change, for tombstones in topics whose name tells nothing.
    last: Option<usize>,
}

/// Decodes the records of one connector's topics.
pub struct Decoder<'a> {
    prefix: &'a str,
    shapes: &'a [TableShape],
    modes: &'a ConverterModes,
    relations: Vec<String>,
    /// Encodings of each table by the connector's settings, for payloads without schema.
    plain: Vec<Rc<[Encoding]>>,
    topics: HashMap<String, Topic>,
    notes: Notes,
}

impl<'a> Decoder<'a> {
    /// A decoder for the topics below `prefix` (the connector's `topic.prefix`).
    pub fn new(
        prefix: &'a str,
        shapes: &'a [TableShape],
        modes: &'a ConverterModes,
    ) -> Decoder<'a> {
        let mut notes = Notes::default();
        for setting in &modes.unknown {
            notes.problem(format!("connector setting {setting} is not understood"));
        }
        let encodings = |shape: &TableShape| -> Rc<[Encoding]> {
            let columns = shape.columns.iter();
            columns
                .map(|column| Encoding::of(column, modes, None))
                .collect()
        };
        Decoder {
            prefix,
            shapes,
            modes,
            relations: shapes
                .iter()
                .map(|shape| shape.relation.to_string())
                .collect(),
            plain: shapes.iter().map(encodings).collect(),
            topics: HashMap::new(),
            notes,
        }
    }

    /// What was noticed so far.
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// What a topic is for.
    pub fn kind(&self, topic: &str) -> TopicKind {
        if topic.starts_with("__debezium-heartbeat") {
            return TopicKind::Heartbeats;
        }
        let name = topic
            .strip_prefix(self.prefix)
            .and_then(|name| name.strip_prefix('.'));
        let Some(name) = name else {
            return TopicKind::Unknown;
        };
        let of_name = |shape: &TableShape| topic_part(&shape.relation.to_string()) == name;
        match self.shapes.iter().position(of_name) {
            Some(index) => TopicKind::Changes(index),
            None if name == "message" => TopicKind::Messages,
            None if name == "transaction" => TopicKind::Transactions,
            None => TopicKind::Unknown,
        }
    }

    /// Decodes one record. Never fails: what cannot be decoded says why.
    pub fn decode(&mut self, record: &Record<'_>, incarnation: i32) -> Decoded {
        let mut topic = match self.topics.remove(record.topic) {
            Some(topic) => topic,
            None => Topic {
                kind: self.kind(record.topic),
                keys: Framing::default(),
                values: Framing::default(),
                last: None,
            },
        };
        let decoded = match topic.kind {
            TopicKind::Heartbeats => Ok(Decoded::Skipped),
            TopicKind::Transactions => transaction::read(&mut topic.values, record, incarnation),
            _ => self.record(&mut topic, record, incarnation),
        };
        self.topics.insert(record.topic.to_owned(), topic);
        decoded.unwrap_or_else(Decoded::Undecoded)
    }

    fn record(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        incarnation: i32,
    ) -> Result<Decoded, String> {
        let Some(value) = record.value else {
            return self.tombstone(topic, record, incarnation);
        };
        let Unframed { schema, payload } = topic.values.unframe(value)?;
        let fields = match payload {
            Shape::Object(fields) => fields,
            Shape::Null => return self.tombstone(topic, record, incarnation),
            Shape::Other(_) => return Err("the payload is no object".to_owned()),
        };
        let inline = schema.is_some();
        if json_envelope::is_envelope(&fields) {
            if let Some((prefix, content, lsn)) = json_envelope::message(&fields) {
                return self.message(&prefix, &content, lsn);
            }
            let (source, facts) = json_envelope::read(&fields)?;
            let index = match (source.schema.as_deref(), source.table.as_deref()) {
                (Some(schema), Some(table)) => self.find(topic, schema, table)?,
                _ => self.by_topic(topic)?,
            };
            topic.last = Some(index);
            let format = if inline {
                "debezium envelope, json with inline schema"
            } else {
                "debezium envelope, json without schema"
            };
            return self.change(
                topic,
                record,
                incarnation,
                Found {
                    index,
                    schema,
                    fields,
                    facts,
                    format,
                },
            );
        }
        let facts = json_flat::read(&fields, self.modes)?;
        let index = match json_flat::relation(&fields, self.modes) {
            Some((schema, table)) => self.find(topic, &schema, &table)?,
            None => self.by_topic(topic)?,
        };
        topic.last = Some(index);
        let format = if inline {
            "flat row, json with inline schema"
        } else {
            "flat row, json without schema"
        };
        self.change(
            topic,
            record,
            incarnation,
            Found {
                index,
                schema,
                fields,
                facts,
                format,
            },
        )
    }

    fn change(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        incarnation: i32,
        found: Found<'_>,
    ) -> Result<Decoded, String> {
        let Found { index, facts, .. } = &found;
        let shape = &self.shapes[*index];
        let relation = &self.relations[*index];
        rows_are_there(facts, shape, &mut self.notes)?;
        let encodings = self.encodings(found.schema.as_deref(), *index);
        let flat =
            matches!(facts.after, RowPlace::Whole) || matches!(facts.before, RowPlace::Whole);
        let reading = Reading {
            shape,
            relation,
            encodings: &encodings,
            modes: self.modes,
            added_prefix: flat.then_some(self.modes.added_prefix.as_str()),
        };
        // With any other identity the old row holds its key only; Debezium fills up with null, "" and 0.
        let old_row = shape.replica_identity == ReplicaIdentity::Full;
        let mut read = |place: &RowPlace<'_>| match place {
            RowPlace::Own(row) => Some(reading.row(row, &mut self.notes)),
            RowPlace::Whole => Some(reading.row(&found.fields, &mut self.notes)),
            RowPlace::Absent | RowPlace::Unknown => None,
        };
        let before = read(&facts.before);
        let after = read(&facts.after);
        let mut row = ChangeRow::new(
            incarnation,
            relation.clone(),
            facts.op.unwrap_or(Op::Update),
        );
        row.before = before
            .as_ref()
            .filter(|_| old_row)
            .and_then(|row| row.image);
        row.after = after.as_ref().and_then(|row| row.image);
        row.revision = match &after {
            Some(after) => after.revision,
            None => before
                .as_ref()
                .filter(|_| old_row)
                .and_then(|row| row.revision),
        };
        row.lsn = facts.lsn;
        row.xid = facts.xid;
        if let Some(place) = &facts.transaction {
            place.note(&mut row);
        }
        if matches!(facts.before, RowPlace::Unknown)
            && facts.op == Some(Op::Update)
            && !shape.has_key()
        {
            let text =
                "updates cannot be told apart: the flat payload has no old row, the table no key";
            self.notes.problem(format!("{relation}: {text}"));
        }
        let key = match row.op {
            Op::Truncate => None,
            _ => self.key(topic, record.key, *index, after.or(before))?,
        };
        place(&mut row, record, key);
        Ok(Decoded::Change(Box::new(Change {
            has_lsn: row.lsn.is_some(),
            has_op: facts.op.is_some(),
            format: found.format,
            row,
        })))
    }

    fn tombstone(
        &mut self,
        topic: &mut Topic,
        record: &Record<'_>,
        incarnation: i32,
    ) -> Result<Decoded, String> {
        if topic.kind == TopicKind::Messages {
            return Err("a record without value in the message topic".to_owned());
        }
        let index = self
            .by_topic(topic)
            .map_err(|reason| format!("tombstone: {reason}"))?;
        // Debezium writes a tombstone after the delete of a row without key, too: it has no key either.
        let key = self.key(topic, record.key, index, None)?;
        let mut row = ChangeRow::new(incarnation, self.relations[index].clone(), Op::Tombstone);
        place(&mut row, record, key);
        Ok(Decoded::Tombstone(Box::new(row)))
    }

    /// Canonical key text: of the record key, or, if a transformation dropped it, of the row (which is told).
    fn key(
        &mut self,
        topic: &mut Topic,
        bytes: Option<&[u8]>,
        index: usize,
        row: Option<Row>,
    ) -> Result<Option<String>, String> {
        let shape = &self.shapes[index];
        if !shape.has_key() {
            return Ok(None);
        }
        let relation = &self.relations[index];
        let Unframed { schema, payload } = match bytes {
            Some(bytes) => topic
                .keys
                .unframe(bytes)
                .map_err(|why| format!("record key: {why}"))?,
            None => Unframed {
                schema: None,
                payload: Shape::Null,
            },
        };
        let encodings = self.encodings(schema.as_deref(), index);
        let reading = Reading {
            shape,
            relation,
            encodings: &encodings,
            modes: self.modes,
            added_prefix: None,
        };
        let why = match payload {
            Shape::Object(fields) => match reading.key(&fields) {
                Ok(key) => return Ok(Some(key)),
                Err(why) => why,
            },
            Shape::Other(json) => return reading.bare_key(json).map(Some),
            Shape::Null => "records have no key although the table has one".to_owned(),
        };
        let Some(row) = row else {
            return Err(why);
        };
        self.notes.problem(format!("{relation}: {why}"));
        Ok(row.key)
    }

    fn encodings(&self, schema: Option<&Schema>, index: usize) -> Rc<[Encoding]> {
        match schema {
            Some(schema) => schema.encodings(index, &self.shapes[index], self.modes),
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

    fn by_topic(&self, topic: &Topic) -> Result<usize, String> {
        match topic.kind {
            TopicKind::Changes(index) => Ok(index),
            _ => topic.last.ok_or_else(|| {
                "neither the payload nor the topic's name tells which table it is of".to_owned()
            }),
        }
    }

    fn message(&self, prefix: &str, content: &str, lsn: Option<i64>) -> Result<Decoded, String> {
        let content = value::message_content(content, self.modes.binary)
            .ok_or_else(|| "the message's content is not in binary.handling.mode".to_owned())?;
        Ok(Decoded::Message(Message {
            prefix: prefix.to_owned(),
            content,
            lsn,
        }))
    }
}

struct Found<'a> {
    index: usize,
    schema: Option<Rc<Schema>>,
    fields: Fields<'a>,
    facts: Facts<'a>,
    format: &'static str,
}

/// Fills in what comes from around the payload. All three records of a key update have its headers, flat ones too.
fn place(row: &mut ChangeRow, record: &Record<'_>, key: Option<String>) {
    row.half = match row.op {
        Op::Delete | Op::Tombstone if record.has_header("__debezium.newkey") => Half::OldKey,
        Op::Create if record.has_header("__debezium.oldkey") => Half::NewKey,
        _ => Half::Whole,
    };
    row.key_hash = change_key_hash(&row.relation, key.as_deref(), row.before, row.after);
    row.key = key;
    row.topic = Some(record.topic.to_owned());
    row.partition = Some(record.partition);
    row.record_offset = Some(record.offset);
    row.time_ms = record.timestamp_ms;
    row.compensation = record.header_text(change::COMPENSATION_HEADER);
}

/// Topic names have letters, digits, dot, dash and underscore; Debezium writes `_` for anything else.
fn topic_part(relation: &str) -> String {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let letters = relation.chars();
    letters
        .map(|letter| if legal(letter) { letter } else { '_' })
        .collect()
}

#[cfg(test)]
mod tests;
