//! The files that the rules look at: everything below the root that is not git's, cargo's or a run's.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Folders of the root that are not source.
const NOT_SOURCE: [&str; 3] = [".git", "target", "runs"];

/// Every file of the repository.
pub struct Repository {
    /// Its folder.
    pub root: PathBuf,
    /// Files in the order of their paths.
    pub files: Vec<SourceFile>,
}

/// One file.
pub struct SourceFile {
    /// Path from the root, with `/`.
    pub path: String,
    /// Size in bytes.
    pub size: u64,
    /// Its text; `None` for what is no UTF-8 or holds zero bytes.
    pub text: Option<String>,
}

impl Repository {
    /// Reads all of it; a repository of this size takes a few milliseconds.
    pub fn read(root: &Path) -> Result<Repository> {
        let mut files = Vec::new();
        collect(root, root, &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Repository {
            root: root.to_owned(),
            files,
        })
    }
}

impl SourceFile {
    /// Name without folders.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Part of the name after its last dot.
    pub fn extension(&self) -> &str {
        self.name()
            .rsplit_once('.')
            .map_or("", |(_, extension)| extension)
    }

    /// Rust source of any crate, tests included.
    pub fn is_rust(&self) -> bool {
        self.extension() == "rs"
    }

    /// A file that holds tests only.
    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.name() == "tests.rs"
    }

    /// Path below the crate's `src`, for files in it.
    pub fn below_src(&self) -> Option<&str> {
        let (_, below_crates) = self.path.split_once("crates/")?;
        below_crates.split_once('/')?.1.strip_prefix("src/")
    }

    /// A complaint about a line of it.
    pub fn at(&self, line: usize, what: &str) -> String {
        format!("{}:{}: {what}", self.path, line + 1)
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) -> Result<()> {
    let entries = folder
        .read_dir()
        .with_context(|| format!("list {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("list {}", folder.display()))?;
        let path = entry.path();
        let kind = entry
            .file_type()
            .with_context(|| format!("look at {}", path.display()))?;
        let name = entry.file_name();
        if folder == root && NOT_SOURCE.iter().any(|other| name == *other) {
            continue;
        }
        if kind.is_dir() {
            collect(root, &path, files)?;
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            let below = path.strip_prefix(root).unwrap_or(&path);
            files.push(SourceFile {
                path: below.to_string_lossy().into_owned(),
                size: bytes.len() as u64,
                text: String::from_utf8(bytes)
                    .ok()
                    .filter(|text| !text.contains('\0')),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
impl SourceFile {
    /// A made-up file for the tests of rules.
    pub fn made_up(path: &str, text: &str) -> SourceFile {
        SourceFile {
            path: path.to_owned(),
            size: text.len() as u64,
            text: Some(text.to_owned()),
        }
    }
}
