//! Claims about offsets, with the real ones: on a worker that cannot change them (Kafka 3.5, Debezium 2.4), and where a
//! position that somebody has written is that of a change.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod lab;

use std::ops::ControlFlow;
use std::time::Duration;

use cutover_clients::connect::{ConnectError, offset_at};
use cutover_clients::kafka::{OffsetKey, OffsetRecord, ReadRange};
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::facts::current_lsn;
use cutover_clients::pg::marker::emit_message;
use cutover_clients::pg::publication::create_publication;
use cutover_clients::pg::slots::{create_slot, peek_at, slot};
use cutover_clients::wait::Poll;
use cutover_lab::StackSpec;
use cutover_lab::services::connect::OFFSETS_TOPIC;
use cutover_model::Lsn;
use cutover_rehearse::connector::{ConnectorPlan, config, deploy};
use cutover_rehearse::scene::stream;
use cutover_upgrade::Stream;
use lab::{Lab, wait};
use serde_json::{Map, Value, json};

struct World {
    lab: Lab,
    version: String,
}

impl World {
    async fn up(kafka: &str, debezium: &str) -> World {
        let old = |spec: &mut StackSpec| {
            spec.kafka = kafka.into();
            spec.debezium = debezium.into();
            spec.connect.offset_partitions = 25;
        };
        let lab = Lab::up("offsets", "16.14", old).await;
        lab.sql(cutover_workload::SCHEMA_SQL).await;
        let known = stream("x");
        create_publication(&lab.client, &known.publication, &known.tables)
            .await
            .unwrap();
        World {
            lab,
            version: debezium.into(),
        }
    }

    async fn deploy(&self, stream: &Stream) {
        let plan = ConnectorPlan::default();
        let config = config(stream, &self.lab.debezium, plan, &self.version, None).unwrap();
        deploy(&self.lab.connect, &self.lab.admin, stream, &config)
            .await
            .unwrap();
    }

    /// Commits one row and returns a position behind its commit.
    async fn insert(&self, id: i64) -> Lsn {
        let text = format!("insert into public.order_events values ({id}, 'test', now(), {id})");
        self.lab.sql(&text).await;
        current_lsn(&self.lab.client).await.unwrap()
    }

    /// Ids of the rows in the topic, in its order.
    fn published(&self, stream: &Stream) -> Vec<i64> {
        let topic = format!("{}.public.order_events", stream.topic_prefix);
        let known = self.lab.kafka.topics().unwrap();
        if !known.iter().any(|known| known.name == topic) {
            return Vec::new();
        }
        let (from, to) = self.lab.kafka.watermarks(&topic, 0).unwrap();
        let range = ReadRange {
            topic: &topic,
            partition: 0,
            from,
            to,
            timeout_idle: Duration::from_secs(10),
        };
        let mut ids = Vec::new();
        let mut look = |record: &cutover_clients::kafka::Record<'_>| {
            let value: Value = serde_json::from_slice(record.value.unwrap()).unwrap();
            ids.push(value["after"]["order_id"].as_i64().unwrap());
            ControlFlow::Continue(())
        };
        self.lab.kafka.read_range(&range, &mut look).unwrap();
        ids
    }

    async fn wait_published(&self, stream: &Stream, expected: &[i64]) {
        let what = format!("the rows {expected:?} in the topic");
        wait(&what, async || {
            let seen = self.published(stream);
            let text = format!("{seen:?}");
            if seen == expected {
                Poll::Ready(())
            } else {
                Poll::NotYet(text)
            }
        })
        .await;
    }

    /// Commits a row and waits for it. Returns everything in the topic up to it.
    async fn insert_published(&self, stream: &Stream, id: i64) -> Vec<i64> {
        self.insert(id).await;
        wait(&format!("row {id} in the topic"), async || {
            let seen = self.published(stream);
            if seen.last() == Some(&id) {
                Poll::Ready(())
            } else {
                Poll::NotYet(format!("{seen:?}"))
            }
        })
        .await;
        self.published(stream)
    }

    async fn stop(&self, stream: &Stream) {
        self.lab.connect.stop(&stream.connector).await.unwrap();
        wait("a stopped connector", async || {
            let status = self.lab.connect.status(&stream.connector).await.unwrap();
            let stopped = status.is_some_and(|status| {
                status.connector_state == "STOPPED" && status.tasks.is_empty()
            });
            let slot = slot(&self.lab.client, &stream.slot).await.unwrap();
            if stopped && slot.is_some_and(|slot| !slot.active) {
                Poll::Ready(())
            } else {
                Poll::NotYet("it runs".into())
            }
        })
        .await;
    }

    fn find(&self, stream: &Stream) -> Option<OffsetRecord> {
        let topic = self.lab.kafka.offsets_topic(OFFSETS_TOPIC);
        topic.find(&key(stream)).unwrap()
    }

    fn write(&self, stream: &Stream, value: Option<&Map<String, Value>>) -> OffsetRecord {
        let topic = self.lab.kafka.offsets_topic(OFFSETS_TOPIC);
        topic.write(&key(stream), value).unwrap()
    }

    /// Writes the offset of the stopped connector, by Connect where it can.
    async fn rewrite(&self, stream: &Stream, value: &Map<String, Value>) {
        let partition = json!({ "server": stream.topic_prefix });
        let asked = self
            .lab
            .connect
            .patch_offset(&stream.connector, &partition, value)
            .await;
        match asked {
            Err(ConnectError::NotSupported { .. }) => {
                self.write(stream, Some(value));
            }
            other => other.unwrap(),
        }
    }

    /// One transaction with two rows, committed while the connector is stopped. Returns the position at which exactly
    /// its second row stands.
    async fn two_rows(&self, stream: &Stream, ids: [i64; 2]) -> Lsn {
        let writer = connect_admin(&self.lab.admin).await.unwrap();
        let insert =
            |id| format!("insert into public.order_events values ({id}, 'test', now(), {id})");
        let first = format!("begin; {}", insert(ids[0]));
        writer.batch_execute(&first).await.unwrap();
        let row = writer
            .query_one("select pg_current_wal_insert_lsn()::text", &[])
            .await
            .unwrap();
        let at: Lsn = row.get::<_, String>(0).parse().unwrap();
        let second = format!("{}; commit", insert(ids[1]));
        writer.batch_execute(&second).await.unwrap();
        let here = peek_at(&self.lab.client, &stream.slot, &stream.publication, at)
            .await
            .unwrap();
        assert_eq!(here, b"I", "no row stands at {at}");
        at
    }

    async fn stored(&self, stream: &Stream) -> Option<Lsn> {
        let stored = self.lab.connect.offsets(&stream.connector).await.unwrap();
        stored.and_then(|stored| stored.lsn())
    }
}

fn key(stream: &Stream) -> OffsetKey {
    OffsetKey {
        connector: stream.connector.clone(),
        partition: json!({ "server": stream.topic_prefix }),
    }
}

fn offset(position: Lsn) -> Map<String, Value> {
    let lsn = position.as_i64();
    let value = json!({ "lsn": lsn, "lsn_proc": lsn, "lsn_commit": lsn, "ts_usec": 1 });
    value.as_object().unwrap().clone()
}

#[tokio::test]
async fn connector_goes_on_exactly_where_a_record_in_the_offsets_topic_says() {
    let mut world = World::up("3.5.1", "2.4.0").await;
    let stream = stream("offsets");
    world.deploy(&stream).await;
    world.insert(1).await;
    world.wait_published(&stream, &[1]).await;
    a_row_of_an_open_transaction_comes_after_a_message_under_a_lower_position(&world, &stream)
        .await;
    world.stop(&stream).await;
    let before = world.find(&stream).unwrap();
    let skipped = world.insert(2).await;
    world.insert(3).await;
    let wanted = offset(skipped);
    let partition = json!({ "server": stream.topic_prefix });
    let asked = world
        .lab
        .connect
        .patch_offset(&stream.connector, &partition, &wanted)
        .await;
    assert!(matches!(asked, Err(ConnectError::NotSupported { .. })));
    let written = world.write(&stream, Some(&wanted));
    assert_eq!(
        (written.partition, &written.key),
        (before.partition, &before.key)
    );
    assert_eq!(world.stored(&stream).await, Some(skipped));
    world.lab.connect.resume(&stream.connector).await.unwrap();
    world.insert(4).await;
    world.wait_published(&stream, &[1, 10, 3, 4]).await;
    // Its own commits go on under the same key in the same partition, or this would be refused as scattered.
    world.stop(&stream).await;
    assert!(world.find(&stream).unwrap().offset > written.offset);
    world.write(&stream, None);
    assert_eq!(world.stored(&stream).await, None);
    // A new worker reads the topic from its beginning.
    world.lab.stack.connect.kill().await.unwrap();
    world.lab.stack.connect.start().unwrap();
    world.lab.stack.connect.ready().await.unwrap();
    assert_eq!(world.stored(&stream).await, None);

    an_offset_that_never_was_goes_to_the_partition_that_the_worker_chooses(&world).await;
    a_written_position_that_is_a_changes_own_hides_it(&world).await;
    world.lab.down().await;
}

/// What docs/anomalies.md has as A-020.
async fn a_row_of_an_open_transaction_comes_after_a_message_under_a_lower_position(
    world: &World,
    stream: &Stream,
) {
    let writer = connect_admin(&world.lab.admin).await.unwrap();
    let text = "begin; insert into public.order_events values (10, 'test', now(), 10)";
    writer.batch_execute(text).await.unwrap();
    let message = emit_message(&world.lab.client, &stream.marker_prefix, "between")
        .await
        .unwrap();
    writer.batch_execute("commit").await.unwrap();
    world.wait_published(stream, &[1, 10]).await;
    wait("the stored offset behind the message", async || {
        let stored = world.lab.connect.offsets(&stream.connector).await.unwrap();
        let seen = stored.map(|stored| (stored.lsn(), stored.reached()));
        match seen {
            Some((lsn, reached)) if lsn < Some(message) && reached >= Some(message) => {
                Poll::Ready(())
            }
            _ => Poll::NotYet(format!("message {message}, stored {seen:?}")),
        }
    })
    .await;
}

/// What docs/anomalies.md has as A-023, and what is written instead.
async fn a_written_position_that_is_a_changes_own_hides_it(world: &World) {
    let stream = Stream {
        slot: "slot_at".into(),
        ..stream("at")
    };
    create_slot(&world.lab.client, &stream.slot, "pgoutput")
        .await
        .unwrap();
    world.deploy(&stream).await;
    // Its snapshot reads what other streams of this test have written.
    let other = world.insert_published(&stream, 100).await;
    let expect = |mine: &[i64]| [other.as_slice(), mine].concat();

    world.stop(&stream).await;
    let at = world.two_rows(&stream, [101, 102]).await;
    world.rewrite(&stream, &offset(at)).await;
    world.lab.connect.resume(&stream.connector).await.unwrap();
    world.insert(103).await;
    world.wait_published(&stream, &expect(&[103])).await;

    world.stop(&stream).await;
    let at = world.two_rows(&stream, [104, 105]).await;
    world.rewrite(&stream, &offset_at(at)).await;
    world.lab.connect.resume(&stream.connector).await.unwrap();
    world.insert(106).await;
    let whole = expect(&[103, 104, 105, 106]);
    world.wait_published(&stream, &whole).await;
    world.stop(&stream).await;
}

#[tokio::test]
async fn the_newest_versions_too_take_a_change_at_a_written_position_for_delivered() {
    let world = World::up("4.3.1", "3.7.0").await;
    a_written_position_that_is_a_changes_own_hides_it(&world).await;
    world.lab.down().await;
}

/// On the same servers: they take longer to come up than all of this.
async fn an_offset_that_never_was_goes_to_the_partition_that_the_worker_chooses(world: &World) {
    for name in ["fresh", "zz", "yy"] {
        let stream = Stream {
            slot: format!("slot_{name}"),
            ..stream(name)
        };
        assert_eq!(world.find(&stream), None);
        create_slot(&world.lab.client, &stream.slot, "pgoutput")
            .await
            .unwrap();
        let skipped = world.insert(5).await;
        let written = world.write(&stream, Some(&offset(skipped)));
        world.insert(6).await;
        world.deploy(&stream).await;
        world.insert(7).await;
        world.wait_published(&stream, &[6, 7]).await;
        world.stop(&stream).await;
        let now = world.find(&stream).unwrap();
        println!("{name}: partition {} of 25", now.partition);
        assert_eq!((now.partition, &now.key), (written.partition, &written.key));
        assert!(now.offset > written.offset);
    }
}
