//! `cutover explain`: what every code and word that the program prints means, without a network.
//!
//! One registry, [`all`]. The rules it protects: a code that is printed anywhere has a text, and a text belongs to a
//! code that exists; a test compares both with the sources.

mod cli;
mod connector;
mod doctor;
mod findings;
mod guarantees;
mod lab;
mod operations;
mod preflights;
mod run;
mod services;
mod upgrade;
mod watch;

use serde::Serialize;

use crate::text::{WIDTH, foreign, wrapped};

/// Format name of the JSON form.
pub const EXPLANATION_FORMAT: &str = "cutover.explanation/1";

/// What kind of word is explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// A guarantee, a proof level or a verdict.
    Guarantee,
    /// A kind of finding.
    Finding,
    /// A check.
    Check,
    /// What a connector will do.
    Prediction,
    /// What is wrong with a configuration.
    Lint,
    /// What is in the way of an upgrade.
    Preflight,
    /// What a running system suffers from.
    Diagnosis,
    /// An error.
    Error,
}

/// One text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The word as it is printed.
    pub code: &'static str,
    /// Which kind of word.
    pub family: Family,
    /// What it means.
    pub means: &'static str,
    /// Which evidence to look at.
    pub look_at: &'static str,
    /// What is likely behind it.
    pub likely_cause: &'static str,
    /// What to do.
    pub do_next: &'static str,
}

const fn entry(family: Family, code: &'static str, words: [&'static str; 4]) -> Explanation {
    let [means, look_at, likely_cause, do_next] = words;
    Explanation {
        code,
        family,
        means,
        look_at,
        likely_cause,
        do_next,
    }
}

/// Every text, family by family.
const ALL: [&[Explanation]; 12] = [
    guarantees::ALL,
    findings::ALL,
    connector::ALL,
    preflights::ALL,
    doctor::ALL,
    watch::ALL,
    cli::ALL,
    operations::ALL,
    services::ALL,
    upgrade::ALL,
    lab::ALL,
    run::ALL,
];

/// Every text, in display order.
pub fn all() -> impl Iterator<Item = &'static Explanation> {
    ALL.into_iter().flatten()
}

/// The text of a word. Case does not matter, nor what follows the first word (`I1 complete`).
pub fn find(word: &str) -> Option<&'static Explanation> {
    let word = word.trim();
    let first = word.split_whitespace().next()?;
    let named = |name: &str| all().find(|one| one.code.eq_ignore_ascii_case(name));
    named(word).or_else(|| named(first))
}

/// The text for people.
pub fn told(one: &Explanation) -> String {
    let mut text = format!("{} ({})\n", one.code, kind(one.family));
    for (label, words) in [
        ("means", one.means),
        ("look at", one.look_at),
        ("likely", one.likely_cause),
        ("do", one.do_next),
    ] {
        let first = format!("  {label:<8} ");
        let rest = " ".repeat(first.len());
        text.push_str(&wrapped(words, &first, &rest, WIDTH));
        text.push('\n');
    }
    text
}

/// Every word with the beginning of its text.
pub fn list() -> String {
    let widest = all().map(|one| one.code.len()).max().unwrap_or(0);
    let line = |one: &Explanation| format!("{:<widest$}  {}\n", one.code, foreign(one.means));
    all().map(line).collect()
}

/// The text for other programs.
pub fn to_json(one: &Explanation) -> serde_json::Value {
    serde_json::json!({
        "format": EXPLANATION_FORMAT,
        "code": one.code,
        "family": one.family,
        "means": one.means,
        "look_at": one.look_at,
        "likely_cause": one.likely_cause,
        "do_next": one.do_next,
    })
}

fn kind(family: Family) -> &'static str {
    match family {
        Family::Guarantee => "what is promised and proven",
        Family::Finding => "kind of finding",
        Family::Check => "check",
        Family::Prediction => "what a connector does at its start",
        Family::Lint => "configuration",
        Family::Preflight => "preflight",
        Family::Diagnosis => "what a running system suffers from",
        Family::Error => "error",
    }
}

#[cfg(test)]
mod tests;
