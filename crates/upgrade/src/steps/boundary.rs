//! A connector that is stopped while the application works can stand inside events that belong together: rows of one
//! COPY that share a position, the delete and the tombstone of one row, the two halves of a changed key. The stored
//! offset names a position, not a record, so from there no version of Debezium goes on exactly (docs/anomalies.md,
//! it loses the rest or repeats a part. A message has the position behind its record, where the next
//! record begins: if that is a change, it is taken for delivered, as one at a written offset is.
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

/// What Debezium calls changes of rows and tables (`messageType` of an offset).
const ROWS: [&str; 4] = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];

/// Proves that the connector is stopped, and not inside events that share a position. The offset that it has left is
/// the one to go back to from here on: the one that was captured at the beginning is older, and the slot may have left
/// it behind.
pub(super) async fn stand_between(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let stopped = connector::prove_stopped(cutover).await?;
    if cutover.seen.gap.is_none() {
        let left = cutover.connect.offsets(&cutover.stream.connector).await?;
        if let Some(before) = &mut cutover.seen.before {
            before.offset = left;
        }
    }
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
    let row = offset.as_ref().and_then(StoredOffset::message_type);
    let row = row.is_some_and(|kind| ROWS.contains(&kind));
    Ok(place(lsn, row, &here))
}

/// `row`: the offset is that of a change, not of a message or a COMMIT. `here`: the kinds of the changes at the
/// position, as pgoutput names them.
fn place(lsn: Lsn, row: bool, here: &[u8]) -> Place {
    match here {
        [] => Place::Between,
        [_] if row => Place::Between,
        [_] => Place::Inside(format!(
            "behind a message or a COMMIT at {lsn}, where a change begins that would be taken for delivered"
        )),
        all => Place::Inside(format!("at {lsn}, which {} changes share", all.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_that_share_a_position_are_no_place_to_go_on_from() {
        let between = |here: &[u8]| matches!(place(Lsn(1), true, here), Place::Between);
        assert!(between(b"") && between(b"I") && between(b"U") && between(b"D"));
        assert!(!between(b"II") && !between(b"IU"));
    }

    #[test]
    fn a_change_where_a_message_ends_is_not_the_message() {
        assert!(matches!(place(Lsn(1), false, b""), Place::Between));
        assert!(matches!(place(Lsn(1), false, b"I"), Place::Inside(_)));
    }
}
