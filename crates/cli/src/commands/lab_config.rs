//! `cutover lab config`: the lab that stays, as a `cutover.toml`, so that the commands for running systems can be tried
//! on it; for programs the same values in one object. It names the password file of the lab's server and holds no
//! secret.

use cutover_lab::services::connect::OFFSETS_TOPIC;
use cutover_lab::state::{self, LabStatus};
use cutover_lab::{Home, LabError};
use cutover_model::Failure;

use super::Settings;
use crate::output::Outcome;

/// Prints it.
pub fn show(home: &Home, role: &str, settings: Settings) -> Outcome {
    match state::status(home) {
        Ok(Some(status)) if status.running => match Places::of(&status, role) {
            Some(places) if settings.json => Outcome::text(places.json()),
            Some(places) => Outcome::text(places.toml()),
            None => Outcome::Failed(no_lab(home)),
        },
        Ok(_) => Outcome::Failed(no_lab(home)),
        Err(error) => error.into(),
    }
}

/// Where everything is.
struct Places {
    postgres: String,
    passfile: String,
    kafka: String,
    connect: String,
}

impl Places {
    /// `None` if a service is missing, as while the lab starts.
    fn of(status: &LabStatus, role: &str) -> Option<Places> {
        let services = &status.record.services;
        let service = |name: &str| services.iter().find(|one| one.name == name);
        let port = |name: &str| service(name)?.ports.first().copied();
        let server = "postgres-main";
        let passwords = service(server)?.folder.join("pgpass");
        Some(Places {
            postgres: format!("postgresql://{role}@127.0.0.1:{}/testdb", port(server)?),
            passfile: passwords.to_string_lossy().into_owned(),
            kafka: format!("127.0.0.1:{}", port("kafka")?),
            connect: format!("http://127.0.0.1:{}", port("connect")?),
        })
    }

    fn toml(&self) -> String {
        // What TOML calls a basic string is what JSON calls one, for paths that a system can have.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            "[postgres]\naddress = {}\npassfile = {}\n\n[kafka]\nbootstrap = {}\n\
             offsets_topic = \"{OFFSETS_TOPIC}\"\n\n[connect]\naddress = {}\n",
            quoted(&self.postgres),
            quoted(&self.passfile),
            quoted(&self.kafka),
            quoted(&self.connect),
        )
    }

    fn json(&self) -> String {
        let object = serde_json::json!({
            "format": "cutover.lab-config/1",
            "postgres": { "address": self.postgres, "passfile": self.passfile },
            "kafka": { "bootstrap": self.kafka, "offsets_topic": OFFSETS_TOPIC },
            "connect": { "address": self.connect },
        });
        format!("{object:#}")
    }
}

fn no_lab(home: &Home) -> Failure {
    Failure::of(&LabError::NoLab {
        path: home.state().to_owned(),
    })
}
