//! What the scenarios of one run share: parts, broker, worker.

use std::path::Path;
use std::sync::Arc;

use cutover_clients::connect::Connect;
use cutover_clients::kafka::Kafka;
use cutover_lab::catalog::{self, Component};
use cutover_lab::services::registry::Registry;
use cutover_lab::stack::{RegistrySpec, Stack, StackSpec};
use cutover_lab::{Home, fetch};
use cutover_model::RunFolder;
use tokio::sync::Mutex;

use crate::connector::Converter;
use crate::error::RehearseError;
use crate::event_log::EventLog;
use crate::roster::Roster;
use crate::scenario::Scenario;
use crate::servers::{Needs, Servers};

/// The running broker and worker.
pub struct Stage {
    stack: Arc<Mutex<Stack>>,
    roster: Roster,
    bootstrap: String,
    connect: String,
    registry: Option<String>,
}

impl Stage {
    /// Fetches every part that the scenarios need, then starts broker and worker.
    pub async fn open(
        home: Home,
        root: &Path,
        scenarios: &[Scenario],
        (log, roster): (&EventLog, &Roster),
    ) -> Result<Stage, RehearseError> {
        let Some(first) = scenarios.first() else {
            return Err(RehearseError::Load("there is no scenario to run".into()));
        };
        let same = |scenario: &Scenario| {
            scenario.stack.kafka == first.stack.kafka
                && scenario.stack.debezium == first.stack.debezium
                && scenario.connector.exactly_once == first.connector.exactly_once
                // Its names are in the file: a second one would go on where the first one ended.
                && (scenario.connector.config.is_none() || scenarios.len() == 1)
        };
        if let Some(other) = scenarios.iter().find(|scenario| !same(scenario)) {
            let reason = "scenarios of one run share Kafka and Debezium versions and exactly-once, and one with \
                          connector.config shares with none; run it alone";
            return Err(RehearseError::Scenario {
                origin: other.name.clone(),
                reason: reason.into(),
            });
        }
        log.phase("parts");
        let mut parts = Vec::new();
        for scenario in scenarios {
            for version in [&scenario.stack.postgres_old, &scenario.stack.postgres_new] {
                parts.push(catalog::find(Component::Postgres, version)?);
            }
        }
        parts.sort_by_key(|part| part.name());
        parts.dedup_by_key(|part| part.name());
        fetch::ensure_all(&home, &parts, &log.sink()).await?;
        log.phase("broker and worker");
        let logs = RunFolder::at(root).logs();
        std::fs::create_dir_all(&logs).map_err(|source| RehearseError::RunFolder {
            what: "make",
            path: logs.display().to_string(),
            source,
        })?;
        let mut spec = StackSpec::new("rehearse", logs);
        spec.kafka.clone_from(&first.stack.kafka);
        spec.debezium.clone_from(&first.stack.debezium);
        spec.connect.exactly_once = first.connector.exactly_once;
        let avro = |scenario: &Scenario| scenario.connector.converter == Converter::Avro;
        spec.registry = scenarios.iter().any(avro).then(RegistrySpec::default);
        let stack = Stack::up(&home, spec, &log.sink()).await?;
        for info in stack.services() {
            if let Some(pid) = info.pid {
                roster.add(&info.name, pid, info.log);
            }
        }
        Ok(Stage {
            bootstrap: stack.kafka.bootstrap(),
            connect: stack.connect.url(),
            registry: stack.registry.as_ref().map(Registry::url),
            stack: Arc::new(Mutex::new(stack)),
            roster: roster.clone(),
        })
    }

    /// Servers of one scenario: the old one runs and has the load's tables.
    pub async fn servers(&mut self, scenario: &Scenario) -> Result<Servers, RehearseError> {
        let (stack, roster) = (Arc::clone(&self.stack), self.roster.clone());
        let needs = Needs {
            archive: scenario.plan().is_some_and(|plan| plan.needs_archive()),
            plan: scenario.server.clone(),
            archive_onward: scenario
                .plan()
                .is_some_and(|plan| plan.needs_archive_onward()),
        };
        let old = &scenario.stack.postgres_old;
        let servers = Servers::create(stack, roster, old, needs).await?;
        servers.age(scenario.load.log_before_mib).await?;
        Ok(servers)
    }

    /// Who should be alive.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Kafka's address.
    pub fn bootstrap(&self) -> String {
        self.bootstrap.clone()
    }

    /// The schema registry's address, if one runs.
    pub fn registry(&self) -> Option<String> {
        self.registry.clone()
    }

    /// A client for Kafka.
    pub fn kafka(&self) -> Result<Arc<Kafka>, RehearseError> {
        Ok(Arc::new(Kafka::new(&self.bootstrap)?))
    }

    /// A client for the worker.
    pub fn connect(&self) -> Connect {
        Connect::new(&self.connect)
    }

    /// Stops everything and removes its data.
    pub async fn close(self) -> Result<f64, RehearseError> {
        for service in ["zookeeper", "kafka", "connect", "registry"] {
            self.roster.remove(service);
        }
        match Arc::try_unwrap(self.stack) {
            Ok(stack) => Ok(stack.into_inner().down_and_purge().await?),
            // Somebody still holds the stack; dropping the last hold ends its processes.
            Err(_) => Err(RehearseError::Load(
                "the lab is still in use while it is closed".into(),
            )),
        }
    }
}
