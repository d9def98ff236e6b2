//! The four classic counts, taken from the ledgers, and what each is worth beside the checks.
//!
//! People compare by them, so they are shown on request. The rule it protects: a count is never the verdict; where it
//! says something else than the check that asks the same question event by event, the difference is explained.

use std::collections::BTreeMap;

use cutover_ledger::read_evidence;
use cutover_model::naive::{NaiveCount, NaiveQuestion};
use cutover_model::result::CheckResult;
use cutover_model::run_folder::LedgerKind;
use cutover_model::{RunFolder, Verdict};
use futures_util::future::BoxFuture;

use crate::engine::{Engine, Limits, workspace};
use crate::error::AuditError;
use crate::survey::{counts, query, survey_all};

const COUNTS: &str = include_str!("naive.sql");
const ROWS: &str =
    "select 'rows' as what, relation, count(*) as amount from stored group by relation";

/// Counts, table by table, and holds each count against the checks of the same run.
///
/// # Errors
/// As [`crate::judge`], or the engine.
pub fn naive<'a>(
    run: &'a RunFolder,
    checks: &'a [CheckResult],
) -> BoxFuture<'a, Result<Vec<NaiveCount>, AuditError>> {
    Box::pin(counted(run, checks))
}

async fn counted(run: &RunFolder, checks: &[CheckResult]) -> Result<Vec<NaiveCount>, AuditError> {
    let evidence = read_evidence(run)?;
    let (ledgers, _) = survey_all(run, &evidence)?;
    let workspace = workspace(run)?;
    let limits = Limits::default();
    let engine = Engine::new(limits, workspace.path()).map_err(AuditError::engine("started"))?;
    let files = |kind: LedgerKind| {
        let survey = ledgers.get(&kind).and_then(Option::as_ref);
        survey.map_or_else(Vec::new, |survey| survey.parts.concat())
    };
    // Nothing is counted of what was not recorded.
    let recorded = |kind: LedgerKind| ledgers.get(&kind).is_some_and(Option::is_some);
    if !recorded(LedgerKind::Published) {
        return Ok(Vec::new());
    }
    let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
    for (kind, sql) in [(LedgerKind::Published, COUNTS), (LedgerKind::Stored, ROWS)] {
        for batch in query(&engine, &files(kind), kind.name(), sql).await? {
            for (what, relation, amount) in counts(&batch, 1)? {
                *counted.entry((what, relation)).or_default() += amount;
            }
        }
    }
    let mut all = Vec::new();
    for table in &evidence.tables {
        let of = |what: &str| {
            let key = (what.to_owned(), table.relation.clone());
            counted.get(&key).copied().unwrap_or(0)
        };
        let tally = Tally {
            rows: of("rows"),
            messages: of("messages"),
            keys: of("keys"),
            lsns: of("lsns"),
            reads: of("reads"),
        };
        let answers = tally.answers(&table.relation, checks).into_iter();
        all.extend(
            answers.filter(|one| {
                one.question != NaiveQuestion::RowCount || recorded(LedgerKind::Stored)
            }),
        );
    }
    Ok(all)
}

#[derive(Debug, Clone, Copy)]
struct Tally {
    rows: u64,
    messages: u64,
    keys: u64,
    lsns: u64,
    reads: u64,
}

impl Tally {
    fn answers(self, relation: &str, checks: &[CheckResult]) -> Vec<NaiveCount> {
        let answer = |question: NaiveQuestion| {
            let (counted, fits) = match question {
                NaiveQuestion::RowCount => (
                    format!("{} rows, {} messages", self.rows, self.messages),
                    self.rows == self.messages,
                ),
                NaiveQuestion::DuplicateKeys => (
                    format!("{} messages repeat a key", self.keys),
                    self.keys == 0,
                ),
                NaiveQuestion::LsnUnique => (
                    format!("{} messages repeat an LSN", self.lsns),
                    self.lsns == 0,
                ),
                NaiveQuestion::OperationTypes => (
                    format!("{} messages are snapshot reads", self.reads),
                    self.reads == 0,
                ),
            };
            let concluded = if fits { Verdict::Pass } else { Verdict::Fail };
            let verdict = answered(question, checks);
            NaiveCount {
                question,
                relation: relation.to_owned(),
                counted,
                concluded,
                verdict,
                misleads: misleads(question, concluded, verdict).map(str::to_owned),
            }
        };
        NaiveQuestion::ALL.into_iter().map(answer).collect()
    }
}

/// The worst verdict of the checks that ask the question.
fn answered(question: NaiveQuestion, checks: &[CheckResult]) -> Verdict {
    let prefixes: &[&str] = match question {
        NaiveQuestion::RowCount => &["i1_", "i8_"],
        NaiveQuestion::DuplicateKeys | NaiveQuestion::LsnUnique => &["i3_"],
        NaiveQuestion::OperationTypes => &["i9_"],
    };
    let of = |check: &&CheckResult| {
        prefixes
            .iter()
            .any(|prefix| check.check.starts_with(prefix))
    };
    let verdicts = checks.iter().filter(of).map(|check| check.verdict);
    verdicts.max().unwrap_or(Verdict::Unknown)
}

/// Why a count says something else than the events do.
fn misleads(question: NaiveQuestion, concluded: Verdict, real: Verdict) -> Option<&'static str> {
    if concluded == real {
        return None;
    }
    Some(match (question, concluded, real) {
        (_, Verdict::Fail, Verdict::Unknown) => {
            "the count alarms, and whether anything is wrong is not known: see the reasons of the verdict"
        }
        (_, _, Verdict::Unknown) => {
            "the count is satisfied, and proves nothing: see the reasons of the verdict"
        }
        (NaiveQuestion::RowCount, Verdict::Fail, _) => {
            "an update, a delete and a tombstone are messages too, so the numbers differ in every stream that lives; \
             what the messages come to is what is stored"
        }
        (NaiveQuestion::RowCount, _, _) => {
            "a lost update leaves both numbers as they are, and a loss and a repeat make up for each other"
        }
        (NaiveQuestion::DuplicateKeys, Verdict::Fail, _) => {
            "each update and delete of a row repeats its key; no two records tell of the same change"
        }
        (NaiveQuestion::LsnUnique, Verdict::Fail, _) => {
            "rows of one COPY or INSERT share an LSN, and so do the two halves of a changed key; no two records tell \
             of the same change"
        }
        (NaiveQuestion::DuplicateKeys | NaiveQuestion::LsnUnique, _, _) => {
            "what repeats has another key or another LSN, or is a tombstone"
        }
        (NaiveQuestion::OperationTypes, Verdict::Fail, _) => {
            "the first snapshot of a stream reads each row once; none was read again"
        }
        (NaiveQuestion::OperationTypes, _, _) => "snapshot reads that were wanted are no finding",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, verdict: Verdict) -> CheckResult {
        CheckResult {
            check: name.into(),
            guarantee: String::new(),
            verdict,
            findings: 0,
            reason: None,
        }
    }

    #[test]
    fn a_count_that_says_something_else_than_the_events_is_explained_and_an_equal_one_is_not() {
        let tally = Tally {
            rows: 2,
            messages: 7,
            keys: 3,
            lsns: 0,
            reads: 0,
        };
        let clean = ["i3_repeated", "i8_state", "i9_reread"].map(|name| check(name, Verdict::Pass));
        let told = |checks: &[CheckResult]| {
            let answers = tally.answers("public.t", checks);
            let told: Vec<(Verdict, bool)> = answers
                .iter()
                .map(|answer| (answer.concluded, answer.misleads.is_some()))
                .collect();
            told
        };
        let (pass, fail) = (Verdict::Pass, Verdict::Fail);
        assert_eq!(
            told(&clean),
            [(fail, true), (fail, true), (pass, false), (pass, false)]
        );
        let lost = [
            check("i8_state", Verdict::Fail),
            check("i3_repeated", Verdict::Pass),
        ];
        assert_eq!(
            told(&lost),
            [(fail, false), (fail, true), (pass, false), (pass, true)],
            "nobody asked about snapshots"
        );
    }
}
