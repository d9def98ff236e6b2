//! Executes a plan: for each step intent → apply → proof, journaled and told to whoever listens.
//!
//! A step that fails stops the plan. Steps done so far are then taken back in reverse order, up to the last
//! point of no return, so that writers are never left refused and the connector never left stopped because of
//! a failure of ours. Taking back is tried for every step even if one of them fails.

use std::time::Instant;

use cutover_model::EventSink;
use cutover_model::event::EventKind;
use cutover_model::plan::RunbookClass;

use crate::cutover::Cutover;
use crate::error::UpgradeError;
use crate::hands::Hands;
use crate::journal::{Entry, Journal};
use crate::plan::Plan;
use crate::saved::Saved;
use crate::steps::Step;

/// Drives plans.
#[derive(Debug)]
pub struct Engine {
    journal: Journal,
    events: EventSink,
}

impl Engine {
    /// An engine that writes to a journal and tells events.
    pub fn new(journal: Journal, events: EventSink) -> Engine {
        Engine { journal, events }
    }

    /// Runs every step in order. On failure the error of the step that failed is returned, after undo.
    pub async fn run<H: Hands>(
        &mut self,
        plan: &Plan,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<(), UpgradeError> {
        cutover.seen.proven = plan.class == RunbookClass::Proven;
        self.go_on(plan, (1, false), (cutover, hands)).await
    }

    /// Goes on with a plan whose driver is gone, from where its journal ends: a step whose result is not in the
    /// journal is done once more (every step may be), one whose result is there but not its proof is proven.
    ///
    /// # Errors
    /// As [`Engine::run`]; refused if the plan has failed or was taken back.
    pub async fn resume<H: Hands>(
        &mut self,
        plan: &Plan,
        cutover: &mut Cutover,
        hands: &mut H,
    ) -> Result<(), UpgradeError> {
        cutover.seen.proven = plan.class == RunbookClass::Proven;
        let Some(standing) = self.journal.standing()? else {
            return self.run(plan, cutover, hands).await;
        };
        let number = standing.number;
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        let proves = |step: &Step| plan.class == RunbookClass::Proven && step.proof().is_some();
        let step = plan.steps.get(place.saturating_sub(1));
        let from = match standing.entry {
            Entry::Intent => (number, false),
            Entry::Applied | Entry::AlreadyDone if step.is_some_and(proves) => (number, true),
            Entry::Applied | Entry::AlreadyDone | Entry::Proved => (number + 1, false),
            Entry::Failed | Entry::Undone | Entry::UndoFailed => {
                return Err(UpgradeError::Refused(format!(
                    "the plan failed at step {number} and was taken back: begin it anew"
                )));
            }
        };
        if let Some(state) = standing.state {
            state.restore(cutover, hands).await?;
        }
        self.go_on(plan, from, (cutover, hands)).await
    }

    /// From step `from` on; with `applied`, that step only lacks its proof.
    async fn go_on<H: Hands>(
        &mut self,
        plan: &Plan,
        (from, applied): (u32, bool),
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Result<(), UpgradeError> {
        let mut done: Vec<(u32, &Step)> = Vec::new();
        for (step, number) in plan.steps.iter().zip(1..) {
            if number < from {
                done.push((number, step));
                continue;
            }
            let known = (plan.class, applied && number == from);
            if let Err(error) = self.step((number, step), known, (cutover, hands)).await {
                let reason = error.to_string();
                self.note(number, step, Entry::Failed, &reason);
                let name = step.name().to_owned();
                self.events.emit(EventKind::StepFailed {
                    number,
                    step: name,
                    reason,
                });
                // The step that failed may have been applied in part; its own undo comes first.
                self.undo_one(number, step, (cutover, hands)).await;
                self.take_back(&done, cutover, hands).await;
                return Err(error);
            }
            done.push((number, step));
        }
        Ok(())
    }

    async fn step<H: Hands>(
        &mut self,
        (number, step): (u32, &Step),
        (class, applied): (RunbookClass, bool),
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Result<(), UpgradeError> {
        let name = step.name();
        let started = Instant::now();
        self.events.emit(EventKind::StepStarted {
            number,
            step: name.into(),
            title: step.title(),
        });
        let what = if applied {
            "applied before the driver was replaced".to_owned()
        } else {
            self.apply((number, step), (cutover, hands)).await?
        };
        // A baseline is rehearsed as people run it: it looks at nothing. A step without a proof of its own says
        // so too; what it did shows in a later one.
        if class == RunbookClass::Baseline || step.proof().is_none() {
            let seconds = started.elapsed().as_secs_f64();
            let step = name.into();
            self.events.emit(EventKind::StepDone {
                number,
                step,
                what,
                seconds,
            });
            return Ok(());
        }
        let proof = step.prove(cutover, hands).await?;
        let state = Some(Saved::of(cutover));
        self.journal
            .write_with(number, name, (Entry::Proved, &proof), state)?;
        let seconds = started.elapsed().as_secs_f64();
        self.events.emit(EventKind::StepProved {
            number,
            step: name.into(),
            proof,
            seconds,
        });
        Ok(())
    }

    /// Intent, act, result: each on disk before the next.
    async fn apply<H: Hands>(
        &mut self,
        (number, step): (u32, &Step),
        (cutover, hands): (&mut Cutover, &mut H),
    ) -> Result<String, UpgradeError> {
        let name = step.name();
        let (entry, what) = match step.already_done(cutover).await? {
            Some(found) => (Entry::AlreadyDone, found),
            None => {
                self.journal
                    .write(number, name, Entry::Intent, &step.title())?;
                (Entry::Applied, step.apply(cutover, hands).await?)
            }
        };
        let state = Some(Saved::of(cutover));
        self.journal
            .write_with(number, name, (entry, &what), state)?;
        Ok(what)
    }

    /// Undoes steps in reverse order, up to the last point of no return among them.
    async fn take_back<H: Hands>(
        &mut self,
        done: &[(u32, &Step)],
        cutover: &mut Cutover,
        hands: &mut H,
    ) {
        for (number, step) in done.iter().rev() {
            if step.point_of_no_return() {
                break;
            }
            self.undo_one(*number, step, (cutover, hands)).await;
        }
    }

    async fn undo_one<H: Hands>(
        &mut self,
        number: u32,
        step: &Step,
        (cutover, hands): (&mut Cutover, &mut H),
    ) {
        if step.undo_title().is_none() {
            return;
        }
        match step.undo(cutover, hands).await {
            Ok(state) => self.note(number, step, Entry::Undone, &state),
            Err(error) => {
                let reason = error.to_string();
                self.events
                    .warning(format!("undo of {}: {reason}", step.name()));
                self.note(number, step, Entry::UndoFailed, &reason);
            }
        }
    }

    /// A journal that can no longer be written must not keep anything from being taken back: told, not returned.
    fn note(&mut self, number: u32, step: &Step, entry: Entry, detail: &str) {
        if let Err(error) = self.journal.write(number, step.name(), entry, detail) {
            self.events.warning(error.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use cutover_clients::connect::Connect;
    use cutover_clients::kafka::Kafka;
    use cutover_clients::pg::facts::ServerFacts;
    use cutover_clients::pg::{PgAddress, PgHost};
    use cutover_clients::secret::Secret;
    use cutover_model::{Incarnation, Lsn};

    use super::*;
    use crate::cutover::{Deadlines, Seen, Stream};
    use crate::facts::Facts;
    use crate::hands::Side;
    use crate::journal;
    use crate::steps::{Feed, RestoreTarget, Transfer};

    /// Writes down what it is asked to do; `fails` cannot be done.
    struct Notes {
        calls: Vec<String>,
        fails: &'static str,
    }

    impl Notes {
        fn call(&mut self, what: String) -> Result<String, UpgradeError> {
            let failed = what == self.fails;
            self.calls.push(what.clone());
            if failed {
                Err(UpgradeError::hands(what, "told to fail"))
            } else {
                Ok(what)
            }
        }
    }

    impl Hands for Notes {
        async fn stop_server(&mut self, _: Side) -> Result<f64, UpgradeError> {
            self.call("stop".into()).map(|_| 0.0)
        }
        async fn swap_binaries(&mut self, version: &str) -> Result<String, UpgradeError> {
            self.call(format!("swap {version}"))
        }
        async fn start_server(&mut self, _: Side) -> Result<f64, UpgradeError> {
            self.call("start".into()).map(|_| 0.0)
        }
        async fn create_server(&mut self, version: &str) -> Result<PgAddress, UpgradeError> {
            self.call(format!("create {version}")).map(|_| address())
        }
        async fn dump_database(&mut self) -> Result<String, UpgradeError> {
            self.call("dump".into())
        }
        async fn restore_database(&mut self) -> Result<String, UpgradeError> {
            self.call("restore".into())
        }
        fn address(&self, _: Side) -> Option<PgAddress> {
            Some(address())
        }
        async fn crash_server(&mut self, _: Side) -> Result<f64, UpgradeError> {
            self.call("crash".into()).map(|_| 0.0)
        }
        async fn prepare_cluster(&mut self, _: &str, _: Transfer) -> Result<String, UpgradeError> {
            self.call("prepare".into())
        }
        async fn upgrade_cluster(
            &mut self,
            _: Transfer,
        ) -> Result<(PgAddress, String), UpgradeError> {
            let said = self.call("upgrade".into())?;
            Ok((address(), said))
        }
        async fn create_standby(&mut self, _: Feed) -> Result<PgAddress, UpgradeError> {
            self.call("standby".into()).map(|_| address())
        }
        async fn back_up(&mut self) -> Result<String, UpgradeError> {
            self.call("back up".into())
        }
        async fn restore_backup(
            &mut self,
            _: RestoreTarget,
            _: Option<&str>,
        ) -> Result<(PgAddress, String), UpgradeError> {
            let said = self.call("restore backup".into())?;
            Ok((address(), said))
        }
        async fn open_base_backup(&mut self) -> Result<(PgAddress, String), UpgradeError> {
            let said = self.call("open copy".into())?;
            Ok((address(), said))
        }
        async fn copy_schema(&mut self) -> Result<String, UpgradeError> {
            self.call("copy schema".into())
        }
        async fn discard_new(&mut self) -> Result<String, UpgradeError> {
            self.call("discard new".into())
        }
        async fn return_to_old(&mut self) -> Result<String, UpgradeError> {
            self.call("return".into())
        }
        async fn at_stake(&mut self, _: Lsn) -> Option<u64> {
            None
        }
        async fn let_time_pass(&mut self) -> Result<String, UpgradeError> {
            self.call("time".into())
        }
        async fn move_application(&mut self, _: Side) -> Result<String, UpgradeError> {
            self.call("move".into())
        }
        async fn close_incarnation(&mut self) -> Result<String, UpgradeError> {
            self.call("close".into())
        }
        async fn open_incarnation(&mut self) -> Result<String, UpgradeError> {
            self.call("open".into())
        }
        async fn note_cut(&mut self) -> Result<String, UpgradeError> {
            self.call("note".into())
        }
        async fn crash_worker(&mut self) -> Result<String, UpgradeError> {
            self.call("crash worker".into())
        }
        async fn start_worker(&mut self) -> Result<f64, UpgradeError> {
            self.call("start worker".into()).map(|_| 0.0)
        }
    }

    fn address() -> PgAddress {
        PgAddress {
            host: PgHost::Tcp("127.0.0.1".into()),
            port: 1,
            user: "u".into(),
            password: Secret::new("p"),
            database: "d".into(),
        }
    }

    fn cutover() -> Cutover {
        let incarnation = Incarnation {
            system_id: 1,
            timeline: 1,
            database_oid: 1,
        };
        let server = ServerFacts {
            version: "16.2".into(),
            version_num: 160_002,
            incarnation,
            current_lsn: Lsn(1),
            in_recovery: false,
            wal_level: "logical".into(),
        };
        let before = Facts {
            server,
            slot: None,
            publication: None,
            offset: None,
            connector_running: true,
        };
        Cutover {
            stream: Stream {
                connector: "c".into(),
                topic_prefix: "t".into(),
                slot: "s".into(),
                publication: "p".into(),
                tables: Vec::new(),
                writer_role: "w".into(),
                marker_prefix: "m".into(),
                options_on_new: Vec::new(),
                offsets_topic: "o".into(),
            },
            connect: Connect::new("http://127.0.0.1:1"),
            kafka: Arc::new(Kafka::new("127.0.0.1:1").unwrap()),
            old: address(),
            new: None,
            side: None,
            primary: Side::Old,
            reader: Side::Old,
            deadlines: Deadlines::default(),
            seen: Seen {
                before: Some(before),
                ..Seen::default()
            },
        }
    }

    async fn run(steps: Vec<Step>, fails: &'static str, path: &Path) -> (Notes, UpgradeError) {
        let plan = Plan::new("test", "test", RunbookClass::Baseline, steps);
        let mut engine = Engine::new(Journal::open(path).unwrap(), EventSink::none());
        let mut notes = Notes {
            calls: Vec::new(),
            fails,
        };
        let error = engine
            .run(&plan, &mut cutover(), &mut notes)
            .await
            .unwrap_err();
        (notes, error)
    }

    fn swap() -> Vec<Step> {
        vec![
            Step::StopServer,
            Step::SwapBinaries {
                version: "16.14".into(),
            },
            Step::DumpDatabase,
        ]
    }

    #[tokio::test]
    async fn a_step_that_fails_takes_the_steps_before_it_back_in_reverse() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let (notes, error) = run(swap(), "dump", &path).await;
        assert!(error.to_string().contains("dump"), "{error}");
        assert_eq!(
            notes.calls,
            ["stop", "swap 16.14", "dump", "stop", "swap 16.2", "start"]
        );
        let entries: Vec<Entry> = journal::read(&path)
            .unwrap()
            .iter()
            .map(|line| line.entry)
            .collect();
        assert_eq!(
            entries[entries.len() - 3..],
            [Entry::Failed, Entry::Undone, Entry::Undone]
        );
    }

    #[tokio::test]
    async fn nothing_before_the_point_of_no_return_is_taken_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let upgrade = Step::UpgradeCluster {
            version: "18.4".into(),
            transfer: Transfer::Link,
        };
        let steps = vec![Step::StopServer, upgrade, Step::DumpDatabase];
        let (notes, _) = run(steps, "dump", &path).await;
        assert_eq!(notes.calls, ["stop", "upgrade", "open", "dump"]);
    }

    #[tokio::test]
    async fn another_driver_goes_on_with_the_step_whose_result_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        let mut write = |number, step, entry| journal.write(number, step, entry, "").unwrap();
        write(1, "stop-server", Entry::Intent);
        write(1, "stop-server", Entry::Applied);
        write(2, "dump-database", Entry::Intent);
        let steps = vec![Step::StopServer, Step::DumpDatabase, Step::BackUp];
        let plan = Plan::new("test", "test", RunbookClass::Baseline, steps);
        let mut engine = Engine::new(Journal::open(&path).unwrap(), EventSink::none());
        let mut notes = Notes {
            calls: Vec::new(),
            fails: "",
        };
        engine
            .resume(&plan, &mut cutover(), &mut notes)
            .await
            .unwrap();
        assert_eq!(notes.calls, ["dump", "back up"]);
        // A plan that was taken back is not gone on with.
        engine.note(3, &Step::BackUp, Entry::Failed, "");
        let again = engine.resume(&plan, &mut cutover(), &mut notes).await;
        assert!(matches!(again, Err(UpgradeError::Refused(_))));
    }

    #[tokio::test]
    async fn without_a_journal_nothing_is_changed() {
        let (notes, error) = run(swap(), "", Path::new("/dev/full")).await;
        assert!(matches!(error, UpgradeError::Journal { .. }), "{error}");
        // The undo of the step that was about to begin may start the server; nothing was stopped or swapped.
        let calls = notes.calls;
        assert!(!calls.contains(&"stop".to_owned()), "{calls:?}");
    }
}
