//! A connector that is stopped while the application works can stand inside events that belong together: rows of one
//! COPY that share a position, the delete and the tombstone of one row, the two halves of a changed key. The stored
//! offset names a position, not a record, so from there no version of Debezium goes on exactly (docs/anomalies.md,
//! it loses the rest or repeats a part.
//!
//! Stands behind the stop of the connector, in proven runbooks. What stands at the offset is looked up in the
//! connector's own slot, which nobody reads now; looking moves nothing. Going on from inside and stopping again was
//! tried and repeated an event by itself, so a plan that stands inside stops there. The rule it protects: the plan
//! goes on only from where the connector can go on exactly.

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::slots::peek_at;
use cutover_clients::pg::{Client, connect_admin};
use cutover_model::Lsn;

use super::connector;
use crate::cutover::Cutover;
use crate::error::UpgradeError;

/// Proves that the connector is stopped, and not inside events that share a position.
pub(super) async fn stand_between(cutover: &Cutover) -> Result<String, UpgradeError> {
    let stopped = connector::prove_stopped(cutover).await?;
    // A server that is away cannot be asked, and the connector could not go on either.
    let Ok(client) = connect_admin(cutover.reader()).await else {
        return Ok(stopped);
    };
    match look(cutover, &client).await? {
        Place::Between => Ok(stopped),
        Place::Inside(text) => Err(UpgradeError::Disproved(format!(
            "stopped {text}: no version of Debezium goes on exactly from there; stop the application and drain the \
             connector before it is stopped"
        ))),
    }
}

/// Where a stopped connector stands.
enum Place {
    Between,
    Inside(String),
}

async fn look(cutover: &Cutover, client: &Client) -> Result<Place, UpgradeError> {
    let stream = &cutover.stream;
    let offset = cutover.connect.offsets(&stream.connector).await?;
    let Some(lsn) = offset.as_ref().and_then(StoredOffset::lsn) else {
        return Ok(Place::Between);
    };
    let here = peek_at(client, &stream.slot, &stream.publication, lsn).await?;
    Ok(place(lsn, &here))
}

/// `here`: the kinds of the changes at the position, as pgoutput names them.
fn place(lsn: Lsn, here: &[u8]) -> Place {
    match here {
        // None: behind a COMMIT or at a message.
        [] | [_] => Place::Between,
        all => Place::Inside(format!("at {lsn}, which {} changes share", all.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_that_share_a_position_are_no_place_to_go_on_from() {
        let between = |here: &[u8]| matches!(place(Lsn(1), here), Place::Between);
        assert!(between(b"") && between(b"I") && between(b"U") && between(b"D"));
        assert!(!between(b"II") && !between(b"IU"));
    }
}
