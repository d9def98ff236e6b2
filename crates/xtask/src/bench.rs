//! `cargo x bench`: the figures of `docs/benchmarks.md`, measured with the real binary on this machine.
//!
//! Everything is warm (parts fetched) except with `--fetch`, which measures a fetch of every part into an empty
//! cache as well. Each figure is printed beside its bar, as a Markdown table. Figures are never tests: a busy
//! machine would make them red.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::cargo;
use crate::say;
use crate::workspace::Workspace;

/// One measured figure and its bar.
struct Figure {
    what: &'static str,
    value: f64,
    bar: f64,
    unit: &'static str,
}

/// `cargo x bench [--fetch]`.
pub fn bench(workspace: &Workspace, rest: &[String]) -> Result<()> {
    let fetch = match rest {
        [] => false,
        [flag] if flag == "--fetch" => true,
        other => bail!("unknown arguments {other:?}; usage: cargo x bench [--fetch]"),
    };
    cargo(workspace, &["build", "--workspace", "--bin", "cutover"])?;
    let binary = workspace.target.join("debug/cutover");
    let folder = Path::new("/var/tmp").join(format!("cutover-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).context("make the bench folder")?;
    let bench = Bench { binary, folder };
    let measured = bench.all(fetch);
    std::fs::remove_dir_all(&bench.folder).context("remove the bench folder")?;
    say(&table(&measured?));
    Ok(())
}

struct Bench {
    binary: PathBuf,
    folder: PathBuf,
}

impl Bench {
    fn all(&self, fetch: bool) -> Result<Vec<Figure>> {
        let mut figures = Vec::new();
        if fetch {
            let started = Instant::now();
            let cache = self.folder.join("cache");
            self.run(&["lab", "fetch", "--quiet"], &[("CUTOVER_CACHE", &cache)])?;
            figures.push(Figure {
                what: "`lab fetch` of every part, empty cache",
                value: started.elapsed().as_secs_f64(),
                bar: 120.0,
                unit: "s",
            });
        }
        // The first rehearsal fetches what is missing, so that what follows is warm.
        self.run(&["lab", "fetch", "--quiet"], &[])?;
        figures.extend(self.lab()?);
        figures.extend(self.rehearsal()?);
        Ok(figures)
    }

    fn lab(&self) -> Result<Vec<Figure>> {
        let started = Instant::now();
        self.run(&["lab", "up", "--quiet"], &[])?;
        let up = started.elapsed().as_secs_f64();
        let started = Instant::now();
        self.run(&["lab", "down", "--purge"], &[])?;
        let down = started.elapsed().as_secs_f64();
        let figure = |what, value, bar| Figure {
            what,
            value,
            bar,
            unit: "s",
        };
        Ok(vec![
            figure("warm `lab up` until the connector streams", up, 6.0),
            figure("`lab down` until no process and no port is left", down, 5.0),
        ])
    }

    fn rehearsal(&self) -> Result<Vec<Figure>> {
        let started = Instant::now();
        let mut command = self.command(&["rehearse", "minor", "--output", "json", "--quiet"], &[]);
        let (output, peak) = watched(command.stdout(Stdio::piped()))?;
        let seconds = started.elapsed().as_secs_f64();
        let result: Value = serde_json::from_slice(&output).context("read the result")?;
        let scenario = &result["scenarios"][0];
        if scenario["verdict"] != "pass" {
            bail!("the rehearsal did not pass: {}", scenario["reasons"]);
        }
        let number = |name: &str| scenario[name].as_f64().unwrap_or(f64::NAN);
        let changes = scenario["counts"]["committed"].as_f64().unwrap_or(f64::NAN);
        say(&format!("rehearse minor: {changes} changes committed"));
        let beyond = number("refused_write_seconds") - number("server_restart_seconds");
        let figure = |what, value, bar, unit| Figure {
            what,
            value,
            bar,
            unit,
        };
        Ok(vec![
            figure(
                "`rehearse minor`, from start to verdict",
                seconds,
                60.0,
                "s",
            ),
            figure(
                "refused writes beyond the server's own restart",
                beyond,
                3.0,
                "s",
            ),
            figure(
                "peak memory of our own process during it",
                peak,
                512.0,
                "MiB",
            ),
        ])
    }

    fn command(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).stdin(Stdio::null());
        command.env("CUTOVER_STATE", self.folder.join("state"));
        command.env("CUTOVER_RUNS", self.folder.join("runs"));
        command.envs(
            environment
                .iter()
                .map(|(name, path)| (*name, path.as_os_str())),
        );
        command
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &Path)]) -> Result<()> {
        say(&format!("$ cutover {}", arguments.join(" ")));
        let status = self
            .command(arguments, environment)
            .status()
            .context("start cutover")?;
        if status.success() {
            Ok(())
        } else {
            bail!("cutover {} failed", arguments.join(" "))
        }
    }
}

/// Runs a command to its end; returns its stdout and the peak of its resident memory in MiB.
fn watched(command: &mut Command) -> Result<(Vec<u8>, f64)> {
    #[expect(
        clippy::disallowed_methods,
        reason = "its memory is read while it runs"
    )]
    let mut child = command.spawn().context("start cutover")?;
    let reader = child.stdout.take().context("its stdout")?;
    let reading = std::thread::spawn(move || {
        let mut reader = reader;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut reader, &mut bytes).map(|_| bytes)
    });
    let mut peak = 0.0_f64;
    while child.try_wait().context("wait for cutover")?.is_none() {
        peak = peak.max(peak_of(&child));
        std::thread::park_timeout(Duration::from_millis(50));
    }
    match reading.join() {
        Ok(bytes) => Ok((bytes.context("read its stdout")?, peak)),
        Err(_) => bail!("the reader of its stdout failed"),
    }
}

/// `VmHWM` in MiB; 0 once the process is gone.
fn peak_of(child: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

fn table(figures: &[Figure]) -> String {
    let row = |figure: &Figure| {
        let met = if figure.value <= figure.bar {
            "yes"
        } else {
            "**no**"
        };
        let Figure {
            what,
            value,
            bar,
            unit,
        } = figure;
        format!("| {what} | {value:.1} {unit} | ≤ {bar} {unit} | {met} |\n")
    };
    let rows: String = figures.iter().map(row).collect();
    format!("| what | measured | bar | met |\n|---|---|---|---|\n{rows}")
}
