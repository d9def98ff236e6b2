//! A JSON object to a row image, column by column of the table as PostgreSQL describes it.
//!
//! What does not fit is noted, never skipped: a missing column, an unknown one, a value that cannot be read or
//! that the topic does not hold. Such a row keeps its identity but has no image hash, because the other
//! ledgers hash every comparable column and would differ for no reason. Of a table whose records may be older than its
//! columns, a missing one is told to [`older`](super::older), which judges it.

use cutover_model::canonical::{Canonical, RowHasher, push_key};
use cutover_model::{ChangeRow, Op, TableShape};

use super::added::Added;
use super::decoded::Rows;
use super::encoding::Encoding;
use super::fields::Fields;
use super::layout::Layout;
use super::modes::ConverterModes;
use super::older;
use super::shown::shown;
use super::value::{self, Trouble};
use crate::canonical;
use crate::notes::Notes;

/// A row as a record shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// Hash of the row; `None` when a comparable column is not there.
    pub(crate) image: Option<i64>,
    pub(crate) revision: Option<i64>,
    /// Places of columns that may be younger than the record, which does not hold them.
    pub(crate) lacks: Vec<usize>,
    /// Of a record of an older form of the table: hash of the row with what was filled in since.
    pub(crate) filled: Option<i64>,
}

impl Row {
    /// Fills in what the rows of a record say of its change; the old one, if it is more than a key.
    pub(super) fn note(old: Option<&Row>, new: Option<&Row>, change: &mut ChangeRow) {
        change.before = old.and_then(|old| old.image);
        change.after = new.and_then(|new| new.image);
        change.revision = new.or(old).and_then(|last| last.revision);
    }
}

/// Room that is used again from row to row.
#[derive(Debug, Default)]
pub(crate) struct Room {
    hasher: RowHasher,
    text: String,
    key: String,
    /// Rows that were appended to a ledger.
    rows: Rows,
}

impl Room {
    pub(super) fn row(&mut self, incarnation: i32, relation: &str, op: Op) -> Box<ChangeRow> {
        let Some(mut row) = self.rows.pop() else {
            return Box::new(ChangeRow::new(incarnation, relation, op));
        };
        let mut name = std::mem::take(&mut row.relation);
        if name != relation {
            relation.clone_into(&mut name);
        }
        self.key = row.key.take().unwrap_or_default();
        *row = ChangeRow {
            // It is of the same topic mostly; where a record stands is filled in at last, in any case.
            topic: row.topic.take(),
            ..ChangeRow::new(incarnation, name, op)
        };
        row
    }

    pub(super) fn take_back(&mut self, rows: &mut Rows) {
        self.rows.append(rows);
    }
}

/// Most key texts have room in so many bytes.
const KEY_BYTES: usize = 48;

/// What reading a row needs to know.
pub(crate) struct Reading<'a> {
    pub(crate) shape: &'a TableShape,
    pub(crate) relation: &'a str,
    pub(crate) layout: &'a Layout,
    pub(crate) modes: &'a ConverterModes,
    /// Members that were added by a transformation, where one may have been at work.
    pub(crate) added: Option<&'a Added>,
}

impl Reading<'_> {
    pub(crate) fn row(&self, fields: &Fields<'_>, room: &mut Room, notes: &mut Notes) -> Row {
        if self.shape.content_lost.is_some() {
            // What a column holds depends on when the record was made.
            return Row::default();
        }
        self.as_shown(fields, room)
            .unwrap_or_else(|| self.as_read(fields, notes))
    }

    /// A row that has every column and nothing else, all of it plain; there is nothing to note then.
    fn as_shown(&self, fields: &Fields<'_>, room: &mut Room) -> Option<Row> {
        let layout = self.layout;
        if !layout.whole || fields.len() != layout.names.len() {
            return None;
        }
        room.hasher.clear();
        let mut revision = None;
        for (place, encoding) in layout.encodings.iter().enumerate() {
            let (json, plain) = fields.near(place, &layout.names[place])?;
            if json == "null" {
                let name = &self.shape.columns[place].name;
                room.hasher.column(name, &Canonical::Null);
                continue;
            }
            let read;
            let text = match shown(encoding, (json, plain), self.modes, &mut room.text) {
                Some(text) => text,
                None => match value::canonical(encoding, json, self.modes).ok()? {
                    Canonical::Text(text) => {
                        read = text;
                        read.as_str()
                    }
                    Canonical::Null | Canonical::NotCompared(_) => return None,
                },
            };
            room.hasher.marked(&layout.marks[place], text);
            if layout.revision == Some(place) {
                revision = text.parse().ok();
            }
        }
        Some(Row {
            image: Some(room.hasher.finish()),
            revision,
            ..Row::default()
        })
    }

    fn as_read(&self, fields: &Fields<'_>, notes: &mut Notes) -> Row {
        let (mut unread, mut found) = (0, 0);
        let mut lacks = Vec::new();
        let mut values = Vec::with_capacity(self.shape.columns.len());
        for place in 0..self.shape.columns.len() {
            let json = fields.get_near(place, &self.layout.names[place]);
            found += usize::from(json.is_some());
            let value = self.value(place, json, notes);
            unread += usize::from(value.is_none());
            if value.is_none() && json.is_none() && self.may_lack(place) {
                lacks.push(place);
            }
            // Out of the hash, which is thrown away below.
            values.push(value.unwrap_or_else(|| Canonical::NotCompared(String::new())));
        }
        let more = found < fields.len() && self.note_unknown(fields, notes);
        let image = canonical::row_image(self.shape, &values);
        // A record of another form of the table: what a column was called then may be another one now.
        let older = self.shape.has_history() && (more || !lacks.is_empty());
        let known = older && unread == lacks.len();
        Row {
            image: image.hash.filter(|_| unread == 0 && !older),
            revision: image.revision.filter(|_| !older),
            filled: match known {
                true => older::filled(self.shape, values, &lacks),
                false => None,
            },
            lacks,
        }
    }

    /// The record may be from before this column was added. A key is none without all of its columns.
    fn may_lack(&self, place: usize) -> bool {
        let column = &self.shape.columns[place];
        column.fill.is_some() && !column.key
    }

    /// Key text from a row; `None` for a table without key, and when a key column is not there or cannot be read.
    pub(crate) fn key_of_row(&self, fields: &Fields<'_>) -> Option<String> {
        let mut values = vec![Canonical::Null; self.shape.columns.len()];
        for place in self.layout.keys.iter().copied() {
            let json = fields.get_near(place, &self.layout.names[place]);
            // What there is to note was noted when the row was read.
            values[place] = self.value(place, json, &mut Notes::default())?;
        }
        canonical::key_of(self.shape, &values)
    }

    /// Key text from a record key; says why if a key column is not there.
    pub(crate) fn key(&self, fields: &Fields<'_>, room: &mut Room) -> Result<String, String> {
        if let Some(key) = self.key_as_shown(fields, room) {
            return Ok(key);
        }
        let mut values = Vec::with_capacity(self.shape.columns.len());
        for (place, column) in self.shape.columns.iter().enumerate() {
            if !column.key {
                values.push(Canonical::Null);
                continue;
            }
            let name = &column.name;
            let json = self.layout.names.get(place);
            let json = json.and_then(|name| fields.present(name));
            let json = json.ok_or_else(|| format!("the record key has no '{name}'"))?;
            let encoding = &self.layout.encodings[place];
            values.push(self.key_value(name, value::canonical(encoding, json, self.modes))?);
        }
        canonical::key_of(self.shape, &values).ok_or_else(|| "the table has no key".to_owned())
    }

    fn key_as_shown(&self, fields: &Fields<'_>, room: &mut Room) -> Option<String> {
        let layout = self.layout;
        if !layout.whole || layout.keys.is_empty() {
            return None;
        }
        let mut key = std::mem::take(&mut room.key);
        key.clear();
        key.reserve(KEY_BYTES);
        for (number, place) in layout.keys.iter().copied().enumerate() {
            let shows = fields.near(number, &layout.names[place]);
            let shows = shows.filter(|(json, _)| *json != "null")?;
            let text = shown(&layout.encodings[place], shows, self.modes, &mut room.text)?;
            push_key(&mut key, &self.shape.columns[place].name, Some(text));
        }
        key.push('}');
        Some(key)
    }

    /// Key text from a record key that is a bare value (a transformation took it out of its struct).
    pub(crate) fn bare_key(&self, json: &str) -> Result<String, String> {
        let mut keys = self.shape.columns.iter().zip(&self.layout.encodings);
        let mut keys = keys.by_ref().filter(|(column, _)| column.key);
        let (Some((column, encoding)), None) = (keys.next(), keys.next()) else {
            return Err("the record key is a bare value, the table's key is not".to_owned());
        };
        let value = value::canonical(encoding, json, self.modes);
        let value = self.key_value(&column.name, value)?;
        let one = [(column.name.as_str(), &value)];
        Ok(cutover_model::canonical::key_text(&one))
    }

    fn key_value(
        &self,
        name: &str,
        value: Result<Canonical, Trouble>,
    ) -> Result<Canonical, String> {
        match value {
            Ok(Canonical::NotCompared(reason)) | Err(Trouble::NotThere(reason)) => {
                Err(format!("key column '{name}': {reason}"))
            }
            Err(Trouble::Bad(reason)) => Err(format!("key column '{name}' is {reason}")),
            Ok(value) => Ok(value),
        }
    }

    /// `None` when a value that the other ledgers have is not there.
    fn value(&self, place: usize, json: Option<&str>, notes: &mut Notes) -> Option<Canonical> {
        let column = &self.shape.columns[place];
        let encoding = self.layout.encodings.get(place)?;
        let (relation, name) = (self.relation, column.name.as_str());
        let Some(json) = json else {
            if let Encoding::NotCompared(reason) = encoding {
                notes.not_compared(relation, name, reason);
                return Some(Canonical::NotCompared(reason.clone()));
            }
            if self.may_lack(place) {
                return None;
            }
            if canonical::shown_by_all(column.type_oid) {
                notes.problem(format!("{relation}: column '{name}' is not in the payload"));
            } else {
                // Not every version of Debezium knows every type.
                notes.not_compared(relation, name, "it is not in the payload");
            }
            return None;
        };
        if json == "null" {
            return Some(canonical::null(column));
        }
        match value::canonical(encoding, json, self.modes) {
            Ok(value) => {
                if let Canonical::NotCompared(reason) = &value {
                    notes.not_compared(relation, name, reason);
                }
                Some(value)
            }
            Err(Trouble::NotThere(reason)) => {
                notes.not_compared(relation, name, &reason);
                None
            }
            Err(Trouble::Bad(reason)) => {
                notes.bad_value(format!(
                    "{relation}: a value of column '{name}' is {reason}"
                ));
                notes.not_compared(relation, name, reason);
                None
            }
        }
    }

    /// Names the members that are no columns; tells whether there are any.
    fn note_unknown(&self, fields: &Fields<'_>, notes: &mut Notes) -> bool {
        let mut any = false;
        for name in fields.names() {
            let added = self.added.is_some_and(|added| added.has_field(name));
            if added || self.layout.names.iter().any(|known| known == name) {
                continue;
            }
            any = true;
            let relation = self.relation;
            match self.shape.has_history() {
                true => notes.none_of_the_table(relation, name),
                false => notes.problem(format!(
                    "{relation}: the payload has an unknown column '{name}'"
                )),
            }
        }
        any
    }
}
