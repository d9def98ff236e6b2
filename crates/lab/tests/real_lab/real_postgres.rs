//! Claims about one PostgreSQL cluster, with real servers from the cache.

use std::time::Duration;

use crate::support::{Place, eventually};
use cutover_clients::pg;
use cutover_lab::services::postgres::{Login, Postgres, PostgresSpec, StopMode};
use cutover_lab::services::postgres_tools::ToolCall;
use cutover_lab::{Component, LabError};

const DEADLINE: Duration = Duration::from_secs(30);

async fn cluster(place: &Place, name: &str, version: &str) -> Postgres {
    let binaries = place.part(Component::Postgres, version).await;
    Postgres::create(&place.setup, PostgresSpec::new(name, "shop"), binaries)
        .await
        .unwrap()
}

async fn text(server: &Postgres, login: Login, query: &str) -> Result<String, String> {
    let session = pg::connect(&server.address(login, "shop"), "test")
        .await
        .unwrap();
    let row = session.query_one(query, &[]).await.map_err(|error| {
        error
            .as_db_error()
            .map_or_else(|| error.to_string(), |inner| inner.message().to_owned())
    })?;
    Ok(row.get(0))
}

#[tokio::test]
async fn minor_version_is_swapped_on_the_same_data() {
    let place = Place::new();
    let mut server = cluster(&place, "old", "16.2").await;
    let session = pg::connect_admin(&server.address(Login::App, "shop"))
        .await
        .unwrap();
    session
        .batch_execute("CREATE TABLE t (id int); INSERT INTO t VALUES (7)")
        .await
        .unwrap();
    let running = server.swap_binaries(place.part(Component::Postgres, "16.14").await);
    assert!(matches!(running, Err(LabError::WrongState { .. })));
    let stopped = server
        .stop(StopMode::Fast, DEADLINE)
        .await
        .unwrap()
        .unwrap();
    assert!(!stopped.killed);
    let other = server.swap_binaries(place.part(Component::Postgres, "18.4").await);
    assert!(matches!(
        other,
        Err(LabError::OtherMajor {
            data: 16,
            binaries: 18,
            ..
        })
    ));
    server
        .swap_binaries(place.part(Component::Postgres, "16.14").await)
        .unwrap();
    let seconds = server.start().await.unwrap();
    println!("stop {:.3} s, start {seconds:.3} s", stopped.seconds);
    let version = text(&server, Login::Admin, "SHOW server_version")
        .await
        .unwrap();
    assert_eq!(version, "16.14");
    let kept = text(&server, Login::Admin, "SELECT id::text FROM t")
        .await
        .unwrap();
    assert_eq!(kept, "7");
}

#[tokio::test]
async fn roles_can_do_what_they_need_and_no_more() {
    let place = Place::new();
    let server = cluster(&place, "old", "18.4").await;
    let app = pg::connect(&server.address(Login::App, "shop"), "test")
        .await
        .unwrap();
    app.batch_execute("CREATE TABLE own (v text); INSERT INTO own VALUES ('x')")
        .await
        .unwrap();
    let admin = pg::connect_admin(&server.address(Login::Admin, "shop"))
        .await
        .unwrap();
    admin
        .batch_execute("CREATE TABLE ours (v text)")
        .await
        .unwrap();
    app.batch_execute("INSERT INTO ours VALUES ('y')")
        .await
        .unwrap();
    assert_eq!(
        text(&server, Login::Debezium, "SELECT v FROM own")
            .await
            .unwrap(),
        "x"
    );
    assert_eq!(
        text(&server, Login::Debezium, "SELECT v FROM ours")
            .await
            .unwrap(),
        "y"
    );
    let denied = text(
        &server,
        Login::Debezium,
        "INSERT INTO own VALUES ('z') RETURNING v",
    )
    .await;
    assert!(denied.unwrap_err().contains("permission denied"));
    let slot = "SELECT slot_name::text FROM pg_create_logical_replication_slot('s', 'pgoutput')";
    assert_eq!(text(&server, Login::Debezium, slot).await.unwrap(), "s");
    let wrong = server.tcp_address(Login::App, "shop");
    let wrong = pg::PgAddress {
        password: cutover_clients::secret::Secret::new("no"),
        ..wrong
    };
    assert!(pg::connect(&wrong, "test").await.is_err());
}

#[tokio::test]
async fn crashed_server_is_noticed_and_recovers_and_leaves_no_shared_memory() {
    let place = Place::new();
    let mut server = cluster(&place, "old", "16.2").await;
    let session = pg::connect(&server.address(Login::App, "shop"), "test")
        .await
        .unwrap();
    session
        .batch_execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
        .await
        .unwrap();
    server.stop(StopMode::Crash, DEADLINE).await.unwrap();
    assert!(!server.is_running());
    assert!(matches!(
        server.check_alive(),
        Err(LabError::WrongState { .. })
    ));
    server.start().await.unwrap();
    assert_eq!(
        text(&server, Login::Admin, "SELECT id::text FROM t")
            .await
            .unwrap(),
        "1"
    );
    server.stop(StopMode::Crash, DEADLINE).await.unwrap();
    let file = std::fs::read_to_string(server.data().join("postmaster.pid")).unwrap();
    let segment = file
        .lines()
        .nth(6)
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned();
    drop(session);
    eventually("the crashed server's children to detach", || {
        server.free_shared_memory();
        let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
        !table
            .lines()
            .any(|line| line.split_whitespace().nth(1) == Some(&segment))
    })
    .await;
}

#[tokio::test]
async fn server_that_cannot_start_fails_at_once_with_its_last_lines() {
    let place = Place::new();
    let binaries = place.part(Component::Postgres, "16.2").await;
    let mut spec = PostgresSpec::new("bad", "shop");
    spec.settings.push(("wal_level".into(), "illogical".into()));
    let error = Postgres::create(&place.setup, spec, binaries)
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LabError::Died { .. }), "{text}");
    assert!(
        text.contains("invalid value for parameter \"wal_level\": \"illogical\""),
        "{text}"
    );
}

#[tokio::test]
async fn dump_of_one_major_is_restored_into_another_and_no_password_is_on_a_command_line() {
    let place = Place::new();
    let old = cluster(&place, "old", "16.2").await;
    let new = cluster(&place, "new", "18.4").await;
    let app = pg::connect(&old.address(Login::App, "shop"), "test")
        .await
        .unwrap();
    let fill = "CREATE TABLE t (id int PRIMARY KEY, v text);
                INSERT INTO t SELECT i, repeat('x', 50) FROM generate_series(1, 5000) i";
    app.batch_execute(fill).await.unwrap();
    let file = new.work_folder().join("shop.dump");
    old.dump(new.binaries(), &["-Fc"], &file, DEADLINE)
        .await
        .unwrap();
    new.restore(&["--exit-on-error"], &file, DEADLINE)
        .await
        .unwrap();
    let count = text(&new, Login::App, "SELECT count(*)::text FROM t")
        .await
        .unwrap();
    assert_eq!(count, "5000");
    let failed = new
        .tool(ToolCall {
            program: "psql",
            binaries: None,
            args: &[
                "-v".into(),
                "ON_ERROR_STOP=1".into(),
                "-c".into(),
                "SELECT 1/0".into(),
            ],
            database: "shop",
            login: Login::App,
            deadline: DEADLINE,
        })
        .await
        .unwrap_err();
    assert!(failed.to_string().contains("division by zero"), "{failed}");
    let secret = old.credentials().of(Login::Admin).reveal();
    for log in std::fs::read_dir(&place.setup.logs).unwrap().flatten() {
        assert!(
            !std::fs::read_to_string(log.path())
                .unwrap()
                .contains(secret)
        );
    }
}

#[tokio::test]
async fn every_version_of_the_catalog_starts_and_stops() {
    let place = Place::new();
    for version in ["15", "16.2", "16.14", "17", "18.4"] {
        let mut server = cluster(&place, &format!("v{}", version.replace('.', "-")), version).await;
        let stopped = server
            .stop(StopMode::Fast, DEADLINE)
            .await
            .unwrap()
            .unwrap();
        let started = server.start().await.unwrap();
        let shown = text(&server, Login::App, "SHOW server_version")
            .await
            .unwrap();
        println!(
            "{version}: {shown}, stop {:.3} s, start {started:.3} s",
            stopped.seconds
        );
        assert!(shown.starts_with(version), "{shown}");
        server.stop(StopMode::Immediate, DEADLINE).await.unwrap();
    }
}
