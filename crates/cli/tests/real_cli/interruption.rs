//! Signals and deaths in the middle of a rehearsal, and of what looks at systems that were there before, with the real
//! binary and real servers: right exit code, the cause named, never `pass`, never a hang, nothing left running and
//! nothing left behind.

use std::time::{Duration, Instant};

use crate::existing::{a_window_is_whole, insert, published, state};
use crate::running::{Running, kill};
use crate::running_lab::RunningLab;
use crate::site::{Site, text};
use crate::standing_lab::{files_with, password};

const SHORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/short.toml");

fn rehearse(site: &Site) -> Running {
    let running = site.start(&["rehearse", SHORT]);
    site.wait_for_event("\"what\":\"changes committed\"");
    running
}

fn manifest(site: &Site) -> String {
    std::fs::read_to_string(site.scenario_folder().unwrap().join("run.toml")).unwrap()
}

#[test]
fn a_terminated_run_says_so_and_a_second_run_is_refused_meanwhile() {
    let site = Site::new();
    let running = rehearse(&site);
    let second = site.run(&["rehearse", "minor"]);
    assert_eq!(second.status.code(), Some(8), "{}", text(&second));
    running.signal("TERM");
    assert_eq!(running.wait().code(), Some(143), "{}", site.talk());
    assert!(
        manifest(&site).contains("status = \"interrupted\""),
        "{}",
        manifest(&site)
    );
    site.assert_nothing_left();
    let folder = site.scenario_folder().unwrap();
    let verified = site.run(&["verify", folder.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(5), "{}", text(&verified));
}

#[test]
fn ctrl_c_during_the_cutover_ends_everything() {
    let site = Site::new();
    let running = rehearse(&site);
    site.wait_for_event("\"step\":\"freeze-writes\"");
    // While Connect still answers: the password that must be found nowhere in what the run leaves behind.
    let secret = password(listening_port(&site, "ConnectDistributed"), "cutover-short");
    running.signal("INT");
    assert_eq!(running.wait().code(), Some(130), "{}", site.talk());
    assert!(manifest(&site).contains("status = \"interrupted\""));
    site.assert_nothing_left();
    let mut found = Vec::new();
    files_with(&site.path("runs"), &secret, &mut found);
    assert_eq!(found, Vec::<String>::new());
    assert!(!site.talk().contains(&secret));
}

/// The REST port of the worker, as its own configuration file has it.
fn listening_port(site: &Site, word: &str) -> u64 {
    let (_, line) = site
        .processes()
        .into_iter()
        .find(|(_, line)| line.contains(word))
        .unwrap();
    let file = line
        .split_whitespace()
        .find(|part| part.ends_with(".properties"))
        .unwrap();
    let text = std::fs::read_to_string(file).unwrap();
    let port = text
        .lines()
        .find_map(|line| line.strip_prefix("rest.advertised.port="));
    port.unwrap().trim().parse().unwrap()
}

#[test]
fn ctrl_c_while_the_broker_starts_says_so_in_the_run_folder() {
    let site = Site::new();
    let running = site.start(&["rehearse", SHORT]);
    site.wait("a run folder", || {
        let run = std::fs::read_dir(site.path("runs"))
            .ok()?
            .flatten()
            .next()?
            .path();
        let events = std::fs::read_to_string(run.join("events.jsonl")).ok()?;
        events.contains("broker and worker").then_some(())
    });
    running.signal("INT");
    assert_eq!(running.wait().code(), Some(130), "{}", site.talk());
    assert!(manifest(&site).contains("status = \"interrupted\""));
    site.assert_nothing_left();
}

#[test]
fn kill_9_leaves_no_process_behind() {
    let site = Site::new();
    let running = rehearse(&site);
    running.signal("KILL");
    running.wait();
    site.assert_nothing_left();
    assert!(manifest(&site).contains("status = \"running\""));
    let folder = site.scenario_folder().unwrap();
    let verified = site.run(&["verify", folder.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(5), "{}", text(&verified));
}

/// Kills a service under a run; the run must end by itself, unknown, with the service's name.
fn death_of(word: &str, name: &str) {
    let site = Site::new();
    let running = rehearse(&site);
    kill("KILL", site.service(word));
    let status = running.wait();
    let talk = site.talk();
    assert_eq!(status.code(), Some(5), "{talk}");
    assert!(talk.contains(name) && talk.contains("UNKNOWN"), "{talk}");
    assert!(!talk.contains("PASS"), "{talk}");
    site.assert_nothing_left();
}

#[test]
fn a_broker_that_dies_makes_the_run_unknown() {
    death_of("kafka.Kafka", "kafka");
}

#[test]
fn a_worker_that_dies_makes_the_run_unknown() {
    death_of("ConnectDistributed", "connect");
}

#[test]
fn a_server_that_dies_makes_the_run_unknown() {
    death_of("/bin/postgres -D", "postgres-old");
}

/// The connector has its schemas by then; the recorder has to ask for them.
#[test]
fn a_registry_that_dies_while_topics_are_recorded_makes_the_run_unknown() {
    let site = Site::new();
    let short = std::fs::read_to_string(SHORT).unwrap();
    let avro = format!("{short}\n[connector]\nconverter = \"avro\"\n");
    let path = site.path("avro.toml");
    std::fs::write(&path, avro).unwrap();
    let running = site.start(&["rehearse", path.to_str().unwrap()]);
    site.wait_for_event("\"name\":\"record\"");
    kill("KILL", site.service("quarkus-run.jar"));
    let status = running.wait();
    let talk = site.talk();
    assert_eq!(status.code(), Some(5), "{talk}");
    assert!(
        talk.contains("registry") && talk.contains("UNKNOWN"),
        "{talk}"
    );
    assert!(!talk.contains("PASS"), "{talk}");
    site.assert_nothing_left();
    let folder = site.scenario_folder().unwrap();
    let verified = site.run(&["verify", folder.to_str().unwrap()]);
    assert_eq!(verified.status.code(), Some(5), "{}", text(&verified));
}

/// Starts a command with the lab's configuration.
fn begin(lab: &RunningLab, args: &[&str]) -> Running {
    let config = lab.site.path("cutover.toml").display().to_string();
    lab.site.start(&[args, &["--config", &config]].concat())
}

/// The witness's slot, if it is there.
fn slot(lab: &RunningLab) -> Option<String> {
    let slot = lab.ask(
        "SELECT coalesce(max(concat_ws(' ', CASE WHEN temporary THEN 'temporary' END,
                                       CASE WHEN active THEN 'active' END)), '-')
         FROM pg_replication_slots WHERE slot_name LIKE 'cutover\\_verify\\_%'",
    );
    (slot != "-").then_some(slot)
}

/// What is broken off has ended in time, and everything is as it was.
fn ends(lab: &RunningLab, (running, signal, code): (Running, &str, Option<i32>), left: &str) {
    let begun = Instant::now();
    running.signal(signal);
    assert_eq!(running.wait().code(), code, "{signal}: {}", lab.site.talk());
    let took = begun.elapsed();
    eprintln!(
        "{left}: ended {:.2} s after SIG{signal}",
        took.as_secs_f64()
    );
    assert!(took < Duration::from_secs(10), "{took:?}");
    let talk = lab.site.talk();
    assert!(
        !talk.contains("PASS") && !talk.contains("panicked"),
        "{talk}"
    );
    assert!(!talk.contains(&lab.secret), "{talk}");
    let ours = |(_, line): &(i32, String)| line.contains("cutover.toml");
    assert_eq!(lab.site.processes().into_iter().find(ours), None);
}

#[test]
fn a_window_that_is_broken_off_leaves_nothing_behind() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    lab.execute(&insert(1, 50));
    published(&lab, 50);
    let before = state(&lab);
    for (command, signal, code) in [
        ("verify", "TERM", Some(143)),
        ("verify", "INT", Some(130)),
        ("record", "INT", Some(130)),
        ("verify", "KILL", None),
    ] {
        let running = begin(&lab, &[command, "--witness=60"]);
        lab.site.wait("the witness", || {
            let reading = lab.ask(
                "SELECT count(*)::text FROM pg_stat_replication
                 WHERE application_name = 'cutover-witness' AND state = 'streaming'",
            );
            (reading == "1").then_some(())
        });
        assert_eq!(slot(&lab).as_deref(), Some("temporary active"));
        ends(&lab, (running, signal, code), command);
        lab.site
            .wait("the end of the slot", || slot(&lab).is_none().then_some(()));
        assert_eq!(state(&lab), before, "{command} and SIG{signal}");
    }
    while_the_slot_is_made(&lab);
    assert_eq!(state(&lab), before);
    while_a_table_is_locked(&lab);
    assert_eq!(state(&lab), before);
    a_window_is_whole(&lab, &["verify", "--witness=3"]);
    lab.down();
}

/// A transaction that has written holds up the slot, and the server would go on waiting.
fn while_the_slot_is_made(lab: &RunningLab) {
    let open = lab.sql(async |client| {
        let begin = "BEGIN; SELECT txid_current()";
        client.batch_execute(begin).await.unwrap();
        client
    });
    let running = begin(lab, &["verify", "--witness=60"]);
    lab.site.wait("the slot", || slot(lab));
    ends(lab, (running, "TERM", Some(143)), "while the slot is made");
    lab.site
        .wait("the end of the slot", || slot(lab).is_none().then_some(()));
    let said = lab.says(&["verify", "--witness=60", "--timeout", "2"], 3);
    assert!(said.contains("could still commit a change"), "{said}");
    lab.site
        .wait("the end of the slot", || slot(lab).is_none().then_some(()));
    drop(open);
}

fn while_a_table_is_locked(lab: &RunningLab) {
    let held = lab.sql(async |client| {
        let lock = "BEGIN; LOCK TABLE public.customers IN ACCESS EXCLUSIVE MODE";
        client.batch_execute(lock).await.unwrap();
        client
    });
    let password = lab.private("admin", lab.admin.password.reveal());
    let port = lab.port("postgres-main");
    let right = format!("postgresql://postgres@127.0.0.1:{port}/testdb");
    let compare = ["compare", &right, "--right-password-file", &password];
    for (args, signal, code) in [
        (&["verify"][..], "INT", 130),
        (&["record"], "TERM", 143),
        (&compare, "INT", 130),
        (&compare, "TERM", 143),
    ] {
        let running = begin(lab, args);
        lab.site.wait("a session that waits", || {
            let waiting = lab.ask(
                "SELECT count(*)::text FROM pg_locks WHERE NOT granted
                    AND relation = 'public.customers'::regclass",
            );
            (waiting != "0").then_some(())
        });
        ends(lab, (running, signal, Some(code)), args[0]);
        lab.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks
             WHERE NOT granted AND relation = 'public.customers'::regclass",
        );
    }
    drop(held);
}
