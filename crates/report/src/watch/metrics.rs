//! A watch as metrics, in the text form that Prometheus reads. Base units, no row values; names of slots, topics and
//! connectors are labels.
//!
//! [`ALL`] is the whole of what is served: the rules and the dashboard in `monitoring/` are tested against it.

use cutover_model::connector::Health;
use cutover_model::watch::{Liveness, WatchReport, WatchState, WatchedSlot};

use super::Told;

/// One time series of a metric.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    labels: Vec<(&'static str, String)>,
    value: f64,
}

/// A metric.
pub struct Metric {
    /// Name.
    pub name: &'static str,
    /// `gauge` or `counter`.
    pub kind: &'static str,
    /// One sentence.
    pub help: &'static str,
    read: fn(&Told) -> Vec<Series>,
}

fn plain(value: f64) -> Series {
    Series {
        labels: Vec::new(),
        value,
    }
}

fn labelled(labels: &[(&'static str, &str)], value: f64) -> Series {
    Series {
        labels: labels
            .iter()
            .map(|(name, text)| (*name, (*text).to_owned()))
            .collect(),
        value,
    }
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}

/// A number of the report that may be absent: then there is no series.
fn one(told: &Told, read: impl Fn(&WatchReport) -> Option<f64>) -> Vec<Series> {
    told.report.iter().filter_map(read).map(plain).collect()
}

/// A number of each slot.
fn slots(told: &Told, read: impl Fn(&WatchedSlot) -> Option<f64>) -> Vec<Series> {
    let slots = told.report.iter().flat_map(|report| &report.slots);
    slots
        .filter_map(|slot| Some(labelled(&[("slot", &slot.name)], read(slot)?)))
        .collect()
}

fn states(told: &Told) -> Vec<Series> {
    let Some(report) = &told.report else {
        return Vec::new();
    };
    WatchState::ALL
        .iter()
        .map(|state| {
            let word = state.to_string().replace(' ', "_");
            labelled(&[("state", &word)], flag(report.state == *state))
        })
        .collect()
}

const PARTS: [(&str, &str); 3] = [
    ("PostgreSQL", "postgres"),
    ("Kafka Connect", "connect"),
    ("Kafka", "kafka"),
];

fn parts(told: &Told) -> Vec<Series> {
    let Some(report) = &told.report else {
        return Vec::new();
    };
    PARTS
        .iter()
        .filter_map(|(part, label)| {
            let silent = report.not_looked_at.iter().find(|one| one.part == *part);
            // A part that nobody named is not one that does not answer.
            let named = silent.is_none_or(|one| one.code.is_some());
            named.then(|| labelled(&[("part", label)], flag(silent.is_none())))
        })
        .collect()
}

const HEALTHS: [Health; 7] = [
    Health::Running,
    Health::Paused,
    Health::Stopped,
    Health::TaskFailed,
    Health::Failed,
    Health::Unsettled,
    Health::Absent,
];

fn healths(told: &Told) -> Vec<Series> {
    let connectors = told.report.iter().filter_map(|one| one.connector.as_ref());
    connectors
        .flat_map(|connector| {
            HEALTHS.iter().map(|health| {
                let word = health.to_string().replace(' ', "_");
                let labels = [("connector", connector.name.as_str()), ("state", &word)];
                labelled(&labels, flag(connector.health == *health))
            })
        })
        .collect()
}

fn tasks(told: &Told) -> Vec<Series> {
    let connectors = told.report.iter().filter_map(|one| one.connector.as_ref());
    connectors
        .flat_map(|connector| {
            connector.tasks.iter().map(|task| {
                let number = task.id.to_string();
                let labels = [("connector", connector.name.as_str()), ("task", &number)];
                labelled(&labels, flag(task.state == "RUNNING"))
            })
        })
        .collect()
}

fn wal_status(told: &Told) -> Vec<Series> {
    let slots = told.report.iter().flat_map(|report| &report.slots);
    slots
        .flat_map(|slot| {
            ["reserved", "extended", "unreserved", "lost"].map(|status| {
                let labels = [("slot", slot.name.as_str()), ("status", status)];
                labelled(&labels, flag(slot.wal_status.as_deref() == Some(status)))
            })
        })
        .collect()
}

fn topics(told: &Told) -> Vec<Series> {
    let topics = told.report.iter().flat_map(|report| &report.topics);
    topics
        .map(|topic| labelled(&[("topic", &topic.name)], topic.end_offset as f64))
        .collect()
}

fn alerts(told: &Told) -> Vec<Series> {
    let alerts = told.report.iter().flat_map(|report| &report.alerts);
    alerts
        .map(|alert| {
            let severity = alert.severity.to_string();
            let labels = [
                ("code", alert.code.as_str()),
                ("severity", &severity),
                ("subject", &alert.subject),
            ];
            labelled(&labels, 1.0)
        })
        .collect()
}

const fn gauge(name: &'static str, help: &'static str, read: fn(&Told) -> Vec<Series>) -> Metric {
    Metric {
        name,
        kind: "gauge",
        help,
        read,
    }
}

const fn counter(name: &'static str, help: &'static str, read: fn(&Told) -> Vec<Series>) -> Metric {
    Metric {
        name,
        kind: "counter",
        help,
        read,
    }
}

/// Every metric, in the order in which they are served.
pub const ALL: &[Metric] = &[
    gauge(
        "cutover_state",
        "What the last look amounts to; one state is 1.",
        states,
    ),
    gauge(
        "cutover_part_up",
        "Whether a part answered at the last look.",
        parts,
    ),
    counter(
        "cutover_looks_total",
        "Looks since the watch began.",
        |told| vec![plain(told.history.looks as f64)],
    ),
    gauge(
        "cutover_look_timestamp_seconds",
        "When the last look began.",
        |told| {
            told.history
                .points
                .last()
                .map(|point| plain(point.at))
                .into_iter()
                .collect()
        },
    ),
    gauge(
        "cutover_look_duration_seconds",
        "How long the last look took.",
        |told| one(told, |report| Some(report.look_seconds)),
    ),
    gauge(
        "cutover_connector_state",
        "How the connector fares, its tasks counted; one state is 1.",
        healths,
    ),
    gauge(
        "cutover_task_running",
        "Whether a task of the connector is RUNNING.",
        tasks,
    ),
    gauge(
        "cutover_slot_active",
        "Whether somebody reads from a slot.",
        |told| slots(told, |slot| Some(flag(slot.active))),
    ),
    gauge(
        "cutover_slot_of_connector",
        "Whether it is the connector's slot.",
        |told| slots(told, |slot| Some(flag(slot.of_connector))),
    ),
    gauge(
        "cutover_slot_retained_bytes",
        "Log that the server keeps for a slot.",
        |told| slots(told, |slot| Some(slot.retained_bytes? as f64)),
    ),
    gauge(
        "cutover_slot_lag_bytes",
        "Log that a slot's reader has not confirmed.",
        |told| slots(told, |slot| Some(slot.lag_bytes? as f64)),
    ),
    gauge(
        "cutover_slot_safe_bytes",
        "Log that may still be written until a slot may be lost; absent without max_slot_wal_keep_size.",
        |told| slots(told, |slot| Some(slot.safe_bytes? as f64)),
    ),
    gauge(
        "cutover_slot_wal_status",
        "The wal_status of a slot; one status is 1.",
        wal_status,
    ),
    gauge(
        "cutover_slot_invalidated",
        "Whether the server gives a reason why a slot is lost.",
        |told| slots(told, |slot| Some(flag(slot.invalidation.is_some()))),
    ),
    gauge(
        "cutover_lag_bytes",
        "Log that the connector has not confirmed.",
        |told| one(told, |report| Some(report.lag.as_ref()?.bytes as f64)),
    ),
    gauge(
        "cutover_lag_seconds",
        "Age of the oldest byte that the connector has not confirmed.",
        |told| one(told, |report| report.lag.as_ref()?.seconds),
    ),
    gauge(
        "cutover_server_position_bytes",
        "End of the server's log.",
        |told| {
            one(told, |report| {
                Some(report.server.as_ref()?.end.decimal as f64)
            })
        },
    ),
    gauge(
        "cutover_offset_position_bytes",
        "How far the connector's stored offset has come.",
        |told| {
            one(told, |report| {
                Some(report.offset.as_ref()?.reached.decimal as f64)
            })
        },
    ),
    gauge(
        "cutover_offset_behind_server_bytes",
        "From the stored offset to the end of the server's log; negative if it is of another log and ahead of it.",
        |told| {
            one(told, |report| {
                Some(report.offset.as_ref()?.behind_server_bytes? as f64)
            })
        },
    ),
    gauge(
        "cutover_offset_ahead_of_slot_bytes",
        "From what the slot is confirmed to to the stored offset; negative if the slot is ahead.",
        |told| {
            one(told, |report| {
                Some(report.offset.as_ref()?.ahead_of_slot_bytes? as f64)
            })
        },
    ),
    gauge(
        "cutover_marker_consent",
        "Whether markers are written at all.",
        |told| {
            one(told, |report| {
                Some(flag(report.markers.liveness != Liveness::NotAsked))
            })
        },
    ),
    gauge(
        "cutover_marker_interval_seconds",
        "Between two markers.",
        |told| one(told, |report| report.markers.interval_seconds),
    ),
    gauge(
        "cutover_marker_overdue",
        "Whether a marker is overdue: the stream does not deliver.",
        |told| {
            one(told, |report| {
                Some(flag(report.markers.liveness == Liveness::Missing))
            })
        },
    ),
    gauge(
        "cutover_marker_delay_seconds",
        "From writing the newest marker that came back until it was seen in Kafka.",
        |told| one(told, |report| report.markers.delay_seconds),
    ),
    gauge(
        "cutover_marker_waiting_seconds",
        "Age of the oldest marker that has not come back; 0 if none.",
        |told| {
            one(told, |report| {
                let asked = report.markers.liveness != Liveness::NotAsked;
                asked.then(|| report.markers.waiting_seconds.unwrap_or(0.0))
            })
        },
    ),
    counter(
        "cutover_markers_written_total",
        "Markers written since the watch began.",
        |told| one(told, |report| Some(report.markers.written as f64)),
    ),
    counter(
        "cutover_markers_arrived_total",
        "Markers that came back since the watch began.",
        |told| one(told, |report| Some(report.markers.arrived as f64)),
    ),
    counter(
        "cutover_markers_skipped_total",
        "Markers that were passed over since the watch began.",
        |told| one(told, |report| Some(report.markers.skipped as f64)),
    ),
    counter(
        "cutover_topic_end_offset_total",
        "Sum of the end offsets of a topic's partitions.",
        topics,
    ),
    gauge(
        "cutover_topics_left_out",
        "Topics that are not counted, because there are too many.",
        |told| {
            one(told, |report| {
                let mut silent = report.not_looked_at.iter();
                let counted = !silent.any(|one| one.part == "Kafka");
                counted.then_some(report.topics_left_out as f64)
            })
        },
    ),
    gauge("cutover_alert", "What is wrong now, by its code.", alerts),
];

/// The text that is served.
pub fn metrics(told: &Told) -> String {
    let mut text = String::new();
    for metric in ALL {
        text.push_str(&format!(
            "# HELP {} {}\n# TYPE {} {}\n",
            metric.name, metric.help, metric.name, metric.kind
        ));
        for series in (metric.read)(told) {
            text.push_str(metric.name);
            let labels: Vec<String> = series
                .labels
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", escaped(value)))
                .collect();
            if !labels.is_empty() {
                text.push_str(&format!("{{{}}}", labels.join(",")));
            }
            text.push_str(&format!(" {}\n", series.value));
        }
    }
    text
}

/// A label's value: what would end it or its line is escaped.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests;
