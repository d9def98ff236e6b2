//! `cargo x readme`: follows the README word for word, as somebody would who has just found the project.
//!
//! The commands of its first block are run by a shell in a fresh clone, one after the other, as they stand there. With
//! `--cold` nothing of this machine's caches is used: cargo downloads and compiles everything, and so does the program.
//! The rule it protects: what the README promises in its first lines was done, not read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::run::run;
use crate::say;
use crate::workspace::Workspace;

const SECTION: &str = "## Two commands";
/// Variables that name the caches of cargo and of the program.
const CACHES: [&str; 3] = ["CARGO_HOME", "CARGO_TARGET_DIR", "CUTOVER_CACHE"];

/// Follows it: `--cold` without caches, `--only N` the Nth command alone.
pub fn readme(workspace: &Workspace, rest: &[String]) -> Result<()> {
    let wanted = Wanted::of(rest)?;
    let text = fs::read_to_string(workspace.root.join("README.md")).context("read the README")?;
    let commands = commands(&text);
    ensure!(!commands.is_empty(), "no commands below '{SECTION}'");
    let scratch = Scratch::make()?;
    let clone = scratch.0.join("cutover");
    let from = workspace.root.display().to_string();
    let to = clone.display().to_string();
    let manifest = workspace.root.join("Cargo.toml").display().to_string();
    run(
        Path::new("git"),
        &["clone", "--quiet", "--no-hardlinks", &from, &to],
    )?;
    let followed = follow(&commands, &wanted, &scratch, &clone);
    // Where both builds share a folder, cargo takes what was built in the clone for this workspace's: it is younger
    // than the sources here. But tests know the folder that they were built in, and that one is gone.
    if !wanted.cold {
        let ours = [
            "clean",
            "--quiet",
            "--workspace",
            "--manifest-path",
            &manifest,
        ];
        run(Path::new("cargo"), &ours)?;
    }
    followed
}

/// Runs the commands that are wanted, one after the other, until one fails.
fn follow(commands: &[&str], wanted: &Wanted, scratch: &Scratch, clone: &Path) -> Result<()> {
    for (number, command) in (1..).zip(commands) {
        if wanted.only.is_some_and(|only| only != number) {
            continue;
        }
        say(&format!("$ {command}"));
        let begun = Instant::now();
        let mut shell = Command::new("bash");
        shell
            .args(["-c", command])
            .current_dir(clone)
            .stdin(Stdio::null());
        if wanted.cold {
            shell.envs(CACHES.map(|name| (name, scratch.0.join(name.to_lowercase()))));
        }
        let status = shell.status().with_context(|| format!("start {command}"))?;
        let seconds = begun.elapsed().as_secs();
        ensure!(
            status.success(),
            "'{command}' ended with {status} after {seconds} s"
        );
        say(&format!("'{command}' did what it promises, in {seconds} s"));
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq)]
struct Wanted {
    cold: bool,
    only: Option<usize>,
}

impl Wanted {
    fn of(rest: &[String]) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        let mut words = rest.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--cold" => wanted.cold = true,
                "--only" => {
                    let number = words.next().context("--only takes a number")?;
                    wanted.only = Some(number.parse().context("--only takes a number")?);
                }
                other => bail!("readme takes --cold and --only N, not '{other}'"),
            }
        }
        Ok(wanted)
    }
}

/// Lines of the section's first block, without what is said behind them.
fn commands(readme: &str) -> Vec<&str> {
    let section = readme.split_once(SECTION).map_or("", |(_, rest)| rest);
    let block = section.split("```").nth(1).unwrap_or_default();
    let lines = block.lines().skip(1);
    lines
        .map(|line| line.split(" # ").next().unwrap_or(line).trim())
        .filter(|line| !line.is_empty())
        .collect()
}

/// A folder that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn make() -> Result<Scratch> {
        let folder = std::env::temp_dir().join(format!("cutover-readme-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Scratch(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Whoever runs this sees what is left in the temporary folder.
        drop(fs::remove_dir_all(&self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_readme_begins_with_the_main_job_and_every_test() {
        let readme = include_str!("../../../README.md");
        assert_eq!(commands(readme), ["cargo run -- rehearse", "cargo x test"]);
        assert!(commands("no such section").is_empty());
        let words =
            |text: &str| Wanted::of(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(words("--cold --only 2").unwrap().only, Some(2));
        assert!(words("--warm").is_err() && words("--only x").is_err());
    }
}
