//! The load alone, against any PostgreSQL, until somebody ends it: what `cutover generate` does.
//!
//! Stands at the head of the chain without the rest of it. The rules it protects: it writes only to tables that say
//! they are the load's, every change it tried is in the ledger with its outcome, and a server that became another one
//! under the same address is written to under a number of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use cutover_clients::pg::facts::server_facts;
use cutover_clients::pg::{PgAddress, PgError, connect};
use cutover_clients::wait::{pause, within};
use cutover_ledger::ChangeWriter;
use cutover_model::{EventKind, EventSink, ExitCode, Incarnation};
use cutover_workload::ground::prepare;
use cutover_workload::{Load, LoadConfig, LoadEnd, Target, WorkloadError};
use tokio::sync::{mpsc, watch};

pub use cutover_workload::SESSIONS_MAX;
pub use cutover_workload::shapes::Copies;

use crate::runner::{Interrupt, interrupted};

/// Buckets of the ledger.
const BUCKETS: u16 = 16;
/// As `pg_stat_activity` shows whoever looks; the sessions have names of their own.
const APPLICATION: &str = "cutover-generate";
/// Between two looks.
const EVERY: Duration = Duration::from_millis(500);
/// A server that answers nobody for so long is looked at: it may be another one.
const SILENCE: Duration = Duration::from_secs(2);

/// What to do.
#[derive(Debug)]
pub struct Request {
    /// Where to.
    pub server: PgAddress,
    /// Make the tables that are missing.
    pub make_tables: bool,
    /// Seed of the sequence of transactions.
    pub seed: u64,
    /// Sessions that write.
    pub sessions: u16,
    /// Transactions per second, all sessions together.
    pub rate: u32,
    /// Bulk loads among the transactions.
    pub copies: Option<Copies>,
    /// For so long; until it is ended without.
    pub length: Option<Duration>,
    /// Folder of the ledger of what was tried.
    pub ledger: PathBuf,
}

/// What whoever watches may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Begin nothing more.
    Pause,
    /// Go on.
    Resume,
}

/// What was done.
#[derive(Debug)]
pub struct Generated {
    /// Numbers.
    pub end: LoadEnd,
    /// For so long.
    pub length: Duration,
    /// Servers that were written to, one after another.
    pub servers: Vec<Incarnation>,
    /// A signal ended it.
    pub signal: Option<ExitCode>,
}

/// Writes until the time is over or a signal comes.
///
/// # Errors
/// The server refuses, or its tables are not the load's; the load ended by itself.
pub async fn generate(
    request: Request,
    (interrupt, wishes): (&mut Interrupt, &mut mpsc::Receiver<Wish>),
    events: &EventSink,
) -> Result<Generated, WorkloadError> {
    let identity = ready(&request).await?;
    let target = Target {
        address: request.server.clone(),
        incarnation: 0,
    };
    let writer = ChangeWriter::create(&request.ledger, BUCKETS).map_err(WorkloadError::Ledger)?;
    let config = LoadConfig {
        seed: request.seed,
        sessions: request.sessions,
        transactions_per_second: request.rate,
        copies: request.copies,
        ..LoadConfig::default()
    };
    let (sender, receiver) = watch::channel(Some(target));
    let begun = Instant::now();
    let mut running = Running {
        load: Load::start(config, receiver, writer, events.clone()),
        servers: vec![identity],
        sender,
        paused: false,
        refused: None,
        events,
    };
    let left = || {
        request
            .length
            .map(|length| length.saturating_sub(begun.elapsed()))
    };
    let mut signal = None;
    while left().is_none_or(|left| !left.is_zero()) && running.goes_on() {
        let next = left().map_or(EVERY, |left| left.min(EVERY));
        tokio::select! {
            () = pause(next) => running.look(&request).await,
            Some(wish) = wishes.recv() => running.follow(wish),
            code = interrupted(interrupt) => {
                signal = Some(code);
                break;
            }
        }
    }
    let end = running.load.stop().await;
    if let Some(refused) = running.refused {
        return Err(refused);
    }
    Ok(Generated {
        length: begun.elapsed(),
        servers: running.servers,
        end: end?,
        signal,
    })
}

/// Who the server is, once its tables are there.
async fn ready(request: &Request) -> Result<Incarnation, WorkloadError> {
    let refused = |source: PgError| WorkloadError::Tables { source };
    let client = connect(&request.server, APPLICATION)
        .await
        .map_err(refused)?;
    prepare(&client, request.make_tables).await?;
    let facts = server_facts(&client).await.map_err(refused)?;
    Ok(facts.incarnation)
}

struct Running<'a> {
    load: Load,
    servers: Vec<Incarnation>,
    sender: watch::Sender<Option<Target>>,
    paused: bool,
    /// The server that answers now is not one to write to.
    refused: Option<WorkloadError>,
    events: &'a EventSink,
}

impl Running<'_> {
    fn goes_on(&self) -> bool {
        self.load.stats().error.is_none() && self.refused.is_none()
    }

    fn follow(&mut self, wish: Wish) {
        self.paused = wish == Wish::Pause;
        match wish {
            Wish::Pause => self.load.pause(),
            Wish::Resume => self.load.resume(),
        }
        self.events.note(match wish {
            Wish::Pause => "paused; SIGUSR2 goes on",
            Wish::Resume => "going on",
        });
    }

    async fn look(&mut self, request: &Request) {
        let stats = self.load.stats();
        self.events.emit(EventKind::Progress {
            what: "transactions committed".to_owned(),
            done: stats.committed_transactions,
            total: None,
            rate: Some(stats.transactions_per_second),
            lag_bytes: None,
        });
        let silent = stats.last_ok.is_none_or(|last| last.elapsed() > SILENCE);
        if silent && !self.paused {
            self.look_who_is_there(request).await;
        }
    }

    /// Ids of transactions mean nothing on another server, so the sessions write there only when told that it is one.
    async fn look_who_is_there(&mut self, request: &Request) {
        let asked = within(SILENCE, async {
            let client = connect(&request.server, APPLICATION).await?;
            Ok::<_, PgError>((server_facts(&client).await?, client))
        });
        let Some(Ok((facts, client))) = asked.await else {
            return;
        };
        if facts.in_recovery || self.servers.last() == Some(&facts.incarnation) {
            return;
        }
        // It may be somebody else's altogether.
        if let Err(error) = prepare(&client, false).await {
            self.refused = Some(error);
            return;
        }
        self.servers.push(facts.incarnation);
        let incarnation = i32::try_from(self.servers.len() - 1).unwrap_or(i32::MAX);
        self.events.note(format!(
            "another server answers here now: system {} timeline {}",
            facts.incarnation.system_id, facts.incarnation.timeline
        ));
        self.sender.send_replace(Some(Target {
            address: request.server.clone(),
            incarnation,
        }));
    }
}
