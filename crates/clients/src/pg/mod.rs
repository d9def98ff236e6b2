//! PostgreSQL: SQL sessions, and what cutover asks of a server one thing at a time.
//!
//! SQL goes through `tokio-postgres`; the replication protocol is ours ([`replication`], [`pgoutput`]), since
//! when the server may forget a change is the one thing that must not be left to a library.
//! Every session fixes `TimeZone`, `DateStyle` and friends, because the text of a value depends on them.

pub mod address;
pub mod collations;
mod composition;
pub mod copy;
mod cursor;
mod error;
pub mod facts;
pub mod freeze;
pub mod hold;
pub mod inventory;
pub mod libpq;
mod login;
pub mod marker;
pub mod moment;
pub mod passfile;
pub mod pending;
pub mod pgoutput;
pub mod publication;
pub mod publication_details;
pub mod recovery;
pub mod replication;
pub mod role;
pub mod settings;
pub mod slot_details;
pub mod slots;
pub mod subscription;
mod tls;
mod wire;

use std::time::Duration;

pub use tokio_postgres::Client;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::wait;

pub use address::{PgAddress, PgHost};
pub use error::PgError;
pub use tls::{PgTls, SslMode};

/// Settings that the text form of values depends on; the same for SQL and replication sessions.
pub const SESSION_SETTINGS: [(&str, &str); 6] = [
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "1"),
    ("lc_monetary", "C"),
];

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From the first packet to a session. Something that takes the connection and then says nothing (a firewall, a proxy
/// whose server is gone) would otherwise be waited for without end: the driver bounds the first packet only.
const SESSION_TIMEOUT: Duration = Duration::from_secs(20);
/// A peer that vanishes in the middle of a session is noticed after about a minute of silence.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(10);
const KEEPALIVES: u32 = 3;

/// Opens a session. It obeys a freeze of the database: to act while writes are frozen, use [`connect_admin`].
///
/// # Errors
/// [`PgError::Connect`] when no session could be opened.
pub async fn connect(address: &PgAddress, application: &str) -> Result<Client, PgError> {
    open(address, application, &[]).await
}

/// Opens a session that may write although the database's default says read only.
///
/// # Errors
/// [`PgError::Connect`] when no session could be opened.
pub async fn connect_admin(address: &PgAddress) -> Result<Client, PgError> {
    open(
        address,
        "cutover-admin",
        &[("default_transaction_read_only", "off")],
    )
    .await
}

/// Opens a session that can only look, and gives up on a statement or a lock that takes long.
///
/// # Errors
/// [`PgError::Connect`] when no session could be opened.
pub async fn connect_looking(address: &PgAddress) -> Result<Client, PgError> {
    let settings = [
        ("default_transaction_read_only", "on"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
    ];
    open(address, "cutover-look", &settings).await
}

async fn open(
    address: &PgAddress,
    application: &str,
    settings: &[(&str, &str)],
) -> Result<Client, PgError> {
    let mut config = Config::new();
    match (&address.host, &address.tls.server_name) {
        (PgHost::Tcp(host), Some(name)) => match host.parse() {
            Ok(place) => config.host(name).hostaddr(place),
            Err(_) => config.host(host),
        },
        (PgHost::Tcp(host), None) => config.host(host),
        (PgHost::Unix(folder), _) => config.host_path(folder),
    };
    let options: Vec<String> = SESSION_SETTINGS
        .iter()
        .chain(settings)
        .map(|(name, value)| format!("-c {name}={value}"))
        .collect();
    config
        .port(address.port)
        .user(&address.user)
        .dbname(&address.database)
        .application_name(application)
        .options(options.join(" "))
        .connect_timeout(CONNECT_TIMEOUT)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE_EVERY)
        .keepalives_retries(KEEPALIVES)
        .tcp_user_timeout(KEEPALIVE + KEEPALIVE_EVERY * KEEPALIVES);
    if !address.password.is_empty() {
        config.password(address.password.reveal());
    }
    match wait::within(SESSION_TIMEOUT, session(&mut config, address)).await {
        Some(session) => session,
        None => Err(PgError::Silent {
            address: address.to_string(),
            seconds: SESSION_TIMEOUT.as_secs(),
        }),
    }
}

async fn session(config: &mut Config, address: &PgAddress) -> Result<Client, PgError> {
    let failed = |source: tokio_postgres::Error| match wants_password(&source) {
        true => PgError::Login {
            address: address.to_string(),
            reason: "the server asks for a password and none is set".to_owned(),
        },
        false => PgError::Connect {
            address: address.to_string(),
            source,
        },
    };
    // The driver ends with the client or with the connection; whoever uses the client sees why.
    match address.tls.config(address)? {
        None => {
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            tokio::spawn(connection);
            Ok(client)
        }
        Some(encrypted) => {
            config.ssl_mode(address.tls.driver_mode());
            let encrypted = MakeRustlsConnect::new(encrypted);
            let (client, connection) = config.connect(encrypted).await.map_err(failed)?;
            tokio::spawn(connection);
            Ok(client)
        }
    }
}

/// The driver calls it a fault of the configuration, and has no word for it but this text.
fn wants_password(error: &tokio_postgres::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(|cause| cause.to_string() == "password missing")
}

/// Reads an LSN that the server sent as text.
fn parse_lsn(text: &str) -> Result<cutover_model::Lsn, PgError> {
    text.parse().map_err(|error| PgError::Protocol {
        what: "reading an LSN".to_owned(),
        reason: format!("{error}"),
    })
}
