//! `cutover compare` beside reladiff, on the same two databases in turn; the best time of each counts, and of reladiff
//! also the best of its settings.
//!
//! reladiff sums up hashes that the servers compute and reads only what differs, which is made for slow networks and
//! few differences. On one machine or a fast network it is quicker to read everything, and exact.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use cutover_clients::pg::{self, PgAddress, PgHost};
use cutover_model::comparison::RowDifference;
use cutover_record::compare::{CompareConfig, Differences, compare as compare_rows};

use crate::error::BenchError;
use crate::figure::{Figure, peak_bytes};
use crate::server::{drop_database, execute, make_database, program, timed};

/// The version that is compared with, as pip names it.
const RELADIFF: &str = "reladiff[postgresql]==0.6.0";
const ROUNDS: usize = 3;
/// Rows that differ.
const PLANTED: usize = 10;

/// What to compare, and where.
#[derive(Debug, Clone)]
pub struct CompareBench {
    /// A server on which databases may be made.
    pub server: PgAddress,
    /// Rows of the table.
    pub rows: u64,
    /// Where reladiff is installed to by pip, once.
    pub tools: PathBuf,
}

/// Makes two databases that differ in ten rows, compares them, and removes them.
///
/// # Errors
/// The server, pip, reladiff; or somebody did not find exactly the ten rows.
pub async fn compare(bench: CompareBench) -> Result<Vec<Figure>, BenchError> {
    let left = make_database(&bench.server, "left").await?;
    let right = make_database(&bench.server, "right").await?;
    let measured = measure(&bench, &left, &right).await;
    drop_database(&bench.server, &left).await?;
    drop_database(&bench.server, &right).await?;
    measured
}

async fn measure(
    bench: &CompareBench,
    left: &PgAddress,
    right: &PgAddress,
) -> Result<Vec<Figure>, BenchError> {
    let rows = bench.rows.max(100);
    for side in [left, right] {
        execute(&pg::connect_admin(side).await?, &filling(rows)).await?;
    }
    execute(&pg::connect_admin(right).await?, &planting(rows)).await?;
    for side in [left, right] {
        execute(&pg::connect_admin(side).await?, "VACUUM (ANALYZE) items").await?;
    }
    let (left, right, tools) = (left.clone(), right.clone(), bench.tools.clone());
    let measuring = tokio::task::spawn_blocking(move || in_turn(rows, &left, &right, &tools));
    measuring
        .await
        .map_err(|panic| BenchError::Void(panic.to_string()))?
}

fn in_turn(
    rows: u64,
    left: &PgAddress,
    right: &PgAddress,
    tools: &Path,
) -> Result<Vec<Figure>, BenchError> {
    let reladiff = Reladiff::installed(tools)?;
    let (mut ours, mut theirs, mut tuned) = (f64::INFINITY, f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        theirs = theirs.min(reladiff.run(left, right, &[])?);
        tuned = tuned.min(reladiff.run(left, right, &TUNED)?);
        ours = ours.min(with_ours(left, right)?);
    }
    let size = format!("{rows} rows of 6 columns, {PLANTED} differ");
    let mut figures = vec![
        Figure::new(format!("{size}: reladiff 0.6.0"), theirs, "s"),
        Figure::new(
            format!("{size}: reladiff 0.6.0 {}", TUNED.join(" ")),
            tuned,
            "s",
        ),
        Figure::new(format!("{size}: cutover compare"), ours, "s"),
        Figure::new(
            "cutover compare against the faster reladiff",
            theirs.min(tuned) / ours,
            "×",
        ),
    ];
    if let Some(peak) = peak_bytes() {
        let mib = peak as f64 / f64::from(1 << 20);
        figures.push(Figure::new("peak memory of this process", mib, "MiB"));
    }
    Ok(figures)
}

fn filling(rows: u64) -> String {
    format!(
        "CREATE TABLE items (id bigint PRIMARY KEY, name text, amount numeric(12,2), ts timestamptz, u uuid, note text);
         INSERT INTO items SELECT n, 'item number ' || n, n % 99991 / 7.0,
           timestamptz '2026-01-01' + n * interval '1 second', md5(n::text)::uuid,
           'left at the door of ' || n % 977
         FROM generate_series(1, {rows}) n"
    )
}

/// Six updates, two deletes, two inserts.
fn planting(rows: u64) -> String {
    let places: Vec<u64> = (1..=8).map(|part| rows * part / 9).collect();
    let list = |places: &[u64]| {
        let texts: Vec<String> = places.iter().map(u64::to_string).collect();
        texts.join(", ")
    };
    let (updated, deleted) = places.split_at(6);
    format!(
        "UPDATE items SET amount = amount + 0.01 WHERE id IN ({});
         DELETE FROM items WHERE id IN ({});
         INSERT INTO items SELECT {rows} + n, 'more', 1, '2026-01-01', NULL, NULL FROM generate_series(1, 2) n",
        list(updated),
        list(deleted)
    )
}

/// Keeps the keys of the rows that differ.
#[derive(Default)]
struct Keys(BTreeSet<String>);

impl Differences for Keys {
    fn add(&mut self, difference: &RowDifference) -> std::io::Result<()> {
        self.0.extend(difference.key.values().cloned());
        Ok(())
    }

    fn withdraw(&mut self, _table: &str) -> std::io::Result<()> {
        self.0.clear();
        Ok(())
    }
}

fn with_ours(left: &PgAddress, right: &PgAddress) -> Result<f64, BenchError> {
    let config = CompareConfig {
        left: left.clone(),
        right: right.clone(),
        tables: Vec::new(),
        show_rows: false,
    };
    let begun = Instant::now();
    let mut keys = Keys::default();
    compare_rows(&config, &mut keys)?;
    let seconds = begun.elapsed().as_secs_f64();
    found_all(keys.0.len(), "cutover compare")?;
    Ok(seconds)
}

fn found_all(found: usize, who: &str) -> Result<(), BenchError> {
    if found == PLANTED {
        return Ok(());
    }
    Err(BenchError::Void(format!(
        "{PLANTED} rows differ, {who} found {found}"
    )))
}

/// What its documentation advises for large tables and several threads.
const TUNED: [&str; 6] = [
    "-j",
    "4",
    "--bisection-factor",
    "32",
    "--bisection-threshold",
    "50000",
];

/// reladiff in a folder of its own.
struct Reladiff {
    folder: PathBuf,
}

impl Reladiff {
    /// Installs it unless it is there.
    fn installed(tools: &Path) -> Result<Reladiff, BenchError> {
        let folder = tools.join("reladiff-0.6.0");
        if !folder.join("reladiff").is_dir() {
            let made = std::fs::create_dir_all(tools);
            made.map_err(|source| BenchError::Folder {
                action: "make the folder",
                path: tools.display().to_string(),
                source,
            })?;
            // Put in place by rename: what was interrupted is never taken for whole.
            let fresh = tools.join(format!(".reladiff-{}", std::process::id()));
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--no-compile"])
                .arg("--target")
                .arg(&fresh)
                .arg(RELADIFF)
                .stdin(Stdio::null());
            timed(pip, "pip install")?;
            let placed = std::fs::rename(&fresh, &folder);
            placed.map_err(|source| BenchError::Folder {
                action: "put reladiff into",
                path: folder.display().to_string(),
                source,
            })?;
        }
        Ok(Reladiff { folder })
    }

    /// Compares; gives the seconds.
    fn run(&self, left: &PgAddress, right: &PgAddress, more: &[&str]) -> Result<f64, BenchError> {
        let mut command = program(Path::new("python3"), left);
        command.env("PYTHONPATH", &self.folder);
        command.args([
            "-m",
            "reladiff",
            &url(left)?,
            "items",
            &url(right)?,
            "items",
        ]);
        command.args(["-k", "id"]);
        for column in ["name", "amount", "ts", "u", "note"] {
            command.args(["-c", column]);
        }
        command.args(more);
        let (seconds, output) = timed(command, "reladiff")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let keys: BTreeSet<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("- ").or_else(|| line.strip_prefix("+ ")))
            .filter_map(|row| row.split(',').next())
            .collect();
        found_all(keys.len(), "reladiff")?;
        Ok(seconds)
    }
}

/// Without the password, which is in its environment.
fn url(address: &PgAddress) -> Result<String, BenchError> {
    let PgHost::Tcp(host) = &address.host else {
        let reason = "reladiff takes no unix socket; give the server's host";
        return Err(BenchError::Tool(reason.to_owned()));
    };
    let PgAddress {
        port,
        user,
        database,
        ..
    } = address;
    Ok(format!("postgresql://{user}@{host}:{port}/{database}"))
}
