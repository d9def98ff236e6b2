//! Signals and deaths in the middle of a rehearsal, with the real binary and real servers: right exit code,
//! the cause named, never `pass`, never a hang, nothing left running.

use crate::running::{Running, kill};
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
