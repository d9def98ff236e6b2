//! The argument tree. Help texts are here; what the commands do is in `commands/`.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Upgrade PostgreSQL under Debezium with zero lost and zero duplicated events, and the proof.
#[derive(Debug, Parser)]
#[command(name = "cutover", version, propagate_version = true)]
pub struct Arguments {
    /// Form of the result on stdout.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
    /// Say nothing while working; only the result.
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Form of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One versioned JSON object (docs/schema).
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Rehearse upgrades with real servers and judge every event.
    ///
    /// Without a name: the main job, which shows one upgrade done right and one done as people's runbooks have
    /// it. A name is that of a shipped scenario or a path to a scenario file.
    Rehearse {
        /// Scenarios to run, in order.
        #[arg(value_name = "SCENARIO")]
        scenarios: Vec<String>,
        /// Print the runbooks and stop.
        #[arg(long)]
        plan_only: bool,
        /// Seed of the load, instead of the scenario's own.
        #[arg(long)]
        seed: Option<u64>,
        /// Folder for run folders.
        #[arg(long, env = "CUTOVER_RUNS", default_value = "runs")]
        runs: PathBuf,
    },
    /// Judge a saved run folder again, without any server.
    Verify {
        /// Folder of one scenario of a run (it holds run.toml), or of a whole run.
        #[arg(value_name = "RUN")]
        run: PathBuf,
    },
    /// A lab of real servers on this machine: PostgreSQL, Kafka, Kafka Connect with Debezium.
    Lab {
        /// What to do with the lab.
        #[command(subcommand)]
        action: LabAction,
    },
}

/// What can be done with the lab.
#[derive(Debug, Subcommand)]
pub enum LabAction {
    /// Start the lab; it stays until `lab down`. Returns when the connector runs.
    Up {
        /// PostgreSQL version.
        #[arg(long, default_value = "16.14")]
        postgres: String,
        /// Kafka version.
        #[arg(long, default_value = "4.3.1")]
        kafka: String,
        /// Debezium version.
        #[arg(long, default_value = "3.7.0")]
        debezium: String,
        /// Stay attached: the lab ends with this command.
        #[arg(long)]
        foreground: bool,
    },
    /// What runs, where.
    Status,
    /// Print the end of a service's log.
    Logs {
        /// postgres, kafka or connect.
        service: String,
        /// Lines from the end.
        #[arg(long, short = 'n', default_value_t = 50)]
        lines: usize,
    },
    /// Fetch the parts of the lab into the cache; fetches nothing that is there.
    Fetch {
        /// Parts such as `postgres-16.14`; all of the catalogue without a name.
        parts: Vec<String>,
    },
    /// Stop the lab. Nothing is left running.
    Down {
        /// Remove its data too.
        #[arg(long)]
        purge: bool,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_argument_tree_is_consistent() {
        Arguments::command().debug_assert();
    }
}
