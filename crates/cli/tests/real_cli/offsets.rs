//! Offsets by hand, with the real binary on real servers: by REST where Connect can change them, and by the offsets
//! topic where it cannot. Set to the slot's position they deliver exactly what was not delivered.

use cutover_clients::kafka::{Kafka, ReadRange};
use cutover_clients::wait::{Poll, until};
use serde_json::Value;

use crate::running_lab::{CONNECTOR, RunningLab};

const STOP: &[&str] = &["connector", "stop"];
const SHOW: &[&str] = &["connector", "offsets", "show"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

fn decimal(report: &Value, field: &str) -> u64 {
    report["offsets"][0][field]["decimal"]
        .as_u64()
        .unwrap_or_else(|| panic!("{field}: {report}"))
}

impl RunningLab {
    fn insert(&self, id: i64) {
        self.execute(&format!(
            "insert into public.order_events values ({id}, 'test', now(), {id})"
        ));
    }

    /// Ids in the topic, in its order.
    fn published(&self) -> Vec<i64> {
        let kafka = Kafka::new(&format!("127.0.0.1:{}", self.port("kafka"))).unwrap();
        let topics = kafka.topics().unwrap();
        let Some(topic) = topics
            .iter()
            .find(|topic| topic.name.ends_with(".public.order_events"))
        else {
            return Vec::new();
        };
        let (from, to) = kafka.watermarks(&topic.name, 0).unwrap();
        let range = ReadRange {
            topic: &topic.name,
            partition: 0,
            from,
            to,
            timeout_idle: std::time::Duration::from_secs(10),
        };
        let mut ids = Vec::new();
        let mut look = |record: &cutover_clients::kafka::Record<'_>| {
            let value: Value = serde_json::from_slice(record.value.unwrap()).unwrap();
            ids.push(value["after"]["order_id"].as_i64().unwrap());
            std::ops::ControlFlow::Continue(())
        };
        kafka.read_range(&range, &mut look).unwrap();
        ids
    }

    fn wait_published(&self, expected: &[i64]) {
        let (deadline, every) = (
            std::time::Duration::from_secs(60),
            std::time::Duration::from_millis(200),
        );
        let what = format!("rows {expected:?} in the topic");
        self.sql(async |_| {
            let seen = until(&what, deadline, every, async || {
                let seen = tokio::task::block_in_place(|| self.published());
                Ok::<_, cutover_clients::pg::PgError>(if seen == expected {
                    Poll::Ready(())
                } else {
                    Poll::NotYet(format!("{seen:?}"))
                })
            });
            seen.await.unwrap();
        });
    }
}

/// Everything that is the same whichever way leads to the offset.
fn life_of_an_offset(lab: &RunningLab, way: &str) {
    lab.insert(1);
    lab.wait_published(&[1]);
    let refused = lab.says(&["connector", "offsets", "set", "--to-slot", "--apply"], 3);
    assert!(
        refused.contains("CUT-OFFSET-001") && refused.contains("cutover connector stop"),
        "{refused}"
    );
    lab.says(STOP, 0);
    let shown = lab.json(SHOW, 0);
    assert_eq!(shown["format"], "cutover.offsets/1");
    assert_eq!(shown["health"], "stopped");
    let first = decimal(&shown, "lsn");
    assert!(
        shown["slot"]["found"] == true && shown["server"]["end"]["decimal"].as_u64() >= Some(first),
        "{shown}"
    );
    assert_eq!(shown["prediction"]["outcome"], "resumes", "{shown}");
    let between = lab.ask("SELECT pg_current_wal_lsn()::text");
    lab.insert(2);

    bad_positions(lab);
    // Planned only: nothing is stored, nothing is kept.
    let set = ["connector", "offsets", "set", "--lsn", &between];
    let planned = lab.json(&set, 0);
    assert_eq!(planned["change"]["applied"], false);
    assert_eq!(lab.json(SHOW, 0)["offsets"], shown["offsets"]);
    assert!(!lab.site.path("cutover-undo").exists());

    let set = lab.json(&with(&set, &["--apply"]), 0);
    let at = between.parse::<cutover_model::Lsn>().unwrap().0;
    stands_at(&set, at);
    assert!(
        set["change"]["way"].as_str().unwrap().contains(way),
        "{set}"
    );
    let kept = set["change"]["undo"].as_str().unwrap();
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(lab.site.path(kept))
            .unwrap()
            .permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    lab.says(&["connector", "resume"], 0);
    lab.insert(3);
    // What was committed while it stood is there, once; what was delivered before is not there twice.
    lab.wait_published(&[1, 2, 3]);

    lab.says(STOP, 0);
    let moved = lab.says(&["connector", "offsets", "set", "--undo", "--apply"], 3);
    assert!(
        moved.contains("CUT-OFFSET-002") && moved.contains("--discard-newer"),
        "{moved}"
    );
    let before = lab.json(SHOW, 0);
    let reset = lab.json(&["connector", "offsets", "reset", "--apply"], 0);
    assert_eq!(reset["offsets"].as_array().unwrap().len(), 0, "{reset}");
    assert_eq!(reset["change"]["applied"], true);
    let again = lab.json(&["connector", "offsets", "reset", "--apply"], 0);
    assert_eq!(again["change"]["applied"], false, "{again}");
    let undone = lab.json(&["connector", "offsets", "reset", "--undo", "--apply"], 0);
    assert_eq!(undone["offsets"], before["offsets"]);
    lab.says(&["connector", "resume"], 0);
    lab.insert(4);
    lab.wait_published(&[1, 2, 3, 4]);
    a_slot_that_was_made_anew(lab);
}

fn stands_at(report: &Value, position: u64) {
    assert_eq!(decimal(report, "lsn"), position - 1);
    assert_eq!(decimal(report, "lsn_proc"), position - 1);
    assert_eq!(decimal(report, "lsn_commit"), position);
}

/// Right after the slot a row is committed: it is the first thing that the slot holds, and it comes once.
fn a_slot_that_was_made_anew(lab: &RunningLab) {
    lab.says(STOP, 0);
    let slot = lab.json(SHOW, 0)["slot"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    lab.execute(&format!(
        "SELECT pg_drop_replication_slot('{slot}');
         SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
    ));
    lab.insert(5);
    let set = lab.json(&["connector", "offsets", "set", "--to-slot", "--apply"], 0);
    stands_at(&set, set["slot"]["confirmed"]["decimal"].as_u64().unwrap());
    assert_eq!(set["prediction"]["outcome"], "resumes", "{set}");
    lab.says(&["connector", "resume"], 0);
    lab.insert(6);
    lab.wait_published(&[1, 2, 3, 4, 5, 6]);
}

fn bad_positions(lab: &RunningLab) {
    let set = &["connector", "offsets", "set"];
    let said = lab.says(&with(set, &["--lsn", "26000448"]), 2);
    assert!(said.contains("is not an LSN"), "{said}");
    lab.says(&with(set, &["--lsn", "0/0"]), 2);
    lab.says(set, 2);
    lab.says(&with(set, &["--to-slot", "--lsn", "0/1"]), 2);
    let ahead = lab.says(&with(set, &["--lsn", "FFFF/0", "--apply"]), 3);
    assert!(ahead.contains("ahead of the server's log"), "{ahead}");
    let behind = lab.says(&with(set, &["--lsn", "0/10", "--apply"]), 3);
    assert!(behind.contains("would be missing"), "{behind}");
    lab.says(&with(set, &["absent", "--to-slot"]), 3);
    lab.says(&with(set, &["--undo", "--apply"]), 3);
    let file = lab.private("torn.json", "{\"format\": \"cutover.off");
    lab.says(&with(set, &[&format!("--undo={file}"), "--apply"]), 3);
}

#[test]
fn an_offset_is_set_reset_and_taken_back_by_connect_itself() {
    let lab = RunningLab::up("4.3.1", "3.7.0");
    lab.plant_the_password();
    life_of_an_offset(&lab, "written by Connect");
    lab.down();
}

#[test]
fn an_offset_is_set_reset_and_taken_back_through_the_offsets_topic() {
    let lab = RunningLab::up("3.5.1", "2.4.0");
    lab.plant_the_password();
    life_of_an_offset(&lab, "written to connect-offsets");
    // Without Kafka there is no way to it, and that is said before anything is tried.
    lab.says(STOP, 0);
    let url = format!("http://127.0.0.1:{}", lab.port("connect"));
    let bare = lab.private("bare.toml", &format!("[connect]\naddress = \"{url}\"\n"));
    let said = lab.says(
        &[
            "connector",
            "offsets",
            "reset",
            CONNECTOR,
            "--config",
            &bare,
            "--apply",
        ],
        3,
    );
    assert!(said.contains("offset.storage.topic"), "{said}");
    lab.down();
}
