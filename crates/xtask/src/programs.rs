//! Which server programs real-process tests use: those of the lab's cache, unless the caller brings his own.
//!
//! Fetching is the program's own job (`cutover lab fetch`), so tests run on what users run on.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use crate::run::{cargo, run};
use crate::workspace::Workspace;

/// Variables that tests read, and the part of the lab whose `bin` folder each one names. The second is another
/// minor version of the same major one, for tests that restart a server under other programs.
const VARIABLES: [(&str, &str); 2] = [
    ("CUTOVER_TEST_PG_BIN", "postgres-16.14"),
    ("CUTOVER_TEST_PG_BIN_NEXT", "postgres-16.2"),
];

/// The second engine that the audit's SQL is run by: package and version for pip, and where the program then lies.
const DUCKDB: (&str, &str) = ("CUTOVER_TEST_DUCKDB", "duckdb-cli==1.5.6");
const DUCKDB_PROGRAM: &str = "duckdb_cli/duckdb";

/// How deep a server's `bin` folder lies at most below its part.
const TREE_DEPTH: usize = 8;

/// The environment of real-process tests; what the caller has set stays as it is.
pub fn environment(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let wanted = VARIABLES
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_none());
    let wanted: Vec<_> = wanted.collect();
    let mut environment: Vec<(String, String)> = duckdb()?.into_iter().collect();
    if wanted.is_empty() {
        return Ok(environment);
    }
    let build = ["build", "--workspace", "--bin", "cutover"];
    cargo(workspace, &build)?;
    let program = workspace.target.join("debug").join("cutover");
    let mut fetch = vec!["lab", "fetch"];
    fetch.extend(wanted.iter().map(|(_, part)| *part));
    run(&program, &fetch)?;
    let parts = cache_folder()?.join("parts");
    for (name, part) in wanted {
        let folder = parts.join(part);
        let Some(bin) = bin_folder(&folder, TREE_DEPTH) else {
            let place = folder.display();
            bail!("no bin/initdb below {place} although it was just fetched; set {name}");
        };
        environment.push(((*name).to_owned(), bin.to_string_lossy().into_owned()));
    }
    Ok(environment)
}

/// DuckDB, installed by pip into the cache, once; nothing if the caller brings his own.
fn duckdb() -> Result<Option<(String, String)>> {
    let (variable, package) = DUCKDB;
    if std::env::var_os(variable).is_some() {
        return Ok(None);
    }
    let tools = cache_folder()?.join("tools");
    let folder = tools.join(package.replace("==", "-"));
    let program = folder.join(DUCKDB_PROGRAM);
    if !program.is_file() {
        std::fs::create_dir_all(&tools).with_context(|| format!("make {}", tools.display()))?;
        // Put in place by rename: what was interrupted is never taken for whole.
        let fresh = tools.join(format!(".duckdb-{}", std::process::id()));
        let target = fresh.to_string_lossy().into_owned();
        let install = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-compile",
        ];
        let wheel = ["--only-binary=:all:", "--target", &target, package];
        run(Path::new("python3"), &[&install[..], &wheel[..]].concat())?;
        // Somebody else may have been faster.
        let placed = std::fs::rename(&fresh, &folder);
        if !program.is_file() {
            placed.with_context(|| format!("put DuckDB into {}", folder.display()))?;
            bail!("{package} holds no {DUCKDB_PROGRAM}; set {variable}");
        }
    }
    Ok(Some((
        variable.to_owned(),
        program.to_string_lossy().into_owned(),
    )))
}

/// The cache, chosen as the program does (crate `lab`, `home`).
fn cache_folder() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = set("CUTOVER_CACHE") {
        return Ok(folder.into());
    }
    // The owner of our own process folder is who we are.
    let process = std::fs::metadata("/proc/self").context("ask who we are")?;
    if process.uid() == 0 {
        return Ok("/var/cache/cutover".into());
    }
    let home = || set("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let cache = set("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute());
    let cache = cache
        .or_else(home)
        .context("neither CUTOVER_CACHE nor HOME is set")?;
    Ok(cache.join("cutover"))
}

/// The first folder `bin` that holds `initdb`.
fn bin_folder(folder: &Path, depth: usize) -> Option<PathBuf> {
    let bin = folder.join("bin");
    if bin.join("initdb").is_file() {
        return Some(bin);
    }
    if depth == 0 {
        return None;
    }
    let entries = folder.read_dir().ok()?.flatten();
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut below: Vec<PathBuf> = folders.map(|entry| entry.path()).collect();
    below.sort();
    below
        .iter()
        .find_map(|folder| bin_folder(folder, depth - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_programs_are_found_at_any_depth_but_only_in_a_bin_folder() {
        let part = tempfile::tempdir().unwrap();
        let bin = part.path().join("a/usr/lib/16/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::write(part.path().join("a/initdb"), "").unwrap();
        assert_eq!(bin_folder(part.path(), TREE_DEPTH), None);
        std::fs::write(bin.join("initdb"), "").unwrap();
        assert_eq!(bin_folder(part.path(), TREE_DEPTH), Some(bin));
        assert_eq!(bin_folder(part.path(), 2), None);
    }
}
