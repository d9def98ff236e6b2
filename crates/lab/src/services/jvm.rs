//! How a Java service is started quickly: small heaps, one compiler tier, class data from an
//! archive.
//!
//! The numbers are measured: for runs of a minute, the full compiler and the parallel collector
//! cost more than they give. An archive fits exactly one Java build and one class path, in this
//! order, with these file times; if it does not fit, Java warns in the log and starts without it.

use std::path::{Path, PathBuf};

use crate::error::LabError;
use crate::fetch::{Archives, PartDir};
use crate::privilege::Account;
use crate::spawn::Launch;

use super::Setup;

/// Everything goes to standard output, which is the log file.
const LOGGING: &str = include_str!("log4j2.xml");
/// Heap of each service; half of it is too little for a load, twice of it gives nothing.
const HEAP_MIB: u32 = 256;

/// What to do about class-data archives.
#[derive(Debug, Clone)]
pub(crate) enum ClassData {
    /// Start from the archives in this folder.
    Use(PathBuf),
    /// Write archives into this folder when the service ends.
    Make(PathBuf),
}

/// Java with the class path of broker and worker.
#[derive(Debug, Clone)]
pub(crate) struct Jvm {
    java: PathBuf,
    class_path: String,
    class_data: ClassData,
}

impl Jvm {
    /// The Java of the part's archives.
    pub(crate) fn of(kafka: &PartDir) -> Result<Jvm, LabError> {
        let Some(Archives { java, folder }) = &kafka.archives else {
            return Err(LabError::Catalog {
                file: kafka.part.name(),
                reason: "it has no class-data archives".to_owned(),
            });
        };
        Jvm::new(java, &kafka.root, ClassData::Use(folder.clone()))
    }

    /// A given Java with the jars in `root/libs`, in sorted order: archives depend on the order.
    pub(crate) fn new(java: &Path, root: &Path, class_data: ClassData) -> Result<Jvm, LabError> {
        let libs = root.join("libs");
        let entries = std::fs::read_dir(&libs).map_err(LabError::io("read", &libs))?;
        let mut jars: Vec<String> = entries
            .flatten()
            .map(|entry| entry.path().display().to_string())
            .filter(|path| path.ends_with(".jar"))
            .collect();
        jars.sort();
        Ok(Jvm {
            java: java.to_owned(),
            class_path: jars.join(":"),
            class_data,
        })
    }

    /// The launch of a main class with one properties file, working in its own folder.
    pub(crate) fn launch(
        &self,
        service: &str,
        main: &str,
        properties: &Path,
        setup: &Setup,
    ) -> Launch {
        let folder = properties.parent().unwrap_or(Path::new("/"));
        let archive = |folder: &Path| folder.join(format!("{service}.jsa")).display().to_string();
        let class_data = match &self.class_data {
            ClassData::Use(folder) => format!("-XX:SharedArchiveFile={}", archive(folder)),
            ClassData::Make(folder) => format!("-XX:ArchiveClassesAtExit={}", archive(folder)),
        };
        Launch::new(service, &self.java, folder, &setup.log(service))
            .args([format!("-Xms{HEAP_MIB}m"), format!("-Xmx{HEAP_MIB}m")])
            .args([
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:-UsePerfData",
            ])
            .args([class_data, "-Xshare:auto".to_owned()])
            .args(["-Djava.awt.headless=true", "-Djava.io.tmpdir=tmp"])
            .args([
                "-Dlog4j2.configurationFile=log4j2.xml",
                "-cp",
                &self.class_path,
                main,
            ])
            .arg_path(properties)
            .account(setup.account())
    }
}

/// What every Java service needs in its folder.
pub(crate) fn prepare_folder(folder: &Path, account: Option<&Account>) -> Result<(), LabError> {
    crate::privilege::private_folder(&folder.join("tmp"), account)?;
    super::write(&folder.join("log4j2.xml"), LOGGING, account)
}
