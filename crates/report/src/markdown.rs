//! A run as a document in Markdown: the content of the page, for a ticket, or to keep beside code.
//!
//! The rule it protects: foreign text stays text. What Markdown or HTML would act upon is escaped, and pictures
//! are told as tables.

use std::fmt::Write as _;

use cutover_model::result::RunResult;
use cutover_model::{Finding, RunStory};

use crate::page::story::environment;
use crate::telling::moments::{RATES, noted};
use crate::telling::steps::{driven, promise};
use crate::telling::veil::place;
use crate::telling::{Timeline, Values, Veil, words};
use crate::text::{count, counted, foreign, safe, seconds};

/// Findings listed at most; a document that is read from top to bottom needs fewer than a page.
const FINDINGS: usize = 100;

/// Notes and warnings listed at most.
const NOTES: usize = 50;

/// Rows of the table of rates and lag.
const ROWS: usize = 20;

/// The document of a result; each of its scenarios with its story.
pub fn to_markdown(result: &RunResult, stories: &[RunStory], values: Values) -> String {
    let mut veil = Veil::new(values);
    let mut text = String::new();
    if stories.len() != 1 {
        let as_expected = stories.iter().filter(|story| story.scenario.as_expected);
        let _ = writeln!(
            text,
            "# {}: {} of {} ended as expected\n",
            words::verdict(result.verdict),
            as_expected.count(),
            counted(stories.len() as u64, "scenario")
        );
    }
    for story in stories {
        Document {
            text: &mut text,
            deep: if stories.len() == 1 { "#" } else { "##" },
        }
        .tell(story, &mut veil);
    }
    let _ = writeln!(text, "{}", veil.sentence());
    text
}

/// What is written so far, and how deep its headings are.
struct Document<'a> {
    text: &'a mut String,
    deep: &'static str,
}

impl Document<'_> {
    fn tell(&mut self, story: &RunStory, veil: &mut Veil) {
        let scenario = &story.scenario;
        let deep = self.deep;
        self.line(&format!(
            "{deep} {}: {}\n\n{}\n",
            words::verdict(scenario.verdict),
            plain(&scenario.name),
            plain(&scenario.title)
        ));
        self.line(&format!(
            "**{}, proof level {}** ({}; {}). {}\n",
            words::verdict(scenario.verdict),
            scenario.proof_level,
            words::proof_level(scenario.proof_level),
            words::expected(scenario),
            words::in_a_sentence(scenario)
        ));
        for reason in &scenario.reasons {
            self.line(&format!("- because {}", plain(reason)));
        }
        if let Some(lesson) = crate::terminal::lesson(scenario) {
            self.line(&format!(
                "\nWhat this runbook teaches. {}",
                escaped(&safe(&lesson))
            ));
        }
        self.story(story);
        self.counts(story);
        self.checks(story);
        self.findings(story, veil);
        self.runbook(story);
        self.prediction(story);
        self.section("Environment");
        self.heads(&["what", "is"]);
        for (name, value) in environment(story) {
            self.row(&[name, &value]);
        }
        self.section("How to repeat it");
        for command in [
            words::repeat(story),
            format!("cutover verify {}", scenario.run_dir),
        ] {
            // An indented block: no fence that foreign text could close.
            self.line(&format!("    {}", safe(&command)));
        }
        self.line("");
    }

    fn story(&mut self, story: &RunStory) {
        self.section("The story of the run");
        for note in &story.notes {
            self.line(&format!("Not everything could be read: {}.\n", plain(note)));
        }
        let Some(line) = Timeline::of(&story.events) else {
            self.line("The events of this run do not tell when things happened.");
            return;
        };
        self.heads(&["what", "name", "from", "took"]);
        let kinds = [
            ("phase", &line.phases),
            ("step", &line.steps),
            ("refusal", &line.refused),
        ];
        for (kind, spans) in kinds {
            for span in spans {
                let (from, took) = (seconds(span.from), seconds(span.to - span.from));
                self.row(&[kind, &span.name, &from, &took]);
            }
        }
        self.line("");
        self.heads(&RATES);
        for row in line.rows(ROWS) {
            self.row(&row.cells().each_ref().map(String::as_str));
        }
        self.line("");
        for note in noted(&story.events).iter().take(NOTES) {
            let (time, kind, text) = (plain(note.time), note.kind, plain(&note.text));
            self.line(&format!("- {time} {kind}&#58; {text}"));
        }
    }

    fn counts(&mut self, story: &RunStory) {
        let scenario = &story.scenario;
        self.section("Counts");
        self.heads(&["ledger", "rows", "what it counts"]);
        for (name, number, what) in words::ledgers(scenario) {
            self.row(&[name, &count(number), what]);
        }
        self.line("");
        self.heads(&["found", "number"]);
        for (name, number) in words::findings(scenario) {
            self.row(&[&name, &number]);
        }
        self.line(&format!(
            "\nWrites were refused: {}.",
            words::refused(scenario)
        ));
        if scenario.naive.is_empty() {
            return;
        }
        self.line(&format!("\n{}\n", crate::naive::WHAT));
        self.heads(&crate::naive::HEADS);
        for count in &scenario.naive {
            self.row(&crate::naive::row(count).each_ref().map(String::as_str));
        }
    }

    fn checks(&mut self, story: &RunStory) {
        if story.scenario.checks.is_empty() {
            return;
        }
        self.section("Checks");
        self.heads(&[
            "guarantee",
            "check",
            "verdict",
            "findings",
            "why it is not known",
        ]);
        for check in &story.scenario.checks {
            let reason = check.reason.as_deref().unwrap_or_default();
            let (verdict, number) = (check.verdict.to_string(), count(check.findings));
            self.row(&[&check.guarantee, &check.check, &verdict, &number, reason]);
        }
    }

    fn findings(&mut self, story: &RunStory, veil: &mut Veil) {
        let scenario = &story.scenario;
        self.section("Findings");
        let all = words::findings_in_all(scenario);
        if all == 0 {
            self.line(&words::no_findings(scenario));
            return;
        }
        self.heads(&[
            "number",
            "kind",
            "table",
            "row",
            "operation",
            "where",
            "what was seen",
        ]);
        for (finding, number) in scenario.findings.iter().take(FINDINGS).zip(1_u64..) {
            self.finding((number, finding), veil);
        }
        let listed = scenario.findings.len().min(FINDINGS) as u64;
        self.line(&format!(
            "\n{} of {} are listed; all of them stand in findings.parquet of the run folder.",
            count(listed),
            count(all)
        ));
        for hood in &story.neighbourhoods {
            let said = crate::page::findings::in_both(hood);
            self.line(&format!("- Finding {}: {said}", hood.finding + 1));
        }
    }

    fn finding(&mut self, (number, finding): (u64, &Finding), veil: &mut Veil) {
        let operation = finding.op.as_deref().map(words::operation);
        let key = veil.key(&finding.relation, finding.key.as_deref());
        let row = match veil.revision(finding.revision) {
            Some(revision) => format!("{key}, {revision}"),
            None => key,
        };
        self.row(&[
            &count(number),
            finding.kind.name(),
            &finding.relation,
            &row,
            operation.unwrap_or_default(),
            &place(finding),
            &finding.detail,
        ]);
    }

    fn runbook(&mut self, story: &RunStory) {
        let Some(promise) = promise(story) else {
            return;
        };
        self.section("Runbook and proofs");
        self.line(&format!("{promise}\n"));
        self.heads(&[
            "step",
            "what it does",
            "what must be seen",
            "how it ended",
            "what was seen",
            "took",
        ]);
        for step in driven(story) {
            let name = format!("{} {}", step.number, step.step);
            let mut does = step.title.clone();
            if step.point_of_no_return {
                does.push_str(" (point of no return)");
            }
            self.row(&[
                &name,
                &does,
                step.proof.as_deref().unwrap_or("nothing is looked at"),
                step.end.word(),
                &step.seen,
                &step.took(),
            ]);
        }
    }

    fn prediction(&mut self, story: &RunStory) {
        let scenario = &story.scenario;
        if scenario.prediction.is_none() && scenario.connector_refused.is_none() {
            return;
        }
        self.section("What was predicted");
        if let Some(prediction) = &scenario.prediction {
            let outcome = prediction.outcome;
            self.line(&format!(
                "Right before its last start it was predicted that the connector {outcome}.\n"
            ));
            for reason in &prediction.because {
                self.line(&format!("- {}", plain(reason)));
            }
        }
        if let Some(said) = &scenario.connector_refused {
            self.line(&format!("\nThe connector ended, and said: {}", plain(said)));
        }
    }

    fn section(&mut self, name: &str) {
        let deep = self.deep;
        self.line(&format!("\n{deep}# {name}\n"));
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn heads(&mut self, heads: &[&str]) {
        self.row(heads);
        self.line(&format!("|{}", "---|".repeat(heads.len())));
    }

    fn row(&mut self, cells: &[&str]) {
        let cells: Vec<String> = cells.iter().map(|cell| plain(cell)).collect();
        self.line(&format!("| {} |", cells.join(" | ")));
    }
}

/// A bounded text in which Markdown finds nothing to act upon.
fn plain(text: &str) -> String {
    escaped(&foreign(text))
}

fn escaped(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        match character {
            '&' => shown.push_str("&amp;"),
            '<' => shown.push_str("&lt;"),
            '>' => shown.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => {
                shown.push('\\');
                shown.push(character);
            }
            // An address would become a link.
            ':' => shown.push_str("&#58;"),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    #[test]
    fn the_document_begins_with_the_verdict_and_tells_the_steps() {
        let text = to_markdown(&samples::result(), &[samples::story()], Values::Hidden);
        assert!(text.starts_with("# PASS: minor\n"), "{text}");
        assert!(text.contains("| 1 freeze-writes |"), "{text}");
        assert!(text.contains("cutover rehearse minor --seed 42"), "{text}");
    }

    #[test]
    fn rates_lag_and_classic_counts_are_told_too() {
        let text = to_markdown(&samples::result(), &[samples::story()], Values::Hidden);
        assert!(
            text.contains("| after | committed/s | published/s | lag |"),
            "{text}"
        );
        assert!(text.contains("| 6.0 KiB |"), "{text}");
        let count = "| public.orders | as many messages as rows? | 5120 rows, 20412 messages | fail | pass |";
        assert!(text.contains(count), "{text}");
        assert!(
            text.contains(" warning&#58; the witness reconnected"),
            "{text}"
        );
    }

    #[test]
    fn hostile_text_is_neither_markup_nor_a_row_of_its_own() {
        let story = samples::hostile_story(3);
        let text = to_markdown(&samples::result(), &[story], Values::Shown);
        for bad in [
            "<script", "<img", "\u{202e}", "\u{1b}", "\u{0}", "http:", "\u{2028}",
        ] {
            let indented: Vec<&str> = text
                .lines()
                .filter(|line| !line.starts_with("    "))
                .collect();
            assert!(!indented.join("\n").contains(bad), "{bad:?}");
        }
        assert!(text.contains("\\[x\\](http&#58;//y)"), "{text}");
        let findings = text.split("# Findings").nth(1).unwrap();
        let widths: Vec<usize> = findings
            .lines()
            .filter(|line| line.starts_with('|'))
            .take(5)
            .map(|line| line.replace("\\|", "").matches('|').count())
            .collect();
        assert_eq!(widths, [8; 5]);
    }

    #[test]
    fn row_values_are_hidden_unless_asked_for() {
        let told = |values| to_markdown(&samples::result(), &[samples::hostile_story(3)], values);
        assert!(!told(Values::Hidden).contains("987654") && told(Values::Hidden).contains("key 1"));
        assert!(told(Values::Shown).contains("987654"));
    }
}
