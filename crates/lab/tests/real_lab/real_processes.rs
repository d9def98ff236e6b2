//! Claims about the spawner, with real processes.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{Place, eventually, process_lives};
use cutover_lab::spawn::{self, Launch};
use cutover_lab::{LabError, privilege};
use nix::sys::signal::Signal;

fn launch(program: &str, folder: &Path) -> Launch {
    Launch::new("test", Path::new(program), folder, &folder.join("log"))
}

fn pid_in(path: &Path) -> Option<u32> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Not a test: the process that the next test starts and kills. It owns a child, tells its pid, and
/// waits.
#[test]
#[ignore = "started by children_end_when_their_parent_is_killed_with_signal_9"]
fn parent_that_gets_killed() {
    let folder = std::env::current_dir().unwrap();
    // Started from a thread that ends at once: the child must not mind.
    let folder_of_thread = folder.clone();
    let thread = std::thread::spawn(move || {
        let account = privilege::service_account().unwrap();
        let child = launch("/bin/sleep", &folder_of_thread).args(["600"]);
        spawn::spawn(&child.account(account.as_ref())).unwrap()
    });
    let child = thread.join().unwrap();
    std::fs::write(folder.join("child.pid"), child.pid().to_string()).unwrap();
    std::thread::park();
}

#[tokio::test]
async fn children_end_when_their_parent_is_killed_with_signal_9() {
    let place = Place::new();
    let folder = place.root();
    let this = std::env::current_exe().unwrap();
    let args = [
        "--exact",
        "real_processes::parent_that_gets_killed",
        "--ignored",
        "--nocapture",
    ];
    let mut parent = spawn::spawn(&launch(this.to_str().unwrap(), folder).args(args)).unwrap();
    eventually("the child's pid", || {
        pid_in(&folder.join("child.pid")).is_some()
    })
    .await;
    let child = pid_in(&folder.join("child.pid")).unwrap();
    // The thread that asked for the child ended long ago, and the child is still there.
    assert!(process_lives(child));
    parent
        .stop(Signal::SIGKILL, Duration::from_secs(5))
        .await
        .unwrap();
    eventually("the end of the child", || !process_lives(child)).await;
}

#[tokio::test]
async fn dropped_child_ends_with_its_whole_group() {
    let place = Place::new();
    let folder = place.root();
    let script = format!("sleep 600 & echo $! > {}/inner.pid; wait", folder.display());
    let child = spawn::spawn(&launch("/bin/sh", folder).args(["-c", &script])).unwrap();
    eventually("the inner process", || {
        pid_in(&folder.join("inner.pid")).is_some()
    })
    .await;
    let inner = pid_in(&folder.join("inner.pid")).unwrap();
    drop(child);
    eventually("the end of the inner process", || !process_lives(inner)).await;
}

#[tokio::test]
async fn cancelled_run_ends_its_program() {
    let place = Place::new();
    let folder = place.root();
    let script = format!("echo $$ > {}/pid; exec sleep 600", folder.display());
    let program = launch("/bin/sh", folder).args(["-c", &script]);
    let run = spawn::run(program, Duration::from_secs(600));
    let file = folder.join("pid");
    tokio::select! {
        _ = run => panic!("it cannot have ended"),
        () = eventually("the pid", || pid_in(&file).is_some()) => {}
    }
    let pid = pid_in(&file).unwrap();
    eventually("the end of the program", || !process_lives(pid)).await;
}

#[tokio::test]
async fn run_that_takes_too_long_is_ended_and_says_what_it_last_said() {
    let place = Place::new();
    let program =
        launch("/bin/sh", place.root()).args(["-c", "echo working on it; exec sleep 600"]);
    let error = spawn::run(program, Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("working on it"), "{error}");
}

#[tokio::test]
async fn child_sees_a_clean_environment_its_own_folder_and_an_unprivileged_user() {
    let place = Place::new();
    let account = privilege::service_account().unwrap();
    let program = launch("/bin/sh", place.root())
        .args(["-c", "env; pwd; id -u; id -G; ls /proc/self/fd | wc -l"])
        .account(account.as_ref());
    // CARGO_MANIFEST_DIR is set for every test and is on no allow list.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let end = spawn::run(program, Duration::from_secs(10)).await.unwrap();
    assert!(!end.output.contains("CARGO_MANIFEST_DIR"), "{}", end.output);
    assert!(end.output.contains("TZ=UTC"));
    assert!(end.output.contains(place.root().to_str().unwrap()));
    if let Some(account) = account {
        let groups = format!("{}\n{}\n", account.uid, account.gid);
        assert!(end.output.contains(&groups), "{}", end.output);
    }
}

#[tokio::test]
async fn child_that_ends_by_itself_is_reported_with_its_last_lines_of_this_start() {
    let place = Place::new();
    std::fs::write(place.root().join("log"), "from an earlier start\n").unwrap();
    let script = "echo cannot find the moon >&2; exit 3";
    let mut child = spawn::spawn(&launch("/bin/sh", place.root()).args(["-c", script])).unwrap();
    child.wait_end(Duration::from_secs(5)).await.unwrap();
    let error = child.check_alive().unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, LabError::Died { .. }));
    assert!(
        text.contains("cannot find the moon") && text.contains("exit code 3"),
        "{text}"
    );
    assert!(!text.contains("earlier start"), "{text}");
}

#[tokio::test]
async fn child_that_ignores_the_polite_signal_is_killed_at_the_deadline() {
    let place = Place::new();
    let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
    let mut child = spawn::spawn(&launch("/bin/sh", place.root()).args(["-c", script])).unwrap();
    eventually("the trap", || child.output().contains("ready")).await;
    let started = Instant::now();
    let stopped = child
        .stop(Signal::SIGTERM, Duration::from_millis(300))
        .await
        .unwrap();
    assert!(stopped.killed);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn program_that_does_not_exist_is_an_error_and_not_a_hang() {
    let place = Place::new();
    let error = spawn::spawn(&launch("/no/such/program", place.root())).unwrap_err();
    assert!(matches!(error, LabError::Spawn { .. }));
}
