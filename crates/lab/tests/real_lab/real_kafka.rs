//! Claims about reading Kafka, with a real broker from the cache.

use std::ops::ControlFlow;
use std::time::Duration;

use cutover_clients::kafka::{Kafka, ReadEnd, ReadRange};
use cutover_lab::{Stack, StackSpec};
use cutover_model::EventSink;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::Place;

const TOPIC: &str = "transactions";
const PATIENCE: Duration = Duration::from_secs(20);

/// One transaction that writes these values and ends as asked.
fn transaction(producer: &BaseProducer, values: &[&str], commit: bool) {
    producer.begin_transaction().unwrap();
    for value in values {
        let record = BaseRecord::<(), str>::to(TOPIC).partition(0).payload(value);
        producer.send(record).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
    if commit {
        producer.commit_transaction(PATIENCE).unwrap();
    } else {
        producer.abort_transaction(PATIENCE).unwrap();
    }
}

fn read(kafka: &Kafka, to: i64) -> (Vec<String>, ReadEnd) {
    let range = ReadRange {
        topic: TOPIC,
        partition: 0,
        from: 0,
        to,
        timeout_idle: Duration::from_secs(5),
    };
    let mut values = Vec::new();
    let end = kafka.read_range(&range, &mut |record| {
        values.push(String::from_utf8_lossy(record.value.unwrap()).into_owned());
        ControlFlow::Continue(())
    });
    (values, end.unwrap())
}

/// What the topic recorder reads with: a worker with exactly-once that dies leaves records that never count.
#[tokio::test]
async fn records_of_aborted_and_of_open_transactions_are_not_read() {
    let place = Place::new();
    let spec = StackSpec::new("transactions", place.setup.logs.clone());
    let stack = Stack::up(&place.home, spec, &EventSink::none())
        .await
        .unwrap();
    let bootstrap = stack.kafka.bootstrap();
    let kafka = Kafka::new(&bootstrap).unwrap();
    let read_all = move || {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", &bootstrap)
            .set("transactional.id", "one")
            .create()
            .unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        transaction(&producer, &["a", "b"], true);
        transaction(&producer, &["lost"], false);
        transaction(&producer, &["c"], true);
        // A commit is answered before its marker stands in the log.
        let begun = std::time::Instant::now();
        let mut high = 0;
        while high < 7 && begun.elapsed() < PATIENCE {
            high = kafka.watermarks(TOPIC, 0).unwrap().1;
        }
        let (values, end) = read(&kafka, high);
        assert_eq!(values, ["a", "b", "c"]);
        // Seven offsets, three records: the end of the log counts, not the last record.
        assert!(end.reached_end && end.next == high && high == 7, "{end:?}");

        producer.begin_transaction().unwrap();
        let open = BaseRecord::<(), str>::to(TOPIC)
            .partition(0)
            .payload("open");
        producer.send(open).unwrap();
        producer.flush(PATIENCE).unwrap();
        assert_eq!(kafka.watermarks(TOPIC, 0).unwrap().1, high);
        let mut topics = kafka.topics().unwrap();
        topics.retain(|topic| topic.name == TOPIC);
        let ends = kafka.ends(&topics).unwrap();
        assert_eq!(
            ends.into_iter().collect::<Vec<_>>(),
            [((TOPIC.to_owned(), 0), high)]
        );
        assert_eq!(read(&kafka, high).0.len(), 3);
        what_was_fetched_ahead_is_let_go(&bootstrap);
    };
    tokio::task::spawn_blocking(read_all).await.unwrap();
    stack.down_and_purge().await.unwrap();
}

const PARTITIONS: i32 = 8;
const RECORDS: i64 = 512;
const RECORD_BYTES: usize = 64 * 1024;
const WANTED: i64 = 64;
/// So long the first record takes, which is time to fetch 32 MiB ahead.
const BUSY: Duration = Duration::from_millis(200);

/// The library fetches ahead. What it has of partitions that were left in their midst must not add up.
fn what_was_fetched_ahead_is_let_go(bootstrap: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    let topic = NewTopic::new("ahead", PARTITIONS, TopicReplication::Fixed(1));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let made = runtime.block_on(admin.create_topics([&topic], &AdminOptions::new()));
    made.unwrap().pop().unwrap().unwrap();
    let producer: BaseProducer = config.create().unwrap();
    let value = vec![b'x'; RECORD_BYTES];
    for partition in 0..PARTITIONS {
        for _ in 0..RECORDS {
            let record = BaseRecord::<(), [u8]>::to("ahead").partition(partition);
            producer.send(record.payload(&value)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }
    drop(producer);
    let kafka = Kafka::new(bootstrap).unwrap();
    let first = |partition| {
        let range = ReadRange {
            topic: "ahead",
            partition,
            from: 0,
            to: WANTED,
            timeout_idle: PATIENCE,
        };
        let mut seen = 0;
        let end = kafka.read_range(&range, &mut |_| {
            if seen == 0 {
                std::thread::park_timeout(BUSY);
            }
            seen += 1;
            ControlFlow::Continue(())
        });
        assert!(end.unwrap().reached_end && seen == WANTED);
    };
    first(0);
    let before = resident_mib();
    (1..PARTITIONS).for_each(first);
    let more = resident_mib() - before;
    assert!(more < 80, "{more} MiB more after {PARTITIONS} partitions");
}

fn resident_mib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.unwrap().trim().trim_end_matches(" kB");
    digits.parse::<i64>().unwrap() / 1024
}
