//! Clusters that are not made from nothing: empty ones for pg_upgrade, copies of a running server, and places
//! for a backup to be restored into; and pg_upgrade itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Setup;
use super::postgres::{Login, Postgres, PostgresSpec};
use super::postgres_tools::ToolCall;
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::privilege;
use crate::spawn;

/// How long a copy of a cluster or a run of pg_upgrade may take.
const COPY_DEADLINE: Duration = Duration::from_secs(600);

/// A copy of a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copy<'a> {
    /// It follows the source through a physical slot of this name, which is made on the source.
    Standby {
        /// Name of the physical slot.
        slot: &'a str,
    },
    /// It is opened as a primary of its own.
    Primary,
}

impl Postgres {
    /// An empty data directory for pg_upgrade. The server is not started.
    pub async fn create_empty(
        setup: &Setup,
        spec: PostgresSpec,
        binaries: PartDir,
        initdb_args: &[&str],
    ) -> Result<Postgres, LabError> {
        let postgres = Postgres::place(setup, spec, binaries)?;
        postgres.initdb(initdb_args).await?;
        Ok(postgres)
    }

    /// A cluster without data: something else fills it. The server is not started.
    pub fn create_bare(
        setup: &Setup,
        spec: PostgresSpec,
        binaries: PartDir,
    ) -> Result<Postgres, LabError> {
        let postgres = Postgres::place(setup, spec, binaries)?;
        privilege::private_folder(&postgres.data(), setup.account())?;
        Ok(postgres)
    }

    /// A copy of a running server by pg_basebackup. The copy is not started.
    pub async fn copy_of(
        source: &Postgres,
        spec: PostgresSpec,
        kind: Copy<'_>,
    ) -> Result<Postgres, LabError> {
        let binaries = source.binaries().clone();
        let copy = Postgres::create_bare(&source.setup, spec, binaries)?;
        let data = copy.data().display().to_string();
        // Nobody verifies this copy later: without a manifest no file is read for its checksum.
        let how = [
            "-X",
            "stream",
            "-c",
            "fast",
            "--no-sync",
            "--no-manifest",
            "-D",
        ];
        let mut args: Vec<String> = how.map(str::to_owned).into();
        args.push(data);
        if let Copy::Standby { slot } = kind {
            // The database's name goes into primary_conninfo (from 17 on): copying slots needs it.
            let database = format!("dbname={}", source.database());
            args.extend(["-R", "-C", "-S"].map(str::to_owned));
            args.extend([slot.to_owned(), "-d".to_owned(), database]);
        }
        source
            .tool(ToolCall {
                program: "pg_basebackup",
                binaries: None,
                args: &args,
                database: source.database(),
                login: Login::Admin,
                deadline: COPY_DEADLINE,
            })
            .await?;
        copy.write_settings()?;
        Ok(copy)
    }

    /// Writes this cluster's settings over what a restored data directory brought along.
    pub fn take_over_data(&self) -> Result<(), LabError> {
        self.write_settings()
    }

    /// Runs pg_upgrade from `old` into this empty cluster. `args` are its options (`--check`, `--link`, …).
    pub async fn upgrade_from(&self, old: &Postgres, args: &[&str]) -> Result<String, LabError> {
        let launch = self
            .launch("pg_upgrade", self.binaries())
            .working_in(&self.work_folder())
            .logging_to(&self.log_of("pg_upgrade"))
            .args(["-U", Login::Admin.role(), "-b"])
            .arg_path(&old.binaries().bin())
            .args(["-B"])
            .arg_path(&self.binaries().bin())
            .args(["-d"])
            .arg_path(&old.data())
            .args(["-D"])
            .arg_path(&self.data())
            .args([
                "-p",
                &old.port().to_string(),
                "-P",
                &self.port().to_string(),
            ])
            .args(["--socketdir"])
            .arg_path(self.socket_folder())
            .args(args)
            .env("PGPASSFILE", self.passfile());
        let end = spawn::run(launch, COPY_DEADLINE).await?;
        if end.status.success() {
            return Ok(end.last_lines(3));
        }
        Err(LabError::ToolFailed {
            program: "pg_upgrade".to_owned(),
            status: end.ended(),
            last_lines: with_reports(&self.data(), end.last_lines(12)),
        })
    }
}

/// pg_upgrade names files instead of causes; this adds what they say.
fn with_reports(data: &Path, mut text: String) -> String {
    let output = data.join("pg_upgrade_output.d");
    for run in files_of(&output) {
        let lists = files_of(&run).into_iter();
        let dumps = files_of(&run.join("log")).into_iter();
        let dumps = dumps.filter(|file| named(file).starts_with("pg_upgrade_dump_"));
        let named_in_text = dumps.filter(|file| text.contains(&named(file)));
        let all: Vec<PathBuf> = lists.chain(named_in_text.collect::<Vec<_>>()).collect();
        for file in all {
            if let Ok(said) = std::fs::read_to_string(&file) {
                text.push('\n');
                text.push_str(&crate::log::last_lines(&said, 6));
            }
        }
    }
    text
}

fn named(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}
