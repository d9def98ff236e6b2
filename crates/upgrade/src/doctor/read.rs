//! Reads the facts: Connect, then the connector, PostgreSQL and Kafka, each as far as it answers. Changes nothing.
//!
//! The rule it protects: what does not answer is noted with the reason, and the others are looked at all the same.

use std::sync::Arc;

use cutover_clients::connect::{Connect, StoredOffset};
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::collations::collation_mismatches;
use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::inventory::settings;
use cutover_clients::pg::pending::prepared_transactions;
use cutover_clients::pg::publication::{has_subscribed_tables, publication_tables, table_shapes};
use cutover_clients::pg::publication_details::publication_traits;
use cutover_clients::pg::role::role;
use cutover_clients::pg::slot_details::slot_details;
use cutover_clients::pg::{Client, PgAddress, PgError, connect_looking};
use cutover_clients::registry::{Registry, RegistryAddress};
use cutover_model::doctor::NotLookedAt;
use cutover_model::{Classified, ExitCode, Failure, Prediction, Relation};
use serde_json::Value;

use super::facts::{ConnectorFacts, DoctorFacts, KafkaFacts, ServerSide, WorkerFacts};
use crate::error::UpgradeError;
use crate::fence::blocking;
use crate::operate::connector::Operated;
use crate::predict::{LiveFacts, PredictionFacts, predict};
use crate::start::CLASS;

/// What the server is asked for besides the preflight's own list.
const LIMITS: [&str; 4] = [
    "max_replication_slots",
    "max_wal_senders",
    "max_slot_wal_keep_size",
    "idle_replication_slot_timeout",
];

/// Where to look.
pub struct Patient<'a> {
    /// The worker.
    pub connect: Option<&'a Connect>,
    /// The connector; without it, the only one for PostgreSQL.
    pub connector: Option<&'a str>,
    /// The server.
    pub postgres: Option<&'a PgAddress>,
    /// The brokers.
    pub kafka: Option<Arc<Kafka>>,
    /// The schema registry; many systems have none.
    pub registry: Option<&'a RegistryAddress>,
}

/// What was seen.
#[derive(Debug, Default)]
pub struct Examined {
    /// Facts.
    pub facts: DoctorFacts,
    /// Parts that answered.
    pub looked_at: Vec<String>,
    /// Parts that did not, or that nobody named.
    pub not_looked_at: Vec<NotLookedAt>,
    /// Exit code of the first part that did not answer.
    pub exit: Option<ExitCode>,
    offset: Option<StoredOffset>,
    subscribed: bool,
}

impl Patient<'_> {
    /// Looks at everything.
    pub async fn examine(&self) -> Examined {
        let mut seen = Examined::default();
        match self.connect {
            Some(connect) => match self.worker(connect, &mut seen).await {
                Ok(()) => {}
                Err(error) => seen.failed("Kafka Connect", &error),
            },
            None => seen.unnamed(
                "Kafka Connect",
                "give --connect, or connect.address in cutover.toml",
            ),
        }
        match self.postgres {
            Some(address) => match self.server(address, &mut seen).await {
                Ok(()) => seen.looked_at.push(format!("PostgreSQL at {address}")),
                Err(error) => seen.failed("PostgreSQL", &error),
            },
            None => seen.unnamed(
                "PostgreSQL",
                "give --postgres, or [postgres] in cutover.toml",
            ),
        }
        match &self.kafka {
            Some(kafka) => match topics(kafka, seen.facts.connector.as_ref()).await {
                Ok(found) => {
                    seen.looked_at
                        .push(format!("Kafka, {} topics", found.topics.len()));
                    seen.facts.kafka = Some(found);
                }
                Err(error) => seen.failed("Kafka", &error),
            },
            None => seen.unnamed("Kafka", "give --kafka, or kafka.bootstrap in cutover.toml"),
        }
        if let Some(address) = self.registry {
            // Whether there is such a schema does not matter: a registry says either.
            match Registry::new(address).schema(1).await {
                Ok(_) => seen
                    .looked_at
                    .push(format!("schema registry at {}", address.shown())),
                Err(error) => seen.failed("the schema registry", &error),
            }
        }
        if seen.facts.connector.is_some() && seen.facts.server.is_some() {
            match seen.predicted() {
                Ok(prediction) => seen.facts.prediction = Some(prediction),
                Err(error) => seen.not_looked_at.push(NotLookedAt {
                    part: "the next start".into(),
                    why: error.to_string(),
                    code: Some(error.code().to_owned()),
                }),
            }
        }
        seen
    }

    async fn worker(&self, connect: &Connect, seen: &mut Examined) -> Result<(), UpgradeError> {
        let mut worker = WorkerFacts {
            address: connect.shown(),
            plugins: connect.plugins().await?,
            readers: Vec::new(),
        };
        let names = connect.connectors().await?;
        let mut found = Vec::new();
        for name in &names {
            let config = connect.config(name).await?.unwrap_or_default();
            let text = |option: &str| {
                config
                    .get(option)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            if text("connector.class") == CLASS {
                let place = format!(
                    "{}:{}/{}",
                    text("database.hostname"),
                    text("database.port"),
                    text("database.dbname")
                );
                let slot = config
                    .get("slot.name")
                    .and_then(Value::as_str)
                    .unwrap_or("debezium");
                worker
                    .readers
                    .push((name.clone(), format!("slot {slot} of {place}")));
                found.push((name.clone(), config));
            }
        }
        seen.looked_at.push(format!(
            "Kafka Connect at {}, {} connectors",
            worker.address,
            names.len()
        ));
        seen.facts.debezium = newest(&worker);
        seen.facts.worker = Some(worker);
        let chosen = match self.connector {
            Some(wanted) => found.into_iter().find(|(name, _)| name == wanted),
            None if found.len() == 1 => found.pop(),
            None => None,
        };
        let Some((name, config)) = chosen else {
            seen.facts.missing = self.connector.map(str::to_owned);
            if self.connector.is_none() {
                let why = "the worker has none for PostgreSQL, or several: name one";
                seen.unnamed("the connector", why);
            }
            return Ok(());
        };
        let operated = Operated {
            connect,
            name: &name,
            deadline: std::time::Duration::ZERO,
        };
        let state = operated.state().await?;
        seen.looked_at.push(format!("connector {name}"));
        seen.facts.connector = Some(ConnectorFacts { state, config });
        seen.offset = connect.offsets(&name).await?;
        Ok(())
    }

    async fn server(&self, address: &PgAddress, seen: &mut Examined) -> Result<(), UpgradeError> {
        let client = connect_looking(address).await?;
        // In this order: a connector that runs moves all three on, each behind the next.
        let slots = slot_details(&client).await?;
        if let (Some(connect), Some(connector)) = (self.connect, &seen.facts.connector) {
            seen.offset = connect.offsets(&connector.state.name).await?;
        }
        let facts = server_facts(&client).await?;
        let mut side = ServerSide {
            database: address.database.clone(),
            settings: settings(&client, &LIMITS).await?,
            slots,
            publication: None,
            tables: Vec::new(),
            role: None,
            prepared: prepared_transactions(&client, Some(&address.database)).await?,
            collations: collation_mismatches(&client, facts.version_num).await?,
            facts,
        };
        if let Some(connector) = &seen.facts.connector {
            let name = connector.publication();
            let traits = publication_traits(&client, name).await?;
            let tables = publication_tables(&client, name).await?;
            side.publication = traits.zip(tables);
            side.tables = shapes(
                &client,
                connector,
                side.publication.as_ref().map(|(_, tables)| tables),
            )
            .await?;
            let there: Vec<Relation> = side
                .tables
                .iter()
                .filter(|(_, shape)| shape.is_some())
                .map(|(table, _)| table.clone())
                .collect();
            if let Some(user) = connector
                .option("database.user")
                .filter(|user| !user.contains("${"))
            {
                side.role = Some((user.to_owned(), role(&client, user, &there).await?));
            }
            seen.subscribed = has_subscribed_tables(&client, name).await?;
        }
        seen.facts.server = Some(side);
        Ok(())
    }
}

/// The newest version of the plug-in that the worker has, in the order of its text.
fn newest(worker: &WorkerFacts) -> Option<String> {
    let ours = worker.plugins.iter().filter(|plugin| plugin.class == CLASS);
    ours.map(|plugin| plugin.version.clone()).max()
}

/// Tables that the configuration names, and those of the publication if it names none.
async fn shapes(
    client: &Client,
    connector: &ConnectorFacts,
    published: Option<&Vec<Relation>>,
) -> Result<Vec<(Relation, Option<cutover_model::TableShape>)>, UpgradeError> {
    let mut tables = connector.named_tables();
    if tables.is_empty() {
        tables = published.cloned().unwrap_or_default();
    }
    let mut found = Vec::new();
    for table in tables {
        let shape = match table_shapes(client, std::slice::from_ref(&table)).await {
            Ok(mut shapes) => shapes.pop(),
            Err(PgError::Missing(_)) => None,
            Err(error) => return Err(error.into()),
        };
        found.push((table, shape));
    }
    Ok(found)
}

/// Topics of the stream begin with its prefix. Whether one is compacted is a privilege to know, so a refusal is none.
async fn topics(
    kafka: &Arc<Kafka>,
    connector: Option<&ConnectorFacts>,
) -> Result<KafkaFacts, UpgradeError> {
    let prefix = connector
        .and_then(|connector| connector.option("topic.prefix"))
        .map(|prefix| format!("{prefix}."));
    let kafka = Arc::clone(kafka);
    blocking(move || {
        let topics = kafka.topics()?;
        let of_stream = topics.iter().filter(|topic| {
            prefix
                .as_ref()
                .is_some_and(|prefix| topic.name.starts_with(prefix))
        });
        let compacted = of_stream.filter(|topic| kafka.compacted(&topic.name).unwrap_or(false));
        let compacted = compacted.map(|topic| topic.name.clone()).collect();
        Ok(KafkaFacts { topics, compacted })
    })
    .await
}

impl Examined {
    fn unnamed(&mut self, part: &str, why: &str) {
        self.not_looked_at.push(NotLookedAt {
            part: part.to_owned(),
            why: why.to_owned(),
            code: None,
        });
    }

    fn failed(&mut self, part: &str, error: &dyn Classified) {
        let failure = Failure::of(error);
        let remedy = failure
            .remedy
            .map_or_else(String::new, |remedy| format!("; {remedy}"));
        self.exit = self.exit.or(Some(failure.exit));
        self.not_looked_at.push(NotLookedAt {
            part: part.to_owned(),
            why: failure.message + &remedy,
            code: Some(failure.code),
        });
    }

    fn predicted(&self) -> Result<Prediction, UpgradeError> {
        let (Some(connector), Some(server), Some(debezium)) = (
            &self.facts.connector,
            &self.facts.server,
            &self.facts.debezium,
        ) else {
            return Err(UpgradeError::Unpredictable(
                "connector, server or version is not known".into(),
            ));
        };
        let slot = server
            .slots
            .iter()
            .find(|detail| detail.slot.name == connector.slot());
        let mut facts = PredictionFacts::from_live(LiveFacts {
            server: &server.facts,
            slot: slot.map(|detail| &detail.slot),
            offset: self.offset.as_ref(),
            config: &connector.config,
            debezium,
            offset_of: None,
            slot_is_read_by_us: connector.runs(),
        })?;
        let name = || connector.state.name.clone();
        facts.options.entry("name".into()).or_insert_with(name);
        facts.server.subscribed = self.subscribed;
        predict(&facts)
    }
}
