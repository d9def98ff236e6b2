//! What a run folder holds around its result, for whoever tells the run: events, journal, evidence, and what stands
//! beside each finding.
//!
//! The result is given; everything else is read here and may be missing, in part or as a whole: then a note says so and
//! the rest is told. The rule it protects: memory stays bounded however long the run was.

mod neighbours;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use cutover_model::result::ScenarioResult;
use cutover_model::story::JournalNote;
use cutover_model::{EventKind, RunEvent, RunFolder, RunStory};
use serde::de::DeserializeOwned;

use crate::document::{read_evidence, read_manifest};

/// Events in memory at most. Those that only count are thinned out before; the others would have to be told in full.
const EVENTS_MAX: usize = 20_000;

/// Lines of the journal at most.
const JOURNAL_MAX: usize = 5_000;

/// Longest line that is read; a longer one is none of ours.
const LINE_MAX: u64 = 1 << 20;

/// Reads what belongs to a result.
pub fn read_story(run: &RunFolder, scenario: ScenarioResult) -> RunStory {
    let mut notes = Vec::new();
    let manifest = read_manifest(run)
        .map_err(|error| notes.push(error.to_string()))
        .ok();
    let evidence = read_evidence(run)
        .map_err(|error| notes.push(error.to_string()))
        .ok();
    let events = events(&run.events(), &mut notes);
    let journal = journal(&run.journal(), &mut notes);
    let neighbourhoods = neighbours::beside(run, &scenario.findings, &mut notes);
    let (lives, fence) = evidence.map_or_else(Default::default, |evidence| {
        let lives = evidence.incarnations.into_iter().map(|life| life.label);
        (lives.collect(), evidence.fence)
    });
    RunStory {
        scenario,
        manifest,
        events,
        journal,
        lives,
        fence,
        neighbourhoods,
        notes,
    }
}

fn events(path: &Path, notes: &mut Vec<String>) -> Vec<RunEvent> {
    let mut kept: Vec<RunEvent> = Vec::new();
    let mut every: u64 = 1;
    let mut left_out = 0_u64;
    let not_read = lines(path, |event: RunEvent| {
        if counts(&event) && !event.index.is_multiple_of(every) {
            return;
        }
        if kept.len() >= EVENTS_MAX {
            every = every.saturating_mul(2);
            kept.retain(|event| !counts(event) || event.index.is_multiple_of(every));
        }
        if kept.len() < EVENTS_MAX {
            kept.push(event);
        } else {
            left_out += 1;
        }
    });
    if left_out > 0 {
        notes.push(format!(
            "{left_out} events of events.jsonl are left out: there are too many"
        ));
    }
    notes.extend(not_read);
    kept
}

/// Some of these can be left out without anything being lost but resolution.
fn counts(event: &RunEvent) -> bool {
    matches!(
        event.kind,
        EventKind::Sample { .. } | EventKind::Progress { .. }
    )
}

fn journal(path: &Path, notes: &mut Vec<String>) -> Vec<JournalNote> {
    if !path.exists() {
        // A run that ended before its plan began has none.
        return Vec::new();
    }
    let (mut kept, mut left_out) = (Vec::new(), 0_u64);
    let not_read = lines(path, |note: JournalNote| {
        if kept.len() < JOURNAL_MAX {
            kept.push(note);
        } else {
            left_out += 1;
        }
    });
    notes.extend(not_read);
    if left_out > 0 {
        notes.push(format!(
            "journal.jsonl: its last {left_out} lines are left out"
        ));
    }
    kept
}

/// Reads JSON lines; gives a note about what could not be read. Lines of a kind that a later version added are counted,
/// not refused.
fn lines<T: DeserializeOwned>(path: &Path, mut take: impl FnMut(T)) -> Option<String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Some(format!("{name} cannot be read: {error}")),
    };
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut unknown = 0_u64;
    loop {
        line.clear();
        let mut bounded = std::io::Read::take(&mut reader, LINE_MAX);
        match bounded.read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => match serde_json::from_slice(&line) {
                Ok(value) => take(value),
                Err(_) => unknown += 1,
            },
            Err(error) => return Some(format!("{name} cannot be read to its end: {error}")),
        }
    }
    (unknown > 0).then(|| format!("{unknown} lines of {name} were not understood"))
}

#[cfg(test)]
mod tests;
