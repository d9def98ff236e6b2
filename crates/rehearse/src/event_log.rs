//! Writes the event stream of a scenario to `events.jsonl` and passes every event on to the display.
//!
//! Times are stamped here, once; whoever reads the file sees what the terminal saw, in the same order.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use cutover_model::event::{EVENT_FORMAT, EventKind, EventSink, RunEvent};
use cutover_model::result::Phase;

use crate::error::RehearseError;

/// Consumes events after they were written.
pub type Display = Arc<dyn Fn(&RunEvent) + Send + Sync>;

/// Shows something that belongs to no file: the run folder it would stand in is not there, or is closed.
pub fn show(display: &Display, kind: EventKind) {
    display(&RunEvent {
        format: EVENT_FORMAT.into(),
        index: 0,
        time: format!("{:.3}", jiff::Timestamp::now()),
        scenario: None,
        kind,
    });
}

/// The log of one scenario.
#[derive(Clone)]
pub struct EventLog {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    file: File,
    scenario: String,
    index: u64,
    display: Display,
    phases: Vec<Phase>,
    open: Option<(String, Instant)>,
    failed: bool,
}

impl EventLog {
    /// Makes the file.
    pub fn create(
        path: &Path,
        scenario: &str,
        display: Display,
    ) -> Result<EventLog, RehearseError> {
        let file = File::create(path).map_err(|source| RehearseError::RunFolder {
            what: "create",
            path: path.display().to_string(),
            source,
        })?;
        let inner = Inner {
            file,
            scenario: scenario.into(),
            index: 0,
            display,
            phases: Vec::new(),
            open: None,
            failed: false,
        };
        Ok(EventLog {
            inner: Arc::new(Mutex::new(inner)),
        })
    }

    /// Where producers put events.
    pub fn sink(&self) -> EventSink {
        let log = self.clone();
        EventSink::new(move |kind| log.lock().emit(kind))
    }

    /// Ends the phase under way and begins another; the display sees both.
    pub fn phase(&self, name: &str) {
        let mut inner = self.lock();
        inner.end_phase();
        inner.open = Some((name.to_owned(), Instant::now()));
        inner.emit(EventKind::PhaseStarted {
            name: name.to_owned(),
        });
    }

    /// Ends the phase under way and returns those that ended since the last call, in order.
    pub fn take_phases(&self) -> Vec<Phase> {
        let mut inner = self.lock();
        inner.end_phase();
        std::mem::take(&mut inner.phases)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn emit(&mut self, kind: EventKind) {
        self.index += 1;
        let event = RunEvent {
            format: EVENT_FORMAT.into(),
            index: self.index,
            time: format!("{:.3}", jiff::Timestamp::now()),
            scenario: Some(self.scenario.clone()),
            kind,
        };
        if let Err(error) = self.write(&event)
            && !self.failed
        {
            // The display is what is left to say so; the verdict does not depend on this file.
            self.failed = true;
            let text = format!("events.jsonl can no longer be written: {error}");
            (self.display)(&RunEvent {
                kind: EventKind::Warning { text },
                ..event.clone()
            });
        }
        (self.display)(&event);
    }

    fn write(&mut self, event: &RunEvent) -> std::io::Result<()> {
        let mut line = serde_json::to_string(event)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())
    }

    fn end_phase(&mut self) {
        if let Some((name, started)) = self.open.take() {
            let seconds = started.elapsed().as_secs_f64();
            self.phases.push(Phase {
                name: name.clone(),
                seconds,
            });
            self.emit(EventKind::PhaseEnded { name, seconds });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_and_phases_measured() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let copy = Arc::clone(&seen);
        let display: Display = Arc::new(move |event| copy.lock().unwrap().push(event.clone()));
        let log = EventLog::create(&path, "minor", display).unwrap();
        log.phase("start");
        log.sink().note("hello");
        log.phase("load");
        let phases = log.take_phases();
        assert_eq!(
            phases
                .iter()
                .map(|phase| phase.name.as_str())
                .collect::<Vec<_>>(),
            ["start", "load"]
        );
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<RunEvent> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines, *seen.lock().unwrap());
        assert!(
            lines
                .iter()
                .zip(1..)
                .all(|(event, index)| event.index == index)
        );
    }
}
