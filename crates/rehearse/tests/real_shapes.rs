//! Claims about shapes of data: whatever the keys, identities, names and alterations of a table, what the witness, the
//! topics and the tables show of it is the same, and the checks find nothing.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on shall stop, in its own helpers too"
)]

mod shapes;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutover_audit::{Judgement, judge};
use cutover_clients::connect::Connect;
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::publication::table_shapes;
use cutover_clients::pg::slots::create_slot;
use cutover_clients::pg::{Client, PgAddress, connect_admin};
use cutover_clients::wait::{Poll, until};
use cutover_lab::services::postgres::{Login, PostgresSpec};
use cutover_lab::{Home, Stack, StackSpec};
use cutover_ledger::{ChangeWriter, StoredWriter, read_changes, write_evidence};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{
    EventSink, Evidence, Finding, FindingKind, Relation, RunFolder, TableShape, Verdict,
};
use cutover_record::Notes;
use cutover_record::tables::record_tables;
use cutover_record::topics::{
    ConverterModes, PartitionSpan, TopicsConfig, TopicsEnd, record_topics, settle,
};
use cutover_record::witness::{Witness, WitnessConfig, WitnessEnd};
use cutover_rehearse::RehearseError;
use cutover_rehearse::connector::{ConnectorPlan, config, deploy};
use cutover_rehearse::scene::stream;
use cutover_upgrade::Stream;
use serde_json::{Map, Value, json};
use shapes::Shape;

const DATABASE: &str = "testdb";
const MARKERS: &str = "cutover-shapes";
const BUCKETS: u16 = 4;

/// The connector whose records are sent to other topics than their tables'.
const ROUTED: &str = "routed";

fn route(config: &mut Map<String, Value>) {
    for (option, value) in [
        ("transforms", "route"),
        (
            "transforms.route.type",
            "org.apache.kafka.connect.transforms.RegexRouter",
        ),
        ("transforms.route.regex", "routed\\.public\\.q_(.*)"),
        ("transforms.route.replacement", "routed.all"),
    ] {
        config.insert(option.into(), value.into());
    }
}

struct World {
    stack: Stack,
    admin: PgAddress,
    debezium: PgAddress,
    client: Client,
    folder: tempfile::TempDir,
}

/// A connector, the witness beside it, and where they write.
struct Watched {
    shapes: Vec<&'static Shape>,
    stream: Stream,
    config: Map<String, Value>,
    tables: Vec<TableShape>,
    witness: Witness,
    writer: Arc<Mutex<ChangeWriter>>,
    run: RunFolder,
}

impl World {
    async fn up() -> World {
        let folder = tempfile::Builder::new()
            .prefix("shapes-")
            .tempdir()
            .unwrap();
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let home = Home::locate(None, Some(folder.path().join("state"))).unwrap();
        let mut spec = StackSpec::new("shapes", folder.path().join("logs"));
        let postgres = PostgresSpec::new("main", DATABASE);
        spec.postgres.push(("17".into(), postgres));
        let stack = Stack::up(&home, spec, &EventSink::none()).await.unwrap();
        let cluster = stack.postgres("main").unwrap();
        let admin = cluster.address(Login::Admin, DATABASE);
        World {
            debezium: cluster.tcp_address(Login::Debezium, DATABASE),
            client: connect_admin(&admin).await.unwrap(),
            admin,
            stack,
            folder,
        }
    }

    async fn sql(&self, text: &str) {
        let done = self.client.batch_execute(text).await;
        done.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }

    /// Makes the tables, publishes them, and starts a connector and a witness.
    async fn watch(&self, name: &str, shapes: Vec<&'static Shape>, rooted: bool) -> Watched {
        for shape in &shapes {
            self.sql(shape.made).await;
        }
        let captured = shapes.iter().flat_map(|shape| shape.tables);
        let tables: Vec<Relation> = captured
            .map(|(schema, name)| Relation::new(*schema, *name))
            .collect();
        let stream = Stream {
            connector: name.into(),
            topic_prefix: name.into(),
            slot: name.into(),
            publication: name.into(),
            tables,
            ..stream("x")
        };
        let quoted: Vec<String> = stream.tables.iter().map(Relation::quoted).collect();
        self.sql(&format!(
            "create publication {name} for table {} with (publish_via_partition_root = {rooted})",
            quoted.join(", ")
        ))
        .await;
        let mut config = config(
            &stream,
            &self.debezium,
            ConnectorPlan::default(),
            "3.7.0",
            None,
        )
        .unwrap();
        // The publication says what is captured; truncates are left out by default.
        config.remove("table.include.list");
        config.insert("skipped.operations".into(), "none".into());
        if name == ROUTED {
            route(&mut config);
        }
        let mut tables = table_shapes(&self.client, &stream.tables).await.unwrap();
        settle(&mut tables, &ConverterModes::from_connector_config(&config));
        let run = RunFolder::at(self.folder.path().join(name));
        let slot = format!("witness_{name}");
        create_slot(&self.client, &slot, "pgoutput").await.unwrap();
        let committed = run.ledger(LedgerKind::Committed);
        let writer = Arc::new(Mutex::new(
            ChangeWriter::create(&committed, BUCKETS).unwrap(),
        ));
        let witness = WitnessConfig {
            address: self.admin.clone(),
            slot,
            publication: stream.publication.clone(),
            incarnation: 0,
            shapes: tables.clone(),
            marker_prefix: MARKERS.into(),
        };
        let witness = Witness::start(witness, Arc::clone(&writer)).unwrap();
        let connect = Connect::new(&self.stack.connect.url());
        deploy(&connect, &self.admin, &stream, &config)
            .await
            .unwrap();
        Watched {
            shapes,
            stream,
            config,
            tables,
            witness,
            writer,
            run,
        }
    }

    /// Plays every change and waits until connector and witness have them all.
    async fn play(&self, watched: &Watched) {
        let changes = watched.shapes.iter().flat_map(|shape| shape.changes);
        for change in changes {
            self.sql(change).await;
        }
        self.sql(&format!(
            "select pg_logical_emit_message(true, '{MARKERS}', 'end')"
        ))
        .await;
        let kafka = self.kafka();
        let topic = format!("{}.message", watched.stream.topic_prefix);
        let (deadline, every) = (Duration::from_secs(60), Duration::from_millis(200));
        let arrived = until("the last marker", deadline, every, async || {
            let known = kafka.topics()?.iter().any(|known| known.name == topic);
            let there = known && kafka.watermarks(&topic, 0)?.1 > 0;
            let seen = watched.witness.saw_marker("end").is_some();
            let error = watched.witness.status().error;
            Ok::<_, RehearseError>(match there && seen {
                true => Poll::Ready(()),
                false => Poll::NotYet(format!("in {topic}: {there}, in the log: {seen} {error:?}")),
            })
        });
        arrived.await.unwrap();
    }

    fn kafka(&self) -> Kafka {
        Kafka::new(&self.stack.kafka.bootstrap()).unwrap()
    }

    fn spans(&self, prefix: &str) -> Vec<PartitionSpan> {
        let kafka = self.kafka();
        let begins = format!("{prefix}.");
        let topics = kafka.topics().unwrap();
        let ours = topics
            .iter()
            .filter(|topic| topic.name.starts_with(&begins));
        ours.map(|topic| PartitionSpan {
            topic: topic.name.clone(),
            partition: 0,
            end: kafka.watermarks(&topic.name, 0).unwrap().1,
            cuts: vec![(0, 0)],
            forks: Vec::new(),
        })
        .collect()
    }

    async fn published(&self, watched: &Played) -> TopicsEnd {
        let config = TopicsConfig {
            bootstrap: self.stack.kafka.bootstrap(),
            prefix: watched.stream.topic_prefix.clone(),
            shapes: watched.tables.clone(),
            modes: ConverterModes::from_connector_config(&watched.config),
            schemas: BTreeMap::new(),
            spans: self.spans(&watched.stream.topic_prefix),
        };
        let folder = watched.run.ledger(LedgerKind::Published);
        let read = move || {
            let mut writer = ChangeWriter::create(&folder, BUCKETS).unwrap();
            let end = record_topics(&config, &mut writer, None, &EventSink::none());
            writer.finish().unwrap();
            end.unwrap()
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    /// The final rows, by the columns that the tables had when recording began.
    async fn stored(&self, watched: &Played) -> Notes {
        let folder = watched.run.ledger(LedgerKind::Stored);
        let mut writer = StoredWriter::create(&folder, BUCKETS).unwrap();
        let now = table_shapes(&self.client, &watched.stream.tables).await;
        let mut tables = now.unwrap();
        let modes = ConverterModes::from_connector_config(&watched.config);
        settle(&mut tables, &modes);
        for (table, known) in tables.iter_mut().zip(&watched.tables) {
            table.content_lost.clone_from(&known.content_lost);
            for column in &mut table.columns {
                let known = known.columns.iter().find(|known| known.name == column.name);
                column.comparison.clone_from(&known.unwrap().comparison);
            }
        }
        let end = record_tables(&self.admin, &tables, 0, &mut writer).await;
        writer.finish().unwrap();
        end.unwrap().notes
    }
}

/// After everything was played, with the tables as a record may show them.
struct Played {
    stream: Stream,
    config: Map<String, Value>,
    tables: Vec<TableShape>,
    end: WitnessEnd,
    run: RunFolder,
}

impl Watched {
    async fn ended(self) -> Played {
        let witness = self.witness;
        let stop = tokio::task::spawn_blocking(move || witness.stop());
        let end = stop.await.unwrap().unwrap();
        let writer = Arc::into_inner(self.writer).unwrap().into_inner().unwrap();
        writer.finish().unwrap();
        Played {
            tables: end.alterations.applied(&self.tables),
            stream: self.stream,
            config: self.config,
            end,
            run: self.run,
        }
    }
}

impl Played {
    /// What a run would have noted, for the audit.
    fn evidence(&self, topics: &TopicsEnd, stored: &Notes) -> Evidence {
        let mut notes = Notes::of_shapes(&self.tables);
        notes.add(stored.clone());
        notes.add(self.end.notes.clone());
        notes.add(topics.not_compared.iter().cloned().collect());
        let table = |table: &TableShape| {
            let relation = table.relation.to_string();
            let columns = notes.not_compared.iter();
            let columns: Vec<_> = columns
                .filter(|((of, _), _)| *of == relation)
                .map(|((_, column), why)| (column, why))
                .collect();
            json!({
                "relation": relation,
                "keyed": table.has_key(),
                "stored": true,
                "not_compared": columns,
            })
        };
        let through = self.end.through.to_string();
        let evidence = json!({
            "format": "cutover.evidence/1",
            "buckets": BUCKETS,
            "incarnations": [{
                "incarnation": { "system_id": "7", "timeline": 1, "database_oid": 5 },
                "label": "PostgreSQL 17",
                "witness": { "slot": "witness", "from": "0/0", "through": through, "complete": true }
            }],
            "fence": {
                "token": "end", "incarnation": 0, "lsn": through,
                "seen_in_topic": true, "offset_stored": true, "confirmed": true, "witnessed": true
            },
            "partitions": topics.partitions,
            "tables": self.tables.iter().map(table).collect::<Vec<_>>(),
            "payload": topics.payload,
            "tombstones": true,
            "snapshot_allowed": false,
            "attempted": false,
            "problems": topics.problems.iter().chain(&notes.problems).collect::<BTreeSet<_>>(),
        });
        serde_json::from_value(evidence).unwrap()
    }

    async fn judged(&self, topics: &TopicsEnd, stored: &Notes) -> Judgement {
        write_evidence(&self.run, &self.evidence(topics, stored)).unwrap();
        judge(&self.run).await.unwrap()
    }

    /// Columns of one table whose content was not compared, of those that a user wrote.
    fn not_compared(&self, topics: &TopicsEnd, stored: &Notes, table: &str) -> BTreeSet<String> {
        let evidence = self.evidence(topics, stored);
        let mut tables = evidence.tables.into_iter();
        let table = tables.find(|found| found.relation == table).unwrap();
        table
            .not_compared
            .into_iter()
            .map(|(column, _)| column)
            .collect()
    }
}

#[tokio::test]
async fn every_shape_of_data_is_read_alike_by_the_witness_the_topics_and_the_tables() {
    let world = World::up().await;
    let groups: [&'static [Shape]; 6] = [
        &shapes::KEYED,
        &shapes::KEYLESS,
        &shapes::TRUNCATED,
        &shapes::NAMED,
        &shapes::ALTERED,
        &shapes::PARTITIONED,
    ];
    let leaves = groups.into_iter().flatten().collect();
    let leaves = world.watch("leaves", leaves, false).await;
    let routed = world
        .watch(ROUTED, shapes::ROUTED.iter().collect(), false)
        .await;
    let without = shapes::WITHOUT_KEY_IN_IDENTITY.iter().collect();
    let without = world.watch("without", without, false).await;
    let roots = world
        .watch("roots", shapes::ROOTED.iter().collect(), true)
        .await;
    let mut all = Vec::new();
    for watched in [leaves, roots, routed, without] {
        world.play(&watched).await;
        all.push(watched.ended().await);
    }
    for played in &all {
        let name = &played.stream.topic_prefix;
        let topics = world.published(played).await;
        let stored = world.stored(played).await;
        let judgement = played.judged(&topics, &stored).await;
        if name == "without" {
            keys_are_invented(&judgement);
            continue;
        }
        let findings: Vec<_> = judgement.findings.iter().take(10).collect();
        let (verdict, reasons) = (judgement.verdict, &judgement.reasons);
        assert_eq!(verdict, Verdict::Pass, "{name}: {reasons:?} {findings:#?}");
        every_table_has_changes(played);
        if name == "leaves" {
            contents_are_named(played, &topics, &stored);
        }
    }
    world.stack.down_and_purge().await.unwrap();
}

/// Of the key that Debezium makes up for an old row whose key the log does not have.
fn keys_are_invented(judgement: &Judgement) {
    assert_eq!(judgement.verdict, Verdict::Fail, "{:?}", judgement.reasons);
    let phantoms = judgement
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Phantom);
    let keys: BTreeSet<_> = phantoms
        .filter(|finding| finding.op.as_deref() == Some("d"))
        .map(|finding| finding.key.clone())
        .collect();
    assert_eq!(keys, BTreeSet::from([Some("{\"id\":\"0\"}".to_owned())]));
    let lost = |finding: &&Finding| finding.kind == FindingKind::Lost;
    let mut lost = judgement.findings.iter().filter(lost);
    assert!(lost.next().is_some());
    // The row that was deleted stays with every consumer.
    let kept = |finding: &&Finding| finding.kind == FindingKind::Divergent;
    let mut kept = judgement.findings.iter().filter(kept);
    assert!(kept.any(|finding| finding.key.as_deref() == Some("{\"id\":\"1\"}")));
}

/// A pass over nothing proves nothing.
fn every_table_has_changes(played: &Played) {
    let mut seen = BTreeSet::new();
    for row in read_changes(&played.run.ledger(LedgerKind::Committed)).unwrap() {
        seen.insert(row.unwrap().relation);
    }
    let tables = played.tables.iter();
    let all: BTreeSet<String> = tables.map(|table| table.relation.to_string()).collect();
    assert_eq!(seen, all);
}

/// What an alteration took out of the comparison, and nothing else.
fn contents_are_named(played: &Played, topics: &TopicsEnd, stored: &Notes) {
    let of = |table: &str| {
        let columns = played.not_compared(topics, stored, &format!("public.{table}"));
        columns.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(of("k_default"), [""; 0]);
    assert_eq!(of("k_generated"), ["twice"]);
    assert_eq!(of("k_large"), ["large"]);
    assert_eq!(of("k_large_full"), [""; 0]);
    assert_eq!(of("a_add"), ["more"]);
    assert_eq!(of("a_drop"), ["gone", "note"]);
    assert_eq!(of("a_rename"), ["note", "remark"]);
    assert_eq!(of("a_wider"), [""; 0]);
    assert_eq!(of("a_retype"), ["amount", "at"]);
    assert_eq!(of("a_enum"), [""; 0]);
}
