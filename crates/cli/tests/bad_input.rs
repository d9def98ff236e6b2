//! Bad input to the real binary: one line of cause, the remedy, the exit code, nothing half done.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/site.rs"]
mod site;

use site::{Site, text};

/// Runs, and checks code and words.
fn refused(site: &Site, args: &[&str], code: i32, words: &[&str]) {
    let output = site.run(args);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    for word in words {
        assert!(said.contains(word), "{args:?} does not say {word}: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn unknown_scenario_runbook_key_and_flag_are_named_with_the_right_one() {
    let site = Site::new();
    refused(
        &site,
        &["rehearse", "minro"],
        2,
        &["'minro'", "did you mean 'minor'"],
    );
    refused(&site, &["rehearse", "--sead", "1"], 2, &["--sead"]);
    refused(&site, &["rehearse", "./absent.toml"], 2, &["absent.toml"]);
    let short = std::fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/support/short.toml"
    ));
    let wrong = short.unwrap().replace("changes_after", "change_after");
    let path = site.path("wrong.toml");
    std::fs::write(&path, wrong).unwrap();
    let path = path.to_str().unwrap();
    refused(
        &site,
        &["rehearse", path],
        2,
        &["change_after", "'changes_after'"],
    );
    assert!(
        !site.path("runs").exists(),
        "a refused command must not make a run folder"
    );
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let site = Site::new();
    let absent = site.path("absent");
    refused(&site, &["verify", absent.to_str().unwrap()], 2, &["absent"]);
    let empty = site.path("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(
        &site,
        &["verify", empty.to_str().unwrap()],
        2,
        &["run.toml"],
    );
}

#[test]
fn a_run_of_a_newer_format_is_refused_and_a_torn_one_too() {
    let site = Site::new();
    let newer = site.path("newer");
    std::fs::create_dir(&newer).unwrap();
    std::fs::write(
        newer.join("run.toml"),
        "format = \"cutover.run/9\"\nnew_field = 1\n",
    )
    .unwrap();
    refused(
        &site,
        &["verify", newer.to_str().unwrap()],
        2,
        &["cutover.run/9"],
    );
    std::fs::write(newer.join("run.toml"), "format = \"cutov").unwrap();
    refused(
        &site,
        &["verify", newer.to_str().unwrap()],
        2,
        &["run.toml"],
    );
}

#[test]
fn tools_that_are_missing_are_named_with_what_installs_them() {
    let site = Site::new();
    let empty = site.path("empty-cache");
    let mut command = site.command(&["lab", "fetch", "kafka-4.3.1"]);
    let output = command
        .env("PATH", site.path("nothing"))
        .env("CUTOVER_CACHE", &empty)
        .output()
        .unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("LAB-JAVA-001") || said.contains("LAB-MAVEN"),
        "{said}"
    );
    assert!(said.contains("try:"), "{said}");
    let mut command = site.command(&["lab", "fetch", "postgres-16.2"]);
    let output = command
        .env("PATH", site.path("nothing"))
        .env("CUTOVER_CACHE", &empty)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));
}

#[test]
fn a_cache_that_cannot_be_written_is_refused() {
    let site = Site::new();
    let output = site
        .command(&["lab", "fetch", "postgres-16.2"])
        .env("CUTOVER_CACHE", "/proc/cutover-cache")
        .output()
        .unwrap();
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("/proc/cutover-cache") && said.contains("CUTOVER_CACHE"),
        "{said}"
    );
}

#[test]
fn an_unknown_part_is_answered_with_what_there_is() {
    let site = Site::new();
    refused(&site, &["lab", "fetch", "kafka-9"], 2, &["4.3.1"]);
    refused(&site, &["lab", "fetch", "nonsense"], 2, &["nonsense"]);
    refused(&site, &["lab", "logs", "kafka"], 2, &["kafka"]);
}

#[test]
fn a_lab_that_is_not_there_can_be_asked_about() {
    let site = Site::new();
    let status = site.run(&["lab", "status"]);
    assert_eq!(status.status.code(), Some(0), "{}", text(&status));
    refused(&site, &["lab", "down"], 3, &["LAB-STATE-001"]);
}
