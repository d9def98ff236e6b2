//! One Kafka broker: its own controller (KRaft), or beside a ZooKeeper where its version needs one.
//!
//! ```text
//! <life>/kafka/ server.properties log4j2.xml tmp/
//!              data/{meta.properties,bootstrap.checkpoint,<topic>-<n>/…}
//! ```
//! A KRaft broker is formatted without a Java process: two ids of our own and the checkpoint that
//! the real format tool wrote when the part was fetched. The settings keep one node from waiting
//! for others that will never come.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cutover_clients::wait::Poll;
use nix::sys::signal::Signal;
use rand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::jvm::{Jvm, Program};
use super::zookeeper::ZooKeeper;
use super::{LOOPBACK, ServiceInfo, Setup};
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::ports::{self, PortLease};
use crate::privilege::Account;
use crate::spawn::{self, Child, Stopped};

/// Name of the service, its folder and its log.
pub const NAME: &str = "kafka";
/// Written by the real format tool at fetch; holds feature levels only.
pub(crate) const CHECKPOINT: &str = "bootstrap.checkpoint";

const PROGRAM: Program = Program {
    service: NAME,
    main: "kafka.Kafka",
    heap_mib: 256,
};
/// How often a broker is started again that ended because ZooKeeper still knew its killed
/// predecessor. A start takes a second, ZooKeeper's patience three.
const STARTS_MAX: u32 = 8;

/// A broker, running or not. Its ports stay its own while it is stopped.
#[derive(Debug)]
pub struct Kafka {
    child: Option<Child>,
    folder: PathBuf,
    label: String,
    jvm: Jvm,
    setup: Setup,
    client: PortLease,
    metadata: Keeper,
}

/// Who keeps the metadata.
#[derive(Debug)]
enum Keeper {
    /// The broker itself, on a port of its own.
    Controller(PortLease),
    /// The ZooKeeper at this address.
    ZooKeeper(String),
}

impl Kafka {
    /// Makes a new broker. Nothing runs yet.
    pub fn create(
        setup: &Setup,
        part: &PartDir,
        zookeeper: Option<&ZooKeeper>,
    ) -> Result<Kafka, LabError> {
        Kafka::create_with(setup, part, Jvm::of(part)?, zookeeper)
    }

    pub(crate) fn create_with(
        setup: &Setup,
        part: &PartDir,
        jvm: Jvm,
        zookeeper: Option<&ZooKeeper>,
    ) -> Result<Kafka, LabError> {
        let folder = setup.service_folder(NAME)?;
        let account = setup.account();
        jvm.prepare_folder(&folder, account)?;
        let data = folder.join("data");
        crate::privilege::private_folder(&data, account)?;
        let metadata = match zookeeper {
            Some(zookeeper) => Keeper::ZooKeeper(zookeeper.address()),
            None => {
                format(part, &data, account)?;
                Keeper::Controller(ports::lease(&setup.home)?)
            }
        };
        let kafka = Kafka {
            child: None,
            folder,
            label: part.part.label(),
            jvm,
            setup: setup.clone(),
            client: ports::lease(&setup.home)?,
            metadata,
        };
        super::write(&kafka.properties(), &kafka.settings(), account)?;
        Ok(kafka)
    }

    fn properties(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    fn settings(&self) -> String {
        let client = format!("PLAINTEXT://{LOOPBACK}:{}", self.client.port());
        let one = || "1".to_owned();
        let metadata = match &self.metadata {
            Keeper::Controller(port) => own_controller(&client, port.port()),
            Keeper::ZooKeeper(address) => super::properties(&[
                ("broker.id", one()),
                ("zookeeper.connect", address.clone()),
                // So long a killed broker stays registered, and its successor cannot start.
                ("zookeeper.session.timeout.ms", "3000".to_owned()),
                ("listeners", client.clone()),
            ]),
        };
        let common = super::properties(&[
            ("advertised.listeners", client),
            ("log.dirs", self.folder.join("data").display().to_string()),
            ("num.partitions", one()),
            ("default.replication.factor", one()),
            ("offsets.topic.replication.factor", one()),
            ("offsets.topic.num.partitions", one()),
            ("transaction.state.log.replication.factor", one()),
            ("transaction.state.log.min.isr", one()),
            ("transaction.state.log.num.partitions", one()),
            // A worker killed inside a transaction would otherwise block its successor for a
            // minute.
            (
                "transaction.abort.timed.out.transaction.cleanup.interval.ms",
                "1000".to_owned(),
            ),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("group.min.session.timeout.ms", "1000".to_owned()),
            // The default of 128 MiB is allocated at boot.
            ("log.cleaner.dedupe.buffer.size", "4194304".to_owned()),
            ("log.cleaner.io.buffer.size", "65536".to_owned()),
            ("num.network.threads", "2".to_owned()),
            ("num.io.threads", "4".to_owned()),
            ("background.threads", "2".to_owned()),
            ("auto.create.topics.enable", "true".to_owned()),
        ]);
        metadata + &common
    }

    /// Starts the process and returns at once; [`Kafka::ready`] tells when it serves.
    pub fn start(&mut self) -> Result<(), LabError> {
        super::require_stopped(NAME, &mut self.child)?;
        let launch = self.jvm.launch(PROGRAM, &self.properties(), &self.setup);
        self.child = Some(spawn::spawn(&launch)?);
        Ok(())
    }

    /// Waits until the broker answers a request. One that ended because ZooKeeper still holds the
    /// registration of its killed predecessor is started again until that has expired.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        let mut starts = 1;
        loop {
            let error = match self.answered().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if starts == STARTS_MAX || !self.met_its_predecessor() {
                return Err(error);
            }
            starts += 1;
            self.start()?;
        }
    }

    async fn answered(&mut self) -> Result<(), LabError> {
        let port = self.client.port();
        let child = super::running(NAME, &mut self.child)?;
        super::until_ready(NAME, child, async || match api_versions(port).await {
            Ok(0) => Poll::Ready(()),
            Ok(code) => Poll::NotYet(format!("it answers with error code {code}")),
            Err(error) => Poll::NotYet(error.to_string()),
        })
        .await
    }

    fn met_its_predecessor(&mut self) -> bool {
        let ended = |child: &mut Child| {
            child.try_wait().is_some() && child.output().contains("NodeExistsException")
        };
        matches!(self.metadata, Keeper::ZooKeeper(_)) && self.child.as_mut().is_some_and(ended)
    }

    /// Stops it in order.
    pub async fn stop(&mut self, deadline: Duration) -> Result<Option<Stopped>, LabError> {
        stop(&mut self.child, deadline).await
    }

    /// Kills it, as a fault.
    pub async fn kill(&mut self) -> Result<(), LabError> {
        kill(&mut self.child).await
    }

    /// Fails if it has ended by itself.
    pub fn check_alive(&mut self) -> Result<(), LabError> {
        super::running(NAME, &mut self.child)?.check_alive()
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        format!("{LOOPBACK}:{}", self.client.port())
    }

    /// For status.
    pub fn info(&self) -> ServiceInfo {
        let mut ports = vec![self.client.port()];
        if let Keeper::Controller(port) = &self.metadata {
            ports.push(port.port());
        }
        ServiceInfo {
            name: NAME.to_owned(),
            part: self.label.clone(),
            pid: self.child.as_ref().map(Child::pid),
            ports,
            log: self.setup.log(NAME),
            folder: self.folder.clone(),
        }
    }
}

/// What the real format tool would write.
fn format(part: &PartDir, data: &Path, account: Option<&Account>) -> Result<(), LabError> {
    let ids = [("cluster.id", random_id()), ("directory.id", random_id())];
    let fixed = [("node.id", "1".to_owned()), ("version", "1".to_owned())];
    let meta = super::properties(&ids) + &super::properties(&fixed);
    super::write(&data.join("meta.properties"), &meta, account)?;
    let (from, to) = (part.root.join(CHECKPOINT), data.join(CHECKPOINT));
    std::fs::copy(&from, &to).map_err(LabError::io("copy", &from))?;
    crate::privilege::give(&to, account)
}

/// Settings of a broker that is its own controller.
fn own_controller(client: &str, port: u16) -> String {
    let one = || "1".to_owned();
    super::properties(&[
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", one()),
        ("controller.quorum.voters", format!("1@{LOOPBACK}:{port}")),
        (
            "listeners",
            format!("{client},CONTROLLER://{LOOPBACK}:{port}"),
        ),
        (
            "listener.security.protocol.map",
            "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned(),
        ),
        ("controller.listener.names", "CONTROLLER".to_owned()),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        // With the default of 9 s, a killed broker waits 10 s for its own dead registration to
        // expire.
        ("broker.session.timeout.ms", "3000".to_owned()),
        ("broker.heartbeat.interval.ms", "500".to_owned()),
        ("share.coordinator.state.topic.replication.factor", one()),
        ("share.coordinator.state.topic.min.isr", one()),
        ("share.coordinator.state.topic.num.partitions", one()),
    ])
}

/// Asks a Java service to end, and forgets it once it has.
pub(super) async fn stop(
    child: &mut Option<Child>,
    deadline: Duration,
) -> Result<Option<Stopped>, LabError> {
    let Some(running) = child.as_mut() else {
        return Ok(None);
    };
    let stopped = running.stop(Signal::SIGTERM, deadline).await?;
    *child = None;
    Ok(Some(stopped))
}

/// Kills a service the hard way.
pub(super) async fn kill(child: &mut Option<Child>) -> Result<(), LabError> {
    if let Some(running) = child.as_mut() {
        running
            .stop(Signal::SIGKILL, Duration::from_secs(10))
            .await?;
    }
    *child = None;
    Ok(())
}

/// Sixteen random bytes as Kafka writes ids. A leading dash would look like an option to Kafka's
/// tools.
pub(crate) fn random_id() -> String {
    loop {
        let mut bytes = [0_u8; 16];
        rand::rng().fill_bytes(&mut bytes);
        let text = URL_SAFE_NO_PAD.encode(bytes);
        if !text.starts_with('-') {
            return text;
        }
    }
}

/// The smallest question that a broker answers: which requests do you know? Returns its error code.
async fn api_versions(port: u16) -> std::io::Result<i16> {
    const CLIENT: &[u8] = b"cutover-lab";
    let mut request = Vec::new();
    request.extend(18_i16.to_be_bytes()); // ApiVersions
    request.extend(0_i16.to_be_bytes()); // version 0, which every broker answers
    request.extend(1_i32.to_be_bytes()); // correlation id
    request.extend((CLIENT.len() as i16).to_be_bytes());
    request.extend(CLIENT);
    let mut stream = TcpStream::connect((LOOPBACK, port)).await?;
    stream
        .write_all(&(request.len() as i32).to_be_bytes())
        .await?;
    stream.write_all(&request).await?;
    // Length, correlation id, error code; the list that follows is not read.
    let mut answer = [0_u8; 10];
    stream.read_exact(&mut answer).await?;
    Ok(i16::from_be_bytes([answer[8], answer[9]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_that_kafka_reads() {
        for _ in 0..200 {
            let id = random_id();
            assert_eq!(id.len(), 22);
            assert!(!id.starts_with('-'));
        }
    }
}
