//! Which systems a command works with, and who said so. Made by the command line, shown by `report`.
//!
//! The rule it protects: a value that is secret is not in these types, only that there is one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Format name.
pub const CONFIGURATION_FORMAT: &str = "cutover.config/1";

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OriginKind {
    /// Nobody said it.
    Default,
    /// A connector's JSON.
    ConnectorFile,
    /// A Java client's properties.
    Properties,
    /// A section of libpq's service file.
    ServiceFile,
    /// libpq's password file.
    PasswordFile,
    /// `cutover.toml`.
    File,
    /// A variable.
    Environment,
    /// An argument.
    Flag,
}

impl fmt::Display for OriginKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OriginKind::Default => "default",
            OriginKind::ConnectorFile => "connector-file",
            OriginKind::Properties => "properties",
            OriginKind::ServiceFile => "service-file",
            OriginKind::PasswordFile => "password-file",
            OriginKind::File => "file",
            OriginKind::Environment => "environment",
            OriginKind::Flag => "flag",
        })
    }
}

/// Where a value comes from, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What kind of place.
    pub kind: OriginKind,
    /// Its name: a path, a variable, an argument; empty for a default.
    pub name: String,
}

/// One value as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownSetting {
    /// Its key, `section.name`.
    pub key: String,
    /// Its value; asterisks for a secret.
    pub value: String,
    /// It is a secret.
    pub secret: bool,
    /// Who said it.
    pub origin: Origin,
}

/// Something that was said and is not followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name there.
    pub key: String,
    /// Why it is not followed.
    pub why: String,
    /// Who said it.
    pub origin: Origin,
}

/// Every value of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationReport {
    /// [`CONFIGURATION_FORMAT`].
    pub format: String,
    /// The file, if there is one.
    pub file: Option<String>,
    /// Values, by key.
    pub settings: Vec<ShownSetting>,
    /// What is not followed.
    pub left_out: Vec<LeftOut>,
    /// What somebody should know.
    pub notes: Vec<String>,
}
