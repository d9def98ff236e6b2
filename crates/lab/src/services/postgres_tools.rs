//! PostgreSQL's own programs against a cluster: pg_dump, pg_restore, psql, ….
//!
//! They run as the server's user, in the cluster's `work` folder, with the password from a file:
//! never on the command line, where every user of the machine could read it. Each writes a log of
//! its own.

use std::time::Duration;

use super::postgres::{Login, Postgres};
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::spawn::{self, RunEnd};

/// One call.
#[derive(Debug, Clone)]
pub struct ToolCall<'a> {
    /// Name of the program.
    pub program: &'a str,
    /// Whose program: other binaries than the server's, as when the new version dumps the old.
    pub binaries: Option<&'a PartDir>,
    /// Arguments. Host, port, user, database and password are set by the environment.
    pub args: &'a [String],
    /// Database.
    pub database: &'a str,
    /// Who logs in.
    pub login: Login,
    /// How long it may take.
    pub deadline: Duration,
}

impl Postgres {
    /// Runs a tool against this cluster and fails unless it succeeds. Dropping the future ends the
    /// tool.
    pub async fn tool(&self, call: ToolCall<'_>) -> Result<RunEnd, LabError> {
        let address = self.address(call.login, call.database);
        let binaries = call.binaries.unwrap_or(self.binaries());
        let socket = address
            .socket()
            .and_then(|file| file.parent().map(ToOwned::to_owned));
        let launch = self
            .launch(call.program, binaries)
            .working_in(&self.work_folder())
            .logging_to(&self.log_of(call.program))
            .args(call.args)
            .env("PGHOST", socket.unwrap_or_default())
            .env("PGPORT", address.port.to_string())
            .env("PGUSER", &address.user)
            .env("PGDATABASE", &address.database)
            .env("PGPASSFILE", self.passfile())
            .env("PGAPPNAME", call.program)
            // Tools must be able to act while the database's default says read only.
            .env("PGOPTIONS", "-c default_transaction_read_only=off");
        let end = spawn::run(launch, call.deadline).await?;
        if end.status.success() {
            return Ok(end);
        }
        Err(LabError::ToolFailed {
            program: call.program.to_owned(),
            status: end.ended(),
            last_lines: end.last_lines(6),
        })
    }

    /// `pg_dump` into a file of the work folder; returns how the tool ended.
    pub async fn dump(
        &self,
        binaries: &PartDir,
        args: &[&str],
        file: &std::path::Path,
        deadline: Duration,
    ) -> Result<RunEnd, LabError> {
        let mut all: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        all.extend(["-f".to_owned(), file.display().to_string()]);
        self.tool(ToolCall {
            program: "pg_dump",
            binaries: Some(binaries),
            args: &all,
            database: self.database(),
            login: Login::Admin,
            deadline,
        })
        .await
    }

    /// `pg_restore` from a file into a database of this cluster.
    pub async fn restore(
        &self,
        args: &[&str],
        file: &std::path::Path,
        deadline: Duration,
    ) -> Result<RunEnd, LabError> {
        let mut all: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        all.extend(["-d".to_owned(), self.database().to_owned()]);
        all.push(file.display().to_string());
        self.tool(ToolCall {
            program: "pg_restore",
            binaries: None,
            args: &all,
            database: self.database(),
            login: Login::Admin,
            deadline,
        })
        .await
    }
}
