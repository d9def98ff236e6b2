//! Names and values in the documents: scenarios, runbooks, steps, kinds, files, and what options are given.

use std::collections::BTreeSet;

use clap::error::ErrorKind;
use clap::{Command, CommandFactory, Parser};
use cutover_rehearse::scenario;
use cutover_upgrade::strategies;

use super::{Document, alternatives, documents, repository, words};
use crate::args::Arguments;

/// Words of the form of our names that are somebody else's, or name no scenario.
const FOREIGN: [&str; 19] = [
    "apache-avro",
    "aws-lc",
    "cutover-watch",
    "delete-to-tombstone",
    "make-env.sh",
    "not-proven",
    "openssl-sys",
    "p12-keystore",
    "postgres-protocol",
    "rdkafka-sys",
    "request-a.json",
    "result-1",
    "rewrite-with-tombstone",
    "rust-toolchain.toml",
    "rust-version",
    "rustls-no-provider",
    "tokio-postgres-rustls",
    "verify-ca",
    "verify-full",
];

/// Folders that a path of the repository begins with.
const FOLDERS: [&str; 9] = [
    "catalog/",
    "compose/",
    "connectors/",
    "crates/",
    "docs/",
    "monitoring/",
    "real_cli/",
    "scenarios/",
    "sql/",
];

/// Everything that is called like a scenario.
fn known() -> BTreeSet<String> {
    let mut known: BTreeSet<String> = FOREIGN.iter().map(|&word| word.to_owned()).collect();
    known.extend(strategies::ALL.iter().map(|one| one.name.to_owned()));
    for shipped in scenario::ALL {
        let scenario = scenario::find(shipped.name).unwrap();
        let runbook = scenario.runbook();
        known.extend(runbook.steps.into_iter().map(|step| step.step));
        known.extend([scenario.name, scenario.upgrade.kind, runbook.name]);
    }
    known
}

/// Lower case words joined by dashes.
fn is_called_like_one(span: &str) -> bool {
    let word = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty()
            && bytes.all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == b'.')
    };
    span.contains('-')
        && span.starts_with(|one: char| one.is_ascii_lowercase())
        && span.split('-').all(word)
}

#[test]
fn what_is_called_like_a_scenario_is_one_or_a_runbook_a_step_or_a_kind() {
    let known = known();
    let (mut looked_at, mut bad) = (0, Vec::new());
    for document in documents() {
        let spans = document.spans();
        for span in spans.iter().filter(|span| is_called_like_one(span)) {
            looked_at += 1;
            if !known.contains(span) {
                bad.push(format!("{}: nothing is called `{span}`", document.name));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(looked_at > 200, "{looked_at}");
    // It would be found.
    for wrong in ["restore-latset", "pg-upgrade-16-81", "drain-prof"] {
        assert!(
            is_called_like_one(wrong) && !known.contains(wrong),
            "{wrong}"
        );
    }
}

/// A path of the repository that is not there; placeholders and patterns are left alone.
fn lost_path(span: &str) -> bool {
    let pattern = span.contains(['<', '*', ' ', '$', '{', '…']);
    if pattern || !FOLDERS.iter().any(|folder| span.starts_with(folder)) {
        return false;
    }
    let (path, test) = span.split_once("::").unwrap_or((span, ""));
    // Documents call the tests of the program by their own folder.
    let path = match path.strip_prefix("real_cli/") {
        Some(file) => format!("crates/cli/tests/real_cli/{file}"),
        None => path.to_owned(),
    };
    let path = repository().join(path);
    let holds = || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        text.contains(&format!("fn {test}("))
    };
    !path.exists() || !test.is_empty() && !holds()
}

#[test]
fn every_path_of_the_repository_is_there() {
    let (mut looked_at, mut bad) = (0, Vec::new());
    for document in documents() {
        for span in document.spans() {
            // Made by whoever uses the containers.
            if span == "compose/.env" {
                continue;
            }
            looked_at += usize::from(FOLDERS.iter().any(|folder| span.starts_with(folder)));
            if lost_path(&span) {
                bad.push(format!("{}: there is no `{span}`", document.name));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(looked_at > 40, "{looked_at}");
    assert!(!lost_path("scenarios/minor.toml") && lost_path("scenarios/minro.toml"));
    assert!(lost_path("crates/cli/src/main.rs::no_such_test"));
    assert!(lost_path("real_cli/no_such_file.rs"));
}

/// What the parser of the program itself dislikes about a command line of a document. What is missing is no fault: a
/// sentence names a command without all that it needs. A synopsis cannot be parsed.
fn refused(line: &str) -> Option<String> {
    let synopsis = |word: &str| word.contains(['[', '…', '<', '(']) || word.contains("...");
    let mut given: Vec<&str> = words(line);
    if line.split_whitespace().any(synopsis) {
        return None;
    }
    // What a document leaves open and not every text may stand for.
    for word in &mut given {
        *word = match *word {
            "SECONDS" | "N" | "NUMBER" | "MIB" | "ROWS" | "SEED" => "1",
            "SHELL" => "bash",
            other => other,
        };
    }
    let error = Arguments::try_parse_from(["cutover"].into_iter().chain(given)).err()?;
    match error.kind() {
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
        | ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion => None,
        // An option by its name alone.
        ErrorKind::InvalidValue if error.to_string().contains("none was supplied") => None,
        _ => Some(error.to_string()),
    }
}

#[test]
fn the_program_itself_takes_every_command_line_with_its_values() {
    let mut root = Arguments::command();
    root.build();
    let (mut looked_at, mut bad) = (0, Vec::new());
    for document in documents() {
        for line in lines(&document, &root) {
            looked_at += 1;
            if let Some(why) = refused(&line) {
                bad.push(format!("{}: `cutover {line}`: {why}", document.name));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(looked_at > 100, "{looked_at}");
}

/// Command lines; a word alone that is no command is the name of something else.
fn lines(document: &Document, root: &Command) -> Vec<String> {
    let all = document.commands();
    let all = all.iter().flat_map(|line| alternatives(line));
    let is_one = |line: &String| {
        let first = words(line).first().copied().unwrap_or_default();
        first.starts_with('-') || root.find_subcommand(first).is_some()
    };
    all.filter(is_one).collect()
}

#[test]
fn values_that_an_option_does_not_take_are_found() {
    for good in [
        "rehearse minor --seed 1",
        "report RUN --format html -o page.html > out",
        "lint",
        "watch --interval SECONDS",
        "generate --profile wide-copies",
        "bench [WHAT]",
    ] {
        assert_eq!(refused(good), None, "{good}");
    }
    for bad in [
        "rehearse minor --seed one",
        "report RUN --format htm",
        "generate --profile wide",
        "predict --facts FILE --lab",
        "lab config --role nobody",
    ] {
        assert!(refused(bad).is_some(), "{bad}");
    }
}
