//! The real binary in the background, and its processes as an operator sees them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use crate::site::Site;

impl Site {
    /// Starts it in the background; its talk goes to a file, so that no pipe can fill up.
    pub fn start(&self, args: &[&str]) -> Running {
        let talk = std::fs::File::create(self.path("talk.log")).unwrap();
        let mut command = self.command(args);
        command.stderr(talk.try_clone().unwrap()).stdout(talk);
        Running(command.spawn().unwrap())
    }

    /// What the last `start` said.
    pub fn talk(&self) -> String {
        std::fs::read_to_string(self.path("talk.log")).unwrap()
    }

    /// The folder of the only scenario of the only run.
    pub fn scenario_folder(&self) -> Option<PathBuf> {
        let run = std::fs::read_dir(self.path("runs"))
            .ok()?
            .flatten()
            .next()?
            .path();
        let folder = run.join("short");
        folder.exists().then_some(folder)
    }

    /// Waits until the scenario's events mention a text.
    pub fn wait_for_event(&self, text: &str) {
        self.wait(&format!("event {text}"), || {
            let events = self.scenario_folder()?.join("events.jsonl");
            std::fs::read_to_string(events)
                .ok()?
                .contains(text)
                .then_some(())
        });
    }

    /// Waits for a condition, for at most two minutes.
    pub fn wait<T>(&self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(value) = probe() {
                return value;
            }
            assert!(
                Instant::now() < deadline,
                "no {what}; it said: {}",
                self.talk()
            );
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Processes whose command line or working folder lies in this site: pid and command line.
    pub fn processes(&self) -> Vec<(i32, String)> {
        let mine = |path: &Path| {
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let folder = std::fs::read_link(path.join("cwd")).unwrap_or_default();
            let inside = folder.starts_with(self.folder.path());
            (inside || line.contains(&self.folder.path().display().to_string())).then_some(line)
        };
        let entries = std::fs::read_dir("/proc").unwrap().flatten();
        entries
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                Some((pid, mine(&entry.path())?))
            })
            .collect()
    }

    /// Process id of a service, by a word of its command line.
    pub fn service(&self, word: &str) -> i32 {
        let found = self
            .processes()
            .into_iter()
            .find(|(_, line)| line.contains(word));
        found
            .unwrap_or_else(|| panic!("no process with {word}: {:?}", self.processes()))
            .0
    }

    /// Nothing of this site may be left; the kernel gets a moment to bury the dead.
    pub fn assert_nothing_left(&self) {
        let own = std::process::id().cast_signed();
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let left: Vec<_> = self
                .processes()
                .into_iter()
                .filter(|(pid, _)| *pid != own)
                .collect();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still running: {left:?}");
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }
}

/// A command in the background; killed when the test ends before it.
pub struct Running(Child);

impl Running {
    /// Its process.
    pub fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        kill(signal, self.pid());
    }

    /// Waits for its end, for at most two minutes.
    pub fn wait(mut self) -> ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it hangs");
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `kill -SIGNAL PID`.
pub fn kill(signal: &str, pid: i32) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}
