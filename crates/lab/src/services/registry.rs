//! A schema registry with Confluent's interface, for connectors whose converter needs one.
//!
//! ```text
//! <life>/registry/ schemas.mv.db tmp/
//! ```
//! Started only for a stack that asks for it. Its schemas are on disk before they are answered, so that the ids in
//! front of records stay true when it is killed and started again; a registry that keeps them in memory would give
//! the same ids to other schemas. Loopback only, its management interface too.

use std::path::PathBuf;
use std::time::Duration;

use cutover_clients::wait::Poll;

use super::http::get;
use super::{LOOPBACK, ServiceInfo, Setup, kafka};
use crate::error::LabError;
use crate::fetch::PartDir;
use crate::ports::{self, PortLease};
use crate::spawn::{self, Child, Launch, Stopped};

/// Name of the service, its folder and its log.
pub const NAME: &str = "registry";
/// Measured: 215 MiB in memory with half of it, and nothing gained by more.
const HEAP_MIB: u32 = 256;

/// A registry, running or not. Its ports stay its own while it is stopped.
#[derive(Debug)]
pub struct Registry {
    child: Option<Child>,
    folder: PathBuf,
    label: String,
    java: PathBuf,
    jar: PathBuf,
    path: &'static str,
    setup: Setup,
    http: PortLease,
    management: PortLease,
}

impl Registry {
    /// Configures a new registry that runs on the given Java. Nothing runs yet.
    pub fn create(setup: &Setup, part: &PartDir, java: PathBuf) -> Result<Registry, LabError> {
        let Some(traits) = &part.part.registry else {
            return Err(LabError::Catalog {
                file: part.part.name(),
                reason: "it does not say how its registry is started".to_owned(),
            });
        };
        let folder = setup.service_folder(NAME)?;
        crate::privilege::private_folder(&folder.join("tmp"), setup.account())?;
        Ok(Registry {
            child: None,
            folder,
            label: part.part.label(),
            java,
            jar: part.root.join(&traits.jar),
            path: &traits.path,
            setup: setup.clone(),
            http: ports::lease(&setup.home)?,
            management: ports::lease(&setup.home)?,
        })
    }

    fn launch(&self) -> Launch {
        let folder = self.folder.display();
        let set = |name: &str, value: String| format!("-D{name}={value}");
        // Without WRITE_DELAY a kill takes the last half second with it.
        let database =
            format!("jdbc:h2:file:{folder}/schemas;WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE");
        Launch::new(NAME, &self.java, &self.folder, &self.setup.log(NAME))
            .args([format!("-Xmx{HEAP_MIB}m")])
            .args([
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-XX:-UsePerfData",
            ])
            .args(["-Djava.awt.headless=true", "-Djava.io.tmpdir=tmp"])
            .args([
                set("apicurio.datasource.url", database),
                // By default it opens twenty connections.
                set("apicurio.datasource.jdbc.initial-size", "1".to_owned()),
                set("apicurio.datasource.jdbc.min-size", "1".to_owned()),
                set("apicurio.datasource.jdbc.max-size", "8".to_owned()),
                set("apicurio.storage.snapshot.location", folder.to_string()),
                set("apicurio.import.work-dir", folder.to_string()),
                set("quarkus.http.host", LOOPBACK.to_owned()),
                set("quarkus.http.port", self.http.port().to_string()),
                set("quarkus.management.host", LOOPBACK.to_owned()),
                set(
                    "quarkus.management.port",
                    self.management.port().to_string(),
                ),
            ])
            .args(["-jar"])
            .arg_path(&self.jar)
            .account(self.setup.account())
    }

    /// Starts the process and returns at once; [`Registry::ready`] tells when it serves.
    pub fn start(&mut self) -> Result<(), LabError> {
        super::require_stopped(NAME, &mut self.child)?;
        self.child = Some(spawn::spawn(&self.launch())?);
        Ok(())
    }

    /// Waits until it answers a question about its schemas.
    pub async fn ready(&mut self) -> Result<(), LabError> {
        let (port, path) = (self.http.port(), format!("{}/subjects", self.path));
        let child = super::running(NAME, &mut self.child)?;
        super::until_ready(NAME, child, async || match get(port, &path).await {
            Ok((200, _)) => Poll::Ready(()),
            Ok((code, _)) => Poll::NotYet(format!("GET {path} answers {code}")),
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

    /// Address for converters and clients of Confluent's registry.
    pub fn url(&self) -> String {
        format!("http://{LOOPBACK}:{}{}", self.http.port(), self.path)
    }

    /// For status.
    pub fn info(&self) -> ServiceInfo {
        ServiceInfo {
            name: NAME.to_owned(),
            part: self.label.clone(),
            pid: self.child.as_ref().map(Child::pid),
            ports: vec![self.http.port(), self.management.port()],
            log: self.setup.log(NAME),
            folder: self.folder.clone(),
        }
    }
}
