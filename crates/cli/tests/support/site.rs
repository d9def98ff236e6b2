//! An installation of the real binary in folders of its own.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// One lonely installation: its own state folder and runs, the machine's shared cache.
pub struct Site {
    pub folder: tempfile::TempDir,
}

impl Site {
    /// In a folder that the servers' user can reach.
    pub fn new() -> Site {
        let folder = tempfile::Builder::new()
            .prefix("cutover-test-")
            .tempdir_in("/var/tmp")
            .unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        Site { folder }
    }

    /// A path inside.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary with this site's folders.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cutover"));
        command
            .args(args)
            .env("CUTOVER_STATE", self.path("state"))
            .env("CUTOVER_RUNS", self.path("runs"));
        command.env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

/// Everything a command printed.
pub fn text(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    format!("{}{}", String::from_utf8_lossy(&output.stdout), stderr)
}
