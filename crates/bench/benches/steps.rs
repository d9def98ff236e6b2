//! The steps that each event goes through, one by one and without a server: `cargo bench --workspace --bench steps`.
//!
//! `cutover bench` measures whole ways beside other tools; this tells which step of ours became slower. Criterion keeps
//! the figures of the last run below the target folder and says what has changed.
#![allow(missing_docs, reason = "Criterion's macro makes a public function")]
#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on is void"
)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use cutover_bench::envelopes;
use cutover_clients::pg::pgoutput;
use cutover_ledger::ChangeWriter;
use cutover_model::canonical::{RowHasher, key_hash};
use cutover_model::{ChangeRow, Op};
use cutover_record::decode::{ConverterModes, Decoder, Outline, take_apart};

/// Records that are gone through in turn, so that none is known by heart.
const DISTINCT: u64 = 20_000;
/// Rows of one ledger.
const ROWS: i64 = 20_000;

fn records() -> impl Iterator<Item = (String, String)> {
    let records: Vec<_> = (0..DISTINCT)
        .map(|number| (envelopes::key(number), envelopes::value(number)))
        .collect();
    records.into_iter().cycle()
}

/// An update event of 1 KB in JSON.
fn envelope(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("envelope");
    group.throughput(Throughput::Elements(1));
    let mut next = records();
    group.bench_function("serde_json::Value", |bencher| {
        let parse = |(_, value): &mut (String, String)| -> serde_json::Value {
            serde_json::from_str(value).unwrap()
        };
        bencher.iter_batched_ref(|| next.next().unwrap(), parse, BatchSize::SmallInput);
    });
    group.bench_function("taken apart", |bencher| {
        let mut outline = Outline::default();
        let apart = |(_, value): &mut (String, String)| take_apart(value, &mut outline).is_some();
        bencher.iter_batched_ref(|| next.next().unwrap(), apart, BatchSize::SmallInput);
    });
    group.bench_function("decoded to a row of the ledger", |bencher| {
        let (shapes, modes) = ([envelopes::shape()], ConverterModes::default());
        let mut decoder = Decoder::new("bench", &shapes, &modes);
        let decode =
            |record: &mut (String, String)| decoder.decode(&envelopes::record(record, 1), 0);
        bencher.iter_batched_ref(|| next.next().unwrap(), decode, BatchSize::SmallInput);
    });
    group.finish();
}

/// An update with its old row, as pgoutput writes it.
fn log_message(criterion: &mut Criterion) {
    let tuple = |kind: u8| {
        let cells = [
            "12345",
            "77",
            "shipped",
            "left at the door",
            "1 Long Street",
            "t",
        ];
        let mut bytes = vec![kind, 0, u8::try_from(cells.len()).unwrap()];
        for cell in cells {
            bytes.push(b't');
            bytes.extend(u32::try_from(cell.len()).unwrap().to_be_bytes());
            bytes.extend(cell.as_bytes());
        }
        bytes
    };
    let message = [vec![b'U', 0, 0, 64, 1], tuple(b'O'), tuple(b'N')].concat();
    assert!(pgoutput::decode(&message).is_ok());
    let mut group = criterion.benchmark_group("log message");
    group.throughput(Throughput::Elements(1));
    group.bench_function("update, decoded", |bencher| {
        bencher.iter(|| pgoutput::decode(black_box(&message)).is_ok());
    });
    group.finish();
}

/// What makes two rows the same: the hash of their values, the hash of their key.
fn identity(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("identity");
    group.throughput(Throughput::Elements(1));
    group.bench_function("row of 8 values, hashed", |bencher| {
        let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let mut hasher = RowHasher::default();
        bencher.iter(|| {
            hasher.clear();
            for name in names {
                hasher.text(name, black_box("left at the door of the neighbour"));
            }
            hasher.finish()
        });
    });
    group.bench_function("key, hashed", |bencher| {
        bencher.iter(|| key_hash(black_box("public.orders"), black_box("{\"id\":\"12345\"}")));
    });
    group.finish();
}

fn change(number: i64) -> ChangeRow {
    let key = format!("{{\"id\":\"{number}\"}}");
    ChangeRow {
        key_hash: key_hash("public.orders", &key),
        key: Some(key),
        after: Some(number.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed())),
        lsn: Some(1_000 + number * 100),
        topic: Some("bench.public.orders".to_owned()),
        partition: Some(0),
        record_offset: Some(number),
        ..ChangeRow::new(0, "public.orders", Op::Create)
    }
}

/// Rows into a ledger of Parquet files, synced.
fn ledger(criterion: &mut Criterion) {
    let rows: Vec<ChangeRow> = (0..ROWS).map(change).collect();
    let mut group = criterion.benchmark_group("ledger");
    group.throughput(Throughput::Elements(ROWS.unsigned_abs()));
    group.sample_size(20);
    group.bench_function("changes appended", |bencher| {
        bencher.iter_batched(
            || tempfile::tempdir().unwrap(),
            |folder| {
                let mut writer = ChangeWriter::create(&folder.path().join("ledger"), 4).unwrap();
                for row in &rows {
                    writer.append(row).unwrap();
                }
                writer.finish().unwrap();
                folder
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(steps, envelope, log_message, identity, ledger);
criterion_main!(steps);
