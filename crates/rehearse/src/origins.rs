//! How the new server of a scenario comes about: by pg_upgrade, as a standby, from a backup, as a copy. And the side
//! server of a repair, which reads the log of both.
//!
//! The new server has the old one's roles and passwords in every case, so that nothing but the address changes
//! for those who use it.

use std::time::Duration;

use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::settings::setting;
use cutover_clients::pg::slots::drop_slot;
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_clients::wait::{Poll, until};
use cutover_lab::services::pgbackrest::{ARCHIVES_NOTHING, Repository};
use cutover_lab::services::postgres::{Postgres, PostgresSpec, StopMode};
use cutover_lab::services::postgres_origins::Copy;
use cutover_lab::stack::Stack;
use cutover_model::Lsn;
use cutover_upgrade::Side;
use cutover_upgrade::hands::Gate;
use cutover_upgrade::steps::{Feed, RestoreTarget, Transfer};

use crate::error::RehearseError;
use crate::servers::{Addresses, DATABASE, Servers, cluster, enlist};

/// What a recovery gets.
const RECOVERY: Duration = Duration::from_secs(120);

/// Physical slot of a standby that streams.
const STANDBY_SLOT: &str = "cutover_standby";

/// A standby on which a slot is being made waits with the replay, or the slot's session would be cancelled.
const STREAM_WAITS: (&str, &str) = ("max_standby_streaming_delay", "-1");
const ARCHIVE_WAITS: (&str, &str) = ("max_standby_archive_delay", "-1");

fn option(transfer: Transfer) -> &'static str {
    match transfer {
        // Before 17 there was no name for the default.
        Transfer::Copy => "--jobs=1",
        Transfer::Link => "--link",
        Transfer::Clone => "--clone",
    }
}

fn spec(stack: &mut Stack) -> Result<PostgresSpec, RehearseError> {
    spec_named(stack, "new")
}

fn spec_named(stack: &mut Stack, name: &str) -> Result<PostgresSpec, RehearseError> {
    let credentials = cluster(stack, "old")?.credentials().clone();
    Ok(PostgresSpec {
        credentials,
        ..PostgresSpec::new(name, DATABASE)
    })
}

impl Servers {
    /// An empty cluster that fits the old one, checked by pg_upgrade while the old server runs.
    pub async fn prepare_cluster(
        &mut self,
        version: &str,
        transfer: Transfer,
    ) -> Result<String, RehearseError> {
        if self.stack.lock().await.postgres("new").is_some() {
            return Ok("the new cluster is prepared already".into());
        }
        let admin = connect_admin(&self.admin_address(Side::Old)?).await?;
        let checksums = setting(&admin, "data_checksums").await? == "on";
        let mut stack = self.stack.lock().await;
        let major: u32 = version
            .split('.')
            .next()
            .and_then(|major| major.parse().ok())
            .unwrap_or(0);
        // From 18 on initdb turns checksums on by itself, and pg_upgrade wants both sides alike.
        let args: &[&str] = match (checksums, major >= 18) {
            (true, _) => &["--data-checksums"],
            (false, true) => &["--no-data-checksums"],
            (false, false) => &[],
        };
        let spec = spec(&mut stack)?;
        stack.empty_postgres(version, spec, args).await?;
        self.new_version = version.to_owned();
        if cluster(&mut stack, "old")?.is_running() {
            try_schema(&mut stack).await?;
        }
        let (Some(old), Some(new)) = (stack.postgres("old"), stack.postgres("new")) else {
            return Err(RehearseError::Load("there is no prepared cluster".into()));
        };
        new.upgrade_from(old, &["--check", option(transfer)])
            .await?;
        Ok("pg_upgrade --check finds the clusters compatible".into())
    }

    /// Runs pg_upgrade and starts the new server.
    pub async fn upgrade_cluster(
        &mut self,
        transfer: Transfer,
    ) -> Result<(PgAddress, String), RehearseError> {
        if let Some(there) = self.there() {
            return Ok(there);
        }
        let shared = std::sync::Arc::clone(&self.stack);
        let mut stack = shared.lock().await;
        let (Some(old), Some(new)) = (stack.postgres("old"), stack.postgres("new")) else {
            return Err(RehearseError::Load("there is no prepared cluster".into()));
        };
        new.upgrade_from(old, &[option(transfer)]).await?;
        let address = self.started(&mut stack).await?;
        Ok((address, "pg_upgrade ended without an error".into()))
    }

    /// A standby of the old server.
    pub async fn create_standby(&mut self, feed: Feed) -> Result<PgAddress, RehearseError> {
        if let Some((address, _)) = self.there() {
            return Ok(address);
        }
        let shared = std::sync::Arc::clone(&self.stack);
        let mut stack = shared.lock().await;
        self.new_version = self.version().to_owned();
        let mut spec = spec(&mut stack)?;
        match feed {
            Feed::Stream => {
                let settings = [("hot_standby_feedback", "on"), STREAM_WAITS];
                let failover = [("sync_replication_slots", "on")];
                let has_failover = self.new_version.split('.').next() >= Some("17");
                let failover = failover.iter().filter(|_| has_failover);
                let all = settings.iter().chain(failover);
                spec.settings = all
                    .map(|(name, value)| ((*name).into(), (*value).into()))
                    .collect();
                let source = cluster(&mut stack, "old")?;
                let kind = Copy::Standby { slot: STANDBY_SLOT };
                let made = Postgres::copy_of(source, spec, kind).await?;
                stack.keep_postgres(made);
            }
            Feed::Archive => {
                spec.settings = vec![(ARCHIVE_WAITS.0.into(), ARCHIVE_WAITS.1.into())];
                let version = self.new_version.clone();
                let made = stack.bare_postgres(&version, spec).await?;
                self.repository()?
                    .restore(made, &[ARCHIVES_NOTHING, "--type=standby"])
                    .await?;
            }
        }
        self.started(&mut stack).await
    }

    /// A full backup of the old server.
    pub async fn back_up(&self) -> Result<String, RehearseError> {
        let mut stack = self.stack.lock().await;
        let old = cluster(&mut stack, "old")?;
        Ok(self.repository()?.back_up(old).await?)
    }

    fn repository(&self) -> Result<&Repository, RehearseError> {
        let missing = || RehearseError::Load("the old server is not archived".into());
        self.repository.as_ref().ok_or_else(missing)
    }

    /// The backup in a new server, recovered up to the target and opened for writing.
    pub async fn restore_backup(
        &mut self,
        target: RestoreTarget,
        moment: Option<&str>,
    ) -> Result<(PgAddress, String), RehearseError> {
        if let Some(there) = self.there() {
            return Ok(there);
        }
        let shared = std::sync::Arc::clone(&self.stack);
        let mut stack = shared.lock().await;
        self.new_version = self.version().to_owned();
        let mut spec = spec(&mut stack)?;
        let version = self.new_version.clone();
        let mut args: Vec<&str> = Vec::new();
        if self.archive_onward {
            spec.settings = self.repository()?.onward_settings();
        } else {
            args.push(ARCHIVES_NOTHING);
        }
        let made = stack.bare_postgres(&version, spec).await?;
        let at = format!("--target={}", moment.unwrap_or_default());
        args.extend(match target {
            RestoreTarget::Latest => Vec::new(),
            RestoreTarget::Immediate => vec!["--type=immediate", "--target-action=promote"],
            RestoreTarget::Time => vec!["--type=time", &at, "--target-action=promote"],
        });
        let said = self.repository()?.restore(made, &args).await?;
        let address = self.started(&mut stack).await?;
        out_of_recovery(&address).await?;
        Ok((address, said))
    }

    /// The backup in a third server that follows the archive through a gate, up to a position of the new server's log;
    /// there it will open by itself.
    pub async fn create_side_server(&mut self, until: Lsn) -> Result<PgAddress, RehearseError> {
        if let Some(side) = &self.beside {
            return Ok(side.admin.clone());
        }
        let shared = std::sync::Arc::clone(&self.stack);
        let mut stack = shared.lock().await;
        stack.remove_postgres("side").await?;
        let mut spec = spec_named(&mut stack, "side")?;
        spec.settings = vec![(ARCHIVE_WAITS.0.into(), ARCHIVE_WAITS.1.into())];
        let version = self.new_version.clone();
        let command = self.repository()?.gate(cluster(&mut stack, "old")?).await?;
        let made = stack.bare_postgres(&version, spec).await?;
        let command = format!("--recovery-option=restore_command={command}");
        let target = format!("--recovery-option=recovery_target_lsn={until}");
        let args = [
            ARCHIVES_NOTHING,
            "--type=standby",
            &command,
            &target,
            "--recovery-option=recovery_target_inclusive=off",
            "--recovery-option=recovery_target_action=promote",
            "--recovery-option=recovery_target_timeline=latest",
        ];
        self.repository()?.restore(made, &args).await?;
        made.start().await?;
        enlist(&self.roster, made);
        let side = Addresses::of(made, "side");
        let admin = side.admin.clone();
        self.beside = Some(side);
        Ok(admin)
    }

    /// Lets the side server have more of the log.
    pub fn open_gate(&self, gate: Gate) -> Result<String, RehearseError> {
        match gate {
            Gate::Further => {
                let file = self.repository()?.open_gate_further()?;
                Ok(format!("log files up to {file} may pass"))
            }
            Gate::Wide => {
                self.repository()?.open_gate()?;
                Ok("every log file may pass".into())
            }
        }
    }

    /// Stops the side server and removes it.
    pub async fn discard_side(&mut self) -> Result<String, RehearseError> {
        self.beside = None;
        let mut stack = self.stack.lock().await;
        self.roster.remove("postgres-side");
        stack.remove_postgres("side").await?;
        Ok("the side server is gone".into())
    }

    /// A copy of the running old server, opened as a primary of its own.
    pub async fn open_base_backup(&mut self) -> Result<(PgAddress, String), RehearseError> {
        if let Some(there) = self.there() {
            return Ok(there);
        }
        let shared = std::sync::Arc::clone(&self.stack);
        let mut stack = shared.lock().await;
        self.new_version = self.version().to_owned();
        let spec = spec(&mut stack)?;
        let source = cluster(&mut stack, "old")?;
        let made = Postgres::copy_of(source, spec, Copy::Primary).await?;
        stack.keep_postgres(made);
        let address = self.started(&mut stack).await?;
        out_of_recovery(&address).await?;
        Ok((address, "the copy is open for writing".into()))
    }

    /// The new server, if it was made before: a step may be done once more.
    fn there(&self) -> Option<(PgAddress, String)> {
        let new = self.new.as_ref()?;
        Some((new.admin.clone(), "the new server is there already".into()))
    }

    /// Starts the cluster `new` and remembers its addresses.
    async fn started(&mut self, stack: &mut Stack) -> Result<PgAddress, RehearseError> {
        let made = cluster(stack, "new")?;
        made.start().await?;
        enlist(&self.roster, made);
        let new = Addresses::of(made, "new");
        let admin = new.admin.clone();
        self.new = Some(new);
        Ok(admin)
    }

    /// Stops the new server and removes it.
    pub async fn discard_new(&mut self) -> Result<String, RehearseError> {
        (self.new, self.filled) = (None, false);
        let mut stack = self.stack.lock().await;
        self.roster.remove("postgres-new");
        stack.remove_postgres("new").await?;
        drop(stack);
        if self.is_running(Side::Old).await? {
            // What a standby read from would keep the old server's log for ever.
            let old = connect_admin(&self.admin_address(Side::Old)?).await?;
            drop_slot(&old, STANDBY_SLOT).await?;
        }
        Ok("the new server is gone".into())
    }
}

/// Restores the old schema into the empty cluster, once, and takes it away again: what the new version does not
/// know (an extension, a collation provider, a column option) shows here and not half way through pg_upgrade, whose
/// `--check` does not look (docs/anomalies.md, A-011).
async fn try_schema(stack: &mut Stack) -> Result<(), RehearseError> {
    let binaries = cluster(stack, "new")?.binaries().clone();
    let old = cluster(stack, "old")?;
    let file = old.work_folder().join("schema.dump");
    let args = ["-Fc", "--schema-only", "--no-owner", "--no-privileges"];
    old.dump(&binaries, &args, &file, RECOVERY).await?;
    let new = cluster(stack, "new")?;
    new.start().await?;
    new.make_database(DATABASE).await?;
    let restored = new.restore(&["--exit-on-error"], &file, RECOVERY).await;
    new.drop_database(DATABASE).await?;
    new.stop(StopMode::Fast, RECOVERY).await?;
    restored?;
    Ok(())
}

async fn out_of_recovery(address: &PgAddress) -> Result<(), RehearseError> {
    let client = connect_admin(address).await?;
    until(
        "the end of the recovery",
        RECOVERY,
        Duration::from_millis(50),
        async || {
            let facts = server_facts(&client).await?;
            Ok::<_, RehearseError>(if facts.in_recovery {
                Poll::NotYet(format!("replayed to {}", facts.current_lsn))
            } else {
                Poll::Ready(())
            })
        },
    )
    .await
    .map_err(RehearseError::waited)
}
