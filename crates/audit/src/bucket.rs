//! One bucket of every ledger, or all buckets of the published one, ready for the checks.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use cutover_ledger::Survey;
use cutover_model::run_folder::LedgerKind;
use cutover_model::{Evidence, Lsn};
use datafusion::arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, StringArray,
};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::error::Result;
use datafusion::execution::context::SessionContext;
use datafusion::prelude::{DataFrame, lit};
use futures_util::StreamExt;
use std::sync::Arc;

use crate::acquit::Suspects;
use crate::engine::{Engine, Limits, read, register};
use crate::survey::Ledgers;

pub(crate) const MATCHES: &str = include_str!("prepare/matches.sql");

/// A session that sees one bucket of each ledger, `evidence`, `lives`, `truncates`, and `matches`.
pub(crate) async fn open(
    engine: &Engine,
    limits: Limits,
    ledgers: &Ledgers,
    evidence: &Evidence,
    (bucket, suspects): (usize, &Suspects),
) -> Result<SessionContext> {
    let (session, small) = match suspects {
        Suspects::Bucket => {
            let small = is_small(limits, ledgers, bucket);
            (
                tables(engine, limits, ledgers, evidence, bucket).await?,
                small,
            )
        }
        Suspects::Keys(keys) => (
            picked(engine, ledgers, evidence, (bucket, keys)).await?,
            true,
        ),
    };
    register_truncates(engine, &session).await?;
    let matches = session.sql(MATCHES).await?;
    if small {
        let schema = Arc::clone(matches.schema().inner());
        register(&session, "matches", &schema, matches.collect().await?)?;
    } else {
        let folder = engine.folder().join(format!("matches-{bucket}"));
        let target = folder.to_string_lossy().into_owned();
        matches
            .write_parquet(&target, DataFrameWriteOptions::new(), None)
            .await?;
        let rows = read(&session, &[folder]).await?;
        session.register_table("matches", rows.into_view())?;
    }
    Ok(session)
}

/// The same without `matches`, for what looks at states only.
pub(crate) async fn tables(
    engine: &Engine,
    limits: Limits,
    ledgers: &Ledgers,
    evidence: &Evidence,
    bucket: usize,
) -> Result<SessionContext> {
    let small = is_small(limits, ledgers, bucket);
    let session = engine.session(small);
    for (kind, survey) in ledgers {
        let files = survey
            .as_ref()
            .and_then(|survey| survey.parts.get(bucket))
            .map_or(&[][..], Vec::as_slice);
        if files.is_empty() {
            register(&session, kind.name(), &schema(*kind), Vec::new())?;
            continue;
        }
        let rows = with_later_columns(*kind, read(&session, files).await?)?;
        hold(&session, kind.name(), rows, small).await?;
    }
    register_evidence(&session, evidence)?;
    register_lives(&session, evidence)?;
    Ok(session)
}

/// The same of some keys only; their rows fit into memory.
async fn picked(
    engine: &Engine,
    ledgers: &Ledgers,
    evidence: &Evidence,
    (bucket, keys): (usize, &HashSet<(String, i64)>),
) -> Result<SessionContext> {
    let session = engine.session(true);
    for (kind, survey) in ledgers {
        let files = survey
            .as_ref()
            .and_then(|survey| survey.parts.get(bucket))
            .map_or(&[][..], Vec::as_slice);
        let mut batches = Vec::new();
        if !files.is_empty() {
            let rows = with_later_columns(*kind, read(&session, files).await?)?;
            let mut stream = rows.execute_stream().await?;
            while let Some(batch) = stream.next().await {
                let batch = batch?;
                let mask = mask(&batch, keys);
                if mask.true_count() > 0 {
                    batches.push(filter_record_batch(&batch, &mask)?);
                }
            }
        }
        match batches.first() {
            Some(first) => {
                let schema = first.schema();
                register(&session, kind.name(), &schema, batches)?;
            }
            None => register(&session, kind.name(), &schema(*kind), Vec::new())?,
        }
    }
    register_evidence(&session, evidence)?;
    register_lives(&session, evidence)?;
    Ok(session)
}

fn mask(batch: &RecordBatch, keys: &HashSet<(String, i64)>) -> BooleanArray {
    let relations = batch.column_by_name("relation");
    let relations = relations.and_then(|column| column.as_string_opt::<i32>());
    let hashes = batch.column_by_name("key_hash");
    let hashes = hashes.and_then(|column| column.as_primitive_opt::<Int64Type>());
    let (Some(relations), Some(hashes)) = (relations, hashes) else {
        // Not to be told apart, so all of it is looked at.
        return BooleanArray::from(vec![true; batch.num_rows()]);
    };
    let mut key = (String::new(), 0);
    let mut wanted = |row: usize| {
        if key.0 != relations.value(row) {
            relations.value(row).clone_into(&mut key.0);
        }
        key.1 = hashes.value(row);
        keys.contains(&key)
    };
    (0..batch.num_rows()).map(|row| Some(wanted(row))).collect()
}

/// A session that sees all buckets of the published ledger, `transactions`, `sequences` and `evidence`.
pub(crate) async fn whole(
    engine: &Engine,
    limits: Limits,
    ledgers: &Ledgers,
    evidence: &Evidence,
    transactions: Option<&Survey>,
) -> Result<SessionContext> {
    let surveys = [
        ledgers.get(&LedgerKind::Published).and_then(Option::as_ref),
        transactions,
    ];
    let [published, transactions] =
        surveys.map(|survey| survey.map_or_else(Vec::new, |it| it.parts.concat()));
    let rows: u64 = surveys.into_iter().flatten().map(|it| it.rows).sum();
    let small = size(published.iter().chain(&transactions)) <= limits.resident
        && rows <= limits.resident_rows;
    let session = engine.session(small);
    let name = LedgerKind::Published.name();
    if published.is_empty() {
        register(&session, name, &schema(LedgerKind::Published), Vec::new())?;
    } else {
        let rows = read(&session, &published).await?;
        let rows = with_later_columns(LedgerKind::Published, rows)?;
        hold(&session, name, rows, small).await?;
    }
    if transactions.is_empty() {
        register(&session, "transactions", &transactions_schema(), Vec::new())?;
    } else {
        let rows = read(&session, &transactions).await?;
        hold(&session, "transactions", rows, small).await?;
    }
    register_evidence(&session, evidence)?;
    register_sequences(&session, evidence)?;
    Ok(session)
}

/// Makes rows visible: in memory if they are few, from their files otherwise.
async fn hold(session: &SessionContext, name: &str, rows: DataFrame, small: bool) -> Result<()> {
    if small {
        let schema = Arc::clone(rows.schema().inner());
        return register(session, name, &schema, rows.collect().await?);
    }
    session.register_table(name, rows.into_view())?;
    Ok(())
}

/// Adds the columns that a ledger of an older version lacks, empty.
pub(crate) fn with_later_columns(kind: LedgerKind, rows: DataFrame) -> Result<DataFrame> {
    let later = [
        ("compensation", ScalarValue::Utf8(None)),
        ("tx_id", ScalarValue::Utf8(None)),
        ("tx_order", ScalarValue::Int64(None)),
        ("tx_table_order", ScalarValue::Int64(None)),
        ("filled", ScalarValue::Int64(None)),
    ];
    if kind == LedgerKind::Stored {
        return Ok(rows);
    }
    let add = |rows: DataFrame, (name, empty): (&str, ScalarValue)| {
        if rows.schema().has_column_with_unqualified_name(name) {
            Ok(rows)
        } else {
            rows.with_column(name, lit(empty))
        }
    };
    later.into_iter().try_fold(rows, add)
}

/// Table `truncates`, which the survey has prepared if there is any.
async fn register_truncates(engine: &Engine, session: &SessionContext) -> Result<()> {
    let folder = engine.truncates();
    if folder.is_dir() {
        let rows = read(session, &[folder]).await?;
        return hold(session, "truncates", rows, false).await;
    }
    let (text, int, long) = (DataType::Utf8, DataType::Int32, DataType::Int64);
    let columns = [
        ("incarnation", int.clone()),
        ("relation", text.clone()),
        ("topic", text),
        ("partition", int),
        ("record_offset", long.clone()),
        ("lsn", long.clone()),
        ("xid", long.clone()),
        ("commit_lsn", long.clone()),
        ("ordinal", long),
        ("spread", DataType::Boolean),
    ];
    register(session, "truncates", &nullable(columns), Vec::new())
}

/// Takes the working files of a bucket away.
pub(crate) fn close(engine: &Engine, bucket: usize) {
    // A leftover only costs disk space until the whole working folder goes.
    let _ = fs::remove_dir_all(engine.folder().join(format!("matches-{bucket}")));
}

/// Whether a bucket is held in memory.
pub(crate) fn is_small(limits: Limits, ledgers: &Ledgers, bucket: usize) -> bool {
    bytes(ledgers, bucket) <= limits.resident && rows(ledgers, bucket) <= limits.resident_rows
}

/// Rows of a bucket in all ledgers.
pub(crate) fn rows(ledgers: &Ledgers, bucket: usize) -> u64 {
    let surveys = ledgers.values().filter_map(Option::as_ref);
    surveys
        .filter_map(|survey| survey.rows_of.get(bucket))
        .sum()
}

fn bytes(ledgers: &Ledgers, bucket: usize) -> u64 {
    let files = ledgers
        .values()
        .filter_map(|survey| survey.as_ref()?.parts.get(bucket))
        .flatten();
    size(files)
}

fn size<'a>(files: impl Iterator<Item = &'a PathBuf>) -> u64 {
    files
        .map(|file| fs::metadata(file).map_or(0, |metadata| metadata.len()))
        .sum()
}

fn register_evidence(session: &SessionContext, evidence: &Evidence) -> Result<()> {
    let columns = [
        ("tombstones", evidence.tombstones),
        ("snapshot_allowed", evidence.snapshot_allowed),
        ("no_snapshot", evidence.no_snapshot),
        ("transaction_metadata", evidence.transaction_metadata),
    ];
    let batch = RecordBatch::try_from_iter(columns.map(|(name, value)| {
        let column: ArrayRef = Arc::new(BooleanArray::from(vec![value]));
        (name, column)
    }))?;
    let schema = batch.schema();
    register(session, "evidence", &schema, vec![batch])
}

/// Table `lives`: of each incarnation, where what the database still has ends, and how far the connector's slot was
/// confirmed.
fn register_lives(session: &SessionContext, evidence: &Evidence) -> Result<()> {
    let lives = &evidence.incarnations;
    let indexes = (0..).take(lives.len());
    let kept = lives.iter().map(|life| life.kept_before.map(Lsn::as_i64));
    let confirmed = (0..)
        .take(lives.len())
        .map(|index| evidence.confirmed(index));
    let confirmed = confirmed.map(|lsn| lsn.map(Lsn::as_i64));
    let columns: [(&str, ArrayRef, bool); 3] = [
        (
            "incarnation",
            Arc::new(indexes.collect::<Int32Array>()),
            false,
        ),
        ("kept_before", Arc::new(kept.collect::<Int64Array>()), true),
        (
            "confirmed",
            Arc::new(confirmed.collect::<Int64Array>()),
            true,
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns)?;
    let schema = batch.schema();
    register(session, "lives", &schema, vec![batch])
}

/// Table `sequences`: what each had given out, and what comes next, where one life followed another.
fn register_sequences(session: &SessionContext, evidence: &Evidence) -> Result<()> {
    let all = || evidence.sequences.iter();
    let names: StringArray = all().map(|one| Some(one.name.as_str())).collect();
    let lives: Int32Array = all().map(|one| Some(one.incarnation)).collect();
    let descending: BooleanArray = all().map(|one| Some(one.descending)).collect();
    let columns: [(&str, ArrayRef); 5] = [
        ("name", Arc::new(names)),
        ("incarnation", Arc::new(lives)),
        ("descending", Arc::new(descending)),
        (
            "used",
            Arc::new(all().map(|one| one.used).collect::<Int64Array>()),
        ),
        (
            "next",
            Arc::new(all().map(|one| one.next).collect::<Int64Array>()),
        ),
    ];
    let batch = RecordBatch::try_from_iter(columns)?;
    let schema = batch.schema();
    register(session, "sequences", &schema, vec![batch])
}

/// The columns of a ledger of which a bucket has no file.
pub(crate) fn schema(kind: LedgerKind) -> Schema {
    let (text, int, long) = (DataType::Utf8, DataType::Int32, DataType::Int64);
    let columns: Vec<(&str, DataType)> = if kind == LedgerKind::Stored {
        vec![
            ("incarnation", int),
            ("relation", text.clone()),
            ("key", text),
            ("key_hash", long.clone()),
            ("image", long.clone()),
            ("revision", long),
        ]
    } else {
        let longs = [
            "key_hash",
            "before",
            "after",
            "revision",
            "xid",
            "lsn",
            "commit_lsn",
            "ordinal",
            "transaction",
            "record_offset",
            "time_ms",
            "tx_order",
            "tx_table_order",
            "filled",
        ];
        let texts = [
            "relation",
            "op",
            "key",
            "origin",
            "outcome",
            "resolution",
            "topic",
            "compensation",
            "tx_id",
        ];
        let ints = ["incarnation", "half", "session", "partition"];
        let longs = longs.map(|name| (name, long.clone()));
        let texts = texts.map(|name| (name, text.clone()));
        let ints = ints.map(|name| (name, int.clone()));
        longs.into_iter().chain(texts).chain(ints).collect()
    };
    nullable(columns)
}

pub(crate) fn transactions_schema() -> Schema {
    let texts = ["tx_id", "mark", "relation", "topic"].map(|name| (name, DataType::Utf8));
    let longs = ["events", "record_offset"].map(|name| (name, DataType::Int64));
    let ints = ["incarnation", "partition"].map(|name| (name, DataType::Int32));
    nullable(texts.into_iter().chain(longs).chain(ints))
}

fn nullable<'a>(columns: impl IntoIterator<Item = (&'a str, DataType)>) -> Schema {
    let field = |(name, data_type)| Field::new(name, data_type, true);
    Schema::new(columns.into_iter().map(field).collect::<Vec<_>>())
}
