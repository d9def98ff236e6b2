//! Where a part comes from, and what is done to it after fetching.

use serde::Deserialize;

/// Coordinates.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A Python wheel, by `python3 -m pip download`.
    Pip {
        /// Requirement with a pinned version.
        package: String,
        /// Python version whose wheel is wanted (it need not be installed).
        python: String,
        /// Platform tags to accept.
        platforms: Vec<String>,
        /// File name of the wheel.
        wheel: String,
        /// Hash of the wheel.
        sha256: String,
    },
    /// Debian packages of one suite, by `apt-get download`, with package lists of our own.
    Apt {
        /// Suite.
        suite: String,
        /// What is wanted; dependencies follow.
        packages: Vec<String>,
        /// Of the dependencies, those whose name starts like this are unpacked.
        keep: Vec<String>,
        /// … unless the name contains one of these.
        #[serde(default)]
        drop: Vec<String>,
    },
    /// Maven artefacts with their run-time dependencies.
    Maven {
        /// `group:artifact:version`.
        artifacts: Vec<String>,
        /// Folder below the part for the jars.
        folder: String,
        /// Artefact ids to leave out.
        #[serde(default)]
        exclude: Vec<String>,
    },
    /// A Maven artefact that is an archive, unpacked.
    Archive {
        /// `group:artifact:version:type:classifier`; the type is `tar.gz`.
        artifact: String,
        /// Folder below the part for its content.
        folder: String,
    },
    /// Some of the jars that a Python wheel carries.
    Jars {
        /// Requirement with a pinned version; the wheel is for any platform.
        package: String,
        /// File name of the wheel.
        wheel: String,
        /// Hash of the wheel.
        sha256: String,
        /// Folder below the part for the jars.
        folder: String,
        /// Those whose name starts like this.
        keep: Vec<String>,
    },
}

impl Source {
    /// The tool that fetches it.
    pub fn tool(&self) -> &'static str {
        match self {
            Source::Pip { .. } | Source::Jars { .. } => "pip",
            Source::Apt { .. } => "apt-get",
            Source::Maven { .. } | Source::Archive { .. } => "mvn",
        }
    }
}

/// A known repair.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Repair {
    /// Remove what breaks or belongs elsewhere.
    Remove {
        /// Why.
        why: String,
        /// Paths below the part; absent ones are fine.
        paths: Vec<String>,
    },
    /// Make programs use the libraries and the loader of the part itself.
    Relocate {
        /// Files, or folders of files, below the part.
        programs: Vec<String>,
    },
    /// Make the segment that shares a page with `.dynamic` writable.
    WritableDynamic {
        /// Why.
        why: String,
        /// Files, or folders of files, below the part.
        programs: Vec<String>,
    },
    /// Let files be executed; wheels lose that when they are unpacked.
    Executable {
        /// Files, or folders of files, below the part.
        programs: Vec<String>,
    },
    /// Write the jar that names a plug-in, for workers that look for plug-ins by their manifests only.
    Manifest {
        /// Why.
        why: String,
        /// The jar, below the part, in the plug-in's folder.
        jar: String,
        /// The kind of plug-in: a Java interface.
        service: String,
        /// Its classes.
        classes: Vec<String>,
    },
}
