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

use crate::engine::{Engine, read};
use crate::error::AuditError;
use crate::transactions::torn;
use crate::verdict::{Grounds, LedgerState};

const TRUNCATES: &str = include_str!("prepare/truncates.sql");

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

/// Adds what concerns all buckets at once: whole transactions, truncates.
pub(crate) async fn look_over(engine: &Engine, ledgers: &Ledgers, grounds: &mut Grounds<'_>) {
    let files = |kind: LedgerKind| {
        let survey = ledgers.get(&kind).and_then(Option::as_ref);
        survey.map_or_else(Vec::new, |survey| survey.parts.concat())
    };
    for kind in [LedgerKind::Committed, LedgerKind::Published] {
        match truncates(engine, &files(kind)).await {
            Ok(found) => {
                for (relation, amount) in found {
                    let name = ("truncate".to_owned(), relation);
                    *grounds.coverage.entry(name).or_default() += amount;
                }
            }
            Err(error) => grounds.failures.push(error.one_line()),
        }
    }
    let survey = ledgers.get(&LedgerKind::Committed);
    let rows = survey
        .and_then(Option::as_ref)
        .map_or(0, |survey| survey.rows);
    let torn = torn(&files(LedgerKind::Committed), rows, engine.folder());
    grounds.torn_transactions = torn.map_err(|error| error.one_line());
}

async fn query(
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

async fn truncates(engine: &Engine, files: &[PathBuf]) -> Result<Vec<(String, u64)>, AuditError> {
    let mut found = Vec::new();
    for batch in query(engine, files, "changes", TRUNCATES).await? {
        found.extend(
            counts(&batch, 0)?
                .into_iter()
                .map(|(_, relation, amount)| (relation, amount)),
        );
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
