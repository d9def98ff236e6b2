//! Claims about reading Kafka, with a real broker from the cache.

use std::ops::ControlFlow;
use std::time::Duration;

use cutover_clients::kafka::{Kafka, ReadEnd, ReadRange};
use cutover_lab::{Stack, StackSpec};
use cutover_model::EventSink;
use rdkafka::ClientConfig;
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
    };
    tokio::task::spawn_blocking(read_all).await.unwrap();
    stack.down_and_purge().await.unwrap();
}
