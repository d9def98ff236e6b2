//! The lab of one test: broker, worker and a PostgreSQL of its own, with those who ask them.
//!
//! What is made here goes with the test, in whatever way it ends. The rule it protects: nothing waits for a time, and
//! a statement that fails ends the test with its text.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use cutover_clients::connect::Connect;
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::{Client, PgAddress, connect_admin};
use cutover_clients::wait::{Poll, until};
use cutover_lab::services::postgres::{Login, PostgresSpec};
use cutover_lab::{Home, Stack, StackSpec};
use cutover_model::EventSink;
use cutover_rehearse::RehearseError;

const DATABASE: &str = "testdb";

pub struct Lab {
    pub stack: Stack,
    pub admin: PgAddress,
    /// The connector's login.
    pub debezium: PgAddress,
    pub client: Client,
    pub connect: Connect,
    pub kafka: Kafka,
    pub folder: tempfile::TempDir,
}

impl Lab {
    /// One with this version of PostgreSQL, the rest as the test wants it.
    pub async fn up(name: &str, postgres: &str, rest: impl FnOnce(&mut StackSpec)) -> Lab {
        let folder = tempfile::Builder::new().prefix(name).tempdir().unwrap();
        // Servers run under an account of their own.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let home = Home::locate(None, Some(folder.path().join("state"))).unwrap();
        let mut spec = StackSpec::new(name, folder.path().join("logs"));
        let cluster = PostgresSpec::new("main", DATABASE);
        spec.postgres.push((postgres.into(), cluster));
        rest(&mut spec);
        let stack = Stack::up(&home, spec, &EventSink::none()).await.unwrap();
        let cluster = stack.postgres("main").unwrap();
        let admin = cluster.address(Login::Admin, DATABASE);
        Lab {
            debezium: cluster.tcp_address(Login::Debezium, DATABASE),
            client: connect_admin(&admin).await.unwrap(),
            connect: Connect::new(&stack.connect.url()),
            kafka: Kafka::new(&stack.kafka.bootstrap()).unwrap(),
            admin,
            stack,
            folder,
        }
    }

    /// Takes everything down and leaves nothing behind.
    pub async fn down(self) {
        self.stack.down_and_purge().await.unwrap();
        self.folder.close().unwrap();
    }

    pub async fn sql(&self, text: &str) {
        let done = self.client.batch_execute(text).await;
        done.unwrap_or_else(|error| panic!("{text}: {error:?}"));
    }
}

/// Asks until the answer is there.
pub async fn wait(what: &str, mut look: impl AsyncFnMut() -> Poll<()>) {
    let (deadline, every) = (Duration::from_secs(60), Duration::from_millis(100));
    let done = until(what, deadline, every, async || {
        Ok::<_, RehearseError>(look().await)
    });
    done.await.unwrap_or_else(|error| panic!("{error}"));
}
