//! Claims about what is written when the server sends things again, or sends what it should not.

use cutover_clients::pg::pgoutput::{Cell, OldKind, OldTuple, RelationColumn};
use cutover_model::{ChangeRow, Column, Comparison, Lsn, Relation, ReplicaIdentity, TableShape};

use super::assembly::{Assembly, Step};
use super::tracked::{Tracked, Work, all_binary};
use crate::RecordError;

fn shape() -> TableShape {
    let column = |name: &str, type_oid, key| Column {
        name: name.into(),
        type_oid,
        type_modifier: -1,
        key,
        ..Column::default()
    };
    TableShape {
        relation: Relation::new("public", "t"),
        columns: vec![column("id", 20, true), column("note", 25, false)],
        replica_identity: ReplicaIdentity::Full,
        content_lost: None,
        unclear_key: false,
    }
}

fn begin(commit: u64) -> Vec<u8> {
    let mut bytes = b"B".to_vec();
    bytes.extend(commit.to_be_bytes());
    bytes.extend([0; 8]);
    bytes.extend(7_u32.to_be_bytes());
    bytes
}

fn commit(commit: u64) -> Vec<u8> {
    let mut bytes = b"C\0".to_vec();
    bytes.extend(commit.to_be_bytes());
    bytes.extend((commit + 8).to_be_bytes());
    bytes.extend([0; 8]);
    bytes
}

fn relation() -> Vec<u8> {
    let mut bytes = b"R\0\0\0\x01public\0t\0f\0\x02".to_vec();
    bytes.extend(b"\x01id\0\0\0\0\x14\xff\xff\xff\xff\x01note\0\0\0\0\x19\xff\xff\xff\xff");
    bytes
}

fn insert(id: u8) -> Vec<u8> {
    let mut bytes = b"I\0\0\0\x01N\0\x02t\0\0\0\x01".to_vec();
    bytes.push(b'0' + id);
    bytes.push(b'n');
    bytes
}

/// An assembly and the ledger that it writes.
struct Bench {
    assembly: Assembly,
    rows: Vec<ChangeRow>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            assembly: Assembly::new(0, &[shape()], "cutover"),
            rows: Vec::new(),
        }
    }

    fn take(&mut self, messages: &[Vec<u8>]) -> Result<Step, RecordError> {
        let mut step = Step::Within;
        for message in messages {
            let rows = &mut self.rows;
            step = self.assembly.take(Lsn(5), message, &mut |row| {
                rows.push(row.clone());
                Ok(())
            })?;
        }
        Ok(step)
    }

    fn keys(&self) -> Vec<&str> {
        self.rows
            .iter()
            .filter_map(|row| row.key.as_deref())
            .collect()
    }
}

#[test]
fn a_transaction_that_is_sent_again_is_not_written_again() {
    let mut bench = Bench::new();
    let whole = [relation(), begin(100), insert(1), insert(2), commit(100)];
    let step = bench.take(&whole).unwrap();
    assert_eq!(step, Step::Committed { end: Lsn(108) });
    bench.assembly.restart();
    bench.take(&whole).unwrap();
    bench.take(&[begin(200), insert(3), commit(200)]).unwrap();
    assert_eq!(
        bench.keys(),
        ["{\"id\":\"1\"}", "{\"id\":\"2\"}", "{\"id\":\"3\"}"]
    );
    assert_eq!(bench.assembly.changes(), 3);
}

#[test]
fn of_an_interrupted_transaction_only_the_rest_is_written() {
    let mut bench = Bench::new();
    bench
        .take(&[relation(), begin(100), insert(1), insert(2)])
        .unwrap();
    assert!(bench.assembly.half_written());
    bench.assembly.restart();
    assert!(
        bench.assembly.half_written(),
        "a restart does not make it whole"
    );
    bench
        .take(&[relation(), begin(100), insert(1), insert(2), insert(3)])
        .unwrap();
    bench.assembly.restart();
    let again = [
        relation(),
        begin(100),
        insert(1),
        insert(2),
        insert(3),
        commit(100),
    ];
    bench.take(&again).unwrap();
    assert!(!bench.assembly.half_written());
    assert_eq!(
        bench.keys(),
        ["{\"id\":\"1\"}", "{\"id\":\"2\"}", "{\"id\":\"3\"}"]
    );
    let ordinals: Vec<Option<i64>> = bench.rows.iter().map(|row| row.ordinal).collect();
    assert_eq!(ordinals, [Some(0), Some(1), Some(2)]);
}

#[test]
fn an_interrupted_transaction_that_does_not_come_again_is_an_error() {
    let mut bench = Bench::new();
    bench.take(&[relation(), begin(100), insert(1)]).unwrap();
    bench.assembly.restart();
    assert!(matches!(
        bench.take(&[begin(200)]),
        Err(RecordError::Witness(_))
    ));
}

#[test]
fn messages_that_are_out_of_order_are_errors() {
    let wrong: [&[Vec<u8>]; 5] = [
        &[insert(1)],
        &[relation(), insert(1)],
        &[begin(100), insert(1)],
        &[begin(100), begin(200)],
        &[begin(100), commit(200)],
    ];
    for messages in wrong {
        assert!(matches!(
            Bench::new().take(messages),
            Err(RecordError::Witness(_))
        ));
    }
    assert!(matches!(
        Bench::new().take(&[b"Q".to_vec()]),
        Err(RecordError::Pg(_))
    ));
}

#[test]
fn a_message_is_a_marker_only_under_our_prefix() {
    let mut bench = Bench::new();
    let message = |prefix: &str| {
        let mut bytes = b"M\0\0\0\0\0\0\0\0\x2a".to_vec();
        bytes.extend(prefix.as_bytes());
        bytes.extend(b"\0\0\0\0\x02t1");
        bytes
    };
    let marker = Step::Marker {
        token: "t1".into(),
        lsn: Lsn(42),
    };
    assert_eq!(bench.take(&[message("cutover")]).unwrap(), marker);
    assert_eq!(bench.take(&[message("other")]).unwrap(), Step::Within);
}

#[test]
fn an_untouched_large_value_comes_from_the_old_row_or_the_row_has_no_image() {
    let columns = ["id", "note"].map(|name| RelationColumn {
        identity: name == "id",
        name,
        type_oid: if name == "id" { 20 } else { 25 },
        type_modifier: -1,
    });
    let table = Tracked::new(&shape(), &columns, true);
    let new = [Cell::Text(b"1"), Cell::Unchanged];
    let old = OldTuple {
        kind: OldKind::Full,
        tuple: vec![Cell::Text(b"1"), Cell::Text(b"large")],
    };
    let mut work = Work::default();
    let mut side = |tuple: &[Cell<'_>], old: Option<&[Cell<'_>]>| table.side(tuple, old, &mut work);
    let filled = side(&new, Some(&old.tuple)).unwrap();
    let sent = side(&old.tuple, None).unwrap();
    assert!(filled.hash.is_some());
    assert_eq!(filled, sent);
    assert!(side(&new[..1], None).is_err(), "a tuple cut short");
    assert_eq!(side(&new, None).unwrap().hash, None);
    // The column is named, and no other one.
    let place = ("public.t".to_owned(), "note".to_owned());
    let named = &work.notes.not_compared;
    assert_eq!(named.keys().collect::<Vec<_>>(), [&place]);
    assert!(named[&place].contains("large value"));
}

/// Both forms of a value give one text, an untouched large one and a wider integer among them; what is not understood
/// leaves the row without an image.
#[test]
fn rows_in_binary_form_are_those_of_the_printed_form() {
    let column = |name, type_oid| RelationColumn {
        identity: true,
        name,
        type_oid,
        type_modifier: -1,
    };
    let mut narrow = shape();
    narrow.columns[0].type_oid = 23;
    let table = Tracked::new(&narrow, &[column("note", 25), column("id", 20)], true);
    let seven = 7_i64.to_be_bytes();
    let (printed, id) = (Cell::Text(b"7"), Cell::Binary(&seven));
    let mut work = Work::default();
    for (binary, text) in [
        (Cell::Binary("é\"".as_bytes()), Cell::Text("é\"".as_bytes())),
        (Cell::Null, Cell::Null),
        (Cell::Binary(b""), Cell::Text(b"")),
    ] {
        let wanted = table.side(&[text, printed], None, &mut work).unwrap();
        let side = table.side(&[binary, id], None, &mut work).unwrap();
        assert!(side.hash.is_some() && side.key.as_deref() == Some("{\"id\":\"7\"}"));
        assert_eq!(side, wanted);
        let old = [binary, id];
        let untouched = table.side(&[Cell::Unchanged, id], Some(&old), &mut work);
        assert_eq!(untouched.unwrap(), wanted);
        let key = table.key_side(&[Cell::Null, id], &mut work).unwrap();
        assert_eq!((key.key, key.hash), (wanted.key, None));
    }
    assert!(work.notes.not_compared.is_empty());
    let bad = table
        .side(&[Cell::Binary(b"\xFF"), id], None, &mut work)
        .unwrap();
    assert_eq!((bad.hash, bad.key.is_some()), (None, true));
    assert_eq!(work.notes.not_compared.len(), 1);
}

#[test]
fn values_are_asked_for_in_binary_form_only_if_each_that_is_compared_can_be_read_so() {
    let mut other = shape();
    assert!(all_binary(&[shape(), other.clone()]));
    other.columns[1].type_oid = 1186;
    assert!(all_binary(&[other.clone()]), "an interval is in no ledger");
    other.columns[1].comparison = Comparison::Compared;
    assert!(!all_binary(&[shape(), other]));
}

#[test]
fn places_follow_the_stream_and_not_the_shape() {
    let column = |name, type_oid| RelationColumn {
        identity: true,
        name,
        type_oid,
        type_modifier: -1,
    };
    let turned = Tracked::new(&shape(), &[column("note", 25), column("id", 20)], true);
    let side = turned.side(&[Cell::Null, Cell::Text(b"5")], None, &mut Work::default());
    assert_eq!(side.unwrap().key.as_deref(), Some("{\"id\":\"5\"}"));
}
