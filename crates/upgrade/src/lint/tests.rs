//! Each rule has a configuration that triggers it and one that does not; translations keep their meaning.

use cutover_model::lint::Translation;
use cutover_model::{Column, Relation, ReplicaIdentity, TableShape};

use super::*;

mod reference;

/// What a team runs that has thought about an upgrade.
fn good() -> Config {
    let options = [
        (
            "connector.class",
            "io.debezium.connector.postgresql.PostgresConnector",
        ),
        ("topic.prefix", "cdc"),
        ("plugin.name", "pgoutput"),
        ("slot.name", "debezium_slot"),
        ("publication.autocreate.mode", "disabled"),
        ("snapshot.mode", "no_data"),
        ("heartbeat.interval.ms", "10000"),
    ];
    options
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

fn with(changes: &[(&str, &str)]) -> Config {
    let mut config = good();
    for (name, value) in changes {
        if value.is_empty() {
            config.remove(*name);
        } else {
            config.insert((*name).to_owned(), (*value).to_owned());
        }
    }
    config
}

fn table(replica_identity: ReplicaIdentity, key: bool) -> TableShape {
    TableShape {
        relation: Relation::new("public", "orders"),
        columns: vec![Column {
            name: "id".into(),
            type_oid: 20,
            type_modifier: -1,
            key,
            ..Column::default()
        }],
        replica_identity,
        content_lost: None,
        unclear_key: false,
    }
}

fn codes(config: &Config, version: &str, tables: Option<&[TableShape]>) -> Vec<String> {
    let version = version.parse().unwrap();
    let subject = Subject {
        config,
        version,
        tables,
    };
    lint(&subject).into_iter().map(|lint| lint.code).collect()
}

const SMT: (&str, &str) = ("transforms", "unwrap");
const SMT_TYPE: (&str, &str) = (
    "transforms.unwrap.type",
    "io.debezium.transforms.ExtractNewRecordState",
);
const OLD_DELETES: (&str, &str) = ("transforms.unwrap.delete.handling.mode", "rewrite");
const OLD_TOMBSTONES: (&str, &str) = ("transforms.unwrap.drop.tombstones", "false");
const NEW_DELETES: (&str, &str) = (
    "transforms.unwrap.delete.tombstone.handling.mode",
    "rewrite",
);

struct Try {
    code: &'static str,
    changes: &'static [(&'static str, &'static str)],
    bad: &'static [&'static str],
    fine: &'static [&'static str],
}

const TRIES: [Try; 27] = [
    Try {
        code: "001",
        changes: &[(
            "connector.class",
            "io.debezium.connector.mysql.MySqlConnector",
        )],
        bad: &["3.6.3"],
        fine: &[],
    },
    Try {
        code: "001",
        changes: &[],
        bad: &[],
        fine: &["2.6.0", "3.6.3"],
    },
    Try {
        code: "002",
        changes: &[("topic.prefix", "")],
        bad: &["2.4.0", "3.6.3"],
        fine: &[],
    },
    Try {
        code: "002",
        changes: &[("topic.prefix", ""), ("database.server.name", "cdc")],
        bad: &["2.0.0"],
        fine: &[],
    },
    Try {
        code: "003",
        changes: &[("snapshot.mode", "never")],
        bad: &["3.3.0", "3.7.0"],
        fine: &["2.4.0", "3.2.7"],
    },
    Try {
        code: "003",
        changes: &[("snapshot.mode", "no_data")],
        bad: &["2.5.4", "2.4.0"],
        fine: &["2.6.0", "3.6.3"],
    },
    Try {
        code: "003",
        changes: &[("snapshot.mode", "when_needed")],
        bad: &["2.4.0"],
        fine: &["2.6.0"],
    },
    Try {
        code: "004",
        changes: &[("snapshot.mode", "never")],
        bad: &["2.6.0", "3.2.7"],
        fine: &["2.4.0", "3.3.0"],
    },
    Try {
        code: "005",
        changes: &[("snapshot.mode", "initial")],
        bad: &["2.4.0", "3.6.3"],
        fine: &[],
    },
    Try {
        code: "005",
        changes: &[("snapshot.mode", "no_data")],
        bad: &[],
        fine: &["3.6.3"],
    },
    Try {
        code: "006",
        changes: &[SMT, SMT_TYPE, OLD_DELETES, OLD_TOMBSTONES],
        bad: &["3.2.0", "3.6.3"],
        fine: &["2.4.0", "3.1.3"],
    },
    Try {
        code: "007",
        changes: &[SMT, SMT_TYPE, NEW_DELETES],
        bad: &["2.4.0"],
        fine: &["2.5.0", "3.6.3"],
    },
    Try {
        code: "008",
        changes: &[("slot.failover", "true")],
        bad: &["3.0.4", "2.4.0"],
        fine: &["3.0.5"],
    },
    Try {
        code: "008",
        changes: &[("offset.mismatch.strategy", "trust_slot")],
        bad: &["3.3.2"],
        fine: &["3.4.0"],
    },
    Try {
        code: "008",
        changes: &[("slot.seek.to.known.offset.on.start", "true")],
        bad: &["2.5.0"],
        fine: &[],
    },
    Try {
        code: "009",
        changes: &[("flush.lsn.source", "true")],
        bad: &["3.4.0"],
        fine: &["3.3.2"],
    },
    Try {
        code: "010",
        changes: &[],
        bad: &["2.1.0", "2.4.0"],
        fine: &["2.0.0", "2.5.0", "3.6.3"],
    },
    Try {
        code: "010",
        changes: &[("offset.mismatch.strategy", "trust_offset")],
        bad: &["3.6.3"],
        fine: &["2.7.0"],
    },
    Try {
        code: "011",
        changes: &[("offset.mismatch.strategy", "trust_slot")],
        bad: &["3.4.0"],
        fine: &["3.3.0"],
    },
    Try {
        code: "012",
        changes: &[("lsn.flush.mode", "connector_and_driver")],
        bad: &["3.4.0"],
        fine: &["3.3.0"],
    },
    Try {
        code: "013",
        changes: &[("publication.autocreate.mode", "filtered")],
        bad: &["2.4.0"],
        fine: &[],
    },
    Try {
        code: "013",
        changes: &[("publication.autocreate.mode", "no_tables")],
        bad: &["2.7.4"],
        fine: &["3.0.0"],
    },
    Try {
        code: "014",
        changes: &[("heartbeat.interval.ms", "0")],
        bad: &["3.6.3"],
        fine: &[],
    },
    Try {
        code: "015",
        changes: &[("slot.drop.on.stop", "true")],
        bad: &["3.6.3"],
        fine: &[],
    },
    Try {
        code: "016",
        changes: &[("plugin.name", "")],
        bad: &["3.6.3"],
        fine: &[],
    },
    Try {
        code: "018",
        changes: &[("snapshot.mode", "initial_only")],
        bad: &["3.6.3"],
        fine: &[],
    },
    Try {
        code: "019",
        changes: &[("decimal.handling.mode", "double")],
        bad: &["3.6.3"],
        fine: &[],
    },
];

#[test]
fn each_rule_speaks_where_it_should_and_only_there() {
    let mut seen: Vec<String> = Vec::new();
    for one in &TRIES {
        let code = format!("CUT-LINT-{}", one.code);
        let config = with(one.changes);
        for version in one.bad {
            let found = codes(&config, version, None);
            assert!(
                found.contains(&code),
                "{code} {:?} {version}: {found:?}",
                one.changes
            );
            seen.push(code.clone());
        }
        for version in one.fine {
            let found = codes(&config, version, None);
            assert!(
                !found.contains(&code),
                "{code} {:?} {version}: {found:?}",
                one.changes
            );
        }
        let silent = codes(&good(), "3.6.3", None);
        assert!(silent.is_empty(), "{silent:?}");
    }
    let check_off = with(&[("internal.log.position.check.enable", "false")]);
    assert_eq!(codes(&check_off, "3.6.3", None), ["CUT-LINT-020"]);
    assert!(codes(&check_off, "2.6.0", None).is_empty());
    seen.push("CUT-LINT-020".into());
    for (shape, expected) in [
        (table(ReplicaIdentity::Nothing, true), 1),
        (table(ReplicaIdentity::Default, true), 1),
        (table(ReplicaIdentity::Full, false), 0),
    ] {
        assert_eq!(codes(&good(), "3.6.3", Some(&[shape])).len(), expected);
    }
    seen.push("CUT-LINT-017".into());
    for rule in &ALL {
        assert!(
            seen.iter().any(|code| code == rule.code),
            "{} is not tried",
            rule.code
        );
    }
}

#[test]
fn codes_are_in_order_and_unique() {
    let expected: Vec<String> = (1..=ALL.len())
        .map(|it| format!("CUT-LINT-{it:03}"))
        .collect();
    let codes: Vec<&str> = ALL.iter().map(|rule| rule.code).collect();
    assert_eq!(codes, expected);
}

#[test]
fn a_table_without_identity_is_an_error_and_its_name_is_quoted() {
    let mut shape = table(ReplicaIdentity::Default, false);
    shape.relation = Relation::new("public", "Order\"s");
    let config = good();
    let subject = Subject {
        config: &config,
        version: "3.6.3".parse().unwrap(),
        tables: Some(&[shape]),
    };
    let found = lint(&subject);
    assert_eq!(found[0].severity, Severity::Error);
    assert!(
        found[0].remedy.contains("\"Order\"\"s\""),
        "{}",
        found[0].remedy
    );
}

fn translated(config: &Config, from: &str, to: &str) -> (Config, Translation) {
    translate(config, from.parse().unwrap(), to.parse().unwrap())
}

#[test]
fn the_configuration_of_the_old_stack_becomes_one_that_3_6_takes() {
    let old = with(&[
        SMT,
        SMT_TYPE,
        OLD_DELETES,
        OLD_TOMBSTONES,
        ("snapshot.mode", "never"),
        ("flush.lsn.source", "true"),
        ("database.password", "hunter2"),
    ]);
    let (new, shown) = translated(&old, "2.4.0", "3.6.3");
    assert_eq!(new["snapshot.mode"], "no_data");
    assert_eq!(new[NEW_DELETES.0], "rewrite-with-tombstone");
    assert_eq!(new["lsn.flush.mode"], "connector");
    assert!(!new.contains_key(OLD_DELETES.0) && !new.contains_key("flush.lsn.source"));
    assert_eq!(new["database.password"], "hunter2");
    assert_eq!(shown.withheld, ["database.password"]);
    assert!(!format!("{shown:?}").contains("hunter2"));
    assert!(
        shown.changes.iter().all(|change| change.exact),
        "{:?}",
        shown.changes
    );
    assert!(codes(&new, "3.6.3", None).is_empty());
    let (back, _) = translated(&new, "3.6.3", "2.4.0");
    assert_eq!(back["snapshot.mode"], "never");
    assert_eq!(back[OLD_DELETES.0], "rewrite");
    assert_eq!(back[OLD_TOMBSTONES.0], "false");
}

#[test]
fn the_old_default_for_deletes_is_kept_across_3_2() {
    let (new, _) = translated(&with(&[SMT, SMT_TYPE]), "3.1.0", "3.2.0");
    assert_eq!(new[NEW_DELETES.0], "drop");
    let (same, shown) = translated(&with(&[SMT, SMT_TYPE]), "3.2.0", "3.6.3");
    assert_eq!(same, with(&[SMT, SMT_TYPE]));
    assert!(shown.changes.is_empty());
}

#[test]
fn what_has_no_equivalent_is_taken_out_and_marked() {
    let config = with(&[
        ("snapshot.mode", "when_needed"),
        ("offset.mismatch.strategy", "trust_slot"),
        ("slot.failover", "true"),
        ("publication.autocreate.mode", "no_tables"),
    ]);
    let (old, shown) = translated(&config, "3.6.3", "2.4.0");
    assert_eq!(old["snapshot.mode"], "initial");
    assert_eq!(old["publication.autocreate.mode"], "disabled");
    assert!(!old.contains_key("slot.failover"));
    assert!(
        shown.changes.iter().all(|change| !change.exact),
        "{:?}",
        shown.changes
    );
}

#[test]
fn a_report_is_about_the_version_that_was_asked_for() {
    let config = with(&[("snapshot.mode", "never")]);
    let (old, new) = ("2.4.0".parse().unwrap(), "3.6.3".parse().unwrap());
    let before = report(&config, new, None);
    assert_eq!(before.worst(), Some(Severity::Error));
    let after = report(&config, old, Some(new));
    assert_eq!(after.debezium, "3.6.3");
    assert_eq!(after.worst(), None);
}
