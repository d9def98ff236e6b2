//! One scenario from its empty run folder to its result.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cutover_clients::connect::Connect;
use cutover_clients::connect::ConnectError;
use cutover_clients::kafka::Kafka;
use cutover_clients::wait::within;
use cutover_ledger::{read_evidence, write_evidence, write_manifest};
use cutover_model::event::EventKind;
use cutover_model::result::ScenarioResult;
use cutover_model::run_folder::{RUN_FORMAT, RunManifest, RunStatus};
use cutover_model::{Classified, ExitCode, Failure, Relation, RunFolder};
use cutover_upgrade::cutover::Seen;
use cutover_upgrade::{Cutover, Deadlines, Side, Stream};

use crate::drive::{Drive, Measured, Speed};
use crate::error::RehearseError;
use crate::event_log::{Display, EventLog};
use crate::judge::{judge_run, unjudged};
use crate::lab_hands::{LabHands, LabParts};
use crate::machine;
use crate::recording::broken_off;
use crate::repeat;
use crate::runner::{Interrupt, interrupted};
use crate::scenario::Scenario;
use crate::stage::Stage;

/// Buckets of the ledgers of a rehearsal: few, because its ledgers are small; more for a bulk job, since a check takes
/// a bucket of every ledger into its memory.
fn buckets(scenario: &Scenario) -> u16 {
    let times = 1 + scenario.load.bulk_rows / 50_000;
    let times = u16::try_from(times).unwrap_or(u16::MAX);
    cutover_ledger::DEFAULT_BUCKETS.saturating_mul(times)
}

/// What makes up one scene.
pub struct Cast<'a> {
    /// What is rehearsed.
    pub scenario: &'a Scenario,
    /// Name of the run folder and of the stream; of several cells of one scenario each has its own.
    pub label: &'a str,
    /// Seed of the load.
    pub seed: u64,
    /// Folder of the whole run.
    pub root: &'a Path,
    /// Shows events.
    pub display: &'a Display,
}

/// One scenario under way.
pub struct Scene<'a> {
    cast: Cast<'a>,
    run: RunFolder,
    log: EventLog,
    /// What `run.toml` will say.
    pub manifest: RunManifest,
}

/// A scenario that ended.
pub struct Played {
    /// Its result.
    pub result: ScenarioResult,
    /// The user ended it.
    pub signal: Option<ExitCode>,
}

/// Why the phases did not come to their end.
enum Cut {
    Error(RehearseError),
    Signal(ExitCode),
}

impl<'a> Scene<'a> {
    /// Makes the run folder; it says "running" until the scene has ended.
    pub fn prepare(cast: Cast<'a>) -> Result<Scene<'a>, RehearseError> {
        let run = RunFolder::at(cast.root.join(cast.label));
        let made = std::fs::create_dir_all(run.ledgers());
        made.map_err(|source| RehearseError::RunFolder {
            what: "make the run folder",
            path: run.root().display().to_string(),
            source,
        })?;
        let log = EventLog::create(&run.events(), cast.label, cast.display.clone())?;
        let manifest = manifest(&cast);
        write_manifest(&run, &manifest)?;
        Ok(Scene {
            cast,
            run,
            log,
            manifest,
        })
    }

    /// Plays it. An error means that it could not even begin; once the load is on, whatever happens becomes
    /// part of the result.
    pub async fn play(
        mut self,
        stage: &mut Stage,
        interrupt: &mut Interrupt,
    ) -> Result<Played, RehearseError> {
        let title = self.cast.scenario.title.clone();
        self.log.sink().emit(EventKind::ScenarioStarted {
            title,
            seed: self.cast.seed,
        });
        self.log.phase("servers");
        let mut hands = None;
        let mut measured = Measured::default();
        let roster = stage.roster().clone();
        let ended = tokio::select! {
            ended = self.perform(stage, &mut hands, &mut measured) => ended.map_err(Cut::Error),
            code = interrupted(interrupt) => Err(Cut::Signal(code)),
            died = roster.watch() => Err(Cut::Error(died)),
        };
        // A server that died shows first as somebody's lost connection: name the real cause.
        let ended = match ended {
            Err(Cut::Error(error)) => Err(Cut::Error(roster.dead().unwrap_or(error))),
            other => other,
        };
        self.log.phase("servers down");
        if stage.roster().dead().is_none() {
            self.delete_connectors(stage).await;
        }
        self.take_down(hands, measured.load_started, ended.is_ok())
            .await?;
        self.manifest.refused_write_seconds = measured.refused_write_seconds;
        self.manifest.server_restart_seconds = measured.server_restart_seconds;
        self.manifest.prediction = measured.prediction.take();
        self.manifest.connector_refused = measured.connector_refused.take();
        match ended {
            Ok(()) => self.finished(interrupt).await,
            // A plan that is refused has changed nothing: nothing is judged, and the reason is the result.
            Err(Cut::Error(error))
                if !measured.load_started || error.exit_code() == ExitCode::Refused =>
            {
                self.close(RunStatus::Failed, Some(Failure::of(&error).message))?;
                Err(error)
            }
            Err(Cut::Error(error)) => {
                self.broken(RunStatus::Failed, Failure::of(&error).message, None)
            }
            Err(Cut::Signal(code)) => self.interrupted(code),
        }
    }

    /// Connectors whose server is gone would try for ever and disturb the next scenario; a runbook may deploy one
    /// under another name besides. A worker that does not answer gets five seconds; it is stopped at the end of the
    /// run anyway.
    async fn delete_connectors(&self, stage: &Stage) {
        let connect = stage.connect();
        let deleted = within(Duration::from_secs(5), async {
            for name in connect.connectors().await? {
                connect.delete(&name).await?;
            }
            Ok::<_, ConnectError>(())
        });
        let why = match deleted.await {
            Some(Ok(())) => return,
            Some(Err(error)) => error.to_string(),
            None => "no answer within 5 s".to_owned(),
        };
        self.log
            .sink()
            .warning(format!("deleting the connectors: {why}"));
    }

    async fn perform(
        &self,
        stage: &mut Stage,
        hands: &mut Option<LabHands>,
        measured: &mut Measured,
    ) -> Result<(), RehearseError> {
        let stream = stream_of(self.cast.scenario, self.cast.label)?;
        let servers = stage.servers(self.cast.scenario).await?;
        let (connect, kafka) = (stage.connect(), stage.kafka()?);
        let parts = LabParts {
            run: self.run.clone(),
            buckets: buckets(self.cast.scenario),
            bootstrap: stage.bootstrap(),
            stream: stream.clone(),
            kafka: Arc::clone(&kafka),
            servers,
            connect: connect.clone(),
        };
        let hands = hands.insert(LabHands::new(parts)?);
        let mut cutover = self.cutover(stream, connect, kafka, hands)?;
        let mut drive = Drive {
            scenario: self.cast.scenario,
            log: &self.log,
            cutover: &mut cutover,
            hands,
            seed: self.cast.seed,
            registry: stage.registry(),
            speed: Speed::default(),
        };
        drive.run(measured).await
    }

    fn cutover(
        &self,
        stream: Stream,
        connect: Connect,
        kafka: Arc<Kafka>,
        hands: &LabHands,
    ) -> Result<Cutover, RehearseError> {
        Ok(Cutover {
            stream,
            connect,
            kafka,
            old: hands.admin_address(Side::Old)?,
            new: None,
            side: None,
            primary: Side::Old,
            reader: Side::Old,
            deadlines: deadlines(self.cast.scenario),
            seen: Seen::default(),
        })
    }

    /// Stops the scenario's servers. Without complete ledgers a frame is left that says why.
    async fn take_down(
        &mut self,
        hands: Option<LabHands>,
        load_started: bool,
        complete: bool,
    ) -> Result<(), RehearseError> {
        let Some(mut hands) = hands else {
            return Ok(());
        };
        if load_started && !complete && read_evidence(&self.run).is_err() {
            let problems = vec!["the run broke off before its ledgers were complete".to_owned()];
            write_evidence(
                &self.run,
                &broken_off(buckets(self.cast.scenario), hands.incarnations(), problems),
            )?;
        }
        if let Err(error) = hands.take_down().await {
            self.log
                .sink()
                .warning(format!("stopping the servers: {error}"));
        }
        Ok(())
    }

    async fn finished(mut self, interrupt: &mut Interrupt) -> Result<Played, RehearseError> {
        self.close(RunStatus::Finished, None)?;
        self.log.phase("judge");
        let events = self.log.sink();
        let judged = tokio::select! {
            judged = judge_run(&self.run, &events) => judged?,
            code = interrupted(interrupt) => return self.interrupted(code),
        };
        // Once more, now with the time that judging took.
        self.close(RunStatus::Finished, None)?;
        let result = ScenarioResult {
            phases: self.manifest.phases.clone(),
            ..judged
        };
        self.tell(&result, "finished");
        Ok(Played {
            result,
            signal: None,
        })
    }

    /// Ends it by the user's wish.
    pub fn interrupted(self, code: ExitCode) -> Result<Played, RehearseError> {
        let cause = format!("ended by the user (exit {})", code.number());
        self.broken(RunStatus::Interrupted, cause, Some(code))
    }

    fn broken(
        mut self,
        status: RunStatus,
        cause: String,
        signal: Option<ExitCode>,
    ) -> Result<Played, RehearseError> {
        self.close(status, Some(cause.clone()))?;
        let result = unjudged(&self.run, self.manifest.clone(), &cause);
        let word = if signal.is_some() {
            "interrupted"
        } else {
            "failed"
        };
        self.tell(&result, word);
        Ok(Played { result, signal })
    }

    fn tell(&self, result: &ScenarioResult, status: &str) {
        let sink = self.log.sink();
        sink.emit(EventKind::Judged {
            verdict: result.verdict,
            proof_level: result.proof_level,
            reasons: result.reasons.clone(),
        });
        sink.emit(EventKind::ScenarioEnded {
            status: status.into(),
        });
    }

    fn close(&mut self, status: RunStatus, cause: Option<String>) -> Result<(), RehearseError> {
        self.manifest.status = status;
        self.manifest.cause = cause;
        self.manifest.ended = Some(now());
        self.manifest.phases.extend(self.log.take_phases());
        Ok(write_manifest(&self.run, &self.manifest)?)
    }
}

fn deadlines(scenario: &Scenario) -> Deadlines {
    let own = Deadlines::default();
    let writers = scenario.upgrade.writers_deadline_seconds;
    Deadlines {
        writers: writers.map_or(own.writers, Duration::from_secs_f64),
        ..own
    }
}

/// Names of a scenario's stream; `label` tells it from the streams of other cells.
pub fn stream_of(scenario: &Scenario, label: &str) -> Result<Stream, RehearseError> {
    let mut own = stream(label);
    if scenario.connector.keyed_tables_only {
        own.tables = cutover_workload::keyed_relations();
        own.tables.sort();
    }
    let Some(request) = scenario.connector.config else {
        return Ok(own);
    };
    let mut stream = request.stream(own)?;
    if let Some(second) = scenario.connector.redeploy {
        stream.options_on_deploy = second.beside(request)?;
    }
    Ok(stream)
}

/// Names of the stream. Each scenario has its own, so that several can share one broker and one worker.
pub fn stream(scenario: &str) -> Stream {
    let mut tables = cutover_workload::relations();
    tables.sort();
    Stream {
        connector: format!("cutover-{scenario}"),
        topic_prefix: format!("cutover-{scenario}"),
        slot: "debezium_slot".into(),
        publication: "debezium_publication".into(),
        tables: tables.into_iter().collect::<Vec<Relation>>(),
        writer_role: crate::servers::WRITER_ROLE.into(),
        marker_prefix: "cutover".into(),
        options_on_new: Vec::new(),
        options_on_deploy: Vec::new(),
        offsets_topic: cutover_lab::services::connect::OFFSETS_TOPIC.into(),
    }
}

fn manifest(cast: &Cast<'_>) -> RunManifest {
    let (scenario, seed) = (cast.scenario, cast.seed);
    RunManifest {
        format: RUN_FORMAT.into(),
        cutover: env!("CARGO_PKG_VERSION").into(),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        expected: scenario.expect.verdict,
        expected_proof_level: scenario.expect.proof_level,
        expected_findings: scenario.expect.findings.clone(),
        expected_consequences: scenario.expect.consequences.clone(),
        lesson: scenario.expect.lesson.clone(),
        started: now(),
        ended: None,
        status: RunStatus::Running,
        cause: None,
        seed,
        refused_write_seconds: 0.0,
        server_restart_seconds: 0.0,
        stack: scenario.stack.clone(),
        phases: Vec::new(),
        runbook: Some(scenario.runbook()),
        prediction: None,
        connector_refused: None,
        machine: Some(machine::describe()),
        repeat: Some(repeat::command(cast)),
    }
}

fn now() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
