//! Which server processes should be alive right now, and a watch over them.
//!
//! A broker, worker or server that dies in the middle must end the run at once with its name, not let some
//! wait run into its deadline. Whoever stops a server on purpose takes it off the roster first.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cutover_clients::wait::pause;

use crate::error::RehearseError;

/// Shared list of processes.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug, Clone)]
struct Entry {
    service: String,
    pid: u32,
    log: PathBuf,
}

impl Roster {
    /// This process must live from now on.
    pub fn add(&self, service: &str, pid: u32, log: PathBuf) {
        self.lock().push(Entry {
            service: service.into(),
            pid,
            log,
        });
    }

    /// This service may end now.
    pub fn remove(&self, service: &str) {
        self.lock().retain(|entry| entry.service != service);
    }

    /// The first service that should be alive and is not.
    pub fn dead(&self) -> Option<RehearseError> {
        let dead = self
            .lock()
            .iter()
            .find(|entry| !alive(entry.pid))
            .cloned()?;
        let log = std::fs::read_to_string(&dead.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(5).collect();
        let tail = lines.into_iter().rev().collect::<Vec<_>>().join(" | ");
        let reason = format!(
            "process {} is gone; end of {}: {tail}",
            dead.pid,
            dead.log.display()
        );
        Some(RehearseError::ServiceDied {
            service: dead.service,
            reason,
        })
    }

    /// Returns when a service has died.
    pub async fn watch(&self) -> RehearseError {
        loop {
            if let Some(died) = self.dead() {
                return died;
            }
            pause(Duration::from_millis(200)).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process that was killed stays as a zombie until its parent looks: that is not alive.
fn alive(pid: u32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    // The name in parentheses may itself hold spaces and parentheses: the state follows the last one.
    let state = stat
        .rsplit(')')
        .next()
        .and_then(|rest| rest.split_whitespace().next());
    !matches!(state, None | Some("Z" | "X" | "x"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_gone_is_named_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("broker.log");
        std::fs::write(&log, "one\ntwo\n").unwrap();
        let roster = Roster::default();
        roster.add("self", std::process::id(), log.clone());
        assert!(roster.dead().is_none());
        roster.add("broker", u32::MAX, log);
        let died = roster.dead().unwrap().to_string();
        assert!(
            died.contains("broker") && died.contains("one | two"),
            "{died}"
        );
        roster.remove("broker");
        assert!(roster.dead().is_none());
    }
}
