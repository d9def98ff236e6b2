//! A healthy system has no finding; each trouble has one, with the statement that mends it.
#![expect(
    clippy::semicolon_if_nothing_returned,
    reason = "each case is one change of the facts"
)]

use cutover_clients::connect::Plugin;
use cutover_clients::pg::facts::ServerFacts;
use cutover_clients::pg::pending::PreparedTransaction;
use cutover_clients::pg::publication_details::PublicationTraits;
use cutover_clients::pg::role::RoleFacts;
use cutover_clients::pg::slot_details::SlotDetail;
use cutover_clients::pg::slots::Slot;
use cutover_model::connector::{ConnectorState, Health, TaskState};
use cutover_model::{Column, Incarnation, Lsn, Relation, ReplicaIdentity, TableShape};
use serde_json::json;

use super::facts::KafkaFacts;
use super::*;

fn detail(name: &str) -> SlotDetail {
    SlotDetail {
        slot: Slot {
            name: name.into(),
            plugin: "pgoutput".into(),
            active: true,
            active_pid: Some(7),
            restart_lsn: Some(Lsn(1)),
            confirmed_flush: Some(Lsn(1)),
            wal_status: Some("reserved".into()),
            failover: false,
        },
        kind: "logical".into(),
        database: Some("shop".into()),
        temporary: false,
        retained_bytes: Some(4096),
        safe_bytes: None,
        invalidation: None,
        inactive_since: None,
    }
}

fn server() -> ServerSide {
    let table = Relation::new("public", "orders");
    ServerSide {
        facts: ServerFacts {
            version: "17.1".into(),
            version_num: 170_001,
            incarnation: Incarnation {
                system_id: 7,
                timeline: 1,
                database_oid: 5,
            },
            current_lsn: Lsn(0x200),
            in_recovery: false,
            wal_level: "logical".into(),
        },
        database: "shop".into(),
        settings: [("max_replication_slots", "10"), ("max_wal_senders", "10")]
            .map(|(name, value)| (name.into(), value.into()))
            .into(),
        slots: vec![detail("s'1")],
        publication: Some((
            PublicationTraits {
                all_tables: false,
                all_changes: true,
                via_root: false,
            },
            vec![table.clone()],
        )),
        tables: vec![(
            table.clone(),
            Some(TableShape {
                relation: table,
                columns: vec![Column {
                    name: "id".into(),
                    type_oid: 20,
                    type_modifier: -1,
                    key: true,
                    ..Column::default()
                }],
                replica_identity: ReplicaIdentity::Full,
                content_lost: None,
                unclear_key: false,
            }),
        )],
        role: Some((
            "dbz".into(),
            Some(RoleFacts {
                can_login: true,
                replicates: true,
                unreadable: Vec::new(),
            }),
        )),
        prepared: Vec::new(),
        collations: Vec::new(),
    }
}

fn healthy() -> DoctorFacts {
    let config = json!({
        "connector.class": crate::start::CLASS, "topic.prefix": "cdc", "plugin.name": "pgoutput", "slot.name": "s'1",
        "publication.name": "p", "publication.autocreate.mode": "disabled", "table.include.list": "public.orders",
        "snapshot.mode": "no_data", "heartbeat.interval.ms": "1000", "database.user": "dbz",
        "database.password": "hunter2",
    });
    DoctorFacts {
        worker: Some(WorkerFacts {
            address: "http://127.0.0.1:8083".into(),
            plugins: vec![Plugin {
                class: crate::start::CLASS.into(),
                kind: "source".into(),
                version: "3.6.3.Final".into(),
            }],
            readers: vec![("orders".into(), "slot s'1 of h:1/d".into())],
        }),
        connector: Some(ConnectorFacts {
            state: ConnectorState {
                name: "orders".into(),
                health: Health::Running,
                state: Some("RUNNING".into()),
                trace: None,
                tasks: vec![TaskState {
                    id: 0,
                    state: "RUNNING".into(),
                    trace: None,
                }],
                code: None,
            },
            config: config.as_object().unwrap().clone(),
        }),
        missing: None,
        debezium: Some("3.6.3.Final".into()),
        server: Some(server()),
        prediction: None,
        kafka: Some(KafkaFacts::default()),
    }
}

#[test]
fn a_healthy_system_has_neither_error_nor_warning() {
    let found = diagnose(&healthy());
    let bad: Vec<_> = found
        .iter()
        .filter(|one| one.severity != Severity::Note)
        .collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(!format!("{:?}", healthy()).contains("hunter2"));
}

/// Breaks one thing, and gives the finding of that code.
fn trouble(code: &str, breaks: impl FnOnce(&mut DoctorFacts)) -> Diagnosis {
    let mut facts = healthy();
    breaks(&mut facts);
    let found = diagnose(&facts);
    let one = found.iter().find(|one| one.code == code);
    one.unwrap_or_else(|| panic!("no {code}: {found:?}"))
        .clone()
}

fn slot(facts: &mut DoctorFacts) -> &mut SlotDetail {
    &mut facts.server.as_mut().unwrap().slots[0]
}

#[test]
fn each_trouble_of_the_worker_is_found() {
    trouble("CUT-DOC-001", |facts| {
        facts.worker.as_mut().unwrap().plugins.clear();
    });
    trouble("CUT-DOC-002", |facts| {
        let plugins = &mut facts.worker.as_mut().unwrap().plugins;
        plugins.push(plugins[0].clone());
    });
    trouble("CUT-DOC-003", |facts| facts.missing = Some("absent".into()));
    trouble("CUT-DOC-004", |facts| {
        facts.debezium = Some("9.1.0.Final".into());
    });
    trouble("CUT-DOC-005", |facts| {
        facts.connector.as_mut().unwrap().state.health = Health::Failed
    });
    let task = trouble("CUT-DOC-006", |facts| {
        let state = &mut facts.connector.as_mut().unwrap().state;
        state.health = Health::TaskFailed;
        state.tasks[0].state = "FAILED".into();
        state.tasks[0].trace = Some("the cause".into());
    });
    assert!(task.evidence.contains("RUNNING") && task.evidence.contains("the cause"));
    trouble("CUT-DOC-007", |facts| {
        facts.connector.as_mut().unwrap().state.health = Health::Paused
    });
    trouble("CUT-DOC-008", |facts| {
        let readers = &mut facts.worker.as_mut().unwrap().readers;
        readers.push(("second".into(), readers[0].1.clone()));
    });
    trouble("CUT-DOC-009", |facts| {
        let config = &mut facts.connector.as_mut().unwrap().config;
        config.insert("database.password".into(), "${file:/x:y}".into());
    });
    trouble("CUT-DOC-010", |facts| {
        facts.worker.as_mut().unwrap().address = "http://connect:8083".into()
    });
}

#[test]
fn each_trouble_of_the_server_is_found_with_its_statement() {
    let of = |code: &str, breaks: fn(&mut ServerSide)| {
        trouble(code, |facts| breaks(facts.server.as_mut().unwrap()))
    };
    of("CUT-DOC-020", |server| {
        server.facts.wal_level = "replica".into()
    });
    of("CUT-DOC-021", |server| server.facts.version_num = 120_001);
    of("CUT-DOC-022", |server| server.facts.in_recovery = true);
    of("CUT-DOC-023", |server| {
        drop(
            server
                .settings
                .insert("max_replication_slots".into(), "1".into()),
        )
    });
    of("CUT-DOC-024", |server| {
        drop(server.settings.insert("max_wal_senders".into(), "1".into()))
    });
    of("CUT-DOC-026", |server| {
        server.collations.push("database d".into())
    });
    let missing = of("CUT-DOC-040", |server| server.publication = None);
    assert_eq!(
        missing.remedy,
        "CREATE PUBLICATION \"p\" FOR TABLE \"public\".\"orders\""
    );
    let lacks = of("CUT-DOC-040", |server| {
        server.publication.as_mut().unwrap().1.clear()
    });
    assert!(
        lacks
            .remedy
            .starts_with("ALTER PUBLICATION \"p\" ADD TABLE \"public\".\"orders\"")
    );
    of("CUT-DOC-040", |server| {
        server.publication.as_mut().unwrap().0.all_changes = false
    });
    of("CUT-DOC-041", |server| server.tables[0].1 = None);
    let role = of("CUT-DOC-050", |server| {
        server.role.as_mut().unwrap().1.as_mut().unwrap().replicates = false
    });
    assert!(role.remedy.starts_with("ALTER ROLE \"dbz\" REPLICATION"));
    of("CUT-DOC-050", |server| {
        server.role.as_mut().unwrap().1 = None
    });
    of("PRE-PREPARED-001", |server| {
        server.prepared.push(PreparedTransaction {
            gid: "g".into(),
            xid: 1,
            owner: "o".into(),
            age_seconds: 3600.0,
        });
    });
}

#[test]
fn each_trouble_of_a_slot_is_found_with_its_statement() {
    let gone = trouble("CUT-DOC-030", |facts| {
        facts.server.as_mut().unwrap().slots.clear()
    });
    assert!(
        gone.remedy
            .contains("SELECT pg_create_logical_replication_slot('s''1', 'pgoutput')")
    );
    let lost = trouble("CUT-DOC-031", |facts| {
        slot(facts).slot.wal_status = Some("lost".into());
        slot(facts).invalidation = Some("wal_removed".into());
    });
    assert!(lost.evidence.contains("wal_removed"));
    assert!(
        lost.remedy
            .contains("SELECT pg_drop_replication_slot('s''1')")
    );
    trouble("CUT-DOC-032", |facts| {
        slot(facts).slot.wal_status = Some("unreserved".into())
    });
    trouble("CUT-DOC-033", |facts| {
        slot(facts).slot.plugin = "test_decoding".into()
    });
    trouble("CUT-DOC-033", |facts| {
        slot(facts).database = Some("other".into())
    });
    trouble("CUT-DOC-034", |facts| slot(facts).slot.active = false);
    let stranger = trouble("CUT-DOC-035", |facts| {
        facts.connector.as_mut().unwrap().state.health = Health::Stopped
    });
    assert!(stranger.remedy.contains("pg_terminate_backend(7)"));
    let idle = trouble("CUT-DOC-036", |facts| {
        let mut other = detail("old");
        other.slot.active = false;
        facts.server.as_mut().unwrap().slots.push(other);
    });
    assert!(
        idle.evidence.contains("4096 bytes")
            && idle.remedy.contains("pg_drop_replication_slot('old')")
    );
    trouble("CUT-DOC-037", |facts| {
        drop(
            facts
                .server
                .as_mut()
                .unwrap()
                .settings
                .insert("max_slot_wal_keep_size".into(), "-1".into()),
        )
    });
    trouble("CUT-DOC-070", |facts| {
        facts
            .kafka
            .as_mut()
            .unwrap()
            .compacted
            .push("cdc.public.orders".into())
    });
}
