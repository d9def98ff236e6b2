//! Claims about versions: the stack with ZooKeeper, and another Debezium under a running broker.

use std::time::Instant;

use crate::support::{Place, process_lives};
use cutover_clients::connect::Connect;
use cutover_lab::{Stack, StackSpec, ports};
use cutover_model::EventSink;

/// Version of Debezium's connector, as the worker tells it.
async fn debezium_of(stack: &Stack) -> Option<String> {
    let plugins = Connect::new(&stack.connect.url()).plugins().await.unwrap();
    let mut debezium = plugins
        .into_iter()
        .filter(|plugin| plugin.class.contains("PostgresConnector"));
    debezium.next().map(|plugin| plugin.version)
}

#[tokio::test]
async fn killed_broker_beside_a_zookeeper_comes_back_whether_or_not_it_is_still_registered() {
    let place = Place::new();
    let mut spec = StackSpec::new("old", place.setup.logs.clone());
    spec.kafka = "3.5.1".into();
    spec.debezium = "2.4.0".into();
    let started = Instant::now();
    let mut stack = Stack::up(&place.home, spec, &EventSink::none())
        .await
        .unwrap();
    println!("up {:.2} s", started.elapsed().as_secs_f64());
    assert_eq!(debezium_of(&stack).await.as_deref(), Some("2.4.0.Final"));
    let bootstrap = stack.kafka.bootstrap();
    stack.kafka.kill().await.unwrap();
    let started = Instant::now();
    stack.kafka.start().unwrap();
    stack.kafka.ready().await.unwrap();
    println!("broker back after {:.2} s", started.elapsed().as_secs_f64());
    assert_eq!(stack.kafka.bootstrap(), bootstrap);
    // On a machine that is busy the registration (three seconds) ends before the new broker gets that far.
    let log = std::fs::read_to_string(stack.kafka.info().log).unwrap();
    let met = log.matches("NodeExistsException").count() > 0;
    println!("its predecessor was still registered: {met}");
    stack.check_alive().unwrap();
    let services = stack.services();
    let names: Vec<&str> = services
        .iter()
        .map(|service| service.name.as_str())
        .collect();
    assert_eq!(names, ["zookeeper", "kafka", "connect"]);
    let seconds = stack.down_and_purge().await.unwrap();
    println!("down {seconds:.2} s");
    assert!(seconds < 5.0);
    for service in services {
        assert!(!process_lives(service.pid.unwrap()));
        assert!(service.ports.iter().all(|port| ports::is_free(*port)));
    }
}

#[tokio::test]
async fn another_debezium_takes_over_while_the_broker_stays() {
    let place = Place::new();
    let spec = StackSpec::new("swap", place.setup.logs.clone());
    let mut stack = Stack::up(&place.home, spec, &EventSink::none())
        .await
        .unwrap();
    let broker = stack.kafka.info().pid;
    // 2.4.0 has no manifests: the worker must look for it the long way, and find it.
    for version in ["2.4.0", "2.7.0", "3.7.0"] {
        let started = Instant::now();
        stack.swap_debezium(version).await.unwrap();
        println!("{version} after {:.2} s", started.elapsed().as_secs_f64());
        let expected = format!("{version}.Final");
        assert_eq!(debezium_of(&stack).await, Some(expected));
    }
    assert_eq!(stack.kafka.info().pid, broker);
    stack.down_and_purge().await.unwrap();
}
