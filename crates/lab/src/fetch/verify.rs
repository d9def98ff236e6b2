//! What arrived is what the catalog describes, and it runs here.
//!
//! Programs are asked as the user who will run them later, which also proves that this user can
//! reach them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::Job;
use crate::error::LabError;
use crate::spawn::{self, Launch};
use crate::{host, privilege};

/// How long a program may take to tell its version.
const VERSION_DEADLINE: Duration = Duration::from_secs(60);

/// Checks known files and every program; returns the version they tell.
pub(super) async fn check(job: &Job<'_>) -> Result<String, LabError> {
    privilege::check_reachable(job.root, job.home.account())?;
    for file in &job.part.files {
        let path = job.root.join(&file.path);
        let checked = expect_sha256(&path, &file.sha256).await;
        if checked.is_err() {
            forget_in_repository(job, &path)?;
        }
        checked?;
    }
    let mut version = job.part.version.clone();
    if let Some(postgres) = &job.part.postgres {
        let bin = job.root.join(&postgres.tree).join("bin");
        for program in files_in(&bin)?
            .into_iter()
            .filter(|file| host::is_executable(file))
        {
            let printed = ask(job, &program, &["--version".to_owned()]).await?;
            expect_text(job, &program, &printed, &postgres.programs_print)?;
            if let Some(told) = server_version(&printed) {
                version = told;
            }
        }
        if !bin.join("postgres").exists() {
            let (part, reason) = (job.part.label(), "it is absent".to_owned());
            return Err(LabError::Broken {
                part,
                program: bin.join("postgres"),
                reason,
            });
        }
    }
    for check in &job.part.checks {
        let program = job.root.join(&check.program);
        let printed = ask(job, &program, &check.args).await?;
        expect_text(job, &program, &printed, &check.prints)?;
    }
    if let Some(main) = &job.part.java {
        let java = host::java(main.major, &job.log).await?;
        let libs = job.root.join("libs").join("*");
        let args = [
            "-Xmx64m".to_owned(),
            "-cp".to_owned(),
            libs.display().to_string(),
            main.main.clone(),
        ];
        let args: Vec<String> = args.into_iter().chain(["--version".to_owned()]).collect();
        let printed = ask(job, &java.program, &args).await?;
        expect_text(job, &java.program, &printed, &main.prints)?;
    }
    Ok(version)
}

/// `16.14` of `postgres (PostgreSQL) 16.14 (Debian …)`.
fn server_version(printed: &str) -> Option<String> {
    let rest = printed.strip_prefix("postgres (PostgreSQL) ")?;
    rest.split_whitespace().next().map(str::to_owned)
}

async fn ask(job: &Job<'_>, program: &Path, args: &[String]) -> Result<String, LabError> {
    let launch = Launch::new("version check", program, job.root, &job.log)
        .args(args)
        .account(job.home.account());
    let broken = |reason| LabError::Broken {
        part: job.part.label(),
        program: program.to_owned(),
        reason,
    };
    let end = match spawn::run(launch, VERSION_DEADLINE).await {
        Err(LabError::Spawn { source, .. }) => return Err(broken(source.to_string())),
        other => other?,
    };
    if end.status.success() {
        Ok(end.output)
    } else {
        Err(broken(format!("{}: {}", end.ended(), end.last_lines(2))))
    }
}

fn expect_text(
    job: &Job<'_>,
    program: &Path,
    printed: &str,
    expected: &str,
) -> Result<(), LabError> {
    if printed.contains(expected) {
        return Ok(());
    }
    Err(LabError::Broken {
        part: job.part.label(),
        program: program.to_owned(),
        reason: format!("it prints '{}', expected '{expected}'", printed.trim()),
    })
}

/// Removes a damaged jar from Maven's repository too, or it would be copied again.
fn forget_in_repository(job: &Job<'_>, jar: &Path) -> Result<(), LabError> {
    let mut folders = vec![job.home.cache().join("m2")];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if Some(entry.file_name().as_os_str()) == jar.file_name() {
                super::remove_if_there(&folder)?;
                break;
            }
        }
    }
    Ok(())
}

/// Fails, and removes the file, unless its hash is the expected one.
pub(super) async fn expect_sha256(path: &Path, expected: &str) -> Result<(), LabError> {
    let found = sha256(path).await?;
    if found == expected {
        return Ok(());
    }
    super::remove_if_there(path)?;
    Err(LabError::Corrupt {
        file: path.to_owned(),
        expected: expected.to_owned(),
        found,
    })
}

/// Hash of a file, in lower-case hexadecimal; of an absent file, the word `absent`.
pub(super) async fn sha256(path: &Path) -> Result<String, LabError> {
    let path = path.to_owned();
    let hashed = tokio::task::spawn_blocking(move || {
        let mut file = match std::fs::File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok("absent".to_owned());
            }
            other => other.map_err(LabError::io("open", &path))?,
        };
        let mut hasher = Sha256::new();
        let mut buffer = vec![0_u8; 256 * 1024];
        loop {
            match file
                .read(&mut buffer)
                .map_err(LabError::io("read", &path))?
            {
                0 => return Ok(hex(&hasher.finalize())),
                read => hasher.update(&buffer[..read]),
            }
        }
    });
    hashed.await.unwrap_or_else(|error| {
        Err(LabError::io("read", "a file to hash")(
            std::io::Error::other(error),
        ))
    })
}

/// Hash of bytes.
pub(super) fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Regular files (and links) in a folder, by name.
pub(super) fn files_in(folder: &Path) -> Result<Vec<PathBuf>, LabError> {
    let entries = std::fs::read_dir(folder).map_err(LabError::io("read", folder))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !path.is_dir())
        .collect();
    files.sort();
    Ok(files)
}

/// Programs named by a catalog entry: files, or every file of a folder.
pub(super) fn programs_at(root: &Path, names: &[String]) -> Result<Vec<PathBuf>, LabError> {
    let mut programs = Vec::new();
    for name in names {
        let path = root.join(name);
        if path.is_dir() {
            programs.extend(files_in(&path)?);
        } else {
            programs.push(path);
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutover_model::{Classified, ExitCode};

    #[test]
    fn version_is_read_from_every_build() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(server_version(debian).as_deref(), Some("15.18"));
        assert_eq!(server_version("initdb (PostgreSQL) 16.2"), None);
    }

    #[tokio::test]
    async fn damaged_file_is_refused_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("wheel");
        std::fs::write(&file, "not a wheel").unwrap();
        let error = expect_sha256(&file, &"0".repeat(64)).await.unwrap_err();
        assert_eq!(error.code(), "LAB-FETCH-002");
        assert_eq!(error.exit_code(), ExitCode::Unreachable);
        assert!(!file.exists());
    }

    #[tokio::test]
    async fn file_with_the_known_content_passes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("abc");
        std::fs::write(&file, "abc").unwrap();
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        expect_sha256(&file, hash).await.unwrap();
        assert_eq!(sha256_of(b"abc"), hash);
    }
}
