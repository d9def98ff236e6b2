//! What an examination judges by.

use std::collections::BTreeMap;

use cutover_clients::connect::Plugin;
use cutover_clients::kafka::TopicInfo;
use cutover_clients::pg::facts::ServerFacts;
use cutover_clients::pg::pending::PreparedTransaction;
use cutover_clients::pg::publication_details::PublicationTraits;
use cutover_clients::pg::role::RoleFacts;
use cutover_clients::pg::slot_details::SlotDetail;
use cutover_model::connector::{ConnectorState, Health};
use cutover_model::{Prediction, Relation, TableShape};
use serde_json::{Map, Value};

use crate::lint::Config;

/// Everything that is known. What is absent was not looked at.
#[derive(Debug, Clone, Default)]
pub struct DoctorFacts {
    /// The worker.
    pub worker: Option<WorkerFacts>,
    /// The connector.
    pub connector: Option<ConnectorFacts>,
    /// Name of a connector that was asked for and is not there.
    pub missing: Option<String>,
    /// Version of Debezium that the worker runs.
    pub debezium: Option<String>,
    /// The server.
    pub server: Option<ServerSide>,
    /// What the next start does.
    pub prediction: Option<Prediction>,
    /// The topics.
    pub kafka: Option<KafkaFacts>,
}

/// A worker.
#[derive(Debug, Clone, Default)]
pub struct WorkerFacts {
    /// Where, without credentials.
    pub address: String,
    /// Classes that it has.
    pub plugins: Vec<Plugin>,
    /// Every connector of Debezium for PostgreSQL, by name: the server and the slot that it reads.
    pub readers: Vec<(String, String)>,
}

/// A connector.
#[derive(Clone)]
pub struct ConnectorFacts {
    /// Its state.
    pub state: ConnectorState,
    /// Its configuration; holds secrets.
    pub config: Map<String, Value>,
}

/// Without the configuration, which holds secrets.
impl std::fmt::Debug for ConnectorFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ConnectorFacts({:?})", self.state)
    }
}

impl ConnectorFacts {
    /// An option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }

    /// Its slot.
    pub fn slot(&self) -> &str {
        self.option("slot.name").unwrap_or("debezium")
    }

    /// Its publication.
    pub fn publication(&self) -> &str {
        self.option("publication.name").unwrap_or("dbz_publication")
    }

    /// It and every task run.
    pub fn runs(&self) -> bool {
        self.state.health == Health::Running
    }

    /// As lint takes it.
    pub fn options(&self) -> Config {
        let options = self.config.iter();
        options
            .map(|(name, value)| {
                (
                    name.clone(),
                    value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned),
                )
            })
            .collect()
    }

    /// Tables of `table.include.list` that are named in full; the list may hold patterns as well.
    pub fn named_tables(&self) -> Vec<Relation> {
        let plain = |part: &str| {
            !part.is_empty() && part.chars().all(|one| one.is_alphanumeric() || one == '_')
        };
        let list = self
            .option("table.include.list")
            .unwrap_or_default()
            .split(',')
            .map(str::trim);
        list.filter_map(|entry| entry.split_once('.'))
            .map(|(schema, table)| (schema, table.trim_start_matches('\\')))
            .filter(|(schema, table)| plain(schema) && plain(table))
            .map(|(schema, table)| Relation::new(schema, table))
            .collect()
    }
}

/// The server's side.
#[derive(Debug, Clone)]
pub struct ServerSide {
    /// Who it is.
    pub facts: ServerFacts,
    /// The connected database.
    pub database: String,
    /// Limits and what takes slots away.
    pub settings: BTreeMap<String, String>,
    /// Every slot.
    pub slots: Vec<SlotDetail>,
    /// The publication with its tables.
    pub publication: Option<(PublicationTraits, Vec<Relation>)>,
    /// Captured tables; without shape: not there.
    pub tables: Vec<(Relation, Option<TableShape>)>,
    /// The connector's role, by name; `None` inside: there is no such role.
    pub role: Option<(String, Option<RoleFacts>)>,
    /// Prepared transactions.
    pub prepared: Vec<PreparedTransaction>,
    /// Databases whose collations have another version now.
    pub collations: Vec<String>,
}

/// The topics.
#[derive(Debug, Clone, Default)]
pub struct KafkaFacts {
    /// Every topic.
    pub topics: Vec<TopicInfo>,
    /// Topics of the stream that are compacted.
    pub compacted: Vec<String>,
}
