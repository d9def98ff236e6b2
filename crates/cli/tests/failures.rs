//! Exit code 1 is that of a defect: what a user or a machine causes has another one, with its cause and its remedy.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on has failed; the binary under test is not a lab service"
)]

#[path = "support/hostile_run.rs"]
mod hostile_run;
#[path = "support/site.rs"]
mod site;

use std::fs::File;
use std::process::{Command, Output, Stdio};

use site::{Site, text};

/// One line of cause, a remedy, code and exit code.
fn ended(output: &Output, exit: i32, code: &str) {
    let said = text(output);
    assert_eq!(output.status.code(), Some(exit), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in [
        "error: ",
        "\n  try: ",
        &format!("code: {code} (exit {exit})"),
    ] {
        assert!(said.contains(word), "no {word}: {said}");
    }
}

fn judged(site: &Site) -> String {
    let run = site.path("run");
    hostile_run::write(&run, 3);
    let run = run.to_str().unwrap().to_owned();
    assert_eq!(site.run(&["verify", &run]).status.code(), Some(4));
    run
}

#[test]
fn a_report_that_cannot_be_written_is_the_fault_of_its_place() {
    let site = Site::new();
    let run = judged(&site);
    let report = |file: &str| site.run(&["report", &run, "--format", "md", "-o", file]);
    let absent = site.path("absent/report.md");
    ended(&report(absent.to_str().unwrap()), 2, "CLI-REPORT-001");
    ended(&report(&run), 2, "CLI-REPORT-001");
    ended(&report("/proc/report.md"), 2, "CLI-REPORT-001");
    // A full disk.
    ended(&report("/dev/full"), 3, "CLI-REPORT-001");
    // What is no file is written into, not replaced.
    let device = std::fs::metadata("/dev/full").unwrap();
    assert!(!device.is_file());
    assert_eq!(report("/dev/null").status.code(), Some(0));
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
}

/// With stdout on something that takes nothing.
fn into(mut command: Command, stdout: Stdio) -> Output {
    let child = command.stdout(stdout).stderr(Stdio::piped()).spawn();
    child.unwrap().wait_with_output().unwrap()
}

#[test]
fn a_result_that_nobody_gets_is_no_success_and_no_defect() {
    let site = Site::new();
    let full = || Stdio::from(File::create("/dev/full").unwrap());
    let closed = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    for arguments in [&["explain"][..], &["--help"], &["completions", "bash"]] {
        let output = into(site.command(arguments), full());
        ended(&output, 5, "CLI-OUTPUT-001");
        ended(
            &into(site.command(arguments), closed()),
            5,
            "CLI-OUTPUT-001",
        );
    }
    // What was found stays found.
    let run = judged(&site);
    let output = into(site.command(&["verify", &run]), full());
    ended(&output, 4, "CLI-OUTPUT-001");
    let mut command = site.command(&["rehearse", "minro", "--output", "json"]);
    command.stderr(Stdio::null());
    let mut child = command.stdout(closed()).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn a_closed_stderr_changes_no_exit_code() {
    let site = Site::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = site.command(&["rehearse", "minro"]);
    let mut child = command.stderr(Stdio::from(writer)).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn temporary_folders_that_cannot_be_used_are_named() {
    let site = Site::new();
    let absent = site.path("absent");
    let generate = ["generate", "--postgres", "postgresql://u@127.0.0.1:1/d"];
    let output = site.command(&generate).env("TMPDIR", &absent).output();
    let output = output.unwrap();
    ended(&output, 3, "CLI-TEMP-001");
    assert!(text(&output).contains(absent.to_str().unwrap()));
}

#[test]
fn folders_and_files_that_cannot_be_used_are_named() {
    let site = Site::new();
    let file = site.path("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("below");
    let below = below.to_str().unwrap();
    ended(&site.run(&["man", "--dir", below]), 2, "CLI-MAN-001");
    // The run folder is made before any server is started.
    let rehearse = ["rehearse", "minor", "--runs", below];
    ended(&site.run(&rehearse), 3, "REH-FOLDER-001");
    let proc = ["rehearse", "minor", "--runs", "/proc/runs"];
    ended(&site.run(&proc), 3, "REH-FOLDER-001");
    let state = site
        .command(&["lab", "down"])
        .env("CUTOVER_STATE", below)
        .output();
    let said = text(state.as_ref().unwrap());
    assert_eq!(state.unwrap().status.code(), Some(3), "{said}");
    let facts = ["predict", "--facts", site.folder.path().to_str().unwrap()];
    ended(&site.run(&facts), 2, "CLI-PREDICT-001");
    let init = ["init", "-o", below, "--connect", "http://127.0.0.1:1"];
    ended(&site.run(&init), 6, "CONNECT-UNREACHABLE-001");
}

#[test]
fn a_ledger_that_is_none_makes_it_unknown_and_is_named() {
    let site = Site::new();
    let run = judged(&site);
    let ledger = site.path("run/ledger/committed");
    std::fs::remove_dir_all(&ledger).unwrap();
    std::fs::write(&ledger, "").unwrap();
    let output = site.run(&["gap", "show", &run]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(
        said.contains("the committed ledger cannot be read"),
        "{said}"
    );
}
