//! pgBackRest: one repository on this machine, one stanza, for the restores that a rehearsal makes.
//!
//! ```text
//! <life>/pgbackrest/ pgbackrest.conf repo/ lock/ spool/ gate gate.sh
//! ```
//! It runs as the servers' user. The archive command of the server calls the same program with the same
//! configuration. A restore never brings a replication slot along: the tool leaves `pg_replslot` empty on purpose.
//!
//! A server can be fed through a *gate*: its restore command gives log files up to the one that a file names, and
//! answers for later ones as if they were not archived yet. So a logical slot can be made on it at an early position.

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

/// Option of a restore: the server will not archive.
pub const ARCHIVES_NOTHING: &str = "--archive-mode=off";

/// What the gate holds when everything may pass.
const WIDE_OPEN: &str = "FFFFFFFFFFFFFFFF";

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

    /// What a restored server needs to go on archiving. Its data directory is not the one in the configuration, and
    /// the tool wants to know; the server runs the command in it.
    pub fn onward_settings(&self) -> Vec<(String, String)> {
        let command = format!(
            "{} --config={} --pg1-path=\"$(pwd -P)\" --stanza={STANZA} --log-level-console=warn archive-push %p",
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

    /// Restores into a bare cluster. Its server is not started.
    pub async fn restore(&self, into: &Postgres, args: &[&str]) -> Result<String, LabError> {
        let path = format!("--pg1-path={}", into.data().display());
        let mut all = vec![path.as_str()];
        all.extend(args);
        all.push("restore");
        let end = self.run(into, &all).await?;
        into.take_over_data()?;
        Ok(last_word(&end, "restore"))
    }

    /// Puts a gate in place behind which a server gets the last backup's own log and nothing later. Gives the restore
    /// command.
    pub async fn gate(&self, cluster: &Postgres) -> Result<String, LabError> {
        let args = ["--output=json", "--log-level-console=warn", "info"];
        let end = self.run(cluster, &args).await?;
        let unclear = || LabError::ToolFailed {
            program: "pgbackrest info".to_owned(),
            status: "did not say where the backup's log ends".to_owned(),
            last_lines: end.last_lines(6),
        };
        let stop = stop_file(&end.output).ok_or_else(unclear)?;
        let script = format!(
            "# Gives log files up to the one named in `gate`; for later ones answers as if they were not there yet.\n\
             case \"$1\" in\n\
             *.history) ;;\n\
             *) last=$(cat {}) || exit 1\n   \
             if LC_ALL=C expr \"x${{1#????????}}\" '>' \"x$last\" >/dev/null; then exit 1; fi ;;\n\
             esac\n\
             exec {} --config={} --pg1-path=\"$(pwd -P)\" --stanza={STANZA} --log-level-console=warn \
             archive-get \"$1\" \"$2\"\n",
            Repository::quoted(&self.folder.join("gate")),
            Repository::quoted(&self.program),
            Repository::quoted(&self.config())
        );
        let file = self.folder.join("gate.sh");
        super::write(&file, &script, self.setup.account())?;
        self.set_gate(&stop)?;
        // The tool writes recovery options between single quotes and escapes none inside.
        Ok(format!("sh \"{}\" %f %p", file.display()))
    }

    /// Lets one more log file through the gate. Gives its name without the timeline.
    pub fn open_gate_further(&self) -> Result<String, LabError> {
        let path = self.folder.join("gate");
        let now = std::fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
        let next = next_file(now.trim()).unwrap_or_else(|| WIDE_OPEN.to_owned());
        self.set_gate(&next)?;
        Ok(next)
    }

    /// Lets everything through the gate.
    pub fn open_gate(&self) -> Result<(), LabError> {
        self.set_gate(WIDE_OPEN)
    }

    fn set_gate(&self, last: &str) -> Result<(), LabError> {
        super::write(&self.folder.join("gate"), last, self.setup.account())
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

/// Name, without the timeline, of the log file in which the newest backup ends, from what the tool tells as JSON.
fn stop_file(output: &str) -> Option<String> {
    let json = output.lines().find(|line| line.starts_with('['))?;
    let stanzas: serde_json::Value = serde_json::from_str(json).ok()?;
    let newest = stanzas.get(0)?.get("backup")?.as_array()?.last()?;
    let stop = newest.get("archive")?.get("stop")?.as_str()?;
    stop.get(8..).map(str::to_owned)
}

/// The next name: two numbers of eight hexadecimal digits, of which the second counts to FF with log files of 16 MiB.
fn next_file(name: &str) -> Option<String> {
    let (high, low) = name.split_at_checked(8)?;
    let high = u32::from_str_radix(high, 16).ok()?;
    let low = u32::from_str_radix(low, 16).ok()?;
    let (high, low) = if low >= 0xFF {
        (high.checked_add(1)?, 0)
    } else {
        (high, low + 1)
    };
    Some(format!("{high:08X}{low:08X}"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_goes_on_file_by_file() {
        assert_eq!(next_file("0000000000000004").unwrap(), "0000000000000005");
        assert_eq!(next_file("00000000000000FF").unwrap(), "0000000100000000");
        assert!(next_file(WIDE_OPEN).is_none());
        assert!(next_file("4").is_none());
    }

    #[test]
    fn the_end_of_the_newest_backup_is_read_from_what_the_tool_says() {
        let said = "P00   WARN: something\n\
             [{\"name\":\"main\",\"backup\":[{\"archive\":{\"start\":\"000000010000000000000002\",\
             \"stop\":\"000000010000000000000003\"}},{\"archive\":{\"start\":\"000000010000000000000004\",\
             \"stop\":\"0000000100000000000000A5\"}}]}]\n";
        assert_eq!(stop_file(said).unwrap(), "00000000000000A5");
        assert!(stop_file("[]").is_none());
    }
}
