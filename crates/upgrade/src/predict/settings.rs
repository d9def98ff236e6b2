//! What a connector's options mean to one version of Debezium: the same words do other things in other versions, or
//! nothing at all.
//!
//! Stands between the facts and the rules. The rule it protects: a value that this version does not know is either
//! said to be refused (Debezium validates it) or ignored (Debezium does not know the option), never interpreted.

use std::collections::BTreeMap;

use super::facts::nearest;
use super::versions::{self, Behaviour, DebeziumVersion, OnFailure, Seek};
use crate::error::UpgradeError;

/// `internal.` is part of the name: without it Debezium does not see the option.
pub(crate) const SEEK_OPTION: &str = "internal.slot.seek.to.known.offset.on.start";
/// From 3.4 on.
pub(crate) const STRATEGY_OPTION: &str = "offset.mismatch.strategy";
const CHECK_OPTION: &str = "internal.log.position.check.enable";
/// First release with a switch for the position check.
const CHECK_SWITCH: DebeziumVersion = DebeziumVersion(2, 6, 1);
/// First release with `flush.lsn.source`.
const FLUSH_SWITCH: DebeziumVersion = DebeziumVersion(2, 1, 0);

/// Values of `offset.mismatch.strategy`.
pub(crate) const STRATEGIES: [&str; 4] = [
    "no_validation",
    "trust_offset",
    "trust_slot",
    "trust_greater_lsn",
];

/// Whether the connector looks after its publication.
pub const AUTOCREATE_OPTION: &str = "publication.autocreate.mode";

/// Options that a start depends on, and names that remedies use. Nothing else is taken out of a live configuration, so
/// no password gets into facts.
pub(crate) const RELEVANT: [&str; 16] = [
    "name",
    "topic.prefix",
    "database.dbname",
    "slot.name",
    "plugin.name",
    "publication.name",
    AUTOCREATE_OPTION,
    "snapshot.mode",
    STRATEGY_OPTION,
    SEEK_OPTION,
    CHECK_OPTION,
    "lsn.flush.mode",
    "flush.lsn.source",
    "slot.stream.params",
    "slot.drop.on.stop",
    "event.processing.failure.handling.mode",
];

/// `snapshot.mode`, as far as versions agree on its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SnapshotMode {
    /// At each start.
    Always,
    /// When there is no offset.
    Initial,
    /// Never; called `never` before 2.6.
    NoData,
    /// Once, and no streaming.
    InitialOnly,
    /// When there is no offset, or none that the server still has.
    WhenNeeded,
}

/// What the options ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// When tables are read.
    pub snapshot: SnapshotMode,
    /// The strategy in force, where the version has one.
    pub strategy: Option<&'static str>,
    /// The slot is moved to the offset at a start.
    pub seeks: bool,
    /// A seek that the server refuses ends the task.
    pub seek_is_fatal: bool,
    /// The position check is in force.
    pub checks: bool,
    /// The JDBC driver confirms by itself what holds no captured change.
    pub driver_confirms: bool,
    /// `slot.stream.params` has `origin=none`: what a subscription applied is not sent.
    pub native_only: bool,
    /// Options that this version ignores, and other things worth saying.
    pub notes: Vec<String>,
}

/// What came of reading the options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// They mean this.
    Accepted(Settings),
    /// This version refuses the configuration.
    Rejected {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: Vec<&'static str>,
    },
}

struct Options<'a> {
    map: &'a BTreeMap<String, String>,
    version: DebeziumVersion,
    behaviour: &'static Behaviour,
    notes: Vec<String>,
}

/// Reads the options as this version does.
pub fn read(
    map: &BTreeMap<String, String>,
    version: DebeziumVersion,
    behaviour: &'static Behaviour,
) -> Result<Reading, UpgradeError> {
    let mut options = Options {
        map,
        version,
        behaviour,
        notes: Vec::new(),
    };
    let mode = options
        .word("snapshot.mode")
        .unwrap_or_else(|| "initial".into());
    if !behaviour.snapshot_modes.contains(&mode.as_str()) {
        return options.unknown_mode(mode);
    }
    let snapshot = snapshot_mode(&mode)?;
    let strategy = options.strategy()?;
    let seeks = options.seeks(strategy);
    let lenient = options.word("event.processing.failure.handling.mode");
    let lenient = lenient.is_some_and(|mode| mode != "fail");
    let checks = options.checks(strategy);
    let driver = options
        .word("lsn.flush.mode")
        .is_some_and(|mode| mode == "connector_and_driver");
    let params = options.word("slot.stream.params").unwrap_or_default();
    Ok(Reading::Accepted(Settings {
        snapshot,
        strategy,
        seeks,
        seek_is_fatal: behaviour.seek_failure == OnFailure::Fatal && !lenient,
        checks,
        driver_confirms: driver && behaviour.knows_strategies(),
        native_only: params.split(';').any(|pair| pair.trim() == "origin=none"),
        notes: options.notes,
    }))
}

fn snapshot_mode(mode: &str) -> Result<SnapshotMode, UpgradeError> {
    match mode {
        "always" => Ok(SnapshotMode::Always),
        "initial" => Ok(SnapshotMode::Initial),
        "never" | "no_data" => Ok(SnapshotMode::NoData),
        "initial_only" => Ok(SnapshotMode::InitialOnly),
        "when_needed" => Ok(SnapshotMode::WhenNeeded),
        other => Err(UpgradeError::Unpredictable(format!(
            "with snapshot.mode={other} the decision is made by options or code that the facts do not hold"
        ))),
    }
}

impl Options<'_> {
    /// Debezium trims values and ignores case.
    fn word(&self, option: &str) -> Option<String> {
        let value = self.map.get(option)?.trim().to_lowercase();
        (!value.is_empty()).then_some(value)
    }

    fn unknown_mode(&self, mode: String) -> Result<Reading, UpgradeError> {
        let every = || {
            versions::ALL
                .iter()
                .flat_map(|row| row.snapshot_modes.iter().copied())
        };
        if !every().any(|known| known == mode) {
            return Err(unknown("snapshot.mode", mode, every()));
        }
        Ok(Reading::Rejected {
            option: "snapshot.mode",
            value: mode,
            allowed: self.behaviour.snapshot_modes.to_vec(),
        })
    }

    fn strategy(&mut self) -> Result<Option<&'static str>, UpgradeError> {
        let given = self.word(STRATEGY_OPTION);
        if !self.behaviour.knows_strategies() {
            if given.is_some() {
                let text = format!(
                    "{STRATEGY_OPTION} came with 3.4; Debezium {} ignores it",
                    self.version
                );
                self.notes.push(text);
            }
            return Ok(None);
        }
        if let Some(value) = given {
            let found = STRATEGIES.iter().copied().find(|known| *known == value);
            return match found {
                Some(strategy) => Ok(Some(strategy)),
                None => Err(unknown(STRATEGY_OPTION, value, STRATEGIES.iter().copied())),
            };
        }
        let seek = self.word(SEEK_OPTION).is_some_and(|value| value == "true");
        Ok(Some(if seek {
            "trust_offset"
        } else {
            "no_validation"
        }))
    }

    fn seeks(&self, strategy: Option<&str>) -> bool {
        let wanted = match self.behaviour.seek {
            Seek::Never => false,
            Seek::Always => true,
            Seek::OptIn => self.word(SEEK_OPTION).is_some_and(|value| value == "true"),
            Seek::ByStrategy | Seek::ByStrategyWhenAhead => {
                matches!(strategy, Some("trust_offset" | "trust_greater_lsn"))
            }
        };
        wanted && self.flushes()
    }

    /// A connector that is told not to flush positions to the server does not move the slot either.
    fn flushes(&self) -> bool {
        if self.behaviour.knows_strategies()
            && let Some(mode) = self.word("lsn.flush.mode")
        {
            return mode != "manual";
        }
        let off = self
            .word("flush.lsn.source")
            .is_some_and(|value| value == "false");
        !(off && self.version >= FLUSH_SWITCH)
    }

    fn checks(&mut self, strategy: Option<&str>) -> bool {
        let off = self
            .word(CHECK_OPTION)
            .is_some_and(|value| value == "false");
        if off && self.version >= CHECK_SWITCH {
            self.notes.push(format!(
                "{CHECK_OPTION}=false: positions are not compared at the start"
            ));
            return false;
        }
        !matches!(strategy, Some("trust_slot" | "trust_greater_lsn"))
    }
}

fn unknown<'a>(option: &str, value: String, known: impl Iterator<Item = &'a str>) -> UpgradeError {
    let hint = nearest(&value, known);
    UpgradeError::OptionValue {
        option: option.to_owned(),
        hint: hint.map_or_else(String::new, |name| format!("; did you mean '{name}'?")),
        value,
    }
}
