//! The repository as cargo sees it: where it is, its crates, their edges and their test files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The workspace.
pub struct Workspace {
    /// Folder of the root manifest.
    pub root: PathBuf,
    /// Where cargo builds to.
    pub target: PathBuf,
    /// Its crates, by name.
    pub members: Vec<Member>,
}

/// One crate of ours.
pub struct Member {
    /// Package name.
    pub name: String,
    /// Dependencies of any kind that are crates of ours, with the kind in words.
    pub edges: Vec<(String, &'static str)>,
    /// Names of its integration tests (files in `tests/`).
    pub tests: Vec<String>,
}

impl Workspace {
    /// Reads it, without touching the network.
    pub fn load() -> Result<Workspace> {
        // Asked of the running cargo first: checkouts that share a target folder share this binary too, and
        // the path that it was compiled with may be another checkout's.
        let own = std::env::var_os("CARGO_MANIFEST_DIR");
        let own = own.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let manifest = Path::new(&own).join("../../Cargo.toml");
        let mut command = Command::new(cargo_program());
        command
            .args([
                "metadata",
                "--format-version",
                "1",
                "--no-deps",
                "--manifest-path",
            ])
            .arg(manifest)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let output = command
            .output()
            .with_context(|| format!("start {command:?}"))?;
        if !output.status.success() {
            bail!("cargo metadata failed: {}", output.status);
        }
        let metadata = serde_json::from_slice(&output.stdout).context("read cargo's metadata")?;
        from_metadata(&metadata)
    }
}

/// The cargo that runs us; its plain name when xtask was started by hand.
pub fn cargo_program() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn from_metadata(metadata: &Value) -> Result<Workspace> {
    let packages = list(metadata, "packages")?;
    let ours: Vec<&str> = packages
        .iter()
        .map(|package| text(package, "name"))
        .collect::<Result<_>>()?;
    let mut members: Vec<Member> = packages
        .iter()
        .map(|package| member(package, &ours))
        .collect::<Result<_>>()?;
    members.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(Workspace {
        root: text(metadata, "workspace_root")?.into(),
        target: text(metadata, "target_directory")?.into(),
        members,
    })
}

fn member(package: &Value, ours: &[&str]) -> Result<Member> {
    let mut edges = Vec::new();
    for edge in list(package, "dependencies")? {
        let to = text(edge, "name")?;
        if ours.contains(&to) {
            edges.push((to.to_owned(), kind_in_words(&edge["kind"])));
        }
    }
    let mut tests = Vec::new();
    for target in list(package, "targets")? {
        if list(target, "kind")?.iter().any(|kind| kind == "test") {
            tests.push(text(target, "name")?.to_owned());
        }
    }
    Ok(Member {
        name: text(package, "name")?.to_owned(),
        edges,
        tests,
    })
}

fn kind_in_words(kind: &Value) -> &'static str {
    match kind.as_str() {
        Some("dev") => "in its tests",
        Some("build") => "in its build script",
        _ => "in its code",
    }
}

fn list<'a>(value: &'a Value, field: &str) -> Result<&'a [Value]> {
    let found = value[field]
        .as_array()
        .with_context(|| format!("metadata has no list {field}"))?;
    Ok(found)
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field]
        .as_str()
        .with_context(|| format!("metadata has no text {field}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_of_every_kind_and_test_files_are_read() {
        let workspace = Workspace::load().unwrap();
        let own = workspace
            .members
            .iter()
            .find(|member| member.name == "xtask")
            .unwrap();
        assert!(own.edges.is_empty() && own.tests.is_empty());
        let report = workspace
            .members
            .iter()
            .find(|it| it.name == "cutover-report")
            .unwrap();
        assert_eq!(report.edges, [("cutover-model".to_owned(), "in its code")]);
        let metadata = serde_json::json!({
            "workspace_root": "/w", "target_directory": "/t",
            "packages": [
                { "name": "a", "dependencies": [], "targets": [] },
                {
                    "name": "b",
                    "dependencies": [{ "name": "a", "kind": "dev" }, { "name": "x", "kind": null }],
                    "targets": [
                        { "name": "b", "kind": ["lib"] },
                        { "name": "real_b", "kind": ["test"] },
                    ],
                },
            ],
        });
        let made_up = from_metadata(&metadata).unwrap();
        assert_eq!(made_up.members[1].edges, [("a".to_owned(), "in its tests")]);
        assert_eq!(made_up.members[1].tests, ["real_b"]);
    }
}
