//! Blocking socket of our own protocol client: whole messages in, bytes out.
//!
//! Memory grows with what the server has really sent, never with what a length field claims.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};

use super::tls::{Asked, TlsSocket, ask};
use super::{PgAddress, PgError, PgHost};

/// The server cannot allocate, hence not send, more than 1 GiB in one message.
const LONGEST_MESSAGE: usize = 1 << 30;
/// A server that sends message after message wakes its reader for each one, which costs both more than the messages
/// themselves. A reader that is faster lets so much time pass that several come together.
const TRICKLE: Duration = Duration::from_micros(100);
/// A read that brings less was of few messages.
const TRICKLE_BYTES: usize = 8 * 1024;
const READ_SIZE: usize = 256 * 1024;
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

enum Socket {
    Tcp(TcpStream),
    Tls(TlsSocket),
    Unix(UnixStream),
}

impl Socket {
    fn set_read_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.set_read_timeout(Some(timeout)),
            Socket::Tls(socket) => socket.sock.set_read_timeout(Some(timeout)),
            Socket::Unix(socket) => socket.set_read_timeout(Some(timeout)),
        }
    }

    fn set_write_timeout(&self, timeout: Duration) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.set_write_timeout(Some(timeout)),
            Socket::Tls(socket) => socket.sock.set_write_timeout(Some(timeout)),
            Socket::Unix(socket) => socket.set_write_timeout(Some(timeout)),
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.read(into),
            Socket::Tls(socket) => socket.read(into),
            Socket::Unix(socket) => socket.read(into),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Socket::Tcp(socket) => socket.write_all(bytes),
            Socket::Tls(socket) => socket.write_all(bytes).and_then(|()| socket.flush()),
            Socket::Unix(socket) => socket.write_all(bytes),
        }
    }
}

/// One message of the server: its type and the whole of it, header included.
pub(super) struct Packet {
    /// Message type.
    pub tag: u8,
    /// Header (5 bytes) and body.
    pub whole: BytesMut,
}

impl Packet {
    /// The body alone.
    pub(super) fn body(self) -> Bytes {
        self.whole.freeze().slice(5..)
    }
}

/// A connection that speaks in messages.
pub(super) struct Wire {
    socket: Socket,
    scratch: Box<[u8]>,
    /// The last read brought little: we are faster than the server.
    trickles: bool,
    input: BytesMut,
    timeout: Duration,
}

impl Wire {
    pub(super) fn connect(address: &PgAddress) -> Result<Wire, PgError> {
        let broken = |source| PgError::Io {
            what: format!("cannot connect to PostgreSQL at {address}"),
            source,
        };
        let socket = match &address.host {
            PgHost::Tcp(host) => {
                let encrypted = address.tls.config(address)?;
                let socket = tcp(host, address.port).map_err(broken)?;
                socket
                    .set_write_timeout(Some(WRITE_TIMEOUT))
                    .map_err(broken)?;
                socket
                    .set_read_timeout(Some(CONNECT_TIMEOUT))
                    .map_err(broken)?;
                match encrypted {
                    None => Socket::Tcp(socket),
                    Some(config) => {
                        match ask(socket, config, (&address.tls, host)).map_err(broken)? {
                            Asked::Clear(socket) => Socket::Tcp(socket),
                            Asked::Encrypted(socket) => Socket::Tls(socket),
                        }
                    }
                }
            }
            PgHost::Unix(_) => {
                let path = address.socket().unwrap_or_default();
                Socket::Unix(UnixStream::connect(path).map_err(broken)?)
            }
        };
        socket.set_write_timeout(WRITE_TIMEOUT).map_err(broken)?;
        Ok(Wire {
            socket,
            scratch: vec![0; READ_SIZE].into_boxed_slice(),
            trickles: false,
            input: BytesMut::with_capacity(2 * READ_SIZE),
            timeout: Duration::ZERO,
        })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), PgError> {
        self.socket.write_all(bytes).map_err(|source| PgError::Io {
            what: "writing to PostgreSQL".to_owned(),
            source,
        })
    }

    /// The next message; `None` when none was complete within `timeout`.
    ///
    /// A message that arrives in pieces may take twice as long: setting the socket's timeout anew for each message
    /// costs as much as reading it.
    pub(super) fn receive(&mut self, timeout: Duration) -> Result<Option<Packet>, PgError> {
        if let Some(packet) = self.take_packet()? {
            return Ok(Some(packet));
        }
        // A socket takes no timeout of zero; a look without waiting is one of a millisecond.
        let wait = timeout.max(Duration::from_millis(1));
        let begun = Instant::now();
        loop {
            if self.trickles {
                std::thread::park_timeout(TRICKLE);
            }
            let came = self.fill(wait)?;
            if let Some(packet) = self.take_packet()? {
                return Ok(Some(packet));
            }
            if !came || begun.elapsed() >= timeout {
                return Ok(None);
            }
        }
    }

    /// The next message of a dialogue in which the server owes an answer.
    pub(super) fn answer(&mut self, what: &str, timeout: Duration) -> Result<Packet, PgError> {
        self.receive(timeout)?.ok_or_else(|| silent(what))
    }

    /// Type and length, header included, of the next message of an answer that the server owes. The message stays
    /// where it is: [`Wire::peeked`] shows it and [`Wire::discard`] drops it, so a row that is only looked at is
    /// never copied.
    pub(super) fn peek(&mut self, what: &str, timeout: Duration) -> Result<(u8, usize), PgError> {
        loop {
            if let Some(found) = self.whole_message()? {
                return Ok(found);
            }
            // Whatever arrives begins the time anew: a long answer is no silence.
            if !self.fill(timeout)? {
                return Err(silent(what));
            }
        }
    }

    /// The first `length` bytes of what has been received.
    pub(super) fn peeked(&self, length: usize) -> &[u8] {
        self.input.get(..length).unwrap_or_default()
    }

    /// Drops the first `length` bytes of what has been received.
    pub(super) fn discard(&mut self, length: usize) {
        self.input.advance(length.min(self.input.len()));
    }

    fn take_packet(&mut self) -> Result<Option<Packet>, PgError> {
        let found = self.whole_message()?;
        Ok(found.map(|(tag, length)| Packet {
            tag,
            whole: self.input.split_to(length),
        }))
    }

    /// Type and length of the next message if all of it is here.
    fn whole_message(&self) -> Result<Option<(u8, usize)>, PgError> {
        let Some((tag, length)) = header(&self.input) else {
            return Ok(None);
        };
        if !(4..=LONGEST_MESSAGE).contains(&length) {
            return Err(PgError::Protocol {
                what: "reading from PostgreSQL".to_owned(),
                reason: format!("a message of {length} bytes"),
            });
        }
        Ok((self.input.len() > length).then_some((tag, length + 1)))
    }

    /// Reads once; false when nothing came in time.
    fn fill(&mut self, timeout: Duration) -> Result<bool, PgError> {
        let broken = |source| PgError::Io {
            what: "reading from PostgreSQL".to_owned(),
            source,
        };
        if self.timeout != timeout {
            self.socket.set_read_timeout(timeout).map_err(broken)?;
            self.timeout = timeout;
        }
        let read = loop {
            match self.socket.read(&mut self.scratch) {
                // A signal came, and that says nothing of the server.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        match read {
            Ok(0) => Err(broken(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the server closed the connection",
            ))),
            Ok(count) => {
                self.trickles = count < TRICKLE_BYTES;
                self.input
                    .extend_from_slice(self.scratch.get(..count).unwrap_or_default());
                Ok(true)
            }
            Err(error) if waited(&error) => {
                self.trickles = false;
                Ok(false)
            }
            Err(error) => Err(broken(error)),
        }
    }
}

fn silent(what: &str) -> PgError {
    PgError::Io {
        what: what.to_owned(),
        source: io::Error::new(io::ErrorKind::TimedOut, "the server did not answer in time"),
    }
}

fn header(input: &[u8]) -> Option<(u8, usize)> {
    let (tag, rest) = input.split_first()?;
    let length: [u8; 4] = rest.get(..4)?.try_into().ok()?;
    Some((*tag, u32::from_be_bytes(length) as usize))
}

fn waited(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(socket) => {
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
