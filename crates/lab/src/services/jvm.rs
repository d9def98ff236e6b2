//! How a Java service is started quickly: small heaps, one compiler tier, class data from an
//! archive.
//!
//! The numbers are measured: for runs of a minute, the full compiler and the parallel collector
//! cost more than they give. An archive fits exactly one Java build and one class path, in this
//! order, with these file times; if it does not fit, Java warns in the log and starts without it.

use std::path::{Path, PathBuf};

use crate::catalog::Logging;
use crate::error::LabError;
use crate::fetch::{Archives, PartDir};
use crate::privilege::Account;
use crate::spawn::Launch;

use super::Setup;

/// What to do about class-data archives.
#[derive(Debug, Clone)]
pub(crate) enum ClassData {
    /// Start from the archives in this folder.
    Use(PathBuf),
    /// Write archives into this folder when the service ends.
    Make(PathBuf),
}

/// A service that runs on Java.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program {
    /// Name of the service, its archive and its log.
    pub service: &'static str,
    /// Main class; its one argument is a properties file.
    pub main: &'static str,
    /// Heap. For broker and worker, half of the usual 256 is too little for a load, twice of it
    /// gives nothing.
    pub heap_mib: u32,
}

/// Java with a class path of Kafka's jars.
#[derive(Debug, Clone)]
pub(crate) struct Jvm {
    java: PathBuf,
    jars: Vec<String>,
    worker_leaves_out: Vec<String>,
    logging: Logging,
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
        Jvm::new(java, kafka, ClassData::Use(folder.clone()))
    }

    /// A given Java with the part's jars, in sorted order: archives depend on the order.
    pub(crate) fn new(
        java: &Path,
        kafka: &PartDir,
        class_data: ClassData,
    ) -> Result<Jvm, LabError> {
        let traits = kafka.part.kafka_traits()?;
        let libs = kafka.root.join("libs");
        let entries = std::fs::read_dir(&libs).map_err(LabError::io("read", &libs))?;
        let mut jars: Vec<String> = entries
            .flatten()
            .map(|entry| entry.path().display().to_string())
            .filter(|path| path.ends_with(".jar"))
            .collect();
        jars.sort();
        Ok(Jvm {
            java: java.to_owned(),
            jars,
            worker_leaves_out: traits.worker_leaves_out.clone(),
            logging: traits.logging,
            class_data,
        })
    }

    /// The same without the jars that a worker has no use for.
    pub(crate) fn for_worker(mut self) -> Jvm {
        let leaves_out = std::mem::take(&mut self.worker_leaves_out);
        self.jars.retain(|jar| {
            let name = jar.rsplit('/').next().unwrap_or(jar);
            !leaves_out.iter().any(|left_out| name.starts_with(left_out))
        });
        self
    }

    /// The launch of a program with one properties file, working in its own folder.
    pub(crate) fn launch(&self, program: Program, properties: &Path, setup: &Setup) -> Launch {
        let Program {
            service,
            main,
            heap_mib,
        } = program;
        let folder = properties.parent().unwrap_or(Path::new("/"));
        let archive = |folder: &Path| folder.join(format!("{service}.jsa")).display().to_string();
        let class_data = match &self.class_data {
            ClassData::Use(folder) => format!("-XX:SharedArchiveFile={}", archive(folder)),
            ClassData::Make(folder) => format!("-XX:ArchiveClassesAtExit={}", archive(folder)),
        };
        let logging = match self.logging {
            Logging::Log4j2 => "-Dlog4j2.configurationFile=log4j2.xml",
            Logging::Reload4j => "-Dlog4j.configuration=file:log4j.properties",
        };
        Launch::new(service, &self.java, folder, &setup.log(service))
            .args([format!("-Xms{heap_mib}m"), format!("-Xmx{heap_mib}m")])
            .args([
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:-UsePerfData",
            ])
            .args([class_data, "-Xshare:auto".to_owned()])
            .args(["-Djava.awt.headless=true", "-Djava.io.tmpdir=tmp"])
            .args([logging, "-cp", &self.jars.join(":"), main])
            .arg_path(properties)
            .account(setup.account())
    }

    /// What every Java service needs in its folder. Everything is logged to standard output, which
    /// is the log file.
    pub(crate) fn prepare_folder(
        &self,
        folder: &Path,
        account: Option<&Account>,
    ) -> Result<(), LabError> {
        crate::privilege::private_folder(&folder.join("tmp"), account)?;
        let (file, settings) = match self.logging {
            Logging::Log4j2 => ("log4j2.xml", include_str!("log4j2.xml")),
            Logging::Reload4j => ("log4j.properties", include_str!("log4j.properties")),
        };
        super::write(&folder.join(file), settings, account)
    }
}
