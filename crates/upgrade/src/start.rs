//! Reads the facts of a connector's next start from Connect and PostgreSQL. Changes nothing, on neither side.
//!
//! Stands between the clients and `predict`: what is read here is what a file of facts holds, so a live case can be
//! written down and tried again on paper. What no running system knows (whose log the offset counts, how many events
//! are at stake) stays unknown.

use cutover_clients::connect::{Connect, ConnectError};
use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::publication::has_subscribed_tables;
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{PgAddress, connect_looking};
use serde_json::{Map, Value};

use crate::error::UpgradeError;
use crate::predict::{LiveFacts, PredictionFacts};

pub(crate) const CLASS: &str = "io.debezium.connector.postgresql.PostgresConnector";

/// A connector on a worker.
#[derive(Debug, Clone)]
pub struct Starting {
    /// Its worker.
    pub connect: Connect,
    /// Its name.
    pub connector: String,
    /// Its configuration.
    pub config: Map<String, Value>,
}

impl Starting {
    /// Finds the connector; without a name, the only one of Debezium's for PostgreSQL that the worker has.
    pub async fn find(connect: Connect, name: Option<&str>) -> Result<Starting, UpgradeError> {
        let connector = match name {
            Some(name) => name.to_owned(),
            None => only(&candidates(&connect).await?)?,
        };
        let config = connect.config(&connector).await?;
        let config = config.ok_or_else(|| ConnectError::NoConnector {
            connector: connector.clone(),
        })?;
        Ok(Starting {
            connect,
            connector,
            config,
        })
    }

    /// An option of the configuration.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }

    /// Reads the facts. `debezium` is the version, if the worker shall not be asked.
    pub async fn facts(
        &self,
        server: &PgAddress,
        debezium: Option<&str>,
    ) -> Result<PredictionFacts, UpgradeError> {
        let debezium = match debezium {
            Some(version) => version.to_owned(),
            None => self.version().await?,
        };
        let status = self.connect.status(&self.connector).await?;
        let running = status.is_some_and(|status| status.running());
        let client = connect_looking(server).await?;
        let name = self.option("slot.name").unwrap_or("debezium");
        // In this order: a connector that runs moves all three on, each behind the next.
        let slot = slot(&client, name).await?;
        let offset = self.connect.offsets(&self.connector).await?;
        let facts = server_facts(&client).await?;
        let publication = self.option("publication.name").unwrap_or("dbz_publication");
        let subscribed = has_subscribed_tables(&client, publication).await?;
        let mut facts = PredictionFacts::from_live(LiveFacts {
            server: &facts,
            slot: slot.as_ref(),
            offset: offset.as_ref(),
            config: &self.config,
            debezium: &debezium,
            offset_of: None,
            slot_is_read_by_us: running,
        })?;
        facts
            .options
            .entry("name".into())
            .or_insert_with(|| self.connector.clone());
        facts.server.subscribed = subscribed;
        Ok(facts)
    }

    /// Version of the plug-in that the worker has.
    pub async fn version(&self) -> Result<String, UpgradeError> {
        let class = self.option("connector.class").unwrap_or_default();
        if class != CLASS {
            return Err(UpgradeError::Refused(format!(
                "connector '{}' is of class '{class}', not Debezium's PostgreSQL connector",
                self.connector
            )));
        }
        let plugins = self.connect.plugins().await?;
        let mut versions: Vec<String> = plugins
            .into_iter()
            .filter(|plugin| plugin.class == CLASS)
            .map(|plugin| plugin.version)
            .collect();
        versions.sort();
        versions.dedup();
        match versions.as_slice() {
            [version] => Ok(version.clone()),
            other => Err(UpgradeError::Refused(format!(
                "the worker has {} versions of Debezium's PostgreSQL connector ({}); name the one that will run",
                other.len(),
                other.join(", ")
            ))),
        }
    }
}

/// Connectors of ours; all of them if none is, so that whoever asks hears what there is.
async fn candidates(connect: &Connect) -> Result<Vec<String>, UpgradeError> {
    let mut all = Vec::new();
    for name in connect.connectors().await? {
        let config = connect.config(&name).await?.unwrap_or_default();
        let class = config.get("connector.class").and_then(Value::as_str);
        all.push((name, class == Some(CLASS)));
    }
    Ok(ours(all))
}

/// Names, and whether each is one of ours.
fn ours(all: Vec<(String, bool)>) -> Vec<String> {
    let any = all.iter().any(|(_, ours)| *ours);
    let kept = all.into_iter().filter(|(_, ours)| *ours || !any);
    kept.map(|(name, _)| name).collect()
}

fn only(names: &[String]) -> Result<String, UpgradeError> {
    match names {
        [name] => Ok(name.clone()),
        [] => Err(UpgradeError::Refused("the worker has no connector".into())),
        several => Err(UpgradeError::Refused(format!(
            "the worker has several connectors ({}); name one",
            several.join(", ")
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connector_of_another_class_is_no_choice_beside_ours() {
        let of = |all: &[(&str, bool)]| {
            let all = all.iter().map(|(name, ours)| ((*name).to_owned(), *ours));
            only(&ours(all.collect())).map_err(|error| error.to_string())
        };
        assert_eq!(of(&[("sink", false), ("cdc", true)]).unwrap(), "cdc");
        assert!(
            of(&[("a", true), ("b", true), ("sink", false)])
                .is_err_and(|why| why.contains("(a, b)"))
        );
        assert_eq!(of(&[("sink", false)]).unwrap(), "sink");
    }

    #[test]
    fn a_connector_is_chosen_only_when_there_is_no_choice() {
        assert_eq!(only(&["a".into()]).unwrap(), "a");
        assert!(only(&[]).is_err());
        let error = only(&["a".into(), "b".into()]).unwrap_err();
        assert!(error.to_string().contains("a, b"));
    }
}
