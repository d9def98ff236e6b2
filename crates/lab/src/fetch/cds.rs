//! What is made once per Kafka and Java: the format checkpoint and the class-data archives.
//!
//! Both come from the real programs: the format tool formats a throw-away folder, and broker and
//! worker start, serve, and write their archives while they end. Archives fit one Java build, so
//! they live in a folder named after it; another Java makes another one.

use std::path::Path;
use std::time::{Duration, Instant};

use cutover_model::EventSink;

use super::{Archives, PartDir};
use crate::catalog::{JavaMain, Metadata};
use crate::error::LabError;
use crate::home::Home;
use crate::host::{self, Java};
use crate::privilege;
use crate::services::Setup;
use crate::services::connect::{self, Connect, ConnectOptions};
use crate::services::jvm::{ClassData, Jvm};
use crate::services::kafka::{self, Kafka};
use crate::services::zookeeper::{self, ZooKeeper};
use crate::spawn::{self, Launch};

/// How long the format tool may take.
const FORMAT_DEADLINE: Duration = Duration::from_secs(120);
/// How long a Java process may take to write its archive while it ends.
const DUMP_DEADLINE: Duration = Duration::from_secs(300);

/// Makes sure that the part can start quickly with the Java of this machine.
pub(super) async fn ensure(
    home: &Home,
    dir: &PartDir,
    main: &JavaMain,
    events: &EventSink,
) -> Result<Archives, LabError> {
    let log = home.fetch_log(dir.part);
    let java = host::java(main.major, &log).await?;
    let hash = super::verify::sha256_of(java.banner.as_bytes());
    let folder = dir.root.join(format!("cds-{}", &hash[..12]));
    let archives = Archives {
        java: java.program.clone(),
        folder: folder.clone(),
    };
    if folder.join("ready").exists() {
        return Ok(archives);
    }
    let _lock = super::lock(home, &format!("{}-cds", dir.part.name()), events).await?;
    if folder.join("ready").exists() {
        return Ok(archives);
    }
    events.note(format!(
        "making class-data archives for {}",
        dir.part.label()
    ));
    let started = Instant::now();
    super::remove_if_there(&folder)?;
    privilege::private_folder(&folder, home.account())?;
    let own_metadata = dir.part.kafka_traits()?.metadata == Metadata::Kraft;
    if own_metadata && !dir.root.join(kafka::CHECKPOINT).exists() {
        format(home, dir, &java, &folder).await?;
    }
    let run = folder.join("run");
    privilege::private_folder(&run, home.account())?;
    let setup = Setup {
        home: home.clone(),
        folder: run.clone(),
        logs: folder.join("logs"),
    };
    make_archives(dir, &java, &folder, &setup).await?;
    super::remove_if_there(&run)?;
    privilege::public_folder(&folder)?;
    let stamp = folder.join("ready");
    std::fs::write(&stamp, &java.banner).map_err(LabError::io("write", &stamp))?;
    events.note(format!(
        "class-data archives are ready ({:.1} s)",
        started.elapsed().as_secs_f64()
    ));
    Ok(archives)
}

/// Lets the real tool format a folder, and keeps the one file that is the same for every cluster.
async fn format(home: &Home, dir: &PartDir, java: &Java, folder: &Path) -> Result<(), LabError> {
    let settings = folder.join("format.properties");
    let data = folder.join("format");
    let text = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n\
         listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}\n",
        data.display()
    );
    privilege::private_file(&settings, &text, home.account())?;
    let launch = Launch::new(
        "kafka format",
        &java.program,
        folder,
        &home.fetch_log(dir.part),
    )
    .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp"])
    .arg_path(&dir.root.join("libs/*"))
    .args([
        "kafka.tools.StorageTool",
        "format",
        "-t",
        &kafka::random_id(),
        "-c",
    ])
    .arg_path(&settings)
    .account(home.account());
    let end = spawn::run(launch, FORMAT_DEADLINE).await?;
    if !end.status.success() {
        return Err(LabError::ToolFailed {
            program: "kafka.tools.StorageTool".to_owned(),
            status: end.ended(),
            last_lines: end.last_lines(3),
        });
    }
    let (from, to) = (
        data.join(kafka::CHECKPOINT),
        dir.root.join(kafka::CHECKPOINT),
    );
    std::fs::copy(&from, &to).map_err(LabError::io("copy", &from))?;
    super::remove_if_there(&data)?;
    super::remove_if_there(&settings)
}

async fn make_archives(
    dir: &PartDir,
    java: &Java,
    folder: &Path,
    setup: &Setup,
) -> Result<(), LabError> {
    let traits = dir.part.kafka_traits()?;
    let jvm = Jvm::new(&java.program, dir, ClassData::Make(folder.to_owned()))?;
    let mut zookeeper = match traits.metadata {
        Metadata::Zookeeper => Some(ZooKeeper::create_with(setup, dir, jvm.clone())?),
        Metadata::Kraft => None,
    };
    let mut broker = Kafka::create_with(setup, dir, jvm.clone(), zookeeper.as_ref())?;
    let options = ConnectOptions::default();
    let mut worker = Connect::create_with(setup, (jvm, traits), broker.bootstrap(), options)?;
    if let Some(zookeeper) = &mut zookeeper {
        zookeeper.start()?;
        zookeeper.ready().await?;
    }
    broker.start()?;
    worker.start()?;
    broker.ready().await?;
    worker.ready().await?;
    // One after the other: a worker without its broker, or a broker without its ZooKeeper, would
    // wait for it instead of ending.
    worker.stop(DUMP_DEADLINE).await?;
    broker.stop(DUMP_DEADLINE).await?;
    let mut services = vec![kafka::NAME, connect::NAME];
    if let Some(zookeeper) = &mut zookeeper {
        zookeeper.stop(DUMP_DEADLINE).await?;
        services.push(zookeeper::NAME);
    }
    for name in services {
        let archive = folder.join(format!("{name}.jsa"));
        if !archive.exists() {
            let (part, reason) = (
                dir.part.label(),
                format!("it wrote no {}", archive.display()),
            );
            return Err(LabError::Broken {
                part,
                program: java.program.clone(),
                reason,
            });
        }
    }
    Ok(())
}
