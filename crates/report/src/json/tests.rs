//! The JSON contract: the fields that every version keeps, and the schemas in `docs/schema`.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::agree::agree;
use super::{event_line, to_json};
use crate::samples;

fn schema(name: &str) -> Value {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema");
    let text = std::fs::read_to_string(docs.join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn sample() -> Value {
    let stories = [samples::story(), samples::hostile_story(3)];
    serde_json::from_str(&to_json(&samples::result(), &stories).unwrap()).unwrap()
}

#[test]
fn result_has_exactly_the_keys_of_its_schema() {
    let schema = schema("result-1.schema.json");
    agree(&schema, &schema, &sample(), "result");
}

#[test]
fn the_story_is_told_in_numbers_and_what_was_not_measured_is_null() {
    let result = sample();
    let story = &result["scenarios"][0]["story"];
    let clock = &story["clock"];
    assert_eq!(clock["begun"], "2026-11-23T18:04:12.000Z");
    assert_eq!(clock["phases"][1]["name"], "cutover");
    let refused = &clock["writes_refused"][0];
    let lasted = refused["to"].as_f64().unwrap() - refused["from"].as_f64().unwrap();
    assert!((lasted - 2.14).abs() < 0.01, "{refused}");
    let values = |curve: &str| clock[curve].as_array().unwrap().clone();
    let null = |point: &Value| point["value"].is_null();
    assert!(values("published_per_second").iter().any(null));
    assert!(
        values("committed_per_second")
            .iter()
            .any(|point| point["value"] == 0.0)
    );
    assert!(
        values("lag_bytes")
            .iter()
            .any(|point| point["value"] == 4096.0)
    );
    assert_eq!(story["steps"][0]["end"], "proved");
    assert_eq!(story["notes"][0]["kind"], "warning");
    // Without its events a run has no clock, and without its folder no story.
    let silent = cutover_model::RunStory {
        events: vec![],
        ..samples::story()
    };
    let result = samples::result();
    let text = to_json(&result, &[silent]).unwrap();
    let told: Value = serde_json::from_str(&text).unwrap();
    let schema = schema("result-1.schema.json");
    agree(&schema, &schema, &told, "result");
    assert!(told["scenarios"][0]["story"]["clock"].is_null());
    assert!(told["scenarios"][1]["story"].is_null());
}

#[test]
fn every_event_has_exactly_the_keys_of_its_schema() {
    let schema = schema("event-1.schema.json");
    let mut seen = BTreeSet::new();
    for event in samples::events() {
        let line = event_line(&event).unwrap();
        assert_eq!(line.matches('\n').count(), 1, "one event is one line");
        let value: Value = serde_json::from_str(&line).unwrap();
        seen.insert(value["kind"]["type"].as_str().unwrap().to_owned());
        agree(&schema, &schema, &value, "event");
    }
    let kinds = schema["$defs"]["kind"]["oneOf"].as_array().unwrap();
    let described: BTreeSet<String> = kinds
        .iter()
        .map(|kind| {
            kind["properties"]["type"]["const"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(seen, described, "the samples hold one event of each kind");
}

#[test]
fn predictions_and_lints_have_exactly_the_keys_of_their_schemas() {
    use cutover_model::lint::{Change, LINT_FORMAT, Lint, LintReport, Severity, Translation};
    use cutover_model::prediction::{LosesOn, PREDICTION_FORMAT, PredictedOutcome, Prediction};
    let prediction = Prediction {
        format: PREDICTION_FORMAT.into(),
        outcome: PredictedOutcome::Refuses,
        repairable: true,
        loses_on: LosesOn::PassingTheOffset,
        because: vec!["why".into()],
        remedy: vec!["what".into()],
        message: Some("words".into()),
        at_stake: None,
    };
    let text = crate::prediction::prediction_json(&prediction).unwrap();
    let described = schema("prediction-1.schema.json");
    agree(
        &described,
        &described,
        &serde_json::from_str(&text).unwrap(),
        "prediction",
    );
    let word = || "x".to_owned();
    let report = LintReport {
        format: LINT_FORMAT.into(),
        debezium: word(),
        lints: vec![Lint {
            code: word(),
            severity: Severity::Warning,
            option: word(),
            message: word(),
            remedy: word(),
        }],
        translation: Some(Translation {
            from: word(),
            to: word(),
            config: [(word(), word())].into(),
            withheld: vec![word()],
            changes: vec![Change {
                option: word(),
                before: None,
                after: Some(word()),
                why: word(),
                exact: true,
            }],
        }),
    };
    let text = crate::lint::lint_json(&report).unwrap();
    let described = schema("lint-1.schema.json");
    agree(
        &described,
        &described,
        &serde_json::from_str(&text).unwrap(),
        "lint",
    );
}

/// As a schema of that name describes it.
fn fits(name: &str, text: &str) {
    let described = schema(name);
    agree(
        &described,
        &described,
        &serde_json::from_str(text).unwrap(),
        name,
    );
}

#[test]
fn reports_of_work_on_running_systems_have_exactly_the_keys_of_their_schemas() {
    use crate::operation_samples as made;
    let report = made::configuration();
    let text = crate::configuration::configuration_json(&report).unwrap();
    fits("config-1.schema.json", &text);
    let mut report = made::connector();
    let text = crate::connector::connector_json(&report).unwrap();
    fits("connector-1.schema.json", &text);
    report.config = Some([("slot.name".to_owned(), "s".into())].into_iter().collect());
    let text = crate::connector::connector_json(&report).unwrap();
    fits("connector-1.schema.json", &text);
    let mut report = made::offsets();
    let text = crate::offsets::offsets_json(&report).unwrap();
    fits("offsets-1.schema.json", &text);
    fits(
        "setup-1.schema.json",
        &crate::setup::setup_json(&made::setup()).unwrap(),
    );
    fits(
        "doctor-1.schema.json",
        &crate::doctor::doctor_json(&made::doctor()).unwrap(),
    );
    for indented in [true, false] {
        let text = crate::watch::watch_json(&crate::watch::samples::watch(), indented).unwrap();
        assert_eq!(text.lines().count() > 1, indented);
        fits("watch-1.schema.json", &text);
    }
    let mut bare = crate::watch::samples::watch();
    (bare.connector, bare.server, bare.offset, bare.lag) = (None, None, None, None);
    bare.markers = cutover_model::watch::WatchedMarkers::default();
    let text = crate::watch::watch_json(&bare, true).unwrap();
    fits("watch-1.schema.json", &text);
    (report.change, report.slot, report.server) = (None, None, None);
    let text = crate::offsets::offsets_json(&report).unwrap();
    fits("offsets-1.schema.json", &text);
}

#[test]
fn the_schema_of_gaps_describes_exactly_what_is_written() {
    let mut report = samples::gap();
    report.written = Some(cutover_model::gap::Written {
        token: "gap-1".into(),
        keys: 1,
        records: 2,
        overtaken: 0,
        before: report.keys,
    });
    let text = crate::gap::gap_json(&report).unwrap();
    let described = schema("gap-1.schema.json");
    agree(
        &described,
        &described,
        &serde_json::from_str(&text).unwrap(),
        "gap",
    );
}

#[test]
fn a_comparison_has_exactly_the_keys_of_its_schema() {
    use crate::comparison::{TAIL_JSON, difference_json, head_json};
    let (comparison, rows) = samples::comparison();
    let mut text = head_json(&comparison).unwrap();
    for (number, row) in rows.iter().enumerate() {
        text.push_str(&difference_json(row, number == 0).unwrap());
    }
    text.push_str(TAIL_JSON);
    let described = schema("compare-1.schema.json");
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["differences"].as_array().unwrap().len(), rows.len());
    agree(&described, &described, &value, "comparison");
}

#[test]
fn the_fields_that_every_version_keeps_are_there() {
    let keys = |value: &Value| -> BTreeSet<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let must = |value: &Value, names: &[&str]| {
        let missing: Vec<_> = names
            .iter()
            .filter(|name| !keys(value).contains(**name))
            .collect();
        assert!(missing.is_empty(), "missing {missing:?}");
    };
    let result = sample();
    must(&result, &["format", "verdict", "exit_code", "scenarios"]);
    assert_eq!(result["format"], "cutover.result/1");
    let minor = &result["scenarios"][0];
    let scenario = "name expected as_expected verdict proof_level reasons counts \
                    refused_write_seconds phases run_dir stack seed";
    must(minor, &scenario.split_whitespace().collect::<Vec<_>>());
    let counts = "attempted committed published stored lost duplicated phantom reordered \
                  divergent snapshot";
    must(
        &minor["counts"],
        &counts.split_whitespace().collect::<Vec<_>>(),
    );
    must(&minor["phases"][0], &["name", "seconds"]);
    must(
        &minor["stack"],
        &["postgres_old", "postgres_new", "kafka", "debezium"],
    );
    assert_eq!(minor["verdict"], "pass");
    assert_eq!(minor["proof_level"], "P4");
}

#[test]
fn a_result_survives_writing_and_reading() {
    let result = samples::result();
    let read = serde_json::from_str(&to_json(&result, &[samples::story()]).unwrap()).unwrap();
    assert_eq!(result, read);
}

#[test]
fn a_matrix_has_exactly_the_keys_of_its_schema() {
    let schema = schema("matrix-1.schema.json");
    let text = crate::matrix::to_json(&samples::matrix()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    agree(&schema, &schema, &value, "matrix");
}

#[test]
fn a_failure_has_exactly_the_keys_of_its_schema() {
    use crate::failure::failure_json;
    use cutover_model::{ExitCode, Failure};
    let plain = Failure::new(ExitCode::Usage, "CLI-USAGE-001", "x", "do this");
    for failure in [plain.clone().because("y"), plain] {
        fits("failure-1.schema.json", &failure_json(&failure));
    }
    // A code without a text has none of its words.
    let unknown = Failure::new(ExitCode::Usage, "NO-CODE", "x", "");
    fits("failure-1.schema.json", &failure_json(&unknown));
}
