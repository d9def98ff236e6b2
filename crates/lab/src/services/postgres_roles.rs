//! Roles and databases of a cluster: an administrator, an application that may make and change tables, and Debezium,
//! which may read and replicate.

use cutover_clients::pg;
use cutover_model::table::{quote_identifier, quote_literal};

use super::postgres::{Login, Postgres};
use crate::error::LabError;

impl Postgres {
    /// The roles, and the database that the cluster was made for.
    pub(super) async fn make_roles(&self) -> Result<(), LabError> {
        let admin = self.session("postgres").await?;
        let mut script = String::new();
        for (login, rights) in [
            (Login::App, "LOGIN"),
            (Login::Debezium, "LOGIN REPLICATION"),
        ] {
            // The server gets the verifier, not the password: a statement that fails is logged.
            let password = self.credentials().of(login).reveal().as_bytes();
            let verifier = quote_literal(&postgres_protocol::password::scram_sha_256(password));
            let role = quote_identifier(login.role());
            script.push_str(&format!("CREATE ROLE {role} {rights} PASSWORD {verifier};"));
        }
        script.push_str("GRANT pg_read_all_data TO debezium;");
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
        let grants = "GRANT USAGE, CREATE ON SCHEMA public TO app; \
             ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON TABLES TO app; \
             ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON SEQUENCES TO app;";
        self.execute(&inside, "grant rights", grants).await
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
