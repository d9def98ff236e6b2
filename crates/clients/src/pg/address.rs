//! Where a PostgreSQL server is and who we are there.

use std::fmt;
use std::path::PathBuf;

use tokio_postgres::config::Host;

use super::{PgTls, SslMode};
use crate::secret::Secret;

/// Host part of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PgHost {
    /// Host name or address.
    Tcp(String),
    /// Directory that holds the unix socket (`.s.PGSQL.<port>`).
    Unix(PathBuf),
}

/// A database on a server, with the login to use. Printing it never shows the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgAddress {
    /// Host or socket directory.
    pub host: PgHost,
    /// Port; part of the socket's name too.
    pub port: u16,
    /// Role to log in as.
    pub user: String,
    /// Password; empty when the server asks for none.
    pub password: Secret,
    /// Database.
    pub database: String,
    /// How the connection is encrypted; in the clear unless something else is said.
    pub tls: PgTls,
}

/// The text is no address that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl PgAddress {
    /// Reads a connection URL or libpq's `key=value` pairs. A password in it is refused, because arguments can be
    /// read by others.
    ///
    /// # Errors
    /// No such form, a password, several hosts, or user or database is missing.
    pub fn parse(text: &str) -> Result<PgAddress, AddressError> {
        let refused = |reason: &str| AddressError(format!("PostgreSQL's address {reason}"));
        // The driver's message can quote a part of the text, which may be the password.
        let config: tokio_postgres::Config = text.parse().map_err(|_| {
            refused("is neither postgresql://user@host:port/database nor 'host=… port=… user=… dbname=…'")
        })?;
        if config.get_password().is_some() {
            return Err(refused(
                "holds a password; give it by PGPASSWORD, PGPASSFILE or a file",
            ));
        }
        let host = match config.get_hosts() {
            [Host::Tcp(host)] => PgHost::Tcp(host.clone()),
            [Host::Unix(folder)] => PgHost::Unix(folder.clone()),
            _ => return Err(refused("must name one host")),
        };
        let part = |value: Option<&str>, name: &str| {
            value
                .map(str::to_owned)
                .ok_or_else(|| refused(&format!("names no {name}")))
        };
        Ok(PgAddress {
            host,
            port: config.get_ports().first().copied().unwrap_or(5432),
            user: part(config.get_user(), "user")?,
            password: Secret::default(),
            database: part(config.get_dbname(), "database")?,
            tls: PgTls {
                mode: match config.get_ssl_mode() {
                    tokio_postgres::config::SslMode::Disable => SslMode::Disable,
                    tokio_postgres::config::SslMode::Require => SslMode::Require,
                    _ => SslMode::Prefer,
                },
                ..PgTls::default()
            },
        })
    }

    /// The unix socket of this address, if it is one.
    pub fn socket(&self) -> Option<PathBuf> {
        match &self.host {
            PgHost::Unix(folder) => Some(folder.join(format!(".s.PGSQL.{}", self.port))),
            PgHost::Tcp(_) => None,
        }
    }
}

/// `user@host:port/database`, for messages.
impl fmt::Display for PgAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            PgHost::Tcp(host) => {
                write!(f, "{}@{host}:{}/{}", self.user, self.port, self.database)
            }
            PgHost::Unix(folder) => write!(
                f,
                "{}@{}:{}/{}",
                self.user,
                folder.display(),
                self.port,
                self.database
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_a_password_is_refused_unprinted() {
        let url = PgAddress::parse("postgresql://u@db.example:5433/d").unwrap();
        assert_eq!(url.to_string(), "u@db.example:5433/d");
        let pairs = PgAddress::parse("host=/run/pg user=u dbname=d").unwrap();
        assert_eq!(pairs.to_string(), "u@/run/pg:5432/d");
        for text in [
            "postgresql://u:hunter2@h/d",
            "host=h user=u password=hunter2 dbname=d",
            "postgresql://u:hunter2@h:x/d",
            "host=h user=u",
            "host=a,b user=u dbname=d",
            "rubbish",
        ] {
            let error = PgAddress::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_address_never_prints_its_password() {
        let address = PgAddress {
            host: PgHost::Unix("/run/pg".into()),
            port: 5433,
            user: "u".into(),
            password: Secret::new("hunter2"),
            database: "d".into(),
            tls: PgTls::default(),
        };
        assert_eq!(address.to_string(), "u@/run/pg:5433/d");
        assert!(!format!("{address:?} {address:#?}").contains("hunter2"));
        assert_eq!(
            address.socket().unwrap(),
            PathBuf::from("/run/pg/.s.PGSQL.5433")
        );
    }
}
