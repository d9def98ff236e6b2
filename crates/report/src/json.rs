//! The result for other programs: `--output json` on stdout and `report.json` in the run folder.
//!
//! The shape is `model::result`, written down in `docs/schema/result-1.schema.json`. The rule it protects:
//! fields are added, never renamed or removed, so a reader of today understands a report of tomorrow.

use cutover_model::RunEvent;
use cutover_model::result::RunResult;

use crate::error::ReportError;

/// The result as indented JSON with a final line break.
pub fn to_json(result: &RunResult) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(result).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

/// One event as one line of `events.jsonl`, line break included.
pub fn event_line(event: &RunEvent) -> Result<String, ReportError> {
    let mut line = serde_json::to_string(event).map_err(ReportError::Json)?;
    line.push('\n');
    Ok(line)
}

#[cfg(test)]
mod agree;
#[cfg(test)]
mod tests;
