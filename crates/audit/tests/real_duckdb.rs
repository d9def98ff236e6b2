//! A second opinion: DuckDB runs the same SQL files, unchanged, over the same Parquet, all buckets
//! at once, and names the same events. Runs where `CUTOVER_TEST_DUCKDB` names the program; `cargo x
//! real` fetches it (pip has it as `duckdb-cli`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cutover_audit::checks::ALL;
use cutover_audit::judge;
use cutover_ledger::read_findings;
use cutover_model::evidence::Scope;
use cutover_model::evidence::{Acknowledged, SequenceEvidence};
use cutover_model::{Lsn, RunFolder};
use support::Run;
use support::history::{Dice, LSNS, live};
use support::mutate::{self, History};

/// Several histories, most of them with something wrong in them.
fn broken_run() -> Run {
    let mut run = Run::new(2);
    run.evidence.transaction_metadata = true;
    let noted = |incarnation| Acknowledged {
        incarnation,
        slot: "s".into(),
        confirmed: Lsn((LSNS * 10).cast_unsigned()),
        ends: vec![],
    };
    run.evidence.acknowledged = vec![noted(0), noted(1)];
    run.evidence.sequences = [("up", false, 1), ("down", true, 9)]
        .map(|(name, descending, next)| SequenceEvidence {
            name: name.into(),
            incarnation: 1,
            descending,
            used: Some(7),
            next: Some(next),
        })
        .into();
    for (number, (_, mutation)) in mutate::ALL.iter().enumerate() {
        let number = i64::try_from(number).unwrap();
        for seed in 0..20 {
            let mut one = Run::new(2);
            one.evidence = run.evidence.clone();
            live(&mut one, number, seed, 40);
            let mut history = History {
                run: &mut one,
                dice: Dice::new(seed),
                prefix: format!("h{number}."),
            };
            if mutation(&mut history).is_some() {
                if seed % 2 == 0 {
                    mark_the_last(&mut one);
                }
                run.attempted.append(&mut one.attempted);
                run.committed.append(&mut one.committed);
                run.published.append(&mut one.published);
                run.stored.append(&mut one.stored);
                run.transactions.append(&mut one.transactions);
                break;
            }
        }
    }
    run
}

/// The last record of a history becomes a repair's.
fn mark_the_last(run: &mut Run) {
    let last = run.published.iter_mut().max_by_key(|row| row.record_offset);
    if let Some(last) = last {
        last.compensation = Some("gap-1".into());
    }
}

/// The script that users get, and after it the rows of each check.
fn script(run: &RunFolder, asked: &[String]) -> String {
    let mut script = support::block_on(cutover_audit::script(run)).unwrap();
    script.push_str(".mode list\n.headers off\nselect 'rows follow';\n");
    for name in asked {
        script.push_str(&format!(
            "select '{name}', kind, incarnation, relation, key, op, revision, lsn, xid, topic, \
             \"partition\", record_offset from {name};\n"
        ));
    }
    script
}

fn ask(program: &str, script: &Path) -> Vec<String> {
    let output = Command::new(program)
        .arg("-bail")
        .arg("-nullvalue")
        .arg("-")
        .arg(":memory:")
        .stdin(std::fs::File::open(script).unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, rows) = text.split_once("rows follow\n").unwrap();
    let mut rows: Vec<String> = rows.lines().map(str::to_owned).collect();
    rows.sort();
    rows
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[test]
fn duckdb_comes_to_the_same_findings_by_the_same_sql() {
    let Ok(program) = std::env::var("CUTOVER_TEST_DUCKDB") else {
        println!("not run: CUTOVER_TEST_DUCKDB does not name a duckdb program");
        return;
    };
    let mut compared = BTreeSet::new();
    for scope in [Scope::Run, Scope::States] {
        compared.extend(both_agree(&program, scope));
    }
    let all: BTreeSet<String> = ALL.iter().map(|check| check.name.to_owned()).collect();
    assert_eq!(compared, all, "each check by both engines");
}

/// Judges a broken run as a recording of this kind. Gives the checks that were asked.
fn both_agree(program: &str, scope: Scope) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let run = RunFolder::at(folder.path());
    let mut broken = broken_run();
    broken.evidence.scope = scope;
    broken.write(&run);
    let judgement = support::block_on(judge(&run)).unwrap();
    assert!(
        scope != Scope::Run || judgement.counts.findings.len() >= 17,
        "{:?}",
        judgement.counts.findings
    );
    let asked = judgement.checks.iter().map(|check| check.check.clone());
    let asked: Vec<String> = asked.collect();
    let path = folder.path().join("checks.sql");
    std::fs::write(&path, script(&run, &asked)).unwrap();
    let theirs = ask(program, &path);
    let row = |finding: cutover_model::Finding| {
        [
            finding.check,
            finding.kind.to_string(),
            text(finding.incarnation),
            finding.relation,
            text(finding.key),
            text(finding.op),
            text(finding.revision),
            text(finding.lsn),
            text(finding.xid),
            text(finding.topic),
            text(finding.partition),
            text(finding.record_offset),
        ]
        .join("|")
    };
    let findings = read_findings(&run.findings()).unwrap();
    let mut ours: Vec<String> = findings.map(|finding| row(finding.unwrap())).collect();
    ours.sort();
    assert_eq!(ours, theirs);
    asked
}
