//! The worker and the connector on it.

use cutover_model::connector::Health;
use cutover_model::doctor::Diagnosis;
use cutover_model::lint::Severity::{Error, Note, Warning};

use super::facts::{ConnectorFacts, DoctorFacts, WorkerFacts};
use super::found;
use crate::predict::DebeziumVersion;
use crate::predict::versions::known_range;
use crate::start::CLASS;

pub(super) fn findings(facts: &DoctorFacts) -> Vec<Diagnosis> {
    let mut all = Vec::new();
    if let Some(worker) = &facts.worker {
        all.extend(plugins(worker));
        all.extend(shared(worker));
        all.extend(network(worker));
    }
    if let (Some(name), Some(worker)) = (&facts.missing, &facts.worker) {
        let names: Vec<&str> = worker
            .readers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let others = if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        };
        let evidence = format!(
            "the worker has no connector of this name; connectors for PostgreSQL there: {others}"
        );
        let remedy = "cutover connector deploy FILE, or name the right one".to_owned();
        all.push(found(
            "CUT-DOC-003",
            Error,
            format!("connector {name}"),
            (evidence, remedy),
        ));
    }
    if let Some(connector) = &facts.connector {
        all.extend(state(connector));
        all.extend(references(connector));
    }
    all.extend(version(facts));
    all
}

fn plugins(worker: &WorkerFacts) -> Option<Diagnosis> {
    let versions: Vec<&str> = worker
        .plugins
        .iter()
        .filter(|plugin| plugin.class == CLASS)
        .map(|plugin| plugin.version.as_str())
        .collect();
    match versions.as_slice() {
        [_] => None,
        [] => {
            let evidence = format!(
                "of {} connector classes of {} none is {CLASS}",
                worker.plugins.len(),
                worker.address
            );
            let remedy =
                "unpack the connector's plug-in archive into a folder of the worker's plugin.path \
                and restart the worker"
                    .to_owned();
            Some(found(
                "CUT-DOC-001",
                Error,
                "the plug-in",
                (evidence, remedy),
            ))
        }
        several => {
            let evidence = format!("the worker has versions {}", several.join(", "));
            let remedy =
                "leave one of them in plugin.path and restart the worker: which one runs is not \
                said anywhere"
                    .to_owned();
            Some(found(
                "CUT-DOC-002",
                Warning,
                "the plug-in",
                (evidence, remedy),
            ))
        }
    }
}

fn version(facts: &DoctorFacts) -> Option<Diagnosis> {
    let version = facts.debezium.as_ref()?;
    if version.parse::<DebeziumVersion>().is_ok() {
        return None;
    }
    let evidence = format!(
        "the worker runs {version}; {} are known here",
        known_range()
    );
    let remedy =
        "rehearse with this version; neither lint nor prediction can be relied on".to_owned();
    Some(found(
        "CUT-DOC-004",
        Warning,
        "the plug-in",
        (evidence, remedy),
    ))
}

fn state(connector: &ConnectorFacts) -> Option<Diagnosis> {
    let name = &connector.state.name;
    let subject = format!("connector {name}");
    let shown = connector.state.state.as_deref().unwrap_or("nothing");
    let restart = || format!("mend the cause, then cutover connector restart {name}");
    let trace = |trace: &Option<String>| trace.clone().unwrap_or_else(|| "no trace".to_owned());
    match connector.state.health {
        Health::Failed => Some(found(
            "CUT-DOC-005",
            Error,
            subject,
            (trace(&connector.state.trace), restart()),
        )),
        Health::TaskFailed => {
            let task = connector
                .state
                .tasks
                .iter()
                .find(|task| task.state == "FAILED");
            let why = task.map_or_else(String::new, |task| {
                format!("task {}: {}", task.id, trace(&task.trace))
            });
            let evidence = format!("Connect shows {shown}, and {why}");
            Some(found("CUT-DOC-006", Error, subject, (evidence, restart())))
        }
        Health::Running => None,
        health => {
            let evidence = format!(
                "it is {health} (Connect shows {shown}, {} tasks): nothing is delivered, and its slot holds log back",
                connector.state.tasks.len()
            );
            Some(found(
                "CUT-DOC-007",
                Warning,
                subject,
                (
                    evidence,
                    format!("cutover connector resume {name}, when that is meant"),
                ),
            ))
        }
    }
}

/// Two readers of one slot take turns, and each delivers what the other does not.
fn shared(worker: &WorkerFacts) -> Vec<Diagnosis> {
    let mut slots: Vec<&str> = worker
        .readers
        .iter()
        .map(|(_, slot)| slot.as_str())
        .collect();
    slots.sort_unstable();
    slots.dedup();
    let names = |slot: &str| -> Vec<&str> {
        let same = worker.readers.iter().filter(|(_, other)| other == slot);
        same.map(|(name, _)| name.as_str()).collect()
    };
    let several = slots
        .into_iter()
        .map(|slot| (slot, names(slot)))
        .filter(|(_, names)| names.len() > 1);
    several
        .map(|(slot, names)| {
            let evidence = format!("connectors {} read it", names.join(" and "));
            let remedy = format!(
                "give each a slot of its own: cutover connector stop {}, then another slot.name",
                names[1]
            );
            found("CUT-DOC-008", Error, slot.to_owned(), (evidence, remedy))
        })
        .collect()
}

fn references(connector: &ConnectorFacts) -> Option<Diagnosis> {
    let options = connector.options();
    let names: Vec<&str> = options
        .iter()
        .filter(|(_, value)| value.contains("${"))
        .map(|(name, _)| name.as_str())
        .collect();
    if names.is_empty() {
        return None;
    }
    let evidence = format!(
        "{} are references of the worker's config providers: their values are not known here",
        names.join(", ")
    );
    let remedy =
        "none is needed; name PostgreSQL with --postgres where these options lead to it".to_owned();
    Some(found(
        "CUT-DOC-009",
        Note,
        format!("connector {}", connector.state.name),
        (evidence, remedy),
    ))
}

fn network(worker: &WorkerFacts) -> Option<Diagnosis> {
    let host = worker.address.strip_prefix("http://")?;
    let host = host.split(['/', ':']).next().unwrap_or_default();
    if host == "localhost" || host.starts_with("127.") || host.starts_with('[') {
        return None;
    }
    let evidence = format!(
        "{} is spoken to without encryption, and connectors' passwords travel that way",
        worker.address
    );
    let remedy = "reach it through a tunnel, or on the worker's own machine".to_owned();
    Some(found(
        "CUT-DOC-010",
        Warning,
        "the worker",
        (evidence, remedy),
    ))
}
