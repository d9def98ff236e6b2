//! Acquitting clean keys before the checks run changes no judgement: the same histories, clean and with planted errors,
//! are judged with it and without it. Without an attempted ledger, since with one nothing is acquitted.
//!
//! `CUTOVER_TEST_HISTORIES` raises the number of histories (200 by default).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;

use cutover_audit::{judge, judge_every_row};
use cutover_ledger::read_findings;
use cutover_model::evidence::{Scope, TableEvidence};
use cutover_model::{Finding, RunFolder, Verdict};
use support::history::{Dice, live};
use support::mutate::{ALL, History};
use support::{Run, block_on};

const TOGETHER: u64 = 50;
const TRANSACTIONS: usize = 40;

fn histories() -> u64 {
    let wanted = std::env::var("CUTOVER_TEST_HISTORIES");
    wanted
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(200)
}

/// Tables as the evidence of a real run lists them.
fn list_tables(run: &mut Run) {
    let rows = run.committed.iter().chain(&run.published);
    let keyed: BTreeSet<(String, bool)> = rows
        .filter(|row| row.op.letter() != "t")
        .map(|row| (row.relation.clone(), row.key.is_some()))
        .collect();
    run.evidence.tables = keyed
        .into_iter()
        .map(|(relation, keyed)| TableEvidence {
            relation,
            keyed,
            stored: true,
            not_compared: vec![],
        })
        .collect();
}

fn findings(run: &RunFolder) -> Vec<Finding> {
    let findings = read_findings(&run.findings()).unwrap();
    findings.map(Result::unwrap).collect()
}

fn same_both_ways(run: &Run) -> Verdict {
    let folder = tempfile::tempdir().unwrap();
    let saved = RunFolder::at(folder.path());
    run.write(&saved);
    let full = block_on(judge_every_row(&saved)).unwrap();
    let in_full = findings(&saved);
    let quick = block_on(judge(&saved)).unwrap();
    let in_quick = findings(&saved);
    let apart = |one: &[Finding], other: &[Finding]| -> Vec<Finding> {
        let missing = one.iter().filter(|finding| !other.contains(finding));
        missing.take(3).cloned().collect()
    };
    assert_eq!(apart(&in_quick, &in_full), []);
    assert_eq!(apart(&in_full, &in_quick), []);
    assert_eq!((quick.verdict, &quick.checks), (full.verdict, &full.checks));
    assert_eq!(quick, full);
    quick.verdict
}

#[test]
fn histories_are_judged_alike_with_and_without_acquittals() {
    for first in (0..histories()).step_by(usize::try_from(TOGETHER).unwrap()) {
        let mut run = Run::new(2);
        for number in 0..TOGETHER {
            let number = i64::try_from(number).unwrap();
            live(
                &mut run,
                number,
                first + number.cast_unsigned(),
                TRANSACTIONS,
            );
        }
        run.attempted.clear();
        run.evidence.attempted = false;
        run.evidence.transaction_metadata = true;
        list_tables(&mut run);
        assert_eq!(same_both_ways(&run), Verdict::Pass);

        // Every tenth history gets every error that finds a place in it, one after the other.
        let mut dice = Dice::new(first);
        for number in (0..TOGETHER).step_by(10) {
            for (_, mutation) in ALL {
                let mut history = History {
                    run: &mut run,
                    dice: Dice::new(dice.next()),
                    prefix: format!("h{number}."),
                };
                let _ = mutation(&mut history);
            }
        }
        run.attempted.clear();
        assert_eq!(same_both_ways(&run), Verdict::Fail);
        // A window has no rows, so what only they show is asked of nobody.
        run.stored.clear();
        run.evidence.scope = Scope::Window;
        assert_eq!(same_both_ways(&run), Verdict::Fail);
    }
}
