//! State of a connector and its tasks. A connector is RUNNING as soon as its class was started; only the tasks
//! tell whether it works, and a FAILED task never restarts by itself.

use serde_json::Value;

/// Lines of a Java trace that are shown; the cause stands at the top or behind `Caused by:`.
const TRACE_LINES: usize = 4;
const LINE_CHARACTERS: usize = 400;

/// What the status topic says of a connector. It can be older than a crash: wait for data, not for status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// RUNNING, PAUSED, STOPPED, FAILED, UNASSIGNED, …
    pub connector_state: String,
    /// First lines of the connector's own trace.
    pub trace: Option<String>,
    /// The tasks.
    pub tasks: Vec<TaskStatus>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// Number.
    pub id: i64,
    /// RUNNING, PAUSED, FAILED, UNASSIGNED, RESTARTING.
    pub state: String,
    /// First lines of the trace of a failed task.
    pub trace: Option<String>,
}

impl Status {
    pub(super) fn from_json(body: &Value) -> Status {
        let state = |value: &Value| {
            let state = value.get("state").and_then(Value::as_str);
            state.unwrap_or("UNKNOWN").to_owned()
        };
        let trace = |value: &Value| {
            let trace = value.get("trace").and_then(Value::as_str);
            trace.filter(|trace| !trace.is_empty()).map(first_lines)
        };
        let connector = body.get("connector").unwrap_or(&Value::Null);
        let tasks = body.get("tasks").and_then(Value::as_array);
        Status {
            connector_state: state(connector),
            trace: trace(connector),
            tasks: tasks
                .into_iter()
                .flatten()
                .map(|task| TaskStatus {
                    id: task.get("id").and_then(Value::as_i64).unwrap_or(-1),
                    state: state(task),
                    trace: trace(task),
                })
                .collect(),
        }
    }

    /// The connector and at least one task run, and no task does anything else.
    pub fn running(&self) -> bool {
        self.connector_state == "RUNNING"
            && !self.tasks.is_empty()
            && self.tasks.iter().all(|task| task.state == "RUNNING")
    }

    /// STOPPED, and every task is gone (offsets can be altered, the slot is free).
    pub fn stopped(&self) -> bool {
        self.connector_state == "STOPPED" && self.tasks.is_empty()
    }

    /// Why it does not run, if the connector or a task failed: `task 0: first lines of the trace`.
    pub fn failure(&self) -> Option<String> {
        let why = |trace: &Option<String>| trace.clone().unwrap_or_else(|| "no trace".to_owned());
        if self.connector_state == "FAILED" {
            return Some(format!("connector: {}", why(&self.trace)));
        }
        let task = self.tasks.iter().find(|task| task.state == "FAILED")?;
        Some(format!("task {}: {}", task.id, why(&task.trace)))
    }
}

/// One line: `RUNNING, task 0 RUNNING`.
impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.connector_state)?;
        if self.tasks.is_empty() {
            f.write_str(", no tasks")?;
        }
        for task in &self.tasks {
            write!(f, ", task {} {}", task.id, task.state)?;
        }
        Ok(())
    }
}

/// The lines that say why: the first one and the causes, without stack frames, in one line.
pub(super) fn first_lines(text: &str) -> String {
    let telling = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with("at ") && !line.starts_with("... "));
    let mut shown: Vec<String> = Vec::new();
    for line in telling.take(TRACE_LINES) {
        shown.push(line.chars().take(LINE_CHARACTERS).collect());
    }
    shown.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_connector_with_a_failed_task_is_a_failure_with_its_cause() {
        let body = serde_json::json!({
            "name": "a", "connector": {"state": "RUNNING", "worker_id": "w"},
            "tasks": [{"id": 0, "state": "FAILED", "worker_id": "w",
                "trace": "org.x.ConnectException: outer\n\tat a.b(C.java:1)\nCaused by: inner\n\tat d\n"}]
        });
        let status = Status::from_json(&body);
        assert!(!status.running() && !status.stopped());
        let expected = "task 0: org.x.ConnectException: outer | Caused by: inner";
        assert_eq!(status.failure().as_deref(), Some(expected));
        assert_eq!(status.to_string(), "RUNNING, task 0 FAILED");
    }

    #[test]
    fn running_without_tasks_is_not_running() {
        let body = serde_json::json!({"connector": {"state": "RUNNING"}, "tasks": []});
        let status = Status::from_json(&body);
        assert!(!status.running() && status.failure().is_none());
    }
}
