//! `cargo x <task>`: the only task runner of this repository; CI calls nothing else.
//!
//! A task is a function here and a line in [`TASKS`]. The rule it protects: what CI does, anybody can do with
//! the same command, and a task that needs a missing tool says how to get it instead of skipping.

mod bench;
mod programs;
mod readme;
mod run;
mod suites;
mod tally;
mod tidy;
mod workspace;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::run::cargo;
use crate::workspace::Workspace;

/// A task: name, what it does, how.
struct Task {
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, &[String]) -> Result<()>,
}

/// Every task, in the order of the help text.
const TASKS: [Task; 11] = [
    Task {
        name: "fmt",
        about: "format the code (--check: only look)",
        run: format,
    },
    Task {
        name: "lint",
        about: "clippy over everything, warnings are errors",
        run: lint,
    },
    Task {
        name: "tidy",
        about: "the house rules that clippy does not know",
        run: tidy_up,
    },
    Task {
        name: "deny",
        about: "licences, banned crates and sources of dependencies",
        run: deny,
    },
    Task {
        name: "unit",
        about: "tests that start no server",
        run: suites::unit,
    },
    Task {
        name: "real",
        about: "tests with real processes, one after the other",
        run: suites::real,
    },
    Task {
        name: "test",
        about: "every test, unit tests first",
        run: suites::test,
    },
    Task {
        name: "mutations",
        about: "the audit against planted errors, over 10,000 seeded histories",
        run: suites::mutations,
    },
    Task {
        name: "bench",
        about: "the figures of docs/benchmarks.md on this machine (--fetch: downloads too)",
        run: bench::bench,
    },
    Task {
        name: "readme",
        about: "the README word for word in a fresh clone (--cold: without caches; --only N: its Nth command)",
        run: readme::readme,
    },
    Task {
        name: "ci",
        about: "fmt --check, test, lint, deny",
        run: ci,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("cargo x: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        say(&help());
        return Ok(());
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        say(&help());
        return Ok(());
    }
    let Some(task) = TASKS.iter().find(|task| task.name == name) else {
        bail!("there is no task '{name}'\n{}", help());
    };
    (task.run)(&Workspace::load()?, rest)
}

fn help() -> String {
    let mut text = String::from("usage: cargo x <task>\n");
    for task in &TASKS {
        text.push_str(&format!("  {:<9} {}\n", task.name, task.about));
    }
    text
}

/// Says something to people. Nothing of xtask is data, so all of it goes to stderr.
fn say(text: &str) {
    // Nobody to tell if stderr is gone.
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

fn format(workspace: &Workspace, rest: &[String]) -> Result<()> {
    let mut arguments = vec!["fmt", "--all"];
    match rest {
        [] => {}
        [only] if only == "--check" => arguments.push("--check"),
        other => bail!("fmt takes --check or nothing, not {other:?}"),
    }
    cargo(workspace, &arguments)
}

fn lint(workspace: &Workspace, rest: &[String]) -> Result<()> {
    no_arguments("lint", rest)?;
    cargo(
        workspace,
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )
}

fn tidy_up(workspace: &Workspace, rest: &[String]) -> Result<()> {
    no_arguments("tidy", rest)?;
    let untidy = tidy::check(workspace)?;
    if untidy.is_empty() {
        say("tidy: nothing found");
        return Ok(());
    }
    bail!(
        "{} places are untidy:\n  {}",
        untidy.len(),
        untidy.join("\n  ")
    )
}

fn deny(workspace: &Workspace, rest: &[String]) -> Result<()> {
    no_arguments("deny", rest)?;
    if cargo(workspace, &["deny", "--version"]).is_err() {
        bail!("cargo-deny is missing; get it with: cargo install --locked cargo-deny@0.20.2");
    }
    let check = ["deny", "check", "licenses", "bans", "sources"];
    cargo(workspace, &check)
}

fn ci(workspace: &Workspace, rest: &[String]) -> Result<()> {
    no_arguments("ci", rest)?;
    format(workspace, &["--check".to_owned()])?;
    suites::test(workspace, &[])?;
    lint(workspace, &[])?;
    deny(workspace, &[])
}

fn no_arguments(task: &str, rest: &[String]) -> Result<()> {
    if rest.is_empty() {
        Ok(())
    } else {
        bail!("{task} takes no arguments, not {rest:?}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_in_the_help_once() {
        let text = help();
        for task in &TASKS {
            let start = format!("  {} ", task.name);
            let lines = text.lines().filter(|line| line.starts_with(&start));
            assert_eq!(lines.count(), 1, "{}", task.name);
        }
    }

    #[test]
    fn an_unknown_task_is_refused_with_the_list() {
        let error = dispatch(&["tests".to_owned()]).unwrap_err().to_string();
        assert!(
            error.contains("no task 'tests'") && error.contains("cargo x <task>"),
            "{error}"
        );
    }
}
