//! Connectors that capture one group of tables, a witness beside them, and the judgement of what each has published.
//!
//! Used by the tests of shapes and of forms. The rule it protects: what a connector was told decides what is asked of
//! it, by the same rules as in a run; and a pass over nothing is none.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cutover_audit::{Judgement, judge};
use cutover_clients::connect::Status;
use cutover_clients::pg::publication::table_shapes;
use cutover_clients::pg::slots::create_slot;
use cutover_clients::wait::Poll;
use cutover_ledger::{ChangeWriter, StoredWriter, read_changes, write_evidence};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{ChangeRow, Evidence, Relation, RunFolder, TableShape};
use cutover_record::Notes;
use cutover_record::tables::record_tables;
use cutover_record::topics::{ConverterModes, TopicsEnd, record_options, settle};
use cutover_record::witness::{Witness, WitnessConfig, WitnessEnd};
use cutover_rehearse::connector::{ConnectorPlan, config};
use cutover_rehearse::scene::stream;
use cutover_upgrade::Stream;
use cutover_upgrade::lint::of_deletes;
use serde_json::{Map, Value, json};

use crate::lab::{Lab, wait};
use crate::shapes::Shape;
use crate::streams::BUCKETS;

const MARKERS: &str = "cutover-shapes";
/// Whoever makes a slot has it too, before a connector knows from where on it reads.
const READERS: &str = "select count(*) from pg_replication_slots made
    join pg_stat_replication reader on reader.pid = made.active_pid
    where made.slot_name = $1::text and reader.state in ('catchup', 'streaming')";

/// A connector that is to capture a group.
#[derive(Clone)]
pub struct Wanted {
    /// Of the connector, its slot and its topics.
    pub name: &'static str,
    /// Version of Debezium.
    pub version: &'static str,
    pub plan: ConnectorPlan,
    /// On top of the plan; an empty value takes an option away.
    pub options: Vec<(&'static str, String)>,
}

impl Wanted {
    /// One of the newest Debezium.
    pub fn new(name: &'static str, plan: ConnectorPlan) -> Wanted {
        Wanted {
            name,
            version: "3.7.0",
            plan,
            options: Vec::new(),
        }
    }

    pub fn with(mut self, options: &[(&'static str, &str)]) -> Wanted {
        let options = options.iter();
        self.options
            .extend(options.map(|(name, value)| (*name, (*value).to_owned())));
        self
    }
}

/// One that was started.
pub struct Connector {
    pub wanted: Wanted,
    pub config: Map<String, Value>,
}

impl Connector {
    fn modes(&self) -> ConverterModes {
        ConverterModes::from_connector_config(&self.config)
    }

    fn option(&self, name: &str) -> bool {
        self.config.get(name).is_some_and(|value| value == "true")
    }
}

/// Tables that are captured together.
pub struct Group {
    shapes: Vec<&'static Shape>,
    relations: Vec<Relation>,
    tables: Vec<TableShape>,
    connectors: Vec<Connector>,
    witness: Witness,
    writer: Arc<Mutex<ChangeWriter>>,
    committed: PathBuf,
}

impl Lab {
    /// Makes the tables, publishes them under their own name or that of the whole table, and starts witness and
    /// connectors.
    pub async fn group(
        &self,
        name: &str,
        shapes: Vec<&'static Shape>,
        rooted: bool,
        wanted: Vec<Wanted>,
    ) -> Group {
        for shape in &shapes {
            self.sql(shape.made).await;
        }
        let captured = shapes.iter().flat_map(|shape| shape.tables);
        let relations: Vec<Relation> = captured
            .map(|(schema, name)| Relation::new(*schema, *name))
            .collect();
        let quoted: Vec<String> = relations.iter().map(Relation::quoted).collect();
        self.sql(&format!(
            "create publication {name} for table {} with (publish_via_partition_root = {rooted})",
            quoted.join(", ")
        ))
        .await;
        let connectors: Vec<Connector> = wanted
            .into_iter()
            .map(|wanted| self.configured(wanted, name, &relations))
            .collect();
        let known = table_shapes(&self.client, &relations).await.unwrap();
        let mut settled = connectors.iter().map(|connector| {
            let mut tables = known.clone();
            settle(&mut tables, &connector.modes());
            tables
        });
        let tables = settled.next().unwrap();
        assert!(settled.all(|other| other == tables), "one witness for all");
        let (slot, committed) = (format!("witness_{name}"), self.folder.path().join(name));
        create_slot(&self.client, &slot, "pgoutput").await.unwrap();
        let writer = ChangeWriter::create(&committed, BUCKETS).unwrap();
        let writer = Arc::new(Mutex::new(writer));
        let witness = WitnessConfig {
            address: self.admin.clone(),
            slot,
            publication: name.into(),
            incarnation: 0,
            shapes: tables.clone(),
            marker_prefix: MARKERS.into(),
        };
        let witness = Witness::start(witness, Arc::clone(&writer)).unwrap();
        self.started(&connectors).await;
        Group {
            shapes,
            relations,
            tables,
            connectors,
            witness,
            writer,
            committed,
        }
    }

    fn configured(&self, wanted: Wanted, publication: &str, tables: &[Relation]) -> Connector {
        let stream = Stream {
            connector: wanted.name.into(),
            topic_prefix: wanted.name.into(),
            slot: wanted.name.into(),
            publication: publication.into(),
            tables: tables.to_vec(),
            ..stream("x")
        };
        let registry = self.stack.registry.as_ref().map(|registry| registry.url());
        let (address, registry) = (&self.debezium, registry.as_deref());
        let made = config(&stream, address, wanted.plan, wanted.version, registry);
        let mut config = made.unwrap();
        // The publication says what is captured; truncates are left out by default.
        config.remove("table.include.list");
        config.insert("skipped.operations".into(), "none".into());
        for (name, value) in &wanted.options {
            match value.as_str() {
                "" => config.remove(*name),
                value => config.insert((*name).into(), value.into()),
            };
        }
        Connector { wanted, config }
    }

    /// All of them at once: each of them mostly waits.
    async fn started(&self, connectors: &[Connector]) {
        for connector in connectors {
            let put = (connector.wanted.name, &connector.config);
            self.connect.put_config(put.0, put.1).await.unwrap();
        }
        for connector in connectors {
            let name = connector.wanted.name;
            wait(&format!("connector {name} to stream"), async || {
                let status = self.connect.status(name).await.unwrap();
                let failure = status.as_ref().and_then(Status::failure);
                assert!(failure.is_none(), "{name}: {failure:?}");
                let readers = self.client.query_one(READERS, &[&name]).await;
                match readers.unwrap().get::<_, i64>(0) {
                    1 => Poll::Ready(()),
                    _ => Poll::NotYet("its slot has no reader".into()),
                }
            })
            .await;
        }
    }

    /// Plays every change of all groups, waits until witnesses and connectors have them, and ends the witnesses. A
    /// marker comes through every connector there is, so there is one for all.
    pub async fn played(&self, groups: Vec<Group>) -> Vec<Played> {
        let shapes = groups.iter().flat_map(|group| &group.shapes);
        for change in shapes.flat_map(|shape| shape.changes) {
            self.sql(change).await;
        }
        self.sql(&format!(
            "select pg_logical_emit_message(true, '{MARKERS}', 'end')"
        ))
        .await;
        let mut all = Vec::new();
        for group in groups {
            all.push(self.ended(group).await);
        }
        all
    }

    async fn ended(&self, group: Group) -> Played {
        wait("the marker in the log", async || {
            match group.witness.saw_marker("end") {
                Some(_) => Poll::Ready(()),
                None => Poll::NotYet(format!("{:?}", group.witness.status().error)),
            }
        })
        .await;
        for connector in &group.connectors {
            self.messages(connector.wanted.name, 1).await;
        }
        let witness = group.witness;
        let stop = tokio::task::spawn_blocking(move || witness.stop());
        let end = stop.await.unwrap().unwrap();
        let writer = Arc::into_inner(group.writer).unwrap();
        writer.into_inner().unwrap().finish().unwrap();
        let played = Played {
            tables: end.alterations.applied(&group.tables),
            relations: group.relations,
            connectors: group.connectors,
            end,
            committed: group.committed,
        };
        played.every_table_has_changes();
        played
    }
}

/// After everything was played, with the tables as a record may show them.
pub struct Played {
    relations: Vec<Relation>,
    pub tables: Vec<TableShape>,
    pub connectors: Vec<Connector>,
    end: WitnessEnd,
    committed: PathBuf,
}

/// One connector's stream, recorded and judged.
pub struct Judged {
    pub judgement: Judgement,
    pub evidence: Evidence,
}

/// Where the ledgers of a connector's stream are.
pub fn run_folder(lab: &Lab, name: &str) -> RunFolder {
    RunFolder::at(lab.folder.path().join("runs").join(name))
}

impl Played {
    /// A pass over nothing proves nothing.
    fn every_table_has_changes(&self) {
        let rows = read_changes(&self.committed).unwrap();
        let seen: BTreeSet<String> = rows.map(|row| row.unwrap().relation).collect();
        let tables = self.tables.iter();
        let all: BTreeSet<String> = tables.map(|table| table.relation.to_string()).collect();
        assert_eq!(seen, all);
    }

    pub async fn judged(&self, lab: &Lab, connector: &Connector) -> Judged {
        let name = connector.wanted.name;
        let run = run_folder(lab, name);
        let committed = run.ledger(LedgerKind::Committed);
        copy(&self.committed, &committed, |_| true);
        let read = lab.published(name, &self.tables, &connector.config, run.root());
        let topics = read.await.unwrap();
        let stored = self.stored(lab, connector, &run).await;
        let evidence = self.evidence(connector, &topics, stored);
        write_evidence(&run, &evidence).unwrap();
        Judged {
            judgement: judge(&run).await.unwrap(),
            evidence,
        }
    }

    /// The final rows, by the columns that the tables had when recording began.
    async fn stored(&self, lab: &Lab, connector: &Connector, run: &RunFolder) -> Notes {
        let folder = run.ledger(LedgerKind::Stored);
        let mut writer = StoredWriter::create(&folder, BUCKETS).unwrap();
        let now = table_shapes(&lab.client, &self.relations).await;
        let mut tables = now.unwrap();
        settle(&mut tables, &connector.modes());
        for (table, known) in tables.iter_mut().zip(&self.tables) {
            table.content_lost.clone_from(&known.content_lost);
            for column in &mut table.columns {
                let known = known.columns.iter().find(|known| known.name == column.name);
                column.comparison.clone_from(&known.unwrap().comparison);
            }
        }
        let end = record_tables(&lab.admin, &tables, 0, &mut writer).await;
        writer.finish().unwrap();
        end.unwrap().notes
    }

    /// What a run would have noted, for the audit.
    fn evidence(&self, connector: &Connector, topics: &TopicsEnd, stored: Notes) -> Evidence {
        let mut notes = Notes::of_shapes(&self.tables);
        notes.add(stored);
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
        let options = record_options(&connector.config);
        let version = connector.wanted.version.parse().unwrap();
        let (deletes, tombstones) = of_deletes(&options, version);
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
            "tombstones": tombstones,
            "deletes": deletes,
            "snapshot_allowed": false,
            "elsewhere": connector.modes().unfollowed,
            "transaction_metadata": connector.option("provide.transaction.metadata"),
            "attempted": false,
            "problems": topics.problems.iter().chain(&notes.problems).collect::<BTreeSet<_>>(),
        });
        serde_json::from_value(evidence).unwrap()
    }
}

/// Rows of a ledger that are to be kept, into another one.
pub fn copy(from: &Path, to: &Path, keep: impl Fn(&ChangeRow) -> bool) {
    let mut writer = ChangeWriter::create(to, BUCKETS).unwrap();
    for row in read_changes(from).unwrap() {
        let row = row.unwrap();
        if keep(&row) {
            writer.append(&row).unwrap();
        }
    }
    writer.finish().unwrap();
}
