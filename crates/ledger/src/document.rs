//! The small files of a run folder: `evidence.json` and `run.toml`, replaced atomically, checked
//! for format before anything else is looked at (a newer file may have fields that this version
//! would call unknown).

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use cutover_model::evidence::EVIDENCE_FORMAT;
use cutover_model::run_folder::{RUN_FORMAT, RunManifest};
use cutover_model::{Evidence, RunFolder};
use serde::Serialize;

use crate::error::LedgerError;
use crate::format;
use crate::part::{publish, temporary};

/// Writes `ledger/evidence.json`.
pub fn write_evidence(run: &RunFolder, evidence: &Evidence) -> Result<(), LedgerError> {
    write_json(&run.evidence(), evidence)
}

/// Reads `ledger/evidence.json`.
pub fn read_evidence(run: &RunFolder) -> Result<Evidence, LedgerError> {
    let path = run.evidence();
    let text = read_text(&path)?
        .ok_or_else(|| LedgerError::incomplete(run.root(), "it has no ledger/evidence.json"))?;
    let value = json(&path, &text)?;
    let named = value.get("format").and_then(|format| format.as_str());
    format::check(&path, named, EVIDENCE_FORMAT)?;
    serde_json::from_value(value).map_err(|error| LedgerError::damaged(&path, error))
}

/// Writes `run.toml`.
pub fn write_manifest(run: &RunFolder, manifest: &RunManifest) -> Result<(), LedgerError> {
    let path = run.manifest();
    let text = toml::to_string(manifest).map_err(|error| LedgerError::damaged(&path, error))?;
    write_text(&path, &text)
}

/// Reads `run.toml`.
pub fn read_manifest(run: &RunFolder) -> Result<RunManifest, LedgerError> {
    let path = run.manifest();
    let text = read_text(&path)?
        .ok_or_else(|| LedgerError::incomplete(run.root(), "it has no run.toml"))?;
    let value: toml::Table = toml::from_str(&text).map_err(|error| LedgerError::NotOurs {
        path: path.clone(),
        reason: format!("it is no TOML: {}", one_line(&error)),
    })?;
    let named = value.get("format").and_then(|format| format.as_str());
    format::check(&path, named, RUN_FORMAT)?;
    value
        .try_into()
        .map_err(|error: toml::de::Error| LedgerError::damaged(&path, one_line(&error)))
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().replace('\n', " ")
}

/// The file's text; `None` if there is no such file.
pub(crate) fn read_text(path: &Path) -> Result<Option<String>, LedgerError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(LedgerError::NotOurs {
                path: path.to_owned(),
                reason: "it is no text".to_owned(),
            })
        }
        Err(error) => Err(LedgerError::io("read", path)(error)),
    }
}

/// Parses JSON. Text that is no JSON at all is not ours: we replace files whole, so ours are never
/// torn.
pub(crate) fn json(path: &Path, text: &str) -> Result<serde_json::Value, LedgerError> {
    serde_json::from_str(text).map_err(|error| LedgerError::NotOurs {
        path: path.to_owned(),
        reason: format!("it is no JSON: {error}"),
    })
}

/// Replaces a JSON file.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), LedgerError> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|error| LedgerError::damaged(path, error))?;
    text.push('\n');
    write_text(path, &text)
}

fn write_text(path: &Path, text: &str) -> Result<(), LedgerError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(LedgerError::io("create", folder))?;
    }
    let temporary = temporary(path);
    let mut file = File::create(&temporary).map_err(LedgerError::io("create", &temporary))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(LedgerError::io("write", &temporary))?;
    publish(path)
}
