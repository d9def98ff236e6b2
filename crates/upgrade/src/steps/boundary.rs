//! A connector that is stopped while the application works can stand inside events that belong together: rows of one
//! COPY that share a position, the delete and the tombstone of one row, the two halves of a changed key. The stored
//! offset names a position, not a record, so from there no version of Debezium goes on exactly (docs/anomalies.md,
//! it loses the rest or repeats a part.
//!
//! Stands behind the stop of the connector, in proven runbooks. What stands at the offset is looked up in the
//! connector's own slot, which nobody reads now; looking moves nothing. If it is not a place between two events, the
//! connector goes on for a moment and is stopped again. The rule it protects: the plan leaves a stopped connector
//! only where it can go on exactly.

use cutover_clients::connect::StoredOffset;
use cutover_clients::pg::slots::peek_at;
use cutover_clients::pg::{Client, connect_admin};
use cutover_model::Lsn;

use super::connector;
use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::fence::MarkerWatch;

/// How often the connector is stopped before the plan gives up.
const TRIES: u32 = 40;

/// Proves that the stopped connector stands between two events; lets it go on and stops it again until it does.
pub(super) async fn stand_between(cutover: &Cutover) -> Result<String, UpgradeError> {
    let stopped = connector::prove_stopped(cutover).await?;
    let mut last = String::new();
    for again in 0..TRIES {
        // A server that is away cannot be asked, and the connector could not go on either.
        let Ok(client) = connect_admin(cutover.reader()).await else {
            return Ok(stopped);
        };
        match look(cutover, &client).await? {
            Place::Between if again == 0 => return Ok(stopped),
            Place::Between => {
                return Ok(format!(
                    "{stopped}, at the {} try between two events",
                    ordinal(again + 1)
                ));
            }
            Place::Inside(text) => last = text,
        }
        connector::resume(cutover).await?;
        connector::prove_running(cutover).await?;
        let mut watch = MarkerWatch::send(cutover).await?;
        watch.arrive(cutover, cutover.deadlines.drain).await?;
        connector::stop(cutover).await?;
        connector::prove_stopped(cutover).await?;
    }
    Err(UpgradeError::Disproved(format!(
        "stopped {TRIES} times, and each time inside events of one position (at last: {last}); stop the application \
         before the connector"
    )))
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
        // None: behind a COMMIT or at a message. One insert: one record.
        [] | [b'I'] => Place::Between,
        [one] => Place::Inside(format!(
            "at {lsn}, where a change of kind {} may be several records",
            char::from(*one)
        )),
        all => Place::Inside(format!("at {lsn}, which {} changes share", all.len())),
    }
}

fn ordinal(number: u32) -> String {
    match number {
        2 => "2nd".into(),
        3 => "3rd".into(),
        other => format!("{other}th"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_insert_alone_or_no_change_at_all_is_between_two_events() {
        let between = |here: &[u8]| matches!(place(Lsn(1), here), Place::Between);
        assert!(between(b"") && between(b"I"));
        for inside in [&b"II"[..], b"U", b"D", b"T", b"IU"] {
            assert!(!between(inside), "{inside:?}");
        }
    }
}
