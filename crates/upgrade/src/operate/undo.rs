//! Offsets from before a change, each in a file of its own.
//!
//! The rule it protects: the file is on disk before anything is changed, and it says what the change put in its place,
//! so that an undo can tell whether the connector has gone on since.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::UpgradeError;

/// Format name.
const UNDO_FORMAT: &str = "cutover.offset-undo/1";

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Undo {
    pub format: String,
    pub connector: String,
    /// The worker, without credentials.
    pub worker: String,
    /// When, UTC.
    pub time: String,
    pub partition: Value,
    /// `null`: there was none.
    pub before: Option<Map<String, Value>>,
    /// What was put in its place; `null`: it was removed.
    pub after: Option<Map<String, Value>>,
}

impl Undo {
    pub fn new(connector: &str, worker: String, partition: &Value) -> Undo {
        Undo {
            format: UNDO_FORMAT.to_owned(),
            connector: connector.to_owned(),
            worker,
            time: jiff::Timestamp::now().to_string(),
            partition: partition.clone(),
            before: None,
            after: None,
        }
    }

    /// Writes a new file in a folder, which is made if need be.
    pub fn save(&self, folder: &Path) -> Result<PathBuf, UpgradeError> {
        let path = folder.join(format!(
            "{}-{}.json",
            plain(&self.connector),
            plain(&self.time)
        ));
        let failed = |source| UpgradeError::UndoFile {
            what: "write",
            path: path.display().to_string(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(path)
    }

    pub fn read(path: &Path) -> Result<Undo, UpgradeError> {
        let failed = |source| UpgradeError::UndoFile {
            what: "read",
            path: path.display().to_string(),
            source,
        };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let undo: Undo = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
        if undo.format != UNDO_FORMAT {
            let reason = format!(
                "it has the format {}, and this program reads {UNDO_FORMAT}",
                undo.format
            );
            return Err(failed(std::io::Error::other(reason)));
        }
        Ok(undo)
    }

    /// The newest file of a connector.
    pub fn newest(folder: &Path, connector: &str) -> Result<PathBuf, UpgradeError> {
        let mut found: Vec<(String, PathBuf)> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|end| end == "json"))
            .filter_map(|path| Some((Undo::read(&path).ok()?, path)))
            .filter(|(undo, _)| undo.connector == connector)
            .map(|(undo, path)| (undo.time, path))
            .collect();
        found.sort();
        found.pop().map(|(_, path)| path).ok_or_else(|| {
            UpgradeError::Refused(format!(
                "{} holds no offset of connector {connector} from before a change",
                folder.display()
            ))
        })
    }
}

/// A name that is safe as a part of a file's name.
fn plain(name: &str) -> String {
    let safe = |one: char| {
        if one.is_ascii_alphanumeric() || one == '-' || one == '_' {
            one
        } else {
            '_'
        }
    };
    name.chars().map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_change_of_the_connector_is_found_and_other_files_are_not_in_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let write = |connector: &str, time: &str| {
            let mut undo = Undo::new(
                connector,
                "http://h".into(),
                &serde_json::json!({"server": "a"}),
            );
            undo.time = time.into();
            undo.save(folder.path()).unwrap()
        };
        write("a/b", "2026-01-01T00:00:00Z");
        let newest = write("a/b", "2026-01-02T00:00:00Z");
        write("other", "2026-01-03T00:00:00Z");
        std::fs::write(folder.path().join("torn.json"), "{").unwrap();
        assert_eq!(Undo::newest(folder.path(), "a/b").unwrap(), newest);
        assert!(Undo::newest(folder.path(), "absent").is_err());
        assert_eq!(Undo::read(&newest).unwrap().connector, "a/b");
        let again = Undo::read(&newest)
            .unwrap()
            .save(folder.path())
            .unwrap_err();
        assert!(again.to_string().contains("a_b-2026-01-02"), "{again}");
    }
}
