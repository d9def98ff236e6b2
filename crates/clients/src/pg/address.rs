//! Where a PostgreSQL server is and who we are there.

use std::fmt;
use std::path::PathBuf;

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
}

impl PgAddress {
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
    fn an_address_never_prints_its_password() {
        let address = PgAddress {
            host: PgHost::Unix("/run/pg".into()),
            port: 5433,
            user: "u".into(),
            password: Secret::new("hunter2"),
            database: "d".into(),
        };
        assert_eq!(address.to_string(), "u@/run/pg:5433/d");
        assert!(!format!("{address:?} {address:#?}").contains("hunter2"));
        assert_eq!(
            address.socket().unwrap(),
            PathBuf::from("/run/pg/.s.PGSQL.5433")
        );
    }
}
