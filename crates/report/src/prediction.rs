//! A prediction for people: what happens, then why, then what to do; and the same as JSON.
//!
//! The rules it protects: the outcome is a word (colour only repeats it), and every text is escaped, because names of
//! slots, connectors and topics come from outside.

use cutover_model::{PredictedOutcome, Prediction};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{clipped, count, counted, wrapped};

/// Longest reason or remedy shown.
const REASON_MAX: usize = 1000;

/// The prediction as text with a final line break.
pub fn prediction(prediction: &Prediction, look: Look) -> String {
    let mut text = format!(
        "{}: {}\n",
        outcome(prediction.outcome, look),
        meaning(prediction)
    );
    let mut row = |label: &str, words: &str| {
        let first = format!("  {label:<10} ");
        let rest = " ".repeat(first.len());
        text.push_str(&wrapped(words, &first, &rest, look.width));
        text.push('\n');
    };
    if prediction.outcome != PredictedOutcome::Resumes {
        row("lost on", &prediction.loses_on.to_string());
        row("repairable", repairable(prediction.repairable));
    }
    if let Some(known) = prediction.at_stake {
        row("at stake", &counted(known, "event"));
    }
    let shown = |reason: &String| clipped(reason, REASON_MAX);
    for (index, reason) in prediction.because.iter().enumerate() {
        row(if index == 0 { "because" } else { "" }, &shown(reason));
    }
    if let Some(message) = &prediction.message {
        row("it says", &format!("\"{}\"", shown(message)));
    }
    for (index, step) in prediction.remedy.iter().enumerate() {
        let label = if index == 0 { "remedy" } else { "" };
        row(
            label,
            &format!("{}. {}", count(index as u64 + 1), shown(step)),
        );
    }
    text
}

/// The prediction as indented JSON with a final line break.
pub fn prediction_json(prediction: &Prediction) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(prediction).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn outcome(outcome: PredictedOutcome, look: Look) -> String {
    let word = outcome.to_string().to_uppercase();
    match outcome {
        PredictedOutcome::Resumes => look.good(&word),
        PredictedOutcome::Refuses => look.doubtful(&word),
        _ => look.bad(&word),
    }
}

fn meaning(prediction: &Prediction) -> &'static str {
    match prediction.outcome {
        PredictedOutcome::Resumes => "the connector goes on where it stopped",
        PredictedOutcome::Refuses => "the connector fails and delivers nothing until somebody acts",
        PredictedOutcome::Resnapshots => "the connector reads the tables again",
        PredictedOutcome::Skips => "the connector runs, and committed events are not delivered",
        PredictedOutcome::Repeats => "the connector runs, and events are delivered a second time",
    }
}

fn repairable(repairable: bool) -> &'static str {
    if repairable {
        "yes: after a stop, a rewritten offset brings everything"
    } else {
        "no: a rewritten offset does not bring back what is passed over"
    }
}

#[cfg(test)]
mod tests {
    use cutover_model::LosesOn;
    use cutover_model::prediction::PREDICTION_FORMAT;

    use super::*;

    fn sample() -> Prediction {
        Prediction {
            format: PREDICTION_FORMAT.into(),
            outcome: PredictedOutcome::Skips,
            repairable: true,
            loses_on: LosesOn::PassingTheOffset,
            because: vec![
                "the offset 0/9 is ahead of the log 0/1".into(),
                "second".into(),
            ],
            remedy: vec!["stop".into(), "rewrite".into()],
            message: None,
            at_stake: Some(1),
        }
    }

    #[test]
    fn outcome_comes_first_then_reasons_then_remedies() {
        let expected = "\
SKIPS: the connector runs, and committed events are not delivered
  lost on    passing the offset
  repairable yes: after a stop, a rewritten offset brings everything
  at stake   1 event
  because    the offset 0/9 is ahead of the log 0/1
             second
  remedy     1. stop
             2. rewrite
";
        assert_eq!(prediction(&sample(), Look::PLAIN), expected);
    }

    #[test]
    fn hostile_names_are_escaped() {
        let mut hostile = sample();
        hostile.remedy = vec!["drop slot \u{1b}[2J\nrm".into()];
        let text = prediction(&hostile, Look::PLAIN);
        assert!(!text.contains('\u{1b}') && text.contains("\\n"), "{text}");
    }
}
