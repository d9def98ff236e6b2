//! The transcript of the guide to the first hour is true: its commands are run in its order, in a shell, and what it
//! shows is what they say.

use std::path::Path;
use std::process::Command;

use crate::site::{Site, text};
use crate::transcript::{entered, lines, missing};

const GUIDE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../docs/guides/first-hour.md"
);

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
    let all = entered(&std::fs::read_to_string(GUIDE).unwrap());
    assert!(all.len() >= 15, "{}", all.len());
    let mut wrong = None;
    for one in &all {
        let output = shell(&site, &one.line);
        let said = text(&output);
        let code = output.status.code();
        if code != Some(one.code) {
            wrong = Some(format!("$ {}\nended with {code:?}:\n{said}", one.line));
        } else if let Some(line) = missing(&one.shown, &lines(&said)) {
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
