//! `cutover config`: which systems a command would work with, and who said so. Sends nothing anywhere.

use cutover_report::configuration::{configuration, configuration_json};
use serde_json::json;

use super::Settings;
use crate::args::ConfigAction;
use crate::config::{self, keys};
use crate::output::Outcome;

/// Shows the configuration, or its keys.
pub fn run(action: ConfigAction, settings: Settings) -> Outcome {
    // `redacted` changes nothing: there is no other way to show a configuration.
    let ConfigAction::Show { systems, .. } = action else {
        return Outcome::text(listed(settings));
    };
    let report = match config::load(&systems.said(None)) {
        Ok(systems) => systems.report,
        Err(failure) => return Outcome::Failed(failure),
    };
    if !settings.json {
        return Outcome::text(configuration(&report, settings.result_look()));
    }
    match configuration_json(&report) {
        Ok(text) => Outcome::text(text),
        Err(error) => error.into(),
    }
}

fn listed(settings: Settings) -> String {
    if settings.json {
        let keys = keys::ALL.iter().map(
            |key| json!({ "key": key.name, "variables": key.variables(), "secret": key.secret }),
        );
        let keys: Vec<_> = keys.collect();
        return format!(
            "{:#}",
            json!({ "format": "cutover.config-keys/1", "keys": keys })
        );
    }
    let lines = keys::ALL.iter().map(|key| {
        let variables = key.variables().join(", ");
        let secret = if key.secret { "  (secret)" } else { "" };
        format!("{:24}  {variables}{secret}\n", key.name)
    });
    lines.collect()
}
