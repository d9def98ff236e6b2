//! Planted mutations: a clean history passes without a finding; the same history with one wrong
//! thing in it gives the finding that names that thing, and nothing that does not follow from it.
//!
//! `CUTOVER_TEST_HISTORIES` says how many histories (400 by default); `cargo x mutations` takes
//! 10,000. Many histories share a run under names and ranges of their own, so that one judgement
//! covers them.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod support;

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use cutover_model::evidence::Acknowledged;
use cutover_model::{Evidence, Finding, FindingKind, Lsn, ProofLevel, Verdict};
use support::Run;
use support::history::{Dice, LSNS, live};
use support::mutate::{ALL, History, Planted};

/// Histories that one judgement covers at most.
const TOGETHER: u64 = 1_000;
/// Pairs of transactions in a history.
const PAIRS: usize = 12;

fn histories() -> u64 {
    let wanted = std::env::var("CUTOVER_TEST_HISTORIES");
    wanted
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(400)
}

/// First seed and number of histories of each run.
fn runs() -> impl Iterator<Item = (u64, u64)> {
    let all = histories();
    let firsts = (0..all).step_by(usize::try_from(TOGETHER).unwrap());
    firsts.map(move |first| (first, TOGETHER.min(all - first)))
}

/// What the histories of a run share. The slots are confirmed beyond the first half of them.
fn evidence(count: u64) -> Evidence {
    let noted = |incarnation| Acknowledged {
        incarnation,
        slot: "s".into(),
        confirmed: Lsn(count / 2 * LSNS.cast_unsigned()),
        ends: vec![],
    };
    Evidence {
        transaction_metadata: true,
        acknowledged: vec![noted(0), noted(1)],
        ..support::evidence(2, 2)
    }
}

fn empty(count: u64) -> Run {
    let mut run = Run::new(2);
    run.evidence = evidence(count);
    run
}

fn append(run: &mut Run, mut one: Run) {
    run.attempted.append(&mut one.attempted);
    run.committed.append(&mut one.committed);
    run.published.append(&mut one.published);
    run.stored.append(&mut one.stored);
    run.transactions.append(&mut one.transactions);
    run.evidence.sequences.append(&mut one.evidence.sequences);
}

/// Tries mutation after mutation, from a seeded one on, until one finds its place.
fn plant(run: &mut Run, number: u64, seed: u64) -> Planted {
    let mut dice = Dice::new(seed ^ 0xABCD);
    for attempt in 0..200 {
        let which = usize::try_from((seed + attempt / 9) % ALL.len() as u64).unwrap();
        let (what, mutation) = ALL[which];
        let mut candidate = run.clone();
        let mut history = History {
            run: &mut candidate,
            dice: Dice::new(dice.next()),
            prefix: format!("h{number}."),
        };
        if let Some(planted) = mutation(&mut history) {
            *run = candidate;
            return Planted { what, ..planted };
        }
    }
    panic!("history {seed} has no place for any mutation");
}

fn told(run: &Run, what: &str, started: Instant) -> String {
    format!(
        "{what}: {} committed, {} published, {} stored rows: {:.2} s",
        run.committed.len(),
        run.published.len(),
        run.stored.len(),
        started.elapsed().as_secs_f64()
    )
}

#[test]
fn clean_histories_pass_without_a_finding() {
    for (first, count) in runs() {
        let started = Instant::now();
        let mut run = empty(count);
        for number in 0..count {
            let (name, seed) = (i64::try_from(number).unwrap(), first + number);
            live(&mut run, name, seed, PAIRS);
        }
        let (judgement, findings) = run.judge();
        println!(
            "{}",
            told(&run, &format!("{count} clean histories"), started)
        );
        assert_eq!(findings, [], "histories from {first} on");
        assert_eq!(judgement.reasons, Vec::<String>::new());
        assert_eq!(
            (judgement.verdict, judgement.proof_level),
            (Verdict::Pass, ProofLevel::P4)
        );
    }
}

/// Findings by the number of their history.
fn by_history(findings: Vec<Finding>) -> HashMap<u64, Vec<Finding>> {
    let mut all: HashMap<u64, Vec<Finding>> = HashMap::new();
    for finding in findings {
        let name = finding.relation.split('.').next().unwrap_or_default();
        let number = name.trim_start_matches('h').parse().unwrap();
        all.entry(number).or_default().push(finding);
    }
    all
}

/// What is wrong with what was found in one history: it must name its mutation by kind and event, and nothing may be
/// there that does not follow from it.
fn misjudged(planted: &Planted, found: &[Finding]) -> Option<String> {
    let Planted {
        what,
        kind,
        relation,
        lsn,
        record_offset,
        ..
    } = planted;
    if !found.iter().any(|finding| planted.is_named_by(finding)) {
        return Some(format!(
            "'{what}' should give {kind} in {relation} at lsn {lsn:?}, offset {record_offset:?}, got {found:?}"
        ));
    }
    let follows =
        |finding: &&Finding| finding.kind == *kind || planted.consequences.contains(&finding.kind);
    let stray = found.iter().find(|finding| !follows(finding))?;
    Some(format!("'{what}' does not explain {stray:?}"))
}

/// Lost for good is exactly what is lost and was committed before the confirmed position.
fn acknowledged_rightly(found: &[Finding], number: u64, count: u64) -> bool {
    let of = |kind| {
        found
            .iter()
            .filter(move |finding| finding.kind == kind)
            .count()
    };
    let expected = if number < count / 2 {
        of(FindingKind::Lost)
    } else {
        0
    };
    of(FindingKind::AcknowledgedAhead) == expected
}

#[test]
fn every_planted_mutation_is_found_and_named() {
    let mut tally: BTreeMap<&str, u64> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (first, count) in runs() {
        let started = Instant::now();
        let mut run = empty(count);
        let mut planted = Vec::new();
        for number in 0..count {
            let mut one = empty(count);
            let seed = first + number;
            live(&mut one, i64::try_from(number).unwrap(), seed, PAIRS);
            planted.push(plant(&mut one, number, seed));
            append(&mut run, one);
        }
        let (judgement, findings) = run.judge();
        println!(
            "{}",
            told(&run, &format!("{count} broken histories"), started)
        );
        assert_eq!(judgement.verdict, Verdict::Fail);
        let idle = |check: &&cutover_model::result::CheckResult| check.verdict != Verdict::Fail;
        let idle: Vec<_> = judgement.checks.iter().filter(idle).collect();
        assert!(count < 400 || idle.is_empty(), "{idle:#?}");
        let found = by_history(findings);
        for (number, planted) in (0..).zip(&planted) {
            let of = found.get(&number).map_or(&[][..], Vec::as_slice);
            let seed = first + number;
            wrong.extend(misjudged(planted, of).map(|text| format!("{seed}: {text}")));
            if !acknowledged_rightly(of, number, count) {
                wrong.push(format!("{seed}: lost for good? {of:?}"));
            }
            *tally.entry(planted.what).or_default() += 1;
        }
    }
    println!("{tally:#?}");
    let first: Vec<_> = wrong.iter().take(10).collect();
    assert!(first.is_empty(), "{} misjudged: {first:#?}", wrong.len());
    assert_eq!(
        tally.len(),
        ALL.len(),
        "every mutation is planted somewhere"
    );
}
