//! The closing screen: what a manager reads first, and what an engineer needs to look further.
//!
//! Per scenario: verdict and proof level, versions, counts, the window of refused writes, phases, the run
//! folder, what a baseline loses, findings with their places, and the checks. The rules it protects: the
//! verdict is a word (colour only repeats it), and everything foreign is escaped.

use std::fmt::Write as _;

use cutover_model::plan::RunbookClass;
use cutover_model::result::{CheckResult, RunResult, ScenarioResult};
use cutover_model::{Finding, Lsn, Verdict};

use crate::look::Look;
use crate::telling::words;
use crate::text::{clipped, count, counted, foreign, safe, seconds, wrapped};

/// Findings shown per scenario; all of them are in the run folder.
const FINDINGS_SHOWN: usize = 5;

/// Longest lesson, in characters; scenario files hold it in a few lines.
const LESSON_MAX: usize = 1000;

/// Width of the labels on the left.
const LABEL: usize = 16;

/// Everything the command has to say at its end, with a final line break.
pub fn closing_screen(result: &RunResult, look: Look) -> String {
    let mut screen = String::new();
    for scenario in &result.scenarios {
        screen.push_str(&scenario_block(scenario, look));
        screen.push('\n');
    }
    screen.push_str(&closing_line(result, look));
    screen.push('\n');
    screen
}

/// One finding as one line: what, where, and what was seen.
pub fn finding(finding: &Finding) -> String {
    let mut line = format!("{} {}", finding.kind, foreign(&finding.relation));
    let mut part = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            // Writing to a String cannot fail.
            let _ = write!(line, "{name}{value}");
        }
    };
    part(" key ", finding.key.as_deref().map(foreign));
    part(" op ", finding.op.as_deref().map(foreign));
    part(
        " revision ",
        finding.revision.map(|revision| revision.to_string()),
    );
    part(
        " lsn ",
        finding
            .lsn
            .and_then(Lsn::from_i64)
            .map(|lsn| lsn.to_string()),
    );
    part(" xid ", finding.xid.map(|xid| xid.to_string()));
    part(" at ", record_place(finding));
    let _ = write!(
        line,
        ": {} [{}]",
        foreign(&finding.detail),
        foreign(&finding.check)
    );
    line
}

fn record_place(finding: &Finding) -> Option<String> {
    let topic = foreign(finding.topic.as_deref()?);
    let number = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), |it| it.to_string());
    let partition = number(finding.partition.map(i64::from));
    Some(format!(
        "{topic}/{partition}/{}",
        number(finding.record_offset)
    ))
}

fn scenario_block(scenario: &ScenarioResult, look: Look) -> String {
    let mut block = Block {
        text: String::new(),
        look,
    };
    let headline = format!("{}: {}", foreign(&scenario.name), foreign(&scenario.title));
    block.text.push_str(&look.bold(&headline));
    block.text.push('\n');
    block.row("verdict", &verdict_words(scenario, look));
    for reason in &scenario.reasons {
        block.row("", &format!("because {}", foreign(reason)));
    }
    block.row("stack", &stack_words(scenario));
    for (name, line) in ["events", "findings"].iter().zip(count_lines(scenario)) {
        block.row(name, &line);
    }
    block.row("writes refused", &refused_words(scenario));
    block.row("phases", &phase_words(scenario));
    block.row("run folder", &safe(&scenario.run_dir));
    if let Some(sentence) = lesson(scenario) {
        block.row("lesson", &sentence);
    }
    block.findings(scenario);
    block.checks(&scenario.checks);
    for (index, line) in crate::naive::lines(&scenario.naive).iter().enumerate() {
        block.row(if index == 0 { "naive counts" } else { "" }, line);
    }
    block.text
}

/// A scenario's part of the screen while it is being written.
struct Block {
    text: String,
    look: Look,
}

impl Block {
    fn row(&mut self, label: &str, words: &str) {
        let first = format!("  {label:<LABEL$} ");
        let rest = " ".repeat(first.len());
        self.text
            .push_str(&wrapped(words, &first, &rest, self.look.width));
        self.text.push('\n');
    }

    fn findings(&mut self, scenario: &ScenarioResult) {
        let total: u64 = scenario.checks.iter().map(|check| check.findings).sum();
        let total = total.max(scenario.findings.len() as u64);
        if total == 0 {
            return;
        }
        let shown = scenario.findings.len().min(FINDINGS_SHOWN);
        let place = "all of them in findings.parquet of the run folder";
        let _ = writeln!(
            self.text,
            "  first findings ({shown} of {}; {place})",
            count(total)
        );
        for one in scenario.findings.iter().take(shown) {
            let line = wrapped(&finding(one), "    ", "      ", self.look.width);
            self.text.push_str(&line);
            self.text.push('\n');
        }
    }

    fn checks(&mut self, checks: &[CheckResult]) {
        if checks.is_empty() {
            return;
        }
        self.text.push_str("  checks\n");
        let widest = |of: fn(&CheckResult) -> &str| {
            checks
                .iter()
                .map(|check| safe(of(check)).chars().count())
                .max()
                .unwrap_or(0)
        };
        let guarantee = widest(|check| &check.guarantee);
        let name = widest(|check| &check.check);
        for check in checks {
            let word = format!("{:<7}", check.verdict.to_string());
            let word = verdict_painted(check.verdict, &word, self.look);
            let found = match check.verdict {
                Verdict::Pass => String::new(),
                Verdict::Fail => counted(check.findings, "finding"),
                Verdict::Unknown => foreign(check.reason.as_deref().unwrap_or("did not run")),
            };
            let (what, file) = (safe(&check.guarantee), safe(&check.check));
            let line = format!("    {what:<guarantee$}  {file:<name$}  {word}  {found}");
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }
}

fn verdict_painted(verdict: Verdict, text: &str, look: Look) -> String {
    match verdict {
        Verdict::Pass => look.good(text),
        Verdict::Unknown => look.doubtful(text),
        Verdict::Fail => look.bad(text),
    }
}

fn verdict_words(scenario: &ScenarioResult, look: Look) -> String {
    let word = verdict_painted(scenario.verdict, words::verdict(scenario.verdict), look);
    let expected = words::expected(scenario);
    format!("{word}, proof level {}, {expected}", scenario.proof_level)
}

fn stack_words(scenario: &ScenarioResult) -> String {
    let stack = &scenario.stack;
    format!(
        "PostgreSQL {} -> {}, Kafka {}, Debezium {}, seed {}",
        safe(&stack.postgres_old),
        safe(&stack.postgres_new),
        safe(&stack.kafka),
        safe(&stack.debezium),
        scenario.seed
    )
}

/// Ledgers, the findings that every report has, and further kinds where they occurred.
fn count_lines(scenario: &ScenarioResult) -> [String; 2] {
    let ledgers = words::ledgers(scenario);
    let ledgers = ledgers.map(|(name, number, _)| format!("{name} {}", count(number)));
    let findings = words::findings(scenario);
    let findings: Vec<String> = findings
        .iter()
        .map(|(name, number)| format!("{} {number}", safe(name)))
        .collect();
    [ledgers.join(", "), findings.join(", ")]
}

fn refused_words(scenario: &ScenarioResult) -> String {
    let (all, server) = (
        scenario.refused_write_seconds,
        scenario.server_restart_seconds,
    );
    if all <= 0.0 {
        return words::refused(scenario);
    }
    if server <= 0.0 {
        return format!("for {}", seconds(all));
    }
    let beyond = (all - server).max(0.0);
    format!(
        "for {}: the server's own restart {}, beyond it {}",
        seconds(all),
        seconds(server),
        seconds(beyond)
    )
}

fn phase_words(scenario: &ScenarioResult) -> String {
    if scenario.phases.is_empty() {
        return "not measured".to_owned();
    }
    let total = scenario.phases.iter().map(|phase| phase.seconds).sum();
    let words: Vec<String> = scenario
        .phases
        .iter()
        .map(|phase| format!("{} {}", foreign(&phase.name), seconds(phase.seconds)))
        .collect();
    format!("{} (in all {})", words.join(", "), seconds(total))
}

/// One sentence on what this runbook loses and why; for a baseline without findings, that it got away.
pub(crate) fn lesson(scenario: &ScenarioResult) -> Option<String> {
    let runbook = scenario.runbook.as_ref();
    let baseline = runbook.is_some_and(|runbook| runbook.class == RunbookClass::Baseline);
    if !baseline && scenario.lesson.is_none() {
        return None;
    }
    let counts = &scenario.counts;
    let harm: Vec<String> = [
        (counts.lost, "lost", "event", ""),
        (counts.duplicated, "repeated", "event", ""),
        (counts.phantom, "invented", "event", ""),
        (counts.reordered, "put", "event", " out of order"),
        (counts.divergent, "left", "row", " unlike the database"),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, did, noun, how)| format!("{did} {}{how}", counted(number, noun)))
    .collect();
    let did = if harm.is_empty() {
        "did no harm that was seen this time".to_owned()
    } else {
        format!(
            "{}, of {} committed",
            harm.join(" and "),
            count(counts.committed)
        )
    };
    let why = scenario.lesson.as_deref().map(|lesson| {
        let words: Vec<&str> = lesson.split_whitespace().collect();
        let lesson = words.join(" ");
        format!(": {}", clipped(lesson.trim_end_matches('.'), LESSON_MAX))
    });
    Some(format!("This runbook {did}{}.", why.unwrap_or_default()))
}

fn closing_line(result: &RunResult, look: Look) -> String {
    let word = result.verdict.to_string().to_uppercase();
    let word = verdict_painted(result.verdict, &word, look);
    let all = result.scenarios.len();
    let expected = result
        .scenarios
        .iter()
        .filter(|scenario| scenario.as_expected)
        .count();
    let scenarios = counted(all as u64, "scenario");
    format!(
        "{word}: {expected} of {scenarios} ended as expected (exit code {})",
        result.exit_code
    )
}

#[cfg(test)]
mod tests;
