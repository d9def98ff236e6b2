//! What a driver must know to go on with a plan that another one began: everything that steps have seen, without
//! secrets. It is written into the journal with each result.
//!
//! Stands beside the journal. The rule it protects: a driver that is killed at any instant and one that goes on in
//! its place act alike, so whatever a later step needs is either here or asked of the world again.

use cutover_clients::secret::holds_secret;
use cutover_model::{Incarnation, Lsn, Prediction};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::cutover::{Cutover, Deployed, Gap, Seen};
use crate::error::UpgradeError;
use crate::facts::Facts;
use crate::hands::{Hands, Side};

/// The state of a cutover.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    primary: Side,
    reader: Side,
    has_new: bool,
    connector: String,
    options_on_new: Vec<(String, String)>,
    before: Option<Facts>,
    drained: Option<Lsn>,
    connector_config: Option<Map<String, Value>>,
    server_seconds: f64,
    point_in_time: Option<String>,
    autovacuum: Option<Option<String>>,
    writer_limit: Option<i32>,
    archive_fed: bool,
    last_write: Option<Lsn>,
    offset_of: Option<Incarnation>,
    subscribed: bool,
    #[serde(default)]
    refused: bool,
    #[serde(default)]
    slot_copied: bool,
    predictions: Vec<Prediction>,
    #[serde(default)]
    deployed: Option<Deployed>,
    #[serde(default)]
    has_side: bool,
    #[serde(default)]
    gap: Option<Gap>,
}

/// Whether the value of a connector's option is a secret, or an address with one in it.
pub(crate) fn is_secret(option: &str, value: &Value) -> bool {
    holds_secret(option, value.as_str().unwrap_or_default())
}

impl Saved {
    /// The state now.
    pub fn of(cutover: &Cutover) -> Saved {
        let seen = &cutover.seen;
        let config = seen.connector_config.clone().map(|mut config| {
            config.retain(|option, value| !is_secret(option, value));
            config
        });
        Saved {
            primary: cutover.primary,
            reader: cutover.reader,
            has_new: cutover.new.is_some(),
            connector: cutover.stream.connector.clone(),
            options_on_new: cutover.stream.options_on_new.clone(),
            before: seen.before.clone(),
            drained: seen.drained,
            connector_config: config,
            server_seconds: seen.server_seconds,
            point_in_time: seen.point_in_time.clone(),
            autovacuum: seen.autovacuum.clone(),
            writer_limit: seen.writer_limit,
            archive_fed: seen.archive_fed,
            last_write: seen.last_write,
            offset_of: seen.offset_of,
            subscribed: seen.subscribed,
            refused: seen.refused,
            slot_copied: seen.slot_copied,
            predictions: seen.predictions.clone(),
            deployed: seen.deployed.clone(),
            has_side: cutover.side.is_some(),
            gap: seen.gap,
        }
    }

    /// Puts the state into a cutover that knows names and the old address only. With `taking_back` a new server that is
    /// gone is one that was taken back already: whoever removed it could not say so any more.
    ///
    /// # Errors
    /// The new server is not there any more although the plan goes on, or Connect cannot be asked for the secrets of
    /// the configuration.
    pub async fn restore<H: Hands>(
        self,
        cutover: &mut Cutover,
        hands: &H,
        taking_back: bool,
    ) -> Result<(), UpgradeError> {
        cutover.new = hands.address(Side::New).filter(|_| self.has_new);
        let gone = self.has_new && cutover.new.is_none();
        if gone && !taking_back {
            return Err(UpgradeError::Refused(
                "the plan had made a new server, and it is not there any more".into(),
            ));
        }
        cutover.side = hands.address(Side::Beside).filter(|_| self.has_side);
        // A driver may have been killed when it had removed the side server and had not yet said so; a step that needs
        // one says so itself.
        if self.reader == Side::Beside && cutover.side.is_none() {
            return Err(UpgradeError::Refused(
                "the connector points to a side server that is not there any more".into(),
            ));
        }
        let kept = |side| match side {
            Side::New if gone => Side::Old,
            side => side,
        };
        cutover.primary = kept(self.primary);
        cutover.reader = kept(self.reader);
        // A worker that this plan has seen die may be down; nothing writes the configuration after that.
        let live = match &self.deployed {
            Some(_) => None,
            None => cutover.connect.config(&self.connector).await?,
        };
        let mut config = self.connector_config;
        if let (Some(config), Some(live)) = (&mut config, live) {
            let secrets = live
                .into_iter()
                .filter(|(option, value)| is_secret(option, value));
            config.extend(secrets);
        }
        cutover.stream.connector = self.connector;
        cutover.stream.options_on_new = self.options_on_new;
        cutover.seen = Seen {
            before: self.before,
            drained: self.drained,
            connector_config: config,
            server_seconds: self.server_seconds,
            point_in_time: self.point_in_time,
            autovacuum: self.autovacuum,
            writer_limit: self.writer_limit,
            archive_fed: self.archive_fed,
            last_write: self.last_write,
            proven: cutover.seen.proven,
            offset_of: self.offset_of,
            subscribed: self.subscribed,
            refused: self.refused,
            slot_copied: self.slot_copied,
            predictions: self.predictions,
            deployed: self.deployed,
            slot_lost: None,
            gap: self.gap,
            connector_refused: None,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::is_secret;
    use serde_json::Value;

    #[test]
    fn secrets_are_not_saved() {
        for option in [
            "database.password",
            "producer.override.sasl.jaas.config",
            "basic.auth.user.info",
            "registry.auth.client-secret",
            "ssl.key.password",
        ] {
            assert!(is_secret(option, &Value::Null), "{option}");
        }
        for option in ["database.hostname", "slot.name", "key.converter"] {
            assert!(!is_secret(option, &Value::from("a@b")), "{option}");
        }
        let registry = "value.converter.schema.registry.url";
        for (value, secret) in [
            ("http://one:1/a@b,http://two", false),
            ("http://one:1,http://user:pw@two:2/apis", true),
        ] {
            assert_eq!(is_secret(registry, &Value::from(value)), secret, "{value}");
        }
    }
}
