//! The attempted ledger: one row per change of each transaction, with what became of it.
//!
//! Sessions hand over whole transactions, in the order of their outcomes, to the one thread that
//! writes. The queue between them is bounded: a slow disk slows the load down instead of filling
//! memory, and a broken one ends it, since a load whose ledger has holes proves nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use cutover_ledger::{ChangeWriter, LedgerError};
use cutover_model::{ChangeRow, Outcome, Relation};
use tokio::sync::{mpsc, oneshot};

use crate::error::WorkloadError;
use crate::plan::Plan;

const TRANSACTIONS_QUEUED_MAX: usize = 1024;

/// How one transaction ended.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    /// Index of the incarnation it ran on.
    pub incarnation: i32,
    /// Writer session.
    pub session: u16,
    /// Full transaction id, if the server had told it.
    pub xid: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
    /// How an outcome unknown at COMMIT was found out.
    pub resolution: Option<String>,
}

/// Where sessions put finished transactions.
#[derive(Clone)]
pub(crate) struct AttemptsSender(mpsc::Sender<Vec<ChangeRow>>);

impl AttemptsSender {
    /// Queues the rows; false when the ledger does not take any more.
    pub async fn record(&self, rows: Vec<ChangeRow>) -> bool {
        self.0.send(rows).await.is_ok()
    }
}

/// Tells how writing ended: the number of rows, once every sender is gone.
pub(crate) struct AttemptsEnd(oneshot::Receiver<Result<u64, LedgerError>>);

impl AttemptsEnd {
    /// Waits for the last row to be durable.
    pub async fn wait(self) -> Result<u64, WorkloadError> {
        match self.0.await {
            Ok(written) => written.map_err(WorkloadError::Ledger),
            Err(_) => Err(WorkloadError::LedgerThread),
        }
    }
}

/// Starts the writing thread.
pub(crate) fn start(writer: ChangeWriter) -> Result<(AttemptsSender, AttemptsEnd), WorkloadError> {
    let (sender, receiver) = mpsc::channel(TRANSACTIONS_QUEUED_MAX);
    let (done, end) = oneshot::channel();
    std::thread::Builder::new()
        .name("attempted-ledger".to_owned())
        .spawn(move || {
            // Nobody listening means that the load was dropped; the files are complete all the
            // same.
            let _ = done.send(write_all(writer, receiver));
        })
        .map_err(WorkloadError::Thread)?;
    Ok((AttemptsSender(sender), AttemptsEnd(end)))
}

fn write_all(
    mut writer: ChangeWriter,
    mut receiver: mpsc::Receiver<Vec<ChangeRow>>,
) -> Result<u64, LedgerError> {
    while let Some(rows) = receiver.blocking_recv() {
        for row in &rows {
            writer.append(row)?;
        }
    }
    writer.finish()
}

/// The ledger rows of a transaction: its changes of captured tables. `ordinal` counts the changes
/// that a commit makes visible, as the witness does; what was taken back has none.
pub(crate) fn rows(plan: &Plan, settled: &Settled, captured: &[Relation]) -> Vec<ChangeRow> {
    let time_ms = now_ms();
    let mut ordinal = 0;
    plan.changes
        .iter()
        .filter(|change| captured.contains(&change.table.relation()))
        .map(|change| {
            let key = change.table.key(change.id);
            let relation = change.table.relation().to_string();
            let mut row = ChangeRow::new(settled.incarnation, relation, change.op);
            row.key_hash = change.table.key_hash(key.as_deref());
            row.key = key;
            row.revision = Some(change.revision);
            row.half = change.half;
            row.xid = settled.xid.map(low_half);
            row.session = Some(i32::from(settled.session));
            row.transaction = i64::try_from(plan.number).ok();
            row.time_ms = Some(time_ms);
            if change.survives {
                row.outcome = Some(settled.outcome);
                row.resolution = settled.resolution.clone();
            } else {
                row.outcome = Some(Outcome::Failed);
            }
            if row.outcome != Some(Outcome::Failed) {
                row.ordinal = Some(ordinal);
                ordinal += 1;
            }
            row
        })
        .collect()
}

/// The 32 bits that the log, and so pgoutput and Debezium, show of a transaction id.
fn low_half(xid: u64) -> i64 {
    i64::from(u32::try_from(xid & 0xFFFF_FFFF).unwrap_or(u32::MAX))
}

/// Wall clock, for people: nothing is ordered by it.
pub(crate) fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Turn;
    use crate::rows::OwnRows;
    use crate::sequence;
    use crate::tables::relations;

    fn settled(outcome: Outcome) -> Settled {
        Settled {
            incarnation: 1,
            session: 0,
            xid: Some((7 << 32) | 99),
            outcome,
            resolution: None,
        }
    }

    /// The first plan of the wanted shape.
    fn plan_of(shape: &str) -> Plan {
        let mut own = OwnRows::empty(0);
        for number in 0..10_000 {
            let turn = Turn {
                session: 0,
                number,
                attempt: 0,
            };
            let plan = sequence::plan(1, turn, &own);
            if plan.shape == shape {
                return plan;
            }
            own.apply(&plan.changes);
            own.skip_to(plan.next);
        }
        panic!("no {shape} in 10,000 transactions");
    }

    #[test]
    fn what_a_savepoint_took_back_is_failed_and_has_no_ordinal() {
        let plan = plan_of("savepoint");
        let rows = rows(&plan, &settled(Outcome::Ok), &relations());
        let outcomes: Vec<_> = rows.iter().map(|row| (row.outcome, row.ordinal)).collect();
        assert_eq!(outcomes[0], (Some(Outcome::Ok), Some(0)));
        assert_eq!(outcomes[1], (Some(Outcome::Failed), None));
        assert_eq!(outcomes[2], (Some(Outcome::Failed), None));
        assert!(rows.iter().all(|row| row.xid == Some(99)));
    }

    #[test]
    fn a_key_update_is_two_halves_and_the_old_one_carries_the_old_revision() {
        let plan = plan_of("key-update");
        let rows = rows(&plan, &settled(Outcome::Ok), &relations());
        assert_eq!((rows[0].op.letter(), rows[0].half.number()), ("d", 1));
        assert_eq!((rows[1].op.letter(), rows[1].half.number()), ("c", 2));
        assert!(rows[0].revision < rows[1].revision);
        assert_ne!(rows[0].key, rows[1].key);
    }

    #[test]
    fn an_unknown_transaction_still_knows_what_was_rolled_back_for_sure() {
        let plan = plan_of("savepoint");
        let rows = rows(&plan, &settled(Outcome::Unknown), &relations());
        assert_eq!(rows[0].outcome, Some(Outcome::Unknown));
        assert_eq!(rows[1].outcome, Some(Outcome::Failed));
    }

    #[test]
    fn changes_of_tables_that_nobody_captures_are_not_noted() {
        let plan = plan_of("key-update");
        let none = rows(&plan, &settled(Outcome::Ok), &[]);
        assert!(none.is_empty());
    }
}
