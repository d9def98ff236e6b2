//! The lab as the one who acts: what a person, a hook or an operator does in production is done here with the
//! lab's own processes. It also holds what the run notes on the way: witnesses, cuts, problems.

use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::Connect;
use cutover_clients::kafka::Kafka;
use cutover_clients::pg::PgAddress;
use cutover_clients::pg::connect_admin;
use cutover_clients::pg::freeze::{OpenWriters, open_writers};
use cutover_clients::pg::marker::emit_message;
use cutover_clients::wait::{Poll, WaitError, until};
use cutover_ledger::ChangeWriter;
use cutover_model::evidence::{Acknowledged, IncarnationEvidence};
use cutover_model::run_folder::LedgerKind;
use cutover_model::{EventSink, Lsn, RunFolder, TableShape};
use cutover_upgrade::fence::Marker;
use cutover_upgrade::hands::Gate;
use cutover_upgrade::predict::{AroundFacts, OffsetFacts};
use cutover_upgrade::preflight::{NewSide, Way};
use cutover_upgrade::steps::{Feed, RestoreTarget, Transfer};
use cutover_upgrade::{Hands, Side, Stream, UpgradeError};
use cutover_workload::{Load, LoadConfig, LoadWatch, Target};
use tokio::sync::watch;

use crate::error::RehearseError;
use crate::recording::{Cut, change_topic_ends};
use crate::scenario::Scenario;
use crate::servers::Servers;
use crate::trouble::Trouble;
use crate::worker::WorkerEnd;
use crate::world::Witnesses;

/// How long the application may need for its share of work between two steps.
const TIME_PASSES: Duration = Duration::from_secs(60);

/// Its share.
const CHANGES_MEANWHILE: u64 = 600;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// How long transactions of writers may need to end once writes are refused.
const WRITERS_GONE: Duration = Duration::from_secs(5);

/// Everything of one scenario that acts on, or looks at, the lab.
pub struct LabHands {
    /// Run folder of the scenario.
    pub run: RunFolder,
    /// Buckets of every ledger.
    pub buckets: u16,
    /// Kafka's address.
    pub bootstrap: String,
    /// Witnesses.
    pub witnesses: Witnesses,
    pub(super) stream: Stream,
    pub(super) kafka: Arc<Kafka>,
    pub(super) servers: Servers,
    pub(super) connect: Connect,
    pub(super) worker_end: WorkerEnd,
    pub(super) events: EventSink,
    pub(super) target: watch::Sender<Option<Target>>,
    pub(super) cuts: Vec<(i32, Cut)>,
    pub(super) noted: Option<Cut>,
    /// The newest life's records begin where is not known yet: its connector was not stopped at the switch.
    pub(super) cut_is_open: bool,
    pub(super) shapes: Vec<TableShape>,
    pub(super) acknowledged: Vec<Acknowledged>,
    pub(super) sequences: crate::sequences::Sequences,
    problems: Vec<String>,
    pub(super) load: Option<LoadWatch>,
    /// What the scenario has in store, as far as it has not happened yet.
    pub(super) troubles: Vec<Trouble>,
    /// Sessions with an open transaction.
    pub(super) held_open: Vec<tokio::task::JoinHandle<()>>,
}

/// What a new set of hands needs.
pub struct LabParts {
    /// Run folder of the scenario.
    pub run: RunFolder,
    /// Buckets of every ledger.
    pub buckets: u16,
    /// Kafka's address.
    pub bootstrap: String,
    /// Names.
    pub stream: Stream,
    /// Kafka.
    pub kafka: Arc<Kafka>,
    /// The PostgreSQL servers.
    pub servers: Servers,
    /// The worker.
    pub connect: Connect,
}

impl LabHands {
    /// Takes over a running old server.
    pub fn new(parts: LabParts) -> Result<LabHands, RehearseError> {
        let LabParts {
            run,
            buckets,
            bootstrap,
            stream,
            kafka,
            servers,
            connect,
        } = parts;
        let witnesses =
            Witnesses::create(&run, buckets, &stream.publication, &stream.marker_prefix)?;
        let target = Target {
            address: servers.writer_address(Side::Old)?,
            incarnation: 0,
        };
        Ok(LabHands {
            run,
            buckets,
            bootstrap,
            witnesses,
            stream,
            kafka,
            servers,
            connect,
            worker_end: WorkerEnd::default(),
            events: EventSink::none(),
            target: watch::channel(Some(target)).0,
            cuts: Vec::new(),
            noted: None,
            cut_is_open: false,
            shapes: Vec::new(),
            acknowledged: Vec::new(),
            sequences: Default::default(),
            problems: Vec::new(),
            load: None,
            troubles: Vec::new(),
            held_open: Vec::new(),
        })
    }

    /// Starts the load on the old server.
    pub async fn start_load(
        &mut self,
        scenario: &Scenario,
        seed: u64,
        events: EventSink,
    ) -> Result<Load, RehearseError> {
        let plan = &scenario.load;
        let config = LoadConfig {
            seed,
            sessions: plan.sessions,
            transactions_per_second: plan.transactions_per_second,
            held_transaction_seconds: plan.held_transaction_seconds,
            role: None,
            captured: self.stream.tables.clone(),
            copies: plan.copies,
        };
        self.worker_end = WorkerEnd {
            moment: scenario.upgrade.worker_dies,
            ending: scenario.upgrade.worker_is,
            exactly_once: scenario.connector.exactly_once,
        };
        self.events = events.clone();
        self.troubles.clone_from(&scenario.trouble);
        let ledger = ChangeWriter::create(&self.run.ledger(LedgerKind::Attempted), self.buckets)?;
        let load = Load::start(config, self.target.subscribe(), ledger, events);
        self.load = Some(load.watch());
        Ok(load)
    }

    /// Begins to watch the old server.
    pub async fn watch_old(
        &mut self,
        server: &PgAddress,
    ) -> Result<Vec<TableShape>, RehearseError> {
        let opened = self
            .witnesses
            .open(server, &self.stream.tables, Side::Old)
            .await?;
        let (_, shapes) = opened;
        self.shapes.clone_from(&shapes);
        Ok(shapes)
    }

    /// The connector's own address of the old server.
    pub fn connector_address(&self) -> PgAddress {
        self.servers.connector_address()
    }

    /// Address of the old server for a connector that owns what it captures.
    pub fn owner_address(&self) -> PgAddress {
        self.servers.owner_address()
    }

    /// Administrator's address of a side.
    pub fn admin_address(&self, side: Side) -> Result<PgAddress, RehearseError> {
        self.servers.admin_address(side)
    }

    /// Index of the incarnation that is written to now.
    pub fn incarnation(&self) -> i32 {
        self.target
            .borrow()
            .as_ref()
            .map_or(0, |target| target.incarnation)
    }

    /// Lives of the database, as far as they were watched.
    pub fn incarnations(&self) -> Vec<IncarnationEvidence> {
        self.witnesses.evidence(Some(self.servers.version()))
    }

    /// Where each later incarnation's records begin.
    pub fn cuts(&self) -> Vec<(i32, Cut)> {
        self.cuts.clone()
    }

    /// How far the connector's slots were confirmed, as noted so far.
    pub fn acknowledged(&self) -> Vec<Acknowledged> {
        self.acknowledged.clone()
    }

    /// Notes something that keeps the recording from being complete.
    pub fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// Everything noted.
    pub fn problems(&self) -> Vec<String> {
        self.problems.clone()
    }

    /// Stops every server of the scenario and removes its data.
    pub async fn take_down(&mut self) -> Result<(), RehearseError> {
        self.servers.take_down().await
    }
}

impl Drop for LabHands {
    fn drop(&mut self) {
        for held in &self.held_open {
            held.abort();
        }
    }
}

impl Hands for LabHands {
    async fn survey(&mut self, version: &str, way: Way) -> Result<NewSide, UpgradeError> {
        let seen = self.servers.survey(version, way).await;
        seen.map_err(|error| UpgradeError::hands("look at what the new side has", error))
    }

    async fn applied(&mut self, step: &str) -> Result<(), UpgradeError> {
        self.troubles_after(step).await
    }

    fn address(&self, side: Side) -> Option<PgAddress> {
        self.servers.admin_address(side).ok()
    }

    async fn stop_server(&mut self, side: Side) -> Result<f64, UpgradeError> {
        self.servers
            .stop(side)
            .await
            .map_err(|error| UpgradeError::hands("stop the server", error))
    }

    async fn swap_binaries(&mut self, version: &str) -> Result<String, UpgradeError> {
        let swapped = self.servers.swap_binaries(version).await;
        swapped.map_err(|error| UpgradeError::hands("swap the binaries", error))?;
        Ok(format!("PostgreSQL {version} is in place"))
    }

    async fn start_server(&mut self, side: Side) -> Result<f64, UpgradeError> {
        let started = self.servers.start(side).await;
        started.map_err(|error| UpgradeError::hands("start the server", error))
    }

    async fn create_server(&mut self, version: &str) -> Result<PgAddress, UpgradeError> {
        let created = self.servers.create_new(version).await;
        created.map_err(|error| UpgradeError::hands("make the new server", error))
    }

    async fn dump_database(&mut self) -> Result<String, UpgradeError> {
        self.servers
            .dump()
            .await
            .map_err(|error| UpgradeError::hands("pg_dump", error))
    }

    async fn restore_database(&mut self) -> Result<String, UpgradeError> {
        self.servers
            .restore()
            .await
            .map_err(|error| UpgradeError::hands("pg_restore", error))
    }

    async fn move_application(&mut self, side: Side) -> Result<String, UpgradeError> {
        let address = self.servers.writer_address(side);
        let address =
            address.map_err(|error| UpgradeError::hands("move the application", error))?;
        let port = address.port;
        let incarnation = self.witnesses.newest();
        self.note_sequences(side).await?;
        self.target.send_replace(Some(Target {
            address,
            incarnation,
        }));
        // What is noted of the topics belongs to the switch that ends here.
        self.noted = None;
        Ok(format!("the application uses port {port}"))
    }

    async fn crash_server(&mut self, side: Side) -> Result<f64, UpgradeError> {
        let crashed = self.servers.crash(side).await;
        crashed.map_err(|error| UpgradeError::hands("crash the server", error))
    }

    async fn prepare_cluster(
        &mut self,
        version: &str,
        transfer: Transfer,
    ) -> Result<String, UpgradeError> {
        let prepared = self.servers.prepare_cluster(version, transfer).await;
        prepared.map_err(|error| UpgradeError::hands("prepare the new cluster", error))
    }

    async fn upgrade_cluster(
        &mut self,
        transfer: Transfer,
    ) -> Result<(PgAddress, String), UpgradeError> {
        let upgraded = self.servers.upgrade_cluster(transfer).await;
        upgraded.map_err(|error| UpgradeError::hands("pg_upgrade", error))
    }

    async fn create_standby(&mut self, feed: Feed) -> Result<PgAddress, UpgradeError> {
        let made = self.servers.create_standby(feed).await;
        made.map_err(|error| UpgradeError::hands("make the standby", error))
    }

    async fn back_up(&mut self) -> Result<String, UpgradeError> {
        let made = self.servers.back_up().await;
        made.map_err(|error| UpgradeError::hands("take a backup", error))
    }

    async fn restore_backup(
        &mut self,
        target: RestoreTarget,
        moment: Option<&str>,
    ) -> Result<(PgAddress, String), UpgradeError> {
        self.read_out_what_crashed().await?;
        let restored = self.servers.restore_backup(target, moment).await;
        restored.map_err(|error| UpgradeError::hands("restore the backup", error))
    }

    async fn open_base_backup(&mut self) -> Result<(PgAddress, String), UpgradeError> {
        let opened = self.servers.open_base_backup().await;
        opened.map_err(|error| UpgradeError::hands("open a copy of the server", error))
    }

    async fn copy_schema(&mut self) -> Result<String, UpgradeError> {
        let copied = self.servers.copy_schema().await;
        copied.map_err(|error| UpgradeError::hands("copy the schema", error))
    }

    async fn create_side_server(&mut self, until: Lsn) -> Result<PgAddress, UpgradeError> {
        let made = self.servers.create_side_server(until).await;
        made.map_err(|error| UpgradeError::hands("make the side server", error))
    }

    async fn open_gate(&mut self, gate: Gate) -> Result<String, UpgradeError> {
        let opened = self.servers.open_gate(gate);
        opened.map_err(|error| UpgradeError::hands("open the gate", error))
    }

    async fn discard_side(&mut self) -> Result<String, UpgradeError> {
        let gone = self.servers.discard_side().await;
        gone.map_err(|error| UpgradeError::hands("remove the side server", error))
    }

    async fn discard_new(&mut self) -> Result<String, UpgradeError> {
        self.discard_new_life().await
    }

    async fn return_to_old(&mut self) -> Result<String, UpgradeError> {
        let act = |error| UpgradeError::hands("return to the old server", error);
        if self.witnesses.watches(Side::Old) {
            return Ok("the old server is back already".into());
        }
        if !self.servers.is_running(Side::Old).await.map_err(act)? {
            self.servers.start(Side::Old).await.map_err(act)?;
        }
        // Whatever the new server has is no part of the database that people use from now on.
        self.witnesses.discard_newest(Lsn(0));
        self.witness_in_place(Side::Old).await?;
        Ok("the old server runs; what was written on the new one stays there".into())
    }

    async fn at_stake(&mut self, slot_begins: Lsn) -> Option<u64> {
        let ends = change_topic_ends(&self.kafka, &self.stream).await.ok()?;
        let delivered: i64 = ends.values().sum();
        let delivered = u64::try_from(delivered).ok()?;
        self.witnesses.at_stake(delivered, slot_begins).await
    }

    async fn let_time_pass(&mut self) -> Result<String, UpgradeError> {
        let Some(load) = self.load.clone() else {
            return Ok("there is no application".into());
        };
        let begun = load.stats().committed_changes;
        let passed = until("the application's work", TIME_PASSES, LOOK, async || {
            let done = load.stats().committed_changes.saturating_sub(begun);
            Ok::<_, UpgradeError>(if done >= CHANGES_MEANWHILE {
                Poll::Ready(done)
            } else {
                Poll::NotYet(format!("{done} changes"))
            })
        });
        Ok(format!(
            "{} changes were committed meanwhile",
            passed.await?
        ))
    }

    async fn close_incarnation(&mut self) -> Result<String, UpgradeError> {
        let (life, side) = self.witnesses.open_life().unwrap_or((0, Side::Old));
        self.note_acknowledged(life, side).await?;
        let address = self.servers.admin_address(side);
        let address =
            address.map_err(|error| UpgradeError::hands("read the witness out", error))?;
        let client = connect_admin(&address).await?;
        // An application that retries while it is refused shows as a transaction for a moment: a look without any,
        // once writes are refused, is enough.
        let looked = until("no open transaction", WRITERS_GONE, LOOK, async || {
            let open = open_writers(&client, &address.database).await?;
            Ok::<_, UpgradeError>(if open.transactions + open.prepared == 0 {
                Poll::Ready(())
            } else {
                let OpenWriters {
                    transactions,
                    prepared,
                } = open;
                Poll::NotYet(format!("{transactions} open and {prepared} prepared"))
            })
        });
        match looked.await {
            Ok(()) => {}
            Err(WaitError::TimedOut { last, .. }) => self.problem(format!(
                "{last} transactions could still be committed on the old server after its witness ended"
            )),
            Err(WaitError::Failed(error)) => return Err(error),
        }
        self.sequences.ends(life, &client).await?;
        let token = format!("close-{:016x}", rand::random::<u64>());
        let lsn = emit_message(&client, &self.stream.marker_prefix, &token).await?;
        let closed = self.witnesses.close(&Marker { token, lsn }).await;
        closed.map_err(|error| UpgradeError::hands("read the witness out", error))
    }

    async fn resume_incarnation(&mut self) -> Result<(), UpgradeError> {
        let resumed = self.resume_old_life().await;
        if let Err(error) = &resumed {
            self.problem(format!(
                "what the old server commits after the plan was taken back is not watched: {error}"
            ));
        }
        resumed
    }

    async fn open_incarnation(&mut self) -> Result<String, UpgradeError> {
        self.witness_in_place(Side::New).await
    }

    async fn crash_worker(&mut self) -> Result<String, UpgradeError> {
        self.kill_at_moment().await
    }

    async fn start_worker(&mut self) -> Result<f64, UpgradeError> {
        let started = self.servers.start_worker().await;
        started.map_err(|error| UpgradeError::hands("start the worker", error))
    }

    async fn around(&mut self, offset: &OffsetFacts) -> Option<AroundFacts> {
        self.around_offset(offset).await
    }

    async fn note_cut(&mut self) -> Result<String, UpgradeError> {
        self.note_ends().await
    }
}
