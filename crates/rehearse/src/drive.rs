//! The phases of one scenario, top-down: stream running, load on, runbook, load on, fence, ledgers.
//!
//! This file only puts the parts in order; what each phase means stands where the part is.

use std::cell::Cell;
use std::time::{Duration, Instant};

use cutover_clients::connect::{Status, StoredOffset};
use cutover_clients::pg::facts::current_lsn;
use cutover_clients::pg::publication::create_publication;
use cutover_clients::pg::slots::slot;
use cutover_clients::pg::{Client, PgError, connect_admin};
use cutover_clients::wait::{Poll, until};
use cutover_model::event::EventKind;
use cutover_model::evidence::Fence;
use cutover_model::{Lsn, Prediction, TableShape};
use cutover_record::topics::ConverterModes;
use cutover_upgrade::engine::Engine;
use cutover_upgrade::fence::MarkerWatch;
use cutover_upgrade::journal::{self, Entry, Journal};
use cutover_upgrade::{Cutover, UpgradeError, facts, strategies};
use cutover_workload::{Load, LoadStats};

use crate::broken_off;
use crate::connector;
use crate::error::RehearseError;
use crate::event_log::EventLog;
use crate::gap;
use crate::lab_hands::LabHands;
use crate::recording::{self, Recording};
use crate::sampler::{self, Sampler};
use crate::scenario::Scenario;

/// How long a connector may need after the runbook until it reads or has failed.
const SETTLES: Duration = Duration::from_secs(30);

/// How long the fence may need.
const FENCE: Duration = Duration::from_secs(60);

/// What the phases hand to the end of the run.
#[derive(Debug, Default)]
pub struct Measured {
    /// Longest refusal of writes.
    pub refused_write_seconds: f64,
    /// The server's own share.
    pub server_restart_seconds: f64,
    /// What was predicted right before the connector's last start.
    pub prediction: Option<Prediction>,
    /// Why the connector ended.
    pub connector_refused: Option<String>,
    /// The load was started: whatever happens from here on is part of the judgement.
    pub load_started: bool,
}

/// One scenario under way.
pub struct Drive<'a> {
    /// What is rehearsed.
    pub scenario: &'a Scenario,
    /// Events and phases.
    pub log: &'a EventLog,
    /// The stream and its addresses.
    pub cutover: &'a mut Cutover,
    /// Everything that acts on the lab.
    pub hands: &'a mut LabHands,
    /// Seed of the load.
    pub seed: u64,
    /// Address of the schema registry, if one runs.
    pub registry: Option<String>,
    /// How fast the load is.
    pub speed: Speed,
}

/// What a look at the connector shows after a runbook.
enum State {
    Reads,
    Refuses(String),
    Lost,
}

/// Speed of a counter between two looks.
#[derive(Debug, Default)]
pub struct Speed(Cell<Option<(Instant, u64)>>);

impl Speed {
    fn per_second(&self, count: u64) -> Option<f64> {
        let now = Instant::now();
        let (then, before) = self.0.replace(Some((now, count)))?;
        let seconds = now.duration_since(then).as_secs_f64();
        (seconds > 0.0).then(|| count.saturating_sub(before) as f64 / seconds)
    }
}

impl Drive<'_> {
    /// From a running, empty server to complete ledgers.
    pub async fn run(&mut self, measured: &mut Measured) -> Result<(), RehearseError> {
        self.log.phase("stream");
        let shapes = self.start_stream().await?;
        self.log.phase("load before");
        let load = self
            .hands
            .start_load(self.scenario, self.seed, self.log.sink())
            .await?;
        let started = Instant::now();
        measured.load_started = true;
        let sampler = Sampler::start(load.watch(), self.hands, self.log.sink());
        self.load_until(&load, self.scenario.load.changes_before)
            .await?;
        self.bulk().await?;
        self.log.phase("cutover");
        let offset = self.cut_over().await?;
        measured.server_restart_seconds = self.cutover.seen.server_seconds;
        self.log.phase("load after");
        self.pass_offset(&load, offset).await?;
        let more = load.stats().committed_changes + self.scenario.load.changes_after;
        self.load_until(&load, more).await?;
        self.go_back(&load).await?;
        self.log.phase("fence");
        let ended = load.stop().await?;
        drop(sampler);
        self.tell_load_end(&ended.stats, started.elapsed().as_secs_f64());
        sampler::tell_windows(&ended.windows, &self.log.sink());
        measured.refused_write_seconds = ended.refused_write_seconds;
        if ended.unresolved > 0 {
            let unresolved = ended.unresolved;
            self.hands.problem(format!(
                "{unresolved} transactions of the load stayed unresolved"
            ));
        }
        measured.prediction = self.cutover.seen.predictions.last().cloned();
        measured.connector_refused = self.cutover.seen.connector_refused.clone();
        let fence = self.fence().await?;
        self.log.phase("record");
        self.record(shapes, fence).await
    }

    /// Publication, witness, connector; ends when a marker has gone through all of it.
    async fn start_stream(&mut self) -> Result<Vec<TableShape>, RehearseError> {
        let stream = self.cutover.stream.clone();
        let client = connect_admin(&self.cutover.old).await?;
        create_publication(&client, &stream.publication, &stream.tables).await?;
        let plan = self.scenario.connector;
        // A shipped configuration may let the connector alter its publication, which only an owner can.
        let address = match plan.config {
            Some(_) => self.hands.owner_address(),
            None => self.hands.connector_address(),
        };
        let (debezium, registry) = (&self.scenario.stack.debezium, self.registry.as_deref());
        let mut config = connector::config(&stream, &address, plan, debezium, registry)?;
        if self
            .scenario
            .plan()
            .is_some_and(|plan| plan.needs_failover_slot())
        {
            config.insert("slot.failover".into(), "true".into());
        }
        if self.scenario.upgrade.reread {
            connector::hear_signals(&mut config, &stream, &self.hands.bootstrap);
        }
        let modes = ConverterModes::from_connector_config(&config);
        self.hands.witnesses.expect(modes);
        let shapes = self.hands.watch_old(&self.cutover.old).await?;
        connector::deploy(&self.cutover.connect, &self.cutover.old, &stream, &config).await?;
        let mut watch = MarkerWatch::send(self.cutover).await?;
        let seen = watch
            .arrive(self.cutover, self.cutover.deadlines.drain)
            .await?;
        self.log.sink().note(format!("the stream delivers: {seen}"));
        Ok(shapes)
    }

    /// One large transaction of somebody else: what stands in the queue when the runbook begins.
    async fn bulk(&self) -> Result<(), RehearseError> {
        let rows = self.scenario.load.bulk_rows;
        if rows == 0 {
            return Ok(());
        }
        let client = connect_admin(&self.cutover.old).await?;
        let statement = "INSERT INTO public.order_events (order_id, kind, at, revision)
                         SELECT -n, 'bulk', '2026-01-01', -n FROM generate_series(1, $1::int8) n";
        client
            .execute(statement, &[&i64::from(rows)])
            .await
            .map_err(|source| PgError::Sql {
                what: "running the bulk job".into(),
                source,
            })?;
        Ok(())
    }

    /// Waits until the load has committed so many changes in all; tells the progress.
    async fn load_until(&mut self, load: &Load, changes: u64) -> Result<(), RehearseError> {
        let rate = f64::from(self.scenario.load.transactions_per_second);
        let deadline = Duration::from_secs_f64(120.0 + 10.0 * changes as f64 / rate);
        let what = format!("{changes} committed changes");
        until(&what, deadline, Duration::from_millis(250), async || {
            let done = self.tell_load(load, Some(changes)).await?;
            let seen = format!("{done} committed");
            Ok(if done >= changes {
                Poll::Ready(())
            } else {
                Poll::NotYet(seen)
            })
        })
        .await
        .map_err(RehearseError::waited)
    }

    fn tell_load_end(&self, stats: &LoadStats, seconds: f64) {
        let committed = stats.committed_transactions;
        self.log.sink().note(format!(
            "the load committed {committed} transactions in {seconds:.1} s, {:.0} per second, the \
             refused time included; {} were rolled back, {} attempts refused",
            committed as f64 / seconds.max(0.001),
            stats.failed_transactions,
            stats.refused
        ));
    }

    async fn tell_load(&self, load: &Load, total: Option<u64>) -> Result<u64, RehearseError> {
        if let Some(error) = self.hands.witnesses.error() {
            return Err(RehearseError::Load(format!("the witness failed: {error}")));
        }
        let stats = load.stats();
        self.log.sink().emit(EventKind::Progress {
            what: "changes committed".into(),
            done: stats.committed_changes,
            total,
            rate: self.speed.per_second(stats.committed_changes),
            lag_bytes: self.lag().await,
        });
        Ok(stats.committed_changes)
    }

    /// Bytes of log that the connector has not confirmed; unknown while the server is away.
    async fn lag(&self) -> Option<u64> {
        let client = connect_admin(self.cutover.reader()).await.ok()?;
        let now = current_lsn(&client).await.ok()?;
        let slot = slot(&client, &self.cutover.stream.slot).await.ok()??;
        now.0.checked_sub(slot.confirmed_flush?.0)
    }

    /// Drives the runbook. Returns the connector's stored offset from before.
    async fn cut_over(&mut self) -> Result<Option<Lsn>, RehearseError> {
        let scenario = self.scenario;
        self.drive(&scenario.upgrade.runbook, &scenario.stack.postgres_new)
            .await?;
        Ok(self
            .cutover
            .seen
            .before
            .as_ref()
            .and_then(|facts| offset_of(facts.offset.as_ref())))
    }

    async fn drive(&mut self, runbook: &str, target: &str) -> Result<(), RehearseError> {
        let (connect, stream) = (&self.cutover.connect, &self.cutover.stream);
        let facts = facts::read(self.cutover.primary(), connect, stream).await?;
        let strategy = strategies::by_name(runbook)
            .ok_or_else(|| RehearseError::Load(format!("no runbook {runbook}")))?;
        let plan = strategy.plan(&facts, target)?;
        if self.scenario.upgrade.broken_off {
            let driven = (&mut *self.cutover, &mut *self.hands);
            let dropped = broken_off::drive(&plan, driven, self.log, self.seed).await?;
            let note = format!("{dropped} drivers were dropped, and others went on in their place");
            self.log.sink().note(note);
        } else if self.scenario.upgrade.aborted {
            let driven = (&mut *self.cutover, &mut *self.hands);
            let aborted = broken_off::drive_aborting(&plan, driven, self.log, self.seed).await?;
            let note =
                format!("{aborted} drivers were dropped, and others took back what they had done");
            self.log.sink().note(note);
        } else {
            let journal = Journal::open(&self.hands.run.journal())?;
            let mut engine = Engine::new(journal, self.log.sink());
            let ended = engine.run(&plan, self.cutover, self.hands).await;
            self.stopped_as_planned(ended)?;
        }
        self.look_at_connector().await
    }

    /// Where a scenario says that a proof fails, a plan that stopped there, and nowhere else, is what was wanted: it
    /// was taken back, and the stream has to be whole.
    fn stopped_as_planned(&self, ended: Result<(), UpgradeError>) -> Result<(), RehearseError> {
        let Some(wanted) = &self.scenario.upgrade.stops_at else {
            return Ok(ended?);
        };
        let Err(error) = ended else {
            let reason = format!("the runbook was to stop at {wanted}, and went to its end");
            return Err(RehearseError::Load(reason));
        };
        let lines = journal::read(&self.hands.run.journal()).unwrap_or_default();
        let failed = lines.iter().rev().find(|line| line.entry == Entry::Failed);
        if failed.is_none_or(|line| line.step != *wanted) {
            return Err(error.into());
        }
        let note = format!("the runbook stopped at {wanted}, as it should: {error}");
        self.log.sink().note(note);
        Ok(())
    }

    /// Back to the old server, where the scenario asks, after the new one has been written to.
    async fn go_back(&mut self, load: &Load) -> Result<(), RehearseError> {
        let Some(runbook) = &self.scenario.upgrade.back else {
            return Ok(());
        };
        self.log.phase("back");
        // What was noted of the topics belongs to the switch before.
        self.hands.noted = None;
        self.drive(runbook, &self.scenario.stack.postgres_old)
            .await?;
        self.log.phase("load after the way back");
        // Whatever offset is stored now, the old server's log may have to pass it.
        self.pass_offset(load, Some(Lsn(0))).await?;
        let more = load.stats().committed_changes + self.scenario.load.changes_after;
        self.load_until(load, more).await
    }

    /// What a baseline's last look would have shown: the connector reads, or its task has FAILED. A connector
    /// that shows RUNNING for ever without a reader is a third case, and is told as such.
    async fn look_at_connector(&mut self) -> Result<(), RehearseError> {
        let stream = &self.cutover.stream;
        let client = connect_admin(self.cutover.reader()).await?;
        let look = async || {
            let status = self.cutover.connect.status(&stream.connector).await?;
            let failure = status.as_ref().and_then(Status::failure);
            let found = slot(&client, &stream.slot).await?;
            let reads = found.as_ref().is_some_and(|slot| slot.active);
            let lost = found.is_some_and(|slot| slot.is_lost());
            let running = status.is_some_and(|status| status.running());
            Ok::<_, RehearseError>(match failure {
                Some(failure) => Poll::Ready(State::Refuses(failure)),
                None if lost => Poll::Ready(State::Lost),
                None if running && reads => Poll::Ready(State::Reads),
                None => Poll::NotYet(format!("task running: {running}, slot in use: {reads}")),
            })
        };
        let every = Duration::from_millis(100);
        match until("the connector's state", SETTLES, every, look).await {
            Ok(State::Refuses(failure)) => {
                let note = format!("the connector refuses: {failure}");
                self.log.sink().note(note);
                self.cutover.seen.connector_refused = Some(failure);
            }
            Ok(State::Reads) => self.log.sink().note("the connector reads from the slot"),
            Ok(State::Lost) => {
                let slot = &stream.slot;
                let lost = format!(
                    "slot {slot} is invalidated (wal_status lost), whatever its connector shows"
                );
                self.log.sink().note(lost.clone());
                self.cutover.seen.slot_lost = Some(lost);
            }
            Err(error) => self.log.sink().warning(error.to_string()),
        }
        Ok(())
    }

    /// Lets the load go on until the new server's log has passed the old offset, where the scenario asks.
    async fn pass_offset(&mut self, load: &Load, old: Option<Lsn>) -> Result<(), RehearseError> {
        let (Some(seconds), Some(old)) = (self.scenario.load.pass_offset_seconds, old) else {
            return Ok(());
        };
        // The connector went on until it was paused, and its old task handed over its queue at the resume: the
        // offset that counts is the one stored now. Nothing of the new server can have moved it yet.
        let stored = self
            .cutover
            .connect
            .offsets(&self.cutover.stream.connector)
            .await?;
        let old = offset_of(stored.as_ref()).map_or(old, |stored| stored.max(old));
        let client = connect_admin(self.cutover.primary()).await?;
        let deadline = Duration::from_secs_f64(seconds);
        let (mut looks, mut running) = (0_u32, 0_u32);
        let what = format!("the new server's log beyond the old offset {old}");
        until(&what, deadline, Duration::from_millis(250), async || {
            let now = current_lsn(&client).await?;
            self.tell_load(load, None).await?;
            let status = self
                .cutover
                .connect
                .status(&self.cutover.stream.connector)
                .await?;
            fill(&client, old, now).await?;
            looks += 1;
            running += u32::from(status.is_some_and(|status| status.running()));
            let seen = format!("at {now}");
            Ok(if now > old {
                Poll::Ready(())
            } else {
                Poll::NotYet(seen)
            })
        })
        .await
        .map_err(RehearseError::waited)?;
        self.log.sink().note(format!(
            "until the new log had passed the old offset {old}, connector and task showed RUNNING at \
             {running} of {looks} looks"
        ));
        Ok(())
    }

    /// Writes the fence after the last change and follows it everywhere.
    async fn fence(&mut self) -> Result<Fence, RehearseError> {
        let mut watch = MarkerWatch::send(self.cutover).await?;
        let witnessed = self.hands.witnesses.close(&watch.marker).await?;
        let seen = match self.connector_ended() {
            None => watch.arrive_or_give_up(self.cutover, FENCE).await?,
            Some(_) => watch.look(self.cutover).await?,
        };
        self.log.sink().note(format!("fence: {seen}; {witnessed}"));
        Ok(Fence {
            token: watch.marker.token.clone(),
            incarnation: self.hands.incarnation(),
            lsn: watch.marker.lsn,
            seen_in_topic: watch.arrival.in_topic,
            offset_stored: watch.arrival.offset_stored,
            confirmed: watch.arrival.confirmed,
            witnessed: self.hands.witnesses.complete(),
        })
    }

    /// Why nothing will come any more, however long it is waited for.
    fn connector_ended(&self) -> Option<String> {
        let seen = &self.cutover.seen;
        seen.connector_refused.clone().or(seen.slot_lost.clone())
    }

    async fn record(&mut self, shapes: Vec<TableShape>, fence: Fence) -> Result<(), RehearseError> {
        self.hands.witnesses.finish().await?;
        let mut acknowledged = self.hands.acknowledged();
        let (reader, stream) = (self.cutover.reader(), &self.cutover.stream);
        let life = self.hands.incarnation();
        let last = recording::acknowledged(reader, &self.cutover.kafka, stream, life).await?;
        acknowledged.extend(last);
        let connector = self
            .cutover
            .connect
            .config(&self.cutover.stream.connector)
            .await?;
        let mut frame = Recording {
            run: self.hands.run.clone(),
            buckets: self.hands.buckets,
            stream: &self.cutover.stream,
            kafka: &self.cutover.kafka,
            bootstrap: self.hands.bootstrap.clone(),
            connector: connector.unwrap_or_default(),
            debezium: self.scenario.stack.debezium.clone(),
            shapes,
            server: self.cutover.primary().clone(),
            incarnations: self.hands.incarnations(),
            cuts: self.hands.cuts(),
            fence: Some(fence),
            acknowledged,
            sequences: self.hands.sequences.carried(),
            connector_ended: self.connector_ended(),
            reread: false,
            notes: self.hands.witnesses.notes(),
            problems: [self.hands.problems(), self.hands.witnesses.problems()].concat(),
        };
        if self.scenario.upgrade.close_gap {
            self.log.phase("close the gap");
            let reread = self.scenario.upgrade.reread;
            let closed = gap::close_twice(&frame, reread, &self.log.sink()).await?;
            frame.problems.extend(closed.problems);
            frame.reread = closed.reread;
            self.log.phase("record again");
        }
        frame.finish(&self.log.sink()).await?;
        Ok(())
    }
}

/// Other tables live too: while the log is far behind the old offset, rows of a table that nobody captures bring it
/// on, so that a rehearsal does not wait for minutes.
async fn fill(client: &Client, old: Lsn, now: Lsn) -> Result<(), RehearseError> {
    if old.0.saturating_sub(now.0) < 2 << 20 {
        return Ok(());
    }
    let script = "CREATE SCHEMA IF NOT EXISTS cutover_lab;
         CREATE TABLE IF NOT EXISTS cutover_lab.filler (content text);
         ALTER TABLE cutover_lab.filler ALTER COLUMN content SET STORAGE EXTERNAL;
         INSERT INTO cutover_lab.filler SELECT repeat('x', 524288) FROM generate_series(1, 2)";
    client.batch_execute(script).await.map_err(|source| {
        RehearseError::from(PgError::Sql {
            what: "bringing the log on".into(),
            source,
        })
    })
}

fn offset_of(offset: Option<&StoredOffset>) -> Option<Lsn> {
    offset.and_then(StoredOffset::lsn)
}
