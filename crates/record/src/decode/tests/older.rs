//! Records from before an `ALTER TABLE`: what is claimed of them, and what is not.

use cutover_model::Fill;

use super::*;

/// The new row of a record, and what it is with what was filled in since.
fn images(decoder: &mut Decoder<'_>, row: &str) -> (Option<i64>, Option<i64>) {
    let value = format!(r#"{{"id":1,{row},"__op":"c","__source_lsn":5}}"#);
    let record = record("p.public.t", Some(r#"{"id":1}"#), Some(&value));
    match decoder.decode(&record, 0) {
        Decoded::Change(change) => (change.row.after, change.row.filled),
        other => panic!("{other:?}"),
    }
}

/// Before and after `ALTER TABLE t ADD b DEFAULT 'plain', DROP z`.
#[test]
fn records_of_older_forms_are_filled_up_and_said_to_be_older() {
    let mut shapes = small(&[("id", 20, true), ("a", 25, false), ("b", 25, false)]);
    for column in &mut shapes[0].columns {
        column.fill = Some(match column.name.as_str() {
            "b" => Fill::Text("plain".into()),
            _ => Fill::Null,
        });
    }
    let modes = ConverterModes::default();
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let mut read = |row: &str| images(&mut decoder, row);
    let before = read(r#""a":"x","z":1"#);
    let added = read(r#""a":"x""#);
    let now = read(r#""a":"x","b":"plain""#);
    assert!(now.0.is_some() && now.1.is_none());
    assert_eq!((before, added), ((None, now.0), (None, now.0)));
    // What is called b now may have been another column then, so only its being equal says something.
    assert_eq!(read(r#""a":"x","b":"plain","z":1"#), (None, now.0));
    assert!(decoder.notes().problems.is_empty());
    let named: Vec<&String> = decoder
        .notes()
        .not_compared
        .keys()
        .map(|it| &it.1)
        .collect();
    assert_eq!(named, ["b", "z"]);
    // Nothing but the key is no row.
    let mut bare = Decoder::new("p", &shapes, &modes);
    assert_eq!(images(&mut bare, r#""z":1"#), (None, None));
    // The column was there already: this record is not older than it.
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let mut read = |row: &str| images(&mut decoder, row);
    read(r#""a":"x","b":"plain""#);
    assert_eq!(read(r#""a":"x""#), (None, None));
    assert_eq!(decoder.notes().problems.len(), 1);
}

/// `b` was dropped and added again, or got another type, by transaction 900.
#[test]
fn of_records_from_before_a_column_became_what_it_is_only_equality_is_claimed() {
    let mut shapes = small(&[("id", 20, true), ("b", 23, false)]);
    shapes[0].columns[1].since = Some(900);
    let modes = ConverterModes::default();
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let mut read = |xid: &str, b: &str| {
        let value = format!(
            r#"{{"before":{{"id":1,"b":{b}}},"after":{{"id":1,"b":{b}}},"op":"u",
                "source":{{"schema":"public","table":"t","lsn":5{xid}}}}}"#
        );
        let record = record("p.public.t", Some(r#"{"id":1}"#), Some(&value));
        match decoder.decode(&record, 0) {
            Decoded::Change(change) => (change.row.after, change.row.filled),
            other => panic!("{other:?}"),
        }
    };
    let now = read(r#","txId":901"#, "7");
    assert!(now.0.is_some() && now.1.is_none());
    for xid in [r#","txId":899"#, r#","txId":900"#] {
        assert_eq!(read(xid, "7"), (None, now.0), "{xid}");
    }
    assert_eq!(read("", "7"), (None, now.0), "nobody knows how old it is");
    assert_eq!(read(r#","txId":899"#, r#""text""#), (None, None));
    let problems = |decoder: &Decoder<'_>| decoder.notes().problems.len();
    assert_eq!(problems(&decoder), 0);
    let bad = r#"{"before":null,"after":{"id":1,"b":"text"},"op":"c",
        "source":{"schema":"public","table":"t","lsn":5,"txId":901}}"#;
    decoder.decode(&record("p.public.t", Some(r#"{"id":1}"#), Some(bad)), 0);
    let named = decoder.notes().not_compared.keys();
    assert_eq!(named.map(|it| it.1.as_str()).collect::<Vec<_>>(), ["b"]);
}
