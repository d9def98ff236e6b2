//! The server, its publication and tables, and the connector's role.

use cutover_model::Relation;
use cutover_model::doctor::Diagnosis;
use cutover_model::lint::Severity::{Error, Note, Warning};
use cutover_model::table::quote_identifier;

use super::facts::{ConnectorFacts, DoctorFacts, ServerSide};
use super::found;

/// Major versions that the lab rehearses, and those below that pgoutput works alike with.
const KNOWN: std::ops::RangeInclusive<i32> = 13..=18;

pub(super) fn findings(facts: &DoctorFacts) -> Vec<Diagnosis> {
    let Some(server) = &facts.server else {
        return Vec::new();
    };
    let mut all: Vec<Diagnosis> = settings(server);
    if let Some(connector) = &facts.connector {
        all.extend(publication(server, connector));
        all.extend(role(server));
    }
    let missing = server.tables.iter().filter(|(_, shape)| shape.is_none());
    all.extend(missing.map(|(table, _)| {
        let evidence = format!(
            "table.include.list names it, and database {} has no such table",
            server.database
        );
        let remedy = "make the table, or take it out of table.include.list".to_owned();
        found(
            "CUT-DOC-041",
            Error,
            format!("table {table}"),
            (evidence, remedy),
        )
    }));
    all
}

fn settings(server: &ServerSide) -> Vec<Diagnosis> {
    let facts = &server.facts;
    let mut all = Vec::new();
    if facts.wal_level != "logical" {
        let evidence = format!("wal_level is {}", facts.wal_level);
        let remedy = "ALTER SYSTEM SET wal_level = 'logical', and restart the server".to_owned();
        all.push(found(
            "CUT-DOC-020",
            Error,
            "the server",
            (evidence, remedy),
        ));
    }
    if !KNOWN.contains(&(facts.version_num / 10_000)) {
        let evidence = format!(
            "it is PostgreSQL {}; {} to {} are known here",
            facts.version,
            KNOWN.start(),
            KNOWN.end()
        );
        all.push(found(
            "CUT-DOC-021",
            Warning,
            "the server",
            (evidence, "rehearse with this version first".to_owned()),
        ));
    }
    if facts.in_recovery {
        let evidence =
            "it replays another server's log: a promotion changes its timeline, and a slot here \
            stays only if it is synchronised"
                .to_owned();
        all.push(found(
            "CUT-DOC-022",
            Note,
            "the server",
            (
                evidence,
                "none, if the connector is meant to read from a standby".to_owned(),
            ),
        ));
    }
    all.extend(limits(server));
    all
}

/// What there is a limit for, and what changed under the database.
fn limits(server: &ServerSide) -> Vec<Diagnosis> {
    let number = |name: &str| {
        let value = server.settings.get(name);
        value.and_then(|text| text.parse::<usize>().ok())
    };
    let mut all = Vec::new();
    let taken = server.slots.len();
    if number("max_replication_slots").is_some_and(|most| taken >= most) {
        let evidence = format!(
            "{taken} of {taken} replication slots are taken: none can be made for an upgrade"
        );
        let remedy = format!(
            "drop a slot that nobody reads, or ALTER SYSTEM SET max_replication_slots = {} and restart the server",
            taken + 4
        );
        all.push(found(
            "CUT-DOC-023",
            Warning,
            "the server",
            (evidence, remedy),
        ));
    }
    let active = server
        .slots
        .iter()
        .filter(|detail| detail.slot.active)
        .count();
    if let Some(most) = number("max_wal_senders").filter(|most| active >= *most) {
        let evidence = format!("{active} slots are read, and max_wal_senders is {most}");
        let remedy = format!(
            "ALTER SYSTEM SET max_wal_senders = {} and restart the server",
            most + 4
        );
        all.push(found(
            "CUT-DOC-024",
            Warning,
            "the server",
            (evidence, remedy),
        ));
    }
    all.extend(server.collations.iter().map(|told| {
        let remedy =
            "REINDEX what sorts by it, then ALTER DATABASE … REFRESH COLLATION VERSION".to_owned();
        found("CUT-DOC-026", Warning, "the server", (told.clone(), remedy))
    }));
    all
}

fn publication(server: &ServerSide, connector: &ConnectorFacts) -> Vec<Diagnosis> {
    let name = connector.publication();
    let subject = format!("publication {name}");
    let quoted = quote_identifier(name);
    let wanted = connector.named_tables();
    let list = |tables: &[Relation]| {
        tables
            .iter()
            .map(Relation::quoted)
            .collect::<Vec<_>>()
            .join(", ")
    };
    let makes_it = connector
        .option("publication.autocreate.mode")
        .is_none_or(|mode| mode != "disabled");
    let Some((traits, tables)) = &server.publication else {
        let (severity, more) = if makes_it {
            (
                Note,
                "; the connector makes it when it starts, if its role may",
            )
        } else {
            (
                Error,
                ", and publication.autocreate.mode=disabled forbids the connector to make it",
            )
        };
        let remedy = match wanted.is_empty() {
            true => format!("CREATE PUBLICATION {quoted} FOR TABLE …"),
            false => format!("CREATE PUBLICATION {quoted} FOR TABLE {}", list(&wanted)),
        };
        return vec![found(
            "CUT-DOC-040",
            severity,
            subject,
            (format!("it is not there{more}"), remedy),
        )];
    };
    let mut all = Vec::new();
    if !traits.all_changes {
        let evidence = "it leaves out inserts, updates or deletes".to_owned();
        let remedy = format!(
            "ALTER PUBLICATION {quoted} SET (publish = 'insert, update, delete, truncate')"
        );
        all.push(found(
            "CUT-DOC-040",
            Error,
            subject.clone(),
            (evidence, remedy),
        ));
    }
    let missing: Vec<Relation> = wanted
        .into_iter()
        .filter(|table| !traits.all_tables && !tables.contains(table))
        .collect();
    if !missing.is_empty() {
        let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let evidence = format!(
            "it lacks {}, which the connector captures: their changes are not sent",
            names.join(", ")
        );
        let remedy = format!(
            "ALTER PUBLICATION {quoted} ADD TABLE {}; changes from before that are not sent afterwards",
            list(&missing)
        );
        all.push(found("CUT-DOC-040", Error, subject, (evidence, remedy)));
    }
    all
}

fn role(server: &ServerSide) -> Vec<Diagnosis> {
    let Some((name, role)) = &server.role else {
        return Vec::new();
    };
    let quoted = quote_identifier(name);
    let said = |evidence: String, remedy: String| {
        found(
            "CUT-DOC-050",
            Error,
            format!("role {name}"),
            (evidence, remedy),
        )
    };
    let Some(role) = role else {
        return vec![said(
            "there is no such role".into(),
            format!("CREATE ROLE {quoted} LOGIN REPLICATION PASSWORD '…'"),
        )];
    };
    let mut all = Vec::new();
    if !role.can_login {
        all.push(said(
            "it may not log in".into(),
            format!("ALTER ROLE {quoted} LOGIN"),
        ));
    }
    if !role.replicates {
        let remedy = format!(
            "ALTER ROLE {quoted} REPLICATION; on managed services the role that stands for it, such as rds_replication"
        );
        all.push(said("it has no right to replicate".into(), remedy));
    }
    if !role.unreadable.is_empty() {
        let tables: Vec<String> = role.unreadable.iter().map(Relation::quoted).collect();
        let tables = tables.join(", ");
        all.push(said(
            format!("it may not read {tables}, which a snapshot does"),
            format!("GRANT SELECT ON {tables} TO {quoted}"),
        ));
    }
    all
}
