//! The witness thread: streams, keeps the ledger durable, confirms, reconnects.
//!
//! Three positions, each never ahead of the one before: `received` (arrived), `position` (every transaction that
//! committed before it is appended to the ledger), `durable` (the ledger was synced at that point). Only `durable`
//! is confirmed as flushed. A keepalive's `wal_end` counts as position only between transactions: the server has
//! then sent every commit before it, and inside one the commit under way lies before it but is not written yet.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cutover_clients::pg::PgError;
use cutover_clients::pg::replication::{Frame, ReplicationStream, StreamOptions, SystemIdentity};
use cutover_ledger::{ChangeWriter, Syncing};
use cutover_model::{Classified, Lsn, Op, Permanence};

use super::assembly::{Assembly, Step};
use super::state::Shared;
use super::tracked::all_binary;
use super::{WitnessConfig, WitnessEnd};
use crate::RecordError;

/// A look for a stop request at least this often.
const TICK: Duration = Duration::from_millis(100);
const SYNC_EVERY: Duration = Duration::from_secs(1);
const RECONNECT_EVERY: Duration = Duration::from_millis(100);
/// How long a stop waits for the end of the transaction under way.
const GRACE: Duration = Duration::from_secs(30);

pub(super) struct Reader {
    config: WitnessConfig,
    /// The slot is gone with the session that made it.
    temporary: bool,
    writer: Arc<Mutex<ChangeWriter>>,
    shared: Arc<Shared>,
    assembly: Assembly,
    identity: SystemIdentity,
    /// Values are asked for in binary form.
    binary: bool,
    received: Lsn,
    position: Lsn,
    durable: Lsn,
    unsynced: bool,
    synced_at: Instant,
    /// What is on its way to the disk, and the position at which that will be durable.
    syncing: Option<(Lsn, Syncing)>,
    stop_seen: Option<Instant>,
}

impl Reader {
    /// Starts the first stream, so that whoever starts a witness learns at once when it cannot work.
    pub(super) fn attach(
        mut stream: ReplicationStream,
        config: WitnessConfig,
        temporary: bool,
        writer: Arc<Mutex<ChangeWriter>>,
        shared: Arc<Shared>,
    ) -> Result<(Reader, ReplicationStream), RecordError> {
        let identity = stream.identify()?;
        let binary =
            all_binary(&config.shapes) && !stream.has_composed_columns(&config.publication)?;
        stream.start(&options(&config, Lsn::INVALID, binary))?;
        shared.update(|status| status.connected = true);
        let assembly = Assembly::new(config.incarnation, &config.shapes, &config.marker_prefix);
        let reader = Reader {
            config,
            temporary,
            writer,
            shared,
            assembly,
            identity,
            binary,
            received: Lsn::INVALID,
            position: Lsn::INVALID,
            durable: Lsn::INVALID,
            unsynced: false,
            synced_at: Instant::now(),
            syncing: None,
            stop_seen: None,
        };
        Ok((reader, stream))
    }

    pub(super) fn run(mut self, first: ReplicationStream) -> Result<WitnessEnd, RecordError> {
        let result = self.follow(first);
        self.shared.update(|status| {
            status.connected = false;
            if let Err(error) = &result {
                status.error = Some(error.to_string());
            }
        });
        result
    }

    fn follow(&mut self, first: ReplicationStream) -> Result<WitnessEnd, RecordError> {
        let mut next = Some(first);
        loop {
            let ended = match next.take().map_or_else(|| self.reconnect(), Ok) {
                Ok(stream) => self.stream(stream),
                Err(error) => Err(error),
            };
            match ended {
                Ok(()) => return self.end(),
                Err(error) if error.permanence() == Permanence::Definite => return Err(error),
                Err(error) if self.temporary => {
                    return Err(RecordError::Witness(format!(
                        "its connection was lost, and its temporary slot with it: {error}"
                    )));
                }
                Err(error) => self.shared.update(|status| {
                    status.connected = false;
                    status.waiting = Some(error.to_string());
                }),
            }
            if self.shared.wait_for_stop(RECONNECT_EVERY) {
                self.sync()?;
                return self.end();
            }
        }
    }

    fn end(&self) -> Result<WitnessEnd, RecordError> {
        if self.assembly.half_written() {
            return Err(RecordError::Witness(
                "stopped with half of a transaction in the ledger; the server went away or did not \
                 send the rest in time"
                    .to_owned(),
            ));
        }
        Ok(WitnessEnd {
            through: self.durable,
            changes: self.assembly.changes(),
            out_of_scope: self.assembly.out_of_scope(),
            notes: self.assembly.notes().clone(),
            alterations: self.assembly.alterations().clone(),
        })
    }

    fn reconnect(&mut self) -> Result<ReplicationStream, RecordError> {
        let mut stream = ReplicationStream::open(&self.config.address)?;
        let now = stream.identify()?;
        let was = self.identity;
        if (now.system_id, now.timeline) != (was.system_id, was.timeline) {
            return Err(RecordError::Witness(format!(
                "{} is another incarnation now (system {} timeline {}, before: system {} timeline {})",
                self.config.address, now.system_id, now.timeline, was.system_id, was.timeline
            )));
        }
        self.assembly.restart();
        stream.start(&options(&self.config, self.durable, self.binary))?;
        self.shared.update(|status| {
            status.connected = true;
            status.waiting = None;
        });
        Ok(stream)
    }

    /// Reads until a stop is requested (`Ok`) or the stream breaks.
    fn stream(&mut self, mut stream: ReplicationStream) -> Result<(), RecordError> {
        loop {
            if self.may_stop() {
                self.confirm(&mut stream)?;
                stream.close();
                return Ok(());
            }
            match stream.next(TICK)? {
                Some(Frame::Data {
                    wal_start, payload, ..
                }) => {
                    let awaited = self.take(wal_start, &payload)?;
                    if awaited {
                        self.confirm(&mut stream)?;
                    }
                }
                Some(Frame::Keepalive {
                    wal_end,
                    reply_requested,
                }) => {
                    self.received = self.received.max(wal_end);
                    if !self.assembly.inside() {
                        self.position = self.position.max(wal_end);
                    }
                    self.publish();
                    if reply_requested {
                        self.confirm(&mut stream)?;
                    }
                }
                Some(Frame::End) => return Err(ended()),
                None => {}
            }
            if self.synced_meanwhile()? {
                stream.feedback(self.received.max(self.durable), self.durable)?;
            }
        }
    }

    fn may_stop(&mut self) -> bool {
        if !self.shared.stopping() {
            return false;
        }
        let since = *self.stop_seen.get_or_insert_with(Instant::now);
        !self.assembly.inside() || since.elapsed() > GRACE
    }

    /// Takes one message of the plugin; true when somebody waits for it to be confirmed (a marker).
    fn take(&mut self, lsn: Lsn, payload: &[u8]) -> Result<bool, RecordError> {
        let before = self.assembly.changes();
        let step = {
            let mut writer = self.writer.lock().map_err(|_| broken_ledger())?;
            let shared = &self.shared;
            self.assembly.take(lsn, payload, &mut |row| {
                // A change that only carries over what another server did comes into no topic.
                if let (Some(commit), None) = (row.commit_lsn.and_then(Lsn::from_i64), &row.origin)
                {
                    let tombstone = u32::from(row.op == Op::Delete && row.key.is_some());
                    shared.count(commit, 1 + tombstone);
                    shared.place(lsn, commit);
                }
                writer.append(row)
            })?
        };
        self.unsynced |= self.assembly.changes() > before;
        self.received = self.received.max(lsn);
        let mut awaited = false;
        match step {
            Step::Within => {}
            Step::Committed { end } => self.position = self.position.max(end),
            Step::Marker { token, lsn } => {
                self.position = self.position.max(lsn);
                self.shared.add_marker(token, lsn);
                awaited = true;
            }
        }
        self.publish();
        Ok(awaited)
    }

    fn publish(&self) {
        let (received, durable) = (self.received.max(self.position), self.durable);
        let changes = self.assembly.changes();
        self.shared.update(|status| {
            status.received = received;
            status.durable = durable;
            status.changes = changes;
        });
    }

    /// Makes the ledger durable now and then without waiting for it, since the server waits for whoever does not read.
    /// True when `durable` has moved.
    fn synced_meanwhile(&mut self) -> Result<bool, RecordError> {
        if let Some((position, syncing)) = &self.syncing {
            let position = *position;
            let mut writer = self.writer.lock().map_err(|_| broken_ledger())?;
            if !writer.is_synced(syncing)? {
                return Ok(false);
            }
            drop(writer);
            self.syncing = None;
            self.durable = self.durable.max(position);
            self.publish();
            return Ok(true);
        }
        if self.synced_at.elapsed() < SYNC_EVERY || self.position <= self.durable {
            return Ok(false);
        }
        let begun = self
            .writer
            .lock()
            .map_err(|_| broken_ledger())?
            .begin_sync()?;
        self.unsynced = false;
        self.synced_at = Instant::now();
        self.syncing = Some((self.position, begun));
        Ok(false)
    }

    /// Makes the ledger durable up to `position`; only then does `durable` move.
    fn sync(&mut self) -> Result<(), RecordError> {
        if self.unsynced || self.syncing.is_some() {
            self.writer.lock().map_err(|_| broken_ledger())?.sync()?;
            self.unsynced = false;
            self.syncing = None;
        }
        self.durable = self.position;
        self.synced_at = Instant::now();
        self.publish();
        Ok(())
    }

    fn confirm(&mut self, stream: &mut ReplicationStream) -> Result<(), RecordError> {
        self.sync()?;
        stream.feedback(self.received.max(self.durable), self.durable)?;
        Ok(())
    }
}

fn options(config: &WitnessConfig, start: Lsn, binary: bool) -> StreamOptions {
    StreamOptions {
        slot: config.slot.clone(),
        publication: config.publication.clone(),
        start,
        messages: true,
        origin: Some("any".to_owned()),
        binary,
    }
}

fn ended() -> RecordError {
    RecordError::Pg(PgError::Io {
        what: "streaming changes".to_owned(),
        source: io::Error::new(io::ErrorKind::UnexpectedEof, "the server ended the stream"),
    })
}

fn broken_ledger() -> RecordError {
    RecordError::Thread("another writer of the ledger broke off".to_owned())
}
