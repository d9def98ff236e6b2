//! The sentences that a report opens with, and the numbers that it lists.
//!
//! The rule it protects: no sentence says more than the verdict does; unknown is told as unknown.

use cutover_model::result::ScenarioResult;
use cutover_model::{ProofLevel, Verdict};

use crate::text::{count, counted, seconds};

/// The verdict as a word that stands alone.
pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Unknown => "UNKNOWN",
        Verdict::Fail => "FAIL",
    }
}

/// A sign beside the word, so that shape tells it as well.
pub fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✓",
        Verdict::Unknown => "?",
        Verdict::Fail => "✗",
    }
}

/// What a proof level means.
pub fn proof_level(level: ProofLevel) -> &'static str {
    match level {
        ProofLevel::P0 => "only counts were compared",
        ProofLevel::P1 => "the state that the topics fold to was compared with the tables",
        ProofLevel::P2 => "every record was identified by its own position and transaction",
        ProofLevel::P3 => "every event was compared with what an independent witness saw committed",
        ProofLevel::P4 => {
            "every event was compared with what an independent witness saw committed, between markers on every \
             partition"
        }
    }
}

/// Whether it ended as it should.
pub fn expected(scenario: &ScenarioResult) -> String {
    match (scenario.as_expected, scenario.expected == scenario.verdict) {
        (true, _) => "as expected".to_owned(),
        (false, true) => format!("expected {} with other findings", scenario.expected),
        (false, false) => format!("expected {}", scenario.expected),
    }
}

/// The same as a sentence.
pub fn expectation(scenario: &ScenarioResult) -> String {
    match (scenario.as_expected, scenario.expected == scenario.verdict) {
        (true, _) => "This is what was expected.".to_owned(),
        (false, true) => "The verdict was expected, but not all that comes with it.".to_owned(),
        (false, false) => format!("It was expected to end with {}.", scenario.expected),
    }
}

/// What happened, for somebody who reads one sentence.
pub fn in_a_sentence(scenario: &ScenarioResult) -> String {
    let counts = &scenario.counts;
    let writes = match scenario.refused_write_seconds {
        refused if refused > 0.0 => format!(" Writers were turned away for {}.", seconds(refused)),
        _ if counts.attempted > 0 => " Writers were never turned away.".to_owned(),
        _ => String::new(),
    };
    match scenario.verdict {
        Verdict::Pass => format!(
            "{} were committed, and every one of them reached Kafka exactly once, those of a row \
             in their order.{writes}",
            counted(counts.committed, "change")
        ),
        Verdict::Unknown => format!(
            "It is not proven that every committed change reached Kafka exactly once, nor that one did not.{writes}"
        ),
        Verdict::Fail => format!("{}{writes}", harm(scenario)),
    }
}

fn harm(scenario: &ScenarioResult) -> String {
    let counts = &scenario.counts;
    let kinds = [
        (counts.lost, "lost"),
        (counts.duplicated, "delivered twice or more"),
        (counts.phantom, "invented"),
        (counts.reordered, "out of order"),
        (counts.divergent, "different from the database"),
    ];
    let words: Vec<String> = kinds
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", count(number)))
        .collect();
    if words.is_empty() {
        let all: u64 = counts.findings.values().sum();
        return format!(
            "{} of {} committed changes: see the checks.",
            counted(all, "violation"),
            count(counts.committed)
        );
    }
    format!(
        "Of {} committed: {}.",
        counted(counts.committed, "change"),
        words.join(", ")
    )
}

/// The four ledgers: name, number, what it counts.
pub fn ledgers(scenario: &ScenarioResult) -> [(&'static str, u64, &'static str); 4] {
    let counts = &scenario.counts;
    [
        (
            "attempted",
            counts.attempted,
            "changes that the load tried, rolled back ones included",
        ),
        (
            "committed",
            counts.committed,
            "changes that the witness saw committed in PostgreSQL",
        ),
        (
            "published",
            counts.published,
            "change records in the topics, tombstones not counted",
        ),
        (
            "stored",
            counts.stored,
            "rows in the tables when the run was bounded",
        ),
    ]
}

/// The findings that every report has, and the guarantee whose check looks for each.
const ALWAYS: [(&str, &str); 6] = [
    ("lost", "I1"),
    ("duplicated", "I3"),
    ("phantom", "I2"),
    ("reordered", "I4"),
    ("divergent", "I8"),
    ("snapshot records", "I9"),
];

/// A count of one of the findings that every report has. Nothing found is zero only if somebody looked.
pub fn found(scenario: &ScenarioResult, name: &str) -> String {
    let counts = &scenario.counts;
    let number = match name {
        "lost" => counts.lost,
        "duplicated" => counts.duplicated,
        "phantom" => counts.phantom,
        "reordered" => counts.reordered,
        "divergent" => counts.divergent,
        _ => counts.snapshot,
    };
    let guarantee = ALWAYS.iter().find(|(known, _)| *known == name);
    let looked = scenario.checks.iter().any(|ran| {
        let of = ran.guarantee.split(' ').next();
        ran.verdict != Verdict::Unknown && of == guarantee.map(|(_, of)| *of)
    });
    if number > 0 || looked {
        count(number)
    } else {
        "not known".to_owned()
    }
}

/// Counts of findings: those that every report has, records of repairs, and what else occurred.
pub fn findings(scenario: &ScenarioResult) -> Vec<(String, String)> {
    let counts = &scenario.counts;
    let always = ALWAYS.iter();
    let mut rows: Vec<(String, String)> = always
        .map(|(name, _)| ((*name).to_owned(), found(scenario, name)))
        .collect();
    if counts.backfill > 0 {
        rows.push(("records of a repair".to_owned(), count(counts.backfill)));
    }
    let further = counts.findings.iter().filter(|(name, number)| {
        **number > 0 && ALWAYS.iter().all(|(known, _)| known != &name.as_str())
    });
    rows.extend(further.map(|(name, number)| (name.clone(), count(*number))));
    rows
}

/// What is said where no finding is listed.
pub fn no_findings(scenario: &ScenarioResult) -> String {
    let checks = &scenario.checks;
    let open = checks.iter().filter(|it| it.verdict == Verdict::Unknown);
    match (checks.len(), open.count()) {
        (0, _) => "No check ran, so none was looked for.".to_owned(),
        (_, 0) => "None.".to_owned(),
        (all, open) => format!("None by the checks that could decide; {open} of {all} could not."),
    }
}

/// The window of refused writes, taken apart.
pub fn refused(scenario: &ScenarioResult) -> String {
    let (all, server) = (
        scenario.refused_write_seconds,
        scenario.server_restart_seconds,
    );
    if all <= 0.0 {
        let measured = scenario.counts.attempted > 0;
        return ["not measured", "not at all"][usize::from(measured)].to_owned();
    }
    if server <= 0.0 {
        return seconds(all);
    }
    format!(
        "{}, of which the server's own restart took {}",
        seconds(all),
        seconds(server)
    )
}

/// The command that plays it again.
pub fn repeat(story: &cutover_model::RunStory) -> String {
    let noted = story.manifest.as_ref().and_then(|run| run.repeat.clone());
    noted.unwrap_or_else(|| {
        format!(
            "cutover rehearse {} --seed {}",
            story.scenario.name, story.scenario.seed
        )
    })
}

/// Findings in all, whether listed or not.
pub fn findings_in_all(scenario: &ScenarioResult) -> u64 {
    let total: u64 = scenario.checks.iter().map(|check| check.findings).sum();
    total.max(scenario.findings.len() as u64)
}

/// What an operation letter means.
pub fn operation(letter: &str) -> &'static str {
    match letter {
        "c" => "insert",
        "u" => "update",
        "d" => "delete",
        "t" => "truncate",
        "r" => "snapshot read",
        "x" => "tombstone",
        "m" => "message",
        _ => "unknown operation",
    }
}
