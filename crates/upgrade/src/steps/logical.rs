//! Blue/green by logical replication: the new server copies the tables and follows.
//!
//! What the subscription applies is decoded again by every slot of the new server: a slot that is older than the
//! copy sends all of it a second time. So the connector's slot is made after everything was applied, and asks for
//! `origin=none` besides. Logical replication carries no sequences: they are set at the end.

use cutover_clients::pg::facts::current_lsn;
use cutover_clients::pg::publication::{count_rows, create_publication, publication_tables};
use cutover_clients::pg::slots::{drop_slot, slot};
use cutover_clients::pg::subscription::{
    Sequence, applied_through, create_subscription, end_subscription, sequences, set_sequence,
    subscribes, tables_not_ready,
};
use cutover_clients::pg::{Client, PgHost, connect_admin};
use cutover_clients::wait::{Poll, until};

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::{Hands, Side};

/// Subscription, its publication and its slot.
const NAME: &str = "cutover_green";

/// Values left unused between what a sequence gave out last and what it gives out next: a session that cached
/// values on the old server cannot have been given these.
const SEQUENCE_MARGIN: i64 = 1000;

/// From here on the new server is watched: what the subscription applies is seen as such.
pub(super) async fn copy_schema<H: Hands>(hands: &mut H) -> Result<String, UpgradeError> {
    let copied = hands.copy_schema().await?;
    let opened = hands.open_incarnation().await?;
    Ok(format!("{copied}; {opened}"))
}

/// `origin=none` is an option of the stream from PostgreSQL 16 on.
pub(super) fn filter_origin(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let option = ("slot.stream.params".to_owned(), "origin=none".to_owned());
    cutover.stream.options_on_new.push(option);
    Ok("the connector will ask for origin=none".into())
}

pub(super) async fn subscribe(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let blue = connect_admin(&cutover.old).await?;
    if publication_tables(&blue, NAME).await?.is_none() {
        create_publication(&blue, NAME, &cutover.stream.tables).await?;
    }
    let green = connect_admin(cutover.address(Side::New)?).await?;
    let mut from = cutover.old.clone();
    if let PgHost::Unix(_) = from.host {
        from.host = PgHost::Tcp("127.0.0.1".into());
    }
    if !subscribes(&green, NAME).await? {
        // A slot without subscription is what is left of one that was broken off.
        drop_slot(&blue, NAME).await?;
        create_subscription(&green, NAME, &from, NAME).await?;
    }
    let deadline = cutover.deadlines.drain;
    until(
        "the copy of every table",
        deadline,
        cutover.deadlines.poll,
        async || {
            let left = tables_not_ready(&green, NAME).await?;
            Ok::<_, UpgradeError>(if left == 0 {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("{left} tables are not ready"))
            })
        },
    )
    .await?;
    cutover.seen.subscribed = slot(&green, &cutover.stream.slot).await?.is_some();
    Ok("every table is copied and followed".into())
}

/// Writes are refused, so the end of the log stands still.
pub(super) async fn await_applied(cutover: &Cutover) -> Result<String, UpgradeError> {
    let blue = connect_admin(&cutover.old).await?;
    let end = current_lsn(&blue).await?;
    let deadline = cutover.deadlines.drain;
    until(
        "the subscription at the end of the log",
        deadline,
        cutover.deadlines.poll,
        async || {
            let applied = applied_through(&blue, NAME).await?;
            let seen = applied.map_or_else(|| "nothing".into(), |lsn| lsn.to_string());
            Ok::<_, UpgradeError>(if applied >= Some(end) {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("applied {seen} of {end}"))
            })
        },
    )
    .await?;
    Ok(format!(
        "everything up to {end} is applied on the new server"
    ))
}

pub(super) async fn end(cutover: &mut Cutover) -> Result<String, UpgradeError> {
    let blue = connect_admin(&cutover.old).await?;
    let green = connect_admin(cutover.address(Side::New)?).await?;
    end_subscription(&green, NAME).await?;
    drop_when_free(cutover, &blue).await?;
    let mut carried = 0;
    for sequence in sequences(&blue).await? {
        if let Some(value) = sequence.beyond(SEQUENCE_MARGIN) {
            set_sequence(&green, &sequence, value).await?;
            carried += 1;
        }
    }
    cutover.primary = Side::New;
    Ok(format!(
        "subscription ended, {carried} sequences carried over"
    ))
}

/// The walsender of an ended subscription needs a moment to go.
async fn drop_when_free(cutover: &Cutover, blue: &Client) -> Result<(), UpgradeError> {
    let deadline = cutover.deadlines.connector;
    until(
        "a free slot of the subscription",
        deadline,
        cutover.deadlines.poll,
        async || {
            Ok::<_, UpgradeError>(match drop_slot(blue, NAME).await {
                Ok(()) => Poll::Ready(()),
                Err(error) => Poll::NotYet(error.to_string()),
            })
        },
    )
    .await?;
    Ok(())
}

/// Both sides stand still: as many rows, and no sequence that gives out a value again.
pub(super) async fn prove_ended(cutover: &Cutover) -> Result<String, UpgradeError> {
    let blue = connect_admin(&cutover.old).await?;
    let green = connect_admin(cutover.address(Side::New)?).await?;
    let mut rows = 0;
    for table in &cutover.stream.tables {
        let (before, after) = (
            count_rows(&blue, table).await?,
            count_rows(&green, table).await?,
        );
        if before != after {
            return Err(UpgradeError::Disproved(format!(
                "{table} has {before} rows on the old server and {after} on the new one"
            )));
        }
        rows += after;
    }
    let sequences = prove_sequences(&blue, &green).await?;
    Ok(format!("{rows} rows on both sides; {sequences}"))
}

/// No value that the old server has given out is given out again (I13). Both sides stand still.
pub(super) async fn prove_sequences(blue: &Client, green: &Client) -> Result<String, UpgradeError> {
    let (old, new) = (sequences(blue).await?, sequences(green).await?);
    match behind(&old, &new) {
        Some(reason) => Err(UpgradeError::Disproved(reason)),
        None => Ok(format!("{} sequences, none is behind", old.len())),
    }
}

/// The first sequence that would give out a value again.
fn behind(old: &[Sequence], new: &[Sequence]) -> Option<String> {
    let text =
        |last: Option<i64>| last.map_or_else(|| "no value yet".into(), |last| last.to_string());
    old.iter().find_map(|old| {
        let same = |known: &&Sequence| known.schema == old.schema && known.name == old.name;
        let found = new.iter().find(same);
        if found.is_some_and(|found| found.is_past(old)) {
            return None;
        }
        let now = found.map_or_else(|| "nothing: it is not there".into(), |found| text(found.last));
        Some(format!(
            "sequence {}.{} has given out {} on the old server and stands at {now} on the new one: keys would be \
             given out again",
            old.schema,
            old.name,
            text(old.last)
        ))
    })
}

/// Takes a subscription back that was made but not used.
pub(super) async fn cancel(cutover: &Cutover) -> Result<String, UpgradeError> {
    if let Ok(address) = cutover.address(Side::New) {
        let green = connect_admin(address).await?;
        end_subscription(&green, NAME).await?;
    }
    let blue = connect_admin(&cutover.old).await?;
    drop_when_free(cutover, &blue).await?;
    blue.batch_execute("DROP PUBLICATION IF EXISTS cutover_green")
        .await
        .map_err(|source| cutover_clients::pg::PgError::Sql {
            what: "dropping the publication of the subscription".into(),
            source,
        })?;
    Ok("subscription, slot and publication dropped".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(name: &str, last: Option<i64>) -> Sequence {
        Sequence {
            schema: "public".into(),
            name: name.into(),
            last,
            descending: false,
            end: i64::MAX,
        }
    }

    /// Every way in which one value of the new side can be wrong is seen, and a right one is not.
    #[test]
    fn a_sequence_that_was_not_carried_over_is_named() {
        let old = [
            sequence("a", Some(41)),
            sequence("b", None),
            sequence("c", Some(7)),
        ];
        let carried = |a, c| vec![sequence("a", a), sequence("b", None), sequence("c", c)];
        assert_eq!(behind(&old, &carried(Some(1041), Some(1007))), None);
        assert_eq!(behind(&old, &carried(Some(41), Some(7))), None);
        for (wrong, name) in [
            (carried(Some(40), Some(7)), "public.a"),
            (carried(None, Some(7)), "public.a"),
            (carried(Some(41), Some(6)), "public.c"),
            (carried(Some(41), None), "public.c"),
        ] {
            let reason = behind(&old, &wrong).unwrap();
            assert!(reason.contains(name), "{reason}");
        }
        let gone = behind(&old, &carried(Some(41), Some(7))[..2]).unwrap();
        assert!(gone.contains("not there"), "{gone}");
    }
}
