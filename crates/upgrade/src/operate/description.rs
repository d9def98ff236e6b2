//! A connector as people keep it in a file: `{"name": …, "config": {…}}` or the options alone, as Connect takes both.
//!
//! The rule it protects: no message quotes a value, because any of them may be a password.

use serde_json::{Map, Value};

use crate::error::UpgradeError;

/// A connector that is to be.
#[derive(Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name, if the file says it.
    pub name: Option<String>,
    /// Its options, each as text; `name` is not among them.
    pub config: Map<String, Value>,
}

/// Names of the options only: values may be secrets.
impl std::fmt::Debug for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let options: Vec<&String> = self.config.keys().collect();
        write!(f, "Description({:?}, {options:?})", self.name)
    }
}

impl Description {
    /// Reads either form.
    ///
    /// # Errors
    /// It is no JSON, no object, has options that are no text, or says two names.
    pub fn parse(text: &str) -> Result<Description, UpgradeError> {
        let bad = |reason: String| UpgradeError::Description(reason);
        let value: Value = serde_json::from_str(text).map_err(|error| {
            bad(format!(
                "no JSON (line {} column {})",
                error.line(),
                error.column()
            ))
        })?;
        let outer = value
            .as_object()
            .ok_or_else(|| bad("no JSON object".into()))?;
        let inner = match outer.get("config") {
            Some(Value::Object(inner)) => {
                if let Some(odd) = outer.keys().find(|key| {
                    !["name", "config", "initial_state", "tasks", "type"].contains(&key.as_str())
                }) {
                    return Err(bad(format!(
                        "'{odd}' stands beside 'config'; an option belongs into it"
                    )));
                }
                inner
            }
            Some(_) => return Err(bad("'config' is no object".into())),
            None => outer,
        };
        let mut config = Map::new();
        for (name, value) in inner {
            let value = match value {
                Value::String(text) => text.clone(),
                Value::Bool(_) | Value::Number(_) => value.to_string(),
                _ => return Err(bad(format!("option '{name}' is no text"))),
            };
            config.insert(name.clone(), value.into());
        }
        let inside = config.remove("name");
        let inside = inside.as_ref().and_then(Value::as_str).map(str::to_owned);
        let beside = match outer.get("config").and(outer.get("name")) {
            None => None,
            Some(Value::String(name)) => Some(name.clone()),
            Some(_) => return Err(bad("'name' is no text".into())),
        };
        if let (Some(one), Some(other)) = (&beside, &inside)
            && one != other
        {
            return Err(bad(format!("it says two names, '{one}' and '{other}'")));
        }
        Ok(Description {
            name: beside.or(inside),
            config,
        })
    }

    /// Fills `${NAME}` from variables, as the shipped files have it. References of the worker's config providers
    /// (`${file:…}`) have a colon, and stay as they are.
    ///
    /// # Errors
    /// A variable is not set, or is empty.
    pub fn fill(&mut self, variable: impl Fn(&str) -> Option<String>) -> Result<(), UpgradeError> {
        for (option, value) in &mut self.config {
            let Some(name) = value.as_str().and_then(placeholder) else {
                continue;
            };
            let known = variable(name).filter(|value| !value.is_empty());
            *value = known.map(Value::from).ok_or_else(|| {
                UpgradeError::Description(format!(
                    "option '{option}' is ${{{name}}}, and variable {name} is not set"
                ))
            })?;
        }
        Ok(())
    }

    /// An option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }
}

/// The name in `${NAME}`, if that is the whole value.
fn placeholder(value: &str) -> Option<&str> {
    let name = value.strip_prefix("${")?.strip_suffix('}')?;
    let plain = |one: u8| one.is_ascii_uppercase() || one.is_ascii_digit() || one == b'_';
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same_connector() {
        let beside =
            r#"{"name": "a", "config": {"topic.prefix": "p", "tasks.max": 1, "name": "a"}}"#;
        let alone = r#"{"name": "a", "topic.prefix": "p", "tasks.max": "1"}"#;
        let read = Description::parse(beside).unwrap();
        assert_eq!(read, Description::parse(alone).unwrap());
        assert_eq!(
            (read.name.as_deref(), read.option("tasks.max")),
            (Some("a"), Some("1"))
        );
        assert_eq!(read.config.len(), 2);
    }

    #[test]
    fn placeholders_are_filled_and_references_of_the_worker_stay() {
        let text = r#"{"database.user": "${USER_X}", "database.password": "${file:/x:pw}"}"#;
        let mut read = Description::parse(text).unwrap();
        let error = read.clone().fill(|_| None).unwrap_err().to_string();
        assert!(
            error.contains("database.user") && error.contains("USER_X"),
            "{error}"
        );
        read.fill(|name| Some(format!("of {name}"))).unwrap();
        assert_eq!(read.option("database.user"), Some("of USER_X"));
        assert_eq!(read.option("database.password"), Some("${file:/x:pw}"));
    }

    #[test]
    fn what_is_no_connector_is_refused_without_its_values() {
        for text in [
            "[]",
            "hunter2",
            r#"{"database.password": ["hunter2"]}"#,
            r#"{"name": "a", "config": {"name": "b"}}"#,
            r#"{"name": "a", "config": 1}"#,
            r#"{"name": 7, "config": {}}"#,
            r#"{"config": {}, "database.password": "hunter2"}"#,
        ] {
            let error = Description::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let shown = format!(
            "{:?}",
            Description::parse(r#"{"database.password": "hunter2"}"#)
        );
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
