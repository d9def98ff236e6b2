//! A watch, shown in four ways: lines, a screen, a page and metrics. Pure functions of what `model::watch` defines.

mod figures;
pub mod lines;
pub mod metrics;
pub mod page;
mod picture;
#[cfg(test)]
pub(crate) mod samples;
pub mod screen;

use cutover_model::watch::{WatchHistory, WatchReport};

use crate::error::ReportError;

/// A report with what was seen before it.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The newest; absent before the first look has ended.
    pub report: Option<WatchReport>,
    /// What was seen before.
    pub history: WatchHistory,
}

/// One report as JSON: indented, or as one line of a stream. With a final line break.
pub fn watch_json(report: &WatchReport, indented: bool) -> Result<String, ReportError> {
    let text = if indented {
        serde_json::to_string_pretty(report)
    } else {
        serde_json::to_string(report)
    };
    Ok(text.map_err(ReportError::Json)? + "\n")
}
