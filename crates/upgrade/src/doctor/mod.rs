//! What a running system suffers from: Connect, the connector, PostgreSQL and Kafka, looked at and never touched.
//!
//! Facts are read once ([`read`]), and pure functions turn them into findings, one file per subject; lint, preflight
//! and prediction add theirs. The rules it protects: nothing is changed and a role that may only look suffices; a part
//! that could not be looked at is listed, and then the system does not pass for healthy.

mod facts;
mod read;
mod server;
mod slots;
mod topics;
mod worker;

use cutover_model::doctor::{DOCTOR_FORMAT, Diagnosis, DoctorReport};
use cutover_model::lint::Severity;
use cutover_model::{ExitCode, PredictedOutcome};

pub use facts::{ConnectorFacts, DoctorFacts, KafkaFacts, ServerSide, WorkerFacts};
pub use read::{Examined, Patient};

use crate::lint;
use crate::predict::DebeziumVersion;
use crate::preflight::{self, NewSide, OldSide, PreflightFacts, Way};

/// Longer than this a prepared transaction is left over.
const PREPARED_SECONDS: f64 = 60.0;

/// Every finding, the worst first, then by code.
pub fn diagnose(facts: &DoctorFacts) -> Vec<Diagnosis> {
    let mut findings = worker::findings(facts);
    findings.extend(server::findings(facts));
    findings.extend(slots::findings(facts));
    findings.extend(topics::findings(facts));
    findings.extend(linted(facts));
    findings.extend(before_an_upgrade(facts));
    findings.extend(start(facts));
    findings.sort_by(|one, other| {
        (other.severity, &one.code, &one.subject).cmp(&(one.severity, &other.code, &other.subject))
    });
    findings
}

/// Facts and what could not be read, as a report.
pub fn report(examined: &Examined) -> DoctorReport {
    let findings = diagnose(&examined.facts);
    let worst = findings.iter().map(|finding| finding.severity).max();
    // Whoever could not be reached or did not let us in decides; an error that was found is worth more than a part
    // that nobody named.
    let exit = match (examined.exit, worst) {
        (Some(exit), _) => exit,
        (None, Some(Severity::Error)) => ExitCode::Refused,
        (None, _) if !examined.not_looked_at.is_empty() => ExitCode::Unknown,
        _ => ExitCode::Pass,
    };
    DoctorReport {
        format: DOCTOR_FORMAT.to_owned(),
        looked_at: examined.looked_at.clone(),
        not_looked_at: examined.not_looked_at.clone(),
        findings,
        prediction: examined.facts.prediction.clone(),
        exit_code: exit.number(),
    }
}

/// A finding of this crate's own.
fn found(
    code: &str,
    severity: Severity,
    subject: impl Into<String>,
    (evidence, remedy): (String, String),
) -> Diagnosis {
    Diagnosis {
        code: code.to_owned(),
        severity,
        subject: subject.into(),
        evidence,
        remedy,
    }
}

/// What lint says of the configuration.
fn linted(facts: &DoctorFacts) -> Vec<Diagnosis> {
    let Some(connector) = &facts.connector else {
        return Vec::new();
    };
    let Ok(version) = facts
        .debezium
        .as_deref()
        .unwrap_or_default()
        .parse::<DebeziumVersion>()
    else {
        return Vec::new();
    };
    let config = connector.options();
    let shapes: Option<Vec<_>> = facts.server.as_ref().map(|server| {
        server
            .tables
            .iter()
            .filter_map(|(_, shape)| shape.clone())
            .collect()
    });
    let subject = lint::Subject {
        config: &config,
        version,
        tables: shapes.as_deref(),
    };
    let lints = lint::lint(&subject).into_iter();
    lints
        .map(|lint| Diagnosis {
            code: lint.code,
            severity: lint.severity,
            subject: lint.option,
            evidence: lint.message,
            remedy: lint.remedy,
        })
        .collect()
}

/// What the preflight of an upgrade would say of slots and prepared transactions.
fn before_an_upgrade(facts: &DoctorFacts) -> Vec<Diagnosis> {
    let Some(server) = &facts.server else {
        return Vec::new();
    };
    let facts = PreflightFacts {
        way: Way::Copy,
        old: OldSide {
            prepared: server.prepared.clone(),
            settings: server.settings.clone(),
            ..OldSide::default()
        },
        new: NewSide::default(),
        writers_seconds: PREPARED_SECONDS,
    };
    let findings = preflight::preflight(&facts).into_iter();
    findings
        .filter(|finding| {
            finding.code.starts_with("PRE-SLOT") || finding.code.starts_with("PRE-PREPARED")
        })
        .map(|finding| Diagnosis {
            severity: match finding.severity {
                preflight::Severity::Refuses => Severity::Warning,
                preflight::Severity::Warns => Severity::Note,
            },
            code: finding.code,
            subject: "an upgrade".to_owned(),
            evidence: finding.evidence,
            remedy: finding.remedy,
        })
        .collect()
}

/// What the next start does. A connector that runs has that start still before it.
fn start(facts: &DoctorFacts) -> Option<Diagnosis> {
    let prediction = facts.prediction.as_ref()?;
    if prediction.outcome == PredictedOutcome::Resumes {
        return None;
    }
    let runs = facts
        .connector
        .as_ref()
        .is_some_and(|connector| connector.runs());
    let severity = if runs {
        Severity::Warning
    } else {
        Severity::Error
    };
    let outcome = prediction.outcome;
    let evidence = format!(
        "the next start {outcome}: {}",
        prediction.because.join("; ")
    );
    let remedy = match prediction.remedy.is_empty() {
        true => "see `cutover predict`".to_owned(),
        false => prediction.remedy.join("; then "),
    };
    Some(found(
        "CUT-DOC-060",
        severity,
        "the next start",
        (evidence, remedy),
    ))
}

#[cfg(test)]
mod tests;
