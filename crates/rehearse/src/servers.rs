//! The PostgreSQL servers of one scenario: old and new side, and what a repair needs beside them, inside the run's
//! stack.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_lab::Component;
use cutover_lab::services::pgbackrest::Repository;
use cutover_lab::services::postgres::{Login, Postgres, PostgresSpec, StopMode};
use cutover_lab::stack::Stack;
use cutover_upgrade::Side;
use tokio::sync::Mutex;

use crate::error::RehearseError;
use crate::roster::Roster;
use crate::survey::known_to;
use crate::trouble::{ServerPlan, run_each};
use crate::worker::Ending;

/// Role under which the load writes.
pub const WRITER_ROLE: &str = "app";

/// The captured database.
pub const DATABASE: &str = "testdb";

/// What a fast shutdown gets. A server that needs longer has a client that does not let go: a finding.
const STOP: Duration = Duration::from_secs(90);

/// What dump and restore get, each.
const COPY: Duration = Duration::from_secs(600);

/// Names of the servers, the last one first.
const NAMES: [&str; 3] = ["side", "new", "old"];

/// The servers of one scenario.
pub struct Servers {
    pub(super) stack: Arc<Mutex<Stack>>,
    pub(super) roster: Roster,
    old: Addresses,
    pub(super) new: Option<Addresses>,
    pub(super) beside: Option<Addresses>,
    version: String,
    dump: PathBuf,
    pub(super) new_version: String,
    pub(super) repository: Option<Repository>,
    pub(super) archive_onward: bool,
    /// The new server has its tables.
    pub(super) filled: bool,
}

/// What a plan asks of the old server besides running.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Settings and statements of the scenario.
    pub plan: ServerPlan,
    /// Its log is archived, and backups can be taken.
    pub archive: bool,
    /// A server that is restored from the backup goes on archiving.
    pub archive_onward: bool,
}

/// How the parts of a rehearsal reach one server.
#[derive(Clone)]
pub(super) struct Addresses {
    pub(super) name: &'static str,
    pub(super) admin: PgAddress,
    writer: PgAddress,
    connector: PgAddress,
    owner: PgAddress,
}

impl Addresses {
    pub(super) fn of(cluster: &Postgres, name: &'static str) -> Addresses {
        Addresses {
            name,
            admin: cluster.address(Login::Admin, DATABASE),
            writer: cluster.address(Login::App, DATABASE),
            connector: cluster.tcp_address(Login::Debezium, DATABASE),
            owner: cluster.tcp_address(Login::Admin, DATABASE),
        }
    }
}

impl Servers {
    /// Makes the old server with the load's tables.
    pub async fn create(
        stack: Arc<Mutex<Stack>>,
        roster: Roster,
        version: &str,
        needs: Needs,
    ) -> Result<Servers, RehearseError> {
        let mut inside = stack.lock().await;
        // What a scenario that could not begin has left must not stand in the way of this one.
        for name in NAMES {
            inside.remove_postgres(name).await?;
        }
        let mut spec = PostgresSpec::new("old", DATABASE);
        let repository = if needs.archive {
            let tool = needs.plan.pgbackrest_of.as_deref();
            let repository = inside.repository(tool).await?;
            known_to(&repository.version().await?, version)?;
            spec.settings = repository.server_settings();
            Some(repository)
        } else {
            None
        };
        spec.settings.extend(needs.plan.settings);
        let cluster = inside.add_postgres(version, spec).await?;
        if let Some(repository) = &repository {
            repository.attach(cluster).await?;
        }
        let old = Addresses::of(cluster, "old");
        let dump = cluster.info().folder.join("database.dump");
        enlist(&roster, cluster);
        drop(inside);
        let admin = connect_admin(&old.admin).await?;
        admin
            .batch_execute(cutover_workload::SCHEMA_SQL)
            .await
            .map_err(|source| cutover_clients::pg::PgError::Sql {
                what: "make the load's tables".into(),
                source,
            })?;
        run_each(&admin, &needs.plan.sql).await?;
        let version = version.to_owned();
        Ok(Servers {
            stack,
            roster,
            old,
            new: None,
            beside: None,
            new_version: version.clone(),
            version,
            dump,
            repository,
            archive_onward: needs.archive_onward,
            filled: false,
        })
    }

    /// Lets the old server's log grow, as if it had lived longer. No table changes; nobody decodes it.
    pub async fn age(&self, mebibytes: u32) -> Result<(), RehearseError> {
        let admin = connect_admin(&self.old.admin).await?;
        for _ in 0..mebibytes {
            let text = "select pg_logical_emit_message(false, 'age', repeat('x', 1048576))";
            admin.batch_execute(text).await.map_err(|source| {
                cutover_clients::pg::PgError::Sql {
                    what: "let the log grow".into(),
                    source,
                }
            })?;
        }
        Ok(())
    }

    pub(super) fn side(&self, side: Side) -> Result<&Addresses, RehearseError> {
        match side {
            Side::Old => Ok(&self.old),
            Side::New => self
                .new
                .as_ref()
                .ok_or_else(|| RehearseError::Load("there is no new server yet".into())),
            Side::Beside => self
                .beside
                .as_ref()
                .ok_or_else(|| RehearseError::Load("there is no side server".into())),
        }
    }

    /// For ourselves.
    pub fn admin_address(&self, side: Side) -> Result<PgAddress, RehearseError> {
        Ok(self.side(side)?.admin.clone())
    }

    /// For the load.
    pub fn writer_address(&self, side: Side) -> Result<PgAddress, RehearseError> {
        Ok(self.side(side)?.writer.clone())
    }

    /// For the connector on the old server. The new server has the same credentials.
    pub fn connector_address(&self) -> PgAddress {
        self.old.connector.clone()
    }

    /// For a connector that logs in as the owner of tables and publication.
    pub fn owner_address(&self) -> PgAddress {
        self.old.owner.clone()
    }

    /// Version of the server that serves now.
    pub fn version(&self) -> &str {
        if self.new.is_some() {
            &self.new_version
        } else {
            &self.version
        }
    }

    /// Stops a server fast; returns the seconds.
    pub async fn stop(&self, side: Side) -> Result<f64, RehearseError> {
        let name = self.side(side)?.name;
        let mut stack = self.stack.lock().await;
        let cluster = cluster(&mut stack, name)?;
        self.roster.remove(&cluster.info().name);
        let stopped = cluster.stop(StopMode::Fast, STOP).await?;
        match stopped {
            Some(stopped) if stopped.killed => Err(RehearseError::Load(format!(
                "the {name} server did not end within {} s after a fast shutdown",
                STOP.as_secs()
            ))),
            stopped => Ok(stopped.map_or(0.0, |stopped| stopped.seconds)),
        }
    }

    /// Ends a server as a crash does; returns the seconds.
    pub async fn crash(&self, side: Side) -> Result<f64, RehearseError> {
        let name = self.side(side)?.name;
        let mut stack = self.stack.lock().await;
        let cluster = cluster(&mut stack, name)?;
        self.roster.remove(&cluster.info().name);
        let stopped = cluster.stop(StopMode::Immediate, STOP).await?;
        Ok(stopped.map_or(0.0, |stopped| stopped.seconds))
    }

    /// Whether the server of a side runs.
    pub async fn is_running(&self, side: Side) -> Result<bool, RehearseError> {
        let name = self.side(side)?.name;
        let mut stack = self.stack.lock().await;
        Ok(cluster(&mut stack, name)?.is_running())
    }

    /// Starts a server; returns the seconds until it answers.
    pub async fn start(&self, side: Side) -> Result<f64, RehearseError> {
        let name = self.side(side)?.name;
        let mut stack = self.stack.lock().await;
        let cluster = cluster(&mut stack, name)?;
        if cluster.is_running() {
            return Ok(0.0);
        }
        let seconds = cluster.start().await?;
        enlist(&self.roster, cluster);
        Ok(seconds)
    }

    /// Other programs for the old server's data.
    pub async fn swap_binaries(&mut self, version: &str) -> Result<(), RehearseError> {
        let mut stack = self.stack.lock().await;
        let binaries = stack.part(Component::Postgres, version).await?;
        cluster(&mut stack, "old")?.swap_binaries(binaries)?;
        self.version = version.to_owned();
        Ok(())
    }

    /// An empty new server with the same roles and passwords.
    pub async fn create_new(&mut self, version: &str) -> Result<PgAddress, RehearseError> {
        if let Some(new) = &self.new {
            return Ok(new.admin.clone());
        }
        let mut stack = self.stack.lock().await;
        let credentials = cluster(&mut stack, "old")?.credentials().clone();
        let spec = PostgresSpec {
            credentials,
            ..PostgresSpec::new("new", DATABASE)
        };
        let made = stack.add_postgres(version, spec).await?;
        enlist(&self.roster, made);
        let new = Addresses::of(made, "new");
        let admin = new.admin.clone();
        self.new = Some(new);
        self.new_version = version.to_owned();
        Ok(admin)
    }

    /// Dumps the old database with the new version's pg_dump, as the documentation advises.
    pub async fn dump(&self) -> Result<String, RehearseError> {
        let mut stack = self.stack.lock().await;
        let binaries = stack.part(Component::Postgres, &self.new_version).await?;
        let old = cluster(&mut stack, "old")?;
        old.dump(&binaries, &["-Fc"], &self.dump, COPY).await?;
        let size = std::fs::metadata(&self.dump).map_or(0, |meta| meta.len());
        Ok(format!("pg_dump -Fc wrote {} KiB", size / 1024))
    }

    /// The old database's schema, without rows and without publications, in the new server.
    pub async fn copy_schema(&mut self) -> Result<String, RehearseError> {
        if std::mem::replace(&mut self.filled, true) {
            return Ok("the schema is there already".into());
        }
        let mut stack = self.stack.lock().await;
        let binaries = stack.part(Component::Postgres, &self.new_version).await?;
        let old = cluster(&mut stack, "old")?;
        let args = ["-Fc", "--schema-only"];
        old.dump(&binaries, &args, &self.dump, COPY).await?;
        let args = ["--exit-on-error"];
        cluster(&mut stack, "new")?
            .restore(&args, &self.dump, COPY)
            .await?;
        Ok("the schema is on the new server".into())
    }

    /// Restores the dump into the new server.
    pub async fn restore(&mut self) -> Result<String, RehearseError> {
        if std::mem::replace(&mut self.filled, true) {
            return Ok("the dump is restored already".into());
        }
        let mut stack = self.stack.lock().await;
        cluster(&mut stack, "new")?
            .restore(&["--exit-on-error"], &self.dump, COPY)
            .await?;
        Ok("pg_restore ended without an error".into())
    }

    /// Ends Connect's worker.
    pub async fn end_worker(&self, ending: Ending) -> Result<(), RehearseError> {
        self.roster.remove("connect");
        let worker = &mut self.stack.lock().await.connect;
        match ending {
            Ending::Killed => worker.kill().await?,
            Ending::Stopped => match worker.stop(STOP).await? {
                Some(stopped) if stopped.killed => {
                    return Err(RehearseError::Load(format!(
                        "the worker did not end within {} s",
                        STOP.as_secs()
                    )));
                }
                _ => {}
            },
        }
        Ok(())
    }

    /// Stops the worker in the middle of whatever it does.
    pub async fn freeze_worker(&self) -> Result<(), RehearseError> {
        Ok(self.stack.lock().await.connect.freeze()?)
    }

    /// Lets a frozen worker go on.
    pub async fn thaw_worker(&self) -> Result<(), RehearseError> {
        Ok(self.stack.lock().await.connect.thaw()?)
    }

    /// Starts the worker; returns the seconds until it serves.
    pub async fn start_worker(&self) -> Result<f64, RehearseError> {
        let started = Instant::now();
        let mut stack = self.stack.lock().await;
        if stack.connect.check_alive().is_err() {
            stack.connect.start()?;
        }
        let info = stack.connect.info();
        if let Some(pid) = info.pid {
            self.roster.remove(&info.name);
            self.roster.add(&info.name, pid, info.log);
        }
        stack.connect.ready().await?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Stops every server and removes its data.
    pub async fn take_down(&mut self) -> Result<(), RehearseError> {
        let mut stack = self.stack.lock().await;
        for info in stack.services() {
            if info.name.starts_with("postgres-") {
                self.roster.remove(&info.name);
            }
        }
        for name in NAMES {
            stack.remove_postgres(name).await?;
        }
        Ok(())
    }
}

pub(super) fn cluster<'a>(
    stack: &'a mut Stack,
    name: &str,
) -> Result<&'a mut Postgres, RehearseError> {
    let found = stack.postgres_mut(name);
    found.ok_or_else(|| RehearseError::Load(format!("there is no {name} server")))
}

pub(super) fn enlist(roster: &Roster, cluster: &Postgres) {
    let info = cluster.info();
    if let Some(pid) = info.pid {
        roster.add(&info.name, pid, info.log);
    }
}
