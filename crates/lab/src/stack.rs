//! Everything of one life together: Kafka, Connect, and any number of PostgreSQL clusters, owned by
//! one value.
//!
//! Up: broker, worker and clusters start side by side, because each of them mostly waits. Down: the
//! worker first, so that its tasks store their offsets; then broker and clusters side by side. A
//! ZooKeeper, where the broker needs one, is up before it and goes down after it.
//! Dropping the stack without [`Stack::down`] still ends every process, only less politely.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cutover_model::{EventKind, EventSink};

use crate::catalog::{self, Component, Metadata, Part};
use crate::error::LabError;
use crate::fetch::{self, PartDir};
use crate::home::{Home, LifeFolder};
use crate::services::connect::{Connect, ConnectOptions};
use crate::services::kafka::Kafka;
use crate::services::pgbackrest::Repository;
use crate::services::postgres::{Postgres, PostgresSpec, StopMode};
use crate::services::registry::Registry;
use crate::services::zookeeper::ZooKeeper;
use crate::services::{ServiceInfo, Setup};

/// What a service gets for an orderly end before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(4);

/// The part that pgBackRest comes with; this one serves every major version of the catalogue.
const PGBACKREST_PART: &str = "17";

/// What to start.
#[derive(Debug, Clone)]
pub struct StackSpec {
    /// Name of the life folder; one owner at a time.
    pub name: String,
    /// Folder for log files.
    pub logs: PathBuf,
    /// Kafka version.
    pub kafka: String,
    /// Debezium version.
    pub debezium: String,
    /// The worker's options.
    pub connect: ConnectOptions,
    /// A schema registry, and a converter that writes for it.
    pub registry: Option<RegistrySpec>,
    /// Clusters with their versions; more can be added later.
    pub postgres: Vec<(String, PostgresSpec)>,
}

impl StackSpec {
    /// Kafka and Connect of the default versions, without a database yet.
    pub fn new(name: &str, logs: PathBuf) -> StackSpec {
        StackSpec {
            name: name.to_owned(),
            logs,
            kafka: "4.3.1".to_owned(),
            debezium: "3.7.0".to_owned(),
            connect: ConnectOptions::default(),
            registry: None,
            postgres: Vec::new(),
        }
    }

    /// The parts that it needs, without fetching them.
    pub fn parts(&self) -> Result<Vec<&'static Part>, LabError> {
        let mut parts = vec![
            catalog::find(Component::Kafka, &self.kafka)?,
            catalog::find(Component::Debezium, &self.debezium)?,
        ];
        if let Some(spec) = &self.registry {
            parts.push(catalog::find(Component::Registry, &spec.registry)?);
            parts.push(catalog::find(Component::Converter, &spec.converter)?);
        }
        for (version, _) in &self.postgres {
            parts.push(catalog::find(Component::Postgres, version)?);
        }
        Ok(parts)
    }
}

/// Versions of a registry and of the converter that writes for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrySpec {
    /// Registry version.
    pub registry: String,
    /// Converter version.
    pub converter: String,
}

impl Default for RegistrySpec {
    fn default() -> RegistrySpec {
        RegistrySpec {
            registry: "3.3.3".to_owned(),
            converter: "7.0.16".to_owned(),
        }
    }
}

/// A running stack.
#[derive(Debug)]
pub struct Stack {
    // Fields are dropped in this order: the worker before the broker, the broker before its
    // ZooKeeper, processes before their folder's lock.
    /// The worker.
    pub connect: Connect,
    /// The broker.
    pub kafka: Kafka,
    zookeeper: Option<ZooKeeper>,
    /// The schema registry, if the stack has one.
    pub registry: Option<Registry>,
    postgres: Vec<Postgres>,
    setup: Setup,
    events: EventSink,
    life: LifeFolder,
}

impl Stack {
    /// Fetches what is missing, then starts everything, and returns when every service has
    /// answered.
    pub async fn up(home: &Home, spec: StackSpec, events: &EventSink) -> Result<Stack, LabError> {
        let parts = fetch::ensure_all(home, &spec.parts()?, events).await?;
        let of = |component: Component, version: &str| -> Result<PartDir, LabError> {
            let wanted = catalog::find(component, version)?;
            let found = parts.iter().find(|dir| dir.part == wanted).cloned();
            found.ok_or_else(|| LabError::Catalog {
                file: wanted.name(),
                reason: "it was not fetched".to_owned(),
            })
        };
        let kafka_part = of(Component::Kafka, &spec.kafka)?;
        let debezium = of(Component::Debezium, &spec.debezium)?;
        let mut clusters = Vec::new();
        for (version, cluster) in spec.postgres {
            clusters.push((cluster, of(Component::Postgres, &version)?));
        }
        home.sweep()?;
        let life = home.life(&spec.name)?;
        let started = Instant::now();
        phase_started(events, "start services");
        let setup = Setup {
            home: home.clone(),
            folder: life.path().to_owned(),
            logs: spec.logs,
        };
        let mut zookeeper = match kafka_part.part.kafka_traits()?.metadata {
            Metadata::Zookeeper => Some(ZooKeeper::create(&setup, &kafka_part)?),
            Metadata::Kraft => None,
        };
        let mut kafka = Kafka::create(&setup, &kafka_part, zookeeper.as_ref())?;
        let mut connect = Connect::create(&setup, &kafka_part, &debezium, &kafka, spec.connect)?;
        let mut registry = None;
        if let Some(wanted) = &spec.registry {
            connect.add_converter(&of(Component::Converter, &wanted.converter)?)?;
            let part = of(Component::Registry, &wanted.registry)?;
            let java = fetch::java_for(home, &part, events).await?;
            registry = Some(Registry::create(&setup, &part, java)?);
        }
        connect.start()?;
        let databases = async {
            let mut running = Vec::new();
            for (cluster, binaries) in clusters {
                running.push(Postgres::create(&setup, cluster, binaries).await?);
            }
            Ok(running)
        };
        let broker = start_broker(&mut kafka, zookeeper.as_mut());
        let schemas = start_registry(registry.as_mut());
        let (postgres, (), (), ()) = tokio::try_join!(databases, broker, schemas, connect.ready())?;
        phase_ended(events, "start services", started);
        Ok(Stack {
            connect,
            kafka,
            zookeeper,
            registry,
            postgres,
            setup,
            events: events.clone(),
            life,
        })
    }

    /// Adds a cluster, fetching its version first if needed.
    pub async fn add_postgres(
        &mut self,
        version: &str,
        spec: PostgresSpec,
    ) -> Result<&mut Postgres, LabError> {
        let binaries = self.part(Component::Postgres, version).await?;
        let cluster = Postgres::create(&self.setup, spec, binaries).await?;
        Ok(self.keep_postgres(cluster))
    }

    /// An empty cluster for pg_upgrade; its server is not started.
    pub async fn empty_postgres(
        &mut self,
        version: &str,
        spec: PostgresSpec,
        initdb_args: &[&str],
    ) -> Result<&mut Postgres, LabError> {
        let binaries = self.part(Component::Postgres, version).await?;
        let cluster = Postgres::create_empty(&self.setup, spec, binaries, initdb_args).await?;
        Ok(self.keep_postgres(cluster))
    }

    /// A cluster without data, for a restore; its server is not started.
    pub async fn bare_postgres(
        &mut self,
        version: &str,
        spec: PostgresSpec,
    ) -> Result<&mut Postgres, LabError> {
        let binaries = self.part(Component::Postgres, version).await?;
        let cluster = Postgres::create_bare(&self.setup, spec, binaries)?;
        Ok(self.keep_postgres(cluster))
    }

    /// A cluster that was made elsewhere becomes part of the stack.
    pub fn keep_postgres(&mut self, cluster: Postgres) -> &mut Postgres {
        self.postgres.push(cluster);
        let last = self.postgres.len() - 1;
        &mut self.postgres[last]
    }

    /// A pgBackRest repository of this life. The program comes with a PostgreSQL part that has it: the named one, or
    /// the one with the newest program.
    pub async fn repository(&self, part: Option<&str>) -> Result<Repository, LabError> {
        let version = part.unwrap_or(PGBACKREST_PART);
        let part = self.part(Component::Postgres, version).await?;
        Repository::create(&self.setup, &part)
    }

    /// Restarts the worker with another Debezium, fetching it first if needed. Connectors, offsets
    /// and status live in Kafka and stay; their tasks run again once the worker is ready.
    pub async fn swap_debezium(&mut self, version: &str) -> Result<(), LabError> {
        let debezium = self.part(Component::Debezium, version).await?;
        self.connect.stop(STOP_DEADLINE).await?;
        self.connect.swap_plugin(&debezium)?;
        self.connect.start()?;
        self.connect.ready().await
    }

    /// A part in the cache, fetched if needed.
    pub async fn part(&self, component: Component, version: &str) -> Result<PartDir, LabError> {
        let part = catalog::find(component, version)?;
        fetch::ensure(&self.setup.home, part, &self.events).await
    }

    /// A cluster by its name.
    pub fn postgres(&self, name: &str) -> Option<&Postgres> {
        self.postgres.iter().find(|cluster| cluster.name() == name)
    }

    /// A cluster by its name, to start and stop it.
    pub fn postgres_mut(&mut self, name: &str) -> Option<&mut Postgres> {
        self.postgres
            .iter_mut()
            .find(|cluster| cluster.name() == name)
    }

    /// Stops one cluster and removes its data.
    pub async fn remove_postgres(&mut self, name: &str) -> Result<(), LabError> {
        let found = self
            .postgres
            .iter()
            .position(|cluster| cluster.name() == name);
        if let Some(index) = found {
            let mut cluster = self.postgres.swap_remove(index);
            cluster.stop(StopMode::Immediate, STOP_DEADLINE).await?;
            let folder = cluster.info().folder;
            drop(cluster);
            std::fs::remove_dir_all(&folder).map_err(LabError::io("remove", &folder))?;
        }
        Ok(())
    }

    /// Fails when a service that should run has ended by itself; says which, with the end of its
    /// log.
    pub fn check_alive(&mut self) -> Result<(), LabError> {
        for cluster in &mut self.postgres {
            cluster.check_alive()?;
        }
        if let Some(zookeeper) = &mut self.zookeeper {
            zookeeper.check_alive()?;
        }
        if let Some(registry) = &mut self.registry {
            registry.check_alive()?;
        }
        self.kafka.check_alive()?;
        self.connect.check_alive()
    }

    /// For status: every service.
    pub fn services(&self) -> Vec<ServiceInfo> {
        let mut all: Vec<ServiceInfo> = self.postgres.iter().map(Postgres::info).collect();
        all.extend(self.zookeeper.as_ref().map(ZooKeeper::info));
        all.extend(self.registry.as_ref().map(Registry::info));
        all.extend([self.kafka.info(), self.connect.info()]);
        all
    }

    /// Folder of this life.
    pub fn folder(&self) -> &std::path::Path {
        self.life.path()
    }

    /// Keeps the data when the process ends, for a lab that is looked at later.
    pub fn keep(&self) -> Result<(), LabError> {
        self.life.keep()
    }

    /// Stops everything in order and keeps the data. Returns the seconds it took.
    pub async fn down(mut self) -> Result<f64, LabError> {
        self.stop_all().await
    }

    /// Stops everything in order and removes the data. Returns the seconds it took.
    pub async fn down_and_purge(mut self) -> Result<f64, LabError> {
        let seconds = self.stop_all().await?;
        let Stack {
            connect,
            kafka,
            zookeeper,
            registry,
            postgres,
            life,
            ..
        } = self;
        drop((connect, kafka, zookeeper, registry, postgres));
        life.purge()?;
        Ok(seconds)
    }

    async fn stop_all(&mut self) -> Result<f64, LabError> {
        let started = Instant::now();
        phase_started(&self.events, "stop services");
        self.connect.stop(STOP_DEADLINE).await?;
        let (kafka, zookeeper) = (&mut self.kafka, &mut self.zookeeper);
        let registry = &mut self.registry;
        let postgres = &mut self.postgres;
        let databases = async {
            for cluster in postgres {
                cluster.stop(StopMode::Fast, STOP_DEADLINE).await?;
                cluster.free_shared_memory();
            }
            Ok::<(), LabError>(())
        };
        let broker = async {
            kafka.stop(STOP_DEADLINE).await?;
            if let Some(zookeeper) = zookeeper {
                zookeeper.stop(STOP_DEADLINE).await?;
            }
            Ok(())
        };
        let schemas = async {
            if let Some(registry) = registry {
                registry.stop(STOP_DEADLINE).await?;
            }
            Ok(())
        };
        tokio::try_join!(databases, broker, schemas)?;
        phase_ended(&self.events, "stop services", started);
        Ok(started.elapsed().as_secs_f64())
    }
}

/// Starts the broker, after its ZooKeeper if it has one.
async fn start_broker(
    kafka: &mut Kafka,
    zookeeper: Option<&mut ZooKeeper>,
) -> Result<(), LabError> {
    if let Some(zookeeper) = zookeeper {
        zookeeper.start()?;
        zookeeper.ready().await?;
    }
    kafka.start()?;
    kafka.ready().await
}

async fn start_registry(registry: Option<&mut Registry>) -> Result<(), LabError> {
    if let Some(registry) = registry {
        registry.start()?;
        registry.ready().await?;
    }
    Ok(())
}

fn phase_started(events: &EventSink, name: &str) {
    events.emit(EventKind::PhaseStarted {
        name: name.to_owned(),
    });
}

fn phase_ended(events: &EventSink, name: &str, started: Instant) {
    let seconds = started.elapsed().as_secs_f64();
    events.emit(EventKind::PhaseEnded {
        name: name.to_owned(),
        seconds,
    });
}
