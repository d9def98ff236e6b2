//! `cutover lint`: a connector's configuration against a version of Debezium, and translated to another one.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_model::{ExitCode, Failure, Severity};
use cutover_report::lint::{lint, lint_json};
use cutover_upgrade::predict::DebeziumVersion;
use serde_json::{Map, Value};

use super::{Settings, predict};
use crate::output::Outcome;

/// Lints; ends with 3 when the version would refuse the configuration or read it otherwise than it says.
pub fn run(file: &Path, version: &str, to: Option<&str>, settings: Settings) -> Outcome {
    let parsed = version.parse::<DebeziumVersion>();
    let target = to.map(str::parse::<DebeziumVersion>).transpose();
    let (version, to) = match (parsed, target) {
        (Ok(version), Ok(to)) => (version, to),
        (Err(error), _) | (_, Err(error)) => return error.into(),
    };
    let config = match predict::read(file).and_then(|text| config(&text)) {
        Ok(config) => config,
        Err(failure) => return Outcome::Failed(failure),
    };
    let report = cutover_upgrade::lint::report(&config, version, to);
    let exit = match report.worst() {
        Some(Severity::Error) => ExitCode::Refused,
        _ => ExitCode::Pass,
    };
    if !settings.json {
        return Outcome::Done(lint(&report, settings.result_look()), exit);
    }
    match lint_json(&report) {
        Ok(text) => Outcome::Done(text, exit),
        Err(error) => error.into(),
    }
}

/// The options as Connect's REST interface takes them: an object, or one inside `config` beside a name.
fn config(text: &str) -> Result<BTreeMap<String, String>, Failure> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        let at = format!("line {} column {}", error.line(), error.column());
        bad(format!("the configuration is no JSON ({at})"))
    })?;
    let outer: &Map<String, Value> = value
        .as_object()
        .ok_or_else(|| bad("the configuration is no JSON object".into()))?;
    let inner = outer
        .get("config")
        .and_then(Value::as_object)
        .unwrap_or(outer);
    let options = inner.iter().map(|(name, value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok((name.clone(), value.to_string())),
        // The value may be a secret, so only the name is said.
        _ => Err(bad(format!("option '{name}' is no text"))),
    });
    options.collect()
}

fn bad(message: String) -> Failure {
    Failure::new(
        ExitCode::Usage,
        "CLI-LINT-001",
        message,
        "give the JSON that Connect takes: {\"name\": …, \"config\": {…}} or the options alone",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_connect_are_read() {
        let inner = r#"{"name": "a", "config": {"topic.prefix": "p", "tasks.max": 1}}"#;
        let plain = r#"{"topic.prefix": "p", "tasks.max": "1"}"#;
        assert_eq!(config(inner).unwrap(), config(plain).unwrap());
    }

    #[test]
    fn what_is_no_configuration_is_refused_without_its_values() {
        for text in ["[]", "hunter2", r#"{"database.password": ["hunter2"]}"#] {
            let failure = config(text).unwrap_err();
            assert!(!failure.message.contains("hunter2"), "{}", failure.message);
        }
    }
}
