//! The journal of a cutover: one JSON line before each change and one after it, on disk before the next act.
//!
//! On-disk form `journal.jsonl`: `{"format":"cutover.journal/1","time":…,"number":…,"step":…,"entry":…,"detail":…}`.
//! The rule it protects: whoever finds the machine after a crash can tell from this file alone what was done,
//! what was under way, and which positions were seen.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::UpgradeError;
use crate::saved::Saved;

/// Format name of every line.
pub const JOURNAL_FORMAT: &str = "cutover.journal/1";

/// What a line says about its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Entry {
    /// About to be applied.
    Intent,
    /// Found in place already; not applied again.
    AlreadyDone,
    /// Applied; the post-condition is not yet seen.
    Applied,
    /// The post-condition was seen.
    Proved,
    /// Failed.
    Failed,
    /// Taken back.
    Undone,
    /// Could not be taken back.
    UndoFailed,
}

impl Entry {
    /// Whether the plan is over: it failed, or is being taken back.
    pub fn ends_plan(self) -> bool {
        matches!(self, Entry::Failed | Entry::Undone | Entry::UndoFailed)
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JournalLine {
    /// [`JOURNAL_FORMAT`].
    pub format: String,
    /// UTC, ISO 8601.
    pub time: String,
    /// Number of the step in the runbook.
    pub number: u32,
    /// Name of the step.
    pub step: String,
    /// What happened.
    pub entry: Entry,
    /// Positions and evidence, one line.
    pub detail: String,
    /// What the driver knows from here on; with results only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Saved>,
}

/// Where a plan stands, by its journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// Number of the step that was under way last.
    pub number: u32,
    /// How far it came.
    pub entry: Entry,
    /// What its driver knew.
    pub state: Option<Saved>,
    /// The step at which the plan failed; it is taken back from there.
    pub failed: Option<u32>,
    /// Steps that are taken back.
    pub undone: Vec<u32>,
}

/// The standing of the newest plan in a journal; `None` if there is none. An entry that says that the plan failed or
/// was taken back counts like any other: whoever goes on must look at it.
pub fn standing(lines: &[JournalLine]) -> Option<Standing> {
    let first = |line: &JournalLine| line.number == 1 && line.entry == Entry::Intent;
    // A step that is applied once more after a break begins anew, the first one too: its plan is the same. One that was
    // taken back has ended.
    let broken = |place: usize| {
        lines
            .get(place.wrapping_sub(1))
            .is_some_and(|line| line.number == 1 && !line.entry.ends_plan())
    };
    let mut starts = (0..lines.len()).filter(|place| first(&lines[*place]) && !broken(*place));
    let plan = &lines[starts.next_back().unwrap_or(0)..];
    let last = plan.last()?;
    let state = plan.iter().rev().find_map(|line| line.state.clone());
    let failed = plan.iter().find(|line| line.entry == Entry::Failed);
    let undone = plan.iter().filter(|line| line.entry == Entry::Undone);
    Some(Standing {
        number: last.number,
        entry: last.entry,
        state,
        failed: failed.map(|line| line.number),
        undone: undone.map(|line| line.number).collect(),
    })
}

/// Appends lines; each is synced before `write` returns.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    newest: watch::Sender<Option<(u32, Entry)>>,
}

impl Journal {
    /// Opens a journal for appending; makes it if it is not there.
    pub fn open(path: &Path) -> Result<Journal, UpgradeError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        match file {
            Ok(file) => Ok(Journal {
                path: path.to_owned(),
                file,
                newest: watch::channel(None).0,
            }),
            Err(source) => Err(UpgradeError::Journal {
                path: path.display().to_string(),
                source,
            }),
        }
    }

    /// Where the newest plan stands, by what is on disk.
    pub fn standing(&self) -> Result<Option<Standing>, UpgradeError> {
        let lines = read(&self.path).map_err(|source| UpgradeError::Journal {
            path: self.path.display().to_string(),
            source,
        })?;
        Ok(standing(&lines))
    }

    /// Follows what is written: the newest step and entry.
    pub fn follow(&self) -> watch::Receiver<Option<(u32, Entry)>> {
        self.newest.subscribe()
    }

    /// Appends one line and waits until it is on disk.
    pub fn write(
        &mut self,
        number: u32,
        step: &str,
        entry: Entry,
        detail: &str,
    ) -> Result<(), UpgradeError> {
        self.write_with(number, step, (entry, detail), None)
    }

    /// Appends one line with what the driver knows now, and waits until it is on disk.
    pub fn write_with(
        &mut self,
        number: u32,
        step: &str,
        (entry, detail): (Entry, &str),
        state: Option<Saved>,
    ) -> Result<(), UpgradeError> {
        let line = JournalLine {
            format: JOURNAL_FORMAT.into(),
            time: format!("{:.3}", jiff::Timestamp::now()),
            number,
            step: step.into(),
            entry,
            detail: detail.into(),
            state,
        };
        self.append(&line).map_err(|source| UpgradeError::Journal {
            path: self.path.display().to_string(),
            source,
        })?;
        self.newest.send_replace(Some((number, entry)));
        Ok(())
    }

    fn append(&mut self, line: &JournalLine) -> std::io::Result<()> {
        let mut text = serde_json::to_string(line)?;
        text.push('\n');
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()
    }
}

/// Reads a journal; a torn last line (the machine died while writing it) is left out.
pub fn read(path: &Path) -> std::io::Result<Vec<JournalLine>> {
    let text = std::fs::read_to_string(path)?;
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete
        .lines()
        .map(|line| serde_json::from_str(line).map_err(Into::into))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_last_line_does_not_hide_the_lines_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal
            .write(1, "freeze-writes", Entry::Intent, "")
            .unwrap();
        journal
            .write(1, "freeze-writes", Entry::Proved, "no open transaction")
            .unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"{\"format\":\"cutover.jour").unwrap();
        let lines = read(&path).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].entry, Entry::Proved);
    }
}
