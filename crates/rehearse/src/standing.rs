//! The lab that stays: one PostgreSQL with the load's tables, broker, worker, and a connector that streams.
//! For looking around and for trying things by hand; `cutover lab up` owns it until `cutover lab down`.

use std::path::PathBuf;

use cutover_clients::connect::Connect;
use cutover_clients::pg::publication::create_publication;
use cutover_clients::pg::{PgError, connect_admin};
use cutover_lab::Home;
use cutover_lab::services::postgres::{Login, PostgresSpec};
use cutover_lab::stack::{Stack, StackSpec};
use cutover_lab::state::{LIFE, Owner};
use cutover_model::EventSink;

use crate::connector::{self, ConnectorPlan};
use crate::error::RehearseError;
use crate::scene::stream;
use crate::servers::DATABASE;

/// Versions of a standing lab.
#[derive(Debug, Clone)]
pub struct Versions {
    /// PostgreSQL.
    pub postgres: String,
    /// Kafka and Connect.
    pub kafka: String,
    /// Debezium.
    pub debezium: String,
}

/// A running lab. Dropping it ends every process.
#[derive(Debug)]
pub struct Standing {
    stack: Stack,
    _owner: Owner,
}

/// Folder of the standing lab's logs: they stay readable after `down`.
pub fn logs(home: &Home) -> PathBuf {
    home.state().join("lab-logs")
}

impl Standing {
    /// Starts everything and returns when the connector streams.
    pub async fn up(
        home: &Home,
        versions: &Versions,
        events: &EventSink,
    ) -> Result<Standing, RehearseError> {
        let owner = Owner::claim(home)?;
        let logs = logs(home);
        std::fs::create_dir_all(&logs).map_err(|source| RehearseError::RunFolder {
            what: "make",
            path: logs.display().to_string(),
            source,
        })?;
        let mut spec = StackSpec::new(LIFE, logs);
        spec.kafka.clone_from(&versions.kafka);
        spec.debezium.clone_from(&versions.debezium);
        spec.postgres = vec![(
            versions.postgres.clone(),
            PostgresSpec::new("main", DATABASE),
        )];
        let stack = Stack::up(home, spec, events).await?;
        // Published before the connector is up, so that `down` finds the processes whatever happens next.
        owner.publish(&stack.services())?;
        let standing = Standing {
            stack,
            _owner: owner,
        };
        standing.start_stream(&versions.debezium).await?;
        Ok(standing)
    }

    async fn start_stream(&self, debezium: &str) -> Result<(), RehearseError> {
        let cluster = self.stack.postgres("main");
        let cluster = cluster.ok_or_else(|| RehearseError::Load("no server was made".into()))?;
        let stream = stream("lab");
        let admin = cluster.address(Login::Admin, DATABASE);
        let client = connect_admin(&admin).await?;
        let made = client.batch_execute(cutover_workload::SCHEMA_SQL).await;
        made.map_err(|source| PgError::Sql {
            what: "make the load's tables".into(),
            source,
        })?;
        create_publication(&client, &stream.publication, &stream.tables).await?;
        let address = cluster.tcp_address(Login::Debezium, DATABASE);
        let config = {
            let plan = ConnectorPlan::default();
            connector::config(&stream, &address, plan, debezium, None)?
        };
        let connect = Connect::new(&self.stack.connect.url());
        connector::deploy(&connect, &admin, &stream, &config).await
    }

    /// Fails when a service has ended by itself.
    pub fn check_alive(&mut self) -> Result<(), RehearseError> {
        Ok(self.stack.check_alive()?)
    }

    /// Stops everything; data stays until the next `up` or a purge.
    pub async fn down(self) -> Result<f64, RehearseError> {
        self.stack.keep()?;
        Ok(self.stack.down().await?)
    }
}

/// Returns when a service has ended by itself.
pub async fn watch(standing: &mut Standing, every: std::time::Duration) -> RehearseError {
    loop {
        if let Err(error) = standing.check_alive() {
            return error;
        }
        cutover_clients::wait::pause(every).await;
    }
}

/// The pause between two looks at a lab that is coming up.
pub async fn moment() {
    cutover_clients::wait::pause(std::time::Duration::from_millis(20)).await;
}
