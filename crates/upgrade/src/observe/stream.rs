//! Which stream it is: its connector, the server, the captured tables and their topics.

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use cutover_clients::kafka::Ends;
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::facts::{ServerFacts, server_facts};
use cutover_clients::pg::publication::{publication_tables, read_history, table_shapes};
use cutover_clients::pg::publication_details::withheld;
use cutover_clients::pg::{Client, connect_looking};
use cutover_model::{Comparison, EventSink, Relation, TableShape};
use cutover_record::decode::{ConverterModes, Decoder, Router, TopicKind, changed_key, settle};
use serde_json::{Map, Value};

use super::{Subject, published};
use crate::doctor::ConnectorFacts;
use crate::error::UpgradeError;
use crate::fence::blocking;
use crate::operate::connector::Operated;
use crate::start::Starting;

/// A stream that runs.
// No Debug: the connector's configuration holds its password.
pub struct Observed {
    /// Name of the connector.
    pub connector: String,
    /// Version of Debezium.
    pub debezium: String,
    /// Version of Kafka Connect.
    pub kafka: String,
    /// The server.
    pub server: ServerFacts,
    /// `topic.prefix`.
    pub prefix: String,
    /// The connector's slot.
    pub slot: String,
    /// The connector's publication.
    pub publication: String,
    pub(super) config: Map<String, Value>,
    pub(super) shapes: Vec<TableShape>,
    pub(super) modes: ConverterModes,
    pub(super) problems: Vec<String>,
    /// What the publication withholds, in words.
    pub(super) withheld: Vec<String>,
}

impl Observed {
    /// Asks Connect and PostgreSQL.
    pub(super) async fn find(subject: &Subject) -> Result<Observed, UpgradeError> {
        let name = subject.connector.as_deref();
        let starting = Starting::find(subject.connect.clone(), name).await?;
        let debezium = starting.version().await?;
        let operated = Operated {
            connect: &subject.connect,
            name: &starting.connector,
            deadline: std::time::Duration::ZERO,
        };
        let facts = ConnectorFacts {
            state: operated.state().await?,
            config: starting.config.clone(),
        };
        let Some(prefix) = facts.option("topic.prefix").map(str::to_owned) else {
            return Err(UpgradeError::Refused(format!(
                "connector '{}' has no topic.prefix: connectors before Debezium 2.0 are not read",
                starting.connector
            )));
        };
        let client = connect_looking(&subject.postgres).await?;
        let server = server_facts(&client).await?;
        let mut problems = Vec::new();
        let tables = captured(subject, &facts, &client, &mut problems).await?;
        let modes = ConverterModes::from_connector_config(&starting.config)
            .with_registry(subject.registry.as_ref());
        let mut shapes = table_shapes(&client, &tables).await?;
        settle(&mut shapes, &modes);
        let withheld = withheld(&client, facts.publication()).await?;
        let withheld = published::narrow(&mut shapes, &withheld, facts.publication())?;
        keys_name_rows(&shapes, &modes)?;
        if !subject.tables.is_empty() {
            let published = publication_tables(&client, facts.publication()).await?;
            let router = Router::new(&prefix, &modes);
            alone(&tables, &published.unwrap_or_default(), &router)?;
        }
        Ok(Observed {
            connector: starting.connector,
            debezium,
            kafka: subject.connect.version().await?,
            server,
            prefix,
            slot: facts.slot().to_owned(),
            publication: facts.publication().to_owned(),
            config: facts.config,
            shapes,
            modes,
            problems,
            withheld,
        })
    }

    /// Says what the publication keeps from its readers.
    pub(super) fn tell_withheld(&self, events: &EventSink) {
        for what in &self.withheld {
            events.note(what.clone());
        }
    }

    /// Records may be older than the columns of their tables.
    pub(super) async fn with_history(&mut self, subject: &Subject) -> Result<(), UpgradeError> {
        let client = connect_looking(&subject.postgres).await?;
        Ok(read_history(&client, &mut self.shapes).await?)
    }

    /// Tables that are not what they were, each a problem: what their records were read by is no longer so.
    pub(super) async fn altered(&self, subject: &Subject) -> Result<Vec<String>, UpgradeError> {
        let client = connect_looking(&subject.postgres).await?;
        let tables: Vec<Relation> = self.shapes.iter().map(|it| it.relation.clone()).collect();
        let mut now = table_shapes(&client, &tables).await?;
        read_history(&client, &mut now).await?;
        let both = self.shapes.iter().zip(&now);
        let altered = both.filter(|(was, is)| !is_the_same(was, is));
        let told = altered.map(|(was, _)| {
            let table = &was.relation;
            format!("table {table} was altered or written anew while it was looked at: look again")
        });
        Ok(told.collect())
    }

    /// The connector read no table when it began, or not all of it.
    pub(super) fn no_snapshot(&self) -> bool {
        let option = |name: &str| self.config.get(name).and_then(Value::as_str);
        let in_part = [
            "snapshot.include.collection.list",
            "snapshot.select.statement.overrides",
        ];
        let whole = match option("snapshot.mode").map(str::trim) {
            None | Some("initial" | "always" | "initial_only" | "when_needed" | "exported") => true,
            Some("configuration_based") => {
                option("snapshot.mode.configuration.based.snapshot.data") == Some("true")
            }
            Some(_) => false,
        };
        !whole || in_part.iter().any(|name| option(name).is_some())
    }

    /// End offsets of the topics that carry changes of the captured tables, as they are now.
    pub(super) async fn ends(&self, kafka: &Arc<Kafka>) -> Result<Ends, UpgradeError> {
        let (kafka, prefix) = (Arc::clone(kafka), self.prefix.clone());
        let (shapes, modes) = (self.shapes.clone(), self.modes.clone());
        let ends = blocking(move || {
            let decoder = Decoder::new(&prefix, &shapes, &modes);
            let mut topics = kafka.topics()?;
            topics.retain(|topic| matches!(decoder.kind(&topic.name), TopicKind::Changes(_)));
            let router = Router::new(&prefix, &modes);
            let wanted = shapes.iter().map(|shape| router.of_table(&shape.relation));
            for name in wanted.filter(|name| topics.iter().all(|topic| topic.name != *name)) {
                kafka.may_describe(&name)?;
            }
            kafka.ends(&topics)
        });
        let ends = ends.await?;
        if ends.is_empty() {
            return Err(UpgradeError::Refused(format!(
                "no topic {}.SCHEMA.TABLE of a captured table is there: the connector has published nothing yet, or a \
                 transformation that is not followed routes records elsewhere",
                self.prefix
            )));
        }
        Ok(ends)
    }
}

/// Whether a record's key tells whose it is.
fn keys_name_rows(shapes: &[TableShape], modes: &ConverterModes) -> Result<(), UpgradeError> {
    if let Some(unclear) = shapes.iter().find(|shape| shape.unclear_key) {
        let table = &unclear.relation;
        return Err(UpgradeError::Refused(format!(
            "table {table} has no primary key, and the unique index by which Debezium keys its records allows \
             nulls or covers a part of the rows, so a key names no row: name other tables with --table"
        )));
    }
    let masked = changed_key(shapes, &modes.changed)
        .map(|(table, column, why)| format!("column {column} of the key of {table}: {why}"));
    let key = shapes.iter().find_map(unread_key);
    if let Some(setting) = modes.other_keys.first().cloned().or(masked).or(key) {
        return Err(UpgradeError::Refused(format!(
            "by {setting}, records have other keys than their tables, or keys that are not read, so no record can \
             be told to be of a row"
        )));
    }
    Ok(())
}

/// A column of a key that is not compared, and why: the rows of its table cannot be told from each other.
fn unread_key(shape: &TableShape) -> Option<String> {
    let mut keys = shape.columns.iter().filter(|column| column.key);
    keys.find_map(|column| match &column.comparison {
        Comparison::LeftOut(why) => Some(format!(
            "column {} of the key of {}: {why}",
            column.name, shape.relation
        )),
        _ => None,
    })
}

/// The same columns, filled with the same.
fn is_the_same(was: &TableShape, is: &TableShape) -> bool {
    let mut columns = was.columns.iter().zip(&is.columns);
    was.is_like(is) && columns.all(|(was, is)| (&was.fill, was.since) == (&is.fill, is.since))
}

/// Whoever names some of the tables must name all that share a topic: a tombstone does not say whose it is.
fn alone(
    named: &[Relation],
    published: &[Relation],
    router: &Router<'_>,
) -> Result<(), UpgradeError> {
    let topics = named.iter().map(|table| (router.of_table(table), table));
    let topics: HashMap<String, &Relation> = topics.collect();
    for table in published.iter().filter(|table| !named.contains(table)) {
        let topic = router.of_table(table);
        if let Some(beside) = topics.get(&topic) {
            return Err(UpgradeError::Refused(format!(
                "records of {beside} and of {table} go to one topic, {topic}: name both with --table"
            )));
        }
    }
    Ok(())
}

/// The tables that are named, else those of the connector's list, else those of its publication.
async fn captured(
    subject: &Subject,
    connector: &ConnectorFacts,
    client: &Client,
    problems: &mut Vec<String>,
) -> Result<Vec<Relation>, UpgradeError> {
    if !subject.tables.is_empty() {
        return Ok(subject.tables.clone());
    }
    let listed = connector.option("table.include.list").unwrap_or_default();
    let listed = listed.split(',').filter(|entry| !entry.trim().is_empty());
    let named = connector.named_tables();
    if !named.is_empty() && named.len() == listed.count() {
        return Ok(named);
    }
    let publication = connector.publication();
    let tables = publication_tables(client, publication).await?;
    let tables = tables.unwrap_or_default();
    if tables.is_empty() {
        return Err(UpgradeError::Refused(format!(
            "publication '{publication}' of connector '{}' is not there or has no table, and its table.include.list \
             names none in full; name them with --table",
            connector.state.name
        )));
    }
    let filters = [
        "table.include.list",
        "table.exclude.list",
        "schema.include.list",
        "schema.exclude.list",
    ];
    let filtered = filters
        .into_iter()
        .find(|name| connector.option(name).is_some());
    problems.extend(filtered.map(|name| {
        format!(
            "{name} holds patterns, which are not followed: every table of publication '{publication}' was taken for \
             captured; name the captured ones with --table"
        )
    }));
    Ok(tables)
}
