//! ZooKeeper, for brokers that do not keep their metadata themselves.
//!
//! ```text
//! <life>/zookeeper/ zookeeper.properties log4j.properties tmp/ data/
//! ```
//! One server, loopback only, without its administration page, which would take port 8080. It is up
//! before its broker starts and goes down after it: a broker that has lost its ZooKeeper does not
//! end in order.

use std::path::PathBuf;
use std::time::Duration;

use cutover_clients::wait::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::jvm::{Jvm, Program};
use super::{LOOPBACK, ServiceInfo, Setup, kafka};
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::ports::{self, PortLease};
use crate::spawn::{self, Child, Stopped};

/// Name of the service, its folder and its log.
pub const NAME: &str = "zookeeper";
const PROGRAM: Program = Program {
    service: NAME,
    main: "org.apache.zookeeper.server.quorum.QuorumPeerMain",
    heap_mib: 64,
};

/// A ZooKeeper server, running or not. Its port stays its own while it is stopped.
#[derive(Debug)]
pub struct ZooKeeper {
    child: Option<Child>,
    folder: PathBuf,
    label: String,
    jvm: Jvm,
    setup: Setup,
    client: PortLease,
}

impl ZooKeeper {
    /// Configures a new server. Nothing runs yet.
    pub fn create(setup: &Setup, part: &PartDir) -> Result<ZooKeeper, LabError> {
        ZooKeeper::create_with(setup, part, Jvm::of(part)?)
    }

    pub(crate) fn create_with(
        setup: &Setup,
        part: &PartDir,
        jvm: Jvm,
    ) -> Result<ZooKeeper, LabError> {
        let folder = setup.service_folder(NAME)?;
        let account = setup.account();
        jvm.prepare_folder(&folder, account)?;
        crate::privilege::private_folder(&folder.join("data"), account)?;
        let zookeeper = ZooKeeper {
            child: None,
            folder,
            label: format!("zookeeper of {}", part.part.label()),
            jvm,
            setup: setup.clone(),
            client: ports::lease(&setup.home)?,
        };
        super::write(&zookeeper.properties(), &zookeeper.settings(), account)?;
        Ok(zookeeper)
    }

    fn properties(&self) -> PathBuf {
        self.folder.join("zookeeper.properties")
    }

    fn settings(&self) -> String {
        super::properties(&[
            ("dataDir", self.folder.join("data").display().to_string()),
            ("clientPort", self.client.port().to_string()),
            ("clientPortAddress", LOOPBACK.to_owned()),
            ("admin.enableServer", "false".to_owned()),
            ("maxClientCnxns", "0".to_owned()),
            // A session may last two to twenty ticks; the broker asks for three seconds.
            ("tickTime", "500".to_owned()),
            ("4lw.commands.whitelist", "srvr".to_owned()),
        ])
    }

    /// Starts the process and returns at once; [`ZooKeeper::ready`] tells when it serves.
    pub fn start(&mut self) -> Result<(), LabError> {
        super::require_stopped(NAME, &mut self.child)?;
        let launch = self.jvm.launch(PROGRAM, &self.properties(), &self.setup);
        self.child = Some(spawn::spawn(&launch)?);
        Ok(())
    }

    /// Waits until the server says in which mode it serves.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        let port = self.client.port();
        let child = super::running(NAME, &mut self.child)?;
        super::until_ready(NAME, child, async || match server_state(port).await {
            Ok(state) if state.contains("Mode:") => Poll::Ready(()),
            Ok(state) => Poll::NotYet(format!("it answers '{}'", state.trim())),
            Err(error) => Poll::NotYet(error.to_string()),
        })
        .await
    }

    /// Stops it in order.
    pub async fn stop(&mut self, deadline: Duration) -> Result<Option<Stopped>, LabError> {
        kafka::stop(&mut self.child, deadline).await
    }

    /// Kills it, as a fault.
    pub async fn kill(&mut self) -> Result<(), LabError> {
        kafka::kill(&mut self.child).await
    }

    /// Fails if it has ended by itself.
    pub fn check_alive(&mut self) -> Result<(), LabError> {
        super::running(NAME, &mut self.child)?.check_alive()
    }

    /// `host:port` for its broker.
    pub fn address(&self) -> String {
        format!("{LOOPBACK}:{}", self.client.port())
    }

    /// For status.
    pub fn info(&self) -> ServiceInfo {
        ServiceInfo {
            name: NAME.to_owned(),
            part: self.label.clone(),
            pid: self.child.as_ref().map(Child::pid),
            ports: vec![self.client.port()],
            log: self.setup.log(NAME),
            folder: self.folder.clone(),
        }
    }
}

/// The answer to ZooKeeper's own four-letter question.
async fn server_state(port: u16) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((LOOPBACK, port)).await?;
    stream.write_all(b"srvr").await?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).await?;
    Ok(answer)
}
