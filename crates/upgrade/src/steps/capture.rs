//! Notes the state before anything is changed.

use cutover_clients::pg::connect_admin;
use cutover_clients::pg::freeze::session_limit;
use cutover_clients::pg::settings::system_setting;

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::facts;

pub(super) async fn apply(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let facts = facts::read(cutover.primary(), &cutover.connect, &cutover.stream).await?;
    let summary = facts.summary();
    // Read before anything is changed, and written down: a driver that takes over must not take our own changes for
    // what was there.
    let client = connect_admin(cutover.primary()).await?;
    cutover.seen.autovacuum = Some(system_setting(&client, "autovacuum").await?);
    cutover.seen.writer_limit = session_limit(&client, &cutover.stream.writer_role).await?;
    cutover.seen.offset_of = Some(facts.server.incarnation);
    cutover.seen.before = Some(facts);
    cutover.seen.connector_config = cutover.connect.config(&cutover.stream.connector).await?;
    Ok(summary)
}
