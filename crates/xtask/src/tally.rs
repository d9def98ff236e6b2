//! Counts tests from the summary lines that the test harness prints.

use std::fmt;
use std::ops::AddAssign;

/// How many tests did what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Test binaries that printed a summary.
    pub binaries: u64,
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Not run because they are marked so.
    pub ignored: u64,
}

impl Tally {
    /// Takes a line of output; summaries look like `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
    pub fn read(&mut self, line: &str) {
        let Some(summary) = line.trim().strip_prefix("test result: ") else {
            return;
        };
        let numbers = summary.split_once(". ").map_or("", |(_, numbers)| numbers);
        let of = |word: &str| -> u64 {
            let part = numbers
                .split(';')
                .find_map(|part| part.trim().strip_suffix(word));
            part.and_then(|number| number.trim().parse().ok())
                .unwrap_or(0)
        };
        self.binaries += 1;
        self.passed += of("passed");
        self.failed += of("failed");
        self.ignored += of("ignored");
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.binaries += other.binaries;
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} ignored",
            self.passed, self.failed, self.ignored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_add_up_and_other_lines_do_not_count() {
        let mut tally = Tally::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test a::b ... FAILED",
            "test result: FAILED. 12 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            tally.read(line);
        }
        assert_eq!(
            tally,
            Tally {
                binaries: 2,
                passed: 15,
                failed: 2,
                ignored: 1
            }
        );
        assert_eq!(tally.to_string(), "15 passed, 2 failed, 1 ignored");
    }
}
