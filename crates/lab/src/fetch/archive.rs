//! Programs that come whole, as an archive among Maven's artefacts.
//!
//! Maven only downloads; Python unpacks, because it does that everywhere alike.

use std::time::Duration;

use super::Job;
use super::maven::COPY;
use crate::catalog::Source;
use crate::error::LabError;
use crate::host::{self, Need};
use crate::spawn;

/// Oldest Java that Maven itself runs on.
const MAVEN_JAVA: u32 = 8;

/// Fetches the archive and unpacks it into the part's folder.
pub(super) async fn fetch(job: &Job<'_>) -> Result<(), LabError> {
    let Source::Archive { artifact, folder } = &job.part.source else {
        return Ok(());
    };
    host::java(MAVEN_JAVA, &job.log).await?;
    let (maven, python) = (Need::Maven.find()?, Need::Python.find()?);
    // Maven's local repository is not safe against two Mavens at once.
    let _lock = super::lock(job.home, "m2", job.events).await?;
    let repository = job.home.cache().join("m2");
    let launch = job
        .tool("mvn", &maven, &job.work())
        .args(["-q", "-B", "-Dstyle.color=never"])
        .args([format!("-Dmaven.repo.local={}", repository.display())])
        .args([COPY.to_owned(), format!("-Dartifact={artifact}")])
        .args(["-DoutputDirectory=.", "-Dmdep.useBaseVersion=true"]);
    job.run(launch, "mvn", &repository).await?;
    let content = job.root.join(folder);
    std::fs::create_dir_all(&content).map_err(LabError::io("create", &content))?;
    let unpack = job
        .tool("python3", &python, &job.work())
        .args(["-m", "tarfile", "-e"])
        .arg_path(&job.work().join(file_name(job, artifact)?))
        .arg_path(&content);
    let end = spawn::run(unpack, Duration::from_secs(300)).await?;
    if !end.status.success() {
        return Err(job.failed("python3 -m tarfile", &end));
    }
    Ok(())
}

/// What Maven calls the file: `artifact-version-classifier.type`.
fn file_name(job: &Job<'_>, artifact: &str) -> Result<String, LabError> {
    let parts: Vec<&str> = artifact.split(':').collect();
    let [_, id, version, kind, classifier] = parts[..] else {
        return Err(LabError::Catalog {
            file: job.part.name(),
            reason: format!("'{artifact}' is not group:artifact:version:type:classifier"),
        });
    };
    Ok(format!("{id}-{version}-{classifier}.{kind}"))
}
