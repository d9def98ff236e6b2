//! From a look, markers and the past to a report. Pure code.
//!
//! Positions are compared here only between values of the same server, and the stored offset with a server's end under
//! the condition that it is of that server's log, which Connect does not store; the texts say so.

use cutover_clients::pg::slot_details::SlotDetail;
use cutover_model::Lsn;
use cutover_model::connector::{ConnectorState, Health, ServerPlace};
use cutover_model::doctor::Diagnosis;
use cutover_model::lint::Severity::{self, Error, Warning};
use cutover_model::watch::{
    Liveness, WATCH_FORMAT, WatchReport, WatchState, WatchedLag, WatchedMarkers, WatchedOffset,
    WatchedSlot, WatchedTopic,
};

use super::look::Sample;
use super::past::Past;

/// What is too much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Age of the oldest byte that is not confirmed, in seconds.
    pub lag_seconds: f64,
    /// Bytes of log that the server keeps for the connector's slot.
    pub retained_bytes: i64,
}

/// Judges a look. The past has noted it already.
pub fn assess(
    sample: &Sample,
    past: &Past,
    markers: &WatchedMarkers,
    limits: &Limits,
) -> WatchReport {
    let end = sample.server.as_ref().map(|(_, facts)| facts.current_lsn);
    let own = sample.names.as_ref().map(|names| names.slot.as_str());
    let mut slots: Vec<WatchedSlot> = sample
        .slots
        .iter()
        .map(|detail| slot(detail, own, end))
        .collect();
    slots.sort_by_key(|slot| (!slot.of_connector, slot.name.clone()));
    let slot = slots.iter().find(|slot| slot.of_connector);
    let mut report = WatchReport {
        format: WATCH_FORMAT.to_owned(),
        time: sample.time.clone(),
        look_seconds: sample.seconds,
        state: WatchState::Unknown,
        connector: sample.connector.clone(),
        server: server(sample),
        offset: offset(sample, slot, end),
        lag: slot.and_then(|slot| lag(slot, past, sample.at)),
        slots,
        markers: markers.clone(),
        topics: topics(sample, past),
        topics_left_out: sample.topics_left_out,
        alerts: Vec::new(),
        not_looked_at: sample.not_looked_at.clone(),
        exit_code: 0,
    };
    report.alerts = alerts(&report, own, limits);
    report.state = state(&report);
    // What is not known because a system did not answer or did not let us in ends as it does everywhere.
    let exit = match (report.state, sample.unreached) {
        (WatchState::Unknown, Some(exit)) => exit,
        (state, _) => state.exit_code(),
    };
    report.exit_code = exit.number();
    report
}

fn slot(detail: &SlotDetail, own: Option<&str>, end: Option<Lsn>) -> WatchedSlot {
    let slot = &detail.slot;
    let unconfirmed = end.zip(slot.confirmed_flush);
    WatchedSlot {
        name: slot.name.clone(),
        kind: detail.kind.clone(),
        database: detail.database.clone(),
        of_connector: own == Some(slot.name.as_str()),
        active: slot.active,
        wal_status: slot.wal_status.clone(),
        restart: slot.restart_lsn.map(Into::into),
        confirmed: slot.confirmed_flush.map(Into::into),
        retained_bytes: detail.retained_bytes,
        lag_bytes: unconfirmed.map(|(end, confirmed)| end.0.saturating_sub(confirmed.0)),
        safe_bytes: detail.safe_bytes,
        invalidation: detail.invalidation.clone(),
        inactive_since: detail.inactive_since.clone(),
    }
}

fn server(sample: &Sample) -> Option<ServerPlace> {
    let (address, facts) = sample.server.as_ref()?;
    Some(ServerPlace {
        address: address.clone(),
        version: facts.version.clone(),
        system_id: facts.incarnation.system_id.to_string(),
        timeline: facts.incarnation.timeline,
        end: facts.current_lsn.into(),
    })
}

fn offset(sample: &Sample, slot: Option<&WatchedSlot>, end: Option<Lsn>) -> Option<WatchedOffset> {
    let stored = sample.offset.as_ref()?;
    let reached = stored.reached()?;
    let apart = |from: Lsn, to: Lsn| {
        let bytes = i128::from(to.0) - i128::from(from.0);
        i64::try_from(bytes).ok()
    };
    let confirmed = slot.and_then(|slot| slot.confirmed);
    Some(WatchedOffset {
        reached: reached.into(),
        time: crate::operate::offsets::decoded(stored).time,
        behind_server_bytes: end.and_then(|end| apart(reached, end)),
        ahead_of_slot_bytes: confirmed.and_then(|confirmed| apart(confirmed.lsn, reached)),
    })
}

fn lag(slot: &WatchedSlot, past: &Past, now: f64) -> Option<WatchedLag> {
    let age = past.age(slot.confirmed?.lsn, now);
    Some(WatchedLag {
        bytes: slot.lag_bytes?,
        seconds: age.map(|(seconds, _)| seconds),
        at_least: age.is_some_and(|(_, at_least)| at_least),
    })
}

fn topics(sample: &Sample, past: &Past) -> Vec<WatchedTopic> {
    let counted = sample.topics.iter().flatten();
    counted
        .map(|(name, end)| WatchedTopic {
            name: name.clone(),
            end_offset: *end,
            per_second: past.rate(name),
        })
        .collect()
}

/// The worst of what was seen. Missing parts lower it below everything that only warns.
fn state(report: &WatchReport) -> WatchState {
    let found = |severity: Severity| report.alerts.iter().any(|one| one.severity == severity);
    if found(Error) {
        WatchState::Alert
    } else if !report.not_looked_at.is_empty() || unwritten(report) {
        WatchState::Unknown
    } else if found(Warning) {
        WatchState::Warning
    } else if report.markers.liveness == Liveness::Proven {
        WatchState::Alive
    } else {
        WatchState::NotProven
    }
}

/// A proof that was asked for and could not be tried.
fn unwritten(report: &WatchReport) -> bool {
    report.markers.liveness == Liveness::NotWritten
}

fn alerts(report: &WatchReport, own: Option<&str>, limits: &Limits) -> Vec<Diagnosis> {
    let mut all = Vec::new();
    all.extend(report.connector.as_ref().and_then(of_connector));
    all.extend(of_markers(report));
    if let (Some(own), Some(_)) = (own, &report.server) {
        match report.slots.iter().find(|slot| slot.of_connector) {
            Some(slot) => all.extend(of_slot(report, slot, limits)),
            None => all.push(alert(
                "CUT-WATCH-021",
                Error,
                format!("slot {own}"),
                (
                    "it is not there: nothing holds what is committed now".to_owned(),
                    "cutover doctor says how to make it again and what may be missing".to_owned(),
                ),
            )),
        }
    }
    all.extend(ahead(report));
    all.extend(late(report, limits));
    all.sort_by_key(|one| std::cmp::Reverse(one.severity));
    all
}

fn alert(
    code: &str,
    severity: Severity,
    subject: String,
    (evidence, remedy): (String, String),
) -> Diagnosis {
    Diagnosis {
        code: code.to_owned(),
        severity,
        subject,
        evidence,
        remedy,
    }
}

fn of_connector(connector: &ConnectorState) -> Option<Diagnosis> {
    let (code, severity) = match connector.health {
        Health::Running => return None,
        Health::Paused | Health::Stopped => ("CUT-WATCH-001", Warning),
        Health::Unsettled => ("CONNECT-UNSETTLED-001", Warning),
        Health::Failed => ("CONNECT-FAILED-001", Error),
        Health::TaskFailed => ("CONNECT-TASK-001", Error),
        Health::Absent => ("CONNECT-CONNECTOR-001", Error),
    };
    let traces = connector
        .tasks
        .iter()
        .filter_map(|task| task.trace.as_ref());
    let trace = connector.trace.iter().chain(traces).next();
    let name = &connector.name;
    let remedy = match connector.health {
        Health::Paused | Health::Stopped => format!("cutover connector resume {name}"),
        Health::Absent => "cutover connector deploy FILE".to_owned(),
        Health::Unsettled => "look again; a rebalance takes seconds".to_owned(),
        _ => format!("mend the cause, then cutover connector restart {name}"),
    };
    let told = match (connector.health, trace) {
        (Health::Paused | Health::Stopped, _) => {
            format!("it is {}: log is kept for its slot", connector.health)
        }
        (health, Some(trace)) => format!("it is {health}: {trace}"),
        (health, None) => format!("it is {health}"),
    };
    Some(alert(
        code,
        severity,
        format!("connector {name}"),
        (told, remedy),
    ))
}

fn of_markers(report: &WatchReport) -> Vec<Diagnosis> {
    let markers = &report.markers;
    let topic = markers.topic.as_deref().unwrap_or_default();
    let subject = || format!("markers in topic {topic}");
    let why = markers
        .failure
        .as_ref()
        .map_or_else(String::new, |why| format!("; {why}"));
    let mut all = Vec::new();
    match markers.liveness {
        Liveness::Missing => {
            let states = report.connector.as_ref().map_or_else(
                || "the connector's state is not known".to_owned(),
                |connector| format!("connector and tasks are {}", connector.health),
            );
            let slot = report.slots.iter().find(|slot| slot.of_connector);
            let reader = slot.map_or("", |slot| {
                if slot.active {
                    ", its slot is in use"
                } else {
                    ", nobody reads its slot"
                }
            });
            let waiting = markers.waiting_seconds.unwrap_or_default();
            // Where nobody can look, a marker may be. It is told all the same: who waits to be sure waits too long.
            let mut silent = report.not_looked_at.iter();
            let told = match silent.any(|one| one.part == "Kafka") {
                true => {
                    "Kafka does not answer here either, so whether the stream delivers is not known"
                }
                false => "the stream does not deliver",
            };
            let evidence = format!(
                "a marker was written {waiting:.1} s ago and has not come out: {told}; {states}{reader}{why}"
            );
            let remedy =
                "cutover doctor; cutover connector offsets show; the worker's log".to_owned();
            all.push(alert("CUT-WATCH-010", Error, subject(), (evidence, remedy)));
        }
        Liveness::NotWritten => {
            let evidence = format!("a marker could not be written{why}");
            let remedy =
                "markers need a primary, and a role that may execute pg_logical_emit_message"
                    .to_owned();
            all.push(alert(
                "CUT-WATCH-012",
                Warning,
                subject(),
                (evidence, remedy),
            ));
        }
        _ => {}
    }
    if markers.skipped_lately {
        let evidence = format!(
            "{} of {} markers were passed over while a later one came out: so was what stands between them in the log",
            markers.skipped, markers.written
        );
        let remedy =
            "events are missing: cutover gap show of a recorded run, or read the tables again"
                .to_owned();
        all.push(alert("CUT-WATCH-011", Error, subject(), (evidence, remedy)));
    }
    all
}

fn of_slot(report: &WatchReport, slot: &WatchedSlot, limits: &Limits) -> Vec<Diagnosis> {
    let subject = || format!("slot {}", slot.name);
    let status = slot.wal_status.as_deref().unwrap_or("-");
    let mut all = Vec::new();
    if status == "lost" || slot.invalidation.is_some() {
        let why = slot.invalidation.as_deref().unwrap_or("no reason is given");
        let evidence = format!("it is lost ({why}): the server removed log that was not read");
        let remedy = "cutover doctor names the statements; what is missing: cutover gap".to_owned();
        all.push(alert("CUT-WATCH-020", Error, subject(), (evidence, remedy)));
        return all;
    }
    let runs = report
        .connector
        .as_ref()
        .is_some_and(|connector| connector.health == Health::Running);
    if runs && !slot.active {
        let evidence = "connector and tasks show RUNNING, and nobody reads it".to_owned();
        let remedy = "look again; if it stays so, read the worker's log".to_owned();
        all.push(alert(
            "CUT-WATCH-022",
            Warning,
            subject(),
            (evidence, remedy),
        ));
    }
    if status == "unreserved" || status == "extended" {
        let left = slot.safe_bytes.map_or_else(String::new, |left| {
            format!("; {left} bytes until it is lost")
        });
        let severity = if status == "unreserved" {
            Error
        } else {
            Warning
        };
        let evidence = format!("wal_status is {status}{left}");
        let remedy = "make the connector read, or raise max_slot_wal_keep_size".to_owned();
        all.push(alert(
            "CUT-WATCH-023",
            severity,
            subject(),
            (evidence, remedy),
        ));
    }
    if let Some(kept) = slot
        .retained_bytes
        .filter(|kept| *kept > limits.retained_bytes)
    {
        let evidence = format!(
            "the server keeps {kept} bytes of log for it; the limit is {}",
            limits.retained_bytes
        );
        let remedy = "make the connector read before the disk is full".to_owned();
        all.push(alert(
            "CUT-WATCH-041",
            Warning,
            subject(),
            (evidence, remedy),
        ));
    }
    all
}

/// An offset of another log: the server sends nothing until its log has passed it (docs/anomalies.md, A-004).
fn ahead(report: &WatchReport) -> Option<Diagnosis> {
    let offset = report.offset.as_ref()?;
    let server = report.server.as_ref()?;
    let ahead = offset.behind_server_bytes.filter(|bytes| *bytes < 0)?;
    let evidence = format!(
        "it has reached {} and the server's log ends at {}, {} bytes before: nothing is sent until the log gets there, \
         and what is committed up to there is passed over",
        offset.reached.lsn,
        server.end.lsn,
        ahead.unsigned_abs()
    );
    let remedy = "cutover connector stop, then cutover connector offsets set --to-slot".to_owned();
    Some(alert(
        "CUT-WATCH-030",
        Error,
        "the stored offset".to_owned(),
        (evidence, remedy),
    ))
}

fn late(report: &WatchReport, limits: &Limits) -> Option<Diagnosis> {
    let lag = report.lag.as_ref()?;
    let seconds = lag.seconds.filter(|age| *age > limits.lag_seconds)?;
    let more = if lag.at_least { "at least " } else { "" };
    let evidence = format!(
        "{} bytes are not confirmed, the oldest for {more}{seconds:.0} s; the limit is {:.0} s",
        lag.bytes, limits.lag_seconds
    );
    let remedy = "cutover connector status; on an idle database this can be log that no table of the stream wrote"
        .to_owned();
    Some(alert(
        "CUT-WATCH-040",
        Warning,
        "lag".to_owned(),
        (evidence, remedy),
    ))
}

#[cfg(test)]
pub(super) mod tests;
