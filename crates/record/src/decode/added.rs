//! What `ExtractNewRecordState` keeps of an envelope beside the row: fields of the row (`add.fields`) and headers of
//! the record (`add.headers`), under the names that the configuration gives them.
//!
//! Stands between the settings and `json_flat`. The rule it protects: what a record says of its change is read under
//! names that the connector was told to use. A header counts only where it was asked for, since anybody can write one.

use std::borrow::Cow;

use cutover_clients::kafka::Record;
use serde_json::{Map, Value};

use super::fields::{Fields, Shape, string};
use super::routes::transformations;

/// `add.fields.prefix` and `add.headers.prefix` unless they are set.
const PREFIX: &str = "__";
/// The transformation itself names this one; no prefix applies to it.
pub(super) const DELETED: &str = "__deleted";
/// Fields that are looked for under the prefix whatever the configuration lists: it may have listed others when a
/// record was written.
const USUAL: &str = "op,source.lsn,lsn,source.txId,txId,source.schema,schema,source.table,table,transaction.id,\
                     transaction.total_order,transaction.data_collection_order";

/// What can be said of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    Op,
    Lsn,
    Xid,
    Schema,
    Table,
    Transaction,
    Order,
    TableOrder,
}

impl Fact {
    /// By the block of the envelope and the field in it; a field alone belongs to the block that has one of its name.
    fn of(block: Option<&str>, field: &str) -> Option<Fact> {
        Some(match (block, field) {
            (None, "op") => Fact::Op,
            (None | Some("source"), "lsn") => Fact::Lsn,
            (None | Some("source"), "txId") => Fact::Xid,
            (None | Some("source"), "schema") => Fact::Schema,
            (None | Some("source"), "table") => Fact::Table,
            (None | Some("transaction"), "id") => Fact::Transaction,
            (None | Some("transaction"), "total_order") => Fact::Order,
            (None | Some("transaction"), "data_collection_order") => Fact::TableOrder,
            _ => return None,
        })
    }
}

/// What an option lists: `op`, `source.lsn`, `source.lsn:position`, each with the name that it gets.
fn listed(list: &str, prefix: &str) -> Vec<(Option<Fact>, String)> {
    let entries = list.split(',').map(str::trim);
    let one = |entry: &str| {
        let (reference, given) = entry.split_once(':').unwrap_or((entry, ""));
        let (block, field) = match reference.split_once('.') {
            Some((block, field)) => (Some(block), field),
            None => (None, reference),
        };
        let name = match given {
            "" => reference.replace('.', "_"),
            given => given.to_owned(),
        };
        (Fact::of(block, field), format!("{prefix}{name}"))
    };
    entries.filter(|entry| !entry.is_empty()).map(one).collect()
}

/// The field that holds the operation, by `add.fields` and its prefix.
pub fn op_field(list: &str, prefix: Option<&str>) -> Option<String> {
    let mut all = listed(list, prefix.unwrap_or(PREFIX)).into_iter();
    all.find_map(|(fact, name)| (fact == Some(Fact::Op)).then_some(name))
}

/// Whether a delete that has no value is told from others by its headers: by operation and position. By the options of
/// the transformation, and only where nothing else comes without value: a tombstone can have the headers of its delete.
pub fn headers_tell_deletes(option: impl Fn(&str) -> Option<String>) -> bool {
    let all = listed(&option("add.headers").unwrap_or_default(), "");
    let has = |wanted| all.iter().any(|(fact, _)| *fact == Some(wanted));
    let [mode, handling, drops] = [
        "delete.tombstone.handling.mode",
        "delete.handling.mode",
        "drop.tombstones",
    ]
    .map(|name| option(name).map(|word| word.trim().to_lowercase()));
    let alone = match (mode.as_deref(), handling.as_deref(), drops.as_deref()) {
        (Some(mode), ..) => matches!(mode, "tombstone" | "delete-to-tombstone"),
        // Newer versions ignore both and do the same as these options ask of older ones.
        (None, Some(handling), drops) => handling == "none" && drops != Some("false"),
        (None, None, drops) => drops.is_none(),
    };
    has(Fact::Op) && has(Fact::Lsn) && alone
}

/// Names of what is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    fields: Vec<(Option<Fact>, String)>,
    headers: Vec<(Option<Fact>, String)>,
    /// A record without value is a delete, and its headers tell which.
    deletes_are_told: bool,
    /// What fields begin with; empty if nothing tells them from columns.
    prefix: String,
}

impl Default for Added {
    fn default() -> Added {
        Added::new(PREFIX, "")
    }
}

impl Added {
    fn new(prefix: &str, fields: &str) -> Added {
        let mut fields = listed(fields, prefix);
        if !prefix.is_empty() {
            fields.extend(listed(USUAL, prefix));
        }
        Added {
            fields,
            headers: Vec::new(),
            deletes_are_told: false,
            prefix: prefix.to_owned(),
        }
    }

    /// By a connector's configuration.
    pub(super) fn of_config(config: &Map<String, Value>) -> Added {
        let mut ours =
            transformations(config).filter(|one| one.last.starts_with("ExtractNewRecordState"));
        let Some(ours) = ours.next() else {
            return Added::default();
        };
        let option = |name: &str| {
            let name = format!("transforms.{}.{name}", ours.name);
            config.get(&name).and_then(Value::as_str)
        };
        let prefix = |name: &str| option(name).unwrap_or(PREFIX);
        let fields = option("add.fields").unwrap_or_default();
        let headers = option("add.headers").unwrap_or_default();
        Added {
            headers: listed(headers, prefix("add.headers.prefix")),
            deletes_are_told: headers_tell_deletes(|name| option(name).map(str::to_owned)),
            ..Added::new(prefix("add.fields.prefix"), fields)
        }
    }

    /// Whether a record without value is a delete whose headers tell which.
    pub(super) fn deletes_are_told(&self) -> bool {
        self.deletes_are_told
    }

    /// Whether a member of a flat row that is no column was added to it.
    pub(super) fn has_field(&self, name: &str) -> bool {
        // With a prefix all of them have it; this is asked of every member of every flat row.
        let added = match self.prefix.is_empty() {
            true => self.fields.iter().any(|(_, known)| known == name),
            false => name.starts_with(&self.prefix),
        };
        added || name == DELETED
    }
}

/// What one record says of its change.
pub(super) struct Said<'r> {
    pub(super) added: &'r Added,
    /// The flat row; a record without value has none.
    pub(super) row: Option<&'r Fields<'r>>,
    pub(super) record: &'r Record<'r>,
}

impl<'r> Said<'r> {
    pub(super) fn text(&self, fact: Fact) -> Option<Cow<'r, str>> {
        self.of(fact, |row, name| row.string(name))
    }

    pub(super) fn integer(&self, fact: Fact) -> Option<i64> {
        let text = |row: &'r Fields<'r>, name: &str| row.present(name).map(Cow::Borrowed);
        let read = |text: Cow<'r, str>| text.parse().ok();
        self.of(fact, text).and_then(read)
    }

    /// Schema and table.
    pub(super) fn relation(&self) -> Option<(Cow<'r, str>, Cow<'r, str>)> {
        Some((self.text(Fact::Schema)?, self.text(Fact::Table)?))
    }

    fn of(
        &self,
        fact: Fact,
        read: impl Fn(&'r Fields<'r>, &str) -> Option<Cow<'r, str>>,
    ) -> Option<Cow<'r, str>> {
        let names = |all: &'r [(Option<Fact>, String)]| {
            let of = move |(what, name): &'r (Option<Fact>, String)| {
                (*what == Some(fact)).then_some(name.as_str())
            };
            all.iter().filter_map(of)
        };
        let row = self.row;
        let in_row = row.and_then(|row| names(&self.added.fields).find_map(|name| read(row, name)));
        in_row.or_else(|| names(&self.added.headers).find_map(|name| header(self.record, name)))
    }
}

/// What a header says, as Connect's converters of headers write it: as it is, or as JSON with or without its schema.
/// The transformation adds its own behind those that are there.
fn header<'r>(record: &'r Record<'r>, name: &str) -> Option<Cow<'r, str>> {
    let (_, value) = record.headers.iter().rfind(|(header, _)| *header == name)?;
    let text = std::str::from_utf8((*value)?).ok()?;
    let json = match Fields::parse(text) {
        Ok(Shape::Object(framed)) => framed.present("payload")?,
        _ => text,
    };
    Some(string(json).unwrap_or(Cow::Borrowed(json)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn added(options: &Value) -> Added {
        let mut config = json!({
            "transforms": "route, unwrap",
            "transforms.route.type": "org.apache.kafka.connect.transforms.RegexRouter",
            "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
        });
        for (name, value) in options.as_object().unwrap() {
            config[format!("transforms.unwrap.{name}")] = value.clone();
        }
        Added::of_config(config.as_object().unwrap())
    }

    fn record(headers: Vec<(&'static str, Option<&'static [u8]>)>) -> Record<'static> {
        Record {
            topic: "t",
            partition: 0,
            offset: 0,
            timestamp_ms: None,
            key: None,
            value: None,
            headers,
        }
    }

    #[test]
    fn fields_have_the_names_that_the_configuration_gives_them() {
        let added = added(&json!({
            "add.fields.prefix": "", "add.fields": "op:what, source.lsn:at,transaction.id,table,source.ts_ms",
        }));
        let Ok(Shape::Object(row)) = Fields::parse(
            r#"{"id":1,"what":"u","at":7,"transaction_id":"9:1","table":"t","source_ts_ms":3,"op":"a column"}"#,
        ) else {
            panic!();
        };
        let nothing = record(Vec::new());
        let said = Said {
            added: &added,
            row: Some(&row),
            record: &nothing,
        };
        assert_eq!(said.text(Fact::Op).as_deref(), Some("u"));
        assert_eq!(said.integer(Fact::Lsn), Some(7));
        assert_eq!(said.text(Fact::Transaction).as_deref(), Some("9:1"));
        assert_eq!(said.text(Fact::Table).as_deref(), Some("t"));
        assert_eq!((said.integer(Fact::Xid), said.relation()), (None, None));
        let known = ["what", "source_ts_ms", "__deleted"];
        assert!(known.iter().all(|name| added.has_field(name)));
        assert!(!added.has_field("op") && !added.has_field("__op"));
    }

    #[test]
    fn headers_count_where_they_were_asked_for_whatever_converter_wrote_them() {
        let told = record(vec![
            ("h_op", Some(b"c".as_slice())),
            ("h_op", Some(b"u".as_slice())),
            ("h_source_lsn", Some(b"7".as_slice())),
            (
                "h_txId",
                Some(br#"{"schema":{"type":"int64"},"payload":8}"#),
            ),
            ("h_schema", Some(br#""public""#.as_slice())),
            ("h_table", None),
        ]);
        let said = |added| Said {
            added,
            row: None,
            record: &told,
        };
        let asked = added(&json!({
            "add.headers.prefix": "h_", "add.headers": "op,source.lsn,txId,schema,table",
        }));
        assert_eq!(said(&asked).text(Fact::Op).as_deref(), Some("u"));
        assert_eq!(said(&asked).integer(Fact::Lsn), Some(7));
        assert_eq!(said(&asked).integer(Fact::Xid), Some(8));
        assert_eq!(said(&asked).text(Fact::Schema).as_deref(), Some("public"));
        assert_eq!(said(&asked).text(Fact::Table), None);
        let not_asked = Added::default();
        assert_eq!(said(&not_asked).text(Fact::Op), None);
    }

    #[test]
    fn a_delete_without_value_is_told_by_operation_and_position_where_it_stands_alone() {
        const NEW: &str = "delete.tombstone.handling.mode";
        const OLD: &str = "delete.handling.mode";
        let both = ("add.headers", "source.lsn:x, op");
        for (options, told) in [
            (vec![both], true),
            (vec![both, (NEW, " Tombstone")], true),
            (vec![both, (NEW, "delete-to-tombstone")], true),
            (vec![both, (NEW, "rewrite-with-tombstone")], false),
            (vec![both, (OLD, "none")], true),
            (
                vec![both, (OLD, "none"), ("drop.tombstones", "false")],
                false,
            ),
            (vec![both, (OLD, "rewrite")], false),
            (vec![both, ("drop.tombstones", "false")], false),
            (vec![("add.headers", "op,source.ts_ms")], false),
            (vec![("add.headers", "lsn")], false),
            (vec![], false),
        ] {
            let option = |name: &str| {
                let found = options.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(headers_tell_deletes(option), told, "{options:?}");
        }
    }

    #[test]
    fn the_field_of_the_operation_is_found_in_a_list() {
        assert_eq!(op_field("lsn,op", None).as_deref(), Some("__op"));
        assert_eq!(op_field("op:what", Some("_")).as_deref(), Some("_what"));
        assert_eq!(op_field("lsn", None), None);
    }
}
