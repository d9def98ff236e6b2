//! `cutover doctor`: what a running system suffers from. Looks only.

use std::sync::Arc;

use cutover_clients::kafka::Kafka;
use cutover_model::ExitCode;
use cutover_report::doctor::{doctor, doctor_json};
use cutover_upgrade::doctor::{Patient, report};

use super::Settings;
use crate::args::OneConnector;
use crate::config;
use crate::output::Outcome;

/// Examines.
pub async fn run(one: &OneConnector, settings: Settings) -> Outcome {
    let systems = match config::load(&one.systems.said(one.name.as_deref())) {
        Ok(systems) => systems,
        Err(failure) => return Outcome::Failed(failure),
    };
    let kafka = match systems.kafka.as_ref().map(Kafka::at).transpose() {
        Ok(kafka) => kafka.map(Arc::new),
        Err(error) => return error.into(),
    };
    let patient = Patient {
        connect: systems.connect.as_ref(),
        connector: systems.connector.as_deref(),
        postgres: systems.postgres.as_ref(),
        kafka,
        registry: systems.registry.as_ref(),
    };
    let told = report(&patient.examine().await);
    let exit = ExitCode::numbered(told.exit_code).unwrap_or(ExitCode::Internal);
    if !settings.json {
        return Outcome::Done(doctor(&told, settings.result_look()), exit);
    }
    match doctor_json(&told) {
        Ok(text) => Outcome::Done(text, exit),
        Err(error) => error.into(),
    }
}
