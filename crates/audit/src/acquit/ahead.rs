//! Looks at buckets ahead of the checks, on threads of their own.
//!
//! The threads are as many at the beginning as at the end: what a thread has freed its allocator keeps for that thread,
//! so that a pool whose threads come and go holds more memory the more buckets there are.

use std::sync::Arc;
use std::thread;

use tokio::sync::mpsc::{Receiver, channel};

use super::{Acquittal, Frame, acquit};
use crate::error::AuditError;
use crate::survey::Ledgers;

/// Buckets that are looked at side by side: each takes memory for all its rows, whatever the number of cores.
const LOOKS_MAX: usize = 2;

type Look = Result<Acquittal, AuditError>;

/// The looks at all buckets, in turn.
pub(crate) struct Looks {
    threads: Vec<Receiver<Look>>,
    next: usize,
}

impl Looks {
    /// Begins to look at so many buckets.
    pub(crate) fn begin(ledgers: &Arc<Ledgers>, frame: Frame, buckets: usize) -> Looks {
        let frame = Arc::new(frame);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = cores.min(LOOKS_MAX).min(buckets);
        let start = |first: usize| {
            let (sender, receiver) = channel(1);
            let (ledgers, frame) = (Arc::clone(ledgers), Arc::clone(&frame));
            let work = move || {
                for number in (first..buckets).step_by(threads) {
                    let look = acquit(&ledgers, &frame, number);
                    // Nobody judges any more.
                    if sender.blocking_send(look).is_err() {
                        return;
                    }
                }
            };
            // Without the thread its buckets are not looked at: the checks then look at all of them.
            let named = thread::Builder::new().name(format!("acquit-{first}"));
            drop(named.spawn(work));
            receiver
        };
        Looks {
            threads: (0..threads).map(start).collect(),
            next: 0,
        }
    }

    /// The next bucket's; `None` if it was not looked at, for whatever reason.
    pub(crate) async fn next(&mut self) -> Option<Look> {
        let threads = self.threads.len().max(1);
        let thread = self.threads.get_mut(self.next % threads)?;
        self.next += 1;
        thread.recv().await
    }
}
