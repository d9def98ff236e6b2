//! Arguments of `cutover generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::SystemFlags;

const MOST_SESSIONS: i64 = cutover_rehearse::generate::SESSIONS_MAX as i64;

/// What is written, and how fast.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "SIGUSR1 pauses and SIGUSR2 goes on; Ctrl-C ends it after the transactions that are open. The \
password of PostgreSQL is never an argument: PGPASSWORD, ~/.pgpass or --password-file."
)]
pub struct GenerateArgs {
    /// Make public.customers, public.orders and public.order_events where they are missing.
    #[arg(long)]
    pub make_tables: bool,
    /// Transactions per second, all sessions together; about three changes each.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Sessions that write.
    #[arg(
        long,
        default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=MOST_SESSIONS)
    )]
    pub sessions: u16,
    /// What the transactions are like.
    #[arg(long, value_enum, default_value_t = Profile::Mixed)]
    pub profile: Profile,
    /// Seed: the same one gives the same sequence of transactions.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// End after so many seconds; without it, when it is ended.
    #[arg(long, value_name = "SECONDS")]
    pub duration: Option<u64>,
    /// Keep the ledger of every change that was tried, with its outcome, in this folder (Parquet).
    #[arg(long, value_name = "FOLDER")]
    pub ledger: Option<PathBuf>,
    /// Where the systems are.
    #[command(flatten)]
    pub systems: SystemFlags,
}

/// What transactions are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Inserts, updates, deletes, changed keys, several rows at once, savepoints, rollbacks, transactions held open.
    Mixed,
    /// The same, and bulk loads by COPY now and then.
    Copies,
    /// The same, with rows so large that a page holds only a few.
    WideCopies,
}

impl Profile {
    /// Its name, as it is given.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Mixed => "mixed",
            Profile::Copies => "copies",
            Profile::WideCopies => "wide-copies",
        }
    }
}
