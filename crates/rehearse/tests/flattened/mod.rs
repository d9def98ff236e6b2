//! What `ExtractNewRecordState` can be told about deletes, fields and headers, and what can be proven of each.

use cutover_rehearse::connector::{ConnectorPlan, Converter, Payload, Snapshot};

use crate::judging::Wanted;
use crate::shapes::{P, Shape};

const MODE: &str = "transforms.unwrap.delete.tombstone.handling.mode";
pub const FIELDS: &str = "transforms.unwrap.add.fields";
const FIELDS_PREFIX: &str = "transforms.unwrap.add.fields.prefix";
pub const HEADERS: &str = "transforms.unwrap.add.headers";
const HEADERS_PREFIX: &str = "transforms.unwrap.add.headers.prefix";
/// The options before 2.5; the first one was removed in 3.2 as the second was.
const OLD_MODE: &str = "transforms.unwrap.delete.handling.mode";
const OLD_TOMBSTONES: &str = "transforms.unwrap.drop.tombstones";

/// Rows that are deleted and do not come again.
pub const GONE: [(&str, &str); 2] = [
    ("public.f_default", "{\"id\":\"7\"}"),
    ("public.o_rows", "{\"id\":\"7\"}"),
];

/// What a stream of a form proves when nothing is wrong with it.
#[derive(Clone, Copy)]
pub enum Proven {
    /// Every change.
    Whole,
    /// The state that each key ends with, but not each change, for this reason.
    States(&'static str),
    /// Nothing, for this reason.
    Nothing(&'static str),
}

const NO_DELETES: Proven = Proven::Nothing("drops deletes and their tombstones");
const NO_LSN: Proven = Proven::Nothing("records do not carry their LSN");
const TOMBSTONES: Proven = Proven::States("leaves only a tombstone of a delete");

/// A connector behind the transformation.
pub struct Form {
    pub wanted: Wanted,
    pub proven: Proven,
}

fn form(wanted: Wanted, options: &[(&'static str, &str)], proven: Proven) -> Form {
    Form {
        wanted: wanted.with(options),
        proven,
    }
}

/// Deletes rewritten, with their tombstones; operation and position in fields.
pub fn of(name: &'static str, converter: Converter) -> Wanted {
    let plan = ConnectorPlan {
        converter,
        payload: Payload::Flattened,
        ..ConnectorPlan::default()
    };
    Wanted::new(name, plan)
}

/// The same in JSON.
pub fn usual(name: &'static str) -> Wanted {
    of(name, Converter::Json)
}

/// The same with another mode.
pub fn dropping(name: &'static str, mode: &str) -> Wanted {
    usual(name).with(&[(MODE, mode)])
}

/// Operation, position and transaction in headers, nothing in fields.
pub fn told(name: &'static str, mode: &str) -> Wanted {
    let headers = "op,source.lsn,source.txId";
    dropping(name, mode).with(&[(FIELDS, ""), (HEADERS, headers)])
}

/// What Debezium 3.7 offers.
pub fn forms() -> Vec<Form> {
    let renamed = [
        (FIELDS, "op:OPERATION,source.lsn:POSITION,txId"),
        (FIELDS_PREFIX, "_"),
    ];
    let prefixed = [(FIELDS_PREFIX, "meta.")];
    let json_headers = [(
        "header.converter",
        "org.apache.kafka.connect.json.JsonConverter",
    )];
    let old = [(MODE, ""), (OLD_MODE, "rewrite"), (OLD_TOMBSTONES, "false")];
    let with = "rewrite-with-tombstone";
    vec![
        form(dropping("f_drop", "drop"), &[], NO_DELETES),
        form(dropping("f_tombstone", "tombstone"), &[], TOMBSTONES),
        form(dropping("f_rewrite", "rewrite"), &prefixed, Proven::Whole),
        form(dropping("f_both", with), &renamed, Proven::Whole),
        form(dropping("f_to", "delete-to-tombstone"), &[], TOMBSTONES),
        form(told("h_drop", "drop"), &[], NO_DELETES),
        form(told("h_tombstone", "tombstone"), &[], Proven::Whole),
        form(
            told("h_rewrite", "rewrite"),
            &[(HEADERS_PREFIX, "meta.")],
            Proven::Whole,
        ),
        form(told("h_both", with), &json_headers, Proven::Whole),
        form(told("h_to", "delete-to-tombstone"), &[], Proven::Whole),
        form(usual("f_bare"), &[(FIELDS, "")], NO_LSN),
        form(usual("f_op"), &[(FIELDS, "op")], NO_LSN),
        // Options that 3.2 removed are ignored.
        form(usual("f_old"), &old, TOMBSTONES),
        form(
            of("fs_tombstone", Converter::JsonSchema),
            &[(MODE, "tombstone")],
            TOMBSTONES,
        ),
        form(
            of("fa_tombstone", Converter::Avro),
            &[(MODE, "tombstone"), (HEADERS, "op,lsn")],
            Proven::Whole,
        ),
    ]
}

/// What 3.0 offers under the names before: what becomes of deletes, and whether the connector's own tombstones go.
pub fn old_forms() -> Vec<Form> {
    let old = |name, mode, drops, proven| {
        let mut wanted = usual(name);
        wanted.version = "3.0.0";
        // Other tables are there as well.
        wanted.plan.snapshot = Snapshot::None;
        let options = [(MODE, ""), (OLD_MODE, mode), (OLD_TOMBSTONES, drops)];
        form(wanted, &options, proven)
    };
    let told = |form: Form| Form {
        wanted: form
            .wanted
            .with(&[(FIELDS, ""), (HEADERS, "op,source.lsn")]),
        ..form
    };
    vec![
        old("o_drop", "drop", "true", NO_DELETES),
        old("o_drop_keep", "drop", "false", TOMBSTONES),
        old("o_none", "none", "true", TOMBSTONES),
        // Two records without value for each delete.
        old("o_none_keep", "none", "false", TOMBSTONES),
        old("o_rewrite", "rewrite", "true", Proven::Whole),
        old("o_rewrite_keep", "rewrite", "false", Proven::Whole),
        told(old("o_told", "none", "true", Proven::Whole)),
        told(old("o_told_keep", "none", "false", TOMBSTONES)),
    ]
}

/// Tables that every form is played with: a changed key, keys swapped in one transaction, a key that comes again, large
/// values left alone, several key columns, odd names.
pub const TABLES: [Shape; 1] = [Shape {
    tables: &[(P, "f_default"), (P, "f full")],
    made: r#"create table f_default (id int primary key, n int, large text);
        alter table f_default alter column large set storage external;
        create table "f full" (a int, "b.c" text, large text, primary key (a, "b.c"));
        alter table "f full" alter column large set storage external, replica identity full"#,
    changes: &[
        r#"insert into f_default values (1, 1, repeat('large ', 4000)), (2, 2, 'x'), (3, 3, null), (7, 7, 'gone');
           insert into "f full" values (1, 'x', repeat('large ', 4000)), (2, 'y', null)"#,
        r#"update f_default set n = n + 1; update "f full" set "b.c" = 'moved' where a = 1"#,
        "update f_default set id = -1 where id = 1; update f_default set id = 1 where id = 2;
         update f_default set id = 2 where id = -1",
        r#"delete from f_default where id in (3, 7); insert into f_default values (3, 4, 'again');
           delete from "f full" where a = 2"#,
    ],
}];

/// Tables for the old versions.
pub const OLD: [Shape; 1] = [Shape {
    tables: &[(P, "o_rows")],
    made: "create table o_rows (id int primary key, note text)",
    changes: &[
        "insert into o_rows values (1, 'a'), (2, 'b'), (7, 'c')",
        "update o_rows set note = 'x' where id = 1; update o_rows set id = 3 where id = 2",
        "delete from o_rows where id = 7; delete from o_rows where id = 1; insert into o_rows values (1, 'again')",
    ],
}];

/// Nulls where the column has a default.
pub const DEFAULTED: [Shape; 1] = [Shape {
    tables: &[(P, "d_rows")],
    made: "create table d_rows (id int primary key, n int default 7, note text default 'usual')",
    changes: &[
        "insert into d_rows values (1, null, null), (2, 5, 'set'), (3, 6, 'gone')",
        "update d_rows set n = null, note = null where id = 2; delete from d_rows where id = 3",
    ],
}];
