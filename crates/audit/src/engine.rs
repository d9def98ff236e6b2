//! The query engine: DataFusion with a memory limit, spilling into the judgement's own working
//! folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cutover_model::RunFolder;
use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::config::ConfigOptions;
use datafusion::datasource::MemTable;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::CacheManagerConfig;
use datafusion::execution::context::SessionContext;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{DataFrame, ParquetReadOptions, SessionConfig};
use tempfile::TempDir;

use crate::error::AuditError;

/// How much a judgement may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of the engine's memory pool. Real use is up to twice that.
    pub(crate) memory: usize,
    /// A bucket whose Parquet files are smaller than this in all is held in memory, which is
    /// faster.
    pub(crate) resident: u64,
    /// So is one only that has no more rows than this: equal rows take next to nothing in a file, and all of their room
    /// in memory.
    pub(crate) resident_rows: u64,
    /// A bucket of more rows than this is not looked at for clean keys, which takes about 100 bytes for each. Keys are
    /// spread over buckets; a table without any lies in one.
    pub(crate) looked_at: u64,
    /// Findings that are given back directly.
    pub(crate) shown: usize,
    /// Clean keys are set aside before the checks run.
    pub(crate) acquit: bool,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            memory: 256 << 20,
            resident: 8 << 20,
            resident_rows: 400_000,
            looked_at: 3_000_000,
            shown: 1_000,
            acquit: true,
        }
    }
}

/// The judgement's own working folder, inside of the run's.
pub(crate) fn workspace(run: &RunFolder) -> Result<TempDir, AuditError> {
    let builder = tempfile::Builder::new()
        .prefix(".audit-")
        .tempdir_in(run.root());
    builder.map_err(AuditError::Workspace)
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
            .with_cache_manager(no_caches())
            .build_arc()?;
        Ok(Engine {
            runtime,
            folder: folder.to_owned(),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder of the prepared table of truncates; missing if there is none.
    pub(crate) fn truncates(&self) -> PathBuf {
        self.folder.join("truncates")
    }

    /// A session without tables. One thread: splitting the work was slower and took more memory,
    /// whether for 40,000 changes or for 400,000. Large inputs are joined by sorting, since only
    /// that can spill; DataFusion plans such joins only if it may use several threads
    /// (`physical_planner.rs`, 55.2), so two are named while it plans and one while it optimizes.
    pub(crate) fn session(&self, small: bool) -> SessionContext {
        let (threads, batch) = if small { (1, 8192) } else { (2, 2048) };
        let mut config = SessionConfig::new()
            .with_target_partitions(threads)
            .with_batch_size(batch)
            .with_repartition_aggregations(false)
            .with_repartition_windows(false)
            .with_repartition_file_scans(false)
            .with_information_schema(false);
        let options = config.options_mut();
        options.optimizer.prefer_hash_join = small;
        options.execution.sort_spill_reservation_bytes = 1 << 20;
        // Every file is read by few queries and then no more: what could be kept of each would only grow.
        options.execution.collect_statistics = false;
        // Plain strings everywhere: the findings are read back as such.
        options.execution.parquet.schema_force_view_types = false;
        options.sql_parser.map_string_types_to_utf8view = false;
        let rules = PhysicalOptimizer::new().rules.into_iter();
        let rules = rules.map(|rule| Arc::new(OneThread(rule)) as Rule);
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::clone(&self.runtime))
            .with_default_features()
            .with_physical_optimizer_rules(rules.collect());
        SessionContext::new_with_state(state.build())
    }
}

fn no_caches() -> CacheManagerConfig {
    CacheManagerConfig::default()
        .with_metadata_cache_limit(0)
        .with_file_statistics_cache_limit(0)
        .with_list_files_cache_limit(0)
}

type Rule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// A rule of the optimizer that is told of one thread, so that it splits nothing.
#[derive(Debug)]
struct OneThread(Rule);

impl PhysicalOptimizerRule for OneThread {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let mut config = config.clone();
        config.execution.target_partitions = 1;
        self.0.optimize(plan, &config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
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

#[cfg(test)]
mod tests {
    use datafusion::physical_plan::displayable;

    use super::*;

    /// The plan of a join of two tables.
    async fn plan(small: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::new(Limits::default(), folder.path()).unwrap();
        let session = engine.session(small);
        for name in ["a", "b"] {
            let rows = session.sql("select 1 as id").await.unwrap();
            session.register_table(name, rows.into_view()).unwrap();
        }
        let joined = "select count(*) from a full outer join b on a.id = b.id";
        let rows = session.sql(joined).await.unwrap();
        let plan = rows.create_physical_plan().await.unwrap();
        displayable(plan.as_ref()).indent(false).to_string()
    }

    #[tokio::test]
    async fn large_inputs_are_joined_by_sorting_which_can_spill_and_small_ones_by_hashing() {
        let large = plan(false).await;
        assert!(large.contains("SortMergeJoinExec"), "{large}");
        assert!(!large.contains("HashJoinExec"), "{large}");
        let small = plan(true).await;
        assert!(small.contains("HashJoinExec"), "{small}");
    }
}
