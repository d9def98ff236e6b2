//! The rules one by one; what real connectors did is in `measured`.

mod measured;
mod restart;

use cutover_model::LosesOn::{Never, PassingTheOffset, Start, Stop};
use cutover_model::PredictedOutcome::{Refuses, Repeats, Resnapshots, Resumes, Skips};
use cutover_model::{Lsn, Prediction};

use super::*;

fn lsn(text: &str) -> Lsn {
    text.parse().unwrap()
}

/// A stream in the middle of its life: slot at 0/2000, offset at 0/3000 (last commit 0/2F00), log to 0/5000.
fn facts(version: &str, mode: &str) -> PredictionFacts {
    PredictionFacts {
        format: FactsFormat::One,
        debezium: version.to_owned(),
        options: [
            ("name", "orders"),
            ("topic.prefix", "cdc"),
            ("slot.name", "debezium_slot"),
            ("snapshot.mode", mode),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into(),
        offset: Some(offset("0/3000", "0/2F00", Some(("7", 1)))),
        slot: Some(slot("0/1F00", "0/2000")),
        server: server("17.11", ("7", 1), "0/5000"),
        at_stake: None,
        delivered: None,
        around: None,
    }
}

fn offset(at: &str, commit: &str, of: Option<(&str, u32)>) -> OffsetFacts {
    OffsetFacts {
        lsn: lsn(at),
        lsn_proc: Some(lsn(at)),
        lsn_commit: Some(lsn(commit)),
        server: of.map(|(system_id, timeline)| ServerIdentity {
            system_id: system_id.to_owned(),
            timeline,
        }),
        in_snapshot: false,
        message_type: None,
        events_processed: None,
    }
}

fn slot(restart: &str, confirmed: &str) -> SlotFacts {
    SlotFacts {
        restart_lsn: Some(lsn(restart)),
        confirmed_flush_lsn: Some(lsn(confirmed)),
        wal_status: Some("reserved".to_owned()),
        active: false,
    }
}

fn server(version: &str, (system_id, timeline): (&str, u32), end: &str) -> TargetFacts {
    TargetFacts {
        version: version.to_owned(),
        system_id: system_id.to_owned(),
        timeline,
        current_lsn: lsn(end),
        in_recovery: false,
        fork_lsn: None,
        subscribed: false,
    }
}

fn set(facts: &mut PredictionFacts, option: &str, value: &str) {
    facts.options.insert(option.to_owned(), value.to_owned());
}

fn told(facts: &PredictionFacts) -> Prediction {
    predict(facts).unwrap()
}

fn said(facts: &PredictionFacts) -> (PredictedOutcome, bool, LosesOn) {
    let told = told(facts);
    assert!(!told.because.is_empty(), "{told:?}");
    (told.outcome, told.repairable, told.loses_on)
}

const VERSIONS: [&str; 10] = [
    "2.0.1", "2.1.0", "2.1.3", "2.4.0", "2.5.4", "2.7.4", "3.2.7", "3.3.0", "3.4.0", "3.7.0",
];

#[test]
fn a_restart_inside_one_life_resumes_in_every_version() {
    for version in VERSIONS {
        assert_eq!(
            said(&facts(version, "initial")),
            (Resumes, true, Never),
            "{version}"
        );
    }
}

#[test]
fn a_slot_that_fell_back_behind_the_offset_repeats_nothing() {
    let mut facts = facts("3.6.3", "initial");
    facts.slot = Some(slot("0/0100", "0/0200"));
    assert_eq!(said(&facts), (Resumes, true, Never));
}

#[test]
fn an_offset_ahead_of_the_log_passes_every_version() {
    for version in VERSIONS {
        let mut facts = facts(version, "initial");
        facts.server.current_lsn = lsn("0/2500");
        let seeks = version.starts_with("2.1") || version == "2.4.0";
        let expected = if seeks {
            (Skips, false, Start)
        } else {
            (Skips, true, PassingTheOffset)
        };
        assert_eq!(said(&facts), expected, "{version}");
    }
}

#[test]
fn a_commit_position_ahead_of_the_log_holds_the_stream_back_as_well() {
    let mut facts = facts("3.6.3", "initial");
    facts.offset = Some(offset("0/3000", "0/9000", None));
    assert_eq!(said(&facts), (Skips, true, PassingTheOffset));
}

#[test]
fn a_seek_on_a_slot_at_the_end_of_the_log_loses_at_the_stop() {
    let mut facts = facts("2.4.0", "initial");
    facts.server.current_lsn = lsn("0/2000");
    assert_eq!(said(&facts), (Skips, false, Stop));
    set(&mut facts, "flush.lsn.source", "false");
    assert_eq!(said(&facts), (Skips, true, PassingTheOffset));
}

#[test]
fn opting_in_to_seeks_is_understood_by_the_versions_that_know_it() {
    let mut facts = facts("2.5.0", "initial");
    facts.server.current_lsn = lsn("0/2500");
    set(
        &mut facts,
        "internal.slot.seek.to.known.offset.on.start",
        "true",
    );
    for (version, expected) in [
        ("2.5.0", Start),
        ("3.3.0", Start),
        ("3.6.3", Start),
        ("2.0.0", PassingTheOffset),
    ] {
        facts.debezium = version.to_owned();
        assert_eq!(told(&facts).loses_on, expected, "{version}");
    }
    facts.debezium = "3.6.3".to_owned();
    set(&mut facts, "offset.mismatch.strategy", "no_validation");
    assert_eq!(told(&facts).loses_on, PassingTheOffset);
}

#[test]
fn a_slot_ahead_of_the_offset_is_checked_from_2_6_and_refused_from_3_2() {
    for (version, expected) in [
        ("2.0.1", Skips),
        ("2.1.2", Refuses),
        ("2.1.3", Skips),
        ("2.5.0", Skips),
        ("3.1.3", Skips),
        ("3.2.0", Refuses),
        ("3.7.0", Refuses),
    ] {
        let mut facts = facts(version, "initial");
        facts.slot = Some(slot("0/4000", "0/4100"));
        assert_eq!(told(&facts).outcome, expected, "{version}");
        facts.at_stake = Some(0);
        let expected = if expected == Skips { Resumes } else { expected };
        assert_eq!(
            told(&facts).outcome,
            expected,
            "{version}, nothing at stake"
        );
        facts.at_stake = Some(3);
        assert!(!told(&facts).repairable);
    }
    let mut facts = facts("2.7.4", "initial");
    facts.slot = Some(slot("0/4000", "0/4100"));
    assert!(
        told(&facts)
            .because
            .iter()
            .any(|reason| reason.contains("WARN"))
    );
}

#[test]
fn a_missing_slot_is_made_silently_before_3_2() {
    for (version, expected) in [
        ("2.0.0", Skips),
        ("2.5.0", Skips),
        ("3.1.0", Skips),
        ("3.2.0", Refuses),
    ] {
        let mut facts = facts(version, "initial");
        facts.slot = None;
        let told = told(&facts);
        assert_eq!(
            (told.outcome, told.repairable),
            (expected, false),
            "{version}"
        );
    }
    let mut facts = facts("3.6.3", "initial");
    facts.slot = None;
    set(&mut facts, "offset.mismatch.strategy", "trust_slot");
    assert_eq!(said(&facts), (Skips, false, Start));
}

#[test]
fn between_restart_and_confirmed_position_the_server_moves_the_start_in_silence() {
    let mut facts = facts("3.6.3", "initial");
    facts.slot = Some(slot("0/1F00", "0/3100"));
    assert_eq!(said(&facts), (Skips, false, Start));
    facts.at_stake = Some(0);
    assert_eq!(said(&facts), (Resumes, true, Never));
    facts.at_stake = None;
    set(&mut facts, "lsn.flush.mode", "connector_and_driver");
    assert_eq!(said(&facts), (Resumes, true, Never));
    facts.offset.as_mut().unwrap().server = None;
    assert_eq!(said(&facts), (Skips, false, Start));
}

#[test]
fn trust_offset_notices_a_slot_ahead_until_3_5_and_not_any_more() {
    let mut facts = facts("3.5.0", "initial");
    facts.slot = Some(slot("0/1F00", "0/3100"));
    set(&mut facts, "offset.mismatch.strategy", "trust_offset");
    assert_eq!(told(&facts).outcome, Refuses);
    facts.debezium = "3.6.0".to_owned();
    assert_eq!(told(&facts).outcome, Skips);
}

#[test]
fn trust_greater_lsn_fails_on_a_slot_ahead_until_3_5() {
    let mut facts = facts("3.4.0", "initial");
    facts.slot = Some(slot("0/4000", "0/4100"));
    facts.at_stake = Some(0);
    set(&mut facts, "offset.mismatch.strategy", "trust_greater_lsn");
    assert_eq!(told(&facts).outcome, Refuses);
    facts.debezium = "3.6.0".to_owned();
    assert_eq!(told(&facts).outcome, Resumes);
}

#[test]
fn a_number_of_another_log_that_happens_to_fit_skips() {
    for version in VERSIONS {
        let mut facts = facts(version, "initial");
        facts.server.system_id = "8".to_owned();
        assert_eq!(said(&facts), (Skips, false, Start), "{version}");
    }
    let mut facts = facts("3.6.3", "initial");
    facts.server.system_id = "8".to_owned();
    facts.offset = Some(offset("0/2000", "0/2000", Some(("7", 1))));
    assert_eq!(
        said(&facts),
        (Resumes, true, Never),
        "at the slot's own position"
    );
}

#[test]
fn an_offset_that_names_no_server_is_trusted_only_if_the_slot_vouches_for_it() {
    let mut facts = facts("3.6.3", "initial");
    facts.offset.as_mut().unwrap().server = None;
    let unproven = |facts: &PredictionFacts| {
        told(facts)
            .because
            .iter()
            .any(|it| it.starts_with("not proven"))
    };
    assert_eq!(told(&facts).outcome, Resumes);
    assert!(unproven(&facts));
    facts.slot = Some(slot("0/1F00", "0/2F00"));
    assert!(!unproven(&facts));
}

#[test]
fn where_timelines_part_decides_a_restore() {
    let mut facts = facts("3.6.3", "no_data");
    facts.server.timeline = 2;
    assert_eq!(told(&facts).outcome, Resumes);
    assert!(
        told(&facts)
            .because
            .iter()
            .any(|reason| reason.contains("not proven"))
    );
    facts.server.fork_lsn = Some(lsn("0/3500"));
    assert!(
        !told(&facts)
            .because
            .iter()
            .any(|reason| reason.contains("not proven"))
    );
    facts.server.fork_lsn = Some(lsn("0/2800"));
    assert_eq!(said(&facts), (Skips, false, Start));
}

#[test]
fn a_standby_works_from_16_on_and_waits_for_its_replay() {
    let mut facts = facts("3.6.3", "no_data");
    facts.server.in_recovery = true;
    facts.server.current_lsn = lsn("0/2800");
    assert_eq!(told(&facts).outcome, Resumes);
    facts.server.version = "15.20 (Debian)".to_owned();
    assert_eq!(said(&facts), (Refuses, true, Never));
    facts.server.version = "16.14".to_owned();
    facts.server.system_id = "8".to_owned();
    assert_eq!(told(&facts).outcome, Skips);
}

#[test]
fn a_standby_does_not_take_what_filtered_autocreation_does() {
    let mut facts = facts("2.4.0", "initial");
    let option = "publication.autocreate.mode".to_owned();
    facts.options.insert(option.clone(), "Filtered".to_owned());
    assert_eq!(told(&facts).outcome, Resumes);
    facts.server.in_recovery = true;
    assert_eq!(said(&facts), (Refuses, true, Never));
    facts.options.insert(option, "disabled".to_owned());
    assert_eq!(told(&facts).outcome, Resumes);
}

#[test]
fn a_slot_in_use_refuses_and_a_lost_one_never_delivers() {
    let mut facts = facts("3.6.3", "initial");
    facts.slot.as_mut().unwrap().active = true;
    assert_eq!(said(&facts), (Refuses, true, Never));
    facts.slot.as_mut().unwrap().wal_status = Some("lost".to_owned());
    assert_eq!(said(&facts), (Skips, false, Start));
    facts.slot.as_mut().unwrap().wal_status = None;
    facts.slot.as_mut().unwrap().restart_lsn = None;
    assert_eq!(said(&facts), (Skips, false, Start));
}

#[test]
fn without_an_offset_the_mode_decides() {
    for (mode, expected) in [
        ("initial", Resnapshots),
        ("always", Resnapshots),
        ("when_needed", Resnapshots),
        ("initial_only", Resnapshots),
        ("no_data", Resumes),
    ] {
        let mut facts = facts("3.6.3", mode);
        facts.offset = None;
        assert_eq!(told(&facts).outcome, expected, "{mode}");
    }
    let mut facts = facts("3.6.3", "no_data");
    facts.offset = None;
    facts.slot = None;
    assert_eq!(said(&facts), (Skips, false, Start));
    facts.at_stake = Some(0);
    assert_eq!(told(&facts).outcome, Resumes);
    set(&mut facts, "snapshot.mode", "initial");
    assert_eq!(said(&facts), (Resnapshots, false, Never));
}

#[test]
fn with_an_offset_only_always_reads_again() {
    assert_eq!(told(&facts("3.6.3", "always")).outcome, Resnapshots);
    assert_eq!(told(&facts("3.6.3", "when_needed")).outcome, Resumes);
    assert_eq!(said(&facts("3.6.3", "initial_only")), (Skips, true, Never));
}

#[test]
fn an_unfinished_snapshot_is_taken_again_or_refused() {
    let mut facts = facts("2.4.0", "initial");
    facts.offset.as_mut().unwrap().in_snapshot = true;
    assert_eq!(told(&facts).outcome, Resnapshots);
    set(&mut facts, "snapshot.mode", "never");
    assert_eq!(told(&facts).outcome, Refuses);
}

#[test]
fn what_was_delivered_beyond_the_start_comes_again() {
    let mut facts = facts("3.6.3", "no_data");
    facts.delivered = Some(lsn("0/3400"));
    assert_eq!(said(&facts), (Repeats, true, Never));
    facts.offset = None;
    assert_eq!(told(&facts).outcome, Repeats);
    facts.delivered = Some(lsn("0/2000"));
    assert_eq!(told(&facts).outcome, Resumes);
}

#[test]
fn a_mode_that_the_version_does_not_know_is_refused_and_a_word_nobody_knows_is_an_error() {
    assert_eq!(told(&facts("3.3.0", "never")).outcome, Refuses);
    assert_eq!(told(&facts("2.4.0", "no_data")).outcome, Refuses);
    assert_eq!(told(&facts("3.2.0", "Never ")).outcome, Resumes);
    let error = predict(&facts("3.6.3", "nodata")).unwrap_err().to_string();
    assert!(error.contains("did you mean 'no_data'?"), "{error}");
    assert!(predict(&facts("3.6.3", "custom")).is_err());
    let mut unknown = facts("3.6.3", "initial");
    set(&mut unknown, "offset.mismatch.strategy", "trust_slots");
    let error = predict(&unknown).unwrap_err().to_string();
    assert!(error.contains("did you mean 'trust_slot'?"), "{error}");
    unknown.debezium = "3.3.0".to_owned();
    assert!(
        told(&unknown)
            .because
            .iter()
            .any(|reason| reason.contains("ignores it"))
    );
}

#[test]
fn an_offset_right_before_the_slot_resumes_and_one_exactly_at_it_is_not_proven() {
    let mut facts = facts("3.7.0", "no_data");
    let begin = facts.slot.as_ref().and_then(SlotFacts::begin).unwrap();
    let written = |at: Lsn| OffsetFacts {
        lsn: at,
        lsn_proc: Some(at),
        ..offset("0/1", &begin.to_string(), None)
    };
    facts.offset = Some(written(begin.just_before()));
    let before = told(&facts);
    assert_eq!(before.outcome, Resumes, "{before:?}");
    assert!(
        !before.because.join(" ").contains("begins exactly at"),
        "{before:?}"
    );
    facts.offset = Some(written(begin));
    let at = told(&facts);
    assert_eq!(at.outcome, Resumes, "{at:?}");
    assert!(at.because.join(" ").contains("begins exactly at"), "{at:?}");
    facts.around = Some(AroundFacts {
        committed_here: 1,
        delivered_here: 0,
        begins_here: false,
        false_match: 0,
        delivered_beyond: 0,
    });
    assert_eq!(told(&facts).outcome, Skips);
}

#[test]
fn a_version_outside_the_table_is_named_with_the_range() {
    use cutover_model::Classified;
    let error = predict(&facts("3.9.0", "initial")).unwrap_err();
    assert!(error.to_string().contains("3.9.0"));
    assert!(error.remedy().unwrap().contains("2.0.0 to 3.7"));
}

#[test]
fn remedies_name_connector_and_slot_and_count_in_decimal() {
    let mut facts = facts("3.6.3", "no_data");
    facts.server.current_lsn = lsn("0/2500");
    set(&mut facts, "slot.name", "it's");
    let text = told(&facts).remedy.join("\n");
    assert!(text.contains("PUT /connectors/orders/stop"), "{text}");
    assert!(
        text.contains(
            r#"{"partition":{"server":"cdc"},"offset":{"lsn":8191,"lsn_proc":8191,"lsn_commit":8192,"#
        ),
        "{text}"
    );
    set(&mut facts, "offset.mismatch.strategy", "trust_offset");
    let text = told(&facts).remedy.join("\n");
    assert!(
        text.contains("pg_copy_logical_replication_slot('it''s'"),
        "{text}"
    );
}

#[test]
fn the_schema_of_the_facts_names_exactly_the_fields() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../docs/schema/facts-1.schema.json"
    );
    let schema: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut full = facts("3.6.3", "no_data");
    full.at_stake = Some(1);
    full.delivered = Some(lsn("0/1"));
    full.server.fork_lsn = Some(lsn("0/1"));
    full.server.subscribed = true;
    full.around = Some(AroundFacts {
        committed_here: 1,
        delivered_here: 0,
        begins_here: false,
        false_match: 0,
        delivered_beyond: 0,
    });
    let stored = full.offset.as_mut().unwrap();
    stored.in_snapshot = true;
    stored.message_type = Some("INSERT".into());
    stored.events_processed = Some(1);
    let written = serde_json::to_value(&full).unwrap();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys
    };
    assert_eq!(keys(&written), keys(&schema["properties"]));
    for part in ["offset", "slot", "server"] {
        let described = &schema["$defs"][part];
        assert_eq!(
            keys(&written[part]),
            keys(&described["properties"]),
            "{part}"
        );
        for required in described["required"].as_array().unwrap() {
            let mut without = written.clone();
            let name = required.as_str().unwrap();
            without[part].as_object_mut().unwrap().remove(name);
            assert!(
                PredictionFacts::from_json(&without.to_string()).is_err(),
                "{part}.{name}"
            );
        }
    }
}

/// Every arrangement of offset, slot and end of the log, in every version, with every strategy and mode.
#[test]
fn no_arrangement_contradicts_itself() {
    let places = ["0/1000", "0/2000", "0/3000", "0/4000"];
    let mut seen = 0_u32;
    for version in VERSIONS {
        for mode in ["initial", "always", "no_data", "never", "when_needed"] {
            for strategy in settings::STRATEGIES {
                for (at, place) in places.iter().enumerate() {
                    for (restart, confirmed) in [(0, 0), (0, 1), (1, 2), (2, 3), (0, 3)] {
                        let mut facts = facts(version, mode);
                        set(&mut facts, "offset.mismatch.strategy", strategy);
                        facts.offset = Some(offset(place, places[at.saturating_sub(1)], None));
                        facts.slot = Some(slot(places[restart], places[confirmed]));
                        facts.server.current_lsn = lsn(places[confirmed.max(2)]);
                        seen += consistent(&mut facts);
                    }
                }
            }
        }
    }
    assert_eq!(seen, 10 * 5 * 4 * 4 * 5 * 3);
}

fn consistent(facts: &mut PredictionFacts) -> u32 {
    for at_stake in [None, Some(0), Some(5)] {
        facts.at_stake = at_stake;
        let told = told(facts);
        let place = format!("{facts:?} {told:?}");
        assert!(!told.because.is_empty(), "{place}");
        match told.outcome {
            Resumes => {
                assert_ne!(
                    at_stake,
                    Some(5),
                    "known losses are not passed over in silence: {place}"
                );
                assert_eq!(told.loses_on, Never, "{place}");
            }
            Refuses => {
                assert_eq!(told.loses_on, Never, "{place}");
                assert!(told.message.is_some() && !told.remedy.is_empty(), "{place}");
            }
            Skips => {
                assert_eq!(
                    told.repairable,
                    told.loses_on == PassingTheOffset,
                    "{place}"
                );
                assert!(!told.remedy.is_empty(), "{place}");
            }
            Resnapshots | Repeats => {}
        }
    }
    3
}
