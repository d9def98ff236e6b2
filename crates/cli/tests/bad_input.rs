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
fn addresses_that_are_none_are_refused_and_a_password_in_one_is_not_repeated() {
    let site = Site::new();
    let good = "postgresql://u@127.0.0.1:1/d";
    let with = "postgresql://u:hunter2@127.0.0.1:1/d";
    refused(&site, &["compare"], 2, &["DATABASE"]);
    let one = ["CONFIG-MISSING-001", "postgres.address"];
    refused(&site, &["compare", good], 2, &one);
    refused(
        &site,
        &["compare", "rubbish", good],
        2,
        &["CONFIG-POSTGRES-001", "the left database"],
    );
    let output = site.run(&["compare", good, with]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(!text(&output).contains("hunter2"), "{}", text(&output));
    refused(&site, &["compare", good, good], 6, &["127.0.0.1:1"]);
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

/// The case that looks healthy everywhere and loses everything: the offset is ahead of the new server's log.
const AHEAD: &str = r#"{ "debezium": "3.6.3", "options": { "snapshot.mode": "no_data", "name": "o\u001b[2Jrders" },
  "offset": { "lsn": "0/4497900", "lsn_proc": "0/4497900", "lsn_commit": "0/4497700" },
  "slot": { "restart_lsn": "0/1923928", "confirmed_flush_lsn": "0/1923960" },
  "server": { "version": "17.11", "system_id": "2", "timeline": 1, "current_lsn": "0/1929A00",
              "in_recovery": false } }"#;

#[test]
fn a_prediction_ends_with_zero_only_if_the_connector_resumes() {
    let site = Site::new();
    let file = site.path("facts.json");
    let path = file.to_str().unwrap().to_owned();
    std::fs::write(&file, AHEAD).unwrap();
    let words = [
        "SKIPS",
        "0/4497900",
        "passing the offset",
        "because",
        "remedy",
    ];
    refused(&site, &["predict", "--facts", &path], 3, &words);
    let said = text(&site.run(&["predict", "--facts", &path]));
    assert!(!said.contains('\u{1b}'), "{said}");
    let json = site.run(&["predict", "--facts", &path, "--output", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(told["format"], "cutover.prediction/1");
    assert_eq!(told["outcome"], "skips");
    assert_eq!(told["repairable"], true);
    std::fs::write(&file, AHEAD.replace("0/1929A00", "0/5000000")).unwrap();
    let output = site.run(&["predict", "--facts", &path]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn facts_that_are_none_are_refused_with_the_reason() {
    let site = Site::new();
    let file = site.path("facts.json");
    let path = file.to_str().unwrap().to_owned();
    let wrong = |from: &str, to: &str, words: &[&str]| {
        std::fs::write(&file, AHEAD.replace(from, to)).unwrap();
        refused(&site, &["predict", "--facts", &path], 2, words);
    };
    wrong(
        "lsn_commit",
        "lsn_comit",
        &["lsn_comit", "did you mean 'lsn_commit'", "CUT-FACTS-001"],
    );
    wrong("0/4497900", "71923968", &["71923968", "not an LSN"]);
    wrong("3.6.3", "1.9.7", &["1.9.7", "2.0.0 to 3.7"]);
    wrong("no_data", "nodata", &["nodata", "did you mean 'no_data'"]);
    wrong("{", "[", &["CUT-FACTS-001"]);
    refused(&site, &["predict"], 2, &["--facts"]);
    refused(&site, &["predict", "--facts", "/nowhere"], 2, &["/nowhere"]);
    refused(&site, &["predict", "--lab"], 3, &["no lab"]);
}

#[test]
fn a_configuration_is_linted_and_translated_without_its_password() {
    let site = Site::new();
    let file = site.path("connector.json");
    let path = file.to_str().unwrap().to_owned();
    let config = r#"{"name": "a", "config": {"snapshot.mode": "never", "topic.prefix": "cdc",
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "plugin.name": "pgoutput", "publication.autocreate.mode": "disabled",
        "database.password": "hunter2"}}"#;
    std::fs::write(&file, config).unwrap();
    let lint = |more: &[&str]| {
        let args = [&["lint", "--config", &path, "--debezium"], more].concat();
        let output = site.run(&args);
        assert!(!text(&output).contains("hunter2"));
        output
    };
    let old = lint(&["2.4.0"]);
    assert_eq!(old.status.code(), Some(0), "{}", text(&old));
    let new = lint(&["3.6.3"]);
    assert_eq!(new.status.code(), Some(3), "{}", text(&new));
    assert!(text(&new).contains("CUT-LINT-003"));
    let translated = lint(&["2.4.0", "--to", "3.6.3", "--output", "json"]);
    assert_eq!(translated.status.code(), Some(0));
    let told: serde_json::Value = serde_json::from_slice(&translated.stdout).unwrap();
    assert_eq!(told["translation"]["config"]["snapshot.mode"], "no_data");
    assert_eq!(told["translation"]["withheld"][0], "database.password");
    std::fs::write(&file, "no json").unwrap();
    refused(
        &site,
        &["lint", "--config", &path, "--debezium", "3.6.3"],
        2,
        &["no JSON"],
    );
    refused(
        &site,
        &["lint", "--config", &path, "--debezium", "3.6"],
        2,
        &["third number"],
    );
}

/// Every answer names the place and the remedy, and no value: any of them may be a password.
#[test]
fn a_configuration_that_cannot_be_used_is_refused_without_its_values() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new();
    let path = site.path("cutover.toml");
    let show = |content: &str, words: &[&str]| {
        std::fs::write(&path, content).unwrap();
        let args = ["config", "show", "--config", path.to_str().unwrap()];
        refused(&site, &args, 2, words);
        let said = text(&site.run(&args));
        assert!(!said.contains("canary") && said.contains("try:"), "{said}");
    };
    show(
        "[postgres]\npasword = \"canary\"\n",
        &["line 2", "did you mean 'password'", "CONFIG-KEY-001"],
    );
    show(
        "[postgres]\npassword = \"canary\"\n",
        &["open to others", "chmod 600", "CONFIG-SECRET-001"],
    );
    show(
        "[postgres]\npassword = \"${env:CUTOVER_TEST_ABSENT}\"\n",
        &["CUTOVER_TEST_ABSENT is not set"],
    );
    show(
        "[postgres]\naddress = \"postgresql://canary:x@h/d?sslmode=require\"\n",
        &["open to others"],
    );
    show(
        "[postgres]\naddress = \"host=h user=u dbname=d sslmode=never\"\n",
        &["sslmode", "CONFIG-POSTGRES-001"],
    );
    show(
        "[postgres]\nservice = \"absent\"\n",
        &["'absent'", "CONFIG-POSTGRES-001"],
    );
    show("[kafka]\nbootstrap = canary\n", &["no TOML"]);
    show("version = 3\n", &["version 3", "CONFIG-VERSION-001"]);
    let properties = site.path("client.properties");
    let jaas = "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=GSSAPI\n\
        sasl.jaas.config=x.Krb5LoginModule required password=\"canary\";\n";
    std::fs::write(&properties, jaas).unwrap();
    std::fs::set_permissions(&properties, PermissionsExt::from_mode(0o600)).unwrap();
    show(
        "[kafka]\nproperties = \"client.properties\"\n",
        &["sasl.jaas.config", "CONFIG-KAFKA-001"],
    );
    refused(
        &site,
        &["config", "show", "--config", "/nowhere.toml"],
        2,
        &["/nowhere.toml"],
    );
    refused(
        &site,
        &["config", "show", "--postgres", "postgresql://u:canary@h/d"],
        2,
        &["arguments can be read"],
    );
    let output = site
        .command(&["config", "show"])
        .env("CUTOVER_KAFKA", "")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    let keys = text(&site.run(&["config", "keys"]));
    assert!(
        keys.contains("CUTOVER_POSTGRES_PASSWORD") && keys.contains("(secret)"),
        "{keys}"
    );
}

#[test]
fn a_shell_reads_the_script_of_its_completions() {
    let site = Site::new();
    let output = site.run(&["completions", "bash"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let script = site.path("cutover.bash");
    std::fs::write(&script, &output.stdout).unwrap();
    // What bash offers after `cutover lab ` is what it would offer to a person.
    let ask = format!(
        "source {}; COMP_WORDS=(cutover lab ''); COMP_CWORD=2; _cutover cutover '' lab; echo \"${{COMPREPLY[*]}}\"",
        script.display()
    );
    let asked = std::process::Command::new("bash")
        .args(["--norc", "-c", &ask])
        .output()
        .unwrap();
    let offered = text(&asked);
    for action in ["up", "status", "logs", "fetch", "down"] {
        assert!(
            offered.split_whitespace().any(|word| word == action),
            "{offered}"
        );
    }
    refused(&site, &["completions", "tcsh"], 2, &["tcsh", "bash"]);
    refused(&site, &["man"], 2, &["--dir"]);
}
