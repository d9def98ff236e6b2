//! What is missing is wanted, what is there is left alone, what is something else is never replaced.

use cutover_clients::pg::slots::Slot;
use cutover_model::{Incarnation, Lsn};

use super::*;

fn wanted() -> Wanted {
    Wanted {
        slot: "s'1".into(),
        publication: "p".into(),
        tables: vec![Relation::new("public", "a"), Relation::new("public", "b\"")],
    }
}

fn empty() -> Found {
    Found {
        database: "d".into(),
        server: ServerFacts {
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
        slots_max: Some(2),
        slots: Vec::new(),
        publication: None,
        identities: vec![Some(ReplicaIdentity::Default), Some(ReplicaIdentity::Full)],
    }
}

fn detail(plugin: &str, database: &str, wal_status: &str) -> SlotDetail {
    SlotDetail {
        slot: Slot {
            name: "s'1".into(),
            plugin: plugin.into(),
            active: false,
            active_pid: None,
            restart_lsn: Some(Lsn(1)),
            confirmed_flush: Some(Lsn(1)),
            wal_status: Some(wal_status.into()),
            failover: false,
        },
        kind: "logical".into(),
        database: Some(database.into()),
        temporary: false,
        retained_bytes: None,
        safe_bytes: None,
        invalidation: None,
        inactive_since: None,
    }
}

fn states(found: &Found) -> Vec<SetupState> {
    items(&wanted(), found)
        .iter()
        .map(|item| item.state)
        .collect()
}

#[test]
fn what_is_missing_is_wanted_in_order_with_quoted_names() {
    let list = items(&wanted(), &empty());
    let statements: Vec<&str> = list
        .iter()
        .filter_map(|item| item.statement.as_deref())
        .collect();
    assert_eq!(
        statements,
        [
            "CREATE PUBLICATION \"p\" FOR TABLE \"public\".\"a\", \"public\".\"b\"\"\"",
            "ALTER TABLE \"public\".\"a\" REPLICA IDENTITY FULL",
            "SELECT pg_create_logical_replication_slot('s''1', 'pgoutput')",
        ]
    );
}

#[test]
fn what_is_there_is_left_alone() {
    let mut found = empty();
    found.identities = vec![Some(ReplicaIdentity::Full); 2];
    found.slots = vec![detail("pgoutput", "d", "reserved")];
    let traits = PublicationTraits {
        all_tables: false,
        all_changes: true,
        via_root: false,
    };
    found.publication = Some((traits, wanted().tables));
    assert!(
        states(&found)
            .iter()
            .all(|state| *state == SetupState::Present)
    );
    found.publication = Some((traits, vec![Relation::new("public", "a")]));
    let list = items(&wanted(), &found);
    assert_eq!(
        list[1].statement.as_deref(),
        Some("ALTER PUBLICATION \"p\" ADD TABLE \"public\".\"b\"\"\"")
    );
}

#[test]
fn what_is_something_else_is_never_replaced() {
    let blocked = |change: &dyn Fn(&mut Found)| {
        let mut found = empty();
        change(&mut found);
        assert!(states(&found).contains(&SetupState::InTheWay), "{found:?}");
    };
    blocked(&|found| found.slots = vec![detail("test_decoding", "d", "reserved")]);
    blocked(&|found| found.slots = vec![detail("pgoutput", "other", "reserved")]);
    blocked(&|found| found.slots = vec![detail("pgoutput", "d", "lost")]);
    blocked(&|found| found.slots_max = Some(0));
    blocked(&|found| found.server.wal_level = "replica".into());
    blocked(&|found| found.server.in_recovery = true);
    blocked(&|found| found.identities[0] = None);
    blocked(&|found| {
        let traits = PublicationTraits {
            all_tables: true,
            all_changes: false,
            via_root: false,
        };
        found.publication = Some((traits, Vec::new()));
    });
}
