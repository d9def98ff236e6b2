//! A PostgreSQL server to measure with: databases of our own on it, and the programs of others beside us.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use cutover_clients::pg::{self, Client, PgAddress, PgError, PgHost};
use cutover_model::table::quote_identifier;

use crate::error::BenchError;

/// Makes an empty database and gives its address.
pub(crate) async fn make_database(admin: &PgAddress, name: &str) -> Result<PgAddress, BenchError> {
    let session = pg::connect_admin(admin).await?;
    let name = format!("cutover_bench_{name}_{}", std::process::id());
    let sql = format!("CREATE DATABASE {}", quote_identifier(&name));
    execute(&session, &sql).await?;
    Ok(PgAddress {
        database: name,
        ..admin.clone()
    })
}

/// Removes a database of ours.
pub(crate) async fn drop_database(
    admin: &PgAddress,
    database: &PgAddress,
) -> Result<(), BenchError> {
    let session = pg::connect_admin(admin).await?;
    let name = quote_identifier(&database.database);
    execute(
        &session,
        &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
    )
    .await
}

/// Statements that must work for the measurement to mean anything.
pub(crate) async fn execute(session: &Client, sql: &str) -> Result<(), BenchError> {
    session.batch_execute(sql).await.map_err(|source| {
        BenchError::Pg(PgError::Sql {
            what: "preparing the measurement".to_owned(),
            source,
        })
    })
}

/// A program that finds the server and its password in its environment, as libpq has it.
pub(crate) fn program(path: &Path, address: &PgAddress) -> Command {
    let host = match &address.host {
        PgHost::Tcp(host) => host.into(),
        PgHost::Unix(folder) => folder.clone().into_os_string(),
    };
    let mut command = Command::new(path);
    command
        .env("PGHOST", host)
        .env("PGPORT", address.port.to_string())
        .env("PGUSER", &address.user)
        .env("PGDATABASE", &address.database)
        .env("PGPASSWORD", address.password.reveal())
        .stdin(Stdio::null());
    command
}

/// Runs a program to its end; gives the seconds and what it printed.
pub(crate) fn timed(mut command: Command, name: &str) -> Result<(f64, Output), BenchError> {
    let begun = Instant::now();
    let output = command
        .output()
        .map_err(|error| BenchError::Tool(format!("start {name}: {error}")))?;
    let seconds = begun.elapsed().as_secs_f64();
    if output.status.success() {
        return Ok((seconds, output));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().take(3).collect();
    let (status, last) = (output.status, last.join(" | "));
    Err(BenchError::Tool(format!(
        "{name} ended with {status}: {last}"
    )))
}

/// A folder that goes away with the value.
pub(crate) fn scratch(folder: &Path) -> Result<tempfile::TempDir, BenchError> {
    let made = tempfile::Builder::new()
        .prefix("cutover-bench-")
        .tempdir_in(folder);
    made.map_err(|source| BenchError::Folder {
        action: "make a folder in",
        path: folder.display().to_string(),
        source,
    })
}
