//! Figures of a watch as words; the same in every view.

use cutover_model::watch::{Liveness, WatchReport, WatchedLag, WatchedMarkers, WatchedOffset};

use crate::text::{bytes, rate, seconds};

/// What is not known.
pub const UNKNOWN: &str = "-";

/// A size that may be absent.
pub fn size(number: Option<i64>) -> String {
    let number = number.and_then(|number| u64::try_from(number).ok());
    number.map_or_else(|| UNKNOWN.to_owned(), bytes)
}

/// `1.2 MiB`, behind or ahead.
fn distance(number: i64, words: (&str, &str)) -> String {
    let word = if number < 0 { words.1 } else { words.0 };
    format!("{} {word}", bytes(number.unsigned_abs()))
}

/// `1.2 MiB, 3.0 s`.
pub fn lag(lag: Option<&WatchedLag>) -> String {
    let Some(lag) = lag else {
        return UNKNOWN.to_owned();
    };
    let more = if lag.at_least { "more than " } else { "" };
    match lag.seconds {
        Some(age) => format!("{}, {more}{}", bytes(lag.bytes), seconds(age)),
        None => bytes(lag.bytes),
    }
}

/// Where the offset is.
pub fn offset(offset: Option<&WatchedOffset>) -> String {
    let Some(offset) = offset else {
        return "none is stored, or not known".to_owned();
    };
    let mut told = offset.reached.lsn.to_string();
    if let Some(bytes) = offset.behind_server_bytes {
        let words = ("behind the server's end", "AHEAD of the server's end");
        told = format!("{told}, {}", distance(bytes, words));
    }
    if let Some(bytes) = offset.ahead_of_slot_bytes {
        told = format!(
            "{told}, {}",
            distance(bytes, ("ahead of the slot", "behind the slot"))
        );
    }
    told
}

/// What the markers prove, in a few words.
pub fn markers(markers: &WatchedMarkers) -> String {
    let delay = |delay: Option<f64>| delay.map_or_else(|| UNKNOWN.to_owned(), seconds);
    match markers.liveness {
        Liveness::NotAsked => "liveness is not proven (no --markers)".to_owned(),
        Liveness::Waiting => "the first marker is under way".to_owned(),
        Liveness::Proven => format!("came back after {}", delay(markers.delay_seconds)),
        Liveness::Missing => format!("MISSING for {}", delay(markers.waiting_seconds)),
        Liveness::NotWritten => "could not be written".to_owned(),
    }
}

/// Records per second of all topics; absent before the second look.
pub fn flow(report: &WatchReport) -> Option<f64> {
    let rates: Vec<f64> = report
        .topics
        .iter()
        .filter_map(|topic| topic.per_second)
        .collect();
    (!rates.is_empty()).then(|| rates.iter().sum())
}

/// The same in words.
pub fn flow_told(report: &WatchReport) -> String {
    flow(report).map_or_else(|| UNKNOWN.to_owned(), rate)
}

/// `running, task 0 RUNNING`.
pub fn connector(report: &WatchReport) -> String {
    let Some(connector) = &report.connector else {
        return "not known".to_owned();
    };
    let tasks = connector
        .tasks
        .iter()
        .map(|task| format!(", task {} {}", task.id, task.state));
    connector.health.to_string() + &tasks.collect::<String>()
}
