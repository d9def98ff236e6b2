//! What a failure takes back, and what another driver goes on with.

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
use crate::preflight::{NewSide, Way};
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
    async fn survey(&mut self, version: &str, _: Way) -> Result<NewSide, UpgradeError> {
        self.call(format!("survey {version}"))
            .map(|_| NewSide::default())
    }
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
    async fn upgrade_cluster(&mut self, _: Transfer) -> Result<(PgAddress, String), UpgradeError> {
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
    async fn resume_incarnation(&mut self) -> Result<(), UpgradeError> {
        self.call("resume".into()).map(drop)
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
        tls: Default::default(),
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
            options_on_deploy: Vec::new(),
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

fn ended_as(ended: &Result<Stopped, UpgradeError>) -> Stopped {
    ended.as_ref().unwrap().clone()
}

/// One that takes back is killed as well.
#[tokio::test]
async fn what_was_taken_back_in_part_is_taken_back_further() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::open(&path).unwrap();
    let mut write = |number, step, entry| journal.write(number, step, entry, "").unwrap();
    for (number, step) in [(1, "stop-server"), (2, "swap-binaries")] {
        write(number, step, Entry::Intent);
        write(number, step, Entry::Applied);
    }
    write(3, "dump-database", Entry::Failed);
    write(2, "swap-binaries", Entry::Undone);
    let plan = Plan::new("test", "test", RunbookClass::Baseline, swap());
    let mut engine = Engine::new(Journal::open(&path).unwrap(), EventSink::none());
    let mut notes = Notes {
        calls: Vec::new(),
        fails: "",
    };
    let stopped = engine.abort(&plan, &mut cutover(), &mut notes).await;
    assert_eq!(stopped.unwrap().step, "dump-database");
    assert_eq!(notes.calls, ["start"]);
    let lines = journal::read(&path).unwrap();
    let last = lines.last().unwrap();
    assert_eq!((last.number, last.entry), (1, Entry::Undone));
}

/// Two steps done and a third under way, then the driver is gone; another one aborts.
async fn abort(steps: Vec<Step>) -> (Notes, Result<Stopped, UpgradeError>, Vec<Entry>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let mut journal = Journal::open(&path).unwrap();
    for (step, number) in steps.iter().zip(1..) {
        let name = step.name();
        journal.write(number, name, Entry::Intent, "").unwrap();
        if number < 3 {
            journal.write(number, name, Entry::Applied, "").unwrap();
        }
    }
    let plan = Plan::new("test", "test", RunbookClass::Baseline, steps);
    let mut engine = Engine::new(Journal::open(&path).unwrap(), EventSink::none());
    let mut notes = Notes {
        calls: Vec::new(),
        fails: "",
    };
    let ended = engine.abort(&plan, &mut cutover(), &mut notes).await;
    if ended.is_ok() {
        let calls = notes.calls.clone();
        let again = engine.abort(&plan, &mut cutover(), &mut notes).await;
        assert_eq!(
            (again.unwrap(), notes.calls.clone()),
            (ended_as(&ended), calls)
        );
    }
    let lines = journal::read(&path).unwrap();
    let entries = lines.iter().map(|line| line.entry).collect();
    (notes, ended, entries)
}

#[tokio::test]
async fn another_driver_takes_back_what_the_journal_says_was_done() {
    let (notes, ended, entries) = abort(swap()).await;
    assert_eq!(ended.unwrap().step, "dump-database");
    assert_eq!(notes.calls, ["stop", "swap 16.2", "start"]);
    assert_eq!(
        entries[entries.len() - 3..],
        [Entry::Failed, Entry::Undone, Entry::Undone]
    );
}

#[tokio::test]
async fn what_may_have_passed_a_point_of_no_return_is_not_taken_back() {
    let steps = vec![Step::StopServer, Step::DumpDatabase, Step::Promote];
    let (notes, ended, _) = abort(steps).await;
    let error = ended.unwrap_err().to_string();
    assert!(error.contains("step 3 (promote)"), "{error}");
    assert!(notes.calls.is_empty(), "{:?}", notes.calls);
}

#[tokio::test]
async fn without_a_journal_nothing_is_changed() {
    let (notes, error) = run(swap(), "", Path::new("/dev/full")).await;
    assert!(matches!(error, UpgradeError::Journal { .. }), "{error}");
    // The undo of the step that was about to begin may start the server; nothing was stopped or swapped.
    assert!(
        !notes.calls.contains(&"stop".to_owned()),
        "{:?}",
        notes.calls
    );
}
