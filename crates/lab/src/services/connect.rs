//! One Kafka Connect worker, distributed: offsets, configuration and status live in Kafka.
//!
//! ```text
//! <life>/connect/ connect.properties log4j2.xml tmp/
//! ```
//! It sees one plug-in folder, Debezium's, and that of a converter if there is one, and looks for
//! plug-ins by their manifests only, where worker and plug-in have that: scanning everything costs
//! seconds and some hundred MiB. Each plug-in has a folder of its own in it, so that the libraries
//! of one do not stand in the way of another's. The REST
//! interface listens on loopback; connector passwords travel through it and into Kafka's
//! configuration topic, and nowhere else.

use std::path::PathBuf;
use std::time::Duration;

use cutover_clients::wait::Poll;
use nix::sys::signal::Signal;

use super::http::get;
use super::jvm::{Jvm, Program};
use super::{LOOPBACK, ServiceInfo, Setup, kafka};
use crate::catalog::KafkaTraits;
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::ports::{self, PortLease};
use crate::spawn::{self, Child, Stopped};

/// Name of the service, its folder and its log.
pub const NAME: &str = "connect";
/// Topic in which the worker keeps source offsets.
pub const OFFSETS_TOPIC: &str = "connect-offsets";
const PROGRAM: Program = Program {
    service: NAME,
    main: "org.apache.kafka.connect.cli.ConnectDistributed",
    heap_mib: 256,
};

/// What a worker may be told. The defaults suit a rehearsal.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// How often source offsets are stored: this bounds how long a drain takes to prove.
    pub offset_flush: Duration,
    /// Whether connectors may ask for exactly-once delivery.
    pub exactly_once: bool,
    /// Partitions of the offsets topic, if the worker makes it. Kafka's own default is 25.
    pub offset_partitions: u16,
}

impl Default for ConnectOptions {
    fn default() -> ConnectOptions {
        ConnectOptions {
            offset_flush: Duration::from_millis(250),
            exactly_once: false,
            offset_partitions: 1,
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
    converters: Option<PathBuf>,
    manifests: bool,
    jvm: Jvm,
    traits: &'static KafkaTraits,
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
        let traits = kafka_part.part.kafka_traits()?;
        let mut connect = Connect::create_with(setup, (jvm, traits), broker.bootstrap(), options)?;
        connect.swap_plugin(debezium)?;
        Ok(connect)
    }

    pub(crate) fn create_with(
        setup: &Setup,
        (jvm, traits): (Jvm, &'static KafkaTraits),
        bootstrap: String,
        options: ConnectOptions,
    ) -> Result<Connect, LabError> {
        let folder = setup.service_folder(NAME)?;
        jvm.prepare_folder(&folder, setup.account())?;
        let plugins = folder.join("no-plugins");
        crate::privilege::private_folder(&plugins, setup.account())?;
        Ok(Connect {
            child: None,
            folder,
            label: "connect".to_owned(),
            plugins,
            converters: None,
            manifests: true,
            jvm: jvm.for_worker(),
            traits,
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
        let traits = debezium.part.debezium.as_ref();
        self.manifests = traits.is_some_and(|traits| traits.manifests);
        self.label = format!("connect with {}", debezium.part.label());
        Ok(())
    }

    /// Lets it find the converters of a part, from the next start on.
    pub fn add_converter(&mut self, converter: &PartDir) -> Result<(), LabError> {
        super::require_stopped(NAME, &mut self.child)?;
        self.converters = Some(converter.root.join("plugins"));
        Ok(())
    }

    fn plugin_path(&self) -> String {
        let folders = std::iter::once(&self.plugins).chain(&self.converters);
        let folders: Vec<String> = folders.map(|folder| folder.display().to_string()).collect();
        folders.join(",")
    }

    fn settings(&self) -> String {
        let port = self.rest.port();
        let flag = |value: bool| if value { "enabled" } else { "disabled" }.to_owned();
        let json = || "org.apache.kafka.connect.json.JsonConverter".to_owned();
        let one = || "1".to_owned();
        let mut all = super::properties(&[
            ("bootstrap.servers", self.bootstrap.clone()),
            ("group.id", "connect".to_owned()),
            ("config.storage.topic", "connect-configs".to_owned()),
            ("offset.storage.topic", OFFSETS_TOPIC.to_owned()),
            ("status.storage.topic", "connect-status".to_owned()),
            ("config.storage.replication.factor", one()),
            ("offset.storage.replication.factor", one()),
            ("status.storage.replication.factor", one()),
            (
                "offset.storage.partitions",
                self.options.offset_partitions.to_string(),
            ),
            ("status.storage.partitions", one()),
            ("key.converter", json()),
            ("value.converter", json()),
            ("key.converter.schemas.enable", "false".to_owned()),
            ("value.converter.schemas.enable", "false".to_owned()),
            ("listeners", format!("http://{LOOPBACK}:{port}")),
            ("rest.advertised.host.name", LOOPBACK.to_owned()),
            ("rest.advertised.port", port.to_string()),
            ("plugin.path", self.plugin_path()),
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
        ]);
        if self.traits.plugin_discovery {
            let mode = if self.manifests {
                "service_load"
            } else {
                "hybrid_warn"
            };
            all.push_str(&format!("plugin.discovery={mode}\n"));
        }
        all
    }

    /// Starts the process and returns at once; [`Connect::ready`] tells when it serves. The broker
    /// may still be starting: the worker waits for it, and both together take less time than one
    /// after the other.
    pub fn start(&mut self) -> Result<(), LabError> {
        super::require_stopped(NAME, &mut self.child)?;
        let file = self.folder.join("connect.properties");
        super::write(&file, &self.settings(), self.setup.account())?;
        let launch = self.jvm.launch(PROGRAM, &file, &self.setup);
        self.child = Some(spawn::spawn(&launch)?);
        Ok(())
    }

    /// Waits until the worker has joined its group. A newer one says so itself (`GET /health`). An
    /// older one answers a question about a connector only after it has joined, so it is asked
    /// about one that nobody has.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        let port = self.rest.port();
        let (path, code, word) = if self.traits.health {
            ("/health", 200, "")
        } else {
            // Before its resources are there the server says 404 too, but not in Connect's words.
            ("/connectors/nobody", 404, "\"error_code\"")
        };
        let child = super::running(NAME, &mut self.child)?;
        super::until_ready(NAME, child, async || match get(port, path).await {
            Ok((found, body)) if found == code && body.contains(word) => Poll::Ready(()),
            Ok((found, _)) => Poll::NotYet(format!("GET {path} answers {found}")),
            Err(error) => Poll::NotYet(error.to_string()),
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

    /// Stops it in the middle of whatever it does (SIGSTOP), as a fault; [`Connect::thaw`] lets it go on.
    pub fn freeze(&mut self) -> Result<(), LabError> {
        super::running(NAME, &mut self.child)?.signal(Signal::SIGSTOP);
        Ok(())
    }

    /// Lets a frozen worker go on.
    pub fn thaw(&mut self) -> Result<(), LabError> {
        super::running(NAME, &mut self.child)?.signal(Signal::SIGCONT);
        Ok(())
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
