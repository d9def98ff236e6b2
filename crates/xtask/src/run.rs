//! Starts cargo and other tools in the foreground, without stdin, and counts tests as their lines go by.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::say;
use crate::tally::Tally;
use crate::workspace::{Workspace, cargo_program};

/// Runs `cargo` with arguments in the workspace.
pub fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    let mut command = cargo_command(workspace, arguments);
    let status = command
        .status()
        .with_context(|| format!("start {command:?}"))?;
    if status.success() {
        Ok(())
    } else {
        bail!("cargo {} failed: {status}", arguments.join(" "))
    }
}

/// Runs `cargo test` with arguments and extra environment; its output is shown and counted.
/// A failed test makes the tally red, not this function; what kept tests from running is an error.
pub fn cargo_test(
    workspace: &Workspace,
    arguments: &[&str],
    environment: &[(String, String)],
) -> Result<Tally> {
    let mut command = cargo_command(workspace, &["test"]);
    command
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdout(Stdio::piped());
    say(&format!("$ cargo test {}", arguments.join(" ")));
    #[expect(
        clippy::disallowed_methods,
        reason = "the output is read while the tests run; the lab's spawner is for servers"
    )]
    let mut child = command
        .spawn()
        .with_context(|| format!("start {command:?}"))?;
    let stdout = child.stdout.take().context("cargo's output")?;
    let mut tally = Tally::default();
    let mut shown = std::io::stdout().lock();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("read cargo's output")?;
        let text = String::from_utf8_lossy(&line);
        tally.read(&text);
        writeln!(shown, "{text}").context("show cargo's output")?;
    }
    let status = child.wait().context("wait for cargo test")?;
    if !status.success() && tally.failed == 0 {
        bail!(
            "cargo test {} failed before a test did: {status}",
            arguments.join(" ")
        );
    }
    Ok(tally)
}

/// Runs a program in the foreground.
pub fn run(program: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let status = command
        .status()
        .with_context(|| format!("start {command:?}"))?;
    if status.success() {
        return Ok(());
    }
    bail!(
        "{} {} failed: {status}",
        program.display(),
        arguments.join(" ")
    )
}

fn cargo_command(workspace: &Workspace, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_program());
    command
        .args(arguments)
        .current_dir(&workspace.root)
        .stdin(Stdio::null());
    command
}
