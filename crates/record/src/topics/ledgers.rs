//! Where the workers' rows go.
//!
//! Each worker appends its own rows: handed to another thread, they would cost more to free than to append. The rule it
//! protects: after a row could not be appended nobody appends any more, and the reason is told once, by who met it.

use std::sync::{Mutex, PoisonError};

use cutover_ledger::{ChangeWriter, LedgerError, TransactionWriter};
use cutover_model::{ChangeRow, TransactionRow};

use super::worker::Halt;

type Writers<'a> = (&'a mut ChangeWriter, Option<&'a mut TransactionWriter>);

/// The writers, until one of them fails.
pub(super) struct Ledgers<'a>(Mutex<Option<Writers<'a>>>);

impl<'a> Ledgers<'a> {
    pub(super) fn new(
        changes: &'a mut ChangeWriter,
        transactions: Option<&'a mut TransactionWriter>,
    ) -> Ledgers<'a> {
        Ledgers(Mutex::new(Some((changes, transactions))))
    }

    pub(super) fn changes(&self, rows: &[Box<ChangeRow>]) -> Result<(), Halt> {
        self.append(|(changes, _)| rows.iter().try_for_each(|row| changes.append(row)))
    }

    pub(super) fn transactions(&self, rows: &[TransactionRow]) -> Result<(), Halt> {
        self.append(|(_, transactions)| match transactions {
            Some(writer) => rows.iter().try_for_each(|row| writer.append(row)),
            None => Ok(()),
        })
    }

    fn append(
        &self,
        append: impl FnOnce(&mut Writers<'a>) -> Result<(), LedgerError>,
    ) -> Result<(), Halt> {
        // Whoever broke off while it held the lock makes the whole recording fail.
        let mut writers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let appended = append(writers.as_mut().ok_or(Halt::Stopped)?);
        if appended.is_err() {
            *writers = None;
        }
        Ok(appended?)
    }
}
