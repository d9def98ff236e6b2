//! Scenarios: one TOML file per rehearsal, with the verdict it expects.
//!
//! The shipped ones are part of the program ([`ALL`]); a path to a file of the user's own works the same way.
//! Unknown keys are refused with the nearest known one, because a misspelt key that is silently ignored would
//! rehearse something else than what was written.

use std::path::Path;

use cutover_model::finding::FindingKind;
use cutover_model::plan::{Runbook, RunbookClass};
use cutover_model::result::Stack;
use cutover_model::{ProofLevel, Verdict};
use cutover_upgrade::Plan;
use cutover_workload::shapes::Copies;
use serde::Deserialize;

use crate::connector::{ConnectorPlan, Converter};
use crate::error::RehearseError;
pub use crate::shipped::{ALL, MAIN_JOB, Shipped};
use crate::trouble::{ServerPlan, Trouble};
use crate::worker::{Ending, Moment};

/// A rehearsal.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Stable name; the file is called the same.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Versions.
    pub stack: Stack,
    /// The load.
    #[serde(default)]
    pub load: LoadPlan,
    /// The old server, as far as it is not the lab's own.
    #[serde(default)]
    pub server: ServerPlan,
    /// What is done to the server.
    pub upgrade: UpgradePlan,
    /// What happens meanwhile.
    #[serde(default)]
    pub trouble: Vec<Trouble>,
    /// What the connector's records look like.
    #[serde(default)]
    pub connector: ConnectorPlan,
    /// What must come out.
    pub expect: Expectation,
    /// The file it was read from, if it is none of ours.
    #[serde(skip)]
    pub file: Option<String>,
}

/// The load of a scenario.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadPlan {
    /// Same seed, same transactions.
    pub seed: u64,
    /// Writer sessions.
    pub sessions: u16,
    /// All sessions together.
    pub transactions_per_second: u32,
    /// How long the held-open transactions stay open.
    pub held_transaction_seconds: f64,
    /// Committed changes before the runbook begins.
    pub changes_before: u64,
    /// Committed changes after it.
    pub changes_after: u64,
    /// Log written before the stream begins, in MiB: a server in production has written far more than a new
    /// one, and where the new server's log stands against the old offset decides what happens.
    pub log_before_mib: u32,
    /// Rows that a bulk job of somebody else inserts in one transaction right before the runbook begins.
    pub bulk_rows: u32,
    /// Before `changes_after` are counted: go on until the new log has passed the old offset, at most so long.
    pub pass_offset_seconds: Option<f64>,
    /// Bulk loads by COPY among the transactions.
    pub copies: Option<Copies>,
}

impl Default for LoadPlan {
    /// A small load: enough for every shape of transaction, held-open ones included, on both sides of the switch.
    fn default() -> LoadPlan {
        LoadPlan {
            seed: 1,
            sessions: 4,
            transactions_per_second: 300,
            held_transaction_seconds: 1.0,
            changes_before: 2500,
            changes_after: 2000,
            log_before_mib: 0,
            bulk_rows: 0,
            pass_offset_seconds: None,
            copies: None,
        }
    }
}

/// The upgrade of a scenario.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpgradePlan {
    /// The kind as the matrix shows it, e.g. `pg-upgrade-16-18`.
    pub kind: String,
    /// Runbook by name (`cutover_upgrade::strategies::ALL`).
    pub runbook: String,
    /// The driver is dropped at every step, and another goes on in its place (I16).
    #[serde(default)]
    pub broken_off: bool,
    /// The driver is dropped at every step before the point of no return, and another takes the plan back; then
    /// the plan is driven to its end (I16).
    #[serde(default)]
    pub aborted: bool,
    /// Runbook of the way back, driven after the new server has been written to.
    #[serde(default)]
    pub back: Option<String>,
    /// When the worker dies, in a runbook in which it does.
    #[serde(default)]
    pub worker_dies: Moment,
    /// Whether it is killed or stopped in order.
    #[serde(default)]
    pub worker_is: Ending,
    /// The step of a proven runbook whose proof fails. What was done before it is taken back, and the stream has to be
    /// whole all the same.
    #[serde(default)]
    pub stops_at: Option<String>,
    /// How long the switch waits for transactions that have written.
    #[serde(default)]
    pub writers_deadline_seconds: Option<f64>,
    /// After the fence: plan how to close the gap, close it, and close it again, which must change nothing.
    #[serde(default)]
    pub close_gap: bool,
    /// Then let the connector read again, by signals, the keys that no record can put right.
    #[serde(default)]
    pub reread: bool,
}

/// What must come out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Verdict.
    pub verdict: Verdict,
    /// At least this proof level.
    pub proof_level: ProofLevel,
    /// Kinds of findings that must occur.
    #[serde(default)]
    pub findings: Vec<FindingKind>,
    /// Kinds that may follow from them.
    #[serde(default)]
    pub consequences: Vec<FindingKind>,
    /// What the runbook loses and why, in one sentence.
    #[serde(default)]
    pub lesson: Option<String>,
}

/// Finds a scenario by name, or reads it from a path (anything with a `/` or ending in `.toml`).
pub fn find(name: &str) -> Result<Scenario, RehearseError> {
    if name.contains('/') || name.ends_with(".toml") {
        let text = std::fs::read_to_string(Path::new(name)).map_err(|source| {
            RehearseError::ScenarioFile {
                path: name.into(),
                source,
            }
        })?;
        let file = Some(name.to_owned());
        return parse(name, &text).map(|scenario| Scenario { file, ..scenario });
    }
    match ALL.iter().find(|shipped| shipped.name == name) {
        Some(shipped) => parse(shipped.name, shipped.text),
        None => Err(RehearseError::UnknownScenario {
            name: name.into(),
            known: ALL.iter().map(|shipped| shipped.name.to_owned()).collect(),
            nearest: nearest(name, ALL.iter().map(|shipped| shipped.name)),
        }),
    }
}

/// The scenarios of the main job.
pub fn main_job() -> Result<Vec<Scenario>, RehearseError> {
    MAIN_JOB.into_iter().map(find).collect()
}

impl Scenario {
    /// The plan, before any server exists.
    pub fn plan(&self) -> Option<Plan> {
        let strategy = cutover_upgrade::strategies::by_name(&self.upgrade.runbook);
        strategy.map(|strategy| strategy.outline(&self.stack.postgres_new))
    }

    /// The runbook as people read it, before any server exists.
    pub fn runbook(&self) -> Runbook {
        let plan = self.plan();
        // `parse` has refused unknown runbooks; an empty one can only mean that this check was removed.
        plan.map_or_else(
            || Runbook {
                name: self.upgrade.runbook.clone(),
                title: String::new(),
                class: RunbookClass::Baseline,
                steps: Vec::new(),
            },
            |plan| plan.runbook(),
        )
    }
}

/// Reads a scenario from text; `origin` is its file or name, for the message.
pub fn parse(origin: &str, text: &str) -> Result<Scenario, RehearseError> {
    let scenario: Scenario = toml::from_str(text).map_err(|error| {
        let mut reason = error.to_string().trim_end().to_owned();
        if let Some(suggestion) = suggestion(error.message()) {
            reason.push_str(&suggestion);
        }
        RehearseError::Scenario {
            origin: origin.into(),
            reason,
        }
    })?;
    check(&scenario).map_err(|reason| RehearseError::Scenario {
        origin: origin.into(),
        reason,
    })?;
    Ok(scenario)
}

fn check(scenario: &Scenario) -> Result<(), String> {
    let load = &scenario.load;
    match scenario.expect.verdict {
        Verdict::Unknown => {
            return Err("expect.verdict must be pass or fail: unknown proves nothing".into());
        }
        Verdict::Fail if scenario.expect.findings.is_empty() => {
            return Err("expect.findings must name what an expected failure consists of".into());
        }
        _ => {}
    }
    if load.sessions == 0 || load.sessions > 64 {
        return Err("load.sessions must be 1 to 64".into());
    }
    if load.transactions_per_second == 0 {
        return Err("load.transactions_per_second must be at least 1".into());
    }
    if load.log_before_mib > 1024 {
        return Err("load.log_before_mib must be at most 1024".into());
    }
    if load.bulk_rows > 2_000_000 {
        return Err("load.bulk_rows must be at most 2000000".into());
    }
    if !(0.0..=600.0).contains(&load.held_transaction_seconds) {
        return Err("load.held_transaction_seconds must be 0 to 600".into());
    }
    let debezium = &scenario.stack.debezium;
    if let Some(reason) = scenario.connector.contradiction(debezium) {
        return Err(reason);
    }
    if scenario.upgrade.aborted && scenario.upgrade.broken_off {
        return Err(
            "upgrade.aborted and upgrade.broken_off are two ways to lose drivers: choose one"
                .into(),
        );
    }
    if scenario.upgrade.reread && !scenario.upgrade.close_gap {
        return Err("upgrade.reread is for a gap that is closed: set upgrade.close_gap".into());
    }
    let runbook = &scenario.upgrade.runbook;
    if runbook.starts_with("worker-crash") && scenario.connector.converter == Converter::Avro {
        let what = "connector.converter must be json for a worker that dies: records are looked at while it runs";
        return Err(what.into());
    }
    if cutover_upgrade::strategies::by_name(runbook).is_none() {
        let known = cutover_upgrade::strategies::ALL
            .iter()
            .map(|known| known.name);
        let hint = nearest(runbook, known)
            .map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
        return Err(format!("upgrade.runbook '{runbook}' is not known{hint}"));
    }
    moments(scenario)?;
    let (from, to) = (&scenario.stack.postgres_old, &scenario.stack.postgres_new);
    for name in [Some(runbook), scenario.upgrade.back.as_ref()]
        .into_iter()
        .flatten()
    {
        match cutover_upgrade::strategies::by_name(name) {
            // The way back is driven from the new server on; what versions allow was settled on the way there.
            Some(strategy) if name == runbook => strategy.suits(from, to)?,
            Some(_) => {}
            None => return Err(format!("upgrade.back '{name}' is not known")),
        }
    }
    Ok(())
}

/// Every step that the scenario names is one of its runbook.
fn moments(scenario: &Scenario) -> Result<(), String> {
    let plan = scenario.plan();
    let known: Vec<&str> = plan
        .iter()
        .flat_map(|plan| &plan.steps)
        .map(|step| step.name())
        .collect();
    let troubles = scenario
        .trouble
        .iter()
        .map(|trouble| trouble.after.as_str());
    let named = troubles.map(|step| ("trouble.after", step));
    let stops = scenario
        .upgrade
        .stops_at
        .iter()
        .map(|step| ("upgrade.stops_at", step.as_str()));
    for (key, step) in named.chain(stops) {
        if !known.contains(&step) {
            let hint = nearest(step, known.iter().copied())
                .map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
            return Err(format!("{key} '{step}' is no step of the runbook{hint}"));
        }
    }
    let seconds = scenario.upgrade.writers_deadline_seconds;
    if seconds.is_some_and(|seconds| !(0.0..=600.0).contains(&seconds)) {
        return Err("upgrade.writers_deadline_seconds must be 0 to 600".into());
    }
    Ok(())
}

/// serde says "unknown field `x`, expected one of `a`, `b`"; this adds the nearest of them.
fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message
        .strip_prefix("unknown field ")?
        .split('`')
        .skip(1)
        .step_by(2);
    let wrong = quoted.next()?;
    nearest(wrong, quoted).map(|name| format!("\ndid you mean '{name}'?"))
}

/// The known word that is most like a wrong one.
pub(crate) fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let scored = known.map(|name| (strsim::jaro_winkler(wrong, name), name));
    let best = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best.0 > 0.75).then(|| best.1.to_owned())
}

#[cfg(test)]
mod tests;
