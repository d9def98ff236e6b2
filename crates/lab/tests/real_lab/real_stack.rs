//! Claims about the whole stack and the long-lived lab, with real Kafka and Connect from the cache.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Place, eventually, process_lives};
use cutover_clients::connect::Connect;
use cutover_lab::services::postgres::PostgresSpec;
use cutover_lab::spawn::{self, Launch};
use cutover_lab::state::{self, Owner};
use cutover_lab::{Home, LabError, Stack, StackSpec, ports};
use cutover_model::EventSink;
use nix::sys::signal::Signal;

fn spec(logs: &Path, name: &str) -> StackSpec {
    let mut spec = StackSpec::new(name, logs.to_owned());
    spec.postgres
        .push(("16.2".into(), PostgresSpec::new("old", "shop")));
    spec
}

#[tokio::test]
async fn stack_comes_up_with_debezium_and_goes_down_without_a_trace() {
    let place = Place::new();
    let started = Instant::now();
    let events = EventSink::none();
    let stack = Stack::up(&place.home, spec(&place.setup.logs, "one"), &events)
        .await
        .unwrap();
    println!("up {:.2} s", started.elapsed().as_secs_f64());
    let plugins = Connect::new(&stack.connect.url()).plugins().await.unwrap();
    assert!(
        plugins
            .iter()
            .any(|plugin| plugin.class.contains("PostgresConnector")),
        "{plugins:?}"
    );
    let services = stack.services();
    for service in &services {
        let memory = state::memory_of(service.pid.unwrap()) / (1024 * 1024);
        println!(
            "{} pid {:?} {memory} MiB {:?}",
            service.part, service.pid, service.ports
        );
    }
    let second = Stack::up(&place.home, spec(&place.setup.logs, "one"), &events).await;
    assert!(matches!(second, Err(LabError::Locked { .. })));
    let folder = stack.folder().to_owned();
    let seconds = stack.down_and_purge().await.unwrap();
    println!("down {seconds:.2} s");
    assert!(seconds < 5.0);
    assert!(!folder.exists());
    for service in services {
        assert!(!process_lives(service.pid.unwrap()));
        assert!(service.ports.iter().all(|port| ports::is_free(*port)));
    }
}

#[tokio::test]
async fn killed_broker_is_noticed_and_comes_back_on_the_same_port() {
    let place = Place::new();
    let spec = StackSpec::new("two", place.setup.logs.clone());
    let mut stack = Stack::up(&place.home, spec, &EventSink::none())
        .await
        .unwrap();
    let bootstrap = stack.kafka.bootstrap();
    let pid = stack.kafka.info().pid.unwrap();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(pid.cast_signed()),
        Signal::SIGKILL,
    )
    .unwrap();
    eventually("the broker's death being noticed", || {
        stack.check_alive().is_err()
    })
    .await;
    let error = stack.check_alive().unwrap_err().to_string();
    assert!(
        error.contains("kafka ended by itself (signal 9)"),
        "{error}"
    );
    let started = Instant::now();
    stack.kafka.start().unwrap();
    stack.kafka.ready().await.unwrap();
    println!("broker back after {:.2} s", started.elapsed().as_secs_f64());
    assert_eq!(stack.kafka.bootstrap(), bootstrap);
    stack.connect.kill().await.unwrap();
    stack.connect.start().unwrap();
    stack.connect.ready().await.unwrap();
    stack.check_alive().unwrap();
}

/// Not a test: the owner of a long-lived lab, as a process of its own.
#[tokio::test]
#[ignore = "started by the tests below"]
async fn owner_of_a_lab() {
    let root = std::env::current_dir().unwrap();
    let home = Home::locate(None, Some(root.join("state"))).unwrap();
    let owner = Owner::claim(&home).unwrap();
    let spec = spec(&root.join("logs"), state::LIFE);
    let stack = Stack::up(&home, spec, &EventSink::none()).await.unwrap();
    owner.publish(&stack.services()).unwrap();
    let mut term =
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    term.recv().await;
    stack.down().await.unwrap();
}

async fn start_owner(place: &Place) -> spawn::Child {
    let this = std::env::current_exe().unwrap();
    let launch = Launch::new(
        "owner",
        &this,
        place.root(),
        &place.root().join("owner.log"),
    )
    .args([
        "--exact",
        "real_stack::owner_of_a_lab",
        "--ignored",
        "--nocapture",
    ])
    .pass_tool_settings();
    let child = spawn::spawn(&launch).unwrap();
    eventually("the lab", || state::status(&place.home).unwrap().is_some()).await;
    child
}

#[tokio::test]
async fn lab_is_seen_and_ended_from_another_process() {
    let place = Place::new();
    assert!(matches!(
        state::down(&place.home, false).await,
        Err(LabError::NoLab { .. })
    ));
    let mut owner = start_owner(&place).await;
    let seen = state::status(&place.home).unwrap().unwrap();
    assert!(seen.running);
    assert!(
        seen.memory
            .iter()
            .all(|memory| memory.is_some_and(|bytes| bytes > 0))
    );
    let claimed = Owner::claim(&place.home);
    let holder = owner.pid().to_string();
    assert!(matches!(claimed, Err(LabError::Locked { pid, .. }) if pid == holder));
    let report = state::down(&place.home, true).await.unwrap();
    println!("down {:.2} s", report.seconds);
    assert!(
        report.in_order && report.killed.is_empty() && report.seconds < 5.0,
        "{report:?}"
    );
    owner.wait_end(Duration::from_secs(5)).await.unwrap();
    assert!(state::status(&place.home).unwrap().is_none());
    for service in seen.record.services {
        assert!(!service.folder.exists());
        assert!(!process_lives(service.pid.unwrap()));
    }
}

#[tokio::test]
async fn lab_whose_owner_was_killed_with_signal_9_leaves_nothing_running() {
    let place = Place::new();
    let mut owner = start_owner(&place).await;
    let seen = state::status(&place.home).unwrap().unwrap();
    owner
        .stop(Signal::SIGKILL, Duration::from_secs(5))
        .await
        .unwrap();
    for service in &seen.record.services {
        eventually("the end of a service", || {
            !process_lives(service.pid.unwrap())
        })
        .await;
    }
    assert!(!state::status(&place.home).unwrap().unwrap().running);
    let report = state::down(&place.home, true).await.unwrap();
    assert!(!report.in_order && report.killed.is_empty(), "{report:?}");
    let table = std::fs::read_to_string("/proc/sysvipc/shm").unwrap();
    for service in seen.record.services {
        let pid = service.pid.unwrap().to_string();
        assert!(
            !table
                .lines()
                .any(|line| line.split_whitespace().nth(4) == Some(&pid))
        );
        assert!(service.ports.iter().all(|port| ports::is_free(*port)));
    }
}
