//! What is refused, what is only said, and that all of it is said at once.

use cutover_clients::pg::pending::PreparedTransaction;

use super::*;

const GIB: u64 = 1 << 30;

fn place(purpose: Purpose, file_system: u64, free_bytes: u64) -> Place {
    Place {
        purpose,
        path: format!("/{purpose:?}").into(),
        file_system,
        free_bytes,
    }
}

fn extension(name: &str, version: &str, database: &str) -> Extension {
    Extension {
        name: name.into(),
        version: version.into(),
        database: database.into(),
    }
}

fn settings(changed: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    let mut all: std::collections::BTreeMap<String, String> = settings::LOOKED_AT
        .iter()
        .map(|name| ((*name).to_owned(), "10".to_owned()))
        .collect();
    for (name, value) in [
        ("wal_level", "logical"),
        ("max_slot_wal_keep_size", "-1"),
        ("idle_replication_slot_timeout", "0"),
    ] {
        all.insert(name.into(), value.into());
    }
    for (name, value) in changed {
        all.insert((*name).into(), (*value).into());
    }
    all
}

/// A database of 10 GiB and everything in order.
fn good(way: Way) -> PreflightFacts {
    PreflightFacts {
        way,
        old: OldSide {
            major: 17,
            bytes: 10 * GIB,
            wal_bytes: GIB,
            databases: 3,
            settings: settings(&[]),
            logical_slots: 2,
            ..OldSide::default()
        },
        new: NewSide {
            version: "18.4".into(),
            places: vec![
                place(Purpose::Old, 1, 100 * GIB),
                place(Purpose::New, 1, 100 * GIB),
            ],
            server: NewServer {
                settings: settings(&[]),
                ..NewServer::default()
            },
            ..NewSide::default()
        },
        writers_seconds: 60.0,
    }
}

fn codes(facts: &PreflightFacts) -> Vec<String> {
    let found = preflight(facts);
    found.into_iter().map(|finding| finding.code).collect()
}

const WAYS: [Way; 8] = [
    Way::UpgradeCopy,
    Way::UpgradeLink,
    Way::UpgradeClone,
    Way::Dump,
    Way::Logical,
    Way::Standby,
    Way::Restore,
    Way::Copy,
];

#[test]
fn where_nothing_is_in_the_way_nothing_is_said() {
    for way in WAYS {
        assert_eq!(codes(&good(way)), Vec::<String>::new(), "{way:?}");
    }
}

#[test]
fn every_file_of_this_folder_is_a_check_in_the_list_and_called_like_it() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/preflight");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .map(|file| file.trim_end_matches(".rs").to_owned())
        .filter(|name| !["mod", "facts", "tests"].contains(&name.as_str()))
        .collect();
    let mut names: Vec<String> = ALL.iter().map(|check| check.name.to_owned()).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn a_copy_needs_the_clusters_size_and_a_link_needs_little() {
    for (way, free, refused) in [
        (Way::UpgradeCopy, 10 * GIB, true),
        (Way::UpgradeCopy, 12 * GIB, false),
        (Way::UpgradeLink, GIB, false),
        (Way::UpgradeClone, GIB, false),
        (Way::UpgradeLink, GIB / 8, true),
        (Way::Standby, 12 * GIB, true),
        (Way::Standby, 13 * GIB, false),
    ] {
        let mut facts = good(way);
        for place in &mut facts.new.places {
            place.free_bytes = free;
        }
        let expected: &[&str] = if refused { &["PRE-DISK-001"] } else { &[] };
        assert_eq!(codes(&facts), expected, "{way:?} {free}");
    }
}

#[test]
fn what_goes_to_one_file_system_needs_its_room_together() {
    let mut facts = good(Way::Dump);
    facts.new.places = vec![
        place(Purpose::New, 1, 15 * GIB),
        place(Purpose::Dump, 2, 15 * GIB),
    ];
    assert_eq!(codes(&facts), Vec::<String>::new());
    facts.new.places[1].file_system = 1;
    let found = preflight(&facts);
    assert!(
        found[0].evidence.contains("for /New") && found[0].evidence.contains("for /Dump"),
        "{found:?}"
    );
    facts.new.places.clear();
    assert_eq!(codes(&facts), ["PRE-DISK-002"]);
}

#[test]
fn links_and_clones_do_not_lead_to_another_file_system() {
    for way in WAYS {
        let mut facts = good(way);
        facts.new.places[1].file_system = 2;
        let refused = matches!(way, Way::UpgradeLink | Way::UpgradeClone);
        assert_eq!(codes(&facts).contains(&"PRE-LINK-001".to_owned()), refused);
        facts = good(way);
        facts.new.clone_refused = Some("ext4 clones nothing".into());
        assert_eq!(
            codes(&facts).contains(&"PRE-CLONE-001".to_owned()),
            way == Way::UpgradeClone
        );
    }
}

#[test]
fn an_extension_that_is_missing_refuses_and_another_version_of_it_warns() {
    let mut facts = good(Way::UpgradeCopy);
    facts.old.extensions = vec![
        extension("hstore", "1.8", "shop"),
        extension("vector", "0.6", "shop"),
        extension("plpgsql", "1.0", "shop"),
    ];
    facts.new.server.extensions = vec![
        extension("plpgsql", "1.0", ""),
        extension("vector", "0.8", ""),
    ];
    let found = preflight(&facts);
    assert_eq!(codes(&facts), ["PRE-EXTENSION-001", "PRE-EXTENSION-002"]);
    assert!(found[0].evidence.contains("hstore 1.8"), "{found:?}");
}

#[test]
fn icu_matters_only_where_it_is_used() {
    let mut facts = good(Way::Logical);
    facts.new.server.icu_refused = Some("ICU is not supported in this build".into());
    assert_eq!(codes(&facts), Vec::<String>::new());
    facts.old.icu = (0..9).map(|number| format!("c{number}")).collect();
    let found = preflight(&facts);
    assert_eq!(found[0].code, "PRE-COLLATION-001");
    assert!(found[0].evidence.contains("and 4 more"), "{found:?}");
}

#[test]
fn a_server_that_replays_must_not_have_less_room_than_the_one_it_follows() {
    for way in WAYS {
        let mut facts = good(way);
        facts.new.server.settings = settings(&[("max_prepared_transactions", "0")]);
        let expected = if way.is_physical() {
            "PRE-SETTING-003"
        } else {
            "PRE-SETTING-004"
        };
        assert_eq!(codes(&facts), [expected], "{way:?}");
    }
}

#[test]
fn the_new_server_must_be_able_to_serve_the_stream() {
    let mut facts = good(Way::Dump);
    facts.new.server.settings = settings(&[("wal_level", "replica")]);
    assert_eq!(codes(&facts), ["PRE-SETTING-001"]);
    // From 17 on pg_upgrade brings every logical slot along.
    facts = good(Way::UpgradeCopy);
    facts.new.server.settings = settings(&[("max_replication_slots", "1")]);
    assert_eq!(codes(&facts), ["PRE-SETTING-002"]);
    facts.old.major = 16;
    assert_eq!(codes(&facts), Vec::<String>::new());
}

#[test]
fn the_old_server_must_have_room_for_the_slots_of_the_plan() {
    for (way, free, refused) in [
        (Way::Standby, 1, true),
        (Way::Standby, 2, false),
        (Way::Restore, 0, true),
        (Way::Logical, 2, true),
        (Way::UpgradeCopy, 0, false),
    ] {
        let mut facts = good(way);
        facts.old.slots = 10 - free;
        let expected: &[&str] = if refused { &["PRE-SLOT-001"] } else { &[] };
        assert_eq!(codes(&facts), expected, "{way:?} {free}");
    }
}

#[test]
fn what_takes_a_slot_away_that_stands_still_is_said() {
    let mut facts = good(Way::Restore);
    facts.old.settings = settings(&[
        ("max_slot_wal_keep_size", "32"),
        ("idle_replication_slot_timeout", "60"),
    ]);
    assert_eq!(codes(&facts), ["PRE-SLOT-002", "PRE-SLOT-002"]);
    let found = preflight(&facts);
    assert!(
        found
            .iter()
            .all(|finding| finding.severity == Severity::Warns)
    );
}

#[test]
fn a_backup_tool_that_is_older_than_the_server_is_refused() {
    let refused = |tool: &str, major| {
        let found = backup_tool_knows(tool, major);
        found.map(|finding| finding.code)
    };
    assert_eq!(refused("2.45", 15), None);
    assert_eq!(refused("2.45", 16).as_deref(), Some("PRE-BACKUP-001"));
    assert_eq!(refused("2.53", 17).as_deref(), Some("PRE-BACKUP-001"));
    assert_eq!(refused("2.53.1", 17), None);
    assert_eq!(refused("2.55.1", 18), None);
    assert_eq!(refused("2.60", 19).as_deref(), Some("PRE-BACKUP-002"));
    assert_eq!(refused("next", 18).as_deref(), Some("PRE-BACKUP-002"));
}

#[test]
fn a_prepared_transaction_that_nobody_finishes_refuses_and_a_young_one_warns() {
    let mut facts = good(Way::Dump);
    let left = |gid: &str, age_seconds| PreparedTransaction {
        gid: gid.into(),
        xid: 7,
        owner: "app".into(),
        age_seconds,
    };
    facts.old.prepared = vec![left("young", 1.0), left("old", 3600.0)];
    let found = preflight(&facts);
    assert_eq!(codes(&facts), ["PRE-PREPARED-001", "PRE-PREPARED-002"]);
    assert!(found[0].remedy.contains("ROLLBACK PREPARED 'old'"));
    // pg_upgrade looks for itself, whatever their age.
    facts.way = Way::UpgradeLink;
    assert_eq!(codes(&facts), ["PRE-PREPARED-001", "PRE-PREPARED-001"]);
}

#[test]
fn everything_that_is_in_the_way_is_said_at_once() {
    let mut facts = good(Way::UpgradeClone);
    facts.new.missing_programs = vec!["pg_upgrade".into()];
    facts.new.places[0].free_bytes = 0;
    facts.new.clone_refused = Some("no".into());
    facts.old.extensions = vec![extension("hstore", "1.8", "shop")];
    facts.old.icu = vec!["de".into()];
    facts.new.server.icu_refused = Some("no".into());
    facts.new.server.settings = settings(&[("wal_level", "minimal"), ("max_connections", "5")]);
    assert_eq!(
        codes(&facts),
        [
            "PRE-PROGRAM-001",
            "PRE-DISK-001",
            "PRE-CLONE-001",
            "PRE-EXTENSION-001",
            "PRE-COLLATION-001",
            "PRE-SETTING-001",
            "PRE-SETTING-004"
        ]
    );
    let text = lines(&preflight(&facts));
    assert_eq!(text.lines().count(), 7, "{text}");
}
