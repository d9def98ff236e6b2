//! The argument tree. Help texts are here; what the commands do is in `commands/`.

mod existing;
mod generate;
mod matrix;
mod operate;
mod watch;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use existing::{ExistingArgs, Isolated, VerifyArgs};
pub use generate::{GenerateArgs, Profile};
pub use matrix::MatrixArguments;
pub use operate::{
    ChangedConnector, ChangedOffset, ConfigAction, ConnectorAction, InitArgs, OffsetsAction,
    OneConnector, SetupArgs, SystemFlags,
};
pub use watch::WatchArgs;

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

/// Form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// A page that opens from disk and loads nothing.
    Html,
    /// Markdown.
    Md,
    /// The result, as `report.json` in the run folder.
    Json,
    /// JUnit XML.
    Junit,
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
    /// Rehearse every upgrade kind with every runbook, and compare what was predicted with what was measured.
    ///
    /// One table: verdict, lost, duplicated, phantom and snapshot events, refused writes, prediction. Cells share a
    /// running Kafka and Connect; each has servers and a run folder of its own.
    Matrix(MatrixArguments),
    /// Record a stream that runs: what its topics hold and what its tables hold at one moment.
    ///
    /// For a cluster that cutover did not start, from addresses alone. Looks only: no slot, no consumer group and no
    /// topic is made, nothing is written. Leaves a run folder, which `cutover verify RUN` judges.
    Record(Box<ExistingArgs>),
    /// Judge a stream that runs, or a saved run folder again.
    ///
    /// Without RUN: records as `cutover record` does, and judges whether the records come to the rows and whether they
    /// repeat themselves. Without a witness the proof level is P2 at most. With RUN: no server is needed. Exit code: 0
    /// pass, 4 an invariant is violated, 5 not known.
    Verify(Box<VerifyArgs>),
    /// Make a report of a saved run folder: a page, a document, JSON or JUnit XML.
    ///
    /// Judges nothing: what `cutover rehearse` or `cutover verify` found last is told, with what the folder holds
    /// around it. Row values are hidden, but in JSON.
    Report {
        /// Folder of one scenario of a run, or of a whole run.
        #[arg(value_name = "RUN")]
        run: PathBuf,
        /// Form of the report [default: html; json with --output json].
        #[arg(long, value_enum)]
        format: Option<ReportForm>,
        /// Write it to this file instead of stdout.
        #[arg(short = 'o', long = "file", value_name = "FILE")]
        file: Option<PathBuf>,
        /// Show keys and revisions of rows.
        #[arg(long)]
        show_values: bool,
    },
    /// What a code or a word means: errors, preflight, findings, guarantees, checks, lints, predictions.
    ///
    /// Offline. Without a word, all of them in one line each.
    Explain {
        /// Such as CUT-PENDING-001, PRE-DISK-001, lost, I1 or resumes.
        #[arg(value_name = "CODE")]
        code: Vec<String>,
    },
    /// What the recorders and the audit do per second on this machine.
    Bench {
        /// What to measure.
        #[command(subcommand)]
        what: Measure,
    },
    /// What will this connector do when it starts?
    ///
    /// From a file of facts, without any server (docs/schema/facts-1.schema.json), or from running systems; reads
    /// only. Exit code: 0 if it resumes, 3 if it refuses, reads everything again, skips or repeats events, 2 if the
    /// facts are no facts, 5 if the outcome depends on code that the facts do not hold.
    Predict(PredictFrom),
    /// What is wrong with a connector's configuration for a version of Debezium?
    ///
    /// With --to the configuration is translated first, and the result is what is linted. Exit code: 0, or 3 when
    /// there is an error (the version refuses the configuration, or reads it otherwise than it says).
    Lint {
        /// The configuration as JSON, in the form that Connect takes; - for standard input.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Release of Debezium that it was written for, such as 2.4.0.
        #[arg(long, value_name = "VERSION")]
        debezium: String,
        /// Release to translate it to.
        #[arg(long, value_name = "VERSION")]
        to: Option<String>,
    },
    /// The stored rows of two databases, compared exactly, table by table.
    ///
    /// Every row that differs is named: on one side only, or with other content, with its key and the columns.
    /// A table without a common primary key is compared by counting equal rows. Each side is read in one snapshot, and
    /// nothing is written. Exit code: 0 if every row is equal, 4 if rows or tables differ, 5 if none differs but
    /// something could not be compared, 6 if a server cannot be reached, 7 if it refuses the login or the reading.
    Compare(CompareWhat),
    /// What the stream and the database of a run have apart, and closing it.
    ///
    /// Exit code: 0 if every state in the topics is the one in the tables, 4 if not, 5 if that is not known, 3 if a
    /// repair was refused; always about the moment at which the command ends.
    Gap {
        /// What to do about the gap.
        #[command(subcommand)]
        action: GapAction,
    },
    /// A connector through its life, on any Connect cluster.
    Connector {
        /// What to do.
        #[command(subcommand)]
        action: ConnectorAction,
    },
    /// What is wrong with a running system: Kafka Connect, the connector, PostgreSQL and Kafka.
    ///
    /// Looks only; a role that may log in suffices. Each finding comes with its evidence and the exact remedy, which is
    /// never executed. Exit code: 0 without errors, 3 with one, 5 if a part was not looked at, 6 or 7 if one did not
    /// answer or did not let us in.
    Doctor(OneConnector),
    /// Watch a stream: slots, lag, stored offset, markers, connector, topics.
    ///
    /// Looks only, unless --markers consents to markers; without them it is never said that the stream delivers. On
    /// a terminal a screen (q ends it, arrows turn panes and scroll), otherwise a line for each look; with --output
    /// json an object for each. Exit code with --once: 0 if nothing is wrong, 3 with an alert, 6 or 7 if a part
    /// did not answer or did not let us in, 5 if one was not named.
    Watch(WatchArgs),
    /// Slot, publication and replica identity of a stream, made where they are missing.
    ///
    /// Says what it found and what it would do; changes something only with --apply. Exit code: 0, or 3 if something is
    /// in the way.
    Setup(SetupArgs),
    /// Write a load into a database until it is ended: customers, orders and their events.
    ///
    /// For trying a stream before it matters. It changes and deletes any row of its tables, so it writes only to tables
    /// that it made (--make-tables) and knows by their comments. Exit code: 0 at the end of --duration, 130 or 143
    /// after a signal, 3 if the tables are missing or somebody else's.
    Generate(GenerateArgs),
    /// Write cutover.toml by asking Kafka Connect what its connector works with.
    ///
    /// Such as cutover init --connect http://connect.example:8083 --kafka kafka.example:9092. Holds no secret; what
    /// nobody says is a line to fill in.
    Init(InitArgs),
    /// Which systems a command would work with, and who said so: cutover.toml, variables, arguments.
    Config {
        /// What to do.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// A lab of real servers on this machine: PostgreSQL, Kafka, Kafka Connect with Debezium.
    Lab {
        /// What to do with the lab.
        #[command(subcommand)]
        action: LabAction,
    },
    /// The completion script of a shell, on stdout.
    ///
    /// Bash: cutover completions bash > ~/.local/share/bash-completion/completions/cutover
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Write the manual pages, one for each command.
    Man {
        /// Folder for the pages; it is made if it is not there. Such as ~/.local/share/man/man1.
        #[arg(long, value_name = "FOLDER")]
        dir: PathBuf,
    },
}

/// Two databases, and what of them to compare.
#[derive(Debug, Args)]
#[command(
    after_help = "A password is never an argument: --left-password-file and --right-password-file, a service file, \
PGPASSWORD (for both), PGPASSFILE or ~/.pgpass, in this order."
)]
pub struct CompareWhat {
    /// The left database and the right one; or one, which is compared with that of cutover.toml (the left one then).
    ///
    /// Each is postgresql://user@host:port/database, libpq's key=value pairs, or service=NAME.
    #[arg(value_name = "DATABASE", num_args = 1..=2, required = true)]
    pub databases: Vec<String>,
    /// Tables as schema.name; without it, all tables of both sides but those of the system.
    #[arg(long, value_name = "TABLES", value_delimiter = ',')]
    pub tables: Vec<String>,
    /// File with the password for the left database and nothing else, mode 600.
    #[arg(long, value_name = "FILE")]
    pub left_password_file: Option<String>,
    /// File with the password for the right database and nothing else, mode 600.
    #[arg(long, value_name = "FILE")]
    pub right_password_file: Option<String>,
    /// The file that names the left database; cutover.toml in the working folder without it, if there is one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Show rows without key as they are, instead of a hash of their content.
    #[arg(long)]
    pub show_rows: bool,
}

/// Where the facts of a prediction come from.
#[derive(Debug, Args)]
#[command(
    after_help = "The password of PostgreSQL is never an argument: --password-file, PGPASSWORD, PGPASSFILE or \
~/.pgpass, in this order; without --postgres also the connector's own."
)]
pub struct PredictFrom {
    /// Facts as JSON; - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["connect", "lab", "postgres", "password_file", "config"])]
    pub facts: Option<PathBuf>,
    /// The worker of the lab that stands on this machine.
    #[arg(long, conflicts_with = "connect")]
    pub lab: bool,
    /// Connector; not needed when the worker has only one.
    #[arg(long, value_name = "NAME", conflicts_with = "facts")]
    pub connector: Option<String>,
    /// Release of Debezium that will run; without it, the one that the worker has.
    #[arg(long, value_name = "VERSION", conflicts_with = "facts")]
    pub debezium: Option<String>,
    /// Whose log the stored offset counts, if it was noted: SYSTEM_IDENTIFIER/TIMELINE.
    #[arg(long, value_name = "SERVER", conflicts_with = "facts")]
    pub offset_of: Option<String>,
    /// Print the facts and stop, so that they can be changed and tried with --facts.
    #[arg(long)]
    pub print_facts: bool,
    /// Where the systems are. Without PostgreSQL, the server in the connector's configuration is asked.
    #[command(flatten)]
    pub systems: SystemFlags,
}

/// What can be done about a gap.
#[derive(Debug, Subcommand)]
pub enum GapAction {
    /// Show what is missing, what is too much, and how each part can be closed; needs no server.
    ///
    /// Lost and phantom events, and of each key whether folding the topic gives its stored row: ghost (the topic has
    /// it, the database not), missing (the other way round), stale (both, with different content).
    Show {
        /// Folder of one scenario of a run.
        #[arg(value_name = "RUN")]
        run: PathBuf,
    },
    /// Write compensating records so that the folded state of the topics is that of the tables.
    ///
    /// A plan only, without --apply. Reads the topics as they are now, writes deletes for ghosts and earlier records
    /// for stale and missing rows, each marked by the header cutover.compensation, and reads the topics once more.
    /// Events that were lost in between are not recovered by this, and phantoms stay in the log. Keys that need a
    /// re-read are printed as Debezium signals. Best done while the connector is stopped; needs no PostgreSQL.
    Close {
        /// Folder of one scenario of a run.
        #[arg(value_name = "RUN")]
        run: PathBuf,
        /// Write the records.
        #[arg(long)]
        apply: bool,
        /// Leave out keys that the stream has written to since the run was recorded, instead of refusing.
        #[arg(long)]
        leave_newer: bool,
        /// Kafka, and the schema registry if its address has changed since the run or it wants a login.
        #[command(flatten)]
        systems: SystemFlags,
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
    /// The running lab as a cutover.toml, to try the commands for running systems on it; it holds no password.
    Config {
        /// Who logs in to PostgreSQL.
        #[arg(long, default_value = "postgres", value_parser = ["postgres", "app", "debezium"])]
        role: String,
    },
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

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum Measure {
    /// Topic to published ledger, beside kcat reading the same topic into nothing.
    ///
    /// Starts a broker of the lab, or uses a topic of its own on the given one, about 1 KB of disk per record.
    Topics {
        /// Bootstrap servers of a cluster to use; without it, a lab is started for the measurement.
        #[arg(long, value_name = "HOST:PORT")]
        kafka: Option<String>,
        /// Records.
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
        /// Partitions of the topic.
        #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(i32).range(1..=1_000))]
        partitions: i32,
        /// Where the ledgers are written meanwhile.
        #[arg(long, default_value = "/var/tmp")]
        folder: PathBuf,
        /// The program to compare with.
        #[arg(long, default_value = "kcat", env = "CUTOVER_KCAT")]
        kcat: String,
    },
    /// Stored rows of two databases compared, beside reladiff on the same rows; both name ten rows that differ.
    ///
    /// Starts a server of the lab, or makes and removes two databases on the given one; about 400 bytes of disk per
    /// row. pip installs reladiff into the lab's cache, once.
    Compare {
        /// A server and a role that may make databases, postgresql://user@host:port/database; without it, a lab is
        /// started for the measurement.
        #[arg(long, value_name = "ADDRESS")]
        postgres: Option<String>,
        /// Rows of the table.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
    },
    /// Table to stored ledger, beside psql copying the same table into nothing.
    ///
    /// Starts a server of the lab, or makes and removes a database on the given one; about 200 bytes of disk per row.
    Tables {
        /// A server and a role that may make databases, postgresql://user@host:port/database; without it, a lab is
        /// started for the measurement.
        #[arg(long, value_name = "ADDRESS")]
        postgres: Option<String>,
        /// Rows of the table.
        #[arg(long, default_value_t = 3_000_000)]
        rows: u64,
        /// Where the ledgers are written meanwhile.
        #[arg(long, default_value = "/var/tmp")]
        folder: PathBuf,
    },
    /// Slot to committed ledger, beside pg_recvlogical reading the same changes into nothing.
    ///
    /// Starts a server of the lab, or makes and removes a database and slots on the given one; about 500 bytes of disk
    /// per row.
    Witness {
        /// A server and a role that may make databases and slots, postgresql://user@host:port/database; without it, a
        /// lab is started for the measurement.
        #[arg(long, value_name = "ADDRESS")]
        postgres: Option<String>,
        /// Rows that are written.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// Where the ledgers are written meanwhile.
        #[arg(long, default_value = "/var/tmp")]
        folder: PathBuf,
    },
    /// What a watch takes from the rate of a load: the same load without and with it, in turn.
    ///
    /// Starts a server of the lab, which the load writes to as fast as it can. Only what the server has to do is
    /// measured: Kafka and Connect are not looked at.
    Watch(WatchedLoad),
    /// Decoding alone, beside serde_json on the same bytes; needs no server.
    Parse {
        /// Records of each round.
        #[arg(long, default_value_t = 200_000)]
        events: u64,
    },
    /// How long a browser takes to open a report, beside a blank page.
    Page {
        /// The report, an HTML file.
        #[arg(value_name = "FILE")]
        page: PathBuf,
        /// Chromium, or a browser that takes its arguments.
        #[arg(long, default_value = "chromium", value_name = "PROGRAM")]
        browser: String,
    },
    /// All checks over ledgers of a given size, made for the purpose.
    ///
    /// Takes about 60 bytes of disk per row and ledger.
    Audit {
        /// Committed changes; there are as many published ones.
        #[arg(long, default_value_t = 1_000_000)]
        rows: u64,
        /// Where the ledgers are written meanwhile.
        #[arg(long, default_value = "/var/tmp")]
        folder: PathBuf,
    },
}

/// How long a watch is measured.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct WatchedLoad {
    /// How often both are measured.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub pairs: u32,
    /// Seconds of each load.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub seconds: u64,
    /// Seconds between two looks.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub interval: u64,
}
