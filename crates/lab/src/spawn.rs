//! The one spawner: every process of cutover starts here.
//!
//! What each child gets: a process group of its own; an environment made from nothing; its own
//! folder as working directory; one log file for both outputs; no input; no open file of ours; the
//! unprivileged user when we are root; and a signal from the kernel when we die, however we die.
//!
//! The last point has two traps. The kernel ties "parent death" to the *thread* that forked, and
//! worker threads come and go: so one thread that lives as long as the process does every fork. And
//! a change of user clears the setting: so it is made after that change, and then the child checks
//! that its parent is still there, because a parent that died in between would have signalled
//! nobody.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use cutover_clients::wait::{self, Poll};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::error::LabError;
use crate::log;
use crate::privilege::Account;

/// How often a child is looked at while somebody waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long a dropped child may take to obey its death signal before it is killed.
const DROP_PATIENCE: Duration = Duration::from_secs(3);
/// What servers see of our environment: enough to find their own tools, nothing that changes what
/// they do.
const SERVER_SETTINGS: [&str; 1] = ["PATH"];
/// What package tools see: the user's own proxies, mirrors, indexes and certificates must keep
/// working.
const TOOL_SETTINGS: [&str; 17] = [
    "HOME",
    "USER",
    "LOGNAME",
    "TMPDIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "JAVA_HOME",
    "M2_HOME",
    "APT_CONFIG",
];
/// … and everything that starts like this.
const TOOL_PREFIXES: [&str; 4] = ["PIP_", "MAVEN_", "PYENV", "XDG_"];

/// What to start, and how it is to live.
#[derive(Debug, Clone)]
pub struct Launch {
    name: String,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    folder: PathBuf,
    log: PathBuf,
    death: Option<Signal>,
    account: Option<Account>,
}

impl Launch {
    /// A program that works in `folder` and writes to `log`. It dies by SIGKILL when we die.
    pub fn new(name: &str, program: &Path, folder: &Path, log: &Path) -> Launch {
        let fixed = [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")];
        let mut env: Vec<(OsString, OsString)> = fixed
            .iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        for name in SERVER_SETTINGS {
            if let Some(value) = std::env::var_os(name) {
                env.push((name.into(), value));
            }
        }
        Launch {
            name: name.to_owned(),
            program: program.to_owned(),
            args: Vec::new(),
            env,
            folder: folder.to_owned(),
            log: log.to_owned(),
            death: Some(Signal::SIGKILL),
            account: None,
        }
    }

    /// Adds arguments. Never a secret: every user of the machine can read them.
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Launch {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Adds one path as an argument.
    pub fn arg_path(mut self, path: &Path) -> Launch {
        self.args.push(path.into());
        self
    }

    /// Works in another folder.
    pub fn working_in(mut self, folder: &Path) -> Launch {
        self.folder = folder.to_owned();
        self
    }

    /// Logs to another file.
    pub fn logging_to(mut self, log: &Path) -> Launch {
        self.log = log.to_owned();
        self
    }

    /// Sets one variable of the environment.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Launch {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Lets the settings of package tools through.
    pub fn pass_tool_settings(mut self) -> Launch {
        for (name, value) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let by_prefix = TOOL_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
            if by_prefix || TOOL_SETTINGS.contains(&&*text) {
                self.env.push((name, value));
            }
        }
        self
    }

    /// The signal it gets when we die. SIGQUIT lets PostgreSQL free its shared memory.
    pub fn death(mut self, signal: Signal) -> Launch {
        self.death = Some(signal);
        self
    }

    /// Lets it live on when we die. For one case: `lab up` that puts the lab's owner into the
    /// background.
    pub fn outlives_us(mut self) -> Launch {
        self.death = None;
        self
    }

    /// The user it runs as, when we are root.
    pub fn account(mut self, account: Option<&Account>) -> Launch {
        self.account = account.cloned();
        self
    }

    fn open_log(&self) -> Result<File, LabError> {
        use std::os::unix::fs::OpenOptionsExt;
        if let Some(folder) = self.log.parent() {
            std::fs::create_dir_all(folder).map_err(LabError::io("create", folder))?;
        }
        File::options()
            .create(true)
            .append(true)
            .mode(0o640)
            .open(&self.log)
            .map_err(LabError::io("open", &self.log))
    }

    fn command(&self, log: &File) -> io::Result<Command> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .env_clear()
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0);
        if let Some(account) = &self.account {
            // The standard library also drops every supplementary group here.
            command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
        }
        arm(&mut command, self.death);
        Ok(command)
    }
}

/// Makes the child close our files, and die with us.
fn arm(command: &mut Command, death: Option<Signal>) {
    let parent = Pid::this();
    let in_child = move || -> io::Result<()> {
        close_our_files();
        nix::sys::prctl::set_pdeathsig(death)?;
        let orphaned = death.is_some() && nix::unistd::getppid() != parent;
        if orphaned {
            Err(nix::Error::ESRCH.into())
        } else {
            Ok(())
        }
    };
    #[expect(
        unsafe_code,
        reason = "the only way to run code between fork and exec; it makes three system calls, \
                  takes no lock and allocates nothing, and runs after the change of user"
    )]
    // SAFETY: see the reason; every call in `in_child` is async-signal-safe.
    unsafe {
        command.pre_exec(in_child);
    }
}

/// Marks every file descriptor but the three standard ones close-on-exec. A library that forgot to
/// do so would otherwise keep a socket or a lock of ours alive in a server.
fn close_our_files() {
    #[expect(unsafe_code, reason = "no safe wrapper exists for close_range")]
    // SAFETY: touches flags of descriptors only. Kernels before 5.11 refuse, and then nothing has
    // changed.
    unsafe {
        nix::libc::close_range(3, u32::MAX, nix::libc::CLOSE_RANGE_CLOEXEC as i32);
    }
}

/// Frees a System V shared memory segment that nobody is attached to any more. PostgreSQL keeps a
/// small one as a lock; a server that was killed leaves it behind.
pub(crate) fn free_shared_memory(id: i32) {
    #[expect(
        unsafe_code,
        reason = "no safe wrapper exists for shmctl; it belongs to ending a process"
    )]
    // SAFETY: IPC_STAT fills a zeroed struct of the right type; IPC_RMID takes no pointer.
    unsafe {
        let mut found: nix::libc::shmid_ds = std::mem::zeroed();
        if nix::libc::shmctl(id, nix::libc::IPC_STAT, &raw mut found) == 0 && found.shm_nattch == 0
        {
            nix::libc::shmctl(id, nix::libc::IPC_RMID, std::ptr::null_mut());
        }
    }
}

type Order = (Command, mpsc::Sender<io::Result<std::process::Child>>);

/// Hands a command to the thread that forks.
fn fork(command: Command) -> io::Result<std::process::Child> {
    static FORKER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let forker = FORKER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        // Never joined: it ends with the process, which is the point of it.
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                #[expect(clippy::disallowed_methods, reason = "this is the one spawner")]
                let child = command.spawn();
                let _ = reply.send(child);
            }
        });
        orders
    });
    let (reply, answer) = mpsc::channel();
    let gone = |_| io::Error::other("the spawner thread is gone");
    forker
        .send((command, reply))
        .map_err(|_| io::Error::other("the spawner thread is gone"))?;
    answer.recv().map_err(gone)?
}

/// Starts a process.
pub fn spawn(launch: &Launch) -> Result<Child, LabError> {
    let log = launch.open_log()?;
    let log_from = log.metadata().map_or(0, |found| found.len());
    let fail = |source| LabError::Spawn {
        program: launch.program.clone(),
        source,
    };
    let inner = launch.command(&log).and_then(fork).map_err(fail)?;
    Ok(Child {
        name: launch.name.clone(),
        pid: Pid::from_raw(inner.id().cast_signed()),
        inner,
        ended: None,
        death: launch.death,
        log: launch.log.clone(),
        log_from,
        folder: launch.folder.clone(),
    })
}

/// A running (or ended) process. Dropping it ends the process and its group, unless it was let to
/// outlive us.
#[derive(Debug)]
pub struct Child {
    name: String,
    pid: Pid,
    inner: std::process::Child,
    ended: Option<ExitStatus>,
    death: Option<Signal>,
    log: PathBuf,
    log_from: u64,
    folder: PathBuf,
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopped {
    /// From the signal to the end of the process.
    pub seconds: f64,
    /// Whether it had to be killed because it did not obey in time.
    pub killed: bool,
}

impl Child {
    /// Its process id. Stays reserved for it until the end has been seen by [`Child::try_wait`].
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has. What is left of its group ends with it, while the pid is still ours
    /// to name.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() && has_exited(self.pid) {
            let _ = killpg(self.pid, Signal::SIGKILL);
            self.ended = self.inner.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Sends a signal to the process itself; nothing if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.try_wait().is_none() {
            let _ = kill(self.pid, signal);
        }
    }

    /// Fails if the process has ended, with the last lines it logged.
    pub fn check_alive(&mut self) -> Result<(), LabError> {
        match self.try_wait() {
            None => Ok(()),
            Some(status) => Err(self.died(status)),
        }
    }

    fn died(&self, status: ExitStatus) -> LabError {
        LabError::died(
            &self.name,
            describe(status),
            self.last_lines(12),
            self.folder.clone(),
        )
    }

    /// Asks it to end by `signal`; kills it, group and all, when `deadline` has passed.
    pub async fn stop(&mut self, signal: Signal, deadline: Duration) -> Result<Stopped, LabError> {
        let started = Instant::now();
        self.signal(signal);
        let killed = self.wait_end(deadline).await.is_err();
        if killed {
            let _ = killpg(self.pid, Signal::SIGKILL);
            self.wait_end(Duration::from_secs(10)).await?;
        }
        Ok(Stopped {
            seconds: started.elapsed().as_secs_f64(),
            killed,
        })
    }

    /// Waits for its end.
    pub async fn wait_end(&mut self, deadline: Duration) -> Result<ExitStatus, LabError> {
        let what = format!("the end of {}", self.name);
        let end = wait::until(&what, deadline, LOOK_EVERY, async || {
            Ok::<_, LabError>(match self.try_wait() {
                Some(status) => Poll::Ready(status),
                None => Poll::NotYet("it runs".to_owned()),
            })
        });
        Ok(end.await?)
    }

    /// The last lines it logged since it was started.
    pub fn last_lines(&self, lines: usize) -> String {
        log::last_lines(&self.output(), lines)
    }

    /// What it logged since it was started, the end of it if that is much.
    pub fn output(&self) -> String {
        log::read_tail(&self.log, self.log_from)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(death) = self.death else { return };
        if self.try_wait().is_some() {
            return;
        }
        let started = Instant::now();
        let _ = kill(self.pid, death);
        while !has_exited(self.pid) && started.elapsed() < DROP_PATIENCE {
            #[expect(
                clippy::disallowed_methods,
                reason = "drop cannot await; bounded by the loop"
            )]
            std::thread::sleep(LOOK_EVERY);
        }
        let _ = killpg(self.pid, Signal::SIGKILL);
        let _ = self.inner.wait();
    }
}

/// Looks without reaping, so that the pid cannot be given to another process before its group is
/// signalled.
fn has_exited(pid: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    !matches!(waitid(Id::Pid(pid), flags), Ok(WaitStatus::StillAlive))
}

/// How a program that was run to its end ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it printed, the end of it if that is much.
    pub output: String,
    /// How long it ran.
    pub seconds: f64,
}

impl RunEnd {
    /// The last lines it printed, in one line.
    pub fn last_lines(&self, lines: usize) -> String {
        log::last_lines(&self.output, lines)
    }

    /// How it ended, for people.
    pub fn ended(&self) -> String {
        describe(self.status)
    }
}

/// Runs a program to its end. Dropping the future ends the program.
pub async fn run(launch: Launch, deadline: Duration) -> Result<RunEnd, LabError> {
    let started = Instant::now();
    let mut child = spawn(&launch)?;
    let status = child
        .wait_end(deadline)
        .await
        .map_err(|error| match error {
            LabError::TimedOut { what, seconds, .. } => LabError::TimedOut {
                what,
                seconds,
                last: child.last_lines(3),
            },
            other => other,
        })?;
    Ok(RunEnd {
        status,
        output: child.output(),
        seconds: started.elapsed().as_secs_f64(),
    })
}

/// `exit code 1`, `signal 9`.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "unknown end".to_owned(),
    }
}
