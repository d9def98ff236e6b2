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
            "{} were committed, and every one of them reached Kafka exactly once and in order.{writes}",
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

/// Counts of findings: the five that every report has, records of snapshots and repairs, and what else occurred.
pub fn findings(scenario: &ScenarioResult) -> Vec<(String, u64)> {
    let counts = &scenario.counts;
    let mut rows: Vec<(String, u64)> = [
        ("lost", counts.lost),
        ("duplicated", counts.duplicated),
        ("phantom", counts.phantom),
        ("reordered", counts.reordered),
        ("divergent", counts.divergent),
        ("snapshot records", counts.snapshot),
    ]
    .into_iter()
    .map(|(name, number)| (name.to_owned(), number))
    .collect();
    if counts.backfill > 0 {
        rows.push(("records of a repair".to_owned(), counts.backfill));
    }
    let known: Vec<String> = rows.iter().map(|(name, _)| name.clone()).collect();
    let further = counts
        .findings
        .iter()
        .filter(|(name, number)| **number > 0 && !known.contains(name));
    rows.extend(further.map(|(name, number)| (name.clone(), *number)));
    rows
}

/// The window of refused writes, taken apart.
pub fn refused(scenario: &ScenarioResult) -> String {
    let (all, server) = (
        scenario.refused_write_seconds,
        scenario.server_restart_seconds,
    );
    if all <= 0.0 {
        return "not at all".to_owned();
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
