//! Arguments of `record` and `verify` on a stream that cutover did not start.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SystemFlags;

/// A stream that runs, and how it is looked at.
#[derive(Debug, Clone, Args)]
pub struct ExistingArgs {
    /// The connector; not needed when the worker has only one, or cutover.toml names it.
    #[arg(long, value_name = "NAME")]
    pub connector: Option<String>,
    /// A captured table, schema.name; repeat it. Without one, those that the connector names, or its publication.
    #[arg(long = "table", value_name = "SCHEMA.TABLE")]
    pub tables: Vec<String>,
    /// Rows that a snapshot has read again are wanted (incremental snapshots, a second initial one).
    #[arg(long)]
    pub allow_reread: bool,
    /// Consent to a replication slot of our own for so many seconds: each change of that time is judged too.
    ///
    /// The slot is a temporary one, which the server removes with our session, even if we are killed; as long as it is
    /// there, the server keeps log for it. Needs REPLICATION.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "30")]
    pub witness: Option<u64>,
    /// How the topics are read, as Kafka calls it.
    ///
    /// Records of aborted transactions are there for consumers that do not pass over them, which is the default of
    /// Kafka's own clients. They matter only where Connect's exactly.once.source.support is on.
    #[arg(long, value_enum, default_value_t = Isolated::ReadCommitted, value_name = "LEVEL")]
    pub isolation: Isolated,
    /// Seconds that the stream is given to come to the moment at which the tables are read.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
    /// Folder for run folders.
    #[arg(long, env = "CUTOVER_RUNS", default_value = "runs")]
    pub runs: PathBuf,
    /// Where the systems are.
    #[command(flatten)]
    pub systems: SystemFlags,
}

/// Kafka's `isolation.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Isolated {
    /// As a consumer that passes over what was aborted.
    ReadCommitted,
    /// As a consumer that does not.
    ReadUncommitted,
}

/// What to judge.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    /// Folder of one scenario of a run (it holds run.toml), or of a whole run.
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Show the four classic counts beside the verdict, and where they mislead.
    #[arg(long)]
    pub naive: bool,
    /// Print the checks of RUN as a script for DuckDB, and judge nothing.
    ///
    /// The same SQL over the same files, in an engine that is not ours: cutover verify RUN --sql | duckdb
    #[arg(long, requires = "run", conflicts_with = "naive")]
    pub sql: bool,
    /// The stream that runs.
    #[command(flatten)]
    pub existing: ExistingArgs,
}
