//! The ends of log files: what an error quotes, and what `lab logs` shows.

use std::fs::File;
use std::path::Path;

/// How much of a log is read for its last lines.
const TAIL_BYTES_MAX: u64 = 64 * 1024;

/// The last lines of a log, as they are.
pub fn tail(path: &Path, lines: usize) -> String {
    let text = read_tail(path, 0);
    let kept: Vec<&str> = text.lines().collect();
    kept[kept.len().saturating_sub(lines)..].join("\n")
}

/// The last lines of a text that say something, joined into one line.
pub(crate) fn last_lines(text: &str, lines: usize) -> String {
    let kept: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if kept.is_empty() {
        return "it logged nothing".to_owned();
    }
    kept[kept.len().saturating_sub(lines)..].join(" | ")
}

/// What was logged from a place on, the end of it if that is much; nothing when it cannot be read.
pub(crate) fn read_tail(path: &Path, from: u64) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let end = file.metadata()?.len();
        file.seek(SeekFrom::Start(
            from.max(end.saturating_sub(TAIL_BYTES_MAX)),
        ))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_lines_skip_what_says_nothing() {
        assert_eq!(last_lines("a\n\n b \n\n", 1), "b");
        assert_eq!(last_lines("a\n\n b \n\n", 5), "a | b");
        assert_eq!(last_lines("\n", 5), "it logged nothing");
    }

    #[test]
    fn tail_of_a_log_that_is_not_there_is_empty() {
        assert_eq!(tail(Path::new("/no/such/log"), 5), "");
    }
}
