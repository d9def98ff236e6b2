//! Where a Kafka cluster is and how it wants to be spoken to.
//!
//! Settings are librdkafka's own names; [`super::properties`] makes them from a Java client's file. The rule it
//! protects: secrets among them are printed nowhere, and what this build of the library cannot do is said before
//! anybody connects.

use rdkafka::config::ClientConfig;

use super::KafkaError;
use crate::secret::Secret;

/// One cluster: bootstrap servers, and settings of its security.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaAddress {
    bootstrap: String,
    settings: Vec<(String, Secret)>,
    isolation: Isolation,
}

/// Which records of transactional producers a reader sees, by Kafka's own words (`isolation.level`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Those of committed transactions, up to the first one that is still open.
    #[default]
    ReadCommitted,
    /// All that was written, what was aborted too.
    ReadUncommitted,
}

impl Isolation {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Isolation::ReadCommitted => "read_committed",
            Isolation::ReadUncommitted => "read_uncommitted",
        }
    }
}

impl KafkaAddress {
    /// A cluster that asks for nothing.
    pub fn plain(bootstrap: &str) -> KafkaAddress {
        KafkaAddress {
            bootstrap: bootstrap.to_owned(),
            settings: Vec::new(),
            isolation: Isolation::default(),
        }
    }

    /// Read so from now on.
    #[must_use]
    pub fn reading(mut self, isolation: Isolation) -> KafkaAddress {
        self.isolation = isolation;
        self
    }

    /// How it is read.
    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// With settings by librdkafka's names.
    #[must_use]
    pub fn with(mut self, settings: Vec<(String, Secret)>) -> KafkaAddress {
        self.settings.extend(settings);
        self
    }

    /// Bootstrap servers.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(super) fn apply(&self, config: &mut ClientConfig) {
        for (name, value) in &self.settings {
            config.set(name, value.reveal());
        }
        config.set("bootstrap.servers", &self.bootstrap);
    }
}

/// Whether the library that this program was built with can do something: `ssl`, `sasl_plain`, `sasl_scram`, ….
///
/// # Errors
/// The library does not say.
pub(super) fn library_can(feature: &str) -> Result<bool, KafkaError> {
    let refused = |source| KafkaError::Config {
        source: Box::new(source),
    };
    let native = ClientConfig::new().create_native_config();
    let features = native.map_err(refused)?.get("builtin.features");
    let features = features.map_err(refused)?;
    Ok(features
        .trim_end_matches('\0')
        .split(',')
        .any(|one| one.trim() == feature))
}
