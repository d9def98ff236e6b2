//! An examination for people: each finding with evidence and remedy, the worst first, and what was not looked at.

use cutover_model::Severity;
use cutover_model::doctor::{Diagnosis, DoctorReport};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{clipped, counted, foreign, safe, wrapped};

/// Remedies are statements to be copied.
const LINE_MAX: usize = 4000;

/// The report as text with a final line break.
pub fn doctor(report: &DoctorReport, look: Look) -> String {
    let mut text = String::new();
    for part in &report.looked_at {
        text.push_str(&(wrapped(&clipped(part, LINE_MAX), "looked at ", "  ", look.width) + "\n"));
    }
    for finding in &report.findings {
        text.push_str(&block(finding, look));
    }
    for part in &report.not_looked_at {
        let code = part
            .code
            .as_deref()
            .map_or_else(String::new, |code| format!(" [{}]", safe(code)));
        let line = format!(
            "{}: {}{code}",
            foreign(&part.part),
            clipped(&part.why, LINE_MAX)
        );
        let word = look.doubtful("not looked at");
        text.push_str(&(wrapped(&line, &format!("{word} "), "  ", look.width) + "\n"));
    }
    let number = |severity: Severity| {
        let same = report
            .findings
            .iter()
            .filter(|finding| finding.severity == severity);
        counted(same.count() as u64, &severity.to_string())
    };
    let counts = [Severity::Error, Severity::Warning, Severity::Note]
        .map(number)
        .join(", ");
    let errors = report
        .findings
        .iter()
        .any(|finding| finding.severity == Severity::Error);
    let word = match (errors, report.not_looked_at.is_empty()) {
        (true, _) => look.bad("REFUSED"),
        (false, true) => look.good("OK"),
        (false, false) => look.doubtful("UNKNOWN"),
    };
    text + &format!("{word}: {counts}\n")
}

/// The report as indented JSON with a final line break.
pub fn doctor_json(report: &DoctorReport) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn block(finding: &Diagnosis, look: Look) -> String {
    let word = finding.severity.to_string();
    let word = match finding.severity {
        Severity::Error => look.bad(&word),
        Severity::Warning => look.doubtful(&word),
        Severity::Note => word,
    };
    let paragraph = |words: &str| wrapped(words, "  ", "    ", look.width) + "\n";
    let head = format!(
        "{word} {} {}\n",
        safe(&finding.code),
        foreign(&finding.subject)
    );
    let evidence = paragraph(&clipped(&finding.evidence, LINE_MAX));
    head + &evidence + &paragraph(&format!("remedy: {}", clipped(&finding.remedy, LINE_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation_samples;

    #[test]
    fn findings_evidence_and_remedy_are_shown_and_what_was_not_looked_at() {
        let expected = "\
looked at Kafka Connect at http://h:8083
error CUT-DOC-030 slot s
  it is not \\u{1b}[2Jthere
  remedy: SELECT pg_create_logical_replication_slot('s', 'pgoutput')
not looked at Kafka: nothing says where it is
REFUSED: 1 error, 0 warnings, 0 notes
";
        assert_eq!(doctor(&operation_samples::doctor(), Look::PLAIN), expected);
    }

    #[test]
    fn what_was_not_looked_at_never_passes_for_healthy() {
        let mut report = operation_samples::doctor();
        report.findings.clear();
        assert!(doctor(&report, Look::PLAIN).ends_with("UNKNOWN: 0 errors, 0 warnings, 0 notes\n"));
        report.not_looked_at.clear();
        assert!(doctor(&report, Look::PLAIN).ends_with("OK: 0 errors, 0 warnings, 0 notes\n"));
    }
}
