//! A connector through its life: put in place, paused, stopped, resumed, restarted, deleted, and looked at.
//!
//! Every action can be repeated: what is so already is left alone and said. The rules it protects: a configuration is
//! compared and shown with its secrets masked and is never written with a mask in it; an action ends when its state was
//! seen, or with the last state that was.

use std::time::Duration;

use cutover_clients::connect::{Connect, ConnectError, Status, masked_key};
use cutover_clients::secret::{MASK, names_secret, scrubbed};
use cutover_clients::wait::{Poll, until};
use cutover_model::ExitCode;
use cutover_model::connector::{
    CONNECTOR_FORMAT, ConnectorReport, ConnectorState, Health, OptionChange, TaskState,
};
use serde_json::{Map, Value};

use super::description::Description;
use crate::error::UpgradeError;

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a connector may show its state from before a restart.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);
/// How long a task that will fail may show RUNNING. Later failures are seen by whoever looks later.
const FAILS_WITHIN: Duration = Duration::from_secs(3);
const LEAVING_EVERY: Duration = Duration::from_millis(10);

/// What can be asked of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Tasks stay and hold the slot.
    Pause,
    /// Tasks end; offsets can be changed.
    Stop,
    /// After a pause or a stop.
    Resume,
    /// What has FAILED.
    Restart,
    /// Connector and tasks, running ones too.
    RestartAll,
    /// Offsets and slot stay.
    Delete,
}

impl Action {
    fn name(self) -> &'static str {
        match self {
            Action::Pause => "pause",
            Action::Stop => "stop",
            Action::Resume => "resume",
            Action::Restart | Action::RestartAll => "restart",
            Action::Delete => "delete",
        }
    }

    fn wanted(self) -> Health {
        match self {
            Action::Pause => Health::Paused,
            Action::Stop => Health::Stopped,
            Action::Delete => Health::Absent,
            _ => Health::Running,
        }
    }
}

/// One connector on a worker.
#[derive(Debug, Clone)]
pub struct Operated<'a> {
    /// The worker.
    pub connect: &'a Connect,
    /// The connector.
    pub name: &'a str,
    /// How long a state is waited for.
    pub deadline: Duration,
}

/// Every connector of the worker.
pub async fn list(connect: &Connect) -> Result<ConnectorReport, UpgradeError> {
    let mut connectors = Vec::new();
    for name in connect.connectors().await? {
        let one = Operated {
            connect,
            name: &name,
            deadline: Duration::ZERO,
        };
        connectors.push(one.state().await?);
    }
    let mut report = empty("list");
    // The worst one counts.
    let exit = connectors
        .iter()
        .map(|one| one.health.exit_code().number())
        .max();
    report.exit_code = exit.unwrap_or(0);
    report.connectors = connectors;
    Ok(report)
}

fn empty(action: &str) -> ConnectorReport {
    ConnectorReport {
        format: CONNECTOR_FORMAT.to_owned(),
        action: action.to_owned(),
        changed: false,
        said: Vec::new(),
        connectors: Vec::new(),
        changes: Vec::new(),
        config: None,
        exit_code: ExitCode::Pass.number(),
    }
}

/// How a connector fares by what Connect says of it and its tasks.
fn health(status: Option<&Status>) -> Health {
    let Some(status) = status else {
        return Health::Absent;
    };
    let every = |state: &str| status.tasks.iter().all(|task| task.state == state);
    match status.connector_state.as_str() {
        "FAILED" => Health::Failed,
        _ if status.tasks.iter().any(|task| task.state == "FAILED") => Health::TaskFailed,
        "STOPPED" if status.tasks.is_empty() => Health::Stopped,
        "PAUSED" if every("PAUSED") => Health::Paused,
        "RUNNING" if status.running() => Health::Running,
        _ => Health::Unsettled,
    }
}

impl Operated<'_> {
    /// How it fares.
    pub async fn state(&self) -> Result<ConnectorState, UpgradeError> {
        let status = self.connect.status(self.name).await?;
        let health = health(status.as_ref());
        let told = matches!(health, Health::Failed | Health::TaskFailed);
        let config = if told {
            self.connect.config(self.name).await?
        } else {
            None
        };
        let config = config.unwrap_or_default();
        let secrets: Vec<&str> = config
            .iter()
            .filter(|(name, _)| names_secret(name))
            .filter_map(|(_, value)| value.as_str())
            .collect();
        let clean = |trace: &String| scrubbed(trace, secrets.iter().copied());
        let tasks = status.iter().flat_map(|status| &status.tasks);
        Ok(ConnectorState {
            name: self.name.to_owned(),
            health,
            state: status.as_ref().map(|status| status.connector_state.clone()),
            trace: status
                .as_ref()
                .and_then(|status| status.trace.as_ref())
                .map(clean),
            tasks: tasks
                .map(|task| TaskState {
                    id: task.id,
                    state: task.state.clone(),
                    trace: task.trace.as_ref().map(clean),
                })
                .collect(),
            code: health.code().map(str::to_owned),
        })
    }

    /// The state as a report.
    pub async fn status(&self) -> Result<ConnectorReport, UpgradeError> {
        let state = self.state().await?;
        let mut report = empty("status");
        report.exit_code = state.health.exit_code().number();
        report.connectors = vec![state];
        Ok(report)
    }

    /// The configuration with secrets masked.
    pub async fn config(&self) -> Result<ConnectorReport, UpgradeError> {
        let config = self
            .connect
            .config(self.name)
            .await?
            .ok_or_else(|| self.absent())?;
        let mut report = empty("config");
        report.config = Some(masked(&config));
        Ok(report)
    }

    fn absent(&self) -> ConnectError {
        ConnectError::NoConnector {
            connector: self.name.to_owned(),
        }
    }

    /// Puts the connector in place as described. `apply` false: says only what would be changed.
    pub async fn deploy(
        &self,
        wanted: &Description,
        apply: bool,
    ) -> Result<ConnectorReport, UpgradeError> {
        if let Some(key) = masked_key(&wanted.config) {
            return Err(UpgradeError::Connect(ConnectError::Masked {
                connector: self.name.to_owned(),
                key: key.to_owned(),
            }));
        }
        let before = self.connect.config(self.name).await?;
        let mut report = empty("deploy");
        report.changes = changes(before.as_ref(), &wanted.config);
        let name = self.name;
        if before.is_some() && report.changes.is_empty() {
            report.said.push(format!(
                "connector {name} has this configuration already; nothing was sent"
            ));
        } else if !apply {
            let what = if before.is_some() {
                "would be changed"
            } else {
                "would be made"
            };
            report.said.push(format!("connector {name} {what}"));
        } else {
            let failed_before = self.has_failed().await?;
            self.connect.put_config(name, &wanted.config).await?;
            if before.is_some() {
                self.see_it_leave(LEAVES_WITHIN).await?;
            }
            report.changed = true;
            let what = if before.is_some() { "changed" } else { "made" };
            report.said.push(format!("connector {name} {what}"));
            self.wait_for(Health::Running, failed_before).await?;
            self.confirm_running().await?;
        }
        if before.is_some() || report.changed {
            let state = self.state().await?;
            report.exit_code = state.health.exit_code().number();
            report.connectors = vec![state];
        }
        Ok(report)
    }

    async fn has_failed(&self) -> Result<bool, UpgradeError> {
        let status = self.connect.status(self.name).await?;
        Ok(status.is_some_and(|status| status.failure().is_some()))
    }

    /// Does it, unless it is done already.
    pub async fn act(&self, action: Action, apply: bool) -> Result<ConnectorReport, UpgradeError> {
        let name = self.name;
        let mut report = empty(action.name());
        let before = self.state().await?;
        if before.health == Health::Absent && action != Action::Delete {
            return Err(self.absent().into());
        }
        let health = before.health;
        let done = health == action.wanted() && action != Action::RestartAll;
        if done {
            report.said.push(format!(
                "connector {name} is {health} already; nothing was sent"
            ));
        } else if action == Action::Delete && !apply {
            report.said.push(format!(
                "connector {name} would be deleted, which --apply does"
            ));
        } else if action == Action::Restart
            && !matches!(health, Health::Failed | Health::TaskFailed)
        {
            report.said.push(format!(
                "nothing of connector {name} has FAILED, so nothing was restarted; it is {health}"
            ));
        } else {
            let sent = match action {
                Action::Pause => self.connect.pause(name).await,
                Action::Stop => self.connect.stop(name).await,
                Action::Resume => self.connect.resume(name).await,
                Action::Restart => self.connect.restart_failed(name).await,
                Action::RestartAll => self.connect.restart_all(name).await,
                Action::Delete => self.connect.delete(name).await.map(|_| ()),
            };
            sent?;
            report.changed = true;
            let restarts = matches!(action, Action::Restart | Action::RestartAll);
            let failed = matches!(health, Health::Failed | Health::TaskFailed);
            if action == Action::RestartAll {
                self.see_it_leave(LEAVES_WITHIN).await?;
            }
            self.wait_for(action.wanted(), restarts && failed).await?;
            if action.wanted() == Health::Running {
                self.confirm_running().await?;
            }
            report.said.push(format!(
                "connector {name} was {health}; {} was asked for",
                action.name()
            ));
        }
        if action == Action::Resume && matches!(health, Health::Failed | Health::TaskFailed) {
            report.said.push(format!(
                "a resume starts nothing that has FAILED: cutover connector restart {name}"
            ));
        }
        if action == Action::Delete {
            report
                .said
                .push("its stored offset, its slot and its publication stay as they are".into());
        }
        let mut state = self.state().await?;
        if action == Action::Delete && state.health == Health::Absent {
            // That is what was wanted.
            state.code = None;
        }
        report.exit_code = exit_after(action, state.health, report.changed).number();
        report.connectors = vec![state];
        Ok(report)
    }

    /// What Connect shows right after a restart is still the state from before. Returns when another one was seen, or
    /// when none came for a while: then it went by between two looks, or there was no restart.
    async fn see_it_leave(&self, within: Duration) -> Result<(), UpgradeError> {
        let deadline = self.deadline.min(within);
        let left = until("another state", deadline, LEAVING_EVERY, async || {
            let status = self.connect.status(self.name).await?;
            Ok::<_, UpgradeError>(match health(status.as_ref()) {
                Health::Running => Poll::NotYet("RUNNING".to_owned()),
                _ => Poll::Ready(()),
            })
        });
        match left.await.map_err(UpgradeError::from) {
            Ok(()) | Err(UpgradeError::NotSeen { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// A task shows RUNNING before it has reached its server: one that fails at that is seen to fail a moment later.
    async fn confirm_running(&self) -> Result<(), UpgradeError> {
        self.see_it_leave(FAILS_WITHIN).await?;
        self.wait_for(Health::Running, false).await
    }

    /// Waits for a state. Whatever has FAILED is an end too; but a failure from before may be shown for a moment after
    /// a restart, so with `stale` another state must have been seen first.
    async fn wait_for(&self, wanted: Health, mut stale: bool) -> Result<(), UpgradeError> {
        let what = format!("connector {} being {wanted}", self.name);
        let seen = until(&what, self.deadline, LOOK_EVERY, async || {
            let status = self.connect.status(self.name).await?;
            let health = health(status.as_ref());
            let failed = matches!(health, Health::Failed | Health::TaskFailed);
            stale = stale && failed;
            Ok::<_, UpgradeError>(if health == wanted || (failed && !stale) {
                Poll::Ready(())
            } else {
                Poll::NotYet(
                    status.map_or_else(|| "absent".to_owned(), |status| status.to_string()),
                )
            })
        });
        match seen.await.map_err(UpgradeError::from) {
            // Its state at the end is shown, with the exit code of that.
            Err(UpgradeError::NotSeen { .. }) if stale => Ok(()),
            other => other,
        }
    }
}

/// The configuration as it may be shown.
pub fn masked(config: &Map<String, Value>) -> Map<String, Value> {
    let shown = config.iter().map(|(name, value)| {
        let reference = value.as_str().is_some_and(|text| text.starts_with("${"));
        let value = if names_secret(name) && !reference {
            MASK.into()
        } else {
            value
                .as_str()
                .map_or_else(|| value.clone(), |text| scrubbed(text, []).into())
        };
        (name.clone(), value)
    });
    shown.collect()
}

/// Options that differ, by name. The connector's name is none.
fn changes(before: Option<&Map<String, Value>>, after: &Map<String, Value>) -> Vec<OptionChange> {
    let none = Map::new();
    let before = before.unwrap_or(&none);
    let (old, new) = (masked(before), masked(after));
    let text = |map: &Map<String, Value>, name: &str| {
        let value = map.get(name)?;
        Some(
            value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned),
        )
    };
    let mut names: Vec<&String> = before
        .keys()
        .chain(after.keys())
        .filter(|name| *name != "name")
        .collect();
    names.sort();
    names.dedup();
    let differs = names
        .into_iter()
        .filter(|name| text(before, name) != text(after, name));
    differs
        .map(|name| OptionChange {
            option: name.clone(),
            before: text(&old, name),
            after: text(&new, name),
            secret: names_secret(name),
        })
        .collect()
}

/// How a command ends after which the connector is in this state.
fn exit_after(action: Action, health: Health, changed: bool) -> ExitCode {
    match health.exit_code() {
        _ if action == Action::Delete => ExitCode::Pass,
        // Asked for, and something else came of it.
        ExitCode::Pass if health != action.wanted() && changed => ExitCode::Unknown,
        code => code,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_differs_is_shown_with_its_secrets_masked_on_both_sides() {
        let before = map(
            json!({"name": "a", "slot.name": "one", "database.password": "hunter2", "gone": "x",
            "value.converter.schema.registry.url": "http://u:hunter2@r:8081"}),
        );
        let after = map(
            json!({"slot.name": "two", "database.password": "hunter3", "new": "y",
            "value.converter.schema.registry.url": "http://u:hunter2@r:8081"}),
        );
        let found = changes(Some(&before), &after);
        assert!(!format!("{found:?}").contains("hunter"), "{found:?}");
        let names: Vec<&str> = found.iter().map(|one| one.option.as_str()).collect();
        assert_eq!(names, ["database.password", "gone", "new", "slot.name"]);
        assert_eq!(found[3].before.as_deref(), Some("one"));
        assert!(changes(Some(&before), &before).is_empty());
    }

    #[test]
    fn references_of_config_providers_are_no_secrets_and_are_shown() {
        let shown = masked(&map(json!({"database.password": "${file:/x:pw}"})));
        assert_eq!(shown["database.password"], "${file:/x:pw}");
    }

    fn status(connector: &str, tasks: &[&str]) -> Status {
        let task = |(id, state): (usize, &&str)| cutover_clients::connect::TaskStatus {
            id: i64::try_from(id).unwrap(),
            state: (*state).to_owned(),
            trace: None,
        };
        Status {
            connector_state: connector.into(),
            trace: None,
            tasks: tasks.iter().enumerate().map(task).collect(),
        }
    }

    #[test]
    fn a_failed_task_is_a_failure_whatever_the_connector_shows() {
        for (connector, tasks, expected) in [
            ("RUNNING", &["FAILED"][..], Health::TaskFailed),
            ("PAUSED", &["FAILED"], Health::TaskFailed),
            ("FAILED", &[], Health::Failed),
            ("RUNNING", &["RUNNING"], Health::Running),
            ("RUNNING", &[], Health::Unsettled),
            ("PAUSED", &["RUNNING"], Health::Unsettled),
            ("STOPPED", &[], Health::Stopped),
            ("UNASSIGNED", &["UNASSIGNED"], Health::Unsettled),
        ] {
            assert_eq!(
                health(Some(&status(connector, tasks))),
                expected,
                "{connector} {tasks:?}"
            );
        }
        assert_eq!(health(None), Health::Absent);
    }
}
