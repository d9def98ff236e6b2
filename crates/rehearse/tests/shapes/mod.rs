//! The shapes of data that streams have: keys, replica identities, names, truncates, several tables in one topic.

/// One or more tables and what happens to them. Every text of `changes` is one transaction.
pub struct Shape {
    /// Schema and name of each captured table.
    pub tables: &'static [(&'static str, &'static str)],
    pub made: &'static str,
    pub changes: &'static [&'static str],
}

pub const fn shape(
    tables: &'static [(&'static str, &'static str)],
    made: &'static str,
    changes: &'static [&'static str],
) -> Shape {
    Shape {
        tables,
        made,
        changes,
    }
}

pub const P: &str = "public";

/// With keys: replica identities, composite keys, rows that change their key, swaps in one transaction.
pub const KEYED: [Shape; 8] = [
    shape(
        &[(P, "k_default")],
        "create table k_default (id int primary key, note text)",
        &[
            "insert into k_default select n, 'row ' || n from generate_series(1, 20) n",
            "update k_default set note = null where id = 3",
            "update k_default set id = 100 where id = 4",
            "delete from k_default where id = 5",
            "insert into k_default values (5, 'again')",
        ],
    ),
    shape(
        &[(P, "k_full")],
        "create table k_full (id int primary key, note text); alter table k_full replica identity full",
        &[
            "insert into k_full values (1, 'one'), (2, 'two'), (3, 'three')",
            "update k_full set id = -1 where id = 1; update k_full set id = 1 where id = 2; \
             update k_full set id = 2 where id = -1",
            "update k_full set note = note",
            "delete from k_full where id = 3; insert into k_full values (3, 'in the same transaction')",
        ],
    ),
    shape(
        &[(P, "k_index")],
        "create table k_index (id int primary key, code text not null unique, note text);
         alter table k_index replica identity using index k_index_code_key",
        &[
            "insert into k_index values (1, 'a', 'x'), (2, 'b', 'y'), (3, 'c', 'z')",
            "update k_index set note = 'new' where id = 1",
        ],
    ),
    shape(
        &[(P, "k_composite")],
        "create table k_composite (b text, a int, amount numeric(12,2), primary key (a, b))",
        &[
            "insert into k_composite values ('x', 1, 1.50), ('y', 1, 2), ('x', 2, 3), (e'q\"\\\\\u{1F980}', 3, 4)",
            "update k_composite set b = 'moved' where a = 2",
            "update k_composite set amount = amount * 2",
            "delete from k_composite where a = 1 and b = 'y'",
        ],
    ),
    shape(
        &[(P, "k_generated")],
        "create table k_generated (id int primary key, n int, twice int generated always as (n * 2) stored, gone int);
         alter table k_generated drop column gone",
        &[
            "insert into k_generated (id, n) values (1, 1), (2, 2)",
            "update k_generated set n = 5 where id = 1",
        ],
    ),
    shape(
        &[(P, "k_large")],
        "create table k_large (id int primary key, n int, large text);
         alter table k_large alter column large set storage external",
        &[
            "insert into k_large values (1, 1, repeat('large ', 4000)), (2, 2, 'small')",
            "update k_large set n = n + 1",
            "update k_large set large = repeat('other ', 4000) where id = 1",
        ],
    ),
    shape(
        &[(P, "k_large_full")],
        "create table k_large_full (id int primary key, n int, large text);
         alter table k_large_full alter column large set storage external, replica identity full",
        &[
            "insert into k_large_full values (1, 1, repeat('large ', 4000))",
            "update k_large_full set n = n + 1",
            "update k_large_full set id = 7",
            "delete from k_large_full",
        ],
    ),
    shape(
        &[(P, "k_unique")],
        "create table k_unique (note text, code int not null, other int not null);
         create unique index k_unique_b on k_unique (other);
         create unique index k_unique_a on k_unique (code);
         alter table k_unique replica identity full",
        &[
            "insert into k_unique values ('x', 1, 10), ('y', 2, 20)",
            "update k_unique set note = 'z' where code = 1",
            "update k_unique set code = 3 where code = 2",
            "delete from k_unique where code = 1",
        ],
    ),
];

/// Without keys.
pub const KEYLESS: [Shape; 2] = [
    shape(
        &[(P, "n_full")],
        "create table n_full (a int, b text); alter table n_full replica identity full",
        &[
            "insert into n_full values (1, 'same'), (1, 'same'), (2, null)",
            "update n_full set b = 'new' where a = 2",
            "delete from n_full where ctid = (select min(ctid) from n_full where a = 1)",
        ],
    ),
    shape(
        &[(P, "n_nothing")],
        "create table n_nothing (a int, b text); alter table n_nothing replica identity nothing",
        &["insert into n_nothing values (1, 'x'), (1, 'x')"],
    ),
];

/// Truncates: alone, along a foreign key, between inserts of one transaction.
pub const TRUNCATED: [Shape; 2] = [
    shape(
        &[(P, "t_single")],
        "create table t_single (id int primary key, note text)",
        &[
            "insert into t_single select n, 'old' from generate_series(1, 9) n",
            "insert into t_single values (20, 'gone'); truncate t_single; insert into t_single values (1, 'new')",
            "truncate t_single",
            "insert into t_single values (2, 'last')",
        ],
    ),
    shape(
        &[(P, "t_parent"), (P, "t_child")],
        "create table t_parent (id int primary key);
         create table t_child (id int primary key, parent int references t_parent)",
        &[
            "insert into t_parent values (1), (2); insert into t_child values (1, 1), (2, 2)",
            "truncate t_parent cascade",
            "insert into t_parent values (3); insert into t_child values (1, 3)",
        ],
    ),
];

/// Names that need quotes, hold dots, or are no ASCII.
pub const NAMED: [Shape; 3] = [
    shape(
        &[(P, "Odd Name"), (P, "dotted.name")],
        r#"create table "Odd Name" ("Id" int primary key, "a ""quoted"" one" text, "x.y" int);
           create table "dotted.name" (id int primary key)"#,
        &[
            r#"insert into "Odd Name" values (1, 'x', 1), (2, 'y', 2); insert into "dotted.name" values (1)"#,
            r#"update "Odd Name" set "x.y" = 5 where "Id" = 1; delete from "dotted.name""#,
        ],
    ),
    shape(
        &[("Ünïcode", "straße")],
        r#"create schema "Ünïcode"; create table "Ünïcode"."straße" ("größe" int primary key, "名前" text);
           grant usage on schema "Ünïcode" to public; grant select on "Ünïcode"."straße" to public"#,
        &[
            r#"insert into "Ünïcode"."straße" values (1, 'ä'), (2, '日本')"#,
            r#"update "Ünïcode"."straße" set "größe" = 3 where "größe" = 2"#,
        ],
    ),
    shape(
        &[(P, "MiXed"), (P, "mixed")],
        r#"create table "MiXed" (id int primary key); create table mixed (id int primary key)"#,
        &[r#"insert into "MiXed" values (1), (2); insert into mixed values (3)"#],
    ),
];

/// Tables whose records a transformation sends to one topic, and tables whose names Debezium makes the same.
pub const ROUTED: [Shape; 3] = [
    shape(
        &[(P, "l_one"), (P, "l_two")],
        "create table l_one (id int primary key, note text); create table l_two (id int primary key, note text)",
        &[
            "insert into l_one values (1, 'a'), (2, 'b'); insert into l_two values (1, 'c'), (2, 'd')",
            "delete from l_one where id = 1; update l_two set note = 'e' where id = 1; delete from l_two where id = 2",
            "update l_one set id = 3 where id = 2",
        ],
    ),
    shape(
        &[(P, "q_one"), (P, "q_two")],
        "create table q_one (id int primary key, note text); create table q_two (id int primary key, other int)",
        &[
            "insert into q_one values (1, 'a'), (2, 'b'); insert into q_two values (1, 10), (2, 20)",
            "delete from q_one where id = 1; delete from q_two where id = 1; update q_two set other = 7",
        ],
    ),
    shape(
        &[(P, "same name"), (P, "same_name")],
        r#"create table "same name" (id int primary key); create table same_name (id int primary key, note text)"#,
        &[
            r#"insert into "same name" values (1), (2); insert into same_name values (1, 'x'), (2, 'y')"#,
            r#"delete from "same name" where id = 1; delete from same_name where id = 2"#,
        ],
    ),
];
