//! Notes the state before anything is changed.

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::facts;

pub(super) async fn apply(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let facts = facts::read(cutover.primary(), &cutover.connect, &cutover.stream).await?;
    let summary = facts.summary();
    cutover.seen.offset_of = Some(facts.server.incarnation);
    cutover.seen.before = Some(facts);
    cutover.seen.connector_config = cutover.connect.config(&cutover.stream.connector).await?;
    Ok(summary)
}
