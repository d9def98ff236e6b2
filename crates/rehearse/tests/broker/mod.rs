//! A real broker with settings for odd topics, and what puts odd things into them.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::time::Duration;

use cutover_clients::kafka::{Isolation, Kafka, KafkaAddress, ReadRange};
use cutover_clients::wait::{Poll, until};
use cutover_lab::{Home, LabError, Stack, StackSpec};
use cutover_ledger::{ChangeWriter, read_changes};
use cutover_model::{ChangeRow, Column, EventSink, Relation, ReplicaIdentity, TableShape};
use cutover_record::RecordError;
use cutover_record::topics::{
    ConverterModes, PartitionSpan, TopicsConfig, TopicsEnd, record_topics_of,
};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

pub const PATIENCE: Duration = Duration::from_secs(60);
/// Records in the compacted topic before the cleaner comes.
pub const COMPACTED: usize = 30;

/// Requests larger than the default, a cleaner that does not wait, and permissions.
const SETTINGS: &str = "
socket.request.max.bytes=268435456
log.cleaner.backoff.ms=500
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
";

pub type Admin = AdminClient<DefaultClientContext>;

pub struct Broker {
    pub stack: Stack,
    pub admin: Admin,
    producer: BaseProducer,
    folder: tempfile::TempDir,
}

/// An envelope as Debezium's JSON converter writes one; `id` and `note` are JSON.
pub fn envelope(id: &str, note: &str, lsn: i64) -> String {
    format!(
        "{{\"before\":null,\"after\":{{\"id\":{id},\"note\":{note}}},\"source\":{{\"version\":\"3.7.0.Final\",\
         \"connector\":\"postgresql\",\"name\":\"x\",\"schema\":\"public\",\"table\":\"orders\",\"txId\":7,\
         \"lsn\":{lsn}}},\"transaction\":null,\"op\":\"c\",\"ts_ms\":1}}"
    )
}

fn shape() -> TableShape {
    let column = |name: &str, type_oid, key| Column {
        name: name.into(),
        type_oid,
        type_modifier: -1,
        key,
        ..Column::default()
    };
    TableShape {
        relation: Relation::new("public", "orders"),
        columns: vec![column("id", 20, true), column("note", 25, false)],
        replica_identity: ReplicaIdentity::Default,
        content_lost: None,
        unclear_key: false,
    }
}

impl Broker {
    pub async fn up() -> Broker {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::Builder::new().prefix("bad-").tempdir().unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let home = Home::locate(None, Some(folder.path().join("state"))).unwrap();
        let spec = StackSpec::new("bad", folder.path().join("logs"));
        let mut stack = Stack::up(&home, spec, &EventSink::none()).await.unwrap();
        stack.kafka.stop(Duration::from_secs(10)).await.unwrap();
        let settings = stack.kafka.info().folder.join("server.properties");
        let file = std::fs::OpenOptions::new().append(true).open(settings);
        file.unwrap().write_all(SETTINGS.as_bytes()).unwrap();
        stack.kafka.start().unwrap();
        stack.kafka.ready().await.unwrap();
        let bootstrap = stack.kafka.bootstrap();
        Broker {
            admin: client(&bootstrap).create().unwrap(),
            producer: client(&bootstrap).create().unwrap(),
            stack,
            folder,
        }
    }

    pub fn another_admin(&self) -> Admin {
        client(&self.stack.kafka.bootstrap()).create().unwrap()
    }

    pub async fn topic(&self, name: &str, settings: &[(&str, &str)]) {
        let mut topic = NewTopic::new(name, 1, TopicReplication::Fixed(1));
        for (name, value) in settings {
            topic = topic.set(name, value);
        }
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let made = self.admin.create_topics([&topic], &options).await.unwrap();
        assert!(made.iter().all(Result::is_ok), "{made:?}");
    }

    pub fn send(&self, topic: &str, values: &[Vec<u8>]) {
        for value in values {
            let key = key_of(value);
            let record = BaseRecord::to(topic).partition(0).payload(value);
            let sent = match &key {
                Some(key) => self.producer.send(record.key(key)),
                None => self.producer.send(record),
            };
            sent.map_err(|(error, _)| error).unwrap();
        }
        self.producer.flush(PATIENCE).unwrap();
    }

    /// One transaction with one record each, committed or aborted.
    pub fn transactions(&self, topic: &str, all: &[(i64, bool)]) {
        let mut config = client(&self.stack.kafka.bootstrap());
        let producer: BaseProducer = config.set("transactional.id", "one").create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        for (number, commit) in all {
            producer.begin_transaction().unwrap();
            let value = envelope(&number.to_string(), "\"x\"", *number);
            let key = format!("{{\"id\":{number}}}");
            let record = BaseRecord::to(topic).partition(0);
            let sent = producer.send(record.payload(&value).key(&key));
            sent.map_err(|(error, _)| error).unwrap();
            producer.flush(PATIENCE).unwrap();
            match commit {
                true => producer.commit_transaction(PATIENCE).unwrap(),
                false => producer.abort_transaction(PATIENCE).unwrap(),
            }
        }
    }

    /// A topic that the cleaner may go over at once; all records but the last are in closed segments.
    pub async fn compacted_topic(&self, name: &str) {
        let settings = [
            ("cleanup.policy", "compact"),
            ("segment.ms", "100"),
            ("min.cleanable.dirty.ratio", "0.01"),
            ("min.compaction.lag.ms", "0"),
            ("max.compaction.lag.ms", "200"),
        ];
        self.topic(name, &settings).await;
        for lsn in 0..COMPACTED as i64 {
            let value = envelope(&(lsn % 3).to_string(), "\"x\"", lsn);
            self.send(name, &[value.into_bytes()]);
            if lsn == COMPACTED as i64 - 2 {
                // The segment is older than it may be when the last record comes.
                let begun = std::time::Instant::now();
                let (patience, every) = (PATIENCE, Duration::from_millis(50));
                until("a segment of age", patience, every, async || {
                    Ok::<_, LabError>(match begun.elapsed().as_millis() {
                        300.. => Poll::Ready(()),
                        _ => Poll::NotYet("young".into()),
                    })
                })
                .await
                .unwrap();
            }
        }
    }

    /// Waits until the cleaner has removed something.
    pub async fn cleaned(&self, topic: &'static str) {
        let every = Duration::from_millis(500);
        until("the log cleaner", PATIENCE, every, async || {
            let bootstrap = self.stack.kafka.bootstrap();
            let counted = tokio::task::spawn_blocking(move || count(&bootstrap, topic));
            Ok::<_, LabError>(match counted.await.unwrap() {
                COMPACTED.. => Poll::NotYet("all records are there".into()),
                _ => Poll::Ready(()),
            })
        })
        .await
        .unwrap();
    }

    /// Nobody may read the topic any more: one CreateAcls request, since the client has none.
    pub async fn deny(&self, topic: &str, operation: u8) {
        let mut request = Vec::new();
        let text = |request: &mut Vec<u8>, text: &str| {
            request.extend((text.len() as i16).to_be_bytes());
            request.extend(text.as_bytes());
        };
        request.extend([0, 30, 0, 1, 0, 0, 0, 1]); // CreateAcls, version 1, correlation id
        text(&mut request, "test");
        request.extend(1_i32.to_be_bytes());
        request.push(2); // a topic
        text(&mut request, topic);
        request.push(3); // of exactly this name
        text(&mut request, "User:ANONYMOUS");
        text(&mut request, "*");
        request.extend([operation, 2]); // deny
        let address = self.stack.kafka.bootstrap();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        let length = (request.len() as i32).to_be_bytes();
        stream.write_all(&length).unwrap();
        stream.write_all(&request).unwrap();
        // Length, correlation id, throttle time, number of results, error code.
        let mut answer = [0_u8; 18];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(answer[16..18], [0, 0], "{answer:?}");
    }

    /// Records a topic as a run does, from its first offset to `end` (its end now, if that is 0).
    pub async fn record(
        &self,
        prefix: &str,
        topic: &str,
        end: i64,
    ) -> (Result<TopicsEnd, RecordError>, Vec<ChangeRow>) {
        self.record_as(prefix, (topic, end), Isolation::ReadCommitted)
            .await
    }

    pub async fn record_as(
        &self,
        prefix: &str,
        (topic, end): (&str, i64),
        isolation: Isolation,
    ) -> (Result<TopicsEnd, RecordError>, Vec<ChangeRow>) {
        let config = TopicsConfig {
            bootstrap: self.stack.kafka.bootstrap(),
            prefix: prefix.to_owned(),
            shapes: vec![shape()],
            modes: ConverterModes::default(),
            schemas: BTreeMap::new(),
            spans: vec![PartitionSpan {
                topic: topic.to_owned(),
                partition: 0,
                end,
                cuts: vec![(0, 0)],
                forks: Vec::new(),
            }],
        };
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let read = move || record(config, folder.path(), isolation);
        tokio::task::spawn_blocking(read).await.unwrap()
    }
}

fn record(
    mut config: TopicsConfig,
    folder: &std::path::Path,
    isolation: Isolation,
) -> (Result<TopicsEnd, RecordError>, Vec<ChangeRow>) {
    let span = &mut config.spans[0];
    let address = KafkaAddress::plain(&config.bootstrap).reading(isolation);
    let kafka = Kafka::at(&address).unwrap();
    if span.end == 0 {
        span.end = kafka.watermarks(&span.topic, 0).unwrap().1;
    }
    let mut writer = ChangeWriter::create(folder, 1).unwrap();
    let end = record_topics_of(&kafka, &config, &mut writer, (None, &EventSink::none()));
    writer.finish().unwrap();
    let mut rows: Vec<ChangeRow> = read_changes(folder).unwrap().map(Result::unwrap).collect();
    rows.sort_by_key(|row| row.record_offset);
    (end, rows)
}

fn client(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("message.max.bytes", "268435456")
        .set("message.timeout.ms", "60000");
    config
}

/// The record key that goes with an envelope, as far as it can be told.
fn key_of(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let id = text.split("\"id\":").nth(1)?.split(',').next()?;
    Some(format!("{{\"id\":{id}}}"))
}

fn count(bootstrap: &str, topic: &str) -> usize {
    let kafka = Kafka::new(bootstrap).unwrap();
    let range = ReadRange {
        topic,
        partition: 0,
        from: 0,
        to: kafka.watermarks(topic, 0).unwrap().1,
        timeout_idle: Duration::from_secs(10),
    };
    let mut seen = 0;
    let end = kafka.read_range(&range, &mut |_| {
        seen += 1;
        std::ops::ControlFlow::Continue(())
    });
    assert!(end.unwrap().reached_end);
    seen
}

/// Kills a process the hard way.
pub fn kill(pid: u32) {
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status();
    assert!(killed.unwrap().success());
}

fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

/// Begins to measure the peak anew; gives what is resident now.
pub fn reset_peak_memory() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    status("VmRSS:")
}

pub fn peak_memory() -> u64 {
    status("VmHWM:")
}
