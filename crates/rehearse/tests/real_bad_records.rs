//! What a topic can hold that it should not, and what can happen to it while it is read: with a real broker, each
//! named with its place, and none of it passed over.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod broker;

use std::ops::ControlFlow;
use std::time::Duration;

use broker::{Broker, envelope};
use cutover_clients::kafka::{Isolation, Kafka, KafkaError, ReadRange};
use cutover_model::{Classified, ExitCode};
use cutover_record::topics::TopicsEnd;
use rdkafka::Offset;
use rdkafka::TopicPartitionList;
use rdkafka::admin::AdminOptions;

/// What librdkafka would ask for per partition if it were not told that a record comes whole.
const BEYOND_THE_FETCH_SIZE: usize = 3 << 20;
const HUNDRED_MIB: usize = 100 << 20;

fn told(end: &TopicsEnd, place: &str, why: &str) -> bool {
    let samples = end.payload.undecoded_samples.iter();
    let all: Vec<&String> = samples.chain(&end.problems).collect();
    all.iter()
        .any(|text| text.contains(place) && text.contains(why))
}

#[tokio::test]
async fn nothing_that_a_topic_can_hold_is_passed_over() {
    let mut broker = Broker::up().await;
    // The cleaner takes a while; it does so meanwhile.
    broker.compacted_topic("compacted.public.orders").await;
    bad_contents(&broker).await;
    large_records(&broker).await;
    aborted_transactions(&broker).await;
    what_retention_removed(&broker).await;
    what_compaction_removed(&broker).await;
    missing_and_denied(&broker).await;
    deleted_while_reading(&broker).await;
    gone_in_the_midst(&mut broker).await;
    broker.stack.down_and_purge().await.unwrap();
}

async fn bad_contents(broker: &Broker) {
    let topic = "bad.public.orders";
    broker.topic(topic, &[]).await;
    let good = |id: i64, lsn| envelope(&id.to_string(), "\"x\"", lsn).into_bytes();
    let twice = envelope("6", "\"x\",\"note\":\"y\"", 103).into_bytes();
    let mut cut = good(7, 104);
    cut.truncate(40);
    let mut no_text = good(8, 105);
    let place = no_text.iter().position(|byte| *byte == b'x').unwrap();
    no_text[place] = 0xFF;
    let values: [Vec<u8>; 11] = [
        good(1, 100),
        b"not json".to_vec(),
        twice,
        cut,
        no_text,
        good((1 << 53) + 1, 106),
        good(1 << 53, 107),
        envelope("9223372036854775808", "\"x\"", 108).into_bytes(),
        "[".repeat(500_000).into_bytes(),
        envelope("9", "7", 109).into_bytes(),
        good(2, 110),
    ];
    broker.send(topic, &values);
    let (end, rows) = broker.record("bad", topic, 0).await;
    let end = end.unwrap();
    // Offset 7 has no readable key, so it is no row; offset 9 keeps its identity and loses its image.
    let offsets: Vec<i64> = rows.iter().filter_map(|row| row.record_offset).collect();
    assert_eq!(offsets, [0, 5, 6, 9, 10]);
    assert_eq!((end.published, end.payload.undecoded), (5, 6));
    for (offset, why) in [
        (1, "no valid JSON"),
        (2, "two members of one name"),
        (3, "no valid JSON"),
        (4, "no UTF-8"),
        (7, "key column 'id' is no whole number"),
        (8, "no valid JSON"),
        (9, "column 'note' is no text"),
    ] {
        let place = format!("{topic}/0/{offset}");
        assert!(told(&end, &place, why), "{offset} {why}: {end:?}");
    }
    let keys: Vec<&str> = rows.iter().filter_map(|row| row.key.as_deref()).collect();
    assert_eq!(keys[1], "{\"id\":\"9007199254740993\"}");
    assert_eq!(keys[2], "{\"id\":\"9007199254740992\"}");
    assert!(rows[3].after.is_none() && rows[4].after.is_some());
}

async fn large_records(broker: &Broker) {
    let topic = "large.public.orders";
    broker
        .topic(topic, &[("max.message.bytes", "125829120")])
        .await;
    for (id, size) in [(1, BEYOND_THE_FETCH_SIZE), (2, HUNDRED_MIB), (3, 1)] {
        let note = format!("\"{}\"", "x".repeat(size));
        let value = envelope(&id.to_string(), &note, 100 + id);
        broker.send(topic, &[value.into_bytes()]);
    }
    let before = broker::reset_peak_memory();
    let (end, rows) = broker.record("large", topic, 0).await;
    let more = broker::peak_memory() - before;
    let end = end.unwrap();
    assert_eq!((end.published, end.payload.undecoded), (3, 0));
    assert!(end.partitions[0].complete && rows.iter().all(|row| row.after.is_some()));
    assert_ne!(rows[0].after, rows[1].after);
    let mib = more >> 20;
    assert!(mib < 512, "{mib} MiB more at the peak");
}

async fn aborted_transactions(broker: &Broker) {
    let topic = "aborted.public.orders";
    broker.topic(topic, &[]).await;
    broker.transactions(topic, &[(1, true), (2, false), (3, true)]);
    let (end, rows) = broker.record("aborted", topic, 0).await;
    let end = end.unwrap();
    let lsns: Vec<Option<i64>> = rows.iter().map(|row| row.lsn).collect();
    assert_eq!(lsns, [Some(1), Some(3)]);
    // Six offsets, two records; nothing is missing.
    assert!(end.partitions[0].complete && end.partitions[0].end == 6);
    assert_eq!(end.problems, Vec::<String>::new());
    // Another reader sees what was aborted, too.
    let uncommitted = Isolation::ReadUncommitted;
    let (end, rows) = broker.record_as("aborted", (topic, 0), uncommitted).await;
    let lsns: Vec<Option<i64>> = rows.iter().map(|row| row.lsn).collect();
    assert_eq!(lsns, [Some(1), Some(2), Some(3)]);
    assert!(end.unwrap().partitions[0].complete);
}

async fn what_retention_removed(broker: &Broker) {
    let topic = "short.public.orders";
    broker.topic(topic, &[]).await;
    let values = (0..10).map(|id| envelope(&id.to_string(), "\"x\"", id).into_bytes());
    broker.send(topic, &values.collect::<Vec<_>>());
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, 0, Offset::Offset(4))
        .unwrap();
    let removed = broker.admin.delete_records(&list, &AdminOptions::new());
    removed.await.unwrap();
    let (end, rows) = broker.record("short", topic, 0).await;
    let end = end.unwrap();
    assert_eq!(rows.len(), 6);
    assert_eq!(end.partitions[0].start, 4);
    assert!(
        told(&end, "short.public.orders/0", "records 0..4 are gone"),
        "{end:?}"
    );
}

async fn what_compaction_removed(broker: &Broker) {
    let topic = "compacted.public.orders";
    broker.cleaned(topic).await;
    let (end, rows) = broker.record("compacted", topic, 0).await;
    let end = end.unwrap();
    assert!(rows.len() < broker::COMPACTED && !rows.is_empty());
    assert!(!end.partitions[0].complete);
    assert!(
        told(&end, "compacted.public.orders/0", "is compacted"),
        "{end:?}"
    );
}

/// Operations of Kafka's protocol.
const READ: u8 = 3;
const DESCRIBE: u8 = 8;

async fn missing_and_denied(broker: &Broker) {
    let (end, rows) = broker.record("missing", "missing.public.orders", 3).await;
    let error = end.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Refused);
    assert_eq!((error.code(), rows.len()), ("KAFKA-TOPIC-001", 0));
    assert!(error.to_string().contains("missing.public.orders"));

    let topic = "denied.public.orders";
    broker.topic(topic, &[]).await;
    broker.send(topic, &[envelope("1", "\"x\"", 1).into_bytes()]);
    broker.deny(topic, READ).await;
    let (end, rows) = broker.record("denied", topic, 1).await;
    let error = end.unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Denied, "{error}");
    assert_eq!((error.code(), rows.len()), ("KAFKA-DENIED-001", 0));
    assert!(error.to_string().contains(topic));

    // A topic that may not be described is not on the list of all topics, as if it were not there.
    broker.deny(topic, DESCRIBE).await;
    let kafka = Kafka::new(&broker.stack.kafka.bootstrap()).unwrap();
    assert!(kafka.topics().unwrap().iter().all(|one| one.name != topic));
    let error = kafka.may_describe(topic).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Denied, "{error}");
    assert!(kafka.may_describe("missing.public.orders").is_ok());
}

/// Reads beyond the end of a topic, and does something at the first record.
async fn read_while(
    broker: &Broker,
    topic: &'static str,
    mut at_first: impl FnMut() + Send + 'static,
) -> KafkaError {
    let bootstrap = broker.stack.kafka.bootstrap();
    let read = move || {
        let range = ReadRange {
            topic,
            partition: 0,
            from: 0,
            to: 100,
            timeout_idle: Duration::from_secs(4),
        };
        let mut seen = 0;
        let kafka = Kafka::new(&bootstrap).unwrap();
        let end = kafka.read_range(&range, &mut |_| {
            if seen == 0 {
                at_first();
            }
            seen += 1;
            ControlFlow::Continue(())
        });
        end.unwrap_err()
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

async fn deleted_while_reading(broker: &Broker) {
    let topic = "deleted.public.orders";
    broker.topic(topic, &[]).await;
    broker.send(topic, &[envelope("1", "\"x\"", 1).into_bytes()]);
    let (admin, runtime) = (broker.another_admin(), tokio::runtime::Handle::current());
    let delete = move || {
        let deleted = admin.delete_topics(&[topic], &AdminOptions::new());
        runtime.block_on(deleted).unwrap();
    };
    let error = read_while(broker, topic, delete).await;
    assert_eq!(error.code(), "KAFKA-TOPIC-001", "{error}");
    assert_eq!(error.exit_code(), ExitCode::Refused);
}

async fn gone_in_the_midst(broker: &mut Broker) {
    let topic = "gone.public.orders";
    broker
        .topic(topic, &[("max.message.bytes", "62914560")])
        .await;
    for id in 0..4 {
        // Larger than what is fetched ahead.
        let note = format!("\"{}\"", "x".repeat(40 << 20));
        broker.send(topic, &[envelope(&id.to_string(), &note, id).into_bytes()]);
    }
    let pid = broker.stack.kafka.info().pid.unwrap();
    let kill = move || broker::kill(pid);
    let error = read_while(broker, topic, kill).await;
    assert_eq!(error.code(), "KAFKA-SILENT-001", "{error}");
    assert_eq!(error.exit_code(), ExitCode::Unreachable);
    assert!(error.to_string().contains(topic));
    broker.stack.kafka.kill().await.unwrap();
    // Nobody answers any more, which is not the same as a topic that is not there.
    let bootstrap = broker.stack.kafka.bootstrap();
    let asked = move || Kafka::new(&bootstrap).unwrap().watermarks(topic, 0);
    let error = tokio::task::spawn_blocking(asked).await.unwrap();
    assert_eq!(error.unwrap_err().exit_code(), ExitCode::Unreachable);
}
