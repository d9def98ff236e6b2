//! All findings of a run in one order: most important first, then by position. Sorted by the
//! engine, which spills: a run can lose every event it has.

use std::path::{Path, PathBuf};

use cutover_ledger::{FindingsWriter, write_findings};
use cutover_model::{Finding, FindingKind};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::record_batch::RecordBatch;
use futures_util::StreamExt;

use crate::engine::{Engine, read};
use crate::error::AuditError;
use crate::gather::Rows;

/// Findings as the checks return them, on disk.
pub(crate) struct Spool {
    path: PathBuf,
    writer: FindingsWriter,
    rows: u64,
}

impl Spool {
    pub(crate) fn create(folder: &Path) -> Result<Spool, AuditError> {
        let path = folder.join("spool.parquet");
        let writer = FindingsWriter::create(&path)?;
        Ok(Spool {
            path,
            writer,
            rows: 0,
        })
    }

    pub(crate) fn append(&mut self, finding: &Finding) -> Result<(), AuditError> {
        self.rows += 1;
        Ok(self.writer.append(finding)?)
    }

    /// Writes `target` in order and gives the first `shown` findings.
    pub(crate) async fn rank(
        self,
        engine: &Engine,
        target: &Path,
        shown: usize,
    ) -> Result<Vec<Finding>, AuditError> {
        self.writer.finish()?;
        if self.rows == 0 {
            write_findings(target, &mut std::iter::empty())?;
            return Ok(Vec::new());
        }
        let session = engine.session(false);
        let during = AuditError::engine("sorted the findings");
        let sorted = async {
            let rows = read(&session, std::slice::from_ref(&self.path)).await?;
            session.register_table("findings", rows.into_view())?;
            session.sql(&order()).await?.execute_stream().await
        };
        let mut batches = sorted.await.map_err(during)?;
        let mut writer = FindingsWriter::create(target)?;
        let mut first = Vec::new();
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(AuditError::engine("sorted the findings"))?;
            let rows = Rows::new(&batch)?;
            for finding in rows.findings(|row| check_name(&batch, row)) {
                let finding = finding?;
                writer.append(&finding)?;
                if first.len() < shown {
                    first.push(finding);
                }
            }
        }
        writer.finish()?;
        Ok(first)
    }
}

fn check_name(batch: &RecordBatch, row: usize) -> String {
    let names = batch.column_by_name("check");
    names
        .and_then(|array| array.as_string_opt::<i32>())
        .map(|names| names.value(row).to_owned())
        .unwrap_or_default()
}

/// The order is total, so that the same run gives the same file.
fn order() -> String {
    let ranks: String = FindingKind::ALL
        .iter()
        .enumerate()
        .map(|(rank, kind)| format!(" when '{kind}' then {rank}"))
        .collect();
    format!(
        "select * from findings order by case kind{ranks} end, incarnation nulls last, \
         lsn nulls last, relation, topic, \"partition\", record_offset, key, \"check\", op, detail"
    )
}
