//! A gap for people: what is apart, how each part can be closed, the first keys, the signals; and the same as JSON.
//!
//! The rules it protects: state and history are not mixed up, what is left out is said, and every text is escaped,
//! because keys and names come from outside. Signals are printed whole, since they are to be copied.

use cutover_model::gap::{GapAction, GapReport, KeyGap, KeyTrouble};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{clipped, count, counted, safe, wrapped};

/// Keys that the text lists; JSON has more.
const KEYS_SHOWN: usize = 20;

/// Signals that the text prints; JSON has all.
const SIGNALS_SHOWN: usize = 3;

/// Longest key or reason shown.
const TEXT_MAX: usize = 1000;

/// The gap as text with a final line break.
pub fn gap(report: &GapReport, look: Look) -> String {
    let mut text = format!("{}\n", headline(report, look));
    let mut row = |label: &str, words: &str| {
        let first = format!("  {label:<10} ");
        let rest = " ".repeat(first.len());
        text.push_str(&wrapped(words, &first, &rest, look.width));
        text.push('\n');
    };
    if let Some(written) = &report.written {
        row("written", &written_words(written));
    }
    if report.action == GapAction::DryRun {
        row("plan", &counted(report.planned_records, "record"));
    }
    if report.lost.is_some() || report.phantom.is_some() {
        let known = |amount: Option<u64>| amount.map_or_else(|| "not known".to_owned(), count);
        let (lost, phantom) = (known(report.lost), known(report.phantom));
        row("events", &format!("lost {lost}, phantom {phantom}"));
    }
    row("keys", &key_words(report));
    for (index, part) in report.parts.iter().enumerate() {
        let label = if index == 0 { "closing" } else { "" };
        let amount = count(part.amount);
        row(
            label,
            &format!(
                "{amount} {}: {}, {}",
                safe(&part.part),
                part.closure,
                part.how
            ),
        );
    }
    for table in &report.keyless {
        let (many, few) = (count(table.too_many), count(table.too_few));
        let relation = safe(&table.relation);
        row(
            "no key",
            &format!("{relation}: {many} rows too many in the topic, {few} too few"),
        );
    }
    for reason in &report.reasons {
        row("note", &clipped(reason, TEXT_MAX));
    }
    text.push_str(&keys(report));
    text.push_str(&signals(report));
    text
}

/// The gap as indented JSON with a final line break.
pub fn gap_json(report: &GapReport) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn headline(report: &GapReport, look: Look) -> String {
    let wrong = report.keys.wrong();
    let states = counted(wrong, "key");
    let events = report.lost.unwrap_or(0) + report.phantom.unwrap_or(0);
    let state = match (wrong, report.keyless.is_empty()) {
        (0, true) if report.keys.newer > 0 => format!(
            "{} of the run's gap with newer records than the run",
            counted(report.keys.newer, "key")
        ),
        (0, true) if events > 0 => {
            "events are lost or phantom, and every known state is right".to_owned()
        }
        (0, true) => "every known state in the topics is the one in the tables".to_owned(),
        (0, false) => "a table without key has other rows than its topic".to_owned(),
        _ => format!("{states} with another state in the topics than in the tables"),
    };
    let word = match (report.action, report.exit_code) {
        (GapAction::Refused, _) => look.doubtful("REFUSED"),
        (GapAction::Applied, 0) => look.good("CLOSED"),
        (_, 0) => look.good("NO GAP"),
        (_, 5) => look.doubtful("UNKNOWN"),
        _ => look.bad("GAP"),
    };
    format!("{word}: {state}")
}

fn written_words(written: &cutover_model::gap::Written) -> String {
    if written.records == 0 {
        return "nothing, there was nothing to write".to_owned();
    }
    let mut words = format!(
        "{} for {}, marked {}",
        counted(written.records, "record"),
        counted(written.keys, "key"),
        safe(&written.token)
    );
    if written.overtaken > 0 {
        let left = counted(written.overtaken, "key");
        words.push_str(&format!("; {left} left out, the stream was faster"));
    }
    words
}

fn key_words(report: &GapReport) -> String {
    let mut words: Vec<String> = KeyTrouble::ALL
        .into_iter()
        .filter(|trouble| *trouble != KeyTrouble::Unfinished || report.keys.of(*trouble) > 0)
        .map(|trouble| format!("{} {}", trouble.name(), count(report.keys.of(trouble))))
        .collect();
    if report.keys.newer > 0 {
        words.push(format!("with newer records {}", count(report.keys.newer)));
    }
    let (records, reread, no) = (
        count(report.closable.by_records),
        count(report.closable.by_reread),
        count(report.closable.no),
    );
    format!(
        "{}; closable by records {records}, by re-reading {reread}, not at all {no}",
        words.join(", ")
    )
}

fn keys(report: &GapReport) -> String {
    let mut text = String::new();
    for key in report.listed_keys.iter().take(KEYS_SHOWN) {
        text.push_str(&format!("{}\n", key_line(key)));
    }
    let listed = report.listed_keys.len();
    let more = listed.saturating_sub(KEYS_SHOWN) as u64;
    if more > 0 {
        let more = counted(more, "more key");
        text.push_str(&format!("  … {more} in --output json\n"));
    }
    text
}

fn key_line(key: &KeyGap) -> String {
    let place = key.last.as_ref().map_or_else(
        || "no record".to_owned(),
        |place| {
            let op = key.last_op.as_deref().unwrap_or("?");
            format!("last {} at {}", safe(op), safe(&place.to_string()))
        },
    );
    let writes = if key.writes.is_empty() {
        key.closure.to_string()
    } else {
        let source = key
            .source_offset
            .map_or_else(String::new, |offset| format!(" from offset {offset}"));
        format!("write {}{source}", key.writes.join(" "))
    };
    format!(
        "  {:<10} {} {}: {place}; {}",
        key.trouble.name(),
        safe(&key.relation),
        clipped(&key.key, TEXT_MAX),
        if key.newer { "left alone" } else { &writes }
    )
}

fn signals(report: &GapReport) -> String {
    let mut text = String::new();
    for signal in report.signals.iter().take(SIGNALS_SHOWN) {
        let keys = counted(signal.keys, "key");
        let json = safe(&signal.signal.to_string());
        text.push_str(&format!(
            "  signal for {keys} of {}:\n  {json}\n",
            safe(&signal.relation)
        ));
    }
    let more = report.signals.len().saturating_sub(SIGNALS_SHOWN) as u64;
    if more > 0 {
        text.push_str(&format!(
            "  … {} in --output json\n",
            counted(more, "more signal")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::samples;

    use super::*;

    #[test]
    fn the_state_comes_first_then_what_can_be_done() {
        let text = gap(&samples::gap(), Look::PLAIN);
        let expected = "\
GAP: 1 key with another state in the topics than in the tables
  plan       2 records
  events     lost 0, phantom 1
  keys       ghost 1, missing 0, stale 0; closable by records 1, by re-reading 0, not at all 0
  closing    1 ghost keys: by records, a delete
  no key     public.log: 1 rows too many in the topic, 0 too few
  note       nothing was written
  ghost      public.orders {\"id\":\"\\u{1b}\"}: last u at t/0/9; write d x
  signal for 1 key of public.orders:
  {\"type\":\"execute-snapshot\"}
";
        assert_eq!(text, expected);
    }
}
