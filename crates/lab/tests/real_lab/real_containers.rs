//! Claims about what the containers run inside (`compose/`), with a real server and without containers: the scripts do
//! to an empty database what the process lab does, and the generator writes.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Place, eventually};
use cutover_clients::pg;
use cutover_clients::wait::{self, Poll};
use cutover_lab::services::postgres::{Login, Postgres, PostgresSpec};
use cutover_lab::spawn::{self, Launch};
use cutover_lab::{Component, LabError, Stack, StackSpec, ports};
use cutover_model::EventSink;
use nix::sys::signal::Signal;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A script of a container, with the server's address as the container has it.
fn script(path: &str, server: &Postgres, (login, database): (Login, &str)) -> Command {
    let address = server.tcp_address(login, database);
    let mut path_of_programs = server.binaries().bin().into_os_string();
    path_of_programs.push(":/usr/local/bin:/usr/bin:/bin");
    let mut command = Command::new(repository().join("compose").join(path));
    command
        .env_clear()
        .env("PATH", path_of_programs)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", address.port.to_string())
        .env("PGUSER", &address.user)
        .env("PGDATABASE", database)
        .env("PGPASSWORD", address.password.reveal())
        .stdin(Stdio::null());
    command
}

/// The files that the container of PostgreSQL sees below /sql.
fn sql_folder(place: &Place) -> PathBuf {
    let folder = place.root().join("sql");
    std::fs::create_dir(&folder).unwrap();
    for file in [
        "sql/roles.sql",
        "sql/rights.sql",
        "crates/workload/src/schema.sql",
    ] {
        let from = repository().join(file);
        std::fs::copy(&from, folder.join(from.file_name().unwrap())).unwrap();
    }
    folder
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "a script of a container is no service of the lab; it is ended below"
)]
async fn an_empty_server_is_set_up_and_the_generator_writes_to_it() {
    let place = Place::new();
    let binaries = place.part(Component::Postgres, "16.14").await;
    let server = Postgres::create(&place.setup, PostgresSpec::new("old", "shop"), binaries)
        .await
        .unwrap();
    // The lab made its roles; a container's server has none.
    let admin = pg::connect_admin(&server.address(Login::Admin, "shop"))
        .await
        .unwrap();
    admin
        .batch_execute("DROP OWNED BY app, debezium; DROP ROLE app, debezium")
        .await
        .unwrap();
    server.make_database("testdb").await.unwrap();
    let password = |login| server.address(login, "testdb").password;
    let output = script("postgres/init.sh", &server, (Login::Admin, "testdb"))
        .env("POSTGRES_USER", "postgres")
        .env("POSTGRES_DB", "testdb")
        .env("APP_PASSWORD", password(Login::App).reveal())
        .env("DEBEZIUM_PASSWORD", password(Login::Debezium).reveal())
        .env("SQL_FOLDER", sql_folder(&place))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");

    let writes = || script("generator/writes.sh", &server, (Login::App, "testdb")).status();
    assert!(!writes().unwrap().success(), "nothing was written yet");
    let mut generator = script("generator/run.sh", &server, (Login::App, "testdb"))
        .env("RATE", "50")
        .env("SESSIONS", "2")
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let debezium = pg::connect(&server.address(Login::Debezium, "testdb"), "test")
        .await
        .unwrap();
    eventually("orders are written", || writes().unwrap().success()).await;
    assert!(generator.try_wait().unwrap().is_none(), "it has ended");
    generator.kill().unwrap();
    generator.wait().unwrap();
    // Debezium may read what the application writes, and a changed row is published whole.
    let full = "SELECT bool_and(relreplident = 'f') AND (SELECT count(*) > 0 FROM public.orders) \
                FROM pg_class WHERE oid IN ('public.orders'::regclass, 'public.customers'::regclass)";
    let row = debezium.query_one(full, &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
}

/// What the image starts; its Dockerfile has the same name.
const WORKER: &str = "org.apache.kafka.connect.cli.ConnectDistributed";

/// The worker's settings with another broker, other ports, another plug-in folder, and a group of its own beside that
/// of the lab's worker.
fn worker_settings(bootstrap: &str, port: u16, plugins: &Path) -> String {
    let shipped = repository().join("compose/connect/worker.properties");
    let mut settings = std::fs::read_to_string(shipped).unwrap();
    for (key, value) in [
        ("bootstrap.servers", bootstrap.to_owned()),
        ("group.id", "containers".to_owned()),
        ("listeners", format!("http://127.0.0.1:{port}")),
        ("rest.advertised.host.name", "127.0.0.1".to_owned()),
        ("rest.advertised.port", port.to_string()),
        ("plugin.path", plugins.display().to_string()),
    ] {
        let line = settings
            .lines()
            .find(|line| line.starts_with(&format!("{key}=")));
        let line = line.unwrap().to_owned();
        settings = settings.replace(&line, &format!("{key}={value}"));
    }
    settings
}

fn get(port: u16, path: &str) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn workers_of_both_stacks_start_with_the_containers_settings_and_find_debezium() {
    let dockerfile = std::fs::read_to_string(repository().join("compose/connect/Dockerfile"));
    assert!(dockerfile.unwrap().contains(WORKER));
    for (kafka, debezium) in [("4.3.1", "3.7.0"), ("3.5.1", "2.4.0")] {
        let place = Place::new();
        let mut spec = StackSpec::new("containers", place.setup.logs.clone());
        (spec.kafka, spec.debezium) = (kafka.to_owned(), debezium.to_owned());
        let stack = Stack::up(&place.home, spec, &EventSink::none())
            .await
            .unwrap();
        let libs = place.part(Component::Kafka, kafka).await;
        let plugins = place.part(Component::Debezium, debezium).await;
        let port = ports::lease(&place.home).unwrap();
        let settings = place.root().join("worker.properties");
        let plugins = plugins.root.join("plugins");
        let text = worker_settings(&stack.kafka.bootstrap(), port.port(), &plugins);
        std::fs::write(&settings, text).unwrap();
        let jars = format!("{}/*", libs.root.join("libs").display());
        let java = libs.archives.as_ref().unwrap().java.clone();
        let launch = Launch::new(
            "worker",
            &java,
            Path::new("/tmp"),
            &place.root().join("log"),
        )
        .args(["-Xmx256m", "-cp", &jars, WORKER])
        .arg_path(&settings)
        .account(place.home.account());
        let mut worker = spawn::spawn(&launch).unwrap();
        let check = repository().join("compose/connect/http-ok");
        let number = port.port().to_string();
        let (patience, often) = (Duration::from_secs(90), Duration::from_millis(200));
        wait::until("the worker is healthy", patience, often, async || {
            let asked = Command::new(&check).args([&number, "/connectors"]).output();
            Ok::<_, LabError>(if asked.unwrap().status.success() {
                Poll::Ready(())
            } else {
                Poll::NotYet("not healthy".into())
            })
        })
        .await
        .unwrap();
        let found = get(port.port(), "/connector-plugins");
        let named = "io.debezium.connector.postgresql.PostgresConnector";
        assert!(found.contains(named) && found.contains(debezium), "{found}");
        worker
            .stop(Signal::SIGTERM, Duration::from_secs(20))
            .await
            .unwrap();
        stack.down_and_purge().await.unwrap();
    }
}
