//! The test suites: `unit` starts no server and may run in parallel; `real` starts servers and JVMs, so its
//! tests run one at a time, one crate after the other.
//!
//! A test file belongs to `real` by its name, `crates/<crate>/tests/real_<what>.rs`; nothing is registered.
//! The rule it protects: a suite that ran no test at all is red, since it proves nothing.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::programs;
use crate::run::cargo_test;
use crate::say;
use crate::tally::Tally;
use crate::workspace::{Member, Workspace};

/// What the name of a test file begins with when it starts real servers.
const REAL_PREFIX: &str = "real_";

/// Crates with real-process tests run in the order of the chain, the others after them.
const REAL_ORDER: [&str; 5] = [
    "cutover-clients",
    "cutover-lab",
    "cutover-workload",
    "cutover-record",
    "cutover-rehearse",
];

/// `cargo x unit`.
pub fn unit(workspace: &Workspace, filter: &[String]) -> Result<()> {
    let started = Instant::now();
    let tally = unit_tally(workspace, filter)?;
    conclude(&[("unit", tally, started.elapsed().as_secs_f64())], filter)
}

/// `cargo x real`.
pub fn real(workspace: &Workspace, filter: &[String]) -> Result<()> {
    let started = Instant::now();
    let tally = real_tally(workspace, filter)?;
    conclude(&[("real", tally, started.elapsed().as_secs_f64())], filter)
}

/// `cargo x test`: everything. A red unit test ends it before servers are started.
pub fn test(workspace: &Workspace, filter: &[String]) -> Result<()> {
    let started = Instant::now();
    let unit = unit_tally(workspace, filter)?;
    let unit_seconds = started.elapsed().as_secs_f64();
    if unit.failed > 0 {
        return conclude(&[("unit", unit, unit_seconds)], filter);
    }
    let started = Instant::now();
    let real = real_tally(workspace, filter)?;
    let real_seconds = started.elapsed().as_secs_f64();
    conclude(
        &[("unit", unit, unit_seconds), ("real", real, real_seconds)],
        filter,
    )
}

/// Histories that `cargo x mutations` takes, unless the caller names another number.
const HISTORIES: (&str, &str) = ("CUTOVER_TEST_HISTORIES", "10000");

/// `cargo x mutations`: the audit against planted errors, over as many seeded histories as are promised.
pub fn mutations(workspace: &Workspace, filter: &[String]) -> Result<()> {
    let started = Instant::now();
    let options = filter.iter().map(String::as_str).chain(["--nocapture"]);
    let arguments = with_filter(&["--workspace", "--test", "mutations"], options);
    let (name, number) = HISTORIES;
    let given = std::env::var(name).unwrap_or_else(|_| number.to_owned());
    let tally = cargo_test(workspace, &arguments, &[(name.to_owned(), given)])?;
    let seconds = started.elapsed().as_secs_f64();
    conclude(&[("mutations", tally, seconds)], filter)
}

fn unit_tally(workspace: &Workspace, filter: &[String]) -> Result<Tally> {
    let mut arguments = vec!["--workspace", "--no-fail-fast", "--lib", "--bins"];
    for name in workspace.members.iter().flat_map(|member| &member.tests) {
        if !name.starts_with(REAL_PREFIX) {
            arguments.extend(["--test", name]);
        }
    }
    let filter = filter.iter().map(String::as_str);
    let mut tally = cargo_test(workspace, &with_filter(&arguments, filter.clone()), &[])?;
    let doc = ["--workspace", "--no-fail-fast", "--doc"];
    tally += cargo_test(workspace, &with_filter(&doc, filter), &[])?;
    Ok(tally)
}

fn real_tally(workspace: &Workspace, filter: &[String]) -> Result<Tally> {
    let mut members: Vec<&Member> = workspace
        .members
        .iter()
        .filter(|member| {
            member
                .tests
                .iter()
                .any(|name| name.starts_with(REAL_PREFIX))
        })
        .collect();
    let place = |member: &Member| REAL_ORDER.iter().position(|name| *name == member.name);
    members.sort_by_key(|member| place(member).unwrap_or(REAL_ORDER.len()));
    let environment = programs::environment(workspace)?;
    let mut tally = Tally::default();
    for member in members {
        // The whole workspace is selected, though only this crate's files run: a single package would be
        // built with other features of its dependencies, that is, most of them once more.
        let mut arguments = vec!["--workspace", "--no-fail-fast"];
        for name in member
            .tests
            .iter()
            .filter(|name| name.starts_with(REAL_PREFIX))
        {
            arguments.extend(["--test", name]);
        }
        let options = filter
            .iter()
            .map(String::as_str)
            .chain(["--test-threads=1"]);
        tally += cargo_test(workspace, &with_filter(&arguments, options), &environment)?;
    }
    Ok(tally)
}

fn with_filter<'a>(arguments: &[&'a str], filter: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    arguments
        .iter()
        .copied()
        .chain(["--"])
        .chain(filter)
        .collect()
}

/// Prints the totals. With a filter a suite may be empty; without one it may not.
fn conclude(suites: &[(&str, Tally, f64)], filter: &[String]) -> Result<()> {
    let mut total = Tally::default();
    for (name, tally, seconds) in suites {
        say(&format!("{name}: {tally} in {seconds:.0} s"));
        total += *tally;
    }
    say(&format!("total: {total}"));
    let empty = suites.iter().find(|(_, tally, _)| tally.passed == 0);
    if let Some((name, _, _)) = empty.filter(|_| filter.is_empty()) {
        bail!("the suite '{name}' ran no test that passed");
    }
    if total.failed > 0 {
        bail!("{} tests failed", total.failed)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64) -> Tally {
        Tally {
            passed,
            failed,
            ..Tally::default()
        }
    }

    #[test]
    fn a_suite_without_tests_and_a_failed_test_are_red() {
        let conclude = |suites: &[_], filter: &[String]| super::conclude(suites, filter).is_ok();
        assert!(conclude(&[("unit", tally(3, 0), 1.0)], &[]));
        assert!(!conclude(&[("unit", tally(3, 1), 1.0)], &[]));
        let empty = [("unit", tally(3, 0), 1.0), ("real", tally(0, 0), 0.0)];
        assert!(!conclude(&empty, &[]));
        assert!(conclude(&empty, &["minor".to_owned()]));
    }
}
