//! What a stream needs on a server, for people: each thing with what was found, and the statement that makes it.

use cutover_model::setup::{SetupItem, SetupReport, SetupState};

use crate::error::ReportError;
use crate::look::Look;
use crate::text::{clipped, counted, foreign, wrapped};

/// Statements are to be copied, so they are not cut where other texts are.
const STATEMENT_MAX: usize = 4000;

/// The report as text with a final line break.
pub fn setup(report: &SetupReport, look: Look) -> String {
    let mut text = look.bold(&foreign(&report.server)) + "\n";
    for item in &report.items {
        text.push_str(&block(item, look));
    }
    let number = |state: SetupState| {
        let same = report.items.iter().filter(|item| item.state == state);
        same.count() as u64
    };
    let (wanted, made) = (number(SetupState::Wanted), number(SetupState::Made));
    text.push_str(&match number(SetupState::InTheWay) {
        0 if made > 0 => format!("{}: {} made\n", look.good("OK"), counted(made, "thing")),
        0 if wanted == 0 => format!("{}: everything is there\n", look.good("OK")),
        0 => format!(
            "{}: {} to be made, which --apply does\n",
            look.doubtful("PLAN"),
            counted(wanted, "thing")
        ),
        blocked => format!(
            "{}: {} in the way; nothing was changed\n",
            look.bad("REFUSED"),
            counted(blocked, "thing")
        ),
    });
    text
}

/// The report as indented JSON with a final line break.
pub fn setup_json(report: &SetupReport) -> Result<String, ReportError> {
    let mut text = serde_json::to_string_pretty(report).map_err(ReportError::Json)?;
    text.push('\n');
    Ok(text)
}

fn block(item: &SetupItem, look: Look) -> String {
    let word = item.state.to_string();
    let word = match item.state {
        SetupState::Present | SetupState::Made => look.good(&word),
        SetupState::Wanted => look.doubtful(&word),
        SetupState::InTheWay => look.bad(&word),
    };
    let mut text = format!(
        "{word}: {}, {}\n",
        foreign(&item.subject),
        foreign(&item.found)
    );
    if let Some(statement) = &item.statement {
        text.push_str(&format!("  {};\n", clipped(statement, STATEMENT_MAX)));
    }
    if let Some(remedy) = &item.remedy {
        let line = format!("remedy: {}", clipped(remedy, STATEMENT_MAX));
        text.push_str(&(wrapped(&line, "  ", "    ", look.width) + "\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation_samples;

    #[test]
    fn what_was_found_stands_beside_what_would_be_done() {
        let expected = "\
u@h:5432/d
present: server, PostgreSQL 17.1, wal_level logical
wanted: slot s, not there
  SELECT pg_create_logical_replication_slot('s', 'pgoutput');
PLAN: 1 thing to be made, which --apply does
";
        assert_eq!(setup(&operation_samples::setup(), Look::PLAIN), expected);
    }

    #[test]
    fn what_is_in_the_way_is_counted_and_comes_with_its_remedy() {
        let mut report = operation_samples::setup();
        report.items[1].state = SetupState::InTheWay;
        report.items[1].statement = None;
        report.items[1].remedy = Some("choose another name".into());
        let text = setup(&report, Look::PLAIN);
        assert!(text.contains("  remedy: choose another name\n"), "{text}");
        assert!(
            text.ends_with("REFUSED: 1 thing in the way; nothing was changed\n"),
            "{text}"
        );
    }
}
