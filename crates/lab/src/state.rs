//! The long-lived lab, seen from other processes.
//!
//! ```text
//! <state>/ lab.pid   locked by the process that owns the lab while it lives; holds its pid
//!          lab.json  what runs where (no passwords), readable by its owner only
//! ```
//! The lock is what tells whether there is a lab: a pid alone could be another process by now. For
//! the same reason a service is only signalled when its pid *and* its start time are those that
//! were written down.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cutover_clients::wait::{self, Poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::error::LabError;
use crate::home::{self, Home};
use crate::services::{ServiceInfo, postgres};
use crate::{ports, privilege};

/// Format name of `lab.json`.
pub const STATE_FORMAT: &str = "cutover.lab/1";
/// Name of the lab's life folder.
pub const LIFE: &str = "lab";
/// What the owner gets for an orderly end before it is killed.
const OWNER_DEADLINE: Duration = Duration::from_secs(15);
/// What services get to vanish after their owner has.
const SERVICES_DEADLINE: Duration = Duration::from_secs(5);
/// How often a claim is tried before it is refused.
const CLAIM_TRIES: usize = 200;
/// How often is looked.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// `lab.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabRecord {
    /// [`STATE_FORMAT`].
    pub format: String,
    /// The process that owns the lab.
    pub pid: u32,
    /// Every service.
    pub services: Vec<ServiceRecord>,
}

/// One service in `lab.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRecord {
    /// Its name.
    pub name: String,
    /// Component and version.
    pub part: String,
    /// Its process.
    pub pid: Option<u32>,
    /// When that process started, in clock ticks since boot: with the pid, this names it for good.
    pub pid_started: Option<u64>,
    /// Its ports.
    pub ports: Vec<u16>,
    /// Its log.
    pub log: PathBuf,
    /// Its folder.
    pub folder: PathBuf,
}

impl ServiceRecord {
    fn of(info: &ServiceInfo) -> ServiceRecord {
        ServiceRecord {
            name: info.name.clone(),
            part: info.part.clone(),
            pid: info.pid,
            pid_started: info.pid.and_then(start_time),
            ports: info.ports.clone(),
            log: info.log.clone(),
            folder: info.folder.clone(),
        }
    }

    /// Its process, if that very process still runs.
    fn alive(&self) -> Option<u32> {
        let pid = self.pid?;
        (start_time(pid)? == self.pid_started?).then_some(pid)
    }
}

/// The claim to be the lab of a state folder. Ends with the process, however that ends.
#[derive(Debug)]
pub struct Owner {
    record: PathBuf,
    _lock: File,
}

impl Owner {
    /// Claims the lab; fails when another process has it.
    pub fn claim(home: &Home) -> Result<Owner, LabError> {
        let path = pid_file(home);
        let lock = home::open_lock(&path)?;
        // Whoever looks at the lab holds a shared lock for an instant; that must not pass for an
        // owner.
        let mine = (0..CLAIM_TRIES).any(|_| {
            let locked = lock.try_lock().is_ok();
            if !locked {
                std::thread::yield_now();
            }
            locked
        });
        if !mine {
            let pid = std::fs::read_to_string(&path)
                .unwrap_or_default()
                .trim()
                .to_owned();
            return Err(LabError::Locked {
                what: "the lab".to_owned(),
                pid,
            });
        }
        home::write_pid(&lock, &path)?;
        Ok(Owner {
            record: record_file(home),
            _lock: lock,
        })
    }

    /// Writes down what runs. Call again whenever that changes.
    pub fn publish(&self, services: &[ServiceInfo]) -> Result<(), LabError> {
        let record = LabRecord {
            format: STATE_FORMAT.to_owned(),
            pid: std::process::id(),
            services: services.iter().map(ServiceRecord::of).collect(),
        };
        let bad = |error: serde_json::Error| LabError::BadState {
            path: self.record.clone(),
            reason: error.to_string(),
        };
        let text = serde_json::to_string_pretty(&record).map_err(bad)?;
        let temporary = self.record.with_extension("tmp");
        privilege::private_file(&temporary, &text, None)?;
        std::fs::rename(&temporary, &self.record).map_err(LabError::io("write", &self.record))
    }
}

/// What `lab status` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabStatus {
    /// Whether the owner lives.
    pub running: bool,
    /// What it wrote down.
    pub record: LabRecord,
    /// Of each service in the record: memory of its process in bytes, `None` if it does not run.
    pub memory: Vec<Option<u64>>,
}

/// Looks at the lab. `None` when there is none and never was.
pub fn status(home: &Home) -> Result<Option<LabStatus>, LabError> {
    let Some(record) = read(home)? else {
        return Ok(None);
    };
    let memory = record
        .services
        .iter()
        .map(|service| service.alive().map(memory_of))
        .collect();
    Ok(Some(LabStatus {
        running: owner_pid(home)?.is_some(),
        record,
        memory,
    }))
}

/// How an end went.
#[derive(Debug, Clone, PartialEq)]
pub struct DownReport {
    /// From the call to the last process and port being gone.
    pub seconds: f64,
    /// Whether the owner ended in order; `false` when it was dead already or had to be killed.
    pub in_order: bool,
    /// Services that had to be killed.
    pub killed: Vec<String>,
}

/// Ends the lab, whoever started it, and waits until every process and port is gone.
pub async fn down(home: &Home, purge: bool) -> Result<DownReport, LabError> {
    let started = Instant::now();
    let record = read(home)?;
    let owner = owner_pid(home)?;
    if record.is_none() && owner.is_none() {
        return Err(LabError::NoLab {
            path: home.state().to_owned(),
        });
    }
    let in_order = match owner {
        Some(pid) => end_owner(home, pid).await?,
        None => false,
    };
    // The owner may have started more since we first looked.
    let services = read(home)?
        .map(|record| record.services)
        .unwrap_or_default();
    let killed = end_services(&services).await?;
    for service in &services {
        postgres::free_shared_memory(&service.folder.join("data"));
    }
    if purge {
        home.life(LIFE)?.purge()?;
        let file = record_file(home);
        std::fs::remove_file(&file).map_err(LabError::io("remove", &file))?;
    }
    Ok(DownReport {
        seconds: started.elapsed().as_secs_f64(),
        in_order,
        killed,
    })
}

/// Asks the owner to end; kills it if it does not. Returns whether it ended in order.
async fn end_owner(home: &Home, pid: i32) -> Result<bool, LabError> {
    let gone = async |deadline: Duration| {
        wait::until(
            "the end of the lab's owner",
            deadline,
            LOOK_EVERY,
            async || {
                Ok::<_, LabError>(match owner_pid(home)? {
                    None => Poll::Ready(()),
                    Some(pid) => Poll::NotYet(format!("process {pid} holds the lab")),
                })
            },
        )
        .await
    };
    // The lock was held a moment ago, so the pid is the owner's.
    let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
    if gone(OWNER_DEADLINE).await.is_ok() {
        return Ok(true);
    }
    let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
    gone(SERVICES_DEADLINE).await?;
    Ok(false)
}

/// Waits until processes and ports are gone; what is still there after the deadline is killed.
async fn end_services(services: &[ServiceRecord]) -> Result<Vec<String>, LabError> {
    let gone = async |deadline: Duration| {
        wait::until(
            "the end of every service",
            deadline,
            LOOK_EVERY,
            async || {
                let left: Vec<&str> = services
                    .iter()
                    .filter(|one| is_left(one))
                    .map(name)
                    .collect();
                Ok::<_, LabError>(if left.is_empty() {
                    Poll::Ready(())
                } else {
                    Poll::NotYet(format!("{} still there", left.join(", ")))
                })
            },
        )
        .await
    };
    if gone(SERVICES_DEADLINE).await.is_ok() {
        return Ok(Vec::new());
    }
    let mut killed = Vec::new();
    for service in services {
        if let Some(pid) = service.alive() {
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
            killed.push(service.name.clone());
        }
    }
    gone(SERVICES_DEADLINE).await?;
    Ok(killed)
}

fn name(service: &ServiceRecord) -> &str {
    &service.name
}

fn is_left(service: &ServiceRecord) -> bool {
    service.alive().is_some() || service.ports.iter().any(|port| !ports::is_free(*port))
}

fn pid_file(home: &Home) -> PathBuf {
    home.state().join("lab.pid")
}

fn record_file(home: &Home) -> PathBuf {
    home.state().join("lab.json")
}

/// The pid of the owner, if there is one: read only while the lock is seen to be held.
fn owner_pid(home: &Home) -> Result<Option<i32>, LabError> {
    let path = pid_file(home);
    if !path.exists() {
        return Ok(None);
    }
    let lock = home::open_lock(&path)?;
    if lock.try_lock_shared().is_ok() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(LabError::io("read", &path))?;
    let pid = text.trim().parse().map_err(|_| LabError::BadState {
        path,
        reason: format!("'{}' is not a process id", text.trim()),
    })?;
    Ok(Some(pid))
}

fn read(home: &Home) -> Result<Option<LabRecord>, LabError> {
    let path = record_file(home);
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(LabError::io("read", &path))?,
    };
    parse(&path, &text).map(Some)
}

fn parse(path: &Path, text: &str) -> Result<LabRecord, LabError> {
    let bad = |reason: String| LabError::BadState {
        path: path.to_owned(),
        reason,
    };
    let record: LabRecord = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
    if record.format != STATE_FORMAT {
        return Err(bad(format!(
            "its format is {}, this is {STATE_FORMAT}",
            record.format
        )));
    }
    Ok(record)
}

/// Start time of a process in clock ticks since boot; `None` when it is gone or a zombie.
fn start_time(pid: u32) -> Option<u64> {
    start_time_of(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The program's name in the line is free text in parentheses, so fields count from the last
/// parenthesis.
fn start_time_of(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    if matches!(fields.next(), None | Some("Z" | "X")) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// Resident memory of a process in bytes; 0 when it cannot be read.
pub fn memory_of(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn start_time_survives_a_program_name_with_parentheses() {
        let tail = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4242 20";
        assert_eq!(
            start_time_of(&format!("77 (we) ird (name) {tail}")),
            Some(4242)
        );
        assert_eq!(start_time_of("77 (dead) Z 1 2 3"), None);
        assert_eq!(start_time_of("rubbish"), None);
    }

    #[test]
    fn our_own_process_is_alive_and_another_start_time_is_not_us() {
        let pid = std::process::id();
        let mut service = ServiceRecord {
            name: "us".to_owned(),
            part: "test".to_owned(),
            pid: Some(pid),
            pid_started: start_time(pid),
            ports: Vec::new(),
            log: PathBuf::new(),
            folder: PathBuf::new(),
        };
        assert_eq!(service.alive(), Some(pid));
        assert!(memory_of(pid) > 0);
        service.pid_started = service.pid_started.map(|ticks| ticks + 1);
        assert_eq!(service.alive(), None);
    }

    #[test]
    fn record_of_a_newer_format_is_refused() {
        let text = r#"{"format":"cutover.lab/2","pid":1,"services":[]}"#;
        let error = parse(Path::new("lab.json"), text).unwrap_err();
        assert!(matches!(error, LabError::BadState { .. }), "{error}");
        assert!(parse(Path::new("lab.json"), "{").is_err());
    }
}
