//! What can go wrong with real processes, and what the user does next.
//!
//! One enum for the crate. Every variant has a stable code, an exit code (guarantees §6) and, where
//! there is one, a remedy. Messages carry the last lines of the log instead of sending the user to
//! look for them.

use std::path::PathBuf;

use cutover_clients::pg::PgError;
use cutover_clients::wait::WaitError;
use cutover_model::{Classified, ExitCode, Permanence};

use crate::host::Need;

/// Errors of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A program that the lab needs is not installed.
    #[error("{} is needed and was not found{detail}", need.name())]
    Missing {
        /// What is missing.
        need: Need,
        /// More about it, starting with a separator, or empty.
        detail: String,
    },
    /// Java is there and too old.
    #[error("{} is Java {found}; Java {needed} or later is needed", path.display())]
    JavaTooOld {
        /// The program that was asked.
        path: PathBuf,
        /// Its major version.
        found: u32,
        /// The major version that is needed.
        needed: u32,
    },
    /// The catalog has no such part.
    #[error("the catalog has no {component} {version}{hint}; it has {known}")]
    UnknownPart {
        /// The component asked for.
        component: String,
        /// The version asked for.
        version: String,
        /// What is there.
        known: String,
        /// `; did you mean …`, or empty.
        hint: String,
    },
    /// A catalog entry cannot be read: a defect of cutover.
    #[error("catalog entry {file}: {reason}")]
    Catalog {
        /// The entry.
        file: String,
        /// Why.
        reason: String,
    },
    /// The cache or the state folder cannot be written.
    #[error("{what} folder {} cannot be written: {reason}", path.display())]
    NotWritable {
        /// `cache` or `state`.
        what: &'static str,
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The unprivileged user of the servers cannot reach a folder.
    #[error("user {user}, who runs the servers, cannot enter {}", path.display())]
    NotReachable {
        /// The user.
        user: String,
        /// The first folder that stops it.
        path: PathBuf,
    },
    /// Started as root, and there is nobody to drop to.
    #[error(
        "started as root, and there is neither a user postgres nor a user nobody to run servers as"
    )]
    NoAccount,
    /// The disk is full.
    #[error("no space left on the device that holds {}", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
    },
    /// The disk is too small for what is to come.
    #[error("{} has {free_mib} MiB free and needs about {needed_mib} MiB", path.display())]
    TooLittleSpace {
        /// The folder.
        path: PathBuf,
        /// What is free.
        free_mib: u64,
        /// What is needed.
        needed_mib: u64,
    },
    /// A package tool failed.
    #[error("{tool} could not fetch {part} ({status}): {last_lines}")]
    Fetch {
        /// mvn, pip or apt-get.
        tool: String,
        /// The part.
        part: String,
        /// How the tool ended.
        status: String,
        /// The last lines it printed.
        last_lines: String,
    },
    /// What arrived is not what the catalog describes.
    #[error("{} is corrupted: sha256 {found}, expected {expected}", file.display())]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// Expected hash.
        expected: String,
        /// Hash of what arrived.
        found: String,
    },
    /// A fetched program does not run.
    #[error("{} of {part} does not run here: {reason}", program.display())]
    Broken {
        /// The part.
        part: String,
        /// The program.
        program: PathBuf,
        /// What it said.
        reason: String,
    },
    /// This machine has no package source of the kind that a part needs.
    #[error("{part} comes from Debian packages, and {reason}")]
    NoMirror {
        /// The part.
        part: String,
        /// Why not.
        reason: String,
    },
    /// A file operation failed.
    #[error("{what} {}", path.display())]
    Io {
        /// Present-tense verb: `read`, `write`, ….
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A process could not be started.
    #[error("start {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A service ended although nobody asked it to.
    #[error("{service} ended by itself ({status}): {last_lines}")]
    Died {
        /// The service.
        service: String,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        last_lines: String,
    },
    /// A port is taken by somebody else.
    #[error("{service} cannot listen on its port: {last_lines}")]
    PortTaken {
        /// The service.
        service: String,
        /// The last lines of its log.
        last_lines: String,
    },
    /// No free port was found.
    #[error("no free loopback port between {low} and {high}")]
    NoPort {
        /// First port tried.
        low: u16,
        /// Last port tried.
        high: u16,
    },
    /// A tool of PostgreSQL failed.
    #[error("{program} failed ({status}): {last_lines}")]
    ToolFailed {
        /// The tool.
        program: String,
        /// How it ended.
        status: String,
        /// The last lines it printed.
        last_lines: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds:.1} s; last seen: {last}")]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: f64,
        /// The last state seen.
        last: String,
    },
    /// A data directory fits one major version only.
    #[error(
        "the data directory of {cluster} is of PostgreSQL {data}, the new binaries are {binaries}"
    )]
    OtherMajor {
        /// The cluster.
        cluster: String,
        /// Major version of the data.
        data: u32,
        /// Major version of the binaries.
        binaries: u32,
    },
    /// The server was asked for something that its present state does not allow.
    #[error("{service} is {state}")]
    WrongState {
        /// The service.
        service: String,
        /// `running` or `stopped`.
        state: &'static str,
    },
    /// Another process holds the lab or a folder.
    #[error("{what} is held by process {pid}")]
    Locked {
        /// What.
        what: String,
        /// Who.
        pid: String,
    },
    /// There is no lab.
    #[error("no lab is running (state folder {})", path.display())]
    NoLab {
        /// The state folder.
        path: PathBuf,
    },
    /// The state of a lab cannot be understood.
    #[error("{} is not a lab record that this version understands: {reason}", path.display())]
    BadState {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// PostgreSQL answered with an error.
    #[error("{what}")]
    Pg {
        /// What was being done.
        what: String,
        /// The answer.
        #[source]
        source: PgError,
    },
}

impl LabError {
    /// For `map_err` on file operations; a full disk gets its own variant.
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> LabError {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => LabError::DiskFull { path },
            _ => LabError::Io { what, path, source },
        }
    }

    /// A service that ended by itself, with the causes that users can act on told apart.
    pub(crate) fn died(
        service: &str,
        status: String,
        last_lines: String,
        folder: PathBuf,
    ) -> LabError {
        let service = service.to_owned();
        if last_lines.contains("No space left on device") {
            return LabError::DiskFull { path: folder };
        }
        let taken = [
            "Address already in use",
            "could not create any TCP/IP sockets",
        ];
        if taken.iter().any(|text| last_lines.contains(text)) {
            return LabError::PortTaken {
                service,
                last_lines,
            };
        }
        LabError::Died {
            service,
            status,
            last_lines,
        }
    }
}

impl From<WaitError<LabError>> for LabError {
    fn from(error: WaitError<LabError>) -> LabError {
        match error {
            WaitError::Failed(inner) => inner,
            WaitError::TimedOut {
                what,
                seconds,
                last,
            } => LabError::TimedOut {
                what,
                seconds,
                last,
            },
        }
    }
}

impl Classified for LabError {
    fn permanence(&self) -> Permanence {
        match self {
            LabError::Fetch { .. } | LabError::Corrupt { .. } | LabError::TimedOut { .. } => {
                Permanence::Transient
            }
            LabError::Pg { source, .. } => source.permanence(),
            _ => Permanence::Definite,
        }
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            LabError::Missing { .. }
            | LabError::JavaTooOld { .. }
            | LabError::NotWritable { .. }
            | LabError::NotReachable { .. }
            | LabError::NoAccount
            | LabError::DiskFull { .. }
            | LabError::TooLittleSpace { .. }
            | LabError::Broken { .. }
            | LabError::NoMirror { .. }
            | LabError::PortTaken { .. }
            | LabError::NoPort { .. }
            | LabError::OtherMajor { .. }
            | LabError::WrongState { .. }
            | LabError::NoLab { .. } => ExitCode::Refused,
            LabError::UnknownPart { .. } | LabError::BadState { .. } => ExitCode::Usage,
            LabError::Io { .. } | LabError::Spawn { .. } => ExitCode::Refused,
            LabError::Catalog { .. } => ExitCode::Internal,
            LabError::Fetch { .. } | LabError::Corrupt { .. } => ExitCode::Unreachable,
            LabError::Died { .. } | LabError::ToolFailed { .. } | LabError::TimedOut { .. } => {
                ExitCode::Unknown
            }
            LabError::Locked { .. } => ExitCode::Locked,
            LabError::Pg { source, .. } => source.exit_code(),
        }
    }

    fn remedy(&self) -> Option<String> {
        let text = match self {
            LabError::JavaTooOld { needed, .. } => {
                return Some(format!(
                    "Install a JDK {needed} (Debian: apt-get install \
                     openjdk-{needed}-jdk-headless) or point JAVA_HOME to one."
                ));
            }
            LabError::NotWritable { what, .. } => {
                let what = what.to_uppercase();
                return Some(format!(
                    "Make it writable, or choose another folder with CUTOVER_{what}."
                ));
            }
            LabError::NotReachable { path, .. } => {
                return Some(format!(
                    "Run chmod o+x {}, or choose another folder with CUTOVER_CACHE or \
                     CUTOVER_STATE.",
                    path.display()
                ));
            }
            LabError::Pg { source, .. } => return source.remedy(),
            LabError::Missing { need, .. } => need.remedy(),
            LabError::UnknownPart { .. } => "Name one of the versions listed.",
            LabError::NoAccount => "Create a user postgres, or run as an ordinary user.",
            LabError::DiskFull { .. } | LabError::TooLittleSpace { .. } => {
                "Free some space (cutover lab down --purge removes lab data) and run again."
            }
            LabError::Fetch { .. } => {
                "Check the network and the tool's own settings (proxy, mirror, index), then run \
                 again; what has arrived is kept."
            }
            LabError::Corrupt { .. } => {
                "The file was removed: run again. If it happens twice, the mirror serves another \
                 file."
            }
            LabError::Broken { .. } => {
                "Run again to fetch the part anew; it needs an x86_64 Linux with glibc 2.28 or \
                 later."
            }
            LabError::NoMirror { .. } => {
                "Use a Debian machine, or choose a PostgreSQL version that comes as a wheel."
            }
            LabError::PortTaken { .. } => "Run again: other ports are chosen.",
            LabError::NoPort { .. } => "Stop what occupies these ports.",
            LabError::OtherMajor { .. } => {
                "Use pg_upgrade or dump and restore to change the major version."
            }
            LabError::Locked { .. } => "Wait for it, or stop it (cutover lab down).",
            LabError::NoLab { .. } => "Start one with cutover lab up.",
            LabError::BadState { .. } => {
                "Use the version of cutover that wrote it, or remove the file."
            }
            LabError::Io { .. } => {
                "Give this user rights on that path, or choose other folders with CUTOVER_CACHE and CUTOVER_STATE."
            }
            LabError::Spawn { .. } => {
                "Let this machine run it: rights, a file system without noexec (CUTOVER_CACHE moves the parts), memory."
            }
            LabError::Died { .. } | LabError::ToolFailed { .. } => {
                "Mend what the lines above name, then run again; the whole log is kept in the run or state folder."
            }
            LabError::TimedOut { .. } => {
                "Look at what was seen last; on a busy machine, run again when there is less to do."
            }
            LabError::WrongState { .. } => "Look with cutover lab status, then start or stop it.",
            LabError::Catalog { .. } => "Report it as a defect of cutover.",
        };
        Some(text.to_owned())
    }

    fn code(&self) -> &'static str {
        match self {
            LabError::Missing { need, .. } => need.code(),
            LabError::JavaTooOld { .. } => "LAB-JAVA-002",
            LabError::UnknownPart { .. } => "LAB-PART-001",
            LabError::Catalog { .. } => "LAB-PART-002",
            LabError::NotWritable { .. } => "LAB-HOME-001",
            LabError::NotReachable { .. } => "LAB-HOME-002",
            LabError::NoAccount => "LAB-USER-001",
            LabError::TooLittleSpace { .. } => "LAB-DISK-002",
            LabError::DiskFull { .. } => "LAB-DISK-001",
            LabError::Fetch { .. } => "LAB-FETCH-001",
            LabError::Corrupt { .. } => "LAB-FETCH-002",
            LabError::Broken { .. } => "LAB-FETCH-003",
            LabError::NoMirror { .. } => "LAB-FETCH-004",
            LabError::Io { .. } => "LAB-IO-001",
            LabError::Spawn { .. } => "LAB-PROCESS-001",
            LabError::Died { .. } => "LAB-PROCESS-002",
            LabError::ToolFailed { .. } => "LAB-PROCESS-003",
            LabError::TimedOut { .. } => "LAB-WAIT-001",
            LabError::PortTaken { .. } => "LAB-PORT-001",
            LabError::NoPort { .. } => "LAB-PORT-002",
            LabError::OtherMajor { .. } => "LAB-PG-001",
            LabError::WrongState { .. } => "LAB-PG-002",
            LabError::Pg { .. } => "LAB-PG-003",
            LabError::Locked { .. } => "LAB-LOCK-001",
            LabError::NoLab { .. } => "LAB-STATE-001",
            LabError::BadState { .. } => "LAB-STATE-002",
        }
    }
}
