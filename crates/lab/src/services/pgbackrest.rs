//! pgBackRest: one repository on this machine, one stanza, for the restores that a rehearsal makes.
//!
//! ```text
//! <life>/pgbackrest/ pgbackrest.conf repo/ lock/ spool/
//! ```
//! It runs as the servers' user. The archive command of the server calls the same program with the same
//! configuration. A restore never brings a replication slot along: the tool leaves `pg_replslot` empty on purpose.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Setup;
use super::postgres::{Login, Postgres};
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::privilege;
use crate::spawn::{self, RunEnd};

const STANZA: &str = "main";
const DEADLINE: Duration = Duration::from_secs(300);

/// A repository.
#[derive(Debug, Clone)]
pub struct Repository {
    folder: PathBuf,
    program: PathBuf,
    setup: Setup,
}

impl Repository {
    /// Makes the folders. `part` is one that has the program.
    pub fn create(setup: &Setup, part: &PartDir) -> Result<Repository, LabError> {
        let folder = setup.service_folder("pgbackrest")?;
        // What another cluster of this life left belongs to another system: the tool would refuse to mix them.
        let _ = std::fs::remove_dir_all(&folder);
        let folder = setup.service_folder("pgbackrest")?;
        for inside in ["repo", "lock", "spool"] {
            privilege::private_folder(&folder.join(inside), setup.account())?;
        }
        Ok(Repository {
            folder,
            program: part.root.join("usr/bin/pgbackrest"),
            setup: setup.clone(),
        })
    }

    /// Folder of the repository.
    pub fn place(&self) -> PathBuf {
        self.folder.join("repo")
    }

    /// The program's own version, as `2.55.1`.
    pub async fn version(&self) -> Result<String, LabError> {
        let launch = self.launch().args(["version"]);
        let end = spawn::run(launch, DEADLINE).await?;
        let said = end.last_lines(1);
        let version = said.trim().strip_prefix("pgBackRest ");
        version.map(str::to_owned).ok_or(LabError::ToolFailed {
            program: "pgbackrest version".to_owned(),
            status: end.ended(),
            last_lines: said,
        })
    }

    fn launch(&self) -> spawn::Launch {
        spawn::Launch::new(
            "pgbackrest",
            &self.program,
            &self.folder,
            &self.setup.log("pgbackrest"),
        )
        .account(self.setup.account())
        .env("HOME", &self.folder)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("pgbackrest.conf")
    }

    fn quoted(path: &Path) -> String {
        format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
    }

    /// What a server needs to be archived.
    pub fn server_settings(&self) -> Vec<(String, String)> {
        let command = format!(
            "{} --config={} --stanza={STANZA} --log-level-console=warn archive-push %p",
            Repository::quoted(&self.program),
            Repository::quoted(&self.config())
        );
        vec![
            ("archive_mode".to_owned(), "on".to_owned()),
            ("archive_command".to_owned(), command),
        ]
    }

    /// Names the running cluster as the one that is backed up, and makes the stanza.
    pub async fn attach(&self, cluster: &Postgres) -> Result<(), LabError> {
        let path = |inside: &str| self.folder.join(inside).display().to_string();
        let text = format!(
            "[global]\nrepo1-path={}\nlock-path={}\nspool-path={}\nlog-level-file=off\n\
             log-level-console=info\nstart-fast=y\ncompress-type=none\nprocess-max=1\n\n\
             [{STANZA}]\npg1-path={}\npg1-port={}\npg1-socket-path={}\npg1-user={}\n\
             pg1-database=postgres\n",
            path("repo"),
            path("lock"),
            path("spool"),
            cluster.data().display(),
            cluster.port(),
            cluster.socket_folder().display(),
            Login::Admin.role()
        );
        super::write(&self.config(), &text, self.setup.account())?;
        self.run(cluster, &["stanza-create"]).await.map(|_| ())
    }

    /// A full backup of the running cluster.
    pub async fn back_up(&self, cluster: &Postgres) -> Result<String, LabError> {
        let end = self.run(cluster, &["--type=full", "backup"]).await?;
        Ok(last_word(&end, "full backup"))
    }

    /// Restores into a bare cluster. Its server is not started; it will not archive.
    pub async fn restore(&self, into: &Postgres, args: &[&str]) -> Result<String, LabError> {
        let path = format!("--pg1-path={}", into.data().display());
        let mut all = vec![path.as_str(), "--archive-mode=off"];
        all.extend(args);
        all.push("restore");
        let end = self.run(into, &all).await?;
        into.take_over_data()?;
        Ok(last_word(&end, "restore"))
    }

    async fn run(&self, cluster: &Postgres, args: &[&str]) -> Result<RunEnd, LabError> {
        let launch = self
            .launch()
            .env("PGPASSFILE", cluster.passfile())
            .args([format!("--config={}", self.config().display())])
            .args([format!("--stanza={STANZA}")])
            .args(args);
        let end = spawn::run(launch, DEADLINE).await?;
        if end.status.success() {
            return Ok(end);
        }
        Err(LabError::ToolFailed {
            program: "pgbackrest".to_owned(),
            status: end.ended(),
            last_lines: end.last_lines(6),
        })
    }
}

/// The line that says how large something was, without its time stamp.
fn last_word(end: &RunEnd, what: &str) -> String {
    let text = end.last_lines(30);
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains(" command end"));
    match line.and_then(|line| line.split_once("INFO: ")) {
        Some((_, said)) => said.to_owned(),
        None => format!("{what} done"),
    }
}
