//! Rows of a real server: the same, whether COPY or the log sends them in binary form or as text.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "this is all test code; clippy knows only the test functions themselves"
)]
#![expect(dead_code, reason = "the server can do more than these tests ask")]

mod server;

use std::collections::BTreeMap;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutover_clients::pg::{self, PgAddress, marker, publication, slots};
use cutover_clients::wait::{self, Poll};
use cutover_ledger::{ChangeWriter, StoredWriter, read_changes, read_stored};
use cutover_model::{Relation, TableShape};
use cutover_record::tables::record_tables;
use cutover_record::topics::{ConverterModes, settle};
use cutover_record::witness::{Witness, WitnessConfig};
use cutover_record::{Notes, RecordError};
use server::Server;
use tokio_postgres::Client;

/// Every type that is read in its binary form, and what it holds at its ends.
const TABLES: &str = r#"
CREATE TYPE mood AS ENUM ('so la la', 'good');
CREATE DOMAIN price AS numeric(12,2) CHECK (VALUE > -1000);
CREATE TABLE sent_in_binary (
  id int PRIMARY KEY, a bool, b int2, c int8, d oid, e float4, f float8, g numeric,
   h numeric(20,6), i text,
  j varchar(20), k char(5), l name, m json, n jsonb, o uuid, p bytea, q date, r time,
   s timestamp, t timestamptz,
  u mood, v price, revision bigint);
CREATE TABLE sent_as_text (LIKE sent_in_binary INCLUDING INDEXES, w interval);
CREATE TABLE with_an_array (id int PRIMARY KEY, x aclitem[]);
"#;

const ROWS: &str = r#"
INSERT INTO sent_in_binary VALUES
  (1, true, -32768, -9223372036854775808, 4294967295, 'NaN', 'NaN', 'NaN', 0, '', '', '', '',
   '{}', '{}',
   '00000000-0000-0000-0000-000000000000', '', 'infinity', '00:00', 'infinity', 'infinity',
   'good', 0, 1),
  (2, false, 32767, 9223372036854775807, 0, '-Infinity', 'Infinity', 'Infinity', -0.000001,
   E'a\tb\\c\nd', 'é東',
   'ab', 'x', '{"b": 1, "a": 10.0}', '{"b": 1, "a": 10.0}',
   'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
   '\xdeadbeef00', '-infinity', '24:00', '-infinity', '-infinity', 'so la la', -0.50, NULL),
  (3, NULL, 0, 0, 1, '-0', '-0', '-Infinity', 12345678901234.567800, NULL, NULL, NULL, NULL,
   NULL, NULL, NULL, NULL,
   '4714-11-24 BC', '23:59:59.999999', '4714-11-24 00:00 BC', '0001-01-01 00:00:00+00 BC',
   NULL, 100, -7),
  (4, NULL, 10, 100, 10, 1e-45, 1.7976931348623157e308, 1e131071, 99999999999999.999999, 'x',
   'x', 'x', 'x', '[1]',
   '"x"', gen_random_uuid(), '\x', '5874897-12-31', '00:00:00.000001',
   '294276-12-31 23:59:59.999999',
   '294276-12-31 23:59:59.999999+00', NULL, 12.30, 0),
  (5, NULL, -10, -100, 100, 0.1, 0.1, 1e-16383, 0.1, '\N', '\.', '\', '"', 'null', 'null',
   NULL, NULL, '2000-01-01',
   '12:00', '2000-01-01', '1969-12-31 23:59:59.999999+00', NULL, 0.01, 9223372036854775807);
INSERT INTO sent_in_binary (id, c, g, h, t)
  SELECT n, n::bigint * n * n, (n - 5000) * power(10::numeric, n % 40 - 20), (n - 5000) / 7.0,
    timestamptz '1900-01-01' + n * interval '9 days 1.000001 seconds' FROM generate_series(10,
   9999) n;
INSERT INTO sent_as_text SELECT * FROM sent_in_binary;
INSERT INTO with_an_array VALUES (1, ARRAY[makeaclitem(10, 10, 'SELECT', false)]);
"#;

/// What a ledger says of a row, by key.
type Rows = BTreeMap<String, (Option<i64>, Option<i64>)>;

async fn shapes(session: &Client, table: &str) -> Vec<TableShape> {
    let relation = Relation::new("public", table);
    let mut shapes = publication::table_shapes(session, &[relation])
        .await
        .unwrap();
    settle(&mut shapes, &ConverterModes::default());
    shapes
}

async fn stored(address: &PgAddress, shapes: &[TableShape], folder: &Path) -> (Rows, Notes) {
    let mut writer = StoredWriter::create(folder, 1).unwrap();
    let end = record_tables(address, shapes, 0, &mut writer)
        .await
        .unwrap();
    assert_eq!(writer.finish().unwrap(), end.rows);
    let rows = read_stored(folder).unwrap().map(|row| row.unwrap());
    let rows = rows.map(|row| (row.key.unwrap(), (row.image, row.revision)));
    (rows.collect(), end.notes)
}

/// What the log tells of rows that were inserted, up to a marker behind them, by a slot and a publication of one name.
async fn witnessed(
    address: &PgAddress,
    name: &str,
    shapes: Vec<TableShape>,
    folder: &Path,
) -> (Rows, Notes) {
    let writer = ChangeWriter::create(folder, 1).unwrap();
    let writer = Arc::new(Mutex::new(writer));
    let config = WitnessConfig {
        address: address.clone(),
        slot: name.to_owned(),
        publication: name.to_owned(),
        incarnation: 0,
        shapes,
        marker_prefix: "cutover".to_owned(),
    };
    let witness = Witness::start(config, Arc::clone(&writer)).unwrap();
    let patience = (Duration::from_secs(60), Duration::from_millis(5));
    let seen = wait::until("the marker", patience.0, patience.1, async || {
        Ok::<_, RecordError>(match witness.saw_marker("end") {
            Some(_) => Poll::Ready(()),
            None => Poll::NotYet(format!("{:?}", witness.status())),
        })
    });
    seen.await.unwrap();
    let end = witness.stop().unwrap();
    let writer = Arc::into_inner(writer).unwrap().into_inner().unwrap();
    assert_eq!(writer.finish().unwrap(), end.changes);
    let rows = read_changes(folder).unwrap().map(|row| row.unwrap());
    let rows = rows.map(|row| (row.key.unwrap(), (row.after, row.revision)));
    (rows.collect(), end.notes)
}

#[test]
fn a_row_sent_in_binary_has_the_image_of_the_same_row_sent_as_text() {
    let server = Server::start().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let recorded = runtime.block_on(async {
        let session = pg::connect(&server.address, "test").await.unwrap();
        session.batch_execute(TABLES).await.unwrap();
        let relation = |name| Relation::new("public", name);
        // A log with any array in it is sent as text: the server breaks off where an element has no binary form.
        let published = ["sent_in_binary", "with_an_array"].map(relation);
        for (name, tables) in [("binary", 1), ("text", 2)] {
            publication::create_publication(&session, name, &published[..tables])
                .await
                .unwrap();
            slots::create_slot(&session, name, "pgoutput")
                .await
                .unwrap();
        }
        session.batch_execute(ROWS).await.unwrap();
        marker::emit_message(&session, "cutover", "end")
            .await
            .unwrap();
        let mut recorded = Vec::new();
        for table in ["sent_in_binary", "sent_as_text"] {
            let shapes = shapes(&session, table).await;
            recorded.push(stored(&server.address, &shapes, &scratch.path().join(table)).await);
        }
        for name in ["binary", "text"] {
            let shapes = shapes(&session, "sent_in_binary").await;
            let folder = scratch.path().join(name);
            recorded.push(witnessed(&server.address, name, shapes, &folder).await);
        }
        recorded
    });
    let (first, _) = &recorded[0];
    assert_eq!(first.len(), 5 + 9_990);
    assert!(first.values().all(|row| row.0.is_some()), "without image");
    for (rows, notes) in &recorded {
        for (key, row) in first {
            assert_eq!(Some(row), rows.get(key), "{key}");
        }
        assert_eq!(rows.len(), first.len());
        assert_eq!(*notes, Notes::default());
    }
}
