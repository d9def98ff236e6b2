//! What is served, beside what the rules and the dashboard in `monitoring/` name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::watch::samples::watch_told;

#[test]
fn each_line_is_a_comment_or_a_series_and_hostile_names_stay_labels() {
    let text = metrics(&watch_told());
    // Of Kafka, which is silent there, nothing is told.
    let mut heard = watch_told();
    heard.report.as_mut().unwrap().not_looked_at.clear();
    let heard = metrics(&heard);
    let mut names = BTreeSet::new();
    for line in text.lines().chain(heard.lines()) {
        if line.starts_with("# HELP ") || line.starts_with("# TYPE ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap();
        names.insert(name);
        assert!(ALL.iter().any(|metric| metric.name == name), "{line}");
    }
    let silent: Vec<_> = ALL
        .iter()
        .map(|metric| metric.name)
        .filter(|name| !names.contains(name))
        .collect();
    assert!(
        silent.is_empty(),
        "the sample holds something of each: {silent:?}"
    );
    assert!(text.contains("slot=\"\\\"} 1\\n<b>\""), "{text}");
    assert!(
        text.contains("cutover_state{state=\"alert\"} 1\n"),
        "{text}"
    );
    assert!(
        text.contains("cutover_marker_waiting_seconds 8.5\n"),
        "{text}"
    );
}

#[test]
fn a_part_that_does_not_answer_is_down_and_one_that_nobody_named_is_not_there() {
    let mut told = watch_told();
    let text = metrics(&told);
    assert!(text.contains("cutover_part_up{part=\"kafka\"} 0\n"));
    assert!(!text.contains("\ncutover_topics_left_out "), "{text}");
    told.report.as_mut().unwrap().not_looked_at[0].code = None;
    let text = metrics(&told);
    assert!(!text.contains("cutover_part_up{part=\"kafka\"}"), "{text}");
    assert!(
        text.contains("cutover_part_up{part=\"postgres\"} 1\n"),
        "{text}"
    );
}

#[test]
fn before_the_first_look_there_is_no_figure() {
    let text = metrics(&Told::default());
    let series: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(series, ["cutover_looks_total 0"]);
}

#[test]
fn names_are_those_that_prometheus_likes() {
    let mut seen = BTreeSet::new();
    for metric in ALL {
        assert!(seen.insert(metric.name), "{} twice", metric.name);
        assert!(metric.name.starts_with("cutover_"));
        assert_eq!(
            metric.kind == "counter",
            metric.name.ends_with("_total"),
            "{}",
            metric.name
        );
        assert!(metric.help.ends_with('.') && !metric.help.contains('\n'));
    }
}

/// Every word of a text that looks like one of our metrics.
fn named(text: &str) -> BTreeSet<String> {
    let letter = |one: char| one.is_ascii_alphanumeric() || one == '_';
    let words = text.split(|one: char| !letter(one));
    words
        .filter(|word| word.starts_with("cutover_"))
        .map(str::to_owned)
        .collect()
}

fn monitoring(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../monitoring");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// Expressions of the dashboard's panels.
fn expressions(value: &serde_json::Value, into: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            if let Some(serde_json::Value::String(text)) = fields.get("expr") {
                into.push(text.clone());
            }
            fields.values().for_each(|field| expressions(field, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|one| expressions(one, into)),
        _ => {}
    }
}

#[test]
fn rules_and_dashboard_name_metrics_that_are_served_and_the_core_is_on_the_dashboard() {
    let served: BTreeSet<String> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    let rules = monitoring("cutover-alerts.yml");
    let dashboard: serde_json::Value =
        serde_json::from_str(&monitoring("cutover-dashboard.json")).unwrap();
    let mut shown = Vec::new();
    expressions(&dashboard, &mut shown);
    assert!(shown.len() >= 8, "{shown:?}");
    let shown = named(&shown.join(" "));
    let in_rules: BTreeSet<String> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("expr:"))
        .flat_map(named)
        .collect();
    assert!(in_rules.len() >= 8, "{in_rules:?}");
    for (place, names) in [("rules", &in_rules), ("dashboard", &shown)] {
        let absent: Vec<_> = names.difference(&served).collect();
        assert!(
            absent.is_empty(),
            "{place} name what is not served: {absent:?}"
        );
    }
    let core = [
        "cutover_state",
        "cutover_part_up",
        "cutover_connector_state",
        "cutover_task_running",
        "cutover_slot_active",
        "cutover_slot_retained_bytes",
        "cutover_slot_safe_bytes",
        "cutover_lag_bytes",
        "cutover_lag_seconds",
        "cutover_offset_behind_server_bytes",
        "cutover_marker_delay_seconds",
        "cutover_marker_waiting_seconds",
        "cutover_marker_overdue",
        "cutover_markers_skipped_total",
        "cutover_topic_end_offset_total",
        "cutover_alert",
    ];
    for name in core {
        assert!(served.contains(name), "{name} is not served");
        assert!(shown.contains(name), "{name} is not on the dashboard");
    }
}

/// Prometheus's own tool plays them (`promtool test rules`); here is seen that none is left out, and that what it is
/// given is what is served.
#[test]
fn each_alert_is_expected_by_the_rules_own_test() {
    let (rules, played) = ("cutover-alerts.yml", "cutover-alerts-test.yml");
    let (rules, played) = (monitoring(rules), monitoring(played));
    let mut alerts = 0;
    for alert in rules.lines().filter_map(|line| line.split_once("alert: ")) {
        alerts += 1;
        let expected = format!("alertname=\"{}\"", alert.1);
        assert!(played.contains(&expected), "{expected}");
    }
    assert!(alerts >= 12, "{alerts}");
    let served: BTreeSet<String> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    let series = played
        .lines()
        .filter_map(|line| line.split_once("series: "));
    for name in series.flat_map(|(_, series)| named(series)) {
        assert!(served.contains(&name), "{name}");
    }
}

/// Braces, brackets and quotes of each rule's expression fit together, and each rule says what a reader needs.
#[test]
fn each_rule_is_whole() {
    let rules = monitoring("cutover-alerts.yml");
    let mut keys: BTreeMap<&str, usize> = BTreeMap::new();
    for line in rules.lines() {
        let line = line.trim().trim_start_matches("- ");
        for key in [
            "alert:",
            "expr:",
            "for:",
            "severity:",
            "summary:",
            "description:",
        ] {
            if line.starts_with(key) {
                *keys.entry(key).or_default() += 1;
            }
        }
        if let Some(expression) = line.strip_prefix("expr:") {
            for (open, close) in [('(', ')'), ('{', '}'), ('[', ']')] {
                assert_eq!(
                    expression.matches(open).count(),
                    expression.matches(close).count(),
                    "{line}"
                );
            }
        }
    }
    let number = keys["alert:"];
    assert!(number >= 8);
    for (key, count) in keys {
        assert_eq!(count, number, "{key}");
    }
}
