//! Lints of a configuration for people: one block each, worst first, and what a translation changed.
//!
//! The rule it protects: every value is escaped, and of the configuration only what `model::lint` holds is shown,
//! which leaves out secrets.

use cutover_model::lint::{Change, Lint, LintReport, Severity};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{counted, foreign, safe, wrapped};

/// The lints as text with a final line break.
pub fn lint(report: &LintReport, look: Look) -> String {
    let mut text = String::new();
    if let Some(translation) = &report.translation {
        let (from, to) = (safe(&translation.from), safe(&translation.to));
        let changed = counted(translation.changes.len() as u64, "option");
        text.push_str(&look.bold(&format!(
            "translated from Debezium {from} to {to}: {changed} changed"
        )));
        text.push('\n');
        for change in &translation.changes {
            text.push_str(&paragraph(&change_words(change), "  ", look));
        }
        text.push('\n');
    }
    for lint in &report.lints {
        text.push_str(&block(lint, look));
    }
    text.push_str(&closing(report, look));
    text
}

/// The lints as indented JSON with a final line break.
pub fn lint_json(report: &LintReport) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn paragraph(words: &str, indent: &str, look: Look) -> String {
    let rest = format!("{indent}  ");
    wrapped(words, indent, &rest, look.width) + "\n"
}

fn change_words(change: &Change) -> String {
    let shown = |value: &Option<String>| {
        value
            .as_deref()
            .map_or_else(|| "absent".to_owned(), foreign)
    };
    let note = if change.exact {
        ""
    } else {
        "; NOT the same as before"
    };
    format!(
        "{}: {} -> {} ({}{note})",
        foreign(&change.option),
        shown(&change.before),
        shown(&change.after),
        foreign(&change.why)
    )
}

fn block(lint: &Lint, look: Look) -> String {
    let word = lint.severity.to_string();
    let word = match lint.severity {
        Severity::Error => look.bad(&word),
        Severity::Warning => look.doubtful(&word),
        Severity::Note => word,
    };
    let head = format!("{word} {} {}\n", safe(&lint.code), foreign(&lint.option));
    let message = paragraph(&foreign(&lint.message), "  ", look);
    let remedy = paragraph(&format!("remedy: {}", foreign(&lint.remedy)), "  ", look);
    head + &message + &remedy
}

fn closing(report: &LintReport, look: Look) -> String {
    let number = |severity: Severity| {
        let same = report.lints.iter().filter(|lint| lint.severity == severity);
        counted(same.count() as u64, &severity.to_string())
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(number)
        .join(", ");
    let word = match report.worst() {
        Some(Severity::Error) => look.bad("REFUSED"),
        _ => look.good("OK"),
    };
    format!("{word}: {counts} for Debezium {}\n", safe(&report.debezium))
}

#[cfg(test)]
mod tests {
    use cutover_model::lint::{LINT_FORMAT, Translation};

    use super::*;

    fn sample() -> LintReport {
        LintReport {
            format: LINT_FORMAT.into(),
            debezium: "3.6.3".into(),
            lints: vec![Lint {
                code: "CUT-LINT-003".into(),
                severity: Severity::Error,
                option: "snapshot.mode".into(),
                message: "refuses 'ne\u{1b}[1mver'".into(),
                remedy: "set it".into(),
            }],
            translation: Some(Translation {
                from: "2.4.0".into(),
                to: "3.6.3".into(),
                config: [("topic.prefix".to_owned(), "a".to_owned())].into(),
                withheld: vec!["database.password".into()],
                changes: vec![Change {
                    option: "flush.lsn.source".into(),
                    before: Some("true".into()),
                    after: None,
                    why: "deprecated since 3.4".into(),
                    exact: false,
                }],
            }),
        }
    }

    #[test]
    fn changes_lints_and_counts_are_shown_without_escape_sequences() {
        let text = lint(&sample(), Look::PLAIN);
        let expected = "\
translated from Debezium 2.4.0 to 3.6.3: 1 option changed
  flush.lsn.source: true -> absent (deprecated since 3.4; NOT the same as before)

error CUT-LINT-003 snapshot.mode
  refuses 'ne\\u{1b}[1mver'
  remedy: set it
REFUSED: 1 error, 0 warnings, 0 notes for Debezium 3.6.3
";
        assert_eq!(text, expected);
    }

    #[test]
    fn nothing_found_is_said_as_well() {
        let mut clean = sample();
        clean.lints.clear();
        clean.translation = None;
        assert_eq!(
            lint(&clean, Look::PLAIN),
            "OK: 0 errors, 0 warnings, 0 notes for Debezium 3.6.3\n"
        );
    }
}
