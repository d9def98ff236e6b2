//! Documents name nothing that is not there: every `cutover …` line is walked through the argument tree, and scenarios,
//! anomalies, codes, options and the evidence of the guides are looked up. A document that is ahead of the program, or
//! behind it, fails here.

mod names;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory, Parser};
use cutover_report::explain;
use serde::Deserialize;

use crate::args::Arguments;

/// Options of other programs that stand alone in a document.
const FOREIGN_OPTIONS: [&str; 3] = ["--check", "--link", "--release"];

/// What a section of a guide says about its evidence begins with one of these.
const SHOWN: &str = "Shown by: ";
const NOT_SHOWN: &str = "Not shown here: ";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

struct Document {
    name: String,
    text: String,
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, into);
        } else if path.extension().is_some_and(|end| end == "md") {
            into.push(path);
        }
    }
}

fn documents() -> Vec<Document> {
    let mut paths = Vec::new();
    for folder in ["docs", "compose"] {
        collect(&repository().join(folder), &mut paths);
    }
    for file in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        paths.push(repository().join(file));
    }
    paths.sort();
    let read = |path: PathBuf| Document {
        name: path
            .strip_prefix(repository())
            .unwrap()
            .display()
            .to_string(),
        text: std::fs::read_to_string(&path).unwrap(),
    };
    paths.into_iter().map(read).collect()
}

impl Document {
    fn is_guide(&self) -> bool {
        self.name.starts_with("docs/guides/") && self.name != "docs/guides/README.md"
    }

    /// Paragraphs outside of code blocks, each in one line, and the lines inside of them.
    fn parts(&self) -> (Vec<String>, Vec<String>) {
        let (mut paragraphs, mut code) = (vec![String::new()], Vec::new());
        let mut inside = false;
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
                paragraphs.push(String::new());
            } else if inside {
                code.push(line.to_owned());
            } else if line.is_empty() || line.starts_with(['#', '|']) {
                paragraphs.push(line.to_owned());
                paragraphs.push(String::new());
            } else if let Some(last) = paragraphs.last_mut() {
                last.push_str(line.trim());
                last.push(' ');
            }
        }
        paragraphs.retain(|paragraph| !paragraph.is_empty());
        (paragraphs, code)
    }

    /// What stands between backticks.
    fn spans(&self) -> Vec<String> {
        let (paragraphs, _) = self.parts();
        paragraphs
            .iter()
            .flat_map(|paragraph| spans(paragraph))
            .collect()
    }

    /// `cutover …` in spans and in code blocks, without the program's name.
    fn commands(&self) -> Vec<String> {
        let (_, code) = self.parts();
        let spans = self.spans();
        let lines = code.iter().map(|line| line.trim().trim_start_matches("$ "));
        let all = lines.chain(spans.iter().map(String::as_str));
        all.filter_map(|line| line.strip_prefix("cutover ").map(str::to_owned))
            .collect()
    }
}

fn spans(paragraph: &str) -> Vec<String> {
    let pieces: Vec<&str> = paragraph.split('`').collect();
    pieces
        .iter()
        .skip(1)
        .step_by(2)
        .map(|span| span.trim().to_owned())
        .collect()
}

/// Names of shipped scenarios.
fn scenarios() -> BTreeSet<String> {
    let files = std::fs::read_dir(repository().join("scenarios")).unwrap();
    let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned());
    names.map(|name| name.into_string().unwrap()).collect()
}

/// What is wrong with a command line; placeholders may stand for values.
fn wrong(line: &str, scenarios: &BTreeSet<String>) -> Result<(), String> {
    let mut root = Arguments::command();
    root.build();
    let mut here = &root;
    let mut value_follows = false;
    for word in words(line) {
        if std::mem::take(&mut value_follows) && !word.starts_with('-') {
            continue;
        }
        if word.starts_with('-') {
            value_follows = option(here, word)?;
        } else if here.has_subcommands() {
            let below = here.find_subcommand(word);
            here = below.ok_or_else(|| format!("'{}' has no '{word}'", here.get_name()))?;
        } else {
            positional(here, word, scenarios)?;
        }
    }
    Ok(())
}

/// The words of a command line up to the shell's own, without brackets and dots.
fn words(line: &str) -> Vec<&str> {
    let shell = [">", ">>", "|", "&&", "#", "2>"];
    let words = line
        .split_whitespace()
        .take_while(|word| !shell.contains(word));
    let bare = words.map(|word| word.trim_matches(|one: char| "[](){},;:…\"'.".contains(one)));
    bare.filter(|word| !word.is_empty()).collect()
}

/// Whether the option is known here; gives whether a value follows it.
fn option(here: &Command, word: &str) -> Result<bool, String> {
    let (name, value) = word
        .split_once('=')
        .map_or((word, None), |(name, value)| (name, Some(value)));
    let bare = name.trim_start_matches('-');
    let known = here.get_arguments().find(|argument| {
        argument.get_long() == Some(bare)
            || argument
                .get_short()
                .is_some_and(|short| bare == short.to_string())
    });
    match known {
        Some(argument) => Ok(value.is_none() && argument.get_action().takes_values()),
        None if matches!(bare, "help" | "h" | "version" | "V") => Ok(false),
        None => Err(format!("'{}' has no {name}", here.get_name())),
    }
}

fn positional(here: &Command, word: &str, scenarios: &BTreeSet<String>) -> Result<(), String> {
    let upper = word.chars().all(|one| !one.is_ascii_lowercase());
    let placeholder = upper || word.starts_with('<') || word.contains('/');
    match here.get_name() {
        "rehearse" if !placeholder && !word.ends_with(".toml") && !scenarios.contains(word) => {
            Err(format!("there is no scenario '{word}'"))
        }
        "explain" if word != "CODE" && explain::find(word).is_none() => {
            Err(format!("nothing is known of '{word}'"))
        }
        name if here.get_positionals().next().is_none() => {
            Err(format!("'{name}' takes no '{word}'"))
        }
        _ => Ok(()),
    }
}

#[test]
fn every_command_line_is_one_of_the_program() {
    let scenarios = scenarios();
    let (mut looked_at, mut bad) = (0, Vec::new());
    for document in documents() {
        for line in document.commands() {
            for line in alternatives(&line) {
                looked_at += 1;
                if let Err(why) = wrong(&line, &scenarios) {
                    bad.push(format!("{}: `cutover {line}`: {why}", document.name));
                }
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(looked_at > 100, "{looked_at}");
}

/// `bench audit\|topics` is two command lines. A single `|` is the shell's.
fn alternatives(line: &str) -> Vec<String> {
    let joined = line.replace("\\|", "|");
    let Some(word) = joined
        .split(' ')
        .find(|word| word.contains('|') && word.len() > 1)
    else {
        return vec![joined];
    };
    let each = word.split('|').map(|one| joined.replacen(word, one, 1));
    each.collect()
}

#[test]
fn what_is_no_command_line_is_found() {
    let scenarios = scenarios();
    let told = |line: &str| wrong(line, &scenarios);
    for good in [
        "rehearse minor --seed 1",
        "rehearse [SCENARIO…] --plan-only",
        "connector offsets set --lsn X/Y --apply NAME",
        "lab up",
        "explain I1",
        "report RUN --format html -o page.html > out",
        "--output json doctor",
    ] {
        assert_eq!(told(good), Ok(()), "{good}");
    }
    for bad in [
        "rehears minor",
        "rehearse minro",
        "rehearse --sead 1",
        "connector offset show",
        "lab up --purge",
        "explain CUT-NOTHING-001",
        "config keys something",
    ] {
        assert!(told(bad).is_err(), "{bad}");
    }
    assert_eq!(alternatives("bench audit\\|topics").len(), 2);
}

#[test]
fn scenarios_options_and_codes_in_the_guides_exist() {
    let mut root = Arguments::command();
    root.build();
    let mut options = BTreeSet::new();
    every_option(&root, &mut options);
    let mut bad = Vec::new();
    for document in documents() {
        for span in document.spans() {
            let first = span.split([' ', '=']).next().unwrap_or_default();
            if first.starts_with("--")
                && !options.contains(first)
                && !FOREIGN_OPTIONS.contains(&first)
            {
                bad.push(format!("{}: no command has {first}", document.name));
            }
            if is_code(&span) && explain::find(&span).is_none() {
                bad.push(format!("{}: nothing is known of {span}", document.name));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
}

fn every_option(command: &Command, into: &mut BTreeSet<String>) {
    let long = command.get_arguments().filter_map(clap::Arg::get_long);
    into.extend(long.map(|name| format!("--{name}")));
    command
        .get_subcommands()
        .for_each(|below| every_option(below, into));
}

/// `AAA-BBB-001`.
fn is_code(span: &str) -> bool {
    let parts: Vec<&str> = span.split('-').collect();
    let upper = |part: &&str| part.len() > 1 && part.bytes().all(|one| one.is_ascii_uppercase());
    match parts.split_last() {
        Some((number, words)) => {
            words.len() > 1
                && words.iter().all(upper)
                && number.len() == 3
                && number.bytes().all(|one| one.is_ascii_digit())
        }
        None => false,
    }
}

#[test]
fn every_anomaly_that_is_named_is_told() {
    let told = std::fs::read_to_string(repository().join("docs/anomalies.md")).unwrap();
    let (mut looked_at, mut bad) = (0, Vec::new());
    for document in documents() {
        for number in anomalies(&document.text) {
            looked_at += 1;
            // The form that entries have is numbered 000.
            if number != "A-000" && !told.contains(&format!("\n## {number}: ")) {
                bad.push(format!("{}: {number}", document.name));
            }
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(looked_at > 40, "{looked_at}");
}

fn anomalies(text: &str) -> Vec<&str> {
    let places = text.match_indices("A-").map(|(at, _)| at);
    let alone = |at: usize| !text[..at].ends_with(|one: char| one.is_alphanumeric() || one == '-');
    places
        .filter(|at| alone(*at))
        .filter_map(|at| text.get(at..at + 5))
        .filter(|number| number[2..].bytes().all(|one| one.is_ascii_digit()))
        .collect()
}

#[test]
fn every_section_of_a_guide_says_what_shows_it() {
    let scenarios = scenarios();
    let (mut sections, mut bad) = (0, Vec::new());
    for document in documents().iter().filter(|one| one.is_guide()) {
        let generated = document.text.contains("This page is written by a test");
        let heads = document.text.matches("\n## ").count();
        let (paragraphs, _) = document.parts();
        let evidence: Vec<&String> = paragraphs
            .iter()
            .filter(|one| one.starts_with(SHOWN) || one.starts_with(NOT_SHOWN))
            .collect();
        sections += heads;
        if !generated && evidence.len() < heads {
            let name = &document.name;
            bad.push(format!(
                "{name}: {heads} sections, {} with evidence",
                evidence.len()
            ));
        }
        for paragraph in evidence.iter().filter(|one| one.starts_with(SHOWN)) {
            let named = spans(paragraph);
            if named.is_empty() && anomalies(paragraph).is_empty() {
                bad.push(format!(
                    "{}: nothing is named in '{paragraph}'",
                    document.name
                ));
            }
            let unknown = named.iter().filter(|span| !is_evidence(span, &scenarios));
            bad.extend(unknown.map(|span| format!("{}: no evidence: `{span}`", document.name)));
        }
    }
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(sections > 30, "{sections}");
}

/// A scenario, a command, a file, or a test in a file.
fn is_evidence(span: &str, scenarios: &BTreeSet<String>) -> bool {
    if scenarios.contains(span) || span.starts_with("cutover ") || span.starts_with("cargo x ") {
        return true;
    }
    let (path, test) = span.split_once("::").unwrap_or((span, ""));
    let text = std::fs::read_to_string(repository().join(path));
    let holds = |text: String| test.is_empty() || text.contains(&format!("fn {test}("));
    path.contains('/') && text.is_ok_and(holds)
}

/// Of a compose file, what this test looks at.
#[derive(Deserialize)]
struct Compose {
    services: std::collections::BTreeMap<String, Service>,
}

#[derive(Deserialize)]
struct Service {
    image: String,
    #[serde(default)]
    command: Vec<String>,
}

#[test]
fn the_containers_call_the_program_as_it_is() {
    let mut looked_at = 0;
    for file in ["compose.yaml", "request.yaml"] {
        let text = std::fs::read_to_string(repository().join("compose").join(file)).unwrap();
        let compose: Compose = serde_norway::from_str(&text).unwrap();
        for (name, service) in compose.services {
            if service.image.starts_with("cutover:") {
                let line = std::iter::once("cutover".to_owned()).chain(service.command);
                let parsed = Arguments::try_parse_from(line);
                assert!(parsed.is_ok(), "{file}: {name}: {}", parsed.unwrap_err());
                looked_at += 1;
            }
        }
    }
    assert_eq!(looked_at, 3);
}
