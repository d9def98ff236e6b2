//! The bytes of compensating records, in the form that the connector itself writes. Pure.
//!
//! A ghost is deleted as the connector would delete it: with an envelope, the key's last record with its new row as
//! the old one, then a tombstone where the connector writes tombstones; behind `ExtractNewRecordState` the form that
//! its options give a delete. A stale or missing row is put right by the earlier record that brought exactly this
//! row. The rule it protects: nothing is invented. Every row that is written was read from the topic, and a value
//! that cannot be taken apart is written again as it is, or only its tombstone is.

use std::collections::BTreeMap;

use cutover_model::Op;
use cutover_model::gap::KeyTrouble;
use cutover_record::decode::op_field;
use cutover_record::decode::rewrite::{JsonValue, ValueForm};

use crate::lint::unwrap;

/// How the connector writes deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteForm {
    /// A tombstone follows each delete.
    pub tombstone: bool,
    /// Flattened deletes are rows with `__deleted`; the name of the member that holds the operation, empty without one.
    pub rewritten: Option<String>,
}

impl DeleteForm {
    /// From the options that decide it; `tombstones` is `tombstones.on.delete`.
    pub fn of(options: &BTreeMap<String, String>, tombstones: bool) -> DeleteForm {
        let Some(prefix) = unwrap::prefixes(options).into_iter().next() else {
            return DeleteForm {
                tombstone: tombstones,
                rewritten: None,
            };
        };
        let option = |name: &str| {
            options
                .get(&format!("{prefix}{name}"))
                .map(|text| text.trim())
        };
        let (rewrites, keeps) = match option(unwrap::NEW) {
            Some(mode) => (
                mode.starts_with("rewrite"),
                matches!(
                    mode,
                    "tombstone" | "rewrite-with-tombstone" | "delete-to-tombstone"
                ),
            ),
            None => (
                option("delete.handling.mode") == Some("rewrite"),
                option("drop.tombstones") == Some("false"),
            ),
        };
        // Without it among the fields, a row says of its operation only that it is a delete.
        let op = || {
            let listed = option("add.fields").unwrap_or_default();
            op_field(listed, option("add.fields.prefix")).unwrap_or_default()
        };
        DeleteForm {
            tombstone: keeps && tombstones,
            rewritten: rewrites.then(op),
        }
    }

    /// Operation letters of a delete in envelopes (`true`) or in another form, as far as it is known beforehand.
    pub fn letters(&self, envelopes: bool) -> Vec<&'static str> {
        match (envelopes || self.rewritten.is_some(), self.tombstone) {
            (true, true) => vec!["d", "x"],
            (true, false) => vec!["d"],
            (false, _) => vec!["x"],
        }
    }
}

/// A record to be written for a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// What it says.
    pub op: Op,
    /// Its value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// What closes one key. `last` is the value of its last record, `source` that of the earlier record with the stored
/// row. Nothing, if nothing exact can be written.
pub fn drafts(
    trouble: KeyTrouble,
    last: Option<&[u8]>,
    source: Option<&[u8]>,
    form: &DeleteForm,
) -> Vec<Draft> {
    match trouble {
        KeyTrouble::Ghost => ghost(last, form),
        KeyTrouble::Unfinished if form.tombstone => vec![TOMBSTONE],
        KeyTrouble::Unfinished => Vec::new(),
        KeyTrouble::Stale | KeyTrouble::Missing => source
            .map(|source| row_again(trouble, last, source))
            .into_iter()
            .collect(),
    }
}

const TOMBSTONE: Draft = Draft {
    op: Op::Tombstone,
    value: None,
};

fn ghost(last: Option<&[u8]>, form: &DeleteForm) -> Vec<Draft> {
    let value = last.and_then(JsonValue::parse);
    let deleted = value.and_then(|value| match (value.form(), &form.rewritten) {
        (ValueForm::Envelope, _) => envelope_delete(&value),
        (ValueForm::Flat, Some(op)) => flat_delete(&value, op),
        _ => None,
    });
    match deleted {
        Some(value) => {
            let delete = Draft {
                op: Op::Delete,
                value: Some(value),
            };
            let tombstone = form.tombstone.then_some(TOMBSTONE);
            std::iter::once(delete).chain(tombstone).collect()
        }
        // Without a delete of its own the tombstone is all that says it, whether or not others get one.
        None => vec![TOMBSTONE],
    }
}

fn envelope_delete(value: &JsonValue<'_>) -> Option<Vec<u8>> {
    let row = value.member("after").filter(|row| row.starts_with('{'))?;
    outside_transactions(
        value,
        vec![("before", row), ("after", "null"), ("op", "\"d\"")],
    )
}

/// Replaces members; the new record is no part of the transaction that the old one was counted in.
fn outside_transactions<'a>(
    value: &JsonValue<'_>,
    mut members: Vec<(&'a str, &'a str)>,
) -> Option<Vec<u8>> {
    if value.member("transaction").is_some() {
        members.push(("transaction", "null"));
    }
    value.with(&members)
}

fn flat_delete(value: &JsonValue<'_>, op: &str) -> Option<Vec<u8>> {
    let mut members = vec![("__deleted", "\"true\"")];
    if value.member(op).is_some() {
        members.push((op, "\"d\""));
    }
    value.with(&members)
}

/// The earlier record again; as an update of what the topic has now, or as a create if it has nothing.
fn row_again(trouble: KeyTrouble, last: Option<&[u8]>, source: &[u8]) -> Draft {
    let rewritten = || {
        let earlier = JsonValue::parse(source)?;
        if earlier.form() != ValueForm::Envelope {
            return None;
        }
        let create = trouble == KeyTrouble::Missing;
        let now = last.and_then(JsonValue::parse);
        let row = match &now {
            _ if create => "null",
            Some(now) if now.frame() == earlier.frame() => now.member("after")?,
            _ => return None,
        };
        let op = if create { "\"c\"" } else { "\"u\"" };
        let value = outside_transactions(&earlier, vec![("before", row), ("op", op)])?;
        Some((if create { Op::Create } else { Op::Update }, value))
    };
    let (op, value) = rewritten().unwrap_or_else(|| (Op::Update, source.to_vec()));
    Draft {
        op,
        value: Some(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATED: &[u8] =
        br#"{"before":null,"after":{"id":1,"a":"x"},"source":{"lsn":5},"transaction":{"id":"7"},"op":"c"}"#;
    const UPDATED: &[u8] =
        br#"{"before":{"id":1,"a":"x"},"after":{"id":1,"a":"y"},"source":{"lsn":9},"op":"u"}"#;

    fn plain(tombstones: bool) -> DeleteForm {
        DeleteForm::of(&BTreeMap::new(), tombstones)
    }

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let base = [
            ("transforms", "unwrap"),
            (
                "transforms.unwrap.type",
                "io.debezium.transforms.ExtractNewRecordState",
            ),
        ];
        let all = base.iter().chain(pairs);
        all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn texts(drafts: &[Draft]) -> Vec<(&'static str, String)> {
        let text = |value: &Option<Vec<u8>>| {
            String::from_utf8(value.clone().unwrap_or_else(|| b"-".to_vec())).unwrap()
        };
        drafts
            .iter()
            .map(|draft| (draft.op.letter(), text(&draft.value)))
            .collect()
    }

    #[test]
    fn a_ghost_is_deleted_in_the_envelope_of_its_last_record() {
        let written = drafts(KeyTrouble::Ghost, Some(UPDATED), None, &plain(true));
        let delete = r#"{"before":{"id":1,"a":"y"},"after":null,"source":{"lsn":9},"op":"d"}"#;
        assert_eq!(
            texts(&written),
            [("d", delete.to_owned()), ("x", "-".to_owned())]
        );
        let written = drafts(KeyTrouble::Ghost, Some(CREATED), None, &plain(false));
        let delete = r#"{"before":{"id":1,"a":"x"},"after":null,"source":{"lsn":5},"transaction":null,"op":"d"}"#;
        assert_eq!(texts(&written), [("d", delete.to_owned())]);
    }

    #[test]
    fn a_stale_row_becomes_an_update_and_a_missing_one_a_create() {
        let written = drafts(
            KeyTrouble::Stale,
            Some(UPDATED),
            Some(CREATED),
            &plain(true),
        );
        let rows = r#""before":{"id":1,"a":"y"},"after":{"id":1,"a":"x"}"#;
        let update = format!(r#"{{{rows},"source":{{"lsn":5}},"transaction":null,"op":"u"}}"#);
        assert_eq!(texts(&written), [("u", update)]);
        let written = drafts(KeyTrouble::Missing, None, Some(UPDATED), &plain(true));
        let create = r#"{"before":null,"after":{"id":1,"a":"y"},"source":{"lsn":9},"op":"c"}"#;
        assert_eq!(texts(&written), [("c", create.to_owned())]);
        assert_eq!(
            drafts(KeyTrouble::Stale, Some(UPDATED), None, &plain(true)),
            []
        );
    }

    #[test]
    fn a_flattened_ghost_is_deleted_as_the_transformation_would() {
        let flat = br#"{"id":1,"__deleted":"false","__op":"u"}"#;
        let rewrite = options(&[
            (
                "transforms.unwrap.delete.tombstone.handling.mode",
                "rewrite-with-tombstone",
            ),
            ("transforms.unwrap.add.fields", "op,source.lsn"),
        ]);
        let form = DeleteForm::of(&rewrite, true);
        let delete = r#"{"id":1,"__deleted":"true","__op":"d"}"#;
        assert_eq!(
            texts(&drafts(KeyTrouble::Ghost, Some(flat), None, &form)),
            [("d", delete.to_owned()), ("x", "-".to_owned())]
        );
        let named = options(&[
            (
                "transforms.unwrap.delete.tombstone.handling.mode",
                "rewrite",
            ),
            ("transforms.unwrap.add.fields", "lsn,op:what"),
            ("transforms.unwrap.add.fields.prefix", ""),
        ]);
        let flat_named = br#"{"id":1,"__deleted":"false","what":"u"}"#;
        let delete = r#"{"id":1,"__deleted":"true","what":"d"}"#;
        let form = DeleteForm::of(&named, true);
        assert_eq!(
            texts(&drafts(KeyTrouble::Ghost, Some(flat_named), None, &form)),
            [("d", delete.to_owned())]
        );
        let old = options(&[("transforms.unwrap.delete.handling.mode", "rewrite")]);
        let form = DeleteForm::of(&old, true);
        assert!(!form.tombstone && form.rewritten.is_some());
        let form = DeleteForm::of(&options(&[]), true);
        assert_eq!(
            drafts(KeyTrouble::Ghost, Some(flat), None, &form),
            [TOMBSTONE]
        );
    }

    #[test]
    fn bytes_that_are_not_understood_are_written_as_they_are() {
        let avro = b"\0\0\0\0\x01abc";
        let written = drafts(KeyTrouble::Stale, Some(b"\0x"), Some(avro), &plain(true));
        assert_eq!(written[0].value.as_deref(), Some(&avro[..]));
        assert_eq!(
            drafts(KeyTrouble::Ghost, Some(avro), None, &plain(false)),
            [TOMBSTONE]
        );
    }

    #[test]
    fn an_unfinished_delete_gets_its_tombstone_only_where_there_are_any() {
        let of = |tombstones| {
            drafts(
                KeyTrouble::Unfinished,
                Some(UPDATED),
                None,
                &plain(tombstones),
            )
        };
        assert_eq!((of(true), of(false)), (vec![TOMBSTONE], vec![]));
    }
}
