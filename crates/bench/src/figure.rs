//! Figures as data.

use serde::Serialize;

/// Format name of the result.
pub const BENCH_FORMAT: &str = "cutover.bench/1";

/// Everything that was measured in one run.
#[derive(Debug, Serialize)]
pub struct Bench {
    /// [`BENCH_FORMAT`].
    pub format: &'static str,
    /// The figures, in the order in which they were measured.
    pub figures: Vec<Figure>,
}

/// One measured figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    /// What was measured, one line.
    pub what: String,
    /// The value.
    pub value: f64,
    /// Its unit: `rows/s`, `s`, `MiB`, `×`.
    pub unit: &'static str,
}

impl Figure {
    pub(crate) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure {
            what: what.into(),
            value,
            unit,
        }
    }
}

/// Peak resident memory of this process so far, in bytes, as Linux counts it (`VmHWM`).
pub fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_tells_the_peak() {
        assert!(super::peak_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
