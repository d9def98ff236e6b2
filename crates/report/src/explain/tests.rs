//! The registry against the sources: nothing printed without a text, no text without something printed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cutover_model::{FindingKind, PredictedOutcome, ProofLevel, Verdict};

use super::*;

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file below a folder that ends so.
fn files(folder: &Path, end: &str, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, end, into);
        } else if path.to_str().is_some_and(|name| name.ends_with(end)) {
            into.push(path);
        }
    }
}

/// `AAA-BBB-001`: upper case words and a number of three digits, joined by dashes.
fn is_code(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    let upper = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    // Mechanisms of SASL have names of the same form.
    words.len() >= 2
        && words[0] != "SCRAM"
        && words.iter().all(upper)
        && number.len() == 3
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Codes that stand as string literals in the sources, with a file where each stands. This registry is left out.
fn printed() -> BTreeMap<String, PathBuf> {
    let mut sources = Vec::new();
    for entry in std::fs::read_dir(crates()).unwrap() {
        files(&entry.unwrap().path().join("src"), ".rs", &mut sources);
    }
    let mut codes = BTreeMap::new();
    for path in sources {
        if path.components().any(|part| part.as_os_str() == "explain") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for literal in text.split('"').filter(|piece| is_code(piece)) {
            codes.insert(literal.to_owned(), path.clone());
        }
    }
    codes
}

fn texts(families: &[Family]) -> BTreeSet<String> {
    let of = all().filter(|one| families.contains(&one.family));
    of.map(|one| one.code.to_owned()).collect()
}

#[test]
fn every_code_in_the_sources_has_a_text_and_every_text_a_code() {
    let printed = printed();
    assert!(printed.len() > 100, "{}", printed.len());
    let told = texts(&[
        Family::Error,
        Family::Preflight,
        Family::Diagnosis,
        Family::Lint,
    ]);
    let untold: Vec<_> = printed
        .iter()
        .filter(|(code, _)| !told.contains(*code))
        .collect();
    assert!(untold.is_empty(), "without a text: {untold:#?}");
    let orphans: Vec<_> = told
        .iter()
        .filter(|code| !printed.contains_key(*code))
        .collect();
    assert!(orphans.is_empty(), "texts of nothing: {orphans:?}");
}

#[test]
fn kinds_of_findings_checks_outcomes_levels_and_verdicts_have_their_texts() {
    let kinds: BTreeSet<String> = FindingKind::ALL
        .iter()
        .map(|kind| kind.name().into())
        .collect();
    assert_eq!(texts(&[Family::Finding]), kinds);
    let mut checks = Vec::new();
    files(&crates().join("audit/src/checks"), ".sql", &mut checks);
    let checks: BTreeSet<String> = checks
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(texts(&[Family::Check]), checks);
    use PredictedOutcome::{Refuses, Repeats, Resnapshots, Resumes, Skips};
    let outcomes = [Resumes, Refuses, Resnapshots, Skips, Repeats];
    let outcomes: BTreeSet<String> = outcomes.iter().map(ToString::to_string).collect();
    assert_eq!(texts(&[Family::Prediction]), outcomes);
    use ProofLevel::{P0, P1, P2, P3, P4};
    let mut promised: BTreeSet<String> = (1..=16).map(|number| format!("I{number}")).collect();
    promised.extend([P0, P1, P2, P3, P4].map(|level| level.to_string()));
    promised.extend([Verdict::Pass, Verdict::Unknown, Verdict::Fail].map(|word| word.to_string()));
    assert_eq!(texts(&[Family::Guarantee]), promised);
}

#[test]
fn every_text_says_four_things_and_no_code_has_two() {
    let mut seen = BTreeSet::new();
    for one in all() {
        assert!(
            seen.insert(one.code.to_ascii_lowercase()),
            "{} twice",
            one.code
        );
        for words in [one.means, one.look_at, one.likely_cause, one.do_next] {
            assert!(
                words.len() > 4 && words.ends_with('.'),
                "{}: {words}",
                one.code
            );
        }
    }
}

#[test]
fn a_word_is_found_in_any_case_and_with_what_follows_it() {
    for word in ["i1", "I1 complete", " I1 "] {
        assert_eq!(find(word).unwrap().code, "I1", "{word}");
    }
    assert_eq!(find("pre-disk-001").unwrap().code, "PRE-DISK-001");
    assert_eq!(find("PRE-DISK-999"), None);
    assert_eq!(find(""), None);
}

#[test]
fn a_text_is_told_in_lines_that_fit() {
    for one in all() {
        let text = told(one);
        assert!(
            text.lines().all(|line| line.chars().count() <= WIDTH),
            "{text}"
        );
    }
    assert_eq!(list().lines().count(), all().count());
}

#[test]
fn what_is_no_code_is_not_taken_for_one() {
    for text in [
        "UTF-8",
        "META-INF",
        "LAB-MAVEN",
        "PG-x-001",
        "A-B-001",
        "CUT-LINT-01",
    ] {
        assert!(!is_code(text), "{text}");
    }
    assert!(is_code("CUT-LINT-001"));
}
