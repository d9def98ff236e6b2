//! `cutover lab config`: the lab that stays, as a `cutover.toml`, so that the commands for running systems can be tried
//! on it. It names the password file of the lab's server and holds no secret.

use cutover_lab::services::connect::OFFSETS_TOPIC;
use cutover_lab::state::{self, LabStatus};
use cutover_lab::{Home, LabError};
use cutover_model::Failure;

use crate::output::Outcome;

/// Prints it.
pub fn show(home: &Home, role: &str) -> Outcome {
    match state::status(home) {
        Ok(Some(status)) if status.running => match text(&status, role) {
            Some(text) => Outcome::text(text),
            None => Outcome::Failed(no_lab(home)),
        },
        Ok(_) => Outcome::Failed(no_lab(home)),
        Err(error) => error.into(),
    }
}

/// `None` if a service is missing, as while the lab starts.
fn text(status: &LabStatus, role: &str) -> Option<String> {
    let services = &status.record.services;
    let service = |name: &str| services.iter().find(|one| one.name == name);
    let port = |name: &str| service(name)?.ports.first().copied();
    let server = "postgres-main";
    let passwords = service(server)?.folder.join("pgpass");
    // What TOML calls a basic string is what JSON calls one, for paths that a system can have.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let address = format!("postgresql://{role}@127.0.0.1:{}/testdb", port(server)?);
    Some(format!(
        "[postgres]\naddress = {}\npassfile = {}\n\n[kafka]\nbootstrap = \"127.0.0.1:{}\"\n\
         offsets_topic = \"{OFFSETS_TOPIC}\"\n\n[connect]\naddress = \"http://127.0.0.1:{}\"\n",
        quoted(&address),
        quoted(&passwords.to_string_lossy()),
        port("kafka")?,
        port("connect")?,
    ))
}

fn no_lab(home: &Home) -> Failure {
    Failure::of(&LabError::NoLab {
        path: home.state().to_owned(),
    })
}
