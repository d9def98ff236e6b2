//! The witness and the table recorder against a real server.
//!
//! Needs `CUTOVER_TEST_PG_BIN`, a directory with PostgreSQL's programs (`cargo x ci` sets it); says so and passes
//! without it. `CUTOVER_TEST_PG_BIN_NEXT` may name a second one of the same major version for the restart.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "this is all test code; clippy knows only the test functions themselves"
)]

mod server;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cutover_clients::pg::{
    self, PgAddress, PgHost, facts, freeze, hold, marker, publication, slots,
};
use cutover_clients::wait::{self, Poll, WaitError};
use cutover_ledger::{ChangeWriter, StoredWriter, read_changes, read_stored};
use cutover_model::{ChangeRow, Half, Lsn, Op, Relation, TableShape};
use cutover_record::RecordError;
use cutover_record::tables::record_tables;
use cutover_record::witness::{Witness, WitnessConfig};
use server::Server;
use tokio_postgres::Client;

const TABLES: &str = "
CREATE TABLE keyed (id bigint PRIMARY KEY, name text, amount numeric(12,2), at timestamptz,
                    body bytea,
                    score float8, revision bigint, big text);
ALTER TABLE keyed REPLICA IDENTITY FULL;
ALTER TABLE keyed ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE lean (a int, b text, note text, PRIMARY KEY (a, b));
CREATE TABLE keyless (what text, n int);
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE elsewhere (id int PRIMARY KEY);";

struct Bench {
    server: Server,
    client: Client,
    shapes: Vec<TableShape>,
    writer: Arc<Mutex<ChangeWriter>>,
    folder: tempfile::TempDir,
}

impl Bench {
    /// A server with the tables, publication and slot; `None` without binaries.
    async fn new() -> Option<Bench> {
        let server = Server::start()?;
        let client = pg::connect(&server.address, "test").await.unwrap();
        client.batch_execute(TABLES).await.unwrap();
        let names = ["keyed", "lean", "keyless"].map(|name| Relation::new("public", name));
        let mut published = names.to_vec();
        published.push(Relation::new("public", "elsewhere"));
        publication::create_publication(&client, "pub", &published)
            .await
            .unwrap();
        let shapes = publication::table_shapes(&client, &names).await.unwrap();
        slots::create_slot(&client, "witness", "pgoutput")
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let writer = ChangeWriter::create(&folder.path().join("committed"), 4).unwrap();
        Some(Bench {
            server,
            client,
            shapes,
            writer: Arc::new(Mutex::new(writer)),
            folder,
        })
    }

    fn config(&self) -> WitnessConfig {
        WitnessConfig {
            address: self.server.address.clone(),
            slot: "witness".into(),
            publication: "pub".into(),
            incarnation: 0,
            shapes: self.shapes.clone(),
            marker_prefix: "cutover".into(),
        }
    }

    fn witness(&self) -> Witness {
        Witness::start(self.config(), Arc::clone(&self.writer)).unwrap()
    }

    async fn run(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    async fn reconnect(&mut self) {
        self.client = pg::connect(&self.server.address, "test").await.unwrap();
    }

    /// Writes a marker and waits until the witness has seen it.
    async fn fence(&self, witness: &Witness, token: &str) -> Lsn {
        marker::emit_message(&self.client, "cutover", token)
            .await
            .unwrap();
        let seen = wait::until(
            "the marker",
            secs(20),
            Duration::from_millis(5),
            async || {
                Ok::<_, RecordError>(match witness.saw_marker(token) {
                    Some(lsn) => Poll::Ready(lsn),
                    None => Poll::NotYet(format!("{:?}", witness.status())),
                })
            },
        );
        seen.await.unwrap()
    }

    fn finish(self) -> (Vec<ChangeRow>, tempfile::TempDir) {
        let writer = Arc::into_inner(self.writer).unwrap().into_inner().unwrap();
        writer.finish().unwrap();
        (changes(&self.folder.path().join("committed")), self.folder)
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The ledger in the order of the log.
fn changes(folder: &Path) -> Vec<ChangeRow> {
    let mut rows: Vec<ChangeRow> = read_changes(folder).unwrap().map(Result::unwrap).collect();
    rows.sort_by_key(|row| (row.commit_lsn, row.ordinal));
    rows
}

fn told(row: &ChangeRow) -> (String, &'static str, i32, Option<String>) {
    (
        row.relation.clone(),
        row.op.letter(),
        row.half.number(),
        row.key.clone(),
    )
}

fn keyed(id: u64) -> Option<String> {
    Some(format!("{{\"id\":\"{id}\"}}"))
}

/// Folds the ledger to the rows that must be in the tables: hash and how often.
fn fold(rows: &[ChangeRow]) -> BTreeMap<(String, i64), i64> {
    let mut state = BTreeMap::new();
    for row in rows.iter().filter(|row| row.relation != "public.lean") {
        for (image, step) in [(row.before, -1), (row.after, 1)] {
            if let Some(image) = image {
                *state.entry((row.relation.clone(), image)).or_insert(0) += step;
            }
        }
    }
    state.retain(|_, count| *count != 0);
    state
}

async fn stored(bench: &Bench) -> BTreeMap<(String, i64), i64> {
    let folder = bench.folder.path().join("stored");
    let mut writer = StoredWriter::create(&folder, 4).unwrap();
    record_tables(&bench.server.address, &bench.shapes, 0, &mut writer)
        .await
        .unwrap();
    writer.finish().unwrap();
    let mut state = BTreeMap::new();
    for row in read_stored(&folder).unwrap().map(Result::unwrap) {
        if row.relation != "public.lean" {
            *state.entry((row.relation, row.image.unwrap())).or_insert(0) += 1;
        }
    }
    state
}

/// What the statements of the next test must leave in the ledger, truncates aside.
fn every_kind() -> Vec<(String, &'static str, i32, Option<String>)> {
    let lean = |b: &str| Some(format!("{{\"a\":\"1\",\"b\":\"{b}\"}}"));
    let (k, l, n) = ("public.keyed", "public.lean", "public.keyless");
    [
        (k, "c", 0, keyed(1)),
        (k, "u", 0, keyed(1)),
        (k, "d", 1, keyed(1)),
        (k, "c", 2, keyed(10)),
        (k, "c", 0, keyed(20)),
        (k, "c", 0, keyed(21)),
        (k, "c", 0, keyed(22)),
        (k, "d", 0, keyed(21)),
        (k, "d", 0, keyed(10)),
        (l, "c", 0, lean("x")),
        (l, "u", 0, lean("x")),
        (l, "d", 1, lean("x")),
        (l, "c", 2, lean("y")),
        (l, "d", 0, lean("y")),
        (n, "c", 0, None),
        (n, "c", 0, None),
        (n, "d", 0, None),
        (n, "u", 0, None),
    ]
    .map(|(relation, op, half, key)| (relation.to_owned(), op, half, key))
    .to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_committed_change_is_witnessed_once_and_nothing_else() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let witness = bench.witness();
    bench.run("INSERT INTO keyed VALUES (1, 'a', 1.50, '2020-01-01 00:00:00+02', '\\x00ff', 0.1, 1, NULL)").await;
    bench
        .run("UPDATE keyed SET revision = 2 WHERE id = 1")
        .await;
    bench
        .run("UPDATE keyed SET id = 10, revision = 3 WHERE id = 1")
        .await;
    bench
        .run("INSERT INTO keyed (id) VALUES (20), (21), (22)")
        .await;
    bench
        .run("BEGIN; DELETE FROM keyed WHERE id = 20; ROLLBACK")
        .await;
    bench.run("BEGIN; DELETE FROM keyed WHERE id = 21; SAVEPOINT s; DELETE FROM keyed WHERE id = 22; \
               ROLLBACK TO s; INSERT INTO elsewhere VALUES (1); DELETE FROM keyed WHERE id = 10; COMMIT").await;
    bench.run("INSERT INTO lean VALUES (1, 'x', 'n'); UPDATE lean SET note = 'm'; UPDATE lean SET b = 'y'; \
               DELETE FROM lean").await;
    bench.run("INSERT INTO keyless VALUES ('twice', 1), ('twice', 1); DELETE FROM keyless WHERE ctid = '(0,1)'; \
               UPDATE keyless SET n = 2").await;
    bench.run("TRUNCATE lean, keyless").await;
    bench.fence(&witness, "end").await;
    let stored = stored(&bench).await;
    let end = witness.stop().unwrap();
    let (rows, _folder) = bench.finish();
    let (truncates, others): (Vec<&ChangeRow>, Vec<&ChangeRow>) =
        rows.iter().partition(|row| row.op == Op::Truncate);
    assert_eq!(
        others.iter().map(|row| told(row)).collect::<Vec<_>>(),
        every_kind()
    );
    assert_eq!(truncates.len(), 2);
    assert_eq!((end.changes, end.out_of_scope), (20, 1));

    let halves: Vec<&&ChangeRow> = others
        .iter()
        .filter(|row| row.half != Half::Whole)
        .collect();
    assert_eq!(halves[0].lsn, halves[1].lsn);
    assert_eq!((halves[0].ordinal, halves[1].ordinal), (Some(0), Some(1)));
    assert_eq!((others[0].revision, others[3].revision), (Some(1), Some(3)));
    assert_eq!(
        others[0].after, others[1].before,
        "the chain of one row has no break"
    );
    assert_eq!(
        (others[10].before, others[13].before),
        (None, None),
        "a key tuple is no image"
    );
    let survivors: BTreeMap<_, _> = fold(&rows)
        .into_iter()
        .filter(|((relation, _), _)| relation == "public.keyed")
        .collect();
    assert_eq!(survivors, stored);
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_rows_and_large_untouched_values_have_the_images_that_the_tables_have() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let witness = bench.witness();
    let rows = "'seq 1 2000 | sed \"s/$/\\tcopied\\t1.10\\t\\\\\\\\N\\t\\\\\\\\N\\t1e-7\\t1\\t\\\\\\\\N/\"'";
    let copy = format!("COPY keyed FROM PROGRAM {rows}");
    bench.run(&copy).await;
    bench
        .run("INSERT INTO keyed (id, big) VALUES (5000, repeat('large ', 20000))")
        .await;
    bench
        .run("UPDATE keyed SET revision = 9 WHERE id = 5000")
        .await;
    bench.run("UPDATE keyed SET name = E'tab\\tline\\nback\\\\slash \\\\N', at = 'infinity' WHERE id <= 10").await;
    bench
        .run("INSERT INTO keyless SELECT 'same', 1 FROM generate_series(1, 3)")
        .await;
    bench.fence(&witness, "end").await;
    let stored = stored(&bench).await;
    witness.stop().unwrap();
    let (rows, _folder) = bench.finish();
    assert_eq!(rows.len(), 2000 + 1 + 1 + 10 + 3);
    assert_eq!(fold(&rows), stored);
    let shared = rows
        .windows(2)
        .filter(|pair| pair[0].lsn == pair[1].lsn)
        .count();
    assert!(
        shared > 0,
        "rows of one COPY share LSNs, and ordinals tell them apart"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_shutdown_does_not_wait_for_the_witness_and_loses_nothing() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let witness = bench.witness();
    bench
        .run("INSERT INTO keyed (id) SELECT generate_series(1, 20000)")
        .await;
    let begun = Instant::now();
    bench.server.stop("fast");
    let took = begun.elapsed();
    eprintln!("fast shutdown with an attached witness that was reading: {took:?}");
    assert!(took < secs(3), "{took:?}");
    bench.server.start_again();
    bench.reconnect().await;
    bench
        .run("UPDATE keyed SET revision = 1 WHERE id <= 100")
        .await;
    bench.fence(&witness, "after").await;
    let begun = Instant::now();
    bench.server.stop("fast");
    let idle = begun.elapsed();
    eprintln!("fast shutdown with an idle witness: {idle:?}");
    assert!(idle < secs(1), "{idle:?}");
    let end = witness.stop().unwrap();
    assert_eq!(end.changes, 20_100);
    let (rows, _folder) = bench.finish();
    assert_eq!(rows.len(), 20_100);
}

#[tokio::test(flavor = "multi_thread")]
async fn crashes_in_the_middle_of_transactions_repeat_no_change() {
    let Some(mut bench) = Bench::new().await else {
        return;
    };
    let witness = bench.witness();
    for round in 0..3_u64 {
        let from = round * 100_000;
        let sql = format!(
            "INSERT INTO keyed (id, name, revision)
             SELECT i, repeat('x', 50), 1 FROM generate_series({from} + 1, {from} + 30000) i"
        );
        bench.run(&sql).await;
        // The witness is somewhere inside the transaction when the server goes away.
        let reached = wait::until(
            "some changes",
            secs(20),
            Duration::from_millis(1),
            async || {
                let changes = witness.status().changes;
                Ok::<_, WaitError<RecordError>>(if changes > round * 30_000 {
                    Poll::Ready(changes)
                } else {
                    Poll::NotYet(changes.to_string())
                })
            },
        );
        let reached = reached.await.unwrap();
        bench.server.stop("immediate");
        let broken = witness.status().changes;
        eprintln!("crash after {reached}..{broken} changes");
        bench.server.start_again();
        bench.reconnect().await;
    }
    bench.fence(&witness, "end").await;
    let stored = stored(&bench).await;
    let end = witness.stop().unwrap();
    assert_eq!(end.changes, 90_000);
    let (rows, _folder) = bench.finish();
    assert_eq!(rows.len(), 90_000);
    assert_eq!(fold(&rows), stored);
    for pair in rows
        .windows(2)
        .filter(|pair| pair[0].commit_lsn == pair[1].commit_lsn)
    {
        assert_eq!(pair[0].ordinal.unwrap() + 1, pair[1].ordinal.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_is_free_after_a_stop_and_holds_nothing_back() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let mut config = bench.config();
    config.address.host = PgHost::Tcp("127.0.0.1".into());
    let witness = Witness::start(config, Arc::clone(&bench.writer)).unwrap();
    bench.run("INSERT INTO keyed (id) VALUES (1)").await;
    let lsn = bench.fence(&witness, "end").await;
    let busy = slots::drop_slot(&bench.client, "witness")
        .await
        .unwrap_err();
    assert_eq!(busy.sqlstate(), Some("55006"));
    let end = witness.stop().unwrap();
    assert!(end.through >= lsn);
    let slot = slots::slot(&bench.client, "witness")
        .await
        .unwrap()
        .unwrap();
    assert!(!slot.active);
    assert_eq!(slot.confirmed_flush, Some(end.through));
    slots::drop_slot(&bench.client, "witness").await.unwrap();
    slots::drop_slot(&bench.client, "witness").await.unwrap();
    assert_eq!(slots::slots(&bench.client).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_gets_a_column_is_followed_and_one_that_gets_another_key_ends_the_witness() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let witness = bench.witness();
    bench
        .run("ALTER TABLE keyed ADD COLUMN surprise int; INSERT INTO keyed (id) VALUES (1)")
        .await;
    wait::until("the row", secs(20), Duration::from_millis(5), async || {
        Ok::<_, RecordError>(match witness.status() {
            status if status.changes == 1 => Poll::Ready(()),
            status => Poll::NotYet(format!("{status:?}")),
        })
    })
    .await
    .unwrap();
    bench
        .run("ALTER TABLE keyed RENAME COLUMN id TO number; INSERT INTO keyed (number) VALUES (2)")
        .await;
    let told = complaint(&witness, "number").await;
    assert!(
        told.contains("'surprise' is new") && told.contains("'id' is not published"),
        "{told}"
    );
    assert!(matches!(witness.stop(), Err(RecordError::Shape(_))));
}

/// Waits until the witness reports an error that has `word` in it.
async fn complaint(witness: &Witness, word: &str) -> String {
    wait::until(
        "the complaint",
        secs(20),
        Duration::from_millis(5),
        async || {
            Ok::<_, RecordError>(match witness.status().error {
                Some(error) if error.contains(word) => Poll::Ready(error),
                other => Poll::NotYet(format!("{other:?}")),
            })
        },
    )
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_at_the_same_address_is_not_taken_for_the_old_one() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let witness = bench.witness();
    bench.run("INSERT INTO keyed (id) VALUES (1)").await;
    bench.server.stop("fast");
    bench.server.replace();
    complaint(&witness, "another incarnation").await;
    assert!(matches!(witness.stop(), Err(RecordError::Witness(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_witness_without_slot_or_password_is_refused_at_once() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let mut config = bench.config();
    for name in ["no_such_slot", "no such\"slot"] {
        config.slot = name.into();
        let error = Witness::start(config.clone(), Arc::clone(&bench.writer)).unwrap_err();
        assert!(error.to_string().contains("does not exist"), "{error}");
    }
    for (method, user) in [
        ("scram-sha-256", "scram"),
        ("md5", "md5"),
        ("password", "plain"),
    ] {
        let encryption = if method == "md5" {
            "md5"
        } else {
            "scram-sha-256"
        };
        bench
            .run(&format!(
                "SET password_encryption = '{encryption}'; \
             CREATE ROLE {user} LOGIN REPLICATION SUPERUSER PASSWORD 'pa''ss'"
            ))
            .await;
        bench.server.require(user, method);
        bench.run("SELECT pg_reload_conf()").await;
        let address = |password: &str| PgAddress {
            user: user.into(),
            password: cutover_clients::secret::Secret::new(password),
            ..bench.server.address.clone()
        };
        let config = |password| WitnessConfig {
            address: address(password),
            ..bench.config()
        };
        let login = |password| Witness::start(config(password), Arc::clone(&bench.writer));
        // The new pg_hba.conf takes effect when the postmaster has got round to it.
        let refused = wait::until(
            "a refusal",
            secs(10),
            Duration::from_millis(10),
            async || {
                Ok::<_, RecordError>(match login("wrong") {
                    Err(error) => Poll::Ready(error),
                    Ok(witness) => Poll::NotYet(format!("{:?}", witness.stop())),
                })
            },
        );
        let refused = refused.await.unwrap();
        let classified: &dyn cutover_model::Classified = &refused;
        assert_eq!(
            classified.exit_code(),
            cutover_model::ExitCode::Denied,
            "{refused}"
        );
        assert!(
            !format!("{refused} {refused:?}").contains("wrong"),
            "{refused:?}"
        );
        assert!(login("").is_err());
        login("pa'ss").unwrap().stop().unwrap();
    }
}

/// Whoever is killed leaves no slot behind, and a connection that is lost ends the witness, which says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_slot_sees_everything_and_goes_with_its_session() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    let start = |slot: &str| {
        let config = WitnessConfig {
            slot: slot.into(),
            ..bench.config()
        };
        Witness::start_temporary(config, Arc::clone(&bench.writer), secs(2))
    };
    let there = async |slot: &str| slots::slot(&bench.client, slot).await.unwrap();
    let gone = async |slot: &str| {
        let gone = wait::until("its end", secs(10), Duration::from_millis(20), async || {
            Ok::<_, RecordError>(match there(slot).await {
                None => Poll::Ready(()),
                Some(slot) => Poll::NotYet(format!("{slot:?}")),
            })
        });
        gone.await.unwrap();
    };
    let (witness, from) = start("passing").unwrap();
    assert!(from > Lsn::INVALID);
    bench.run("INSERT INTO lean VALUES (1, 'a', 'n')").await;
    bench.fence(&witness, "end").await;
    let end = witness.stop().unwrap();
    assert_eq!(end.changes, 1);
    gone("passing").await;

    let (witness, _) = start("broken").unwrap();
    let pid = there("broken").await.unwrap().active_pid.unwrap();
    bench
        .run(&format!("SELECT pg_terminate_backend({pid})"))
        .await;
    let said = complaint(&witness, "temporary slot").await;
    assert!(said.contains("connection was lost"), "{said}");
    assert!(witness.stop().is_err());
    gone("broken").await;

    let other = pg::connect(&bench.server.address, "test").await.unwrap();
    let open = "BEGIN; INSERT INTO keyless VALUES ('open', 1)";
    other.batch_execute(open).await.unwrap();
    let late = start("late").unwrap_err();
    assert!(
        matches!(&late, RecordError::Pg(error) if error.sqlstate() == Some("55P03")),
        "{late}"
    );
    gone("late").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_ends_old_sessions_and_a_release_lets_new_ones_write() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    bench
        .run("CREATE ROLE app LOGIN; GRANT ALL ON keyed TO app")
        .await;
    let address = PgAddress {
        user: "app".into(),
        ..bench.server.address.clone()
    };
    let admin = pg::connect_admin(&bench.server.address).await.unwrap();
    let database = &bench.server.address.database;
    let old = pg::connect(&address, "app").await.unwrap();
    old.batch_execute("BEGIN; INSERT INTO keyed (id) VALUES (1)")
        .await
        .unwrap();
    assert!(!freeze::writes_frozen(&admin, database).await.unwrap());
    let frozen = freeze::freeze_writes(&admin, database, "app")
        .await
        .unwrap();
    assert_eq!(frozen, 1);
    assert!(freeze::writes_frozen(&admin, database).await.unwrap());
    assert!(old.batch_execute("COMMIT").await.is_err());
    let during = pg::connect(&address, "app").await.unwrap();
    let refused = during
        .batch_execute("INSERT INTO keyed (id) VALUES (2)")
        .await
        .unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "25006");
    admin
        .batch_execute("INSERT INTO keyed (id) VALUES (3)")
        .await
        .unwrap();
    freeze::release_writes(&admin, database, "app")
        .await
        .unwrap();
    assert!(
        during.batch_execute("SELECT 1").await.is_err(),
        "it would have stayed read only"
    );
    let after = pg::connect(&address, "app").await.unwrap();
    after
        .batch_execute("INSERT INTO keyed (id) VALUES (4)")
        .await
        .unwrap();
    let facts = facts::server_facts(&admin).await.unwrap();
    assert_eq!((facts.incarnation.timeline, facts.in_recovery), (1, false));
    assert_eq!(facts.wal_level, "logical");
    assert!(facts.current_lsn <= facts::current_lsn(&admin).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_per_second_of_the_witness() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    bench
        .run("INSERT INTO keyed SELECT i, 'name ' || i, i, now(), '\\x00', i, 1 FROM generate_series(1, 200000) i")
        .await;
    let begun = Instant::now();
    let witness = bench.witness();
    bench.fence(&witness, "end").await;
    let took = begun.elapsed().as_secs_f64();
    assert_eq!(witness.stop().unwrap().changes, 200_000);
    eprintln!("witness: {:.0} rows/s into the ledger", 200_000.0 / took);
}

#[tokio::test(flavor = "multi_thread")]
async fn held_tables_keep_writers_waiting_and_refuse_none_of_them() {
    let Some(bench) = Bench::new().await else {
        return;
    };
    bench
        .run("CREATE PUBLICATION held FOR TABLE keyed; CREATE PUBLICATION nothing")
        .await;
    let address = &bench.server.address;
    let admin = pg::connect_admin(address).await.unwrap();
    let writer = pg::connect(address, "app").await.unwrap();
    let limit = Duration::from_millis(200);
    writer
        .batch_execute("BEGIN; INSERT INTO keyed (id) VALUES (1)")
        .await
        .unwrap();
    let busy = hold::hold_tables(&admin, "held", limit).await.unwrap();
    assert_eq!(busy, None, "somebody writes");
    writer.batch_execute("COMMIT").await.unwrap();

    let held = hold::hold_tables(&admin, "held", limit).await.unwrap();
    assert_eq!(held, Some(1));
    let waiting = tokio::spawn(async move {
        writer
            .batch_execute("INSERT INTO keyed (id) VALUES (2)")
            .await
    });
    let waits = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'keyed'::regclass";
    let (deadline, step) = (Duration::from_secs(20), Duration::from_millis(20));
    let seen = wait::until("a writer that waits", deadline, step, async || {
        let rows = admin.query(waits, &[]).await?;
        Ok::<_, tokio_postgres::Error>(if rows.is_empty() {
            Poll::NotYet("nobody waits".into())
        } else {
            Poll::Ready(())
        })
    });
    seen.await.unwrap();
    assert!(!waiting.is_finished());
    hold::release_tables(&admin).await.unwrap();
    waiting.await.unwrap().unwrap();

    assert_eq!(
        hold::hold_tables(&admin, "nothing", limit).await.unwrap(),
        Some(0)
    );
    hold::release_tables(&admin).await.unwrap();
    let missing = hold::hold_tables(&admin, "absent", limit).await;
    assert!(missing.unwrap_err().to_string().contains("absent"));
    // Not even after an error is a transaction left open.
    assert_eq!(
        hold::hold_tables(&admin, "held", limit).await.unwrap(),
        Some(1)
    );
}
