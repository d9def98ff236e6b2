//! Flat rows with what the transformation adds, in fields and in headers, and deletes that lost their value.

use super::*;

fn modes(options: &Value) -> ConverterModes {
    let mut config = json!({
        "transforms": "unwrap",
        "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
    });
    for (name, value) in options.as_object().unwrap() {
        config[name] = value.clone();
    }
    ConverterModes::from_connector_config(config.as_object().unwrap())
}

fn changed(decoded: Decoded) -> Change {
    match decoded {
        Decoded::Change(change) => change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn fields_under_another_prefix_are_read_and_are_no_columns() {
    let shapes = small(&[("id", 20, true)]);
    let modes = modes(&json!({
        "transforms.unwrap.add.fields.prefix": "meta.", "transforms.unwrap.add.fields": "op,source.lsn:at,txId",
    }));
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let value = r#"{"id":1,"meta.op":"d","meta.at":5,"meta.txId":6,"__deleted":"true"}"#;
    let change =
        changed(decoder.decode(&record("p.public.t", Some(r#"{"id":1}"#), Some(value)), 0));
    let row = &change.row;
    assert!(change.has_op && change.has_lsn && row.before.is_some());
    assert_eq!((row.op, row.lsn, row.xid), (Op::Delete, Some(5), Some(6)));
    assert_eq!(*decoder.notes(), Notes::default());
}

#[test]
fn headers_say_what_the_row_does_not_and_tell_a_delete_without_value() {
    let shapes = small(&[("id", 20, true)]);
    let modes = modes(&json!({ "transforms.unwrap.add.headers": "op,source.lsn,source.txId" }));
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let told = |op: &'static [u8], lsn: Option<&'static [u8]>| {
        vec![
            ("__op", Some(op)),
            ("__source_lsn", lsn),
            ("__source_txId", lsn),
        ]
    };
    let (key, value) = (Some(r#"{"id":1}"#), Some(r#"{"id":1}"#));
    let mut update = record("p.public.t", key, value);
    update.headers = told(b"u", Some(&b"5"[..]));
    let change = changed(decoder.decode(&update, 0));
    assert!(change.has_op && change.has_lsn && change.row.after.is_some());
    assert_eq!((change.row.op, change.row.lsn), (Op::Update, Some(5)));
    let mut delete = record("p.public.t", key, None);
    delete.headers = told(b"d", Some(&b"6"[..]));
    let change = changed(decoder.decode(&delete, 0));
    let row = &change.row;
    assert_eq!((row.op, row.lsn, row.xid), (Op::Delete, Some(6), Some(6)));
    assert_eq!(row.key.as_deref(), Some("{\"id\":\"1\"}"));
    assert_eq!((row.before, row.after), (None, None));
    // One that a repair wrote has no headers of the transformation.
    let tombstone = record("p.public.t", key, None);
    assert!(matches!(
        decoder.decode(&tombstone, 0),
        Decoded::Tombstone(_)
    ));
    assert_eq!(*decoder.notes(), Notes::default());
    // Nobody asked for headers; or a tombstone has those of the delete before it, as Debezium writes it.
    let rewritten = self::modes(&json!({
        "transforms.unwrap.add.headers": "op,source.lsn",
        "transforms.unwrap.delete.tombstone.handling.mode": "rewrite-with-tombstone",
    }));
    for modes in [ConverterModes::default(), rewritten] {
        let mut decoder = Decoder::new("p", &shapes, &modes);
        let decoded = decoder.decode(&delete, 0);
        assert!(matches!(decoded, Decoded::Tombstone(_)));
    }
}

#[test]
fn a_tombstone_alone_is_of_no_table_where_several_share_a_topic() {
    let mut shapes = small(&[("id", 20, true)]);
    shapes.push(shapes[0].clone());
    shapes[0].relation = Relation::new("public", "a b");
    shapes[1].relation = Relation::new("public", "a_b");
    let modes = ConverterModes::default();
    let mut decoder = Decoder::new("p", &shapes, &modes);
    let key = Some(r#"{"id":1}"#);
    let mut decode = |value: Option<&str>| decoder.decode(&record("p.public.a_b", key, value), 0);
    let row = |table: &str, op: &str| {
        format!(r#"{{"id":1,"__op":"{op}","__lsn":1,"__schema":"public","__table":"{table}"}}"#)
    };
    changed(decode(Some(&row("a b", "d"))));
    let Decoded::Tombstone(tombstone) = decode(None) else {
        panic!("it stands behind its delete");
    };
    assert_eq!(tombstone.relation, "public.a b");
    assert!(matches!(decode(None), Decoded::Undecoded(_)), "another one");
    changed(decode(Some(&row("a_b", "c"))));
    let alone = decode(None);
    let Decoded::Undecoded(why) = &alone else {
        panic!("{alone:?}");
    };
    assert!(why.contains("records of several tables"), "{why}");
}
