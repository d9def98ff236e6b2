//! Fits a decoded record into the ledger: where it stood, whose it is, and whether it brings what it must.

use cutover_clients::kafka::Record;
use cutover_model::{ChangeRow, Half, Op, ReplicaIdentity, TableShape, change};

use super::{Facts, Notes, RowPlace};
use crate::canonical::change_key_hash;

/// Fills in what comes from around the payload. All three records of a key update have its headers, flat ones too.
pub(super) fn place(row: &mut ChangeRow, record: &Record<'_>, key: Option<String>) {
    row.half = match row.op {
        Op::Delete | Op::Tombstone if record.has_header("__debezium.newkey") => Half::OldKey,
        Op::Create if record.has_header("__debezium.oldkey") => Half::NewKey,
        _ => Half::Whole,
    };
    row.key_hash = change_key_hash(&row.relation, key.as_deref(), row.before, row.after);
    row.key = key;
    if row.topic.as_deref() != Some(record.topic) {
        row.topic = Some(record.topic.to_owned());
    }
    row.partition = Some(record.partition);
    row.record_offset = Some(record.offset);
    row.time_ms = record.timestamp_ms;
    row.compensation = record.header_text(change::COMPENSATION_HEADER);
}

/// Topic names have letters, digits, dot, dash and underscore; Debezium writes `_` for anything else.
pub(super) fn topic_part(relation: &str) -> String {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let mut name = String::with_capacity(relation.len());
    for letter in relation.chars() {
        match legal(letter) {
            true => name.push(letter),
            // Java looks at units of 16 bits, of which letters beyond the first plane have two.
            false => (0..letter.len_utf16()).for_each(|_| name.push('_')),
        }
    }
    name
}

/// Whether a record brings the rows that its operation must have: one whose row is gone is not one "not compared".
pub(super) fn rows_are_there(
    facts: &Facts<'_>,
    shape: &TableShape,
    notes: &mut Notes,
) -> Result<(), String> {
    let brings_a_row = matches!(facts.op, Some(Op::Create | Op::Update | Op::Read));
    if brings_a_row && matches!(facts.after, RowPlace::Absent) {
        return Err("a record of a new row without the row".to_owned());
    }
    let has_old_row = matches!(facts.op, Some(Op::Update | Op::Delete));
    let full = shape.replica_identity == ReplicaIdentity::Full;
    if full && has_old_row && matches!(facts.before, RowPlace::Absent) {
        let relation = &shape.relation;
        notes.problem(format!(
            "{relation}: updates or deletes came without their old row, although the replica identity is full"
        ));
    }
    Ok(())
}

/// Notes an update that brings nothing by which its row could be told from the others.
pub(super) fn rows_are_told_apart(facts: &Facts<'_>, shape: &TableShape, notes: &mut Notes) {
    let blind = matches!(facts.before, RowPlace::Unknown) && facts.op == Some(Op::Update);
    if blind && !shape.has_key() {
        let text =
            "updates cannot be told apart: the flat payload has no old row, the table no key";
        notes.problem(format!("{}: {text}", shape.relation));
    }
}
