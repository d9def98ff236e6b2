//! Client of the streaming replication protocol. Blocking: it belongs to a thread of its own.
//!
//! It never tells the server anything by itself. What has been received and what may be forgotten is said
//! through [`ReplicationStream::feedback`] by whoever knows what is durable; a keepalive that wants an answer is
//! handed up ([`Frame::Keepalive`]). The rule it protects: no confirmation beyond what is on disk.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes, BytesMut};
use cutover_model::Lsn;
use cutover_model::table::{quote_identifier, quote_literal};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio_postgres::fallible_iterator::FallibleIterator;

use super::login::{self, Welcome};
use super::wire::Wire;
use super::{PgAddress, PgError};

/// What makes a session one of replication.
const PARAMETERS: [(&str, &str); 2] = [
    ("replication", "database"),
    ("application_name", "cutover-witness"),
];
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// µs from 1970 to 2000, where PostgreSQL's clock starts.
const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;

/// What to stream and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamOptions {
    /// Logical slot with the `pgoutput` plugin.
    pub slot: String,
    /// Publication.
    pub publication: String,
    /// Where to start; a slot that is further starts at its own position.
    pub start: Lsn,
    /// Send logical decoding messages as well.
    pub messages: bool,
    /// `any` or `none`; left out on servers before 16, which send everything.
    pub origin: Option<String>,
    /// Ask for values in their types' binary form; left out on servers before 14, which send text. A type without such
    /// a form is sent as text all the same, but as a part of another one (an array of it) it ends the stream: see
    /// [`ReplicationStream::has_composed_columns`].
    pub binary: bool,
}

/// One thing that the server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A message of the output plugin.
    Data {
        /// LSN that the plugin's message belongs to.
        wal_start: Lsn,
        /// For logical streams the same as `wal_start`.
        wal_end: Lsn,
        /// The plugin's message.
        payload: Bytes,
    },
    /// Everything up to `wal_end` that concerns this stream has been sent.
    Keepalive {
        /// How far the server has read.
        wal_end: Lsn,
        /// The server waits for feedback: before a timeout, or before it shuts down.
        reply_requested: bool,
    },
    /// The server has ended the stream (it shuts down).
    End,
}

/// Whose log a replication session reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemIdentity {
    /// System identifier.
    pub system_id: u64,
    /// Timeline.
    pub timeline: u32,
    /// Flush position.
    pub position: Lsn,
}

/// A replication session.
pub struct ReplicationStream {
    wire: Wire,
    welcome: Welcome,
}

impl std::fmt::Debug for ReplicationStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplicationStream")
            .field("server_version", &self.welcome.server_version)
            .finish_non_exhaustive()
    }
}

impl ReplicationStream {
    /// Connects and logs in. Without TLS: for unix sockets and networks that are trusted.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the login.
    pub fn open(address: &PgAddress) -> Result<ReplicationStream, PgError> {
        let mut wire = Wire::connect(address)?;
        let welcome = login::login(&mut wire, address, &PARAMETERS)?;
        Ok(ReplicationStream { wire, welcome })
    }

    /// Major version of the server, as it said when the session opened; 0 if it did not say.
    pub fn server_major(&self) -> u32 {
        let version = &self.welcome.server_version;
        let digits = version.split(|c: char| !c.is_ascii_digit()).next();
        digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
    }

    /// Whose log this is: after a reconnect the address may belong to another server.
    ///
    /// # Errors
    /// The session broke, or the answer is none.
    pub fn identify(&mut self) -> Result<SystemIdentity, PgError> {
        let what = "IDENTIFY_SYSTEM";
        let row = self.query_row(what)?;
        let text = |index: usize| {
            row.get(index)
                .and_then(Option::as_deref)
                .unwrap_or_default()
        };
        let odd = |index: usize| PgError::Protocol {
            what: what.to_owned(),
            reason: format!("unexpected answer '{}'", text(index)),
        };
        Ok(SystemIdentity {
            system_id: text(0).parse().map_err(|_| odd(0))?,
            timeline: text(1).parse().map_err(|_| odd(1))?,
            position: text(2).parse().map_err(|_| odd(2))?,
        })
    }

    /// Makes a logical slot and gives its consistent point. On a standby this waits for the primary's lists of
    /// running transactions.
    ///
    /// Other than the SQL function, the command holds no snapshot while it waits. On a standby without feedback
    /// to its primary that decides: the replay would wait for the function's snapshot to go, and the function for
    /// the replay (docs/anomalies.md, A-014).
    ///
    /// # Errors
    /// The server refused, or did not finish within `patience`.
    pub fn create_slot(&mut self, name: &str, patience: Duration) -> Result<Lsn, PgError> {
        self.create(name, "", patience)
    }

    /// The same for a slot that nobody but this session can read from, and that the server removes when the session
    /// ends, however it ends.
    ///
    /// # Errors
    /// As [`ReplicationStream::create_slot`]. Whoever has written and not ended is waited for, which ends with SQLSTATE
    /// 55P03 after `patience`.
    pub fn create_temporary_slot(
        &mut self,
        name: &str,
        patience: Duration,
    ) -> Result<Lsn, PgError> {
        // The server looks at nobody's connection while it waits: only this makes it give up by itself.
        let limit = format!("SET lock_timeout = {}", patience.as_millis());
        self.query_row(&limit)?;
        self.create(name, "TEMPORARY ", patience.saturating_add(ANSWER_TIMEOUT))
    }

    fn create(&mut self, name: &str, kind: &str, patience: Duration) -> Result<Lsn, PgError> {
        if !may_name_a_slot(name) {
            return Err(PgError::Missing(format!("replication slot '{name}'")));
        }
        let nothing = if self.server_major() >= 15 {
            "(SNAPSHOT 'nothing')"
        } else {
            "NOEXPORT_SNAPSHOT"
        };
        let command =
            format!("CREATE_REPLICATION_SLOT \"{name}\" {kind}LOGICAL pgoutput {nothing}");
        let row = self.query_row_within(&command, patience)?;
        let text = row.get(1).and_then(Option::as_deref).unwrap_or_default();
        text.parse().map_err(|_| PgError::Protocol {
            what: command.clone(),
            reason: format!("unexpected answer '{text}'"),
        })
    }

    /// Whether any table of a publication has a column that is made of values of other types. The server does not look
    /// whether those have a binary form, and breaks off where one has not (SQLSTATE 42883).
    ///
    /// # Errors
    /// The session broke, or the answer is none.
    pub fn has_composed_columns(&mut self, publication: &str) -> Result<bool, PgError> {
        // By category, which a domain has from its type: arrays, composites, ranges and multiranges.
        let question = format!(
            "SELECT count(*) FROM pg_publication_tables p
               JOIN pg_namespace n ON n.nspname = p.schemaname
               JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
               JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               JOIN pg_type t ON t.oid = a.atttypid AND t.typcategory IN ('A', 'C', 'R')
              WHERE p.pubname = {}",
            quote_literal(publication)
        );
        let row = self.query_row(&question)?;
        match row.first() {
            Some(Some(count)) => Ok(count != "0"),
            _ => Err(unexpected("the columns of a publication")),
        }
    }

    /// Starts streaming. From here on only [`next`](Self::next), [`feedback`](Self::feedback) and
    /// [`close`](Self::close) make sense.
    ///
    /// # Errors
    /// The server refuses: no such slot, slot in use or invalidated, no such publication (later versions say so
    /// with the first change only).
    pub fn start(&mut self, options: &StreamOptions) -> Result<(), PgError> {
        let what = format!("starting replication from slot '{}'", options.slot);
        // The replication grammar knows no doubled quotes inside a name, and no slot has such a name.
        if !may_name_a_slot(&options.slot) {
            return Err(PgError::Missing(format!(
                "replication slot '{}'",
                options.slot
            )));
        }
        self.send_query(&start_command(options, self.server_major()), &what)?;
        loop {
            let packet = self.wire.answer(&what, ANSWER_TIMEOUT)?;
            if packet.tag == b'W' {
                return Ok(());
            }
            match login::parse(packet, &what)? {
                Message::NoticeResponse(_) | Message::ParameterStatus(_) => {}
                _ => return Err(unexpected(&what)),
            }
        }
    }

    /// The next frame; `None` when none came within `timeout`.
    ///
    /// # Errors
    /// The session broke, the server reported an error, or it sent something malformed.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Frame>, PgError> {
        let what = "streaming changes";
        loop {
            let Some(packet) = self.wire.receive(timeout)? else {
                return Ok(None);
            };
            match packet.tag {
                b'd' => return frame(packet.body()).map(Some),
                b'c' | b'C' => return Ok(Some(Frame::End)),
                _ => match login::parse(packet, what)? {
                    Message::NoticeResponse(_) | Message::ParameterStatus(_) => {}
                    _ => return Err(unexpected(what)),
                },
            }
        }
    }

    /// Tells the server what has arrived and what is durable. The server may forget everything before
    /// `flushed`, so nothing later than what is on disk may ever be said here.
    ///
    /// # Errors
    /// The session broke.
    pub fn feedback(&mut self, received: Lsn, flushed: Lsn) -> Result<(), PgError> {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let micros = i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX);
        let mut message = Vec::with_capacity(39);
        message.push(b'd');
        message.extend_from_slice(&38_u32.to_be_bytes());
        message.push(b'r');
        for lsn in [received, flushed, flushed] {
            message.extend_from_slice(&lsn.0.to_be_bytes());
        }
        message.extend_from_slice(&(micros - POSTGRES_EPOCH_US).to_be_bytes());
        message.push(0);
        self.wire.send(&message)
    }

    /// Ends the session and waits until the server has let go of it (2 s at most), so that the slot is free
    /// when this returns.
    pub fn close(mut self) {
        let mut out = BytesMut::new();
        frontend::copy_done(&mut out);
        frontend::terminate(&mut out);
        if self.wire.send(&out).is_err() {
            return;
        }
        let begun = std::time::Instant::now();
        // Whatever the server had under way is read and dropped, up to the end of the connection.
        while begun.elapsed() < CLOSE_TIMEOUT && self.wire.receive(CLOSE_TIMEOUT).is_ok() {}
    }

    fn send_query(&mut self, command: &str, what: &str) -> Result<(), PgError> {
        let mut out = BytesMut::new();
        frontend::query(command, &mut out).map_err(|error| PgError::Protocol {
            what: what.to_owned(),
            reason: error.to_string(),
        })?;
        self.wire.send(&out)
    }

    /// Runs a replication command that answers with one row.
    fn query_row(&mut self, command: &str) -> Result<Vec<Option<String>>, PgError> {
        self.query_row_within(command, ANSWER_TIMEOUT)
    }

    fn query_row_within(
        &mut self,
        command: &str,
        patience: Duration,
    ) -> Result<Vec<Option<String>>, PgError> {
        self.send_query(command, command)?;
        let mut row = Vec::new();
        loop {
            let packet = self.wire.answer(command, patience)?;
            match login::parse(packet, command)? {
                Message::DataRow(body) => {
                    let buffer = body.buffer();
                    let cells = body.ranges().map(|range| {
                        let cell = range.and_then(|range| buffer.get(range));
                        Ok(cell.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
                    });
                    row = cells.collect().map_err(|_| unexpected(command))?;
                }
                Message::RowDescription(_)
                | Message::CommandComplete(_)
                | Message::NoticeResponse(_)
                | Message::ParameterStatus(_) => {}
                Message::ReadyForQuery(_) => return Ok(row),
                _ => return Err(unexpected(command)),
            }
        }
    }
}

fn start_command(options: &StreamOptions, server_major: u32) -> String {
    let mut plugin = format!(
        "proto_version '1', publication_names {}",
        replication_literal(&quote_identifier(&options.publication))
    );
    if options.messages {
        plugin.push_str(", messages 'true'");
    }
    if let Some(origin) = options.origin.as_deref().filter(|_| server_major >= 16) {
        plugin.push_str(&format!(", origin {}", replication_literal(origin)));
    }
    if options.binary && server_major >= 14 {
        plugin.push_str(", binary 'true'");
    }
    format!(
        "START_REPLICATION SLOT \"{}\" LOGICAL {} ({plugin})",
        options.slot, options.start
    )
}

/// The letters that the server allows in slot names.
fn may_name_a_slot(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    !name.is_empty() && name.bytes().all(allowed)
}

/// String literal of the replication grammar: quotes are doubled, and a backslash is an ordinary character
/// (the grammar knows no `E''`).
fn replication_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn frame(mut body: Bytes) -> Result<Frame, PgError> {
    let short = || PgError::Protocol {
        what: "streaming changes".to_owned(),
        reason: "a replication frame that is too short or of an unknown kind".to_owned(),
    };
    match (body.first(), body.len()) {
        (Some(b'w'), 25..) => {
            body.advance(1);
            let wal_start = Lsn(body.get_u64());
            let wal_end = Lsn(body.get_u64());
            body.advance(8);
            Ok(Frame::Data {
                wal_start,
                wal_end,
                payload: body,
            })
        }
        (Some(b'k'), 18) => {
            body.advance(1);
            let wal_end = Lsn(body.get_u64());
            body.advance(8);
            Ok(Frame::Keepalive {
                wal_end,
                reply_requested: body.get_u8() != 0,
            })
        }
        _ => Err(short()),
    }
}

fn unexpected(what: &str) -> PgError {
    PgError::Protocol {
        what: what.to_owned(),
        reason: "the server answered with a message that has no place here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_stay_inside_their_quotes() {
        let options = StreamOptions {
            slot: "s".into(),
            publication: "we'ird\"\\, x".into(),
            start: Lsn(0x1_0000_00ff),
            messages: true,
            origin: Some("any".into()),
            binary: true,
        };
        assert_eq!(
            start_command(&options, 16),
            "START_REPLICATION SLOT \"s\" LOGICAL 1/FF (proto_version '1', \
             publication_names '\"we''ird\"\"\\, x\"', messages 'true', origin 'any', \
             binary 'true')"
        );
        let older = [15, 13].map(|major| start_command(&options, major));
        assert!(older[0].ends_with("messages 'true', binary 'true')"));
        assert!(older[1].ends_with("messages 'true')"));
        assert!(may_name_a_slot("slot_1"));
        assert!(
            ["", "a\"b", "A", "a b", "a;b"]
                .iter()
                .all(|name| !may_name_a_slot(name))
        );
    }

    #[test]
    fn every_truncation_of_a_frame_is_an_error() {
        let mut data = vec![b'w'];
        data.extend([0; 24]);
        let mut keepalive = vec![b'k'];
        keepalive.extend([0; 17]);
        for whole in [data, keepalive] {
            assert!(frame(Bytes::from(whole.clone())).is_ok());
            for end in 0..whole.len() {
                assert!(
                    frame(Bytes::copy_from_slice(&whole[..end])).is_err(),
                    "{end}"
                );
            }
        }
    }
}
