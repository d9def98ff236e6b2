//! One Kafka Connect worker, distributed: offsets, configuration and status live in Kafka.
//!
//! ```text
//! <life>/connect/ connect.properties log4j2.xml tmp/
//! ```
//! It sees one plug-in folder, Debezium's, and looks for plug-ins by their manifests only: scanning
//! everything costs four seconds and half a gigabyte. The REST interface listens on loopback;
//! connector passwords travel through it and into Kafka's configuration topic, and nowhere else.

use std::path::PathBuf;
use std::time::Duration;

use cutover_clients::wait::Poll;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::jvm::{self, Jvm};
use super::{LOOPBACK, ServiceInfo, Setup, kafka};
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::ports::{self, PortLease};
use crate::spawn::{self, Child, Stopped};

/// Name of the service, its folder and its log.
pub const NAME: &str = "connect";

/// What a worker may be told. The defaults suit a rehearsal.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// How often source offsets are stored: this bounds how long a drain takes to prove.
    pub offset_flush: Duration,
    /// Whether connectors may ask for exactly-once delivery.
    pub exactly_once: bool,
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions {
            offset_flush: Duration::from_millis(250),
            exactly_once: false,
        }
    }
}

/// A worker, running or not. Its port stays its own while it is stopped.
#[derive(Debug)]
pub struct Connect {
    child: Option<Child>,
    folder: PathBuf,
    label: String,
    plugins: PathBuf,
    jvm: Jvm,
    setup: Setup,
    bootstrap: String,
    options: ConnectOptions,
    rest: PortLease,
}

impl Connect {
    /// Configures a new worker. Nothing runs yet.
    pub fn create(
        setup: &Setup,
        kafka_part: &PartDir,
        debezium: &PartDir,
        broker: &kafka::Kafka,
        options: ConnectOptions,
    ) -> Result<Connect, LabError> {
        let jvm = Jvm::of(kafka_part)?;
        let mut connect = Connect::create_with(setup, jvm, broker.bootstrap(), options)?;
        connect.swap_plugin(debezium)?;
        Ok(connect)
    }

    pub(crate) fn create_with(
        setup: &Setup,
        jvm: Jvm,
        bootstrap: String,
        options: ConnectOptions,
    ) -> Result<Connect, LabError> {
        let folder = setup.service_folder(NAME)?;
        jvm::prepare_folder(&folder, setup.account())?;
        let plugins = folder.join("no-plugins");
        crate::privilege::private_folder(&plugins, setup.account())?;
        Ok(Connect {
            child: None,
            folder,
            label: "connect".to_owned(),
            plugins,
            jvm,
            setup: setup.clone(),
            bootstrap,
            options,
            rest: ports::lease(&setup.home)?,
        })
    }

    /// Uses another Debezium from the next start on.
    pub fn swap_plugin(&mut self, debezium: &PartDir) -> Result<(), LabError> {
        super::require_stopped(NAME, &mut self.child)?;
        self.plugins = debezium.root.join("plugins");
        self.label = format!("connect with {}", debezium.part.label());
        Ok(())
    }

    fn settings(&self) -> String {
        let port = self.rest.port();
        let flag = |value: bool| if value { "enabled" } else { "disabled" }.to_owned();
        let json = || "org.apache.kafka.connect.json.JsonConverter".to_owned();
        let one = || "1".to_owned();
        super::properties(&[
            ("bootstrap.servers", self.bootstrap.clone()),
            ("group.id", "connect".to_owned()),
            ("config.storage.topic", "connect-configs".to_owned()),
            ("offset.storage.topic", "connect-offsets".to_owned()),
            ("status.storage.topic", "connect-status".to_owned()),
            ("config.storage.replication.factor", one()),
            ("offset.storage.replication.factor", one()),
            ("status.storage.replication.factor", one()),
            ("offset.storage.partitions", one()),
            ("status.storage.partitions", one()),
            ("key.converter", json()),
            ("value.converter", json()),
            ("key.converter.schemas.enable", "false".to_owned()),
            ("value.converter.schemas.enable", "false".to_owned()),
            ("listeners", format!("http://{LOOPBACK}:{port}")),
            ("rest.advertised.host.name", LOOPBACK.to_owned()),
            ("rest.advertised.port", port.to_string()),
            ("plugin.path", self.plugins.display().to_string()),
            ("plugin.discovery", "service_load".to_owned()),
            (
                "offset.flush.interval.ms",
                self.options.offset_flush.as_millis().to_string(),
            ),
            // By default a lost worker's tasks rest for five minutes.
            ("scheduled.rebalance.max.delay.ms", "0".to_owned()),
            ("session.timeout.ms", "4000".to_owned()),
            ("heartbeat.interval.ms", "1000".to_owned()),
            (
                "exactly.once.source.support",
                flag(self.options.exactly_once),
            ),
            ("producer.transaction.timeout.ms", "10000".to_owned()),
        ])
    }

    /// Starts the process and returns at once; [`Connect::ready`] tells when it serves. The broker
    /// may still be starting: the worker waits for it, and both together take less time than one
    /// after the other.
    pub fn start(&mut self) -> Result<(), LabError> {
        super::require_stopped(NAME, &mut self.child)?;
        let file = self.folder.join("connect.properties");
        super::write(&file, &self.settings(), self.setup.account())?;
        let main = "org.apache.kafka.connect.cli.ConnectDistributed";
        let launch = self.jvm.launch(NAME, main, &file, &self.setup);
        self.child = Some(spawn::spawn(&launch)?);
        Ok(())
    }

    /// Waits until the worker says that it is healthy, which means that it has joined its group.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        let port = self.rest.port();
        let child = super::running(NAME, &mut self.child)?;
        super::until_ready(NAME, child, async || {
            match get_status(port, "/health").await {
                Ok(200) => Poll::Ready(()),
                Ok(code) => Poll::NotYet(format!("GET /health answers {code}")),
                Err(error) => Poll::NotYet(error.to_string()),
            }
        })
        .await
    }

    /// Stops it in order: its tasks store their offsets.
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

    /// Address of the REST interface.
    pub fn url(&self) -> String {
        format!("http://{LOOPBACK}:{}", self.rest.port())
    }

    /// For status.
    pub fn info(&self) -> ServiceInfo {
        ServiceInfo {
            name: NAME.to_owned(),
            part: self.label.clone(),
            pid: self.child.as_ref().map(Child::pid),
            ports: vec![self.rest.port()],
            log: self.setup.log(NAME),
            folder: self.folder.clone(),
        }
    }
}

/// Status code of a GET. One line of HTTP, so that readiness needs no client that could retry by
/// itself.
async fn get_status(port: u16, path: &str) -> std::io::Result<u16> {
    let mut stream = TcpStream::connect((LOOPBACK, port)).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = [0_u8; 12]; // "HTTP/1.1 200"
    stream.read_exact(&mut line).await?;
    std::str::from_utf8(&line)
        .ok()
        .and_then(|text| text.strip_prefix("HTTP/1.1 ")?.parse().ok())
        .ok_or_else(|| std::io::Error::other("the answer is not HTTP"))
}
