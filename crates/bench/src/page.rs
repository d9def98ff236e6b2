//! How long a browser takes to open a page of ours, beside a blank one: the difference is the page's own part, the rest
//! is the start of the browser.
//!
//! The browser is Chromium without a window. It ends once it has painted the page and written the picture, so what is
//! measured is reading, laying out and painting together.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::BenchError;
use crate::figure::Figure;
use crate::server::{scratch, timed};

const ROUNDS: usize = 7;
/// Wide enough that nothing is hidden, and longer than a screen.
const WINDOW: &str = "--window-size=1280,2400";
/// Seconds after which a browser that hangs is ended.
const LIMIT: &str = "60";
const BLANK: &str = "<!doctype html><title>blank</title>";

/// What to open, and with what.
#[derive(Debug, Clone)]
pub struct PageBench {
    /// An HTML file.
    pub page: PathBuf,
    /// Chromium, or a browser that takes its arguments.
    pub browser: String,
}

/// Opens the page and a blank one in turn; the median of each counts.
///
/// # Errors
/// The page or the browser is not there, or the browser paints nothing.
pub fn page(bench: &PageBench) -> Result<Vec<Figure>, BenchError> {
    let absent = |source| BenchError::Page {
        path: bench.page.display().to_string(),
        source,
    };
    let page = std::fs::canonicalize(&bench.page).map_err(absent)?;
    let size = std::fs::metadata(&page).map_err(absent)?.len();
    let scratch = scratch(&std::env::temp_dir())?;
    let blank = scratch.path().join("blank.html");
    std::fs::write(&blank, BLANK).map_err(|source| BenchError::Folder {
        action: "write",
        path: blank.display().to_string(),
        source,
    })?;
    let open = |page: &Path| opened(&bench.browser, page, scratch.path());
    // The first start makes the browser's profile.
    open(&blank)?;
    let (mut ours, mut nothing) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        nothing.push(open(&blank)?);
        ours.push(open(&page)?);
    }
    let (ours, nothing) = (median(ours), median(nothing));
    let mib = size as f64 / f64::from(1 << 20);
    Ok(vec![
        Figure::new("the page on disk", mib, "MiB"),
        Figure::new("the browser started, the page painted", ours, "s"),
        Figure::new("the browser started, a blank page painted", nothing, "s"),
        Figure::new("what the page itself takes", ours - nothing, "s"),
    ])
}

fn opened(browser: &str, page: &Path, scratch: &Path) -> Result<f64, BenchError> {
    let picture = scratch.join("picture.png");
    let mut command = Command::new("timeout");
    command
        .args([LIMIT, browser])
        .args(["--headless", "--no-sandbox", "--disable-gpu", WINDOW])
        .arg(format!(
            "--user-data-dir={}",
            scratch.join("profile").display()
        ))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(page)
        .stdin(Stdio::null());
    let (seconds, _) = timed(command, browser)?;
    let painted = std::fs::metadata(&picture).is_ok_and(|picture| picture.len() > 0);
    // Each round has to paint for itself.
    let removed = std::fs::remove_file(&picture).is_ok();
    if painted && removed {
        return Ok(seconds);
    }
    Err(BenchError::Void(format!(
        "{browser} painted nothing of {}",
        page.display()
    )))
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bench(page: &Path, browser: &str) -> Result<Vec<Figure>, BenchError> {
        let (page, browser) = (page.to_owned(), browser.to_owned());
        super::page(&PageBench { page, browser })
    }

    #[test]
    fn a_page_that_is_not_there_and_a_browser_that_paints_nothing_give_no_figure() {
        let absent = bench(Path::new("/nowhere/report.html"), "chromium");
        assert!(matches!(absent, Err(BenchError::Page { .. })));
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let page = folder.path().join("page.html");
        assert!(std::fs::write(&page, BLANK).is_ok());
        let idle = bench(&page, "true");
        assert!(matches!(idle, Err(BenchError::Void(_))));
        let absent = bench(&page, "/nowhere/browser");
        assert!(matches!(absent, Err(BenchError::Tool(_))));
    }

    #[test]
    fn the_median_is_the_one_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
