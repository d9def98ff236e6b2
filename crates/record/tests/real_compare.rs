//! Stored rows of two databases of a real server, compared: every planted difference is named and nothing else.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "this is all test code; clippy knows only the test functions themselves"
)]
#![expect(dead_code, reason = "the server can do more than these tests ask")]

mod server;

use cutover_clients::pg::{self, Client, PgAddress};
use cutover_model::comparison::{
    ComparedBy, Comparison, RowDifference, RowDifferenceKind, TableComparison, TableState,
};
use cutover_model::{Classified, ExitCode, Verdict};
use cutover_record::RecordError;
use cutover_record::compare::{CompareConfig, Differences, compare};
use server::Server;

/// Keeps what differs, and does something at the first.
struct Kept<'a> {
    rows: Vec<RowDifference>,
    at_first: Option<Box<dyn FnOnce() + Send + 'a>>,
}

impl Differences for Kept<'_> {
    fn add(&mut self, difference: &RowDifference) -> std::io::Result<()> {
        self.rows.push(difference.clone());
        if let Some(act) = self.at_first.take() {
            act();
        }
        Ok(())
    }

    fn withdraw(&mut self, table: &str) -> std::io::Result<()> {
        self.rows.retain(|row| row.table != table);
        Ok(())
    }
}

struct Two {
    server: Server,
    runtime: tokio::runtime::Runtime,
}

impl Two {
    /// Databases `one` and `two`, both made by the same statements.
    fn new(both: &str) -> Two {
        let two = Two {
            server: Server::start().unwrap(),
            runtime: tokio::runtime::Runtime::new().unwrap(),
        };
        two.sql("postgres", "CREATE DATABASE one TEMPLATE template0");
        two.sql("postgres", "CREATE DATABASE two TEMPLATE template0");
        two.sql("one", both);
        two.sql("two", both);
        two
    }

    fn address(&self, database: &str) -> PgAddress {
        PgAddress {
            database: database.to_owned(),
            ..self.server.address.clone()
        }
    }

    fn session(&self, database: &str) -> Client {
        let address = self.address(database);
        let connected = pg::connect(&address, "test");
        self.runtime.block_on(connected).unwrap()
    }

    fn sql(&self, database: &str, sql: &str) {
        let session = self.session(database);
        self.runtime.block_on(session.batch_execute(sql)).unwrap();
    }

    fn compare(&self, tables: &[&str]) -> Result<(Comparison, Vec<RowDifference>), RecordError> {
        let mut kept = Kept {
            rows: Vec::new(),
            at_first: None,
        };
        let comparison = compare(&self.config("postgres", tables), &mut kept)?;
        Ok((comparison, kept.rows))
    }

    fn config(&self, user: &str, tables: &[&str]) -> CompareConfig {
        let side = |database| PgAddress {
            user: user.to_owned(),
            ..self.address(database)
        };
        CompareConfig {
            left: side("one"),
            right: side("two"),
            tables: tables.iter().map(|table| (*table).to_owned()).collect(),
            show_rows: true,
        }
    }
}

fn table<'c>(comparison: &'c Comparison, name: &str) -> &'c TableComparison {
    let found = comparison.tables.iter().find(|table| table.table == name);
    found.unwrap()
}

/// `kind key columns` of each row.
fn said(rows: &[RowDifference]) -> Vec<String> {
    rows.iter()
        .map(|row| {
            let key: Vec<&str> = row.key.values().map(String::as_str).collect();
            let what = row.content.clone().unwrap_or_else(|| key.join("/"));
            let columns = row.columns.join(",");
            format!("{:?} {what} x{} {columns}", row.kind, row.count)
                .trim_end()
                .to_owned()
        })
        .collect()
}

const KEYED: &str = r#"
CREATE TABLE ints (id int PRIMARY KEY, a text, b numeric(10,2), c timestamptz, d jsonb, e bytea);
INSERT INTO ints SELECT n, 'row ' || n, n / 7.0, timestamptz '2026-01-01' + n * interval '1 min',
  jsonb_build_object('n', n), decode(lpad(to_hex(n), 8, '0'), 'hex')
  FROM generate_series(-500, 4500) n;
CREATE SCHEMA "we""ird";
CREATE TABLE "we""ird"."t; drop" ("k 1" text, "k""2" numeric, v text, PRIMARY KEY ("k""2", "k 1"));
INSERT INTO "we""ird"."t; drop" VALUES (E'a\tb', 10, 'x'), (E'a\\b', 10, 'x'), ('é', 9, 'x'), ('E', 9, 'x'),
  ('z', 100.5, 'x'), ('ä', -1, E'line\nbreak'), ('', 2, NULL), ('A', 2, ''), (E'a', 10, 'x'),
  ('a b', 10, 'x');
CREATE TABLE uuids (id uuid PRIMARY KEY, at date);
INSERT INTO uuids SELECT md5(n::text)::uuid, date '2026-01-01' + n FROM generate_series(1, 1000) n;
CREATE TABLE times (at timestamptz, f float8, b bool, c char(4), PRIMARY KEY (at, f, b, c));
INSERT INTO times SELECT t, n / 3.0, n % 2 = 0, n FROM generate_series(1, 50) n,
  unnest(ARRAY[timestamptz '-infinity', '0044-03-15 BC', '1999-12-31 23:59:59.9', '12026-01-01',
    'infinity']) t;
CREATE TABLE empty (id int PRIMARY KEY);
"#;

const PLANTED: &str = r#"
UPDATE ints SET a = 'other', b = NULL WHERE id = 17;
UPDATE ints SET d = '{"n": 4000.0}' WHERE id = 4000;
DELETE FROM ints WHERE id IN (-500, 9);
INSERT INTO ints (id) VALUES (-501), (10000);
UPDATE "we""ird"."t; drop" SET v = 'y' WHERE "k 1" = E'a\\b';
UPDATE "we""ird"."t; drop" SET v = '' WHERE "k 1" = '';
DELETE FROM "we""ird"."t; drop" WHERE "k 1" = 'é';
DELETE FROM uuids WHERE id = md5('77')::uuid;
UPDATE times SET b = NOT b WHERE at = '0044-03-15 BC' AND c = '7';
"#;

const FOUND: [&str; 12] = [
    "MissingLeft -501 x1",
    "MissingRight -500 x1",
    "MissingRight 9 x1",
    "Different 17 x1 a,b",
    "Different 4000 x1 d",
    "MissingLeft 10000 x1",
    "MissingRight 0044-03-15 00:00:00+00 BC/false/7/2.3333333333333335 x1",
    "MissingLeft 0044-03-15 00:00:00+00 BC/true/7/2.3333333333333335 x1",
    "MissingRight 28dd2c79-55ce-9264-5624-0b2ff0100bde x1",
    "Different a\\b/10 x1 v",
    "Different /2 x1 v",
    "MissingRight é/9 x1",
];

#[test]
fn equal_databases_pass_and_every_planted_difference_is_named() {
    let two = Two::new(KEYED);
    let (comparison, rows) = two.compare(&[]).unwrap();
    assert_eq!(
        (comparison.verdict, comparison.exit_code),
        (Verdict::Pass, 0)
    );
    assert_eq!(said(&rows), Vec::<String>::new());
    let read: Vec<(&str, u64)> = comparison
        .tables
        .iter()
        .map(|table| (table.table.as_str(), table.rows.equal))
        .collect();
    let all = [
        ("public.empty", 0),
        ("public.ints", 5001),
        ("public.times", 250),
        ("public.uuids", 1000),
        ("we\"ird.t; drop", 10),
    ];
    assert_eq!(read, all);

    two.sql("two", PLANTED);
    let (comparison, rows) = two.compare(&[]).unwrap();
    assert_eq!(
        (comparison.verdict, comparison.exit_code),
        (Verdict::Fail, 4)
    );
    assert_eq!(said(&rows), FOUND);
    let ints = table(&comparison, "public.ints");
    assert_eq!(
        (ints.state, ints.by),
        (TableState::Different, ComparedBy::Key)
    );
    assert_eq!(
        (ints.rows.left, ints.rows.right, ints.rows.equal),
        (5001, 5001, 4997)
    );
    let empty = table(&comparison, "public.empty");
    assert_eq!(empty.state, TableState::Equal);
}

#[test]
fn rows_without_a_common_key_are_counted() {
    let two = Two::new(
        "CREATE TABLE log (a int, b text);
         INSERT INTO log SELECT n % 100, CASE WHEN n % 3 > 0 THEN 'x' END
           FROM generate_series(1, 3000) n;
         CREATE TABLE half (id int, v text); INSERT INTO half VALUES (1, 'a'), (2, 'b');",
    );
    two.sql("one", "ALTER TABLE half ADD PRIMARY KEY (id)");
    two.sql("two", "ALTER TABLE half ADD PRIMARY KEY (v)");
    assert_eq!(two.compare(&[]).unwrap().0.verdict, Verdict::Pass);
    two.sql(
        "two",
        "DELETE FROM log WHERE ctid IN (SELECT ctid FROM log WHERE a = 7 AND b IS NULL LIMIT 3);
         INSERT INTO log VALUES (NULL, ''), (NULL, ''); UPDATE half SET v = 'c' WHERE id = 2",
    );
    let (comparison, rows) = two.compare(&[]).unwrap();
    assert_eq!(
        said(&rows),
        [
            "MissingRight (2,b) x1",
            "MissingLeft (2,c) x1",
            "MissingLeft (,\"\") x2",
            "MissingRight (7,) x3",
        ]
    );
    let half = table(&comparison, "public.half");
    assert_eq!(half.by, ComparedBy::Content);
    assert!(half.reasons[0].contains("(id) on the left and (v) on the right"));
}

#[test]
fn what_cannot_be_compared_is_named_and_is_no_pass() {
    let two = Two::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a');
         CREATE TABLE parts (id int PRIMARY KEY, v text);
         INSERT INTO parts SELECT n, 'x' FROM generate_series(1, 100) n",
    );
    // Another way to cut the same rows is no difference.
    two.sql(
        "two",
        "DROP TABLE parts; CREATE TABLE parts (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (50);
         CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (50) TO (500);
         INSERT INTO parts SELECT n, 'x' FROM generate_series(1, 100) n",
    );
    assert_eq!(two.compare(&[]).unwrap().0.verdict, Verdict::Pass);
    two.sql("one", "ALTER TABLE t ADD COLUMN more int");
    let (comparison, rows) = two.compare(&[]).unwrap();
    assert_eq!(
        (comparison.verdict, comparison.exit_code),
        (Verdict::Unknown, 5)
    );
    assert_eq!(said(&rows), Vec::<String>::new());
    let t = table(&comparison, "public.t");
    assert_eq!(t.state, TableState::NotCompared);
    assert_eq!(t.reasons, ["column more is only on the left"]);
    two.sql("two", "CREATE TABLE new (id int)");
    let (comparison, _) = two.compare(&[]).unwrap();
    assert_eq!(comparison.verdict, Verdict::Fail);
    assert_eq!(
        table(&comparison, "public.new").state,
        TableState::MissingLeft
    );
    let (comparison, _) = two.compare(&["public.parts"]).unwrap();
    assert_eq!(
        (comparison.verdict, comparison.tables.len()),
        (Verdict::Pass, 1)
    );
    let error = two.compare(&["public.absent"]).unwrap_err();
    assert_eq!(error.exit_code(), ExitCode::Usage);
}

/// A user's cast can give two keys one text: then the merge proves nothing, and says nothing.
#[test]
fn keys_whose_texts_are_not_unique_are_not_compared_and_the_next_table_is() {
    let two = Two::new(
        "CREATE TYPE pair AS (a int, b int);
         CREATE FUNCTION shown(pair) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ($1).a::text';
         CREATE CAST (pair AS text) WITH FUNCTION shown(pair);
         CREATE TABLE pairs (k pair PRIMARY KEY);
         INSERT INTO pairs SELECT ROW(n, m)::pair
           FROM generate_series(1, 9) n, generate_series(1, 2) m;
         CREATE TABLE rest (id int PRIMARY KEY); INSERT INTO rest VALUES (1)",
    );
    two.sql(
        "two",
        "DELETE FROM pairs WHERE (k).a = 1; INSERT INTO rest VALUES (2)",
    );
    let (comparison, rows) = two.compare(&[]).unwrap();
    let pairs = table(&comparison, "public.pairs");
    assert_eq!(pairs.state, TableState::NotCompared);
    assert!(
        pairs.reasons[0].contains("strictly rising order"),
        "{pairs:?}"
    );
    assert_eq!(said(&rows), ["MissingLeft 2 x1"]);
}

#[test]
fn a_side_is_read_in_one_snapshot() {
    let two = Two::new(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE z (id int PRIMARY KEY); INSERT INTO z VALUES (1)",
    );
    two.sql("one", "INSERT INTO a VALUES (1)");
    let mut kept = Kept {
        rows: Vec::new(),
        at_first: Some(Box::new(|| two.sql("two", "INSERT INTO z VALUES (2)"))),
    };
    let comparison = compare(&two.config("postgres", &[]), &mut kept).unwrap();
    assert_eq!(said(&kept.rows), ["MissingRight 1 x1"]);
    assert_eq!(kept.rows[0].kind, RowDifferenceKind::MissingRight);
    assert_eq!(table(&comparison, "public.z").state, TableState::Equal);
    assert_eq!(said(&two.compare(&[]).unwrap().1).len(), 2);
}

#[test]
fn rows_that_the_role_may_not_see_are_an_error_and_never_missing() {
    let two = Two::new(
        "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b');",
    );
    two.sql("postgres", "CREATE ROLE reader LOGIN PASSWORD 'secret'");
    let attempt = |two: &Two| {
        let mut kept = Kept {
            rows: Vec::new(),
            at_first: None,
        };
        compare(&two.config("reader", &[]), &mut kept).map(|comparison| comparison.verdict)
    };
    let denied = attempt(&two).unwrap_err();
    assert_eq!(denied.exit_code(), ExitCode::Denied, "{denied}");
    assert!(denied.to_string().contains("public.t"), "{denied}");
    two.sql("one", "GRANT SELECT ON t TO reader");
    two.sql("two", "GRANT SELECT ON t TO reader");
    assert_eq!(attempt(&two).unwrap(), Verdict::Pass);
    two.sql(
        "two",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (id = 1)",
    );
    let hidden = attempt(&two).unwrap_err();
    assert_eq!(hidden.exit_code(), ExitCode::Denied, "{hidden}");
    two.server.require("reader", "scram-sha-256");
    two.sql("postgres", "SELECT pg_reload_conf()");
    let refused = attempt(&two).unwrap_err();
    assert_eq!(refused.exit_code(), ExitCode::Denied, "{refused}");
    two.server.stop("fast");
    let gone = attempt(&two).unwrap_err();
    assert_eq!(gone.exit_code(), ExitCode::Unreachable, "{gone}");
}
