//! Who logs in to a cluster, and with which random password. Passwords are shown by nothing
//! ([`Secret`]); they go onto the wire, into the password file of the cluster, and into the
//! connector's configuration.

use cutover_clients::secret::Secret;
use rand::RngExt;
use rand::distr::Alphanumeric;

/// Who logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// The superuser, `postgres`.
    Admin,
    /// The writers, `app`.
    App,
    /// The connector, `debezium`: replication, reading, nothing else.
    Debezium,
}

impl Login {
    /// The role's name.
    pub fn role(self) -> &'static str {
        match self {
            Login::Admin => "postgres",
            Login::App => "app",
            Login::Debezium => "debezium",
        }
    }
}

/// Random passwords. Two clusters of one rehearsal can share them, as they would in real life.
#[derive(Debug, Clone)]
pub struct Credentials {
    admin: Secret,
    app: Secret,
    debezium: Secret,
}

impl Credentials {
    /// New passwords, 32 letters and digits each.
    pub fn random() -> Credentials {
        let word = || {
            let letters = rand::rng()
                .sample_iter(Alphanumeric)
                .take(32)
                .map(char::from);
            Secret::new(letters.collect::<String>())
        };
        Credentials {
            admin: word(),
            app: word(),
            debezium: word(),
        }
    }

    /// The password of one login.
    pub fn of(&self, login: Login) -> &Secret {
        match login {
            Login::Admin => &self.admin,
            Login::App => &self.app,
            Login::Debezium => &self.debezium,
        }
    }
}
