//! Shapes that only one form of records is held to: `ALTER TABLE`, partitions, an identity without the key.

use crate::shapes::{P, Shape, shape};

/// A replica identity that does not hold the key: Debezium gives old rows a key of its own making (A-028).
pub const WITHOUT_KEY_IN_IDENTITY: [Shape; 1] = [shape(
    &[(P, "i_index")],
    "create table i_index (id int primary key, code text not null unique);
     alter table i_index replica identity using index i_index_code_key",
    &[
        "insert into i_index values (1, 'a'), (2, 'b')",
        "update i_index set code = 'bb' where id = 2",
        "delete from i_index where id = 1",
    ],
)];

/// `ALTER TABLE` between the changes.
pub const ALTERED: [Shape; 6] = [
    shape(
        &[(P, "a_add")],
        "create table a_add (id int primary key, note text)",
        &[
            "insert into a_add values (1, 'before')",
            "alter table a_add add column more int default 7",
            "insert into a_add values (2, 'after', 8); update a_add set note = 'both' where id = 1",
        ],
    ),
    shape(
        &[(P, "a_drop")],
        "create table a_drop (id int primary key, note text, gone int)",
        &[
            "insert into a_drop values (1, 'before', 5)",
            "alter table a_drop drop column gone; insert into a_drop values (2, 'in the same transaction')",
            "update a_drop set note = 'after'",
        ],
    ),
    shape(
        &[(P, "a_rename")],
        "create table a_rename (id int primary key, note text); alter table a_rename replica identity full",
        &[
            "insert into a_rename values (1, 'before')",
            "alter table a_rename rename column note to remark",
            "update a_rename set remark = 'after'; delete from a_rename",
        ],
    ),
    shape(
        &[(P, "a_wider")],
        "create table a_wider (id int primary key, code varchar(5))",
        &[
            "insert into a_wider values (1, 'abc')",
            "alter table a_wider alter column id type bigint, alter column code type text",
            "insert into a_wider values (5000000000, 'longer than five')",
            "update a_wider set code = 'x' where id = 1",
        ],
    ),
    shape(
        &[(P, "a_retype")],
        "create table a_retype (id int primary key, at timestamp(3), amount numeric(10,2))",
        &[
            "insert into a_retype values (1, '2026-01-02 03:04:05.678', 1.25)",
            "alter table a_retype alter column at type timestamp(6), alter column amount type numeric(12,4)",
            "insert into a_retype values (2, '2026-01-02 03:04:05.678901', 1.2345)",
            "delete from a_retype where id = 1",
        ],
    ),
    shape(
        &[(P, "a_enum")],
        "create type mood as enum ('sad', 'fine'); create table a_enum (id int primary key, mood mood)",
        &[
            "insert into a_enum values (1, 'sad')",
            "alter type mood add value 'great'",
            "insert into a_enum values (2, 'great')",
        ],
    ),
];

/// Partitions published under their own names.
pub const PARTITIONED: [Shape; 1] = [shape(
    &[(P, "p_low"), (P, "p_high")],
    "create table p (id int, note text, primary key (id)) partition by range (id);
     create table p_low partition of p for values from (0) to (100);
     create table p_high partition of p for values from (100) to (200)",
    &[
        "insert into p values (1, 'low'), (2, 'low'), (101, 'high')",
        "update p set note = 'new' where id = 1",
        "update p set id = 150 where id = 2",
        "delete from p where id = 101",
    ],
)];

/// The same, published under the name of the whole table.
pub const ROOTED: [Shape; 1] = [shape(
    &[(P, "r")],
    "create table r (id int, note text, primary key (id)) partition by range (id);
     create table r_low partition of r for values from (0) to (100);
     create table r_high (note text, id int not null);
     alter table r attach partition r_high for values from (100) to (200)",
    &[
        "insert into r values (1, 'low'), (2, 'low'), (101, 'high')",
        "update r set note = 'new'",
        "update r set id = 150 where id = 2",
        "create table r_top partition of r for values from (200) to (300)",
        "insert into r values (250, 'top')",
        "delete from r where id in (1, 250)",
        "alter table r detach partition r_top",
        "insert into r values (102, 'after the detach')",
    ],
)];
