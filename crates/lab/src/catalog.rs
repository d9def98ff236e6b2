//! Which parts there are: one TOML file per component version in `catalog/`, embedded in the
//! binary.
//!
//! An entry holds coordinates for a package manager (never an address), what must run after
//! fetching, known repairs and known limits. To add a version: write the file, add a line to
//! [`ALL`]. A test compares the list with the folder.

mod source;

use std::fmt;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::error::LabError;

pub use source::{Repair, Source};

/// Every entry: path below `catalog/`, and text. In display order, oldest version first.
pub const ALL: &[(&str, &str)] = &[
    (
        "postgres/15.toml",
        include_str!("../../../catalog/postgres/15.toml"),
    ),
    (
        "postgres/16.2.toml",
        include_str!("../../../catalog/postgres/16.2.toml"),
    ),
    (
        "postgres/16.14.toml",
        include_str!("../../../catalog/postgres/16.14.toml"),
    ),
    (
        "postgres/17.9.toml",
        include_str!("../../../catalog/postgres/17.9.toml"),
    ),
    (
        "postgres/17.toml",
        include_str!("../../../catalog/postgres/17.toml"),
    ),
    (
        "postgres/18.4.toml",
        include_str!("../../../catalog/postgres/18.4.toml"),
    ),
    (
        "kafka/3.5.1.toml",
        include_str!("../../../catalog/kafka/3.5.1.toml"),
    ),
    (
        "kafka/4.3.1.toml",
        include_str!("../../../catalog/kafka/4.3.1.toml"),
    ),
    (
        "debezium/2.4.0.toml",
        include_str!("../../../catalog/debezium/2.4.0.toml"),
    ),
    (
        "debezium/2.5.0.toml",
        include_str!("../../../catalog/debezium/2.5.0.toml"),
    ),
    (
        "debezium/2.7.0.toml",
        include_str!("../../../catalog/debezium/2.7.0.toml"),
    ),
    (
        "debezium/3.0.0.toml",
        include_str!("../../../catalog/debezium/3.0.0.toml"),
    ),
    (
        "debezium/3.3.0.toml",
        include_str!("../../../catalog/debezium/3.3.0.toml"),
    ),
    (
        "debezium/3.4.0.toml",
        include_str!("../../../catalog/debezium/3.4.0.toml"),
    ),
    (
        "debezium/3.6.3.toml",
        include_str!("../../../catalog/debezium/3.6.3.toml"),
    ),
    (
        "debezium/3.7.0.toml",
        include_str!("../../../catalog/debezium/3.7.0.toml"),
    ),
    (
        "registry/3.3.3.toml",
        include_str!("../../../catalog/registry/3.3.3.toml"),
    ),
    (
        "converter/7.0.16.toml",
        include_str!("../../../catalog/converter/7.0.16.toml"),
    ),
    (
        "java/21.0.8.toml",
        include_str!("../../../catalog/java/21.0.8.toml"),
    ),
];

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Component {
    /// A PostgreSQL server with all its programs.
    Postgres,
    /// Kafka broker and Connect worker.
    Kafka,
    /// The Debezium plug-in folder.
    Debezium,
    /// A schema registry.
    Registry,
    /// The plug-in folder of a converter that writes for a registry.
    Converter,
    /// A Java runtime, for parts that need a newer one than the machine has.
    Java,
}

impl Component {
    /// All of them, in display order.
    pub const ALL: [Component; 6] = [
        Component::Postgres,
        Component::Kafka,
        Component::Debezium,
        Component::Registry,
        Component::Converter,
        Component::Java,
    ];
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Component::Postgres => "postgres",
            Component::Kafka => "kafka",
            Component::Debezium => "debezium",
            Component::Registry => "registry",
            Component::Converter => "converter",
            Component::Java => "java",
        })
    }
}

/// One component version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// What it is.
    pub component: Component,
    /// Its version, as users name it.
    pub version: String,
    /// One line for people.
    pub title: String,
    /// About how much is downloaded, for progress only.
    pub download_mib: u64,
    /// What users must know.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Where it comes from.
    pub source: Source,
    /// PostgreSQL only.
    pub postgres: Option<PostgresTree>,
    /// Kafka only.
    pub kafka: Option<KafkaTraits>,
    /// Debezium only.
    pub debezium: Option<DebeziumTraits>,
    /// Registries only.
    pub registry: Option<RegistryTraits>,
    /// Parts that run on Java themselves.
    pub java: Option<JavaMain>,
    /// Known repairs, in order.
    #[serde(default)]
    pub repairs: Vec<Repair>,
    /// Programs that must answer, beyond those of PostgreSQL's `bin`.
    #[serde(default)]
    pub checks: Vec<Check>,
    /// Files with known content.
    #[serde(default)]
    pub files: Vec<KnownFile>,
}

/// What is particular to PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresTree {
    /// Major version.
    pub major: u32,
    /// Folder below the part that holds `bin`.
    pub tree: String,
    /// What every program in `bin` must print when asked for its version.
    pub programs_print: String,
}

/// What is particular to a Kafka version: how its broker and its worker are set up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaTraits {
    /// Who keeps the cluster's metadata.
    pub metadata: Metadata,
    /// Which logging library its artefacts log through.
    pub logging: Logging,
    /// The worker can find plug-ins by their manifests (`plugin.discovery`, Kafka 3.6 and later).
    pub plugin_discovery: bool,
    /// The worker answers `GET /health` (Kafka 3.9 and later).
    pub health: bool,
    /// Jars that the worker does without, by the beginning of their names.
    #[serde(default)]
    pub worker_leaves_out: Vec<String>,
}

/// Who keeps the metadata of a Kafka cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metadata {
    /// The broker itself.
    Kraft,
    /// A ZooKeeper beside it.
    Zookeeper,
}

/// The logging library of a part that runs on Java; each has a format of its own for settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Logging {
    /// Log4j 2.
    Log4j2,
    /// Reload4j, which reads what Log4j 1 read.
    Reload4j,
}

/// What is particular to a Debezium version.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebeziumTraits {
    /// Its jars name their plug-ins in manifests (2.7 and later of those in the catalog), so that a
    /// worker need not look at every class to find them.
    pub manifests: bool,
}

/// What is particular to a registry.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegistryTraits {
    /// The jar that starts it, below the part.
    pub jar: String,
    /// Oldest Java that runs it.
    pub java: u32,
    /// Version of the part with a Java for it, where the machine has none that is new enough.
    pub java_part: String,
    /// Path of the interface that converters and clients of Confluent's registry use.
    pub path: String,
}

/// What is particular to a part that runs on Java.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JavaMain {
    /// Oldest Java that runs it.
    pub major: u32,
    /// Main class that answers `--version`.
    pub main: String,
    /// What it must print.
    pub prints: String,
    /// Whether class-data archives are made after fetching.
    #[serde(default)]
    pub archive: bool,
}

/// A program that must answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Path below the part.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// What it must print.
    pub prints: String,
}

/// A file with known content.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownFile {
    /// Path below the part.
    pub path: String,
    /// Its hash.
    pub sha256: String,
}

impl Part {
    /// `postgres-16.2`: folder name and name in messages.
    pub fn name(&self) -> String {
        format!("{}-{}", self.component, self.version)
    }

    /// Traits of a Kafka part; an error for any other.
    pub fn kafka_traits(&self) -> Result<&KafkaTraits, LabError> {
        self.kafka.as_ref().ok_or_else(|| LabError::Catalog {
            file: self.name(),
            reason: "it does not say what kind of Kafka it is".to_owned(),
        })
    }

    /// The same for people: `postgres 16.2`.
    pub fn label(&self) -> String {
        format!("{} {}", self.component, self.version)
    }
}

/// Every part, parsed once.
pub fn parts() -> Result<&'static [Part], LabError> {
    static PARTS: OnceLock<Result<Vec<Part>, (String, String)>> = OnceLock::new();
    let parsed = PARTS.get_or_init(|| {
        ALL.iter()
            .map(|(file, text)| {
                toml::from_str(text).map_err(|error| ((*file).to_owned(), error.to_string()))
            })
            .collect()
    });
    match parsed {
        Ok(parts) => Ok(parts),
        Err((file, reason)) => Err(LabError::Catalog {
            file: file.clone(),
            reason: reason.clone(),
        }),
    }
}

/// One part by version. A shortened version is fine as long as it names one part: `18` is 18.4
/// here.
pub fn find(component: Component, version: &str) -> Result<&'static Part, LabError> {
    let candidates: Vec<&Part> = parts()?
        .iter()
        .filter(|part| part.component == component)
        .collect();
    if let Some(exact) = candidates.iter().find(|part| part.version == version) {
        return Ok(exact);
    }
    let prefix = format!("{version}.");
    let mut shortened = candidates
        .iter()
        .filter(|part| part.version.starts_with(&prefix));
    if let (Some(only), None) = (shortened.next(), shortened.next()) {
        return Ok(only);
    }
    let known: Vec<&str> = candidates
        .iter()
        .map(|part| part.version.as_str())
        .collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::jaro_winkler(name, version), name))
        .filter(|(likeness, _)| *likeness > 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Err(LabError::UnknownPart {
        component: component.to_string(),
        version: version.to_owned(),
        hint: nearest
            .map(|(_, name)| format!("; did you mean {name}?"))
            .unwrap_or_default(),
        known: known.join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn list_holds_every_file_of_the_folder_and_no_other() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalog");
        let mut files = BTreeSet::new();
        for component in std::fs::read_dir(&root).unwrap().flatten() {
            for file in std::fs::read_dir(component.path()).unwrap().flatten() {
                let path = file.path();
                let below = path.strip_prefix(&root).unwrap();
                files.insert(below.to_str().unwrap().to_owned());
            }
        }
        let listed: BTreeSet<String> = ALL.iter().map(|(file, _)| (*file).to_owned()).collect();
        assert_eq!(listed, files);
    }

    #[test]
    fn every_entry_is_readable_and_sits_under_its_own_name() {
        for (part, (file, _)) in parts().unwrap().iter().zip(ALL) {
            assert_eq!(format!("{}/{}.toml", part.component, part.version), *file);
            assert_eq!(
                part.postgres.is_some(),
                part.component == Component::Postgres
            );
            assert_eq!(part.kafka.is_some(), part.component == Component::Kafka);
            assert_eq!(
                part.debezium.is_some(),
                part.component == Component::Debezium
            );
            assert_eq!(
                part.registry.is_some(),
                part.component == Component::Registry
            );
            assert!(part.download_mib > 0);
        }
    }

    #[test]
    fn known_hashes_are_whole() {
        for part in parts().unwrap() {
            let wheel = match &part.source {
                Source::Pip { sha256, .. } | Source::Jars { sha256, .. } => Some(sha256),
                _ => None,
            };
            for hash in part.files.iter().map(|file| &file.sha256).chain(wheel) {
                assert_eq!(hash.len(), 64, "{}", part.name());
                assert!(hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
            }
        }
    }

    #[test]
    fn shortened_version_names_a_part_only_when_it_is_unambiguous() {
        assert_eq!(find(Component::Postgres, "18").unwrap().version, "18.4");
        assert_eq!(find(Component::Postgres, "16.2").unwrap().version, "16.2");
        let error = find(Component::Postgres, "16").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("15, 16.2, 16.14, 17.9, 17, 18.4"),
            "{error}"
        );
    }

    #[test]
    fn unknown_version_is_answered_with_the_nearest_one() {
        let error = find(Component::Debezium, "3.7.1").unwrap_err().to_string();
        assert!(error.contains("did you mean 3.7.0?"), "{error}");
    }

    #[test]
    fn unknown_key_in_an_entry_is_an_error() {
        let text = ALL[0].1.replace("download_mib", "downlod_mib");
        assert!(toml::from_str::<Part>(&text).is_err());
    }
}
