//! PostgreSQL's `sslmode` and its files, for both of our clients.
//!
//! What each mode asks for is libpq's: `require` with a file of authorities looks at the certificate as `verify-ca`
//! does. The rule it protects: a mode that wants encryption never goes on without it.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{PgAddress, PgError};
use crate::tls::{Check, TlsFiles, client_config};

/// `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SslMode {
    /// In the clear. What a server on the same machine is spoken to by.
    #[default]
    Disable,
    /// As `prefer`.
    Allow,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted, whoever answers.
    Require,
    /// And signed by a trusted authority.
    VerifyCa,
    /// And of the host that was asked for.
    VerifyFull,
}

impl SslMode {
    const ALL: [(&'static str, SslMode); 6] = [
        ("disable", SslMode::Disable),
        ("allow", SslMode::Allow),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];

    /// The mode of this name.
    pub fn parse(name: &str) -> Option<SslMode> {
        let mut all = SslMode::ALL.into_iter();
        all.find(|(known, _)| *known == name).map(|(_, mode)| mode)
    }

    /// libpq's name.
    pub fn name(self) -> &'static str {
        let mut all = SslMode::ALL.into_iter();
        all.find(|(_, mode)| *mode == self)
            .map_or("disable", |(name, _)| name)
    }
}

/// How a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PgTls {
    /// `sslmode`.
    pub mode: SslMode,
    /// `sslrootcert`: authorities as PEM, or `system`.
    pub root: Option<PathBuf>,
    /// `sslcert`.
    pub certificate: Option<PathBuf>,
    /// `sslkey`.
    pub key: Option<PathBuf>,
    /// The name that the certificate must have, where the host is an address (`hostaddr`).
    pub server_name: Option<String>,
}

/// The word for the system's own authorities.
const SYSTEM: &str = "system";

impl PgTls {
    /// The library's configuration; `None` in the clear.
    pub(super) fn config(&self, address: &PgAddress) -> Result<Option<ClientConfig>, PgError> {
        let system = self
            .root
            .as_deref()
            .is_some_and(|root| root.as_os_str() == SYSTEM);
        let check = match self.mode {
            SslMode::Disable => return Ok(None),
            // Without encryption being wanted, nothing is gained by looking whom it is with.
            SslMode::Allow | SslMode::Prefer => Check::Nothing,
            SslMode::Require if self.root.is_none() => Check::Nothing,
            SslMode::Require | SslMode::VerifyCa => Check::Authority,
            SslMode::VerifyFull => Check::Host,
        };
        let files = TlsFiles {
            authorities: self.root.clone().filter(|_| !system),
            certificate: self.certificate.clone(),
            key: self.key.clone(),
        };
        let unusable = |source| PgError::Tls {
            address: address.to_string(),
            source,
        };
        client_config(&files, check).map(Some).map_err(unusable)
    }

    /// The driver's word for what happens if the server cannot encrypt.
    pub(super) fn driver_mode(&self) -> tokio_postgres::config::SslMode {
        use tokio_postgres::config::SslMode as Driver;
        match self.mode {
            SslMode::Disable => Driver::Disable,
            SslMode::Allow | SslMode::Prefer => Driver::Prefer,
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => Driver::Require,
        }
    }
}

/// An encrypted socket of our own client.
pub(super) type TlsSocket = Box<StreamOwned<ClientConnection, TcpStream>>;

/// A socket after the server was asked to encrypt.
pub(super) enum Asked {
    /// It will not, and need not.
    Clear(TcpStream),
    /// Encrypted.
    Encrypted(TlsSocket),
}

/// Asks the server to encrypt, and does so; blocks, under the timeouts of the socket.
pub(super) fn ask(
    mut socket: TcpStream,
    config: ClientConfig,
    (tls, host): (&PgTls, &str),
) -> io::Result<Asked> {
    let mut request = bytes::BytesMut::new();
    postgres_protocol::message::frontend::ssl_request(&mut request);
    socket.write_all(&request)?;
    let mut answer = [0];
    socket.read_exact(&mut answer)?;
    if answer != *b"S" {
        if tls.driver_mode() == tokio_postgres::config::SslMode::Prefer {
            return Ok(Asked::Clear(socket));
        }
        let text = format!(
            "the server does not encrypt, and sslmode={} wants it to",
            tls.mode.name()
        );
        return Err(io::Error::other(text));
    }
    let name = tls.server_name.as_deref().unwrap_or(host).to_owned();
    let name = ServerName::try_from(name).map_err(io::Error::other)?;
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let mut stream = Box::new(StreamOwned::new(connection, socket));
    while stream.conn.is_handshaking() {
        let StreamOwned { conn, sock } = &mut *stream;
        conn.complete_io(sock)?;
    }
    Ok(Asked::Encrypted(stream))
}
