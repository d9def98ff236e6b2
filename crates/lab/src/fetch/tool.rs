//! Running a package tool: telling how far it is, and what it said when it fails.

use std::path::Path;
use std::time::{Duration, Instant};

use cutover_clients::wait;
use cutover_model::EventKind;

use super::Job;
use crate::error::LabError;
use crate::spawn::{self, Launch, RunEnd};

/// How long one call may take.
const TOOL_DEADLINE: Duration = Duration::from_secs(15 * 60);
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Longest quotation of a tool in an error.
const QUOTE_CHARS_MAX: usize = 600;

impl Job<'_> {
    /// Runs a package tool, telling how much has arrived in `watched`.
    pub(super) async fn run(
        &self,
        launch: Launch,
        tool: &str,
        watched: &Path,
    ) -> Result<RunEnd, LabError> {
        let end = tokio::select! {
            end = spawn::run(launch, TOOL_DEADLINE) => end?,
            full = self.tell_progress(watched) => return Err(full),
        };
        if end.status.success() {
            Ok(end)
        } else {
            Err(self.failed(tool, &end))
        }
    }

    /// Tells how much has arrived, until dropped. Ends only when the disk is full: apt-get then
    /// tries for ever.
    async fn tell_progress(&self, watched: &Path) -> LabError {
        let started = Instant::now();
        let before = bytes_below(watched);
        let total = self.part.download_mib * 1024 * 1024;
        loop {
            wait::pause(PROGRESS_EVERY).await;
            if free_mib(self.root) == Some(0) {
                return LabError::DiskFull {
                    path: self.root.to_owned(),
                };
            }
            let done = bytes_below(watched).saturating_sub(before);
            self.events.emit(EventKind::Progress {
                what: format!("fetching {} (bytes)", self.part.label()),
                done,
                total: Some(total.max(done)),
                rate: Some(done as f64 / started.elapsed().as_secs_f64()),
                lag_bytes: None,
            });
        }
    }

    /// The error of a package tool that failed.
    pub(super) fn failed(&self, tool: &str, end: &RunEnd) -> LabError {
        if end.output.contains("No space left on device") {
            return LabError::DiskFull {
                path: self.root.to_owned(),
            };
        }
        LabError::Fetch {
            tool: tool.to_owned(),
            part: self.part.label(),
            status: end.ended(),
            last_lines: errors_first(&end.output),
        }
    }
}

/// Refuses before anything is written when the disk is too small for it.
pub(super) fn require_space(folder: &Path, needed_mib: u64) -> Result<(), LabError> {
    match free_mib(folder) {
        Some(free_mib) if free_mib < needed_mib => Err(LabError::TooLittleSpace {
            path: folder.to_owned(),
            free_mib,
            needed_mib,
        }),
        _ => Ok(()),
    }
}

/// Free space for us on the device that holds a folder; `None` where the system does not tell.
fn free_mib(folder: &Path) -> Option<u64> {
    let found = nix::sys::statvfs::statvfs(folder).ok()?;
    Some(found.blocks_available() * found.fragment_size() / (1024 * 1024))
}

fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(found) if found.is_dir() => bytes_below(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Of what a tool printed, the lines that say what is wrong; without any, the last ones.
fn errors_first(output: &str) -> String {
    let plain = without_colours(output);
    let lines: Vec<&str> = plain
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let says = |line: &&&str| {
        let lower = line.to_lowercase();
        let marked = ["error", "[error]", "e:"]
            .iter()
            .any(|start| lower.starts_with(start));
        // Maven's advice on how to learn more is marked as an error too.
        let advice = [
            "re-run maven",
            "for more information about the errors",
            "[help 1] ",
        ];
        let is_advice = advice.iter().any(|text| lower.contains(text)) && lower.len() < 150;
        marked && line.len() > 12 && !is_advice
    };
    let errors: Vec<&str> = lines.iter().filter(says).copied().take(3).collect();
    let chosen = if errors.is_empty() {
        &lines[lines.len().saturating_sub(3)..]
    } else {
        &errors
    };
    chosen.join(" | ").chars().take(QUOTE_CHARS_MAX).collect()
}

/// Drops the escape sequences with which tools colour their output.
fn without_colours(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let sequence = part.find(|letter: char| letter.is_ascii_alphabetic());
        plain + sequence.map_or(part, |end| &part[end + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cutover_model::{Classified, ExitCode};

    #[test]
    fn lines_that_name_the_error_come_before_the_advice_after_them() {
        let output = "\u{1b}[0m\u{1b}[1m[ERROR] Failed: Unknown host\n[ERROR] \n\
                      [ERROR] To see the full stack trace of the errors, re-run Maven with -e\n";
        assert_eq!(errors_first(output), "[ERROR] Failed: Unknown host");
        assert_eq!(errors_first("a\nb\nc\nd\n"), "b | c | d");
        assert_eq!(
            errors_first("E: Unable to locate package"),
            "E: Unable to locate package"
        );
    }

    #[test]
    fn disk_that_is_too_small_is_refused_before_anything_is_written() {
        let error = require_space(Path::new("/"), u64::MAX).unwrap_err();
        assert_eq!(
            (error.code(), error.exit_code()),
            ("LAB-DISK-002", ExitCode::Refused)
        );
        assert!(require_space(Path::new("/"), 0).is_ok());
    }
}
