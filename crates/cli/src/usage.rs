//! A command line that is none, as an error like any other: with a code, a cause and the next thing to do.
//!
//! clap says it to people in its own words; this is the same for programs.

use std::ffi::OsString;

use clap::error::ErrorKind;
use cutover_model::{ExitCode, Failure};

const CODE: &str = "CLI-USAGE-001";

/// Whether the words ask for JSON. They could not be parsed, so they are only looked through.
pub fn asks_for_json(words: impl IntoIterator<Item = OsString>) -> bool {
    let mut before = OsString::new();
    for word in words {
        if word == "--" {
            return false;
        }
        if word == "--output=json" || before == "--output" && word == "json" {
            return true;
        }
        before = word;
    }
    false
}

/// What clap found.
pub fn failure(error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let what = "a command is missing";
        return Failure::new(ExitCode::Usage, CODE, what, "`--help` lists the commands");
    }
    let text = error.render().to_string();
    let mut paragraphs = text.split("\n\n").map(one_line);
    let first = paragraphs.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(&first);
    let mut failure = Failure::new(ExitCode::Usage, CODE, what, "");
    let mut remedy = "`--help` says what a command takes".to_owned();
    for paragraph in paragraphs {
        if let Some(tip) = paragraph.strip_prefix("tip: ") {
            failure = failure.because(tip);
        } else if let Some(usage) = paragraph.strip_prefix("Usage: ") {
            remedy = format!("call it as {usage}; {remedy}");
        }
    }
    failure.remedy = Some(remedy);
    failure
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Arguments;

    fn of(line: &str) -> Failure {
        let words = line.split(' ');
        failure(&Arguments::try_parse_from(words).unwrap_err())
    }

    #[test]
    fn what_clap_says_is_taken_apart() {
        let typing = of("cutover rehearse --sead 1");
        assert_eq!(typing.what(), "unexpected argument '--sead' found");
        assert!(typing.causes[0].contains("'--seed'"), "{typing:?}");
        assert!(typing.remedy.unwrap().contains("cutover rehearse"));
        assert!(of("cutover compare").what().contains("<DATABASE>"));
        assert!(of("cutover rehearze").causes[0].contains("'rehearse'"));
        assert!(of("cutover lint --config x").what().contains("--debezium"));
        assert_eq!(of("cutover lab").what(), "a command is missing");
        let value = of("cutover --output yaml explain");
        assert!(value.what().contains("'yaml'") && value.what().contains("json"));
    }

    #[test]
    fn json_is_asked_for_in_both_spellings_and_not_behind_dashes() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(OsString::from));
        assert!(asks("cutover --output json x") && asks("cutover x --output=json"));
        assert!(!asks("cutover --output text json"));
        assert!(!asks("cutover explain -- --output json"));
    }
}
