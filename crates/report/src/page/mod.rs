//! A run as one HTML page: opens from disk, loads nothing, runs no script, prints, and is read without colours.
//!
//! The order is that of a reader with little time: verdict, one sentence, figures; then the story, and what it rests
//! on. The rules it protects: everything foreign goes through [`markup`], which escapes it, and nothing is told by
//! colour or by a picture alone.

pub(crate) mod chart;
pub(crate) mod findings;
pub(crate) mod markup;
pub(crate) mod story;

use cutover_model::result::{CheckResult, RunResult};
use cutover_model::{RunStory, Verdict};

use crate::telling::steps::{driven, promise};
use crate::telling::{Timeline, Values, Veil, words};
use crate::text::{count, counted, foreign, seconds};
use markup::Markup;

/// What the browser is told to allow: the style on the page, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                      form-action 'none'";

/// The page of a result; each of its scenarios with its story, in the order of the result.
pub fn page(result: &RunResult, stories: &[RunStory], values: Values) -> String {
    let mut page = Markup::default();
    page.fixed("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.open(
        "meta",
        &[
            ("http-equiv", "Content-Security-Policy"),
            ("content", POLICY),
        ],
    );
    page.fixed("\n<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    page.fixed("<meta name=\"color-scheme\" content=\"light dark\">\n");
    page.fixed("<meta name=\"referrer\" content=\"no-referrer\">\n");
    page.put("title", &[], &title(result, stories));
    page.fixed("<style>\n");
    page.fixed(include_str!("style.css"));
    page.fixed("</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n");
    let mut veil = Veil::new(values);
    if let [story] = stories {
        let mut one = Telling::new(story, 0, &mut veil, 1);
        page.open("header", &[]);
        one.opening(&mut page);
        page.close("header");
        one.contents(&mut page);
        page.open("main", &[("id", "main")]);
        one.sections(&mut page);
        page.close("main");
    } else {
        several(&mut page, (result, stories), &mut veil);
    }
    page.open("footer", &[]);
    page.put("p", &[], veil.sentence());
    page.put(
        "p",
        &[],
        "Times are UTC. Positions are PostgreSQL's own X/Y and compare only inside one life of a database. The page \
         loads nothing and runs no script; the ledgers beside it hold every row that it counts.",
    );
    page.close("footer");
    page.fixed("</body>\n</html>\n");
    page.finish()
}

fn title(result: &RunResult, stories: &[RunStory]) -> String {
    match stories {
        [story] => format!(
            "{} {}: cutover",
            words::verdict(story.scenario.verdict),
            foreign(&story.scenario.name)
        ),
        _ => format!(
            "{} {}: cutover",
            words::verdict(result.verdict),
            counted(stories.len() as u64, "scenario")
        ),
    }
}

fn several(page: &mut Markup, (result, stories): (&RunResult, &[RunStory]), veil: &mut Veil) {
    page.open("header", &[]);
    let as_expected = stories.iter().filter(|story| story.scenario.as_expected);
    page.put("p", &[("class", "name")], "cutover");
    page.put(
        "h1",
        &[],
        &format!(
            "{}: {} of {} ended as expected",
            words::verdict(result.verdict),
            as_expected.count(),
            counted(stories.len() as u64, "scenario")
        ),
    );
    page.table(
        "Scenarios of this run",
        &[
            "scenario",
            "verdict",
            "proof level",
            "expected",
            "lost",
            "duplicated",
        ],
    );
    for (number, story) in stories.iter().enumerate() {
        let scenario = &story.scenario;
        page.open("tr", &[]);
        page.open("th", &[("scope", "row")]);
        let place = format!("#s{number}");
        page.put("a", &[("href", &place)], &foreign(&scenario.name));
        page.close("th");
        let cells = [
            words::verdict(scenario.verdict).to_owned(),
            scenario.proof_level.to_string(),
            words::expected(scenario),
        ];
        for cell in cells {
            page.put("td", &[], &cell);
        }
        for name in ["lost", "duplicated"] {
            page.put("td", &[("class", "n")], &words::found(scenario, name));
        }
        page.close("tr");
    }
    page.end_table();
    page.close("header");
    page.open("main", &[("id", "main")]);
    for (number, story) in stories.iter().enumerate() {
        let place = format!("s{number}");
        page.open("article", &[("id", &place)]);
        let mut one = Telling::new(story, number, veil, 2);
        one.opening(page);
        one.sections(page);
        page.close("article");
    }
    page.close("main");
}

/// One scenario on the page.
struct Telling<'a> {
    story: &'a RunStory,
    line: Option<Timeline>,
    veil: &'a mut Veil,
    number: usize,
    level: usize,
}

/// The sections: their names in addresses, and for people.
const SECTIONS: [(&str, &str); 8] = [
    ("story", "The story of the run"),
    ("counts", "Counts"),
    ("checks", "Checks"),
    ("findings", "Findings"),
    ("runbook", "Runbook and proofs"),
    ("prediction", "What was predicted"),
    ("environment", "Environment"),
    ("repeat", "How to repeat it"),
];

impl<'a> Telling<'a> {
    fn new(story: &'a RunStory, number: usize, veil: &'a mut Veil, level: usize) -> Telling<'a> {
        Telling {
            story,
            line: Timeline::of(&story.events),
            veil,
            number,
            level,
        }
    }

    /// A heading that is so much deeper than the scenario's own.
    fn heading(&self, page: &mut Markup, deeper: usize, id: Option<&str>, words: &str) {
        let tag = ["h1", "h2", "h3", "h4", "h5"][(self.level - 1 + deeper).min(4)];
        match id {
            Some(id) => page.put(tag, &[("id", id)], words),
            None => page.put(tag, &[], words),
        }
    }

    fn opening(&self, page: &mut Markup) {
        let scenario = &self.story.scenario;
        let class = class_of(scenario.verdict);
        page.put(
            "p",
            &[("class", "name")],
            &format!("cutover, scenario {}", foreign(&scenario.name)),
        );
        self.heading(page, 0, None, &foreign(&scenario.title));
        page.open("div", &[("class", &format!("verdict {class}"))]);
        page.put(
            "p",
            &[("class", "word")],
            &format!(
                "{} {}",
                words::sign(scenario.verdict),
                words::verdict(scenario.verdict)
            ),
        );
        page.put("p", &[("class", "said")], &words::in_a_sentence(scenario));
        page.put(
            "p",
            &[("class", "said")],
            &format!(
                "Proof level {}: {}. {}",
                scenario.proof_level,
                words::proof_level(scenario.proof_level),
                words::expectation(scenario)
            ),
        );
        if !scenario.reasons.is_empty() {
            page.open("ul", &[]);
            for reason in scenario.reasons.iter().take(REASONS) {
                page.put("li", &[], &format!("because {}", foreign(reason)));
            }
            page.close("ul");
        }
        page.close("div");
        if let Some(lesson) = crate::terminal::lesson(scenario) {
            page.open("p", &[]);
            page.put("strong", &[], "What this runbook teaches. ");
            page.text(&lesson);
            page.close("p");
        }
        self.figures(page);
    }

    fn figures(&self, page: &mut Markup) {
        let scenario = &self.story.scenario;
        let counts = &scenario.counts;
        let refused = match scenario.refused_write_seconds {
            refused if refused > 0.0 => seconds(refused),
            _ => words::refused(scenario),
        };
        let figures = [
            ("changes committed", count(counts.committed)),
            ("records published", count(counts.published)),
            ("lost", words::found(scenario, "lost")),
            ("duplicated", words::found(scenario, "duplicated")),
            ("out of order", words::found(scenario, "reordered")),
            ("writes refused", refused),
        ];
        page.open("dl", &[("class", "figures")]);
        for (name, number) in figures {
            page.open("div", &[]);
            page.put("dt", &[], name);
            page.put("dd", &[], &number);
            page.close("div");
        }
        page.close("dl");
    }

    /// Names of the sections that this scenario has.
    fn present(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let scenario = &self.story.scenario;
        let predicted = scenario.prediction.is_some() || scenario.connector_refused.is_some();
        let (runbook, checks) = (scenario.runbook.is_some(), !scenario.checks.is_empty());
        SECTIONS.into_iter().filter(move |(name, _)| match *name {
            "prediction" => predicted,
            "runbook" => runbook,
            "checks" => checks,
            _ => true,
        })
    }

    fn contents(&self, page: &mut Markup) {
        page.open("nav", &[("aria-label", "Contents")]);
        page.open("ul", &[]);
        for (name, words) in self.present() {
            page.open("li", &[]);
            page.put("a", &[("href", &format!("#{}", self.id(name)))], words);
            page.close("li");
        }
        page.close("ul");
        page.close("nav");
    }

    fn id(&self, name: &str) -> String {
        if self.level == 1 {
            return name.to_owned();
        }
        format!("s{}-{name}", self.number)
    }

    fn sections(&mut self, page: &mut Markup) {
        let present: Vec<(&str, &str)> = self.present().collect();
        for (name, words) in present {
            let id = self.id(name);
            page.open("section", &[("aria-labelledby", &id)]);
            self.heading(page, 1, Some(&id), words);
            match name {
                "story" => self.tell_story(page),
                "counts" => self.counts(page),
                "checks" => checks(page, &self.story.scenario.checks),
                "findings" => self.findings(page),
                "runbook" => self.runbook(page),
                "prediction" => self.prediction(page),
                "environment" => self.environment(page),
                _ => self.repeat(page),
            }
            page.close("section");
        }
    }

    fn counts(&self, page: &mut Markup) {
        let scenario = &self.story.scenario;
        page.table("The four ledgers", &["ledger", "rows", "what it counts"]);
        for (name, number, what) in words::ledgers(scenario) {
            page.row(&[name, &count(number), what]);
        }
        page.end_table();
        page.table("What was found", &["kind", "number"]);
        for (name, number) in words::findings(scenario) {
            page.row(&[&foreign(&name), &number]);
        }
        page.end_table();
        page.put(
            "p",
            &[],
            &format!("Writes were refused: {}.", words::refused(scenario)),
        );
        if scenario.naive.is_empty() {
            return;
        }
        page.put("p", &[], crate::naive::WHAT);
        page.table("The four classic counts", &crate::naive::HEADS);
        for count in &scenario.naive {
            page.row(&crate::naive::row(count).each_ref().map(String::as_str));
        }
        page.end_table();
    }

    fn runbook(&self, page: &mut Markup) {
        let runbook = self.story.scenario.runbook.as_ref();
        if let Some(runbook) = runbook {
            let name = format!("{}: {}", foreign(&runbook.name), foreign(&runbook.title));
            page.put("p", &[], &name);
        }
        if let Some(promise) = promise(self.story) {
            page.put("p", &[], promise);
        }
        let heads = [
            "step",
            "what it does",
            "what must be seen",
            "how it ended",
            "what was seen",
            "took",
        ];
        page.table("Steps in order, each with its proof", &heads);
        for step in driven(self.story) {
            let mut does = foreign(&step.title);
            if step.point_of_no_return {
                does.push_str(" (point of no return)");
            }
            let proof = step.proof.as_deref().map(foreign);
            page.row(&[
                &format!("{} {}", step.number, foreign(&step.step)),
                &does,
                proof.as_deref().unwrap_or("nothing is looked at"),
                step.end.word(),
                &step.seen,
                &step.took(),
            ]);
        }
        page.end_table();
    }

    fn prediction(&self, page: &mut Markup) {
        let scenario = &self.story.scenario;
        if let Some(prediction) = &scenario.prediction {
            let outcome = format!(
                "Right before its last start it was predicted that the connector {}.",
                prediction.outcome
            );
            page.put("p", &[], &outcome);
            page.open("ul", &[]);
            for reason in &prediction.because {
                page.put("li", &[], &foreign(reason));
            }
            page.close("ul");
        }
        if let Some(words) = &scenario.connector_refused {
            page.put(
                "p",
                &[],
                &format!("The connector ended, and said: {}", foreign(words)),
            );
        }
    }

    fn environment(&self, page: &mut Markup) {
        page.open("dl", &[("class", "facts")]);
        for (name, value) in story::environment(self.story) {
            page.put("dt", &[], name);
            page.put("dd", &[], &value);
        }
        page.close("dl");
    }

    fn repeat(&self, page: &mut Markup) {
        page.open("pre", &[]);
        page.put("code", &[], &crate::text::safe(&words::repeat(self.story)));
        page.close("pre");
        let again = format!("cutover verify {}", self.story.scenario.run_dir);
        page.put(
            "p",
            &[],
            "The recorded run is judged again, without any server, by:",
        );
        page.open("pre", &[]);
        page.put("code", &[], &crate::text::safe(&again));
        page.close("pre");
    }
}

/// Reasons of a verdict that are listed.
const REASONS: usize = 50;

fn class_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Unknown => "unknown",
        Verdict::Fail => "fail",
    }
}

fn checks(page: &mut Markup, checks: &[CheckResult]) {
    page.table(
        "Each check is one SQL query over the ledgers",
        &[
            "guarantee",
            "check",
            "verdict",
            "findings",
            "why it is not known",
        ],
    );
    for check in checks {
        page.open("tr", &[]);
        page.put("th", &[("scope", "row")], &foreign(&check.guarantee));
        page.put("td", &[], &foreign(&check.check));
        let word = format!("{} {}", words::sign(check.verdict), check.verdict);
        let class = format!("w {}", class_of(check.verdict));
        page.put("td", &[("class", &class)], &word);
        page.put("td", &[("class", "n")], &count(check.findings));
        page.put(
            "td",
            &[],
            &foreign(check.reason.as_deref().unwrap_or_default()),
        );
        page.close("tr");
    }
    page.end_table();
}

#[cfg(test)]
mod tests;
