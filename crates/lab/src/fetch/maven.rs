//! Kafka, Connect and Debezium, by Maven: `copy-dependencies` on a project that has nothing but
//! dependencies.
//!
//! The plug-in is named with its full coordinates, so that no version is guessed. The local
//! repository sits in the cache, where the user's own is neither read nor filled; the user's
//! settings (mirrors, proxies) still hold.

use std::fmt::Write;

use super::Job;
use crate::catalog::Source;
use crate::error::LabError;
use crate::host::{self, Need};

/// The goal, with the version that was tried.
const GOAL: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// The goal for one artefact without what it depends on.
pub(super) const COPY: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy";

/// Oldest Java that Maven itself runs on.
const MAVEN_JAVA: u32 = 8;

/// Fetches the artefacts with what they need at run time into the part's folder.
pub(super) async fn fetch(job: &Job<'_>) -> Result<(), LabError> {
    let Source::Maven {
        artifacts,
        folder,
        exclude,
    } = &job.part.source
    else {
        return Ok(());
    };
    // Asked before anything is downloaded: Maven needs Java too, and says so less clearly.
    let oldest = job.part.java.as_ref().map_or(MAVEN_JAVA, |main| main.major);
    host::java(oldest, &job.log).await?;
    let maven = Need::Maven.find()?;
    // Maven's local repository is not safe against two Mavens at once.
    let _lock = super::lock(job.home, "m2", job.events).await?;
    let repository = job.home.cache().join("m2");
    let project = job.work().join("pom.xml");
    std::fs::write(&project, pom(&job.part.name(), artifacts)?)
        .map_err(LabError::io("write", &project))?;
    let mut launch = job
        .tool("mvn", &maven, &job.work())
        .args(["-q", "-B", "-Dstyle.color=never"])
        .args([format!("-Dmaven.repo.local={}", repository.display())])
        .args([GOAL, "-DincludeScope=runtime", "-f", "pom.xml"])
        .args([format!(
            "-DoutputDirectory={}",
            job.root.join(folder).display()
        )]);
    if !exclude.is_empty() {
        launch = launch.args([format!("-DexcludeArtifactIds={}", exclude.join(","))]);
    }
    job.run(launch, "mvn", &repository).await?;
    Ok(())
}

/// The project: coordinates and nothing else.
fn pom(name: &str, artifacts: &[String]) -> Result<String, LabError> {
    let mut dependencies = String::new();
    for artifact in artifacts {
        let mut parts = artifact.splitn(3, ':');
        let (Some(group), Some(id), Some(version)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(LabError::Catalog {
                file: name.to_owned(),
                reason: format!("'{artifact}' is not group:artifact:version"),
            });
        };
        // Writing to a string cannot fail.
        let _ = writeln!(
            dependencies,
            "    <dependency><groupId>{group}</groupId><artifactId>{id}</artifactId>\
             <version>{version}</version></dependency>"
        );
    }
    Ok(format!(
        "<project>\n  <modelVersion>4.0.0</modelVersion>\n  <groupId>cutover</groupId>\n  \
         <artifactId>{name}</artifactId>\n  <version>1</version>\n  <packaging>pom</packaging>\n  \
         <dependencies>\n{dependencies}  </dependencies>\n</project>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn project_names_each_artefact_with_its_version() {
        let text = pom("kafka-1", &["g.h:a_2.13:4.3.1".to_owned()]).unwrap();
        let expected =
            "<groupId>g.h</groupId><artifactId>a_2.13</artifactId><version>4.3.1</version>";
        assert!(text.contains(expected), "{text}");
        assert!(pom("x", &["only:two".to_owned()]).is_err());
    }
}
