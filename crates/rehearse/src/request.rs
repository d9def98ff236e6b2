//! Connector configurations that are shipped as they are (`connectors/*.json`): the body of a POST to Connect,
//! with placeholders for address and credentials and nothing else left open. A rehearsal deploys one unchanged,
//! so what it proves is proven of the file that a user can read and deploy.
//!
//! They were written for Debezium 2.4. Later versions have dropped some of their options: the names of the
//! tombstone options in 3.2, `snapshot.mode=never` in 3.3; so a scenario with one of them asks for a version that
//! still knows them.

use cutover_clients::pg::PgAddress;
use cutover_model::Relation;
use cutover_upgrade::Stream;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::connector::{DebeziumVersion, tcp_host};
use crate::error::RehearseError;

/// A shipped configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// First deployment: snapshot, and the connector looks after its publication.
    RequestA,
    /// After a restore: no snapshot, and the publication is there already.
    RequestB,
}

/// Every shipped configuration: name of the file without its ending, and text.
pub const ALL: &[(Request, &str, &str)] = &[
    (
        Request::RequestA,
        "request-a",
        include_str!("../../../connectors/request-a.json"),
    ),
    (
        Request::RequestB,
        "request-b",
        include_str!("../../../connectors/request-b.json"),
    ),
];

/// The first version that does not know the options of these files any more.
const OUTDATED_BY: DebeziumVersion = DebeziumVersion::new(3, 2);

/// The file, parsed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    name: String,
    config: Map<String, Value>,
}

impl Request {
    fn body(self) -> Result<Body, RehearseError> {
        let found = ALL.iter().find(|(request, _, _)| *request == self);
        let (_, name, text) = found.ok_or_else(|| {
            RehearseError::Load(format!("{self:?} is not among the shipped configurations"))
        })?;
        serde_json::from_str(text).map_err(|error| RehearseError::Scenario {
            origin: format!("connectors/{name}.json"),
            reason: error.to_string(),
        })
    }

    /// Why a version cannot be asked to run it; `None` if it can.
    pub fn outdated(self, debezium: DebeziumVersion) -> Option<String> {
        (debezium >= OUTDATED_BY).then(|| {
            "connector.config names options that Debezium has dropped in 3.2; use an older stack.debezium".to_owned()
        })
    }

    /// The configuration with address and credentials filled in.
    pub fn config(self, address: &PgAddress) -> Result<Map<String, Value>, RehearseError> {
        let mut config = self.body()?.config;
        for value in config.values_mut() {
            let filled = match value.as_str() {
                Some("${DATABASE_HOST}") => tcp_host(address),
                Some("${DATABASE_PORT}") => address.port.to_string(),
                Some("${DATABASE_USER}") => address.user.clone(),
                Some("${DATABASE_PASSWORD}") => address.password.reveal().to_owned(),
                _ => continue,
            };
            *value = filled.into();
        }
        Ok(config)
    }

    /// Options that this file has otherwise than another one of the same connector.
    pub fn beside(self, other: Request) -> Result<Vec<(String, String)>, RehearseError> {
        let (mine, others) = (self.body()?.config, other.body()?.config);
        if let Some(left_out) = others.keys().find(|option| !mine.contains_key(*option)) {
            let reason = format!("{self:?} leaves out {left_out}, which {other:?} has");
            return Err(RehearseError::Load(reason));
        }
        let differs = |(option, value): &(String, Value)| others.get(option) != Some(value);
        let text = |(option, value): (String, Value)| {
            let text = value.as_str().map(str::to_owned);
            (option, text.unwrap_or_else(|| value.to_string()))
        };
        Ok(mine.into_iter().filter(differs).map(text).collect())
    }

    /// The stream's names as the file has them; what it does not name stays as in `other`.
    pub fn stream(self, other: Stream) -> Result<Stream, RehearseError> {
        let Body { name, config } = self.body()?;
        let text = |key: &str| {
            let found = config.get(key).and_then(Value::as_str).map(str::to_owned);
            found.ok_or_else(|| RehearseError::Load(format!("{self:?} has no {key}")))
        };
        let mut tables: Vec<Relation> = text("table.include.list")?
            .split(',')
            .filter_map(|table| table.trim().split_once('.'))
            .map(|(schema, table)| Relation::new(schema, table))
            .collect();
        tables.sort();
        Ok(Stream {
            connector: name,
            topic_prefix: text("topic.prefix")?,
            slot: text("slot.name")?,
            publication: text("publication.name")?,
            tables,
            ..other
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutover_clients::pg::PgHost;
    use cutover_clients::secret::Secret;

    fn address() -> PgAddress {
        PgAddress {
            host: PgHost::Tcp("127.0.0.1".into()),
            port: 5432,
            user: "u".into(),
            password: Secret::new("p".to_owned()),
            database: crate::servers::DATABASE.into(),
            tls: Default::default(),
        }
    }

    #[test]
    fn every_file_of_the_folder_is_shipped() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../connectors");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let names: Vec<String> = ALL
            .iter()
            .map(|(_, name, _)| format!("{name}.json"))
            .collect();
        assert_eq!(names, files);
    }

    #[test]
    fn nothing_is_left_open_and_no_secret_is_shipped() {
        for (request, name, text) in ALL {
            assert!(text.contains("\"${DATABASE_PASSWORD}\""), "{name}");
            let config = request.config(&address()).unwrap();
            let open = config
                .values()
                .filter(|value| value.as_str().is_none_or(|text| text.contains("${")));
            assert_eq!(open.count(), 0, "{name}");
            assert_eq!(config["database.dbname"], crate::servers::DATABASE);
            assert_eq!(config["database.port"], "5432");
        }
    }

    #[test]
    fn the_stream_has_the_names_of_the_file() {
        let stream = Request::RequestB.stream(crate::scene::stream("x")).unwrap();
        assert_eq!(stream.connector, "postgres-cdc-connector");
        assert_eq!(stream.topic_prefix, "cdc");
        let tables: Vec<String> = stream.tables.iter().map(ToString::to_string).collect();
        assert_eq!(tables, ["public.customers", "public.orders"]);
    }

    #[test]
    fn the_second_file_differs_from_the_first_in_what_a_restore_asks_for() {
        let differ = Request::RequestB.beside(Request::RequestA).unwrap();
        let expected = [
            ("publication.autocreate.mode", "disabled"),
            ("snapshot.mode", "never"),
        ];
        assert_eq!(
            differ,
            expected.map(|(option, value)| (option.into(), value.into()))
        );
    }
}
