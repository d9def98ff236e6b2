//! Records as Debezium's JSON converter writes them, about 1 KB each: an updated row of eight columns, with its old
//! image.

use cutover_clients::kafka::Record;
use cutover_model::{Column, Relation, ReplicaIdentity, TableShape};

/// Columns: name, oid of the type.
const COLUMNS: [(&str, u32); 8] = [
    ("id", 20),
    ("customer_id", 20),
    ("status", 25),
    ("note", 25),
    ("address", 25),
    ("placed_at", 1114),
    ("revision", 20),
    ("paid", 16),
];

/// The table that the records are of.
pub fn shape() -> TableShape {
    let column = |(name, type_oid): (&str, u32)| Column {
        name: name.to_owned(),
        type_oid,
        type_modifier: -1,
        key: name == "id",
        ..Column::default()
    };
    TableShape {
        relation: Relation::new("public", "orders"),
        columns: COLUMNS.into_iter().map(column).collect(),
        replica_identity: ReplicaIdentity::Full,
        content_lost: None,
        unclear_key: false,
    }
}

/// The key of record `number`.
pub fn key(number: u64) -> String {
    format!("{{\"id\":{}}}", number % 500_000)
}

/// The value of record `number`.
pub fn value(number: u64) -> String {
    let row = |revision: u64| {
        let (id, customer) = (number % 500_000, number % 7_919);
        let word = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let placed = 1_709_273_655_123_456 + number;
        format!(
            "{{\"id\":{id},\"customer_id\":{customer},\"status\":\"shipped\",\"note\":\"left at the door of the \
             neighbour, as \\\"agreed\\\" {word:016x}\",\"address\":\"{customer} Long Street, 1{id:05} Anytown, \
             second floor, bell on the right\",\"placed_at\":{placed},\"revision\":{revision},\"paid\":true}}"
        )
    };
    let lsn = 30_000_000 + number * 96;
    let (before, after, xid) = (row(number), row(number + 1), 800 + number / 10);
    format!(
        "{{\"before\":{before},\"after\":{after},\"source\":{{\"version\":\"3.7.0.Final\",\"connector\":\
         \"postgresql\",\"name\":\"bench\",\"ts_ms\":1795459131520,\"snapshot\":\"false\",\"db\":\"shop\",\
         \"sequence\":\"[\\\"{lsn}\\\",\\\"{lsn}\\\"]\",\"ts_us\":1795459131520857,\"ts_ns\":1795459131520857000,\
         \"schema\":\"public\",\"table\":\"orders\",\"txId\":{xid},\"lsn\":{lsn},\"xmin\":null,\"origin\":null,\
         \"origin_lsn\":null}},\"transaction\":null,\"op\":\"u\",\"ts_ms\":1795459131741,\
         \"ts_us\":1795459131741979,\"ts_ns\":1795459131741979954}}"
    )
}

/// A record as it comes out of the topic.
pub fn record((key, value): &(String, String), offset: i64) -> Record<'_> {
    Record {
        topic: "bench.public.orders",
        partition: 0,
        offset,
        timestamp_ms: Some(1),
        key: Some(key.as_bytes()),
        value: Some(value.as_bytes()),
        headers: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_record_is_valid_and_about_1_kb() {
        for number in [0, 1, 999_999] {
            let value = super::value(number);
            assert!((900..1_300).contains(&value.len()), "{}", value.len());
            assert!(serde_json::from_str::<serde_json::Value>(&value).is_ok());
        }
    }
}
