//! The result for other programs: `--output json` on stdout and `report.json` in the run folder.
//!
//! The shape is `model::result` with the story of each scenario, written down in
//! `docs/schema/result-1.schema.json`. The rule it protects: fields are added, never renamed or removed, so a reader of
//! today understands a report of tomorrow.

mod story;

use cutover_model::result::{RunResult, ScenarioResult};
use cutover_model::{RunEvent, RunStory, Verdict};
use serde::Serialize;

use crate::error::ReportError;

/// A result with the story of each of its scenarios.
#[derive(Serialize)]
struct Told<'a> {
    format: &'a str,
    verdict: Verdict,
    exit_code: u8,
    scenarios: Vec<ToldScenario<'a>>,
}

/// Written only: what reads a result again reads its story again from the run folder.
#[derive(Serialize)]
struct ToldScenario<'a> {
    #[serde(flatten)]
    result: &'a ScenarioResult,
    story: serde_json::Value,
}

/// The result as indented JSON with a final line break; `stories` are those of its scenarios, in their order.
pub fn to_json(result: &RunResult, stories: &[RunStory]) -> Result<String, ReportError> {
    // Whoever adds a field shall not forget it here.
    let RunResult {
        format,
        verdict,
        exit_code,
        scenarios,
    } = result;
    let told = scenarios.iter().enumerate().map(|(place, result)| {
        let story = stories.get(place).map(story::told);
        ToldScenario {
            result,
            story: story.unwrap_or_default(),
        }
    });
    let told = Told {
        format,
        verdict: *verdict,
        exit_code: *exit_code,
        scenarios: told.collect(),
    };
    let mut text = serde_json::to_string_pretty(&told).map_err(ReportError::Json)?;
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
