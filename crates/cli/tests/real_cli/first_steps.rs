//! What somebody does first: a configuration written by asking, and a load to try a stream with.

use std::process::Stdio;

use cutover_clients::pg::connect_admin;
use cutover_ledger::read_changes;
use cutover_model::Outcome;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::agree::agree;
use crate::running_lab::{CONNECTOR, RunningLab};

#[test]
fn a_configuration_is_written_by_asking_and_a_load_is_generated() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    the_configuration(&lab);
    the_load(&lab);
    it_pauses_and_ends_on_a_signal(&lab);
    an_application_is_left_alone(&lab);
    lab.down();
}

/// Written once, without a secret, and good for the other commands.
fn the_configuration(lab: &RunningLab) {
    let connect = format!("http://127.0.0.1:{}", lab.port("connect"));
    let kafka = format!("127.0.0.1:{}", lab.port("kafka"));
    let by_hand = std::fs::read_to_string(lab.site.path("cutover.toml")).unwrap();
    let passfile = by_hand.lines().find(|line| line.starts_with("passfile"));
    let args = ["init", "--connect", &connect, "--kafka", &kafka];
    // The one that is there stays.
    let said = lab.says(&args, 2);
    assert!(said.contains("CLI-INIT-001"), "{said}");
    std::fs::remove_file(lab.site.path("cutover.toml")).unwrap();
    let said = lab.says(&args, 0);
    assert!(
        said.contains(CONNECTOR) && said.contains("cutover doctor"),
        "{said}"
    );
    let path = lab.site.path("cutover.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(!written.contains(&lab.secret), "{written}");
    let with_password =
        written.replace("[postgres]", &format!("[postgres]\n{}", passfile.unwrap()));
    std::fs::write(&path, with_password).unwrap();
    let state = lab.json(&["connector", "status"], 0);
    assert!(state.to_string().contains(CONNECTOR), "{state}");
    let doctor = lab.json(&["doctor"], 0);
    assert_eq!(doctor["format"], "cutover.doctor/1", "{doctor}");
    // Nothing answers there.
    let gone = [
        "init",
        "-o",
        "other.toml",
        "--connect",
        "http://127.0.0.1:1",
    ];
    lab.says(&gone, 6);
    assert!(!lab.site.path("other.toml").exists());
}

fn generate(lab: &RunningLab, database: &str, more: &[&str], code: i32) -> Value {
    let port = lab.port("postgres-main");
    let address = format!("postgresql://loader@127.0.0.1:{port}/{database}");
    let password = lab.private("loader", "canary-load\n");
    let first = [
        "generate",
        "--postgres",
        &address,
        "--password-file",
        &password,
    ];
    let args = [&first[..], more].concat();
    match code {
        0 => lab.json(&args, code),
        _ => Value::from(lab.says(&args, code)),
    }
}

/// Only into tables of its own; what it says is what the database and its ledger have.
fn the_load(lab: &RunningLab) {
    lab.execute("CREATE ROLE loader LOGIN PASSWORD 'canary-load'");
    lab.execute("CREATE DATABASE loaded OWNER loader");
    let said = generate(lab, "loaded", &["--duration", "1"], 3);
    assert!(said.to_string().contains("LOAD-TABLES-002"), "{said}");
    let ledger = lab.site.path("attempted").display().to_string();
    let more = [
        "--make-tables",
        "--duration",
        "3",
        "--rate",
        "50",
        "--ledger",
        &ledger,
    ];
    let told = generate(lab, "loaded", &more, 0);
    assert_eq!(told["format"], "cutover.generate/1");
    let schema = include_str!("../../../../docs/schema/generate-1.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    agree(&schema, &schema, &told, "generate");
    assert_eq!(told["unknown_transactions"], 0, "{told}");
    let committed = told["committed_transactions"].as_u64().unwrap();
    assert!(committed > 50, "{told}");
    let mut counted = 0;
    for row in read_changes(ledger.as_ref()).unwrap() {
        counted += u64::from(row.unwrap().outcome == Some(Outcome::Ok));
    }
    assert_eq!(Some(counted), told["committed_changes"].as_u64());
    // Again, into the tables that are there: it goes on with its rows.
    let again = generate(
        lab,
        "loaded",
        &["--duration", "1", "--profile", "copies"],
        0,
    );
    assert!(
        again["committed_transactions"].as_u64().unwrap() > 0,
        "{again}"
    );
    // The same ledger is not written over.
    let said = generate(lab, "loaded", &["--duration", "1", "--ledger", &ledger], 3);
    assert!(said.to_string().contains("ledger"), "{said}");
}

fn it_pauses_and_ends_on_a_signal(lab: &RunningLab) {
    let address = format!(
        "postgresql://loader@127.0.0.1:{}/loaded",
        lab.port("postgres-main")
    );
    let password = lab.private("loader", "canary-load\n");
    let mut command = lab.site.command(&[
        "generate",
        "--postgres",
        &address,
        "--password-file",
        &password,
        "--output",
        "json",
    ]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    // Ids are given out in the other database too, but only these sessions write there.
    let committed =
        || lab.ask("SELECT xact_commit::text FROM pg_stat_database WHERE datname = 'loaded'");
    let sessions = || {
        lab.ask("SELECT count(*)::text FROM pg_stat_activity WHERE datname = 'loaded' AND state <> 'idle'")
    };
    let before = committed();
    lab.site
        .wait("the load", || (committed() != before).then_some(()));
    kill(pid, Signal::SIGUSR1).unwrap();
    lab.site
        .wait("the pause", || (sessions() == "0").then_some(()));
    kill(pid, Signal::SIGUSR2).unwrap();
    lab.site
        .wait("the load again", || (sessions() != "0").then_some(()));
    kill(pid, Signal::SIGINT).unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(told["ended_by_signal"], true, "{told}");
    let leftover = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = 'loaded'";
    lab.site.wait("the sessions to end", || {
        (lab.ask(leftover) == "0").then_some(())
    });
}

/// Somebody else's table is not touched.
fn an_application_is_left_alone(lab: &RunningLab) {
    lab.execute("CREATE DATABASE taken OWNER loader");
    let mut elsewhere = lab.admin.clone();
    elsewhere.database = "taken".into();
    lab.sql(async |_| {
        let client = connect_admin(&elsewhere).await.unwrap();
        let made = "CREATE TABLE public.orders (id bigint primary key, mine text);
                    ALTER TABLE public.orders OWNER TO loader";
        client.batch_execute(made).await.unwrap();
    });
    let said = generate(lab, "taken", &["--make-tables", "--duration", "1"], 3);
    assert!(said.to_string().contains("LOAD-TABLES-003"), "{said}");
}
