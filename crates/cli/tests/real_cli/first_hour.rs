//! The transcript of the guide to the first hour is true: its commands are run in its order, in a shell, and what it
//! shows is what they say. Numbers may differ, and a line that ends with an ellipsis goes on.

use std::path::Path;
use std::process::Command;

use crate::site::{Site, text};

const GUIDE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/guides/first-hour.md"
);

/// A command with what the guide shows below it.
struct Entered {
    line: String,
    shown: Vec<String>,
    code: i32,
}

/// Everything in blocks that begin with ```console.
fn entered() -> Vec<Entered> {
    let guide = std::fs::read_to_string(GUIDE).unwrap();
    let mut all: Vec<Entered> = Vec::new();
    for block in guide.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap().lines() {
            if let Some(command) = line.strip_prefix("$ ") {
                all.push(Entered {
                    line: command.to_owned(),
                    shown: Vec::new(),
                    code: 0,
                });
                continue;
            }
            let last = all.last_mut().unwrap();
            match line.strip_prefix("(exit code ") {
                Some(code) => last.code = code.trim_end_matches(')').parse().unwrap(),
                None => last.shown.push(line.to_owned()),
            }
        }
    }
    all
}

/// Words; one with a digit in it stands for all such words.
fn words(line: &str) -> Vec<&str> {
    let number = |word: &str| word.contains(|one: char| one.is_ascii_digit());
    let words = line.split_whitespace();
    words
        .map(|word| if number(word) { "#" } else { word })
        .collect()
}

fn agrees(shown: &str, said: &str) -> bool {
    match shown.trim_end().strip_suffix('…') {
        Some(beginning) => words(said).starts_with(&words(beginning)),
        None => words(said) == words(shown),
    }
}

/// The shown lines stand in what was said, in this order.
fn missing<'a>(entered: &'a Entered, said: &str) -> Option<&'a str> {
    let mut left = said.lines();
    let shown = entered.shown.iter().filter(|line| !line.trim().is_empty());
    let mut wanted = shown.filter(|line| line.trim() != "…");
    wanted
        .find(|line| !left.any(|said| agrees(line, said)))
        .map(String::as_str)
}

/// The program's folder first, so that `cutover` is the one under test.
fn path() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_cutover"));
    let folder = program.parent().unwrap().display();
    format!("{folder}:{}", std::env::var("PATH").unwrap())
}

fn shell(site: &Site, line: &str) -> std::process::Output {
    Command::new("bash")
        .args(["-c", line])
        .current_dir(site.folder.path())
        .env("PATH", path())
        .env("CUTOVER_STATE", site.path("state"))
        .env_remove("CUTOVER_RUNS")
        .env("NO_COLOR", "1")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_first_hour_is_as_the_guide_tells_it() {
    let site = Site::new();
    let all = entered();
    assert!(all.len() >= 15, "{}", all.len());
    let mut wrong = None;
    for one in &all {
        let output = shell(&site, &one.line);
        let said = text(&output);
        let code = output.status.code();
        if code != Some(one.code) {
            wrong = Some(format!("$ {}\nended with {code:?}:\n{said}", one.line));
        } else if let Some(line) = missing(one, &said) {
            wrong = Some(format!("$ {}\ndoes not say '{line}':\n{said}", one.line));
        }
        if wrong.is_some() {
            break;
        }
    }
    // Whatever happened, nothing of it stays.
    site.run(&["lab", "down", "--purge"]);
    assert!(wrong.is_none(), "{}", wrong.unwrap_or_default());
    assert!(all.iter().any(|one| one.line == "cutover lab down --purge"));
}

#[test]
fn numbers_may_differ_and_words_may_not() {
    assert!(agrees("ended in 0.5 s", "ended in 12.5 s"));
    assert!(agrees(
        "step 1 proved: slot …",
        "step 9 proved: slot free, and more"
    ));
    assert!(!agrees("ended in 0.5 s", "ended badly in 0.5 s"));
    assert!(!agrees("ended", "ended in 0.5 s"));
}
