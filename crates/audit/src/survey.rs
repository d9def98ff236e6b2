//! What is looked at before any bucket: which ledgers are whole, and what concerns all buckets at
//! once.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover_ledger::{Content, LedgerError, Survey, survey};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{Evidence, RunFolder};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::datatypes::Int64Type;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::dataframe::DataFrameWriteOptions;

use crate::bucket::{schema, with_later_columns};
use crate::engine::{Engine, read, register};
use crate::error::AuditError;
use crate::transactions::torn;
use crate::verdict::{Grounds, LedgerState};

const TRUNCATED: &str = include_str!("prepare/truncated.sql");
pub(crate) const TRUNCATES: &str = include_str!("prepare/truncates.sql");
const UNDECIDABLE: &str =
    "select relation, count(*) as amount from truncates where spread group by relation";

/// The ledgers that can be read, by kind; one that is missing is an empty table, and the checks
/// that need it do not run.
pub(crate) type Ledgers = BTreeMap<LedgerKind, Option<Survey>>;

/// Looks every ledger over. What cannot be read as a whole is left out, with the reason.
pub(crate) fn survey_all(
    run: &RunFolder,
    evidence: &Evidence,
) -> Result<(Ledgers, BTreeMap<LedgerKind, LedgerState>), AuditError> {
    let mut ledgers = Ledgers::new();
    let mut states = BTreeMap::new();
    for kind in LedgerKind::ALL {
        let content = match kind {
            LedgerKind::Stored => Content::Stored,
            _ => Content::Changes,
        };
        let name = kind.name();
        let surveyed = match survey(&run.ledger(kind), content) {
            Ok(found) if found.buckets == evidence.buckets => Ok(found),
            Ok(found) => Err(format!(
                "the {name} ledger has {} buckets, the evidence says {}",
                found.buckets, evidence.buckets
            )),
            Err(error @ (LedgerError::Newer { .. } | LedgerError::NotOurs { .. })) => {
                return Err(error.into());
            }
            Err(error) => Err(format!("the {name} ledger cannot be read: {error}")),
        };
        let state = surveyed.as_ref().map(|found| found.rows);
        states.insert(kind, state.map_err(Clone::clone));
        ledgers.insert(kind, surveyed.ok());
    }
    Ok((ledgers, states))
}

/// Looks over the ledger of the connector's own account of transactions, where there must be one.
pub(crate) fn survey_transactions(
    run: &RunFolder,
    evidence: &Evidence,
) -> Result<Option<Survey>, String> {
    if !evidence.transaction_metadata {
        return Ok(None);
    }
    let found = survey(&run.transactions(), Content::Transactions);
    let unread = |error| format!("the transactions ledger cannot be read: {error}");
    found.map(Some).map_err(unread)
}

/// Adds what concerns all buckets at once: whole transactions, truncates.
pub(crate) async fn look_over(engine: &Engine, ledgers: &Ledgers, grounds: &mut Grounds<'_>) {
    let files = |kind: LedgerKind| {
        let survey = ledgers.get(&kind).and_then(Option::as_ref);
        survey.map_or_else(Vec::new, |survey| survey.parts.concat())
    };
    for kind in [LedgerKind::Committed, LedgerKind::Published] {
        match truncated(engine, &files(kind)).await {
            Ok(found) => {
                for (relation, amount) in found {
                    let name = ("truncate".to_owned(), relation);
                    *grounds.coverage.entry(name).or_default() += amount;
                }
            }
            Err(error) => grounds.failures.push(error.one_line()),
        }
    }
    let (committed, published) = (files(LedgerKind::Committed), files(LedgerKind::Published));
    if grounds.amount("truncate") > 0 {
        match prepare_truncates(engine, &committed, &published).await {
            Ok(found) => {
                for (relation, amount) in found {
                    let name = ("undecidable".to_owned(), relation);
                    *grounds.coverage.entry(name).or_default() += amount;
                }
            }
            Err(error) => grounds.truncates = Err(error.one_line()),
        }
    }
    let survey = ledgers.get(&LedgerKind::Committed);
    let rows = survey
        .and_then(Option::as_ref)
        .map_or(0, |survey| survey.rows);
    let torn = torn(&committed, rows, engine.folder());
    grounds.torn_transactions = torn.map_err(|error| error.one_line());
}

pub(crate) async fn query(
    engine: &Engine,
    files: &[PathBuf],
    table: &str,
    sql: &str,
) -> Result<Vec<RecordBatch>, AuditError> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let session = engine.session(false);
    let rows = async {
        let rows = read(&session, files).await?;
        session.register_table(table, rows.into_view())?;
        session.sql(sql).await?.collect().await
    };
    rows.await
        .map_err(AuditError::engine("looked a ledger over"))
}

async fn truncated(engine: &Engine, files: &[PathBuf]) -> Result<Vec<(String, u64)>, AuditError> {
    by_relation(&query(engine, files, "changes", TRUNCATED).await?)
}

/// Writes the table of truncates where sessions of buckets find it; counts the undecidable ones.
async fn prepare_truncates(
    engine: &Engine,
    committed: &[PathBuf],
    published: &[PathBuf],
) -> Result<Vec<(String, u64)>, AuditError> {
    if published.is_empty() {
        return Ok(Vec::new());
    }
    let session = engine.session(false);
    let folder = engine.truncates();
    let prepared = async {
        for (kind, files) in [
            (LedgerKind::Committed, committed),
            (LedgerKind::Published, published),
        ] {
            if files.is_empty() {
                // Nobody watched; where a truncate stands among the records is known all the same.
                register(&session, kind.name(), &schema(kind), Vec::new())?;
                continue;
            }
            let rows = with_later_columns(kind, read(&session, files).await?)?;
            session.register_table(kind.name(), rows.into_view())?;
        }
        let target = folder.to_string_lossy().into_owned();
        let rows = session.sql(TRUNCATES).await?;
        rows.write_parquet(&target, DataFrameWriteOptions::new(), None)
            .await?;
        // Of no rows no file is written: every truncate was lost.
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        let rows = read(&session, &[folder]).await?;
        session.register_table("truncates", rows.into_view())?;
        session.sql(UNDECIDABLE).await?.collect().await
    };
    let batches = prepared.await;
    by_relation(&batches.map_err(AuditError::engine("looked for truncates"))?)
}

fn by_relation(batches: &[RecordBatch]) -> Result<Vec<(String, u64)>, AuditError> {
    let mut found = Vec::new();
    for batch in batches {
        let counted = counts(batch, 0)?.into_iter();
        found.extend(counted.map(|(_, relation, amount)| (relation, amount)));
    }
    Ok(found)
}

/// Rows of `[what,] relation, amount`; `relation` is the column at `at`, what stands before it is
/// `what`.
pub(crate) fn counts(
    batch: &RecordBatch,
    at: usize,
) -> Result<Vec<(String, String, u64)>, AuditError> {
    let names = batch.column(0).as_string_opt::<i32>();
    let relations = batch.column(at).as_string_opt::<i32>();
    let amounts = batch.column(at + 1).as_primitive_opt::<Int64Type>();
    let (Some(names), Some(relations), Some(amounts)) = (names, relations, amounts) else {
        return Err(AuditError::Row("a count has other columns".to_owned()));
    };
    let row = |row: usize| {
        let amount = u64::try_from(amounts.value(row)).unwrap_or(0);
        (
            names.value(row).to_owned(),
            relations.value(row).to_owned(),
            amount,
        )
    };
    Ok((0..batch.num_rows()).map(row).collect())
}
