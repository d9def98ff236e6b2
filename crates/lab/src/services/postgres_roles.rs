//! Roles and databases of a cluster: an administrator, an application that may make and change tables, and Debezium,
//! which may read and replicate.

use cutover_clients::pg;
use cutover_model::table::{quote_identifier, quote_literal};

use super::postgres::{Login, Postgres};
use crate::error::LabError;

/// The roles, with psql's variables for the passwords. Containers run the same file.
const ROLES: &str = include_str!("../../../../sql/roles.sql");
/// What the application may do in its database.
const RIGHTS: &str = include_str!("../../../../sql/rights.sql");

/// The statements that make the roles.
fn roles(password: impl Fn(Login) -> String) -> String {
    let filled = [
        (":'app_password'", Login::App),
        (":'debezium_password'", Login::Debezium),
    ];
    let mut script = ROLES.to_owned();
    for (variable, login) in filled {
        // The server gets the verifier, not the password: a statement that fails is logged.
        let verifier = postgres_protocol::password::scram_sha_256(password(login).as_bytes());
        script = script.replace(variable, &quote_literal(&verifier));
    }
    script
}

impl Postgres {
    /// The roles, and the database that the cluster was made for.
    pub(super) async fn make_roles(&self) -> Result<(), LabError> {
        let admin = self.session("postgres").await?;
        let script = roles(|login| self.credentials().of(login).reveal().to_owned());
        self.execute(&admin, "make roles", &script).await?;
        self.make_application_database(self.database()).await
    }

    /// Makes an empty database.
    pub async fn make_database(&self, database: &str) -> Result<(), LabError> {
        let admin = self.session("postgres").await?;
        let create = format!("CREATE DATABASE {}", quote_identifier(database));
        self.execute(&admin, "make the database", &create).await
    }

    /// Drops a database.
    pub async fn drop_database(&self, database: &str) -> Result<(), LabError> {
        let admin = self.session("postgres").await?;
        let drop = format!("DROP DATABASE {}", quote_identifier(database));
        self.execute(&admin, "drop the database", &drop).await
    }

    /// Makes a database in which `app` may make and change tables and `debezium` may read them.
    pub async fn make_application_database(&self, database: &str) -> Result<(), LabError> {
        self.make_database(database).await?;
        let inside = self.session(database).await?;
        self.execute(&inside, "grant rights", RIGHTS).await
    }

    async fn session(&self, database: &str) -> Result<tokio_postgres::Client, LabError> {
        let connected = pg::connect_admin(&self.address(Login::Admin, database)).await;
        connected.map_err(|source| LabError::Pg {
            what: format!("log in to {}", self.service),
            source,
        })
    }

    async fn execute(
        &self,
        session: &tokio_postgres::Client,
        what: &str,
        script: &str,
    ) -> Result<(), LabError> {
        session
            .batch_execute(script)
            .await
            .map_err(|source| LabError::Pg {
                what: format!("{what} in {}", self.service),
                source: pg::PgError::Sql {
                    what: what.to_owned(),
                    source,
                },
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_gets_a_verifier_and_no_variable_is_left() {
        let script = roles(|_| "hunter2".to_owned());
        assert_eq!(script.matches("'SCRAM-SHA-256$").count(), 2, "{script}");
        assert!(!script.contains(":'") && !script.contains("hunter2"));
        for login in [Login::App, Login::Debezium] {
            let role = format!("CREATE ROLE {} LOGIN", login.role());
            assert!(script.contains(&role), "{script}");
        }
    }
}
