//! The query engine: DataFusion with a memory limit, spilling into the judgement's own working
//! folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionConfig};

/// How much a judgement may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of the engine's memory pool. Real use is up to twice that.
    pub(crate) memory: usize,
    /// A bucket whose Parquet files are smaller than this in all is held in memory, which is
    /// faster.
    pub(crate) resident: u64,
    /// Findings that are given back directly.
    pub(crate) shown: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory: 256 << 20,
            resident: 8 << 20,
            shown: 1_000,
        }
    }
}

/// The engine and its working folder.
pub(crate) struct Engine {
    runtime: Arc<RuntimeEnv>,
    folder: PathBuf,
}

impl Engine {
    pub(crate) fn new(limits: Limits, folder: &Path) -> Result<Engine> {
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(limits.memory)))
            .with_temp_file_path(folder)
            .build_arc()?;
        Ok(Engine {
            runtime,
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A session without tables. One thread: splitting the work was slower and took more memory,
    /// whether for 40,000 changes or for 400,000. Large inputs are joined by sorting, since only
    /// that can spill.
    pub(crate) fn session(&self, small: bool) -> SessionContext {
        let mut config = SessionConfig::new()
            .with_target_partitions(1)
            .with_information_schema(false);
        let options = config.options_mut();
        options.optimizer.prefer_hash_join = small;
        options.execution.sort_spill_reservation_bytes = 1 << 20;
        // Plain strings everywhere: the findings are read back as such.
        options.execution.parquet.schema_force_view_types = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        SessionContext::new_with_config_rt(config, Arc::clone(&self.runtime))
    }
}

/// The rows of some Parquet files.
pub(crate) async fn read(session: &SessionContext, files: &[PathBuf]) -> Result<DataFrame> {
    let paths: Vec<String> = files
        .iter()
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    session
        .read_parquet(paths, ParquetReadOptions::default())
        .await
}

/// Makes batches visible as a table. Its columns may all be empty, whatever the plan or the files
/// promised: the two disagree, and the checks rely on neither.
pub(crate) fn register(
    session: &SessionContext,
    name: &str,
    schema: &Schema,
    batches: Vec<RecordBatch>,
) -> Result<()> {
    let field =
        |field: &Arc<Field>| Field::new(field.name().as_str(), field.data_type().clone(), true);
    let schema = Arc::new(Schema::new(
        schema.fields().iter().map(field).collect::<Vec<_>>(),
    ));
    let loosened =
        |batch: RecordBatch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec());
    let batches = batches
        .into_iter()
        .map(loosened)
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let table = MemTable::try_new(schema, vec![batches])?;
    session.register_table(name, Arc::new(table))?;
    Ok(())
}
