//! Claims about a running load and its ledger, against real servers that restart, freeze and change
//! under it. Needs `CUTOVER_TEST_PG_BIN`, a directory with `initdb`, `pg_ctl` and `postgres`;
//! skipped without it.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test that cannot set up its server fails, and says what it measured"
)]

mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_clients::pg::freeze::{freeze_writes, release_writes};
use cutover_clients::pg::{PgAddress, connect_admin};
use cutover_clients::wait;
use cutover_ledger::{ChangeWriter, read_changes};
use cutover_model::{ChangeRow, EventSink, Op, Outcome};
use cutover_workload::{Load, LoadConfig, LoadEnd, Table, Target};
use server::Server;
use tokio::sync::{Mutex, MutexGuard, watch};

/// Servers share two cores: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

struct Running {
    server: Server,
    load: Load,
    target: watch::Sender<Option<Target>>,
    ledger: PathBuf,
    _folder: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

fn at(server: &Server, incarnation: i32) -> Option<Target> {
    Some(Target {
        address: server.address.clone(),
        incarnation,
    })
}

/// `CUTOVER_TEST_LOAD_RATE` measures what the machine can do; the default is the load's own.
fn rate() -> u32 {
    let wanted = std::env::var("CUTOVER_TEST_LOAD_RATE").ok();
    let default = LoadConfig::default().transactions_per_second;
    wanted.map_or(default, |rate| rate.parse().unwrap())
}

/// Starts server and load; rows are spread over a few seconds of held transactions, too.
async fn begin() -> Option<Running> {
    let turn = ONE_AT_A_TIME.lock().await;
    let server = Server::start().await?;
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("attempted");
    let (target, receiver) = watch::channel(at(&server, 0));
    let load = Load::start(
        LoadConfig {
            seed: 42,
            transactions_per_second: rate(),
            held_transaction_seconds: 1.0,
            ..LoadConfig::default()
        },
        receiver,
        ChangeWriter::create(&ledger, 4).unwrap(),
        EventSink::none(),
    );
    Some(Running {
        server,
        load,
        target,
        ledger,
        _folder: folder,
        _turn: turn,
    })
}

async fn seconds(seconds: f64) {
    wait::pause(Duration::from_secs_f64(seconds)).await;
}

async fn committed_more_than(load: &Load, transactions: u64) {
    wait::until(
        "more committed transactions",
        Duration::from_secs(20),
        Duration::from_millis(20),
        async || {
            let stats = load.stats();
            Ok::<_, std::fmt::Error>(if stats.committed_transactions > transactions {
                wait::Poll::Ready(())
            } else {
                wait::Poll::NotYet(format!("{stats:?}"))
            })
        },
    )
    .await
    .unwrap();
}

fn attempted(ledger: &Path) -> Vec<ChangeRow> {
    let mut rows: Vec<ChangeRow> = read_changes(ledger).unwrap().map(Result::unwrap).collect();
    rows.sort_by_key(|row| (row.session, row.transaction, row.ordinal));
    rows
}

fn ok_rows(ledger: &Path, incarnation: i32) -> Vec<ChangeRow> {
    let ok = |row: &ChangeRow| row.outcome == Some(Outcome::Ok) && row.incarnation == incarnation;
    attempted(ledger).into_iter().filter(ok).collect()
}

async fn stored(address: &PgAddress, table: Table) -> Vec<(String, i64)> {
    let client = connect_admin(address).await.unwrap();
    let column = if table.keyed() { "id" } else { "order_id" };
    let text = format!(
        "select {column}, revision from {}",
        table.relation().quoted()
    );
    let rows = client.query(&text, &[]).await.unwrap();
    rows.into_iter()
        .map(|row| (table.key(row.get(0)).unwrap_or_default(), row.get(1)))
        .collect()
}

/// The heart of it: folding the `ok` rows gives exactly what the tables hold.
async fn ledger_equals_tables(address: &PgAddress, rows: &[ChangeRow]) {
    for table in [Table::Customers, Table::Orders] {
        let mut folded = BTreeMap::new();
        let relation = table.relation().to_string();
        for row in rows.iter().filter(|row| row.relation == relation) {
            let key = row.key.clone().unwrap();
            match row.op {
                Op::Create => assert!(folded.insert(key, row.revision.unwrap()).is_none()),
                Op::Update => assert!(folded.insert(key, row.revision.unwrap()).is_some()),
                _ => assert_eq!(folded.remove(&key), row.revision),
            }
        }
        let tables: BTreeMap<_, _> = stored(address, table).await.into_iter().collect();
        assert!(!tables.is_empty());
        let odd: Vec<_> = folded
            .iter()
            .filter(|(key, revision)| tables.get(*key) != Some(revision))
            .chain(
                tables
                    .iter()
                    .filter(|(key, revision)| folded.get(*key) != Some(revision)),
            )
            .take(10)
            .collect();
        assert!(
            odd.is_empty(),
            "{relation}: ledger and table differ: {odd:?}"
        );
    }
    events_equal_table(address, rows).await;
}

/// Rows without a key: the ledger does not say which one an update replaced, but all revisions are
/// unique, so what is stored and how many is still exact.
async fn events_equal_table(address: &PgAddress, rows: &[ChangeRow]) {
    let relation = Table::OrderEvents.relation().to_string();
    let (mut made, mut deleted, mut alive) = (BTreeSet::new(), BTreeSet::new(), 0_i64);
    for row in rows.iter().filter(|row| row.relation == relation) {
        let revision = row.revision.unwrap();
        match row.op {
            Op::Create | Op::Update => assert!(made.insert(revision)),
            _ => assert!(deleted.insert(revision)),
        }
        alive += match row.op {
            Op::Create => 1,
            Op::Update => 0,
            _ => -1,
        };
    }
    let tables: BTreeSet<i64> = stored(address, Table::OrderEvents)
        .await
        .into_iter()
        .map(|row| row.1)
        .collect();
    assert_eq!(tables.len() as i64, alive);
    assert!(tables.is_subset(&made) && tables.is_disjoint(&deleted));
}

fn show(what: &str, end: &LoadEnd) {
    println!("{what}: {end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_tells_exactly_what_is_stored_after_fast_and_immediate_restarts() {
    let Some(running) = begin().await else { return };
    for mode in ["immediate", "fast", "immediate"] {
        seconds(2.0).await;
        running.server.stop(mode);
        seconds(0.5).await;
        let before = running.load.stats().committed_transactions;
        running.server.launch();
        committed_more_than(&running.load, before + 100).await;
    }
    let end = running.load.stop().await.unwrap();
    show("restarts", &end);
    assert_eq!(
        end.unresolved, 0,
        "the server came back and could tell every outcome"
    );
    assert!(
        end.windows
            .iter()
            .filter(|window| window.ended && window.seconds > 0.5)
            .count()
            >= 3
    );
    let rows = attempted(&running.ledger);
    assert_eq!(rows.len() as u64, end.ledger_rows);
    assert_eq!(end.ledger_rows, end.stats.attempted_changes);
    let resolved: BTreeSet<_> = rows
        .iter()
        .filter_map(|row| row.resolution.clone())
        .collect();
    println!("resolved: {resolved:?}");
    ledger_equals_tables(&running.server.address, &ok_rows(&running.ledger, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_load_keeps_its_rate_at_about_three_changes_per_transaction() {
    let Some(running) = begin().await else { return };
    seconds(6.0).await;
    let end = running.load.stop().await.unwrap();
    show("rate", &end);
    // The bar of a rehearsal is 300/s; this only guards against a load that has become slow,
    // whatever else the machine is doing.
    assert!(end.stats.committed_transactions > 6 * 150);
    let per_transaction =
        end.stats.committed_changes as f64 / end.stats.committed_transactions as f64;
    assert!((2.0..4.0).contains(&per_transaction), "{per_transaction}");
    ledger_equals_tables(&running.server.address, &ok_rows(&running.ledger, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_database_refuses_writes_and_a_released_one_takes_them_again() {
    let Some(running) = begin().await else { return };
    seconds(1.5).await;
    let admin = connect_admin(&running.server.address).await.unwrap();
    // The writers' role is the superuser here; the load's own login in a rehearsal is not.
    admin
        .batch_execute("create role writer login superuser")
        .await
        .unwrap();
    let writer = PgAddress {
        user: "writer".into(),
        ..running.server.address.clone()
    };
    running.target.send_replace(Some(Target {
        address: writer,
        incarnation: 0,
    }));
    seconds(1.5).await;
    freeze_writes(&admin, "postgres", "writer").await.unwrap();
    let frozen = running.load.stats().committed_transactions;
    seconds(1.0).await;
    assert_eq!(running.load.stats().committed_transactions, frozen);
    release_writes(&admin, "postgres", "writer").await.unwrap();
    committed_more_than(&running.load, frozen + 100).await;
    let end = running.load.stop().await.unwrap();
    show("freeze", &end);
    assert!((1.0..10.0).contains(&end.refused_write_seconds));
    ledger_equals_tables(&running.server.address, &ok_rows(&running.ledger, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_follow_to_another_incarnation_only_when_they_are_told() {
    let Some(running) = begin().await else { return };
    seconds(2.0).await;
    running.server.stop("fast");
    let old = running.load.stats().committed_transactions;
    running.server.replace().await;
    seconds(1.0).await;
    assert!(
        stored(&running.server.address, Table::Orders)
            .await
            .is_empty()
    );
    assert_eq!(running.load.stats().committed_transactions, old);

    running.target.send_replace(at(&running.server, 1));
    committed_more_than(&running.load, old + 100).await;
    let end = running.load.stop().await.unwrap();
    show("another incarnation", &end);
    let new = ok_rows(&running.ledger, 1);
    ledger_equals_tables(&running.server.address, &new).await;
    // A session goes on in its sequence: no revision of the old life is ever used again.
    let mut newest = BTreeMap::new();
    for row in ok_rows(&running.ledger, 0) {
        let seen = newest.entry(row.session).or_insert(row.revision);
        *seen = row.revision.max(*seen);
    }
    assert!(
        new.iter()
            .all(|row| Some(&row.revision) > newest.get(&row.session))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_load_is_quiet_and_goes_on_where_it_stopped() {
    let Some(running) = begin().await else { return };
    seconds(2.0).await;
    running.load.pause();
    wait::until(
        "the load to be quiet",
        Duration::from_secs(2),
        Duration::from_millis(10),
        async || {
            Ok::<_, std::fmt::Error>(match running.load.stats().busy_sessions {
                0 => wait::Poll::Ready(()),
                busy => wait::Poll::NotYet(format!("{busy} busy sessions")),
            })
        },
    )
    .await
    .unwrap();
    seconds(0.2).await;
    let paused = running.load.stats();
    seconds(0.5).await;
    assert_eq!(
        running.load.stats().attempted_changes,
        paused.attempted_changes
    );
    running.load.resume();
    committed_more_than(&running.load, paused.committed_transactions + 100).await;
    let end = running.load.stop().await.unwrap();
    show("pause", &end);
    assert_eq!(end.refused_write_seconds, 0.0);
    ledger_equals_tables(&running.server.address, &ok_rows(&running.ledger, 0)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_without_a_server_stops_at_once_and_leaves_an_empty_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("attempted");
    let (_target, receiver) = watch::channel(None);
    let writer = ChangeWriter::create(&ledger, 4).unwrap();
    let load = Load::start(LoadConfig::default(), receiver, writer, EventSink::none());
    seconds(0.3).await;
    assert!(load.stats().refused > 0);
    let asked = std::time::Instant::now();
    let end = load.stop().await.unwrap();
    assert!(asked.elapsed() < Duration::from_secs(1));
    assert_eq!((end.ledger_rows, end.unresolved), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_tables_end_the_load_with_the_cause_and_what_to_do() {
    use cutover_model::Classified;
    let Some(running) = begin().await else { return };
    let admin = connect_admin(&running.server.address).await.unwrap();
    admin
        .batch_execute("drop table public.order_events")
        .await
        .unwrap();
    seconds(1.0).await;
    let error = running.load.stop().await.unwrap_err();
    assert!(error.remedy().unwrap().contains("schema.sql"), "{error:?}");
}
