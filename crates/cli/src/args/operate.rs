//! Arguments of the commands that work on running systems.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::Said;

/// Where the systems are. Each argument overrides its variable, and that the file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Systems (cutover.toml and CUTOVER_… variables say the same)")]
pub struct SystemFlags {
    /// The file; cutover.toml in the working folder without it, if there is one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// PostgreSQL: a URL, libpq's key=value pairs, or service=NAME. Without a password.
    #[arg(long, value_name = "ADDRESS")]
    pub postgres: Option<String>,
    /// File with PostgreSQL's password and nothing else, mode 600.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<String>,
    /// Bootstrap servers of Kafka.
    #[arg(long, value_name = "HOST:PORT")]
    pub kafka: Option<String>,
    /// A Java client's client.properties, as it is.
    #[arg(long, value_name = "FILE")]
    pub kafka_properties: Option<String>,
    /// Topic of the Connect cluster's offsets (offset.storage.topic); needed for workers before Kafka 3.6.
    #[arg(long, value_name = "TOPIC")]
    pub offsets_topic: Option<String>,
    /// A worker of Kafka Connect, http://host:port.
    #[arg(long, value_name = "URL")]
    pub connect: Option<String>,
    /// The schema registry.
    #[arg(long, value_name = "URL")]
    pub registry: Option<String>,
}

impl SystemFlags {
    /// What they say, for the configuration.
    pub fn said(&self, connector: Option<&str>) -> Said {
        let values = [
            ("postgres.address", "--postgres", &self.postgres),
            (
                "postgres.password_file",
                "--password-file",
                &self.password_file,
            ),
            ("kafka.bootstrap", "--kafka", &self.kafka),
            (
                "kafka.properties",
                "--kafka-properties",
                &self.kafka_properties,
            ),
            (
                "kafka.offsets_topic",
                "--offsets-topic",
                &self.offsets_topic,
            ),
            ("connect.address", "--connect", &self.connect),
            ("registry.address", "--registry", &self.registry),
        ];
        let there = values
            .into_iter()
            .filter_map(|(key, flag, value)| Some((key, flag, value.clone()?)));
        let named = connector.map(|name| ("connect.connector", "NAME", name.to_owned()));
        Said {
            file: self.config.clone(),
            values: there.chain(named).collect(),
        }
    }
}

/// What can be done with the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigAction {
    /// Show every value with its origin; secrets are masked.
    Show {
        /// Said by scripts that want it in writing; secrets are masked without it too.
        #[arg(long)]
        redacted: bool,
        /// Where the systems are.
        #[command(flatten)]
        systems: SystemFlags,
    },
    /// List every key with its variables.
    Keys,
}

/// Where the systems are, and how long is waited.
#[derive(Debug, Clone, Args)]
pub struct OneConnector {
    /// The connector; not needed when the worker has only one, or cutover.toml names it.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Where the systems are.
    #[command(flatten)]
    pub systems: SystemFlags,
}

/// What is described, and where that is written.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// The file to write; one that is there stays as it is.
    #[arg(short = 'o', long, value_name = "FILE", default_value = "cutover.toml")]
    pub file: PathBuf,
    /// The connector, and where the systems are.
    #[command(flatten)]
    pub one: OneConnector,
}

/// One connector, and how long its state is waited for.
#[derive(Debug, Clone, Args)]
pub struct ChangedConnector {
    /// Which.
    #[command(flatten)]
    pub one: OneConnector,
    /// Seconds that the new state is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
}

/// What can be done with connectors.
#[derive(Debug, Subcommand)]
pub enum ConnectorAction {
    /// Every connector of the worker with its tasks.
    List {
        /// Where the systems are.
        #[command(flatten)]
        systems: SystemFlags,
    },
    /// One connector and its tasks; a RUNNING connector with a FAILED task has failed.
    ///
    /// Exit code: 0 if connector and tasks run, are paused or stopped; 3 if one has FAILED or there is no such
    /// connector; 5 for anything in between.
    Status(OneConnector),
    /// The configuration that the worker has, secrets masked.
    Config(OneConnector),
    /// Put a connector in place from its JSON, and say what that changes.
    ///
    /// Takes {"name": …, "config": {…}} and the options alone. A value that is ${NAME} and nothing else is filled from
    /// that variable; ${file:…} and its like are the worker's and stay. Nothing is sent when nothing differs; masks are
    /// never written back.
    Deploy {
        /// The JSON, as Connect takes it; - for standard input.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The connector's name, if the file does not say it.
        #[arg(long)]
        name: Option<String>,
        /// Show what would be changed and stop.
        #[arg(long)]
        plan_only: bool,
        /// Seconds that a running connector is waited for.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        timeout: u64,
        /// Where the systems are.
        #[command(flatten)]
        systems: SystemFlags,
    },
    /// Pause it: tasks stay, and hold the slot. Before an upgrade, stop it instead.
    Pause(ChangedConnector),
    /// Stop it: tasks end, the slot is free, its offset can be changed. Kafka Connect 3.5 and newer.
    Stop(ChangedConnector),
    /// Resume it after a pause or a stop.
    Resume(ChangedConnector),
    /// Restart what has FAILED.
    Restart {
        /// Which.
        #[command(flatten)]
        changed: ChangedConnector,
        /// Connector and tasks that run too.
        #[arg(long)]
        all: bool,
    },
    /// Delete it. Its offset, its slot and its publication stay.
    Delete {
        /// Which.
        #[command(flatten)]
        changed: ChangedConnector,
        /// Do it; otherwise only said.
        #[arg(long)]
        apply: bool,
    },
    /// Its stored offset.
    Offsets {
        /// What to do with it.
        #[command(subcommand)]
        action: OffsetsAction,
    },
}

/// What a change of an offset has in common.
#[derive(Debug, Clone, Args)]
pub struct ChangedOffset {
    /// Which.
    #[command(flatten)]
    pub one: OneConnector,
    /// Take a change back: the newest one, or that of a file.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub undo: Option<Option<PathBuf>>,
    /// Take it back although the connector has stored another offset since.
    #[arg(long, requires = "undo")]
    pub discard_newer: bool,
    /// Folder that keeps offsets from before.
    #[arg(
        long,
        value_name = "FOLDER",
        env = "CUTOVER_UNDO",
        default_value = "cutover-undo"
    )]
    pub undo_folder: PathBuf,
    /// Do it; otherwise only said.
    #[arg(long)]
    pub apply: bool,
}

/// What can be done with an offset.
#[derive(Debug, Subcommand)]
pub enum OffsetsAction {
    /// What is stored, in both spellings, beside slot and server where PostgreSQL is named.
    Show(OneConnector),
    /// Set it to a position; the connector must be STOPPED.
    ///
    /// What it was is kept in a file first. Written by Connect where that can (Kafka 3.6 and newer), else into the
    /// offsets topic, for which --kafka and --offsets-topic must be known.
    Set {
        /// To the position of its slot.
        #[arg(long, conflicts_with_all = ["lsn", "undo"])]
        to_slot: bool,
        /// To a position X/Y: every transaction that commits before it counts as delivered.
        #[arg(long, value_name = "X/Y", conflicts_with = "undo")]
        lsn: Option<String>,
        /// Also before the stored offset, which may be of another server's log: what lies between comes again if not.
        #[arg(long)]
        may_repeat: bool,
        /// Which, and how.
        #[command(flatten)]
        changed: ChangedOffset,
    },
    /// Remove it, so that snapshot.mode decides what the next start does; the connector must be STOPPED.
    Reset(ChangedOffset),
}

/// What a stream needs on its server.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Replication slot; without it, that of the connector.
    #[arg(long, value_name = "NAME")]
    pub slot: Option<String>,
    /// Publication; without it, that of the connector.
    #[arg(long, value_name = "NAME")]
    pub publication: Option<String>,
    /// A table, schema.name; repeat it. Without one, those that the connector names.
    #[arg(long = "table", value_name = "SCHEMA.TABLE")]
    pub tables: Vec<String>,
    /// Make what is missing; otherwise it is only said.
    #[arg(long)]
    pub apply: bool,
    /// Seconds that making the slot may wait for transactions that have begun.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub timeout: u64,
    /// Which connector, and where the systems are.
    #[command(flatten)]
    pub one: OneConnector,
}
