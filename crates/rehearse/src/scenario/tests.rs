//! The shipped scenarios, and what is said about wrong ones.

use super::*;

fn shipped(name: &str) -> String {
    let found = ALL.iter().find(|shipped| shipped.name == name).unwrap();
    found.text.to_owned()
}

#[test]
fn every_shipped_scenario_parses_and_every_file_is_shipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    files.sort();
    let mut names: Vec<String> = ALL
        .iter()
        .map(|shipped| find(shipped.name).unwrap().name)
        .collect();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn a_misspelt_key_is_named_with_the_right_one() {
    let text = shipped("minor").replace("changes_before", "change_before");
    let error = parse("mine.toml", &text).unwrap_err().to_string();
    assert!(
        error.contains("change_before") && error.contains("'changes_before'"),
        "{error}"
    );
}

#[test]
fn an_expectation_that_proves_nothing_is_refused() {
    for wrong in ["\"unknown\"", "\"fail\""] {
        let text = ALL[0]
            .text
            .replace("verdict = \"pass\"", &format!("verdict = {wrong}"));
        assert!(parse("x", &text).is_err(), "{wrong}");
    }
}

#[test]
fn an_unknown_scenario_or_runbook_suggests_the_nearest() {
    let error = find("minro").unwrap_err().to_string();
    assert!(error.contains("did you mean 'minor'"), "{error}");
    let text = shipped("minor").replace("minor-proven", "minor-prove");
    let error = parse("x", &text).unwrap_err().to_string();
    assert!(error.contains("'minor-proven'"), "{error}");
}

#[test]
fn versions_that_the_runbook_cannot_do_are_refused_before_anything_starts() {
    let minor = ALL.iter().find(|shipped| shipped.name == "minor").unwrap();
    let text = minor.text.replace("\"16.14\"", "\"18.4\"");
    let error = parse("x", &text).unwrap_err().to_string();
    assert!(error.contains("another major version"), "{error}");
}
