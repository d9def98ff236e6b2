//! A command that failed, for people on stderr and as one object on stdout (`cutover.failure/1`).
//!
//! Last stop of every error. The rule it protects: whoever reads a failure learns the next thing to do, since a code
//! without a remedy of its own has what `cutover explain` says of it.

use cutover_model::Failure;
use serde_json::json;

use crate::explain;
use crate::text::safe;

/// Format name.
pub const FAILURE_FORMAT: &str = "cutover.failure/1";

/// The next thing to do.
pub fn remedy(failure: &Failure) -> &str {
    let told = || explain::find(&failure.code).map(|one| one.do_next);
    let own = failure.remedy.as_deref().filter(|own| !own.is_empty());
    own.or_else(told)
        .unwrap_or("report it as a defect of cutover: there is no text for its code")
}

/// What failed and why, the next thing to do, the code.
pub fn failure_text(failure: &Failure) -> String {
    format!(
        "error: {}\n  try: {}\n  {}",
        safe_lines(&failure.message),
        safe_lines(remedy(failure)),
        code_line(failure),
    )
}

/// The last line, which programs that read the text look for.
pub fn code_line(failure: &Failure) -> String {
    format!("code: {} (exit {})\n", failure.code, failure.exit.number())
}

/// One object in one line, so that it can end a result that comes line by line.
pub fn failure_json(failure: &Failure) -> String {
    let told = explain::find(&failure.code);
    let object = json!({
        "format": FAILURE_FORMAT,
        "code": failure.code,
        "exit_code": failure.exit.number(),
        "what": failure.what(),
        "causes": failure.causes,
        "message": failure.message,
        "look_at": told.map(|one| one.look_at),
        "likely_cause": told.map(|one| one.likely_cause),
        "remedy": remedy(failure),
    });
    format!("{object}\n")
}

fn safe_lines(text: &str) -> String {
    text.lines().map(safe).collect::<Vec<_>>().join("\n  ")
}

#[cfg(test)]
mod tests {
    use cutover_model::ExitCode;

    use super::*;

    fn bare(code: &str) -> Failure {
        Failure {
            remedy: None,
            ..Failure::new(ExitCode::Unknown, code, "read \u{1b}[2Jx", "")
        }
    }

    #[test]
    fn no_code_is_printed_without_the_next_thing_to_do() {
        for one in explain::all().filter(|one| one.family == explain::Family::Error) {
            for failure in [
                bare(one.code),
                Failure::new(ExitCode::Usage, one.code, "x", ""),
            ] {
                let text = failure_text(&failure);
                let line = text.lines().nth(1).unwrap_or_default();
                assert!(line.starts_with("  try: ") && line.len() > 12, "{text}");
                assert!(text.ends_with(&code_line(&failure)), "{text}");
            }
        }
    }

    #[test]
    fn a_remedy_of_its_own_goes_before_that_of_its_code() {
        let failure = Failure::new(ExitCode::Unknown, "KAFKA-READ-001", "x", "do this");
        assert_eq!(remedy(&failure), "do this");
        assert_ne!(remedy(&bare("KAFKA-READ-001")), "do this");
    }

    #[test]
    fn foreign_text_steers_no_terminal() {
        let text = failure_text(&bare("KAFKA-READ-001").because("a\u{7}b"));
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text}");
    }
}
