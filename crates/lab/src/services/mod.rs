//! The servers themselves: one file per service, each with what it needs written down, started by
//! the one spawner, and ready when it has answered a question, not when its port is open.

pub mod connect;
mod http;
pub mod jvm;
pub mod kafka;
pub mod logins;
pub mod pgbackrest;
pub mod postgres;
pub mod postgres_origins;
mod postgres_roles;
pub mod postgres_tools;
pub mod registry;
pub mod zookeeper;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_clients::wait::{self, Poll};

use crate::error::LabError;
use crate::home::Home;
use crate::privilege::{self, Account};
use crate::spawn::Child;

/// How long a service may take from start to its first answer. Ten times what a busy machine was
/// seen to need.
pub const READY_DEADLINE: Duration = Duration::from_secs(90);
/// How long one answer of a starting service is waited for before it is asked again: a server that
/// is asked in the middle of its start may keep the connection and never say a word.
const ANSWER_DEADLINE: Duration = Duration::from_secs(2);
/// How often a starting service is asked.
const ASK_EVERY: Duration = Duration::from_millis(20);
/// Everything is on this address and no other.
pub const LOOPBACK: &str = "127.0.0.1";

/// Where services live.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Cache, state and account.
    pub home: Home,
    /// Folder of this life; each service has a folder in it.
    pub folder: PathBuf,
    /// Folder of log files.
    pub logs: PathBuf,
}

impl Setup {
    /// A service's own folder, private to the user that runs it.
    fn service_folder(&self, service: &str) -> Result<PathBuf, LabError> {
        let folder = self.folder.join(service);
        privilege::private_folder(&folder, self.account())?;
        privilege::check_reachable(&folder, self.account())?;
        Ok(folder)
    }

    fn account(&self) -> Option<&Account> {
        self.home.account()
    }

    fn log(&self, service: &str) -> PathBuf {
        self.logs.join(format!("{service}.log"))
    }
}

/// A service, as status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceInfo {
    /// Its name; also the name of its log.
    pub name: String,
    /// `postgres 16.2`, `kafka 4.3.1`, ….
    pub part: String,
    /// Its process; `None` while it is stopped.
    pub pid: Option<u32>,
    /// Its ports.
    pub ports: Vec<u16>,
    /// Its log.
    pub log: PathBuf,
    /// Its folder.
    pub folder: PathBuf,
}

/// Asks a starting service until it answers; fails at once when its process has ended.
async fn until_ready<T>(
    service: &str,
    child: &mut Child,
    mut ask: impl AsyncFnMut() -> Poll<T>,
) -> Result<T, LabError> {
    let what = format!("{service} being ready");
    let answer = wait::until(&what, READY_DEADLINE, ASK_EVERY, async || {
        child.check_alive()?;
        let answer = wait::within(ANSWER_DEADLINE, ask()).await;
        let silent = || Poll::NotYet("it took the question and does not answer".to_owned());
        Ok::<_, LabError>(answer.unwrap_or_else(silent))
    });
    Ok(answer.await?)
}

/// The running process of a service, or the error that it is stopped.
fn running<'a>(service: &str, child: &'a mut Option<Child>) -> Result<&'a mut Child, LabError> {
    child.as_mut().ok_or_else(|| LabError::WrongState {
        service: service.to_owned(),
        state: "stopped",
    })
}

/// Fails when the service is running already; forgets a process that has ended.
fn require_stopped(service: &str, child: &mut Option<Child>) -> Result<(), LabError> {
    if child
        .as_mut()
        .is_some_and(|child| child.try_wait().is_none())
    {
        return Err(LabError::WrongState {
            service: service.to_owned(),
            state: "running",
        });
    }
    *child = None;
    Ok(())
}

/// Writes a file that a service reads.
fn write(path: &Path, text: &str, account: Option<&Account>) -> Result<(), LabError> {
    privilege::private_file(path, text, account)
}

/// `key=value` lines.
fn properties(pairs: &[(&str, String)]) -> String {
    pairs
        .iter()
        .map(|(key, value)| format!("{key}={value}\n"))
        .collect()
}
