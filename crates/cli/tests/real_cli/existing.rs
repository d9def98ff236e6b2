//! A stream that was there before, recorded and judged by the real binary from addresses alone: what it says of a whole
//! one, of one that is written to meanwhile, and of one that lost events; and that nothing is left of it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cutover_clients::kafka::Kafka;
use cutover_clients::pg::connect_admin;
use rdkafka::consumer::{BaseConsumer, Consumer};
use serde_json::Value;

use crate::running_lab::RunningLab;

/// Slots, publications, identities, topics and consumer groups: what must be afterwards as before. No session of ours
/// may be left; the server ends the one of a program that has ended a moment later.
pub fn state(lab: &RunningLab) -> (String, BTreeSet<String>, BTreeSet<String>) {
    lab.site.wait("end of our sessions", || {
        let ours = lab.ask(
            "SELECT count(*)::text FROM pg_stat_activity WHERE application_name LIKE 'cutover-look%'
                OR application_name LIKE 'cutover-tables%' OR application_name LIKE 'cutover-witness%'",
        );
        (ours == "0").then_some(())
    });
    let server = lab.ask(
        "SELECT coalesce((SELECT string_agg(slot_name || plugin || active, ',' ORDER BY slot_name)
                   FROM pg_replication_slots), '-') || ' ' ||
                (SELECT string_agg(pubname || tablename, ',' ORDER BY pubname, tablename)
                   FROM pg_publication_tables) || ' ' ||
                (SELECT string_agg(relname || relreplident::text, ',' ORDER BY relname)
                   FROM pg_class WHERE oid >= 16384)",
    );
    let bootstrap = format!("127.0.0.1:{}", lab.port("kafka"));
    let topics = Kafka::new(&bootstrap).unwrap().topics().unwrap();
    let topics = topics
        .iter()
        .map(|topic| format!("{} {:?}", topic.name, topic.partitions));
    let consumer: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", &bootstrap)
        .create()
        .unwrap();
    let groups = consumer
        .fetch_group_list(None, Duration::from_secs(10))
        .unwrap();
    let groups = groups.groups().iter().map(|group| group.name().to_owned());
    (server, topics.collect(), groups.collect())
}

pub fn scenario(result: &Value) -> &Value {
    &result["scenarios"][0]
}

fn check<'a>(result: &'a Value, name: &str) -> &'a Value {
    let checks = scenario(result)["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap()
}

/// Statement that inserts these customers.
pub fn insert(from: u32, to: u32) -> String {
    format!(
        "INSERT INTO public.customers
           SELECT i, 'name ' || i, i || '@example.org', NULL, 'gold', 1.50, true, '{{}}', now(), i
           FROM generate_series({from}, {to}) i"
    )
}

/// Waits until so many messages stand in the topic of customers.
pub fn published(lab: &RunningLab, at_least: i64) {
    let kafka = Kafka::new(&format!("127.0.0.1:{}", lab.port("kafka"))).unwrap();
    lab.site.wait("the records in Kafka", || {
        let topics = kafka.topics().unwrap();
        let topic = topics
            .iter()
            .find(|topic| topic.name.ends_with(".public.customers"))?;
        let ends = topic
            .partitions
            .iter()
            .map(|one| kafka.watermarks(&topic.name, *one).unwrap().1);
        (ends.sum::<i64>() >= at_least).then_some(())
    });
}

#[test]
fn a_stream_that_was_there_before_is_judged_from_addresses_and_left_as_it_was() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    lab.plant_the_password();
    some_history(&lab);
    a_whole_one_passes_and_nothing_is_left(&lab, "4.3.1");
    one_that_is_written_to_meanwhile_passes_too(&lab);
    what_cannot_be_looked_at_is_said(&lab);
    one_that_lost_events_fails(&lab);
    lab.down();
}

/// Kafka 3.5 with ZooKeeper, Connect 3.5, which tells nobody its offsets, and Debezium 2.4.0.
#[test]
fn a_stream_of_the_old_stack_is_judged_watched_and_examined_in_the_same_way() {
    let lab = RunningLab::up("3.5.1", "2.4.0");
    some_history(&lab);
    a_whole_one_passes_and_nothing_is_left(&lab, "3.5.1");
    a_window_is_whole(&lab, &["verify", "--witness=5"]);
    let examined = lab.json(&["doctor"], 0);
    assert_eq!(
        examined["not_looked_at"].as_array().unwrap().len(),
        0,
        "{examined}"
    );
    lab.says(&["watch", "--once"], 0);
    lab.down();
}

fn some_history(lab: &RunningLab) {
    lab.execute(&insert(1, 500));
    lab.execute(
        "UPDATE public.customers SET name = 'new', revision = revision + 1 WHERE id % 5 = 0;
         DELETE FROM public.customers WHERE id % 7 = 0",
    );
    published(lab, 500 + 100 + 2 * 71);
}

fn a_whole_one_passes_and_nothing_is_left(lab: &RunningLab, kafka: &str) {
    let before = state(lab);
    let passed = lab.json(&["verify", "--naive"], 0);
    assert_eq!(state(lab), before, "it must leave everything as it was");
    assert_eq!(passed["verdict"], "pass", "{passed}");
    let told = scenario(&passed);
    assert_eq!(told["proof_level"], "P2", "{passed}");
    assert!(
        told["reasons"][0].as_str().unwrap().contains("no witness"),
        "{passed}"
    );
    assert_eq!(told["counts"]["stored"], 500 - 71, "{passed}");
    assert_eq!(told["stack"]["kafka"], kafka);
    for name in ["i3_repeated", "i7_resurrection", "i8_state", "i9_reread"] {
        assert_eq!(check(&passed, name)["verdict"], "pass", "{passed}");
    }
    let naive = told["naive"].as_array().unwrap();
    let customers = naive
        .iter()
        .find(|one| one["relation"] == "public.customers" && one["question"] == "row-count")
        .unwrap();
    assert_eq!(
        (
            customers["concluded"].as_str(),
            customers["verdict"].as_str()
        ),
        (Some("fail"), Some("pass")),
        "{customers}"
    );
    assert!(customers["misleads"].is_string());

    // The same from what was recorded, without a server.
    let folder = told["run_dir"].as_str().unwrap();
    for file in [
        "report.html",
        "report.md",
        "report.json",
        "junit.xml",
        "run.toml",
    ] {
        assert!(std::path::Path::new(folder).join(file).exists(), "{file}");
    }
    let again = lab.json(&["verify", folder], 0);
    assert_eq!(scenario(&again)["checks"], told["checks"]);
    let recorded = lab.json(&["record"], 0);
    assert_eq!(recorded["whole"], true, "{recorded}");
    let file = lab.site.path("described.toml");
    let written = lab.json(&["init", "-o", file.to_str().unwrap()], 0);
    assert_eq!(
        written["to_fill_in"].as_array().unwrap().len(),
        0,
        "{written}"
    );
    assert_eq!(state(lab), before);
    let said = lab.says(&["verify", "--quiet", "--naive"], 0);
    assert!(
        said.contains("PASS, proof level P2") && said.contains("it misleads"),
        "{said}"
    );
}

/// Does something while another session writes a statement every few milliseconds: without a pause it writes faster
/// than a connector can follow, and no moment is ever reached.
pub fn while_writing(
    lab: &RunningLab,
    statement: impl Fn(u32) -> String + Sync,
    body: impl FnOnce(),
) {
    let go_on = AtomicBool::new(true);
    let admin = lab.admin.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let client = connect_admin(&admin).await.unwrap();
                let mut number = 0;
                let mut pace = tokio::time::interval(std::time::Duration::from_millis(4));
                while go_on.load(Ordering::Relaxed) {
                    number += 1;
                    pace.tick().await;
                    client.batch_execute(&statement(number)).await.unwrap();
                }
            });
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
        go_on.store(false, Ordering::Relaxed);
        if let Err(failed) = ended {
            std::panic::resume_unwind(failed);
        }
    });
}

/// Inserts, updates and deletes, in one transaction.
fn mixed(base: u32) -> impl Fn(u32) -> String + Sync {
    move |number| {
        let id = base + number;
        format!(
            "{};
             UPDATE public.customers SET name = 'n{id}', revision = revision + 1 WHERE id % 50 = {};
             DELETE FROM public.customers WHERE id = {}",
            insert(id, id),
            number % 50,
            id.saturating_sub(20).max(base)
        )
    }
}

fn one_that_is_written_to_meanwhile_passes_too(lab: &RunningLab) {
    let before = state(lab);
    while_writing(lab, mixed(10_000), || {
        for _ in 0..3 {
            let passed = lab.json(&["verify"], 0);
            assert_eq!(scenario(&passed)["proof_level"], "P2", "{passed}");
        }
    });
    // With consent: each event of a while, beside a witness.
    a_window_is_whole(lab, &["verify", "--witness=5"]);
    assert_eq!(state(lab), before, "the slot of the witness must be gone");
}

/// Each event of a while is there, judged by a command that asks for a witness.
pub fn a_window_is_whole(lab: &RunningLab, command: &[&str]) {
    while_writing(lab, mixed(50_000), || {
        let passed = lab.json(command, 0);
        let scenarios = passed["scenarios"].as_array().unwrap();
        let window = scenarios
            .iter()
            .find(|one| one["name"] == "window")
            .unwrap();
        assert!(
            ["P3", "P4"].contains(&window["proof_level"].as_str().unwrap()),
            "{passed}"
        );
        assert!(
            window["counts"]["committed"].as_u64() > Some(50),
            "{window}"
        );
        assert_eq!(
            window["counts"]["committed"], window["counts"]["published"],
            "{window}"
        );
    });
}

fn what_cannot_be_looked_at_is_said(lab: &RunningLab) {
    lab.execute("CREATE ROLE blind LOGIN PASSWORD 'blind-pw'");
    let address = format!(
        "postgresql://blind@127.0.0.1:{}/testdb",
        lab.port("postgres-main")
    );
    let pw = lab.private("blind", "blind-pw\n");
    let as_blind = ["verify", "--postgres", &address, "--password-file", &pw];
    let said = lab.says(&as_blind, 7);
    assert!(said.contains("permission denied"), "{said}");
    let said = lab.says(&["verify", "--connector", "absent"], 3);
    assert!(said.contains("CONNECT-CONNECTOR-001"), "{said}");
    let said = lab.says(&["verify", "--table", "public.absent"], 3);
    assert!(said.contains("absent"), "{said}");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone = gone.local_addr().unwrap().to_string();
    let said = lab.says(&["verify", "--kafka", &gone], 6);
    assert!(said.contains("KAFKA-UNREACHABLE-001"), "{said}");
    let nothing = lab.private("nothing.toml", "");
    let said = lab.says(&["verify", "--config", &nothing], 2);
    assert!(said.contains("--connect"), "{said}");
}

/// The classic accident: the slot is made anew, and the offset is set after it.
fn one_that_lost_events_fails(lab: &RunningLab) {
    lab.says(&["connector", "stop"], 0);
    lab.execute(&insert(5_001, 5_050));
    let slot = lab.json(&["connector", "config"], 0)["config"]["slot.name"]
        .as_str()
        .unwrap()
        .to_owned();
    // Stopped and behind: what is missing may still come, so nobody is convicted.
    let late = lab.json(&["verify", "--timeout", "8"], 5);
    assert!(late.to_string().contains("may still come"), "{late}");
    lab.execute(&format!("SELECT pg_drop_replication_slot('{slot}')"));
    lab.configure("postgres");
    lab.says(&["setup", "--apply"], 0);
    lab.says(&["connector", "offsets", "set", "--to-slot", "--apply"], 0);
    lab.says(&["connector", "resume"], 0);
    lab.configure("debezium");
    // One event beyond the moment shows that the connector has passed what it lost.
    let later = |_| "UPDATE public.customers SET revision = revision + 1 WHERE id = 1".to_owned();
    while_writing(lab, later, || {
        let failed = lab.json(&["verify"], 4);
        assert_eq!(scenario(&failed)["counts"]["divergent"], 50, "{failed}");
        assert_eq!(check(&failed, "i8_state")["verdict"], "fail");
    });
}
