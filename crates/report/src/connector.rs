//! Connectors for people: what was done, what differs, how each fares with its tasks and their traces.

use cutover_model::connector::{ConnectorReport, ConnectorState, Health, OptionChange};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{FOREIGN_TEXT_MAX, clipped, foreign, wrapped};

/// Traces are what people look for here; they get more room.
const TRACE_MAX: usize = 4 * FOREIGN_TEXT_MAX;

/// The report as text with a final line break.
pub fn connector(report: &ConnectorReport, look: Look) -> String {
    let mut text = String::new();
    for line in &report.said {
        text.push_str(&(wrapped(&foreign(line), "", "  ", look.width) + "\n"));
    }
    for change in &report.changes {
        text.push_str(&(wrapped(&changed(change), "  ", "    ", look.width) + "\n"));
    }
    if let Some(config) = &report.config {
        for (name, value) in config {
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!("{} = {}\n", foreign(name), foreign(&value)));
        }
    }
    for state in &report.connectors {
        text.push_str(&block(state, look));
    }
    if report.action == "list" && report.connectors.is_empty() {
        text.push_str("the worker has no connector\n");
    }
    text
}

/// The report as indented JSON with a final line break.
pub fn connector_json(report: &ConnectorReport) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn changed(change: &OptionChange) -> String {
    let shown = |value: &Option<String>| {
        value
            .as_deref()
            .map_or_else(|| "absent".to_owned(), foreign)
    };
    let note = match (change.secret, &change.before, &change.after) {
        (true, Some(_), Some(_)) => " (another secret)",
        _ => "",
    };
    format!(
        "{}: {} -> {}{note}",
        foreign(&change.option),
        shown(&change.before),
        shown(&change.after)
    )
}

fn word(state: &ConnectorState, look: Look) -> String {
    let word = state.health.to_string().to_uppercase();
    match state.health {
        Health::Running => look.good(&word),
        // Just deleted.
        Health::Absent if state.code.is_none() => look.good(&word),
        Health::Failed | Health::TaskFailed | Health::Absent => look.bad(&word),
        Health::Paused | Health::Stopped | Health::Unsettled => look.doubtful(&word),
    }
}

fn block(state: &ConnectorState, look: Look) -> String {
    let name = foreign(&state.name);
    let own = state.state.as_deref().map_or_else(String::new, |own| {
        format!("; Connect shows {}", foreign(own))
    });
    let tasks: Vec<String> = state
        .tasks
        .iter()
        .map(|task| format!("task {} {}", task.id, foreign(&task.state)))
        .collect();
    let tasks = if tasks.is_empty() {
        "no tasks".to_owned()
    } else {
        tasks.join(", ")
    };
    let mut text = format!("{} {name}{own}, {tasks}\n", word(state, look));
    let traces = state
        .tasks
        .iter()
        .map(|task| (format!("task {}", task.id), &task.trace));
    for (what, trace) in [("connector".to_owned(), &state.trace)]
        .into_iter()
        .chain(traces)
    {
        if let Some(trace) = trace {
            let line = format!("{what}: {}", clipped(trace, TRACE_MAX));
            text.push_str(&(wrapped(&line, "  ", "    ", look.width) + "\n"));
        }
    }
    if let Some(code) = &state.code {
        let next = match state.health {
            Health::Failed | Health::TaskFailed => {
                format!("mend the cause, then: cutover connector restart {name}")
            }
            Health::Absent => "deploy it, or check the name: cutover connector list".to_owned(),
            _ => "look again; a rebalance ends by itself".to_owned(),
        };
        text.push_str(&format!("  try: {next}\n  code: {}\n", foreign(code)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation_samples;

    #[test]
    fn what_was_done_what_differs_and_a_failed_task_are_shown() {
        let expected = "\
connector orders changed
  database.password: ******** -> ******** (another secret)
  slot.name: absent -> s
TASK FAILED orders; Connect shows RUNNING, task 0 FAILED
  task 0: org.x.ConnectException: no \\u{1b}[2Jslot
  try: mend the cause, then: cutover connector restart orders
  code: CONNECT-TASK-001
";
        assert_eq!(
            connector(&operation_samples::connector(), Look::PLAIN),
            expected
        );
    }

    #[test]
    fn a_worker_without_connectors_is_said_to_have_none() {
        let mut report = operation_samples::connector();
        report.action = "list".into();
        report.said.clear();
        report.changes.clear();
        report.connectors.clear();
        assert_eq!(
            connector(&report, Look::PLAIN),
            "the worker has no connector\n"
        );
    }
}
