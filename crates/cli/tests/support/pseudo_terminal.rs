//! A program on a terminal of its own, and what somebody in front of it sees.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::site::Site;

/// The end of a screen.
const WHOLE: &str = "\u{1b}[K\u{1b}[J";

pub struct Terminal {
    child: Child,
    /// The side of whoever sits in front of it.
    front: File,
    /// The side of the program, which keeps the modes.
    back: OwnedFd,
    shown: Arc<Mutex<Vec<u8>>>,
    read: Arc<AtomicBool>,
}

impl Terminal {
    /// Starts the program in a session of its own, of which this is the terminal: 24 rows of 80 columns.
    pub fn start(site: &Site, args: &[&str], variables: &[(&str, &str)]) -> Terminal {
        let pair = openpty(None, None).unwrap();
        let front = File::from(pair.master);
        size(&front, 24, 80);
        let mut command = Command::new("setsid");
        command
            .arg("--ctty")
            .arg(env!("CARGO_BIN_EXE_cutover"))
            .args(args)
            .current_dir(site.folder.path())
            .env("CUTOVER_STATE", site.path("state"))
            .env("CUTOVER_RUNS", site.path("runs"))
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR")
            .env_remove("CI")
            .envs(variables.iter().copied());
        let side = || Stdio::from(pair.slave.try_clone().unwrap());
        command.stdin(side()).stdout(side()).stderr(side());
        let child = command.spawn().unwrap();
        let shown = Arc::new(Mutex::new(Vec::new()));
        let read = Arc::new(AtomicBool::new(true));
        let reader = Reader {
            from: front.try_clone().unwrap(),
            into: Arc::clone(&shown),
            goes_on: Arc::clone(&read),
        };
        std::thread::spawn(move || reader.run());
        Terminal {
            child,
            front,
            back: pair.slave,
            shown,
            read,
        }
    }

    /// Everything that came, with what steers the terminal.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.shown.lock().unwrap()).into_owned()
    }

    /// Lines of the newest screen that is whole, without colours.
    pub fn screen(&self) -> Vec<String> {
        self.newest().lines().map(plain).collect()
    }

    fn newest(&self) -> String {
        let text = self.text();
        let end = text.rfind(WHOLE).unwrap_or(0);
        let begin = text[..end].rfind("\u{1b}[H").unwrap_or(0);
        text[begin..end].replace("\u{1b}[K", "")
    }

    /// Whether the newest screen has colours.
    pub fn colours(&self) -> bool {
        let newest = self.newest();
        newest.split("\u{1b}[").any(|part| part.starts_with("1;3"))
    }

    pub fn press(&mut self, keys: &str) {
        self.front.write_all(keys.as_bytes()).unwrap();
    }

    pub fn resize(&self, rows: u16, columns: u16) {
        size(&self.front, rows, columns);
    }

    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Sends it again and again until the program has ended: the first ones may come before it listens for a second.
    pub fn signal_until_ended(&mut self, signal: &str, code: i32) {
        self.within("end", |terminal| match terminal.child.try_wait().unwrap() {
            Some(status) => {
                assert_eq!(status.code(), Some(code), "{status}");
                true
            }
            None => {
                terminal.signal(signal);
                false
            }
        });
    }

    /// The exit code.
    pub fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        self.within("end", |terminal| {
            let status = terminal.child.try_wait().unwrap();
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        code
    }

    /// What is typed is shown and comes in lines.
    pub fn is_cooked(&self) -> bool {
        let modes = tcgetattr(self.back.as_fd()).unwrap().local_flags;
        modes.contains(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)
    }

    /// After its end: the modes are those of before, and so are page and cursor, as often as they were taken.
    pub fn is_given_back(&mut self) {
        assert!(self.is_cooked(), "{}", self.text());
        self.within("last word", |terminal| {
            let text = terminal.text();
            let count = |word: &str| text.matches(word).count();
            count("\u{1b}[?1049h") == count("\u{1b}[?1049l")
                && count("\u{1b}[?25l") == count("\u{1b}[?25h")
        });
    }

    /// Nobody sits in front of it any more.
    pub fn stop_reading(&mut self) {
        self.read.store(false, Ordering::Relaxed);
        // The reader looks at that when something comes.
        self.press("l");
    }

    fn stat(&self) -> String {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).unwrap_or_default();
        let rest = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.trim().to_owned());
        rest.unwrap_or_default()
    }

    pub fn is_stopped(&self) -> bool {
        self.stat().starts_with('T')
    }

    /// Its first thread waits in a write to the terminal.
    pub fn is_writing(&self) -> bool {
        let path = format!("/proc/{}/syscall", self.child.id());
        let call = std::fs::read_to_string(path).unwrap_or_default();
        let number = if cfg!(target_arch = "aarch64") {
            "64"
        } else {
            "1"
        };
        call.split(' ').next() == Some(number)
    }

    pub fn wait_for_line(&mut self, part: &str) {
        self.wait(part, |terminal| {
            terminal.screen().iter().any(|line| line.contains(part))
        });
    }

    pub fn wait(&mut self, what: &str, holds: impl Fn(&Terminal) -> bool) {
        self.within(what, |terminal| holds(terminal));
    }

    fn within(&mut self, what: &str, mut holds: impl FnMut(&mut Terminal) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !holds(self) {
            let newest = self.newest();
            assert!(Instant::now() < deadline, "no {what}: {newest:?}");
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn size(terminal: &File, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

struct Reader {
    from: File,
    into: Arc<Mutex<Vec<u8>>>,
    goes_on: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self) {
        let mut bytes = [0; 4096];
        // The last program that had the terminal is gone: reading fails.
        while let Ok(length @ 1..) = self.from.read(&mut bytes) {
            self.into.lock().unwrap().extend(&bytes[..length]);
            if !self.goes_on.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// Without what steers the terminal; it makes two of each return.
fn plain(line: &str) -> String {
    let mut parts = line.trim_end_matches('\r').split('\u{1b}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|one: char| one.is_ascii_alphabetic());
        text.push_str(end.map_or("", |end| &part[end + 1..]));
    }
    text
}
