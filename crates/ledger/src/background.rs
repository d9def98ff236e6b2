//! Parts are encoded and made durable on a thread of their own, so that whoever appends rows goes on meanwhile.
//!
//! A few tasks wait at most while another is carried out, so memory stays bounded; whoever is faster waits. The rules
//! it protects: nothing counts as durable before it is ([`PartThread::settle`] waits for all that was handed over), and
//! no failure is lost: the thread ends with the first one, and the next call gives it.

use std::fs;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};

use arrow::array::RecordBatch;

use crate::columns::{self, Record};
use crate::error::LedgerError;
use crate::part::{self, PartFile};

/// Tasks that wait while one is carried out: the four buckets of a small ledger are full at about the same time.
const WAITING: usize = 3;

/// A part as it is to stand on disk. A longer version of one that is there replaces it.
pub(crate) struct Part {
    pub(crate) folder: PathBuf,
    pub(crate) index: u32,
    pub(crate) batches: Vec<RecordBatch>,
}

enum Task {
    Write(Vec<Part>),
    /// Answer once everything before is durable.
    Tell(SyncSender<()>),
}

/// Rows on their way to the disk; see [`crate::ChangeWriter::begin_sync`]. It is asked until it says yes, and then no
/// more.
#[derive(Debug)]
pub struct Syncing(Option<Receiver<()>>);

/// Where its tasks go, and what it says in the end.
type Running = (SyncSender<Task>, JoinHandle<Result<(), LedgerError>>);

/// The thread of one ledger. It begins with the first part.
pub(crate) struct PartThread {
    ledger: PathBuf,
    running: Option<Running>,
    failed: bool,
}

impl PartThread {
    pub(crate) fn new(ledger: &Path) -> PartThread {
        PartThread {
            ledger: ledger.to_owned(),
            running: None,
            failed: false,
        }
    }

    /// Hands parts over. An error is that of a part handed over before them.
    pub(crate) fn write<R: Record>(&mut self, parts: Vec<Part>) -> Result<(), LedgerError> {
        if parts.is_empty() {
            return Ok(());
        }
        if self.running.is_none() && !self.failed {
            let (sender, receiver) = sync_channel(WAITING);
            let thread = thread::Builder::new()
                .name("ledger-parts".to_owned())
                .spawn(move || work::<R>(&receiver));
            // The part is lost: the ledger stays incomplete, whatever comes later.
            self.failed = thread.is_err();
            let thread = thread.map_err(LedgerError::io("start a thread for", &self.ledger))?;
            self.running = Some((sender, thread));
        }
        self.send(Task::Write(parts))
    }

    /// Waits until everything that was handed over is durable.
    pub(crate) fn settle(&mut self) -> Result<(), LedgerError> {
        match self.promise()?.0 {
            Some(receiver) => receiver.recv().map_err(|_| self.failure()),
            None => Ok(()),
        }
    }

    /// To be told when everything that was handed over until now is durable.
    pub(crate) fn promise(&mut self) -> Result<Syncing, LedgerError> {
        if self.running.is_none() && !self.failed {
            return Ok(Syncing(None));
        }
        let (sender, receiver) = sync_channel(1);
        self.send(Task::Tell(sender))?;
        Ok(Syncing(Some(receiver)))
    }

    /// Whether a promise is kept by now.
    pub(crate) fn kept(&mut self, syncing: &Syncing) -> Result<bool, LedgerError> {
        match syncing.0.as_ref().map(Receiver::try_recv) {
            None | Some(Ok(())) => Ok(true),
            Some(Err(TryRecvError::Empty)) => Ok(false),
            Some(Err(TryRecvError::Disconnected)) => Err(self.failure()),
        }
    }

    fn send(&mut self, task: Task) -> Result<(), LedgerError> {
        match &self.running {
            Some((sender, _)) if sender.send(task).is_ok() => Ok(()),
            _ => Err(self.failure()),
        }
    }

    /// Why the thread has ended before its time.
    fn failure(&mut self) -> LedgerError {
        self.failed = true;
        let ended = self.running.take().map(|(sender, thread)| {
            drop(sender);
            thread.join()
        });
        match ended {
            Some(Ok(Err(error))) => error,
            Some(Ok(Ok(())) | Err(_)) => {
                LedgerError::damaged(&self.ledger, "the thread that writes it broke off")
            }
            None => LedgerError::Incomplete {
                path: self.ledger.clone(),
                reason: "an earlier part of it could not be written".to_owned(),
            },
        }
    }
}

impl Drop for PartThread {
    /// Nobody may remove the folder while the thread still writes to it.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.running.take() {
            drop(sender);
            // Without `settle`, nothing was promised about what is still on its way.
            drop(thread.join());
        }
    }
}

fn work<R: Record>(tasks: &Receiver<Task>) -> Result<(), LedgerError> {
    while let Ok(task) = tasks.recv() {
        match task {
            Task::Write(parts) => write_all::<R>(&parts)?,
            // Whoever asked may have gone.
            Task::Tell(sender) => drop(sender.send(())),
        }
    }
    Ok(())
}

/// Parts that come together (those of all buckets, at a sync) are written side by side, for whoever waits for them has
/// nothing else to do.
fn write_all<R: Record>(parts: &[Part]) -> Result<(), LedgerError> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let take = || {
        let of = |number| parts.get(number).map(write::<R>);
        while let Some(written) = of(next.fetch_add(1, Ordering::Relaxed)) {
            written?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others = cores.min(parts.len()).saturating_sub(1);
        // A thread that cannot be had leaves its parts to the others.
        let others: Vec<_> = (0..others)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, take).ok())
            .collect();
        let own = take();
        let ended = others
            .into_iter()
            .map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        ended.fold(own, Result::and)
    })
}

/// Writes the whole part and makes it durable.
fn write<R: Record>(part: &Part) -> Result<(), LedgerError> {
    let folder = &part.folder;
    if !folder.is_dir() {
        fs::create_dir_all(folder).map_err(LedgerError::io("create", folder))?;
        folder.parent().map_or(Ok(()), part::sync_folder)?;
    }
    let path = folder.join(format!("part-{:05}.parquet", part.index));
    let mut file = PartFile::create::<R>(&path, columns::schema::<R>())?;
    for batch in &part.batches {
        file.write(batch)?;
    }
    file.finish()
}

#[cfg(test)]
mod tests {
    use cutover_model::{ChangeRow, Op};

    use super::*;
    use crate::columns::Columns;

    fn part(folder: &Path) -> Part {
        let mut columns = Columns::new::<ChangeRow>();
        columns.push(&ChangeRow::new(0, "public.orders", Op::Create));
        Part {
            folder: folder.to_owned(),
            index: 0,
            batches: vec![columns.finish().unwrap()],
        }
    }

    #[test]
    fn a_part_is_durable_once_it_is_settled() {
        let scratch = tempfile::tempdir().unwrap();
        let mut thread = PartThread::new(scratch.path());
        assert!(thread.settle().is_ok(), "nothing was handed over");
        let folder = scratch.path().join("bucket=00");
        thread.write::<ChangeRow>(vec![part(&folder)]).unwrap();
        thread.settle().unwrap();
        assert!(folder.join("part-00000.parquet").is_file());
    }

    #[test]
    fn a_part_that_could_not_be_written_is_told_once_and_nothing_is_durable_afterwards() {
        let scratch = tempfile::tempdir().unwrap();
        let blocked = scratch.path().join("bucket=00");
        fs::write(&blocked, "a file where the folder should be").unwrap();
        let mut thread = PartThread::new(scratch.path());
        thread.write::<ChangeRow>(vec![part(&blocked)]).unwrap();
        let first = thread.settle().unwrap_err();
        assert!(matches!(first, LedgerError::Io { .. }), "{first:?}");
        for again in [
            thread.settle(),
            thread.write::<ChangeRow>(vec![part(&blocked)]),
        ] {
            assert!(matches!(again, Err(LedgerError::Incomplete { .. })));
        }
    }
}
