//! `cutover explain CODE`: what a code or a word of a report means. Needs no network and no server.

use cutover_model::{ExitCode, Failure};
use cutover_report::explain;

use super::Settings;
use crate::output::Outcome;

/// Words that are offered when one is not known.
const NEAREST: usize = 3;

/// Likeness below which nothing is offered.
const LIKE: f64 = 0.6;

/// Explains one word; without one, lists all.
pub fn run(words: &[String], settings: Settings) -> Outcome {
    if words.is_empty() {
        return list(settings);
    }
    let word = words.join(" ");
    match explain::find(&word) {
        Some(one) if settings.json => Outcome::text(format!("{:#}", explain::to_json(one))),
        Some(one) => Outcome::text(explain::told(one)),
        None => Outcome::Failed(unknown(&word)),
    }
}

fn list(settings: Settings) -> Outcome {
    if !settings.json {
        return Outcome::text(explain::list());
    }
    let all: Vec<_> = explain::all().map(explain::to_json).collect();
    let object = serde_json::json!({ "format": "cutover.explanations/1", "explanations": all });
    Outcome::text(format!("{object:#}"))
}

fn unknown(word: &str) -> Failure {
    let lower = word.to_ascii_lowercase();
    let mut scored: Vec<(f64, &str)> = explain::all()
        .map(|one| {
            let like = strsim::jaro_winkler(&lower, &one.code.to_ascii_lowercase());
            (like, one.code)
        })
        .filter(|(like, _)| *like >= LIKE)
        .collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0));
    let near: Vec<&str> = scored.iter().take(NEAREST).map(|(_, code)| *code).collect();
    let remedy = if near.is_empty() {
        "list all of them with `cutover explain`".to_owned()
    } else {
        format!(
            "one of the nearest: {}; `cutover explain` lists all",
            near.join(", ")
        )
    };
    let what = format!("nothing is known of '{word}'");
    Failure::new(ExitCode::Usage, "CLI-EXPLAIN-001", what, remedy)
}
