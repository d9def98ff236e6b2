//! Opening a session of our own protocol client: startup message and authentication.
//!
//! Trust, cleartext, MD5 and SCRAM-SHA-256. With SCRAM the server proves that it knows the password as well,
//! and a server that skips its proof is refused.

use std::time::Duration;

use bytes::BytesMut;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::{ErrorFields, Message};
use postgres_protocol::message::frontend;
use tokio_postgres::fallible_iterator::FallibleIterator;

use super::wire::{Packet, Wire};
use super::{PgAddress, PgError, SESSION_SETTINGS};

const LOGIN_TIMEOUT: Duration = Duration::from_secs(20);

/// What the server said while the session opened.
#[derive(Debug, Default)]
pub(super) struct Welcome {
    /// `server_version` as the server reports it.
    pub server_version: String,
}

/// Logs in on a fresh connection; `more` are parameters of the startup message beside the usual ones.
pub(super) fn login(
    wire: &mut Wire,
    address: &PgAddress,
    more: &[(&str, &str)],
) -> Result<Welcome, PgError> {
    let mut parameters = vec![
        ("user", address.user.as_str()),
        ("database", address.database.as_str()),
        ("client_encoding", "UTF8"),
    ];
    parameters.extend(SESSION_SETTINGS);
    parameters.extend_from_slice(more);
    let mut out = BytesMut::new();
    frontend::startup_message(parameters, &mut out).map_err(|error| refused(address, &error))?;
    wire.send(&out)?;
    authenticate(wire, address)?;
    let mut welcome = Welcome::default();
    loop {
        match receive(wire, address)? {
            Message::ParameterStatus(status) => {
                let text = |part: std::io::Result<&str>| part.unwrap_or_default().to_owned();
                if text(status.name()) == "server_version" {
                    welcome.server_version = text(status.value());
                }
            }
            Message::BackendKeyData(_) | Message::NoticeResponse(_) => {}
            Message::ReadyForQuery(_) => return Ok(welcome),
            _ => {
                return Err(refused(
                    address,
                    &"the server sent something else than its settings",
                ));
            }
        }
    }
}

fn authenticate(wire: &mut Wire, address: &PgAddress) -> Result<(), PgError> {
    let password = address.password.reveal();
    loop {
        match receive(wire, address)? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationCleartextPassword => {
                send_password(wire, address, password.as_bytes())?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(address.user.as_bytes(), password.as_bytes(), body.salt());
                send_password(wire, address, hash.as_bytes())?;
            }
            Message::AuthenticationSasl(body) => {
                let offered = body.mechanisms().any(|name| Ok(name == SCRAM_SHA_256));
                if !offered.unwrap_or(false) {
                    return Err(refused(address, &"the server offers no SCRAM-SHA-256"));
                }
                scram(wire, address)?;
            }
            Message::NoticeResponse(_) => {}
            _ => {
                return Err(refused(
                    address,
                    &"the server asks for a kind of login not supported",
                ));
            }
        }
    }
}

fn scram(wire: &mut Wire, address: &PgAddress) -> Result<(), PgError> {
    let bad = |error: &dyn std::fmt::Display| refused(address, error);
    need_password(address)?;
    let password = address.password.reveal().as_bytes();
    let mut scram = ScramSha256::new(password, ChannelBinding::unsupported());
    let mut out = BytesMut::new();
    frontend::sasl_initial_response(SCRAM_SHA_256, scram.message(), &mut out)
        .map_err(|error| bad(&error))?;
    wire.send(&out)?;
    let Message::AuthenticationSaslContinue(body) = receive(wire, address)? else {
        return Err(bad(&"the server broke off the SCRAM exchange"));
    };
    scram.update(body.data()).map_err(|error| bad(&error))?;
    out.clear();
    frontend::sasl_response(scram.message(), &mut out).map_err(|error| bad(&error))?;
    wire.send(&out)?;
    let Message::AuthenticationSaslFinal(body) = receive(wire, address)? else {
        return Err(bad(&"the server did not prove that it knows the password"));
    };
    scram.finish(body.data()).map_err(|error| bad(&error))
}

fn send_password(wire: &mut Wire, address: &PgAddress, password: &[u8]) -> Result<(), PgError> {
    need_password(address)?;
    let mut out = BytesMut::new();
    frontend::password_message(password, &mut out).map_err(|error| refused(address, &error))?;
    wire.send(&out)
}

fn need_password(address: &PgAddress) -> Result<(), PgError> {
    if address.password.is_empty() {
        return Err(refused(
            address,
            &"the server asks for a password and none is set",
        ));
    }
    Ok(())
}

fn receive(wire: &mut Wire, address: &PgAddress) -> Result<Message, PgError> {
    let what = format!("logging in to PostgreSQL at {address}");
    let packet = wire.answer(&what, LOGIN_TIMEOUT);
    match packet.and_then(|packet| parse(packet, &what)) {
        // Nobody has spoken our protocol to us yet, so it is not ours to blame.
        Err(PgError::Protocol { reason, .. }) => Err(PgError::Foreign {
            address: address.to_string(),
            reason,
        }),
        received => received,
    }
}

/// Reads a message of the ordinary protocol; an error of the server becomes ours.
pub(super) fn parse(packet: Packet, what: &str) -> Result<Message, PgError> {
    let mut whole = packet.whole;
    let malformed = |reason: String| PgError::Protocol {
        what: what.to_owned(),
        reason,
    };
    match Message::parse(&mut whole) {
        Ok(Some(Message::ErrorResponse(body))) => Err(server_error(what, body.fields())),
        Ok(Some(message)) => Ok(message),
        Ok(None) => Err(malformed("a message that ends too early".to_owned())),
        Err(error) => Err(malformed(error.to_string())),
    }
}

fn server_error(what: &str, mut fields: ErrorFields<'_>) -> PgError {
    let (mut state, mut message, mut detail) = (String::new(), String::new(), String::new());
    while let Ok(Some(field)) = fields.next() {
        let value = String::from_utf8_lossy(field.value_bytes()).into_owned();
        match field.type_() {
            b'C' => state = value,
            b'M' => message = value,
            b'D' => detail = format!(" ({value})"),
            _ => {}
        }
    }
    PgError::Server {
        what: what.to_owned(),
        state,
        message: message + &detail,
    }
}

fn refused(address: &PgAddress, reason: &dyn std::fmt::Display) -> PgError {
    PgError::Login {
        address: address.to_string(),
        reason: reason.to_string(),
    }
}
