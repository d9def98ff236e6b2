//! Restores: from a backup tool's archive, or a copy of the running server opened as a primary.
//!
//! A restore never brings a logical slot along, and one that stops before the end of the log leaves changes
//! behind that Kafka has already: those cannot be taken back by any runbook, only named.

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::settings::alter_system;

use super::RestoreTarget;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::{Hands, Side};

pub(super) async fn note_time(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(&cutover.old).await?;
    let row = client
        .query_one(
            "SELECT clock_timestamp()::text, pg_current_wal_lsn()::text",
            &[],
        )
        .await
        .map_err(|source| cutover_clients::pg::PgError::Sql {
            what: "reading the server's clock".into(),
            source,
        })?;
    let (moment, lsn): (String, String) = (row.get(0), row.get(1));
    cutover.seen.point_in_time = Some(moment.clone());
    Ok(format!("{moment}, at {lsn}"))
}

/// What has not been archived when a machine is lost is lost with it.
pub(super) async fn lose_archive(cutover: &Cutover) -> Result<String, UpgradeError> {
    let client = connect_admin(&cutover.old).await?;
    alter_system(&client, "archive_command", Some("/bin/false")).await?;
    Ok("no log file reaches the archive any more".into())
}

pub(super) async fn restore<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
    target: RestoreTarget,
) -> Result<String, UpgradeError> {
    let moment = cutover.seen.point_in_time.as_deref();
    let (address, said) = hands.restore_backup(target, moment).await?;
    taken_over(cutover, hands, address, said).await
}

pub(super) async fn open_copy<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
) -> Result<String, UpgradeError> {
    let (address, said) = hands.open_base_backup().await?;
    taken_over(cutover, hands, address, said).await
}

async fn taken_over<H: Hands>(
    cutover: &mut Cutover,
    hands: &mut H,
    address: cutover_clients::pg::PgAddress,
    said: String,
) -> Result<String, UpgradeError> {
    let port = address.port;
    cutover.new = Some(address);
    cutover.primary = Side::New;
    let opened = hands.open_incarnation().await?;
    Ok(format!("{said}; it answers on port {port}; {opened}"))
}
