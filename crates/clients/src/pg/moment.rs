//! One moment of a database: a snapshot that is held open, with what it sees and where the log was.
//!
//! Others read from the same snapshot by its name. Whether a record of the stream belongs to the moment is told by its
//! transaction: what counts is whether the snapshot sees it, and neither positions nor clocks say that exactly, since
//! transactions become visible in another order than their COMMITs stand in the log. Changes nothing on the server.

use std::collections::BTreeSet;
use std::time::Duration;

use cutover_model::Lsn;
use tokio_postgres::Client;

use super::{PgAddress, PgError, connect_looking, parse_lsn};
use crate::wait;

/// Looks for a moment at which nobody writes, and the time between two: then positions tell as much as transactions do.
const LOOKS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(20);

/// Which transactions a snapshot sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visible {
    next: u64,
    running: BTreeSet<u64>,
}

impl Visible {
    /// Reads `xmin:xmax:xip_list`, as `pg_current_snapshot()` prints it.
    ///
    /// # Errors
    /// It is no such text.
    pub fn parse(text: &str) -> Result<Visible, PgError> {
        let mut parts = text.splitn(3, ':');
        let mut number = || parts.next().and_then(|part| part.parse().ok());
        let (oldest, next): (Option<u64>, Option<u64>) = (number(), number());
        let list = parts.next().unwrap_or_default();
        let running: Option<BTreeSet<u64>> = list
            .split(',')
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().ok())
            .collect();
        match (oldest, next, running) {
            (Some(_), Some(next), Some(running)) => Ok(Visible { next, running }),
            _ => Err(PgError::Protocol {
                what: "reading a snapshot".to_owned(),
                reason: format!("'{text}' is none"),
            }),
        }
    }

    /// Nobody had a transaction that had written.
    pub fn is_quiet(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether it sees a transaction that has committed, by the low 32 bits of its id.
    pub fn sees(&self, xid: u32) -> bool {
        let xid = self.whole(xid);
        xid < self.next && !self.running.contains(&xid)
    }

    /// Whether a transaction of these low 32 bits was under way.
    pub fn was_running(&self, xid: u32) -> bool {
        self.running.contains(&self.whole(xid))
    }

    /// Whether a transaction of these low 32 bits had not begun to write.
    pub fn is_before(&self, xid: u32) -> bool {
        self.whole(xid) >= self.next
    }

    /// The id nearest to the snapshot that has these low bits.
    fn whole(&self, xid: u32) -> u64 {
        let low = u32::try_from(self.next & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        let distance = i64::from(xid.wrapping_sub(low).cast_signed());
        self.next.saturating_add_signed(distance)
    }
}

/// What a snapshot of now sees.
///
/// # Errors
/// The server refused.
pub async fn visible_now(client: &Client) -> Result<Visible, PgError> {
    let taken = client
        .query_one("SELECT pg_current_snapshot()::text", &[])
        .await;
    Visible::parse(taken.map_err(PgError::sql("taking a snapshot"))?.get(0))
}

/// A snapshot that is held until this is dropped.
pub struct Moment {
    /// Its name, under which other sessions read from it.
    pub name: String,
    /// Whatever the snapshot sees was committed before this position.
    pub position: Lsn,
    /// What it sees.
    pub visible: Visible,
    /// Holds it.
    _session: Client,
}

impl std::fmt::Debug for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Moment({} at {})", self.name, self.position)
    }
}

// The snapshot is taken before the statement runs, so the position read by it lies behind all that is seen.
const TAKE: &str = "
SELECT pg_export_snapshot(), pg_current_snapshot()::text,
       CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0')
            ELSE pg_current_wal_insert_lsn() END::text";

/// Takes a snapshot and holds it, preferably one at which nobody writes.
///
/// # Errors
/// The server cannot be reached, or refused.
pub async fn hold(address: &PgAddress) -> Result<Moment, PgError> {
    let session = connect_looking(address).await?;
    let mut looks = 1;
    loop {
        session
            .batch_execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
                 SET LOCAL idle_in_transaction_session_timeout = 0",
            )
            .await
            .map_err(PgError::sql("opening a snapshot"))?;
        let taken = session.query_one(TAKE, &[]).await;
        let taken = taken.map_err(PgError::sql("taking a snapshot"))?;
        let visible = Visible::parse(taken.get(1))?;
        if visible.is_quiet() || looks == LOOKS {
            return Ok(Moment {
                name: taken.get(0),
                position: parse_lsn(taken.get(2))?,
                visible,
                _session: session,
            });
        }
        looks += 1;
        session
            .batch_execute("ROLLBACK")
            .await
            .map_err(PgError::sql("giving a snapshot back"))?;
        wait::pause(BETWEEN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_what_had_ended_and_nothing_later_also_where_ids_wrap() {
        let visible = Visible::parse("10:20:12,15").unwrap();
        assert!(visible.sees(9) && visible.sees(11) && visible.sees(19));
        assert!(!visible.sees(12) && !visible.sees(20) && !visible.sees(21));
        assert!(visible.was_running(15) && !visible.was_running(16) && !visible.is_quiet());
        assert!(visible.is_before(20) && !visible.is_before(19) && !visible.is_before(15));
        let wrapped = Visible::parse("4294967290:4294967300:4294967294").unwrap();
        assert!(wrapped.sees(u32::MAX) && wrapped.sees(3) && !wrapped.sees(4));
        assert!(!wrapped.sees(4_294_967_294) && wrapped.was_running(4_294_967_294));
        assert!(Visible::parse("5:5:").unwrap().is_quiet());
        for text in ["", "5", "a:b:c", "5:6:x"] {
            assert!(Visible::parse(text).is_err(), "{text}");
        }
    }
}
