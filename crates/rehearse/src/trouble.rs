//! What happens to a server that nobody planned: settings it has, things done to it before the stream begins, and
//! things that happen right after a step of the runbook, before that step is proven.
//!
//! A scenario names them in its file, so that whoever reads the scenario sees what the runbook is up against.

use std::collections::BTreeMap;
use std::time::Duration;

use cutover_clients::pg::facts::current_lsn;
use cutover_clients::pg::recovery::log_snapshot;
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{Client, PgAddress, PgError, connect_admin};
use cutover_clients::wait::{Poll, pause, until};
use cutover_upgrade::{Side, UpgradeError};
use serde::Deserialize;

use crate::lab_hands::LabHands;
use crate::world::WITNESS_SLOT;

/// How long the witness may need to let go of the log that it has read.
const LETS_GO: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Log that is written before the witness is waited for, in MiB.
const PIECE_MIB: u32 = 4;

/// The old server of a scenario, as far as it is not the lab's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerPlan {
    /// Settings on top of the lab's own.
    pub settings: BTreeMap<String, String>,
    /// Statements of an administrator before the stream begins, each run alone.
    pub sql: Vec<String>,
    /// The PostgreSQL part whose pgBackRest keeps the archive; the lab's newest without it.
    pub pgbackrest_of: Option<String>,
}

/// Something that happens in the middle.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// Name of the step of the runbook after which it happens, once.
    pub after: String,
    /// On which side.
    #[serde(default = "old")]
    pub on: Side,
    /// Statements of an administrator, each run alone.
    #[serde(default)]
    pub sql: Vec<String>,
    /// Log that is written, in MiB, followed by a checkpoint. No table changes.
    #[serde(default)]
    pub log_mib: u32,
    /// A statement of an administrator in a transaction that is left open.
    #[serde(default)]
    pub open: Option<String>,
    /// The open transaction commits after so many seconds; without, it is rolled back at the end.
    #[serde(default)]
    pub commits_after_seconds: Option<f64>,
}

fn old() -> Side {
    Side::Old
}

/// Runs each statement alone: some cannot be part of a transaction.
pub(super) async fn run_each(client: &Client, statements: &[String]) -> Result<(), PgError> {
    for statement in statements {
        client
            .batch_execute(statement)
            .await
            .map_err(|source| PgError::Sql {
                what: format!("running '{statement}' of the scenario"),
                source,
            })?;
    }
    Ok(())
}

impl LabHands {
    /// Whatever the scenario has in store for this moment.
    pub(super) async fn troubles_after(&mut self, step: &str) -> Result<(), UpgradeError> {
        while let Some(place) = self
            .troubles
            .iter()
            .position(|trouble| trouble.after == step)
        {
            let trouble = self.troubles.remove(place);
            let address = self.servers.admin_address(trouble.on);
            let address =
                address.map_err(|error| UpgradeError::hands("the scenario's trouble", error))?;
            let client = connect_admin(&address).await?;
            run_each(&client, &trouble.sql).await?;
            if trouble.log_mib > 0 {
                self.log_grows(&client, trouble.log_mib).await?;
            }
            if let Some(statement) = &trouble.open {
                let held = hold_open(&address, statement, trouble.commits_after_seconds).await?;
                self.held_open.push(held);
            }
        }
        Ok(())
    }

    /// The witness has a slot of its own on the same server, and must not be what the growing log takes away.
    async fn log_grows(&self, client: &Client, mebibytes: u32) -> Result<(), UpgradeError> {
        let failed = |source| PgError::Sql {
            what: "letting the log grow".into(),
            source,
        };
        for piece in 0..mebibytes.div_ceil(PIECE_MIB) {
            let left = PIECE_MIB.min(mebibytes - piece * PIECE_MIB);
            let text = format!(
                "SELECT pg_logical_emit_message(false, 'age', repeat('x', 1048576)) FROM generate_series(1, {left})"
            );
            let begun = current_lsn(client).await?;
            client.batch_execute(&text).await.map_err(failed)?;
            until(
                "the witness letting go of the log",
                LETS_GO,
                LOOK,
                async || {
                    log_snapshot(client).await?;
                    let found = slot(client, WITNESS_SLOT).await?;
                    let at = found.and_then(|slot| slot.restart_lsn);
                    Ok::<_, UpgradeError>(if at >= Some(begun) {
                        Poll::Ready(())
                    } else {
                        Poll::NotYet(format!("it holds the log from {at:?}"))
                    })
                },
            )
            .await?;
        }
        client.batch_execute("CHECKPOINT").await.map_err(failed)?;
        Ok(())
    }
}

/// A session with an open transaction. Dropping the task's handle leaves it alone; the server's end ends it.
async fn hold_open(
    address: &PgAddress,
    statement: &str,
    commits_after: Option<f64>,
) -> Result<tokio::task::JoinHandle<()>, UpgradeError> {
    let client = connect_admin(address).await?;
    let script = format!("BEGIN; {statement}");
    run_each(&client, &[script]).await?;
    Ok(tokio::spawn(async move {
        match commits_after {
            Some(seconds) => {
                pause(Duration::from_secs_f64(seconds)).await;
                // A server that is gone by then has rolled it back.
                let _ = client.batch_execute("COMMIT").await;
            }
            None => {
                std::future::pending::<()>().await;
                drop(client);
            }
        }
    }))
}
