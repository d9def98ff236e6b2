//! Whether everything that the moment sees has come out of the connector: told by what Connect and the slot say, since
//! nothing may be written to find it out.
//!
//! The stored offset and the slot's confirmed position follow acknowledgements of the broker. Beyond the moment's
//! position, nothing of the moment is on its way any more. On an idle database neither need ever go there: then the
//! stream is looked at as it is, and what is missing counts as late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cutover_clients::connect::StoredOffset;
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::moment::Moment;
use cutover_clients::pg::slots::{Slot, slot};
use cutover_clients::pg::{Client, connect_looking};
use cutover_clients::wait::{Poll, WaitError, until};
use cutover_model::{EventSink, Lsn};

use super::stream::Ends;
use super::{Observed, Subject};
use crate::error::UpgradeError;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(250);
/// A stream in which nothing moves for so long has come as far as it will by itself. Workers store offsets every
/// minute by default; what they have acknowledged by then shows in the topics at once.
const STILL: Duration = Duration::from_secs(4);

/// How far the stream came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Arrived {
    /// The stored offset is beyond the moment.
    pub offset: bool,
    /// The slot is confirmed beyond it.
    pub confirmed: bool,
    /// How far the slot is confirmed.
    pub confirmed_to: Option<Lsn>,
    /// Nothing more comes by itself, and why.
    pub ended: Option<String>,
}

impl Arrived {
    /// Everything of the moment was acknowledged by the broker.
    pub fn passed(&self) -> bool {
        self.offset || self.confirmed
    }
}

/// Waits until the stream has passed the moment, stands still, or has ended.
pub(super) async fn wait(
    subject: &Subject,
    observed: &Observed,
    kafka: &Arc<Kafka>,
    (moment, events): (&Moment, &EventSink),
) -> Result<Arrived, UpgradeError> {
    let client = connect_looking(&subject.postgres).await?;
    let mut seen: Option<(Positions, Instant)> = None;
    let mut passed_at: Option<Instant> = None;
    let mut last = Arrived::default();
    let passed = until(
        "the stream at the moment of the tables",
        subject.patience,
        EVERY,
        async || {
            let offset = subject.connect.offsets(&observed.connector).await?;
            let slot = slot(&client, &observed.slot).await?;
            let now = Positions {
                offset: offset.as_ref().and_then(StoredOffset::reached),
                confirmed: slot.as_ref().and_then(|slot| slot.confirmed_flush),
                ends: observed.ends(kafka).await?,
            };
            last = Arrived {
                offset: now.offset >= Some(moment.position),
                confirmed: now.confirmed >= Some(moment.position),
                confirmed_to: now.confirmed,
                ended: ended(observed, slot.as_ref()),
            };
            // The slot follows the offset; one that does not within that time never does.
            let since = last
                .passed()
                .then(|| *passed_at.get_or_insert_with(Instant::now));
            let long_passed = since.is_some_and(|since| since.elapsed() >= STILL);
            if last.confirmed || long_passed || last.ended.is_some() {
                return Ok(Poll::Ready(()));
            }
            let state = now.words(moment.position);
            match &seen {
                Some((before, since)) if *before == now => {
                    if since.elapsed() >= STILL {
                        return Ok(Poll::Ready(()));
                    }
                }
                _ => seen = Some((now, Instant::now())),
            }
            Ok::<_, UpgradeError>(Poll::NotYet(state))
        },
    );
    match passed.await {
        Ok(()) => {}
        Err(WaitError::Failed(error)) => return Err(error),
        Err(WaitError::TimedOut {
            seconds,
            last: state,
            ..
        }) => events.warning(format!(
            "after {seconds:.0} s the stream has not come to the moment: {state}"
        )),
    }
    if last.ended.is_none() {
        last.ended = unread(subject, observed, &client).await?;
    }
    Ok(last)
}

/// Why this may not be the server that the connector reads: it runs, and nobody reads its slot here. After a switch the
/// old server looks like that, and its tables may fit what the topics held then.
async fn unread(
    subject: &Subject,
    observed: &Observed,
    client: &Client,
) -> Result<Option<String>, UpgradeError> {
    let read = until("a reader of the slot", STILL, EVERY, async || {
        let status = subject.connect.status(&observed.connector).await?;
        let found = slot(client, &observed.slot).await?;
        let read = found.is_some_and(|slot| slot.active);
        Ok::<_, UpgradeError>(if read || !status.is_some_and(|status| status.running()) {
            Poll::Ready(())
        } else {
            Poll::NotYet("nobody reads the slot".to_owned())
        })
    });
    match read.await {
        Ok(()) => Ok(None),
        Err(WaitError::Failed(error)) => Err(error),
        Err(WaitError::TimedOut { .. }) => Ok(Some(format!(
            "it is RUNNING, and nobody reads its slot {} on this server: it reads another one, or cannot start",
            observed.slot
        ))),
    }
}

#[derive(PartialEq, Eq)]
struct Positions {
    offset: Option<Lsn>,
    confirmed: Option<Lsn>,
    ends: Ends,
}

impl Positions {
    fn words(&self, moment: Lsn) -> String {
        let text = |lsn: Option<Lsn>| lsn.map_or_else(|| "-".to_owned(), |lsn| lsn.to_string());
        format!(
            "stored offset {}, slot confirmed to {}, the moment is {moment}",
            text(self.offset),
            text(self.confirmed)
        )
    }
}

/// Why nothing more comes, if that is certain. A connector that is stopped or has failed goes on from its slot.
fn ended(observed: &Observed, slot: Option<&Slot>) -> Option<String> {
    match slot {
        None => Some(format!("its slot {} does not exist", observed.slot)),
        Some(slot) if slot.is_lost() => Some(format!(
            "its slot {} is invalidated (wal_status lost)",
            slot.name
        )),
        Some(_) => None,
    }
}
