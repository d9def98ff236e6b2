//! What the machine itself must bring: Java, and the package tools. Nothing here installs anything.
//!
//! Looked for when a part needs it and not before, so that a machine without Maven still runs what
//! is fetched. Each absence has its own stable code and remedy.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::error::LabError;
use crate::spawn::{self, Launch};

/// Something that must be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A Java runtime.
    Java,
    /// Maven.
    Maven,
    /// Python 3.
    Python,
    /// pip, as a module of Python 3.
    Pip,
    /// apt-get.
    Apt,
    /// dpkg.
    Dpkg,
    /// The keys that Debian signs its archive with.
    Keyring,
}

impl Need {
    /// How people call it.
    pub fn name(self) -> &'static str {
        match self {
            Need::Java => "Java",
            Need::Maven => "Maven (mvn)",
            Need::Python => "Python 3 (python3)",
            Need::Pip => "pip (python3 -m pip)",
            Need::Apt => "apt-get",
            Need::Dpkg => "dpkg",
            Need::Keyring => "the Debian archive keyring",
        }
    }

    /// Stable code.
    pub fn code(self) -> &'static str {
        match self {
            Need::Java => "LAB-JAVA-001",
            Need::Maven => "LAB-MAVEN-001",
            Need::Python => "LAB-PYTHON-001",
            Need::Pip => "LAB-PIP-001",
            Need::Apt => "LAB-APT-001",
            Need::Dpkg => "LAB-APT-002",
            Need::Keyring => "LAB-APT-003",
        }
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Need::Java => {
                "Install a JDK 17 or later (Debian: apt-get install openjdk-17-jdk-headless) or \
                 set JAVA_HOME."
            }
            Need::Maven => "Install Maven (Debian: apt-get install maven).",
            Need::Python => "Install Python 3 (Debian: apt-get install python3).",
            Need::Pip => "Install pip (Debian: apt-get install python3-pip).",
            Need::Apt | Need::Dpkg => {
                "This part comes from Debian packages: use a Debian machine, or choose a \
                 PostgreSQL version that comes as a wheel."
            }
            Need::Keyring => "Install it (Debian: apt-get install debian-archive-keyring).",
        }
    }

    /// The program to look for.
    fn program(self) -> &'static str {
        match self {
            Need::Java => "java",
            Need::Maven => "mvn",
            Need::Python | Need::Pip => "python3",
            Need::Apt => "apt-get",
            Need::Dpkg | Need::Keyring => "dpkg",
        }
    }

    /// Finds the program on the `PATH`.
    pub fn find(self) -> Result<PathBuf, LabError> {
        on_path(self.program(), std::env::var_os("PATH")).ok_or_else(|| LabError::Missing {
            need: self,
            detail: " on the PATH".to_owned(),
        })
    }
}

/// The first executable file of that name.
fn on_path(program: &str, path: Option<OsString>) -> Option<PathBuf> {
    std::env::split_paths(&path?)
        .map(|folder| folder.join(program))
        .find(|candidate| is_executable(candidate))
}

/// Is it a file that somebody may execute?
pub(crate) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// A Java runtime that was asked for its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Java {
    /// The program.
    pub program: PathBuf,
    /// Major version.
    pub major: u32,
    /// Everything `java -version` printed: class-data archives fit one build only.
    pub banner: String,
}

/// Finds Java (`JAVA_HOME` first, then the `PATH`) and asks it for its version.
pub async fn java(needed: u32, log: &Path) -> Result<Java, LabError> {
    let program = match std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => {
            let program = Path::new(&home).join("bin/java");
            if !is_executable(&program) {
                let detail = format!(": JAVA_HOME is {}", Path::new(&home).display());
                return Err(LabError::Missing {
                    need: Need::Java,
                    detail,
                });
            }
            program
        }
        None => Need::Java.find()?,
    };
    let launch = Launch::new("java", &program, Path::new("/"), log).args(["-version"]);
    let end = spawn::run(launch, Duration::from_secs(60)).await?;
    let major = java_major(&end.output).ok_or_else(|| LabError::Missing {
        need: Need::Java,
        detail: format!(": {} answered '{}'", program.display(), end.last_lines(2)),
    })?;
    if major < needed {
        return Err(LabError::JavaTooOld {
            path: program,
            found: major,
            needed,
        });
    }
    Ok(Java {
        program,
        major,
        banner: end.output.trim().to_owned(),
    })
}

/// Major version from the banner: `version "17.0.15"`, `version "1.8.0_402"`, `version "25"`.
fn java_major(banner: &str) -> Option<u32> {
    let quoted = banner.split_once("version \"")?.1.split('"').next()?;
    let mut numbers = quoted.split(['.', '-', '_', '+']);
    let first: u32 = numbers.next()?.parse().ok()?;
    if first == 1 {
        numbers.next()?.parse().ok()
    } else {
        Some(first)
    }
}

/// Makes sure that `python3 -m pip` exists; Python without pip is a common trap on Debian.
pub(crate) async fn require_pip(python: &Path, log: &Path) -> Result<(), LabError> {
    let launch = Launch::new("pip", python, Path::new("/"), log)
        .args(["-m", "pip", "--version"])
        .pass_tool_settings();
    let end = spawn::run(launch, Duration::from_secs(60)).await?;
    if end.status.success() {
        return Ok(());
    }
    Err(LabError::Missing {
        need: Need::Pip,
        detail: format!(": {}", end.last_lines(1)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_versions_of_all_ages_are_read() {
        assert_eq!(
            java_major("openjdk version \"17.0.15\" 2025-04-15"),
            Some(17)
        );
        assert_eq!(java_major("java version \"1.8.0_402\""), Some(8));
        assert_eq!(java_major("openjdk version \"25\" 2025-09-16"), Some(25));
        assert_eq!(java_major("openjdk version \"21-ea\" 2023-09-19"), Some(21));
        assert_eq!(java_major("no such thing"), None);
    }

    #[test]
    fn program_that_is_not_on_the_path_is_missing() {
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(
            on_path("mvn", Some(empty.path().as_os_str().to_owned())),
            None
        );
        assert_eq!(on_path("mvn", None), None);
    }
}
