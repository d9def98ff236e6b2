//! Rules about identity and plumbing: which connector, which topics, which publication, which rows.
//!
//! Sources: the connector's option definitions by release tag; what the options did in measured upgrades.

use cutover_model::ReplicaIdentity;
use cutover_model::Severity::{Error, Note, Warning};

use super::{Found, Subject, identifies};

const CLASS: &str = "io.debezium.connector.postgresql.PostgresConnector";

pub(super) fn connector_class(subject: &Subject) -> Vec<Found> {
    let class = subject
        .config
        .get("connector.class")
        .map(|class| class.trim());
    if class == Some(CLASS) {
        return Vec::new();
    }
    let message = match class {
        Some(class) => {
            format!("'{class}' is not Debezium's PostgreSQL connector; nothing here applies to it")
        }
        None => "it is missing; Connect refuses the configuration".to_owned(),
    };
    vec![Found::new(
        Error,
        "connector.class",
        message,
        format!("set connector.class={CLASS}"),
    )]
}

pub(super) fn topic_prefix(subject: &Subject) -> Vec<Found> {
    let prefix = subject.word("topic.prefix");
    let old = subject.word("database.server.name");
    match (prefix, old) {
        (None, Some(_)) => vec![Found::new(
            Error,
            "database.server.name",
            "2.0 renamed it to topic.prefix; without that the connector is refused",
            "rename it to topic.prefix and keep the value: it is part of topic names and of the offset's key",
        )],
        (None, None) => vec![Found::new(
            Error,
            "topic.prefix",
            "it is missing; it is part of topic names and of the key under which the offset is stored",
            "set topic.prefix; another value than before means other topics and no offset",
        )],
        (Some(_), Some(_)) => vec![Found::new(
            Note,
            "database.server.name",
            "an option of 1.x, ignored since 2.0",
            "remove it",
        )],
        (Some(_), None) => Vec::new(),
    }
}

pub(super) fn publication(subject: &Subject) -> Vec<Found> {
    const OPTION: &str = "publication.autocreate.mode";
    let remedy = "make the publication yourself and set publication.autocreate.mode=disabled";
    let mode = subject.word(OPTION).unwrap_or_else(|| "all_tables".into());
    let found = match mode.as_str() {
        "all_tables" => Found::new(
            Warning,
            OPTION,
            "all_tables (the default): a publication that is missing after an upgrade is made FOR ALL TABLES, which \
             needs a superuser",
            remedy,
        ),
        "filtered" => Found::new(
            Warning,
            OPTION,
            "filtered: at a start the connector alters an existing publication to its own list of tables",
            remedy,
        ),
        "no_tables" if subject.version < crate::predict::DebeziumVersion(3, 0, 0) => Found::new(
            Error,
            OPTION,
            "no_tables came with 3.0; this version refuses it",
            "set publication.autocreate.mode=disabled",
        ),
        "no_tables" | "disabled" => return Vec::new(),
        other => Found::new(
            Error,
            OPTION,
            format!("no version knows the value '{other}'"),
            remedy,
        ),
    };
    vec![found]
}

pub(super) fn heartbeat(subject: &Subject) -> Vec<Found> {
    let interval = subject.word("heartbeat.interval.ms");
    if interval.is_some_and(|interval| interval.bytes().any(|digit| digit != b'0')) {
        return Vec::new();
    }
    vec![Found::new(
        Note,
        "heartbeat.interval.ms",
        "no heartbeats: on an idle database neither offset nor slot moves, log piles up, and the slot never looks \
         drained (pg_upgrade from 17 on refuses it)",
        "set heartbeat.interval.ms, or write a logical message before an upgrade",
    )]
}

pub(super) fn slot_dropped(subject: &Subject) -> Vec<Found> {
    if !subject.is("slot.drop.on.stop", "true") {
        return Vec::new();
    }
    vec![Found::new(
        Error,
        "slot.drop.on.stop",
        "an orderly stop drops the slot: what is committed until the next start is in no slot",
        "remove it, or set it to false",
    )]
}

pub(super) fn plugin(subject: &Subject) -> Vec<Found> {
    match subject.word("plugin.name").as_deref() {
        Some("pgoutput") => Vec::new(),
        Some(other) => vec![Found::new(
            Warning,
            "plugin.name",
            format!(
                "'{other}' must be installed on the new server too, in a build for its version"
            ),
            "use pgoutput, which every server has; a slot cannot change its plug-in",
        )],
        None => vec![Found::new(
            Warning,
            "plugin.name",
            "missing: the default is decoderbufs, which must be installed on the new server too",
            "set plugin.name=pgoutput if the slot was made with it",
        )],
    }
}

pub(super) fn replica_identity(subject: &Subject) -> Vec<Found> {
    let tables = subject.tables.unwrap_or_default().iter();
    let poor = tables.filter(|table| table.replica_identity != ReplicaIdentity::Full);
    let found = poor.map(|table| {
        let name = table.relation.to_string();
        let remedy = format!(
            "ALTER TABLE {} REPLICA IDENTITY FULL",
            table.relation.quoted()
        );
        if identifies(table) {
            let message = format!(
                "{name}: events have no old row, only its key; before-images cannot be checked"
            );
            Found::new(Note, "table.include.list", message, remedy)
        } else {
            let message = format!(
                "{name}: without key and replica identity the server refuses UPDATE and DELETE"
            );
            Found::new(Error, "table.include.list", message, remedy)
        }
    });
    found.collect()
}

pub(super) fn rounding(subject: &Subject) -> Vec<Found> {
    if !subject.is("decimal.handling.mode", "double") {
        return Vec::new();
    }
    vec![Found::new(
        Warning,
        "decimal.handling.mode",
        "double rounds NUMERIC: two different values can become the same event, also in a key",
        "use string or precise; a change alters the content of topics, so agree it with their readers",
    )]
}
