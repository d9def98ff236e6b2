//! `cutover.toml` as a form: sections and keys that are known, and nothing else.

use serde::Deserialize;
use toml::Value;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    /// Version of this form; 1 where it is not said.
    pub version: Option<u32>,
    #[serde(default)]
    postgres: Postgres,
    #[serde(default)]
    kafka: Kafka,
    #[serde(default)]
    connect: Connect,
    #[serde(default)]
    registry: Registry,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Postgres {
    address: Option<Value>,
    service: Option<Value>,
    service_file: Option<Value>,
    host: Option<Value>,
    port: Option<Value>,
    user: Option<Value>,
    database: Option<Value>,
    password: Option<Value>,
    password_file: Option<Value>,
    passfile: Option<Value>,
    sslmode: Option<Value>,
    sslrootcert: Option<Value>,
    sslcert: Option<Value>,
    sslkey: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kafka {
    bootstrap: Option<Value>,
    properties: Option<Value>,
    offsets_topic: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Connect {
    address: Option<Value>,
    user: Option<Value>,
    password: Option<Value>,
    connector: Option<Value>,
    connector_file: Option<Value>,
    ca: Option<Value>,
    certificate: Option<Value>,
    key: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registry {
    address: Option<Value>,
    user: Option<Value>,
    password: Option<Value>,
    ca: Option<Value>,
    certificate: Option<Value>,
    key: Option<Value>,
}

impl File {
    /// Keys and values that are there. A value that is neither text nor a number is given back as `None`.
    pub fn values(self) -> Vec<(&'static str, Option<String>)> {
        let (postgres, kafka, connect) = (self.postgres, self.kafka, self.connect);
        let all = [
            ("postgres.address", postgres.address),
            ("postgres.service", postgres.service),
            ("postgres.service_file", postgres.service_file),
            ("postgres.host", postgres.host),
            ("postgres.port", postgres.port),
            ("postgres.user", postgres.user),
            ("postgres.database", postgres.database),
            ("postgres.password", postgres.password),
            ("postgres.password_file", postgres.password_file),
            ("postgres.passfile", postgres.passfile),
            ("postgres.sslmode", postgres.sslmode),
            ("postgres.sslrootcert", postgres.sslrootcert),
            ("postgres.sslcert", postgres.sslcert),
            ("postgres.sslkey", postgres.sslkey),
            ("kafka.bootstrap", kafka.bootstrap),
            ("kafka.properties", kafka.properties),
            ("kafka.offsets_topic", kafka.offsets_topic),
            ("connect.address", connect.address),
            ("connect.user", connect.user),
            ("connect.password", connect.password),
            ("connect.connector", connect.connector),
            ("connect.connector_file", connect.connector_file),
            ("connect.ca", connect.ca),
            ("connect.certificate", connect.certificate),
            ("connect.key", connect.key),
            ("registry.address", self.registry.address),
            ("registry.user", self.registry.user),
            ("registry.password", self.registry.password),
            ("registry.ca", self.registry.ca),
            ("registry.certificate", self.registry.certificate),
            ("registry.key", self.registry.key),
        ];
        let there = all
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        there.map(|(key, value)| (key, text(value))).collect()
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        _ => None,
    }
}
