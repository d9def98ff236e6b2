//! The checks of a run as one script for DuckDB's command line: the same SQL files over the same Parquet, for whoever
//! does not want to take the findings from the engine that this program was built with.
//!
//! Stands beside the judgement and reads what it reads. The rule it protects: a check that the judgement does not run
//! (its input is missing, or it is not asked of such a recording) is not in the script either, and the script says why.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cutover_ledger::{Survey, read_evidence};
use cutover_model::table::quote_literal;
use cutover_model::{Evidence, Lsn, RunFolder};
use datafusion::arrow::datatypes::{DataType, Schema};
use futures_util::future::BoxFuture;

use crate::bucket::{self, MATCHES, schema, transactions_schema};
use crate::checks::ALL;
use crate::engine::{Engine, Limits, workspace};
use crate::error::AuditError;
use crate::judge::{UNPLACED, count};
use crate::survey::{TRUNCATES, look_over, survey_all, survey_transactions};
use crate::verdict::Grounds;

const HEAD: &str = "\
-- The checks of this run, for DuckDB. Each leaves a table of its name, whose rows are its findings.
-- Give it to the program on standard input, or `.read` it; the working folder does not matter.
-- A verdict needs more than findings: what was recorded, and whether all of it was
-- (docs/guarantees.md).
";

/// What the script ends with: how many findings of which kind each check has.
const TAIL: &str = "order by 1, 2;\n";

/// Makes the script of a recorded run.
///
/// # Errors
/// As [`judge`](crate::judge): the folder is no run of ours, is of a newer format, or has no evidence.
pub fn script(run: &RunFolder) -> BoxFuture<'_, Result<String, AuditError>> {
    Box::pin(made(run))
}

async fn made(run: &RunFolder) -> Result<String, AuditError> {
    let evidence = read_evidence(run)?;
    let (ledgers, states) = survey_all(run, &evidence)?;
    let workspace = workspace(run)?;
    let limits = Limits::default();
    let engine = Engine::new(limits, workspace.path());
    let engine = engine.map_err(AuditError::engine("started"))?;
    let mut grounds = Grounds::new(&evidence, states);
    look_over(&engine, &ledgers, &mut grounds).await;
    let transactions = survey_transactions(run, &evidence);
    grounds.transactions = transactions.as_ref().map(drop).map_err(Clone::clone);
    let transactions = transactions.ok().flatten();
    let whole = bucket::whole(&engine, limits, &ledgers, &evidence, transactions.as_ref()).await;
    let whole = whole.map_err(AuditError::engine("prepared all buckets"))?;
    count(&whole, UNPLACED, &mut grounds).await?;

    let mut text = HEAD.to_owned();
    for (kind, survey) in &ledgers {
        table(&mut text, kind.name(), &schema(*kind), survey.as_ref());
    }
    table(
        &mut text,
        "transactions",
        &transactions_schema(),
        transactions.as_ref(),
    );
    frame(&mut text, &evidence);
    for (name, sql) in [("truncates", TRUNCATES), ("matches", MATCHES)] {
        define(&mut text, name, sql);
    }
    checks(&mut text, &grounds);
    Ok(text)
}

/// A ledger as a table, with the columns that one of an older version lacks.
fn table(text: &mut String, name: &str, schema: &Schema, survey: Option<&Survey>) {
    let files: Vec<&PathBuf> = survey
        .iter()
        .flat_map(|it| it.parts.iter().flatten())
        .collect();
    let columns: Vec<(String, &str)> = schema
        .fields()
        .iter()
        .map(|field| (format!("\"{}\"", field.name()), sql_type(field.data_type())))
        .collect();
    if files.is_empty() {
        let columns: Vec<String> = columns
            .iter()
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        let _ = writeln!(text, "create table {name} ({});", columns.join(", "));
        return;
    }
    let files: Vec<String> = files.into_iter().map(|file| literal(file)).collect();
    let _ = writeln!(
        text,
        "create table {name} as select * from read_parquet([\n  {}\n], hive_partitioning = false);",
        files.join(",\n  ")
    );
    for (column, kind) in columns {
        // A ledger of an older version lacks some.
        let _ = writeln!(
            text,
            "alter table {name} add column if not exists {column} {kind};"
        );
    }
}

fn sql_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int32 => "integer",
        DataType::Int64 => "bigint",
        DataType::Boolean => "boolean",
        _ => "varchar",
    }
}

fn literal(path: &Path) -> String {
    quote_literal(&path.display().to_string())
}

/// The tables `evidence`, `lives` and `sequences`.
fn frame(text: &mut String, evidence: &Evidence) {
    let _ = writeln!(
        text,
        "create table evidence as select {} as tombstones, {} as snapshot_allowed, {} as no_snapshot, \
         {} as transaction_metadata;",
        evidence.tombstones,
        evidence.snapshot_allowed,
        evidence.no_snapshot,
        evidence.transaction_metadata
    );
    text.push_str(
        "create table lives (incarnation integer, kept_before bigint, confirmed bigint);\n",
    );
    for (incarnation, life) in (0..).zip(&evidence.incarnations) {
        let kept = or_null(life.kept_before.map(Lsn::as_i64));
        let confirmed = or_null(evidence.confirmed(incarnation).map(Lsn::as_i64));
        let _ = writeln!(
            text,
            "insert into lives values ({incarnation}, {kept}, {confirmed});"
        );
    }
    text.push_str(
        "create table sequences (name varchar, incarnation integer, descending boolean, used bigint, next bigint);\n",
    );
    for one in &evidence.sequences {
        let _ = writeln!(
            text,
            "insert into sequences values ({}, {}, {}, {}, {});",
            quote_literal(&one.name),
            one.incarnation,
            one.descending,
            or_null(one.used),
            or_null(one.next)
        );
    }
}

fn or_null(number: Option<i64>) -> String {
    number.map_or_else(|| "null".to_owned(), |number| number.to_string())
}

fn define(text: &mut String, name: &str, sql: &str) {
    let _ = writeln!(text, "create table {name} as\n{};\n", sql.trim_end());
}

fn checks(text: &mut String, grounds: &Grounds<'_>) {
    let mut counts = Vec::new();
    for check in ALL.iter().filter(|check| grounds.applies(check)) {
        let name = check.name;
        if let Some(reason) = grounds.obstacle(check) {
            let _ = writeln!(
                text,
                "-- {name} cannot be asked: {}",
                reason.replace('\n', " ")
            );
            continue;
        }
        define(text, name, check.sql);
        counts.push(format!(
            "select '{name}' as \"check\", kind, count(*) as findings from {name} group by kind"
        ));
    }
    match counts.is_empty() {
        true => text.push_str("-- no check of this run can be asked\n"),
        false => {
            let _ = write!(text, "{}\n{TAIL}", counts.join("\nunion all\n"));
        }
    }
}
