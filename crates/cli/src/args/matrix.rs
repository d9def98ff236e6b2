//! Arguments of `cutover matrix`: which cells, and where they are played.

use std::path::PathBuf;

use clap::Args;

/// What is played, and where.
#[derive(Debug, Args)]
pub struct MatrixArguments {
    /// Upgrade kinds, e.g. `pg-upgrade-16-18,restore-latest`; all without it.
    #[arg(long, value_delimiter = ',')]
    pub kinds: Vec<String>,
    /// `proven`, `baseline`, or names of baselines.
    #[arg(long, value_delimiter = ',')]
    pub runbooks: Vec<String>,
    /// Debezium versions, on the current stack, instead of the scenarios' own.
    #[arg(long, value_delimiter = ',')]
    pub debezium: Vec<String>,
    /// Seeds of the load instead of the scenarios' own.
    #[arg(long = "seeds", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// Go on with the newest matrix in the run folder: cells that ended as expected and predicted are kept, others
    /// are played again.
    #[arg(long)]
    pub resume: bool,
    /// Print the cells and stop.
    #[arg(long)]
    pub plan_only: bool,
    /// Folder for run folders.
    #[arg(long, env = "CUTOVER_RUNS", default_value = "runs")]
    pub runs: PathBuf,
}
